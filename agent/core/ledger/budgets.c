// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Ties the budgets to settings, journal and publisher.
#include "agent/core/ledger/budgets.h"

#include <errno.h>
#include <string.h>

#include "agent/base/mem.h"

struct sp_budgets {
	const struct sp_settings *settings;
	struct sp_journal *journal;
	struct sp_budget **items; ///< as settings->lines
	int64_t *probes;          ///< of each, since start
	size_t count;
	size_t carrier;    ///< the line that telemetry went over last
	bool late;         ///< the journal could not be read at start
	int64_t telemetry; ///< counted so far, of the publisher's total
};

static int put(void *arg, const char *key, const char *value, bool soon, sp_journal_done_fn done,
	       void *done_arg)
{
	struct sp_budgets *budgets = arg;
	return soon ? sp_journal_put(budgets->journal, key, value, done, done_arg)
		    : sp_journal_put_later(budgets->journal, key, value, done, done_arg);
}

static bool writable(const struct sp_budgets *budgets)
{
	struct sp_journal_status status;
	sp_journal_status(budgets->journal, &status);
	return status.state == SP_JOURNAL_WRITABLE;
}

/// A journal that could not be opened has no answer, and is not waited for again while it is in trouble.
static int get(void *arg, const char *key, char **out)
{
	struct sp_budgets *budgets = arg;
	if (budgets->late && !writable(budgets))
		return -EAGAIN;
	*out = sp_journal_get(budgets->journal, key);
	if (*out || budgets->late)
		return 0;
	budgets->late = !writable(budgets);
	if (budgets->late)
		return -EAGAIN;
	*out = sp_journal_get(budgets->journal, key); // it may have come up since
	return 0;
}

struct sp_budgets *sp_budgets_new(const struct sp_settings *settings, struct sp_journal *journal,
				  struct sp_recorder *recorder)
{
	struct sp_budgets *budgets = sp_alloc(sizeof(*budgets));
	struct sp_clock_reading now = sp_clock_now();
	budgets->settings = settings;
	budgets->journal = journal;
	budgets->items = sp_alloc((settings->line_count + 1) * sizeof(*budgets->items));
	budgets->probes = sp_alloc((settings->line_count + 1) * sizeof(*budgets->probes));
	for (size_t i = 0; i < settings->line_count; i++) {
		const struct sp_line_conf *line = &settings->lines[i];
		struct sp_budget_config config = {.line = line->name,
						  .cap_bytes = line->budget_bytes,
						  .metered = line->metered,
						  .frugal = line->profile == SP_PROFILE_FRUGAL,
						  .recorder = recorder,
						  .put = put,
						  .get = get,
						  .arg = budgets};
		budgets->items[budgets->count++] = sp_budget_new(&config, &now);
	}
	return budgets;
}

void sp_budgets_free(struct sp_budgets *budgets)
{
	if (!budgets)
		return;
	for (size_t i = 0; i < budgets->count; i++)
		sp_budget_free(budgets->items[i]);
	free(budgets->items);
	free(budgets->probes);
	free(budgets);
}

/// budgets->count: there is no such line.
static size_t index_of(const struct sp_budgets *budgets, const char *line)
{
	size_t at = 0;
	while (at < budgets->count && strcmp(budgets->settings->lines[at].name, line) != 0)
		at++;
	return at;
}

static struct sp_budget *budget_of(const struct sp_budgets *budgets, const char *line)
{
	size_t at = index_of(budgets, line);
	return at < budgets->count ? budgets->items[at] : NULL;
}

void sp_budgets_spent(struct sp_budgets *budgets, const char *line, enum sp_spending what, int64_t bytes)
{
	size_t at = index_of(budgets, line);
	struct sp_clock_reading now = sp_clock_now();
	if (at == budgets->count)
		return;
	sp_budget_spend(budgets->items[at], what == SP_SPENT_TESTS ? SP_BUDGET_TESTS : SP_BUDGET_PROBES,
			bytes, &now);
	if (what == SP_SPENT_PROBES)
		budgets->probes[at] += bytes;
}

int64_t sp_budgets_probes(const struct sp_budgets *budgets, const char *line)
{
	size_t at = index_of(budgets, line);
	return at < budgets->count ? budgets->probes[at] : 0;
}

bool sp_budgets_frugal(const struct sp_budgets *budgets, const char *line)
{
	const struct sp_budget *budget = budget_of(budgets, line);
	return budget && sp_budget_frugal(budget);
}

int64_t sp_budgets_left(const struct sp_budgets *budgets, const char *line)
{
	const struct sp_budget *budget = budget_of(budgets, line);
	return budget ? sp_budget_left(budget) : 0;
}

