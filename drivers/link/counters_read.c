// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Finds a router's outer interface and reads its counters (counters_read.h).
#include "counters_read.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "schoolpulse/clock.h"

enum {
	ANSWER_MS = 2000,
	INTERFACES_MAX = 256,
	/// A round ends within its deadline, however many interfaces a router makes up.
	SEARCH_US = 5 * 1000 * 1000,
};

#define OID(...)                                                      \
	{                                                             \
		sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t), \
		{                                                     \
			__VA_ARGS__                                   \
		}                                                     \
	}
#define IF_TABLE  1, 3, 6, 1, 2, 1, 2, 2, 1
#define IF_XTABLE 1, 3, 6, 1, 2, 1, 31, 1, 1, 1
#define IP_ROUTES 1, 3, 6, 1, 2, 1, 4

// ---- one interface ------------------------------------------------------------------------------

enum { UPTIME, NAME, DESCR, HC_IN, HC_OUT, IN, OUT, HIGH_SPEED, SPEED, DISCONTINUITY, OBJECTS };

static const struct sp_snmp_oid columns[OBJECTS] = {
    [UPTIME] = OID(1, 3, 6, 1, 2, 1, 1, 3),
    [NAME] = OID(IF_XTABLE, 1),
    [DESCR] = OID(IF_TABLE, 2),
    [HC_IN] = OID(IF_XTABLE, 6),
    [HC_OUT] = OID(IF_XTABLE, 10),
    [IN] = OID(IF_TABLE, 10),
    [OUT] = OID(IF_TABLE, 16),
    [HIGH_SPEED] = OID(IF_XTABLE, 15),
    [SPEED] = OID(IF_TABLE, 5),
    [DISCONTINUITY] = OID(IF_XTABLE, 19),
};

static struct sp_snmp_oid at(const struct sp_snmp_oid *column, uint32_t index)
{
	struct sp_snmp_oid oid = *column;
	oid.part[oid.length++] = index;
	return oid;
}

static uint64_t number(const struct sp_snmp_value *value)
{
	return value->kind == SP_SNMP_NUMBER ? value->number : 0;
}

static bool numbers(const struct sp_snmp_value *a, const struct sp_snmp_value *b)
{
	return a->kind == SP_SNMP_NUMBER && b->kind == SP_SNMP_NUMBER;
}

static bool is_named(const char *wish, const struct sp_snmp_value *name)
{
	return name->kind == SP_SNMP_STRING && strcasecmp(name->text, wish) == 0;
}

static bool by_index(const char *wish)
{
	return wish[0] && wish[strspn(wish, "0123456789")] == '\0';
}

/// -ENODEV: it has gone, or another interface has its number now.
static int read_counters(struct sp_snmp *snmp, const char *wish, uint32_t index,
			 struct sp_counters_reading *out)
{
	struct sp_snmp_oid names[OBJECTS];
	struct sp_snmp_value v[OBJECTS];
	for (size_t i = 0; i < OBJECTS; i++)
		names[i] = at(&columns[i], i == UPTIME ? 0 : index);
	int64_t asked_us = sp_clock_mono_us();
	int result = sp_snmp_get(snmp, names, OBJECTS, v, ANSWER_MS);
	if (result < 0)
		return result;
	if (!by_index(wish) && strcasecmp(wish, "auto") != 0 && !is_named(wish, &v[NAME]) &&
	    !is_named(wish, &v[DESCR]))
		return -ENODEV;
	bool wide = numbers(&v[HC_IN], &v[HC_OUT]), narrow = numbers(&v[IN], &v[OUT]);
	// Some have the wide ones for the form's sake only.
	if (wide && narrow && number(&v[HC_IN]) + number(&v[HC_OUT]) == 0 && number(&v[IN]) > 0)
		wide = false;
	if (!wide && !narrow)
		return -ENODEV;
	// ifSpeed's greatest value means "more than that".
	uint64_t mbps = number(&v[HIGH_SPEED]), bps = number(&v[SPEED]);
	*out = (struct sp_counters_reading){
	    .at_us = asked_us + (sp_clock_mono_us() - asked_us) / 2,
	    .uptime_cs = (uint32_t)number(&v[UPTIME]),
	    .discontinuity = (uint32_t)number(&v[DISCONTINUITY]),
	    .index = index,
	    .wide = wide,
	    .in = number(&v[wide ? HC_IN : IN]),
	    .out = number(&v[wide ? HC_OUT : OUT]),
	    .speed_bps = mbps > 0 && mbps < 1000000 ? mbps * 1000000
			 : bps < UINT32_MAX         ? bps
						    : 0,
	};
	return 0;
}

// ---- which one ----------------------------------------------------------------------------------

static bool under(const struct sp_snmp_oid *prefix, const struct sp_snmp_oid *name)
{
	return name->length > prefix->length &&
	       memcmp(prefix->part, name->part, prefix->length * sizeof(name->part[0])) == 0;
}

