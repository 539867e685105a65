// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Schools, sites and pools, found by name.
#include "tools/hub/kpi/data.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"

enum { SAMPLES_MAX = 1000000 };

/// Room for one more in an array that doubles at powers of two.
static void *grow(void *items, size_t count, size_t size)
{
	if (count == 0 || (count & (count - 1)) == 0)
		items = sp_realloc(items, (count ? 2 * count : 1) * size);
	return items;
}

struct sp_kpi_data *sp_kpi_data_new(void)
{
	struct sp_kpi_data *data = sp_alloc(sizeof(*data));
	data->newest_ms = SP_KPI_UNKNOWN;
	return data;
}

void sp_kpi_data_free(struct sp_kpi_data *data)
{
	if (!data)
		return;
	for (size_t i = 0; i < data->school_count; i++) {
		free(data->schools[i].code);
		free(data->schools[i].zone);
		free(data->schools[i].kind);
	}
	for (size_t i = 0; i < data->site_count; i++) {
		struct sp_kpi_site *site = &data->sites[i];
		free(site->site);
		free(site->zone);
		free(site->down.items);
		free(site->up.items);
		free(site->loaded.items);
	}
	for (size_t i = 0; i < data->pool_count; i++) {
		free(data->pools[i].provider);
		free(data->pools[i].plan);
	}
	free(data->schools);
	free(data->sites);
	free(data->pools);
	free(data);
}

// ---- schools and sites -------------------------------------------------------------------------------

struct sp_kpi_school *sp_kpi_add_school(struct sp_kpi_data *data, const char *code, const char *zone,
					const char *kind, int64_t pupils)
{
	data->schools = grow(data->schools, data->school_count, sizeof(*data->schools));
	struct sp_kpi_school *school = &data->schools[data->school_count++];
	*school = (struct sp_kpi_school){.code = sp_strdup(code),
					 .zone = sp_strdup(zone),
					 .kind = sp_strdup(kind),
					 .pupils = pupils,
					 .classrooms = {0, 0, 0, 1}};
	return school;
}

static int by_code(const void *left, const void *right)
{
	return strcmp(((const struct sp_kpi_school *)left)->code,
		      ((const struct sp_kpi_school *)right)->code);
}

void sp_kpi_schools_done(struct sp_kpi_data *data)
{
	if (data->school_count > 1)
		qsort(data->schools, data->school_count, sizeof(*data->schools), by_code);
}

struct sp_kpi_school *sp_kpi_school_of(struct sp_kpi_data *data, const char *code)
{
	size_t low = 0, high = data->school_count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = strcmp(data->schools[middle].code, code);
		if (order == 0)
			return &data->schools[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

struct sp_kpi_site *sp_kpi_add_site(struct sp_kpi_data *data, const char *school, const char *site,
				    const char *zone, bool main)
{
	const struct sp_kpi_school *owner = sp_kpi_school_of(data, school);
	if (!owner)
		return NULL;
	data->sites = grow(data->sites, data->site_count, sizeof(*data->sites));
	struct sp_kpi_site *added = &data->sites[data->site_count++];
	*added = (struct sp_kpi_site){.school = (size_t)(owner - data->schools),
				      .site = sp_strdup(site),
				      .zone = sp_strdup(zone[0] ? zone : owner->zone),
				      .main = main};
	return added;
}

static int by_place(const void *left, const void *right)
{
	const struct sp_kpi_site *a = left, *b = right;
	if (a->school != b->school)
		return a->school < b->school ? -1 : 1;
	return strcmp(a->site, b->site);
}

void sp_kpi_sites_done(struct sp_kpi_data *data)
{
	if (data->site_count > 1)
		qsort(data->sites, data->site_count, sizeof(*data->sites), by_place);
}

struct sp_kpi_site *sp_kpi_site_of(struct sp_kpi_data *data, const char *school, const char *site)
{
	const struct sp_kpi_school *owner = sp_kpi_school_of(data, school);
	size_t low = 0, high = data->site_count;
	if (!owner)
		return NULL;
	const struct sp_kpi_site wanted = {.school = (size_t)(owner - data->schools),
					   .site = (char *)(uintptr_t)site};
	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = by_place(&data->sites[middle], &wanted);
		if (order == 0)
			return &data->sites[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

// ---- pools -------------------------------------------------------------------------------------------

struct sp_kpi_pool *sp_kpi_pool_of(struct sp_kpi_data *data, const char *provider, const char *plan,
				   int64_t down_kbps, int64_t up_kbps)
{
	for (size_t i = 0; i < data->pool_count; i++) {
		struct sp_kpi_pool *pool = &data->pools[i];
		if (pool->bought_down_kbps == down_kbps && pool->bought_up_kbps == up_kbps &&
		    strcmp(pool->plan, plan) == 0 && strcmp(pool->provider, provider) == 0)
			return pool;
	}
	data->pools = grow(data->pools, data->pool_count, sizeof(*data->pools));
	struct sp_kpi_pool *pool = &data->pools[data->pool_count++];
	*pool = (struct sp_kpi_pool){.provider = sp_strdup(provider),
				     .plan = sp_strdup(plan),
				     .bought_down_kbps = down_kbps,
				     .bought_up_kbps = up_kbps};
	return pool;
}

// ---- medians -----------------------------------------------------------------------------------------

void sp_kpi_samples_add(struct sp_kpi_samples *samples, const char *text)
{
	for (char *end; *text && samples->count < SAMPLES_MAX; text = end) {
		int64_t value = strtoll(text, &end, 10);
		if (end == text)
			return;
		if (samples->count == samples->room) {
			samples->room = samples->room ? 2 * samples->room : 16;
			samples->items = sp_realloc(samples->items, samples->room * sizeof(*samples->items));
		}
		samples->items[samples->count++] = value;
		samples->sorted = false;
	}
}

static int ascending(const void *left, const void *right)
{
	const int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
	return a < b ? -1 : a > b;
}

int64_t sp_kpi_median(struct sp_kpi_samples *samples)
{
	size_t n = samples->count;
	if (n == 0)
		return SP_KPI_UNKNOWN;
	if (!samples->sorted)
		qsort(samples->items, n, sizeof(*samples->items), ascending);
	samples->sorted = true;
	return (samples->items[(n - 1) / 2] + samples->items[n / 2]) / 2;
}