int sp_budgets_set_aside(struct sp_budgets *budgets, const char *line, int64_t bytes, sp_journal_done_fn done,
			 void *arg)
{
	struct sp_budget *budget = budget_of(budgets, line);
	return budget ? sp_budget_set_aside(budget, bytes, done, arg) : -ENOENT;
}

void sp_budgets_give_back(struct sp_budgets *budgets, const char *line)
{
	struct sp_budget *budget = budget_of(budgets, line);
	if (budget)
		sp_budget_give_back(budget);
}

static bool leaves_by(const struct sp_budgets *budgets, size_t line, const char *interface)
{
	const struct sp_settings *settings = budgets->settings;
	for (size_t i = 0; i < settings->device_count; i++) {
		const struct sp_device_conf *device = &settings->devices[i];
		const char *own = sp_device_conf_interface(device);
		if (own && strcmp(own, interface) == 0 && device->common.line &&
		    strcmp(device->common.line, settings->lines[line].name) == 0)
			return true;
	}
	return false;
}

void sp_budgets_telemetry(struct sp_budgets *budgets, int64_t total_bytes, const char *interface)
{
	int64_t bytes = total_bytes - budgets->telemetry;
	budgets->telemetry = total_bytes;
	if (budgets->count == 0 || strcmp(interface, "lo") == 0)
		return;
	size_t line = 0;
	while (line < budgets->count && !leaves_by(budgets, line, interface))
		line++;
	budgets->carrier = line < budgets->count ? line : 0;
	struct sp_clock_reading now = sp_clock_now();
	sp_budget_spend(budgets->items[budgets->carrier], SP_BUDGET_TELEMETRY, bytes, &now);
}

enum sp_bulk_limit sp_budgets_bulk(const struct sp_budgets *budgets)
{
	if (budgets->count == 0)
		return SP_BULK_ALL;
	if (sp_budget_exhausted(budgets->items[budgets->carrier]))
		return SP_BULK_NONE;
	return budgets->settings->lines[budgets->carrier].metered ? SP_BULK_LIVE : SP_BULK_ALL;
}

void sp_budgets_look(struct sp_budgets *budgets)
{
	struct sp_clock_reading now = sp_clock_now();
	for (size_t i = 0; i < budgets->count; i++)
		sp_budget_look(budgets->items[i], &now);
}

void sp_budgets_settle(struct sp_budgets *budgets)
{
	for (size_t i = 0; i < budgets->count; i++)
		sp_budget_settle(budgets->items[i]);
}

static void add_or_null(cJSON *json, const char *name, int64_t value, bool known)
{
	if (known)
		cJSON_AddNumberToObject(json, name, (double)value);
	else
		cJSON_AddNullToObject(json, name);
}

static cJSON *budget_json(const struct sp_budget_view *view)
{
	cJSON *json = cJSON_CreateObject();
	cJSON_AddStringToObject(json, "line", view->line);
	if (view->month[0])
		cJSON_AddStringToObject(json, "month", view->month);
	else
		cJSON_AddNullToObject(json, "month");
	cJSON_AddNumberToObject(json, "used_bytes", (double)view->used);
	cJSON *spent = cJSON_AddObjectToObject(json, "spent");
	for (int i = 0; i < SP_BUDGET_KINDS; i++)
		cJSON_AddNumberToObject(spent, sp_budget_kind_name((enum sp_budget_kind)i),
					(double)view->spent[i]);
	bool capped = view->cap_bytes > 0;
	add_or_null(json, "cap_bytes", view->cap_bytes, capped);
	add_or_null(json, "left_bytes", view->used < view->cap_bytes ? view->cap_bytes - view->used : 0,
		    capped);
	add_or_null(json, "forecast_bytes", view->forecast_bytes, view->forecast_bytes >= 0);
	cJSON_AddBoolToObject(json, "metered", view->metered);
	cJSON_AddBoolToObject(json, "frugal", view->frugal);
	cJSON_AddBoolToObject(json, "exhausted", view->exhausted);
	cJSON *suspended = cJSON_AddArrayToObject(json, "suspended");
	if (view->metered || view->exhausted)
		cJSON_AddItemToArray(suspended, cJSON_CreateString("tests"));
	if (view->exhausted)
		cJSON_AddItemToArray(suspended, cJSON_CreateString("bulk"));
	else if (view->metered)
		cJSON_AddItemToArray(suspended, cJSON_CreateString("backlog"));
	return json;
}

cJSON *sp_budgets_json(const struct sp_budgets *budgets)
{
	struct sp_clock_reading now = sp_clock_now();
	cJSON *list = cJSON_CreateArray();
	for (size_t i = 0; i < budgets->count; i++) {
		struct sp_budget_view view;
		sp_budget_view(budgets->items[i], &now, &view);
		cJSON_AddItemToArray(list, budget_json(&view));
	}
	return list;
}