/// Where the default route leads, by the oldest and by the newest table that a router may have.
static int default_route(struct sp_snmp *snmp, uint32_t *index)
{
	static const struct sp_snmp_oid old = OID(IP_ROUTES, 21, 1, 2, 0, 0, 0, 0);
	static const struct sp_snmp_oid begins[] = {
	    OID(IP_ROUTES, 24, 4, 1, 5, 0, 0, 0, 0, 0, 0, 0, 0), // ipCidrRouteIfIndex of 0.0.0.0/0
	    OID(IP_ROUTES, 24, 7, 1, 7, 1, 4, 0, 0, 0, 0, 0),    // inetCidrRouteIfIndex of ipv4 0.0.0.0/0
	};
	struct sp_snmp_value v[SP_SNMP_VALUES];
	int result = sp_snmp_get(snmp, &old, 1, v, ANSWER_MS);
	if (result < 0)
		return result;
	*index = (uint32_t)number(&v[0]);
	for (size_t i = 0; i < SP_COUNT(begins) && *index == 0; i++) {
		result = sp_snmp_next(snmp, &begins[i], v, ANSWER_MS);
		if (result < 0)
			return result;
		if (result > 0 && under(&begins[i], &v[0].name))
			*index = (uint32_t)number(&v[0]);
	}
	return 0;
}

/// Names that say "outside" by themselves: what is dialled is nearer to the line than the port that it uses.
static unsigned outside(const char *name)
{
	if (strncasecmp(name, "pppoe", 5) == 0 || strncasecmp(name, "ppp", 3) == 0)
		return 2;
	return strcasestr(name, "wan") || strcasestr(name, "internet") ? 1 : 0;
}

struct search {
	const char *wish;
	int64_t deadline_us;
	uint32_t found;
	unsigned rank, count; ///< of the best name, and how many have that rank
	char *why;
	size_t size, used;
};

static void list(struct search *search, const char *name)
{
	if (search->used >= search->size)
		return;
	int length = snprintf(search->why + search->used, search->size - search->used, "%s%s",
			      search->used ? ", " : "", name);
	search->used += length > 0 ? (size_t)length : 0;
}

static void consider(struct search *search, uint32_t index, const struct sp_snmp_value *name, bool listed)
{
	if (listed)
		list(search, name->text);
	bool automatic = strcasecmp(search->wish, "auto") == 0;
	unsigned rank = automatic ? outside(name->text) : is_named(search->wish, name) ? 1 : 0;
	if (rank == 0 || rank < search->rank)
		return;
	search->count = rank > search->rank ? 1 : search->count + (index != search->found);
	search->rank = rank;
	search->found = index;
}

static int walk(struct sp_snmp *snmp, const struct sp_snmp_oid *column, struct search *search, bool listed)
{
	struct sp_snmp_value v[SP_SNMP_VALUES];
	struct sp_snmp_oid after = *column;
	for (unsigned seen = 0; seen < INTERFACES_MAX;) {
		if (sp_clock_mono_us() > search->deadline_us)
			return -ETIMEDOUT;
		int count = sp_snmp_next(snmp, &after, v, ANSWER_MS);
		if (count < 0)
			return count;
		for (int i = 0; i < count; i++, seen++) {
			const struct sp_snmp_oid *name = &v[i].name;
			if (!under(column, name) || name->length != column->length + 1)
				return 0;
			uint32_t index = name->part[column->length];
			// In rising order, or it would never end.
			if (after.length > column->length && index <= after.part[column->length])
				return -EBADMSG;
			after = *name;
			if (v[i].kind == SP_SNMP_STRING)
				consider(search, index, &v[i], listed);
		}
		if (count == 0)
			return 0;
	}
	return 0;
}

static int find(struct sp_snmp *snmp, const char *wish, uint32_t *index, char *why, size_t size)
{
	unsigned long long given;
	*index = 0;
	if (by_index(wish)) {
		*index = sscanf(wish, "%10llu", &given) == 1 && given <= INT32_MAX ? (uint32_t)given : 0;
		return *index ? 0 : -ENODEV;
	}
	if (strcasecmp(wish, "auto") == 0) {
		int result = default_route(snmp, index);
		if (result < 0 || *index)
			return result;
	}
	struct search search = {
	    .wish = wish, .deadline_us = sp_clock_mono_us() + SEARCH_US, .why = why, .size = size};
	int result = walk(snmp, &columns[NAME], &search, true);
	if (result == 0 && !search.found)
		result = walk(snmp, &columns[DESCR], &search, search.used == 0);
	if (result < 0)
		return result;
	if (search.count != 1)
		return -ENODEV;
	*index = search.found;
	return 0;
}

int sp_counters_read(struct sp_snmp *snmp, const struct sp_counters_wish *wish,
		     struct sp_counters_reading *out, char *why, size_t size)
{
	int64_t began_us = sp_clock_mono_us();
	int result = -ENODEV;
	uint32_t index = wish->known;
	why[0] = '\0';
	if (index)
		result = read_counters(snmp, wish->interface, index, out);
	if (result == -ENODEV) {
		result = find(snmp, wish->interface, &index, why, size);
		if (result == 0)
			result = read_counters(snmp, wish->interface, index, out);
	}
	if (result == 0)
		out->at_us -= began_us;
	return result;
}
