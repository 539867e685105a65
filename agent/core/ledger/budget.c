// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Counts, reserves, and says what is to be said of a month.
#include "agent/core/ledger/budget.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent/base/mem.h"
#include "schoolpulse/log.h"

enum {
	RESERVE_BYTES = 64 * 1024,
	RESERVE_FRUGAL_BYTES = 8 * 1024, ///< a cut a day must not eat a budget of 5 MB
	LOCAL_SECONDS = 7 * 3600,
	WARNING_PERCENT = 80,
	FORECAST_LEAST_MS = 6 * 3600 * 1000,
};
static const int64_t FOLLOW_BACK_MS = INT64_C(31) * 24 * 3600 * 1000;
static const int64_t FOLLOW_BACK_US = INT64_C(6) * 3600 * 1000000;

enum { SAID_WARNING = 1, SAID_EXHAUSTED = 2 };

struct sp_budget {
	struct sp_budget_config config;
	char *line, *key;
	char month[8];
	int64_t from_ms; ///< since when the month is counted; 0: not known
	int64_t back_us; ///< since when the clock has stood far before the month; 0: it does not
	int64_t spent[SP_BUDGET_KINDS];
	int64_t aside; ///< of a test that may run, beyond what it has spent
	unsigned said;
	bool settled;
	bool recalled;          ///< what the store has is known
	int64_t asked, durable; ///< totals: put, and known to be kept
	bool asked_soon;        ///< by the last put
};

struct promise {
	struct sp_budget *budget;
	int64_t total;
	sp_journal_done_fn done; ///< may be NULL
	void *arg;
};

const char *sp_budget_kind_name(enum sp_budget_kind kind)
{
	static const char *const names[SP_BUDGET_KINDS] = {"probes", "telemetry", "tests"};
	return names[kind];
}

static int64_t used(const struct sp_budget *b)
{
	return b->spent[SP_BUDGET_PROBES] + b->spent[SP_BUDGET_TELEMETRY] + b->spent[SP_BUDGET_TESTS];
}

static int64_t reserve(const struct sp_budget *b)
{
	return b->config.frugal ? RESERVE_FRUGAL_BYTES : RESERVE_BYTES;
}

// ---- durable -----------------------------------------------------------------------------------------

static char *to_text(const struct sp_budget *b, int64_t reserved)
{
	cJSON *json = cJSON_CreateObject();
	cJSON_AddStringToObject(json, "month", b->month);
	cJSON_AddNumberToObject(json, "from_ms", (double)b->from_ms);
	for (int i = 0; i < SP_BUDGET_KINDS; i++)
		cJSON_AddNumberToObject(json, sp_budget_kind_name((enum sp_budget_kind)i),
					(double)b->spent[i]);
	cJSON_AddNumberToObject(json, "reserved", (double)reserved);
	cJSON_AddNumberToObject(json, "aside", (double)b->aside);
	cJSON_AddNumberToObject(json, "cap", (double)b->config.cap_bytes);
	cJSON_AddNumberToObject(json, "said", b->said);
	char *text = cJSON_PrintUnformatted(json);
	cJSON_Delete(json);
	return text;
}

static void kept(void *arg, int result)
{
	struct promise *promise = arg;
	// Promises are kept in the order in which they were made: a month's beginning lowers the total.
	if (result == 0)
		promise->budget->durable = promise->total;
	if (promise->done)
		promise->done(promise->arg, result);
	free(promise);
}

static int put_and_tell(struct sp_budget *b, int64_t reserved, bool soon, sp_journal_done_fn done, void *arg)
{
	if (!b->recalled)
		return -EAGAIN; // it would take the place of what was counted before
	char *text = to_text(b, reserved);
	struct promise *promise = sp_alloc(sizeof(*promise));
	*promise =
	    (struct promise){.budget = b, .total = used(b) + b->aside + reserved, .done = done, .arg = arg};
	int result = text ? b->config.put(b->config.arg, b->key, text, soon, kept, promise) : -ENOMEM;
	if (result) {
		sp_warning("budget", "\"%s\" is not kept: %s", b->line, strerror(-result));
		free(promise);
	} else {
		b->asked = promise->total;
		b->asked_soon = soon;
	}
	cJSON_free(text);
	return result;
}

static void put(struct sp_budget *b, int64_t reserved, bool soon)
{
	// A failure is logged, and the next put carries it all again.
	if (put_and_tell(b, reserved, soon, NULL, NULL))
		return;
}

/// Half used up: the next commit of anything may carry the new reservation. Three quarters: it must.
static void reserve_ahead(struct sp_budget *b)
{
	int64_t total = used(b) + b->aside, whole = reserve(b);
	bool must = total + whole / 4 > b->durable;
	if (total + whole / 2 <= b->durable)
		return;
	bool enough = b->asked >= total + whole / 4 && (b->asked_soon || !must) && b->asked > b->durable;
	if (!enough)
		put(b, whole, must);
}

/// A number of the file that can be one. Doubled edges are a card's doing, not a reason to believe them.
static int64_t number(const cJSON *json, const char *name)
{
	double value = cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(json, name));
	return value >= 0 && value < 9e15 ? (int64_t)value : 0;
}

/// The cap that was in force then; -1 when nothing is known.
static int64_t load(struct sp_budget *b, const char *text)
{
	cJSON *json = text ? cJSON_Parse(text) : NULL;
	int64_t cap = -1;
	if (cJSON_IsObject(json)) {
		const char *month = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "month"));
		if (month && strlen(month) < sizeof(b->month))
			strcpy(b->month, month);
		b->from_ms = number(json, "from_ms");
		for (int i = 0; i < SP_BUDGET_KINDS; i++)
			b->spent[i] = number(json, sp_budget_kind_name((enum sp_budget_kind)i));
		// What was reserved may have been spent; on what nobody knows, most likely on probes.
		b->spent[SP_BUDGET_PROBES] += number(json, "reserved");
		b->spent[SP_BUDGET_TESTS] += number(json, "aside");
		b->said = (unsigned)number(json, "said") & (SAID_WARNING | SAID_EXHAUSTED);
		cap = number(json, "cap");
	} else if (text) {
		sp_warning("budget", "\"%s\": what the journal kept is not readable", b->line);
	}
	cJSON_Delete(json);
	return cap;
}

// ---- facts -------------------------------------------------------------------------------------------

static void say(struct sp_budget *b, const char *event)
{
	struct sp_field spent[SP_BUDGET_KINDS];
	for (int i = 0; i < SP_BUDGET_KINDS; i++)
		spent[i] = SP_INT(sp_budget_kind_name((enum sp_budget_kind)i), b->spent[i]);
	struct sp_field fields[] = {
	    SP_TEXT("event", event),
	    SP_TEXT("month", b->month),
	    SP_INT("used_bytes", used(b)),
	    b->config.cap_bytes > 0 ? SP_INT("cap_bytes", b->config.cap_bytes) : SP_NULL("cap_bytes"),
	    SP_OBJECT("spent", spent, SP_BUDGET_KINDS),
	};
	// A month without a name has no fact: its schema wants one, and so do people.
	if (b->month[0])
		sp_record_fact(b->config.recorder, "budget", b->line, fields, SP_COUNT(fields));
}

/// Says what the count has reached, once each per month and cap.
static void look_at_cap(struct sp_budget *b)
{
	int64_t cap = b->config.cap_bytes;
	unsigned said = b->said;
	if (cap <= 0 || !b->month[0])
		return;
	// The division first: a cap may be a petabyte.
	if (!(said & SAID_WARNING) && used(b) >= cap / 100 * WARNING_PERCENT) {
		b->said |= SAID_WARNING;
		if (used(b) < cap)
			say(b, "warning");
	}
	if (!(said & SAID_EXHAUSTED) && used(b) >= cap) {
		b->said |= SAID_EXHAUSTED;
		sp_warning("budget", "\"%s\": the budget of %s is used up", b->line, b->month);
		say(b, "exhausted");
	}
	if (b->said != said)
		put(b, reserve(b), true);
}

// ---- months ------------------------------------------------------------------------------------------

static void month_of(int64_t wall_ms, char out[8])
{
	time_t local = (time_t)(wall_ms / 1000 + LOCAL_SECONDS);
	struct tm parts;
	out[0] = '\0';
	if (!gmtime_r(&local, &parts) || strftime(out, 8, "%Y-%m", &parts) != 7)
		out[0] = '\0';
}

/// When the month began, or the next one does.
static int64_t edge_ms(const char *month, int add)
{
	int year, number;
	if (sscanf(month, "%4d-%2d", &year, &number) != 2)
		return 0;
	struct tm parts = {.tm_year = year - 1900, .tm_mon = number - 1 + add, .tm_mday = 1};
	return ((int64_t)timegm(&parts) - LOCAL_SECONDS) * 1000;
}

/// That a clock goes back forgives nothing: the latest month ever begun goes on, and is told once when it is
/// over. Unless the clock stays where it is, so far back that it must have run ahead when that month began:
/// then what was counted is the earlier month's. True: follow it.
static bool far_back_for_long(struct sp_budget *b, const struct sp_clock_reading *now)
{
	if (edge_ms(b->month, 0) - now->wall_ms < FOLLOW_BACK_MS) {
		b->back_us = 0;
		return false;
	}
	if (b->back_us == 0 || b->back_us > now->mono_us)
		b->back_us = now->mono_us;
	return now->mono_us - b->back_us >= FOLLOW_BACK_US;
}

static void name_month(struct sp_budget *b, const char *month, int64_t from_ms)
{
	memcpy(b->month, month, sizeof(b->month));
	b->from_ms = from_ms;
	b->back_us = 0;
	put(b, reserve(b), true);
}

static void begin_month(struct sp_budget *b, const char *month, int64_t from_ms)
{
	say(b, "month");
	memset(b->spent, 0, sizeof(b->spent));
	b->said = 0;
	name_month(b, month, from_ms);
}

static void look_at_month(struct sp_budget *b, const struct sp_clock_reading *now)
{
	char month[8];
	if (now->synced && !b->settled) {
		month_of(now->wall_ms, month);
		int order = strcmp(month, b->month);
		if (order == 0)
			b->back_us = 0;
		if (!b->month[0] || (month[0] && order < 0 && far_back_for_long(b, now))) {
			// What was counted before the clock was known belongs to this month.
			if (month[0])
				name_month(b, month, now->wall_ms);
		} else if (order > 0) {
			// Without a stop in between the new month is counted from its beginning.
			begin_month(b, month, edge_ms(month, 0));
		}
	}
}

/// What the store has is continued; what was counted before it could be read is added.
static void recall(struct sp_budget *b, const struct sp_clock_reading *now)
{
	char *text = NULL;
	int64_t own[SP_BUDGET_KINDS], cap = b->config.cap_bytes;
	if (b->recalled || b->settled || b->config.get(b->config.arg, b->key, &text))
		return;
	memcpy(own, b->spent, sizeof(own));
	memset(b->spent, 0, sizeof(b->spent));
	unsigned said = b->said;
	b->recalled = true;
	int64_t before = load(b, text);
	free(text);
	if (before < 0)
		b->said = said;
	bool raised = before > 0 && (cap == 0 || cap > before);
	if (raised)
		say(b, "raised");
	// A cap that was raised, lowered, or is new, speaks for itself.
	if (raised || (before >= 0 && cap > 0 && (before == 0 || cap < before)))
		b->said = 0;
	look_at_month(b, now);
	for (int i = 0; i < SP_BUDGET_KINDS; i++)
		b->spent[i] += own[i];
	look_at_cap(b);
	put(b, reserve(b), true);
}

void sp_budget_look(struct sp_budget *b, const struct sp_clock_reading *now)
{
	recall(b, now);
	look_at_month(b, now);
	look_at_cap(b);
}

// ---- the count ---------------------------------------------------------------------------------------

struct sp_budget *sp_budget_new(const struct sp_budget_config *config, const struct sp_clock_reading *now)
{
	struct sp_budget *b = sp_alloc(sizeof(*b));
	b->config = *config;
	b->line = sp_strdup(config->line);
	b->config.line = b->line;
	b->key = sp_asprintf("budget.%.56s", config->line);
	sp_budget_look(b, now);
	return b;
}

void sp_budget_free(struct sp_budget *b)
{
	if (!b)
		return;
	free(b->line);
	free(b->key);
	free(b);
}

void sp_budget_spend(struct sp_budget *b, enum sp_budget_kind kind, int64_t bytes,
		     const struct sp_clock_reading *now)
{
	if (bytes <= 0 || b->settled)
		return;
	// So that what is spent after midnight is not counted before it.
	sp_budget_look(b, now);
	b->spent[kind] += bytes;
	if (kind == SP_BUDGET_TESTS)
		b->aside -= bytes < b->aside ? bytes : b->aside;
	look_at_cap(b);
	reserve_ahead(b);
}

int64_t sp_budget_left(const struct sp_budget *b)
{
	if (b->config.cap_bytes <= 0)
		return INT64_MAX;
	int64_t taken = used(b) + b->aside;
	if (!b->recalled)
		return -1;
	return taken < b->config.cap_bytes ? b->config.cap_bytes - taken : 0;
}

int sp_budget_set_aside(struct sp_budget *b, int64_t bytes, sp_journal_done_fn done, void *arg)
{
	if (b->settled || b->aside > 0)
		return b->settled ? -ESHUTDOWN : -EBUSY;
	b->aside = bytes;
	int result = put_and_tell(b, reserve(b), true, done, arg);
	if (result)
		b->aside = 0;
	return result;
}

void sp_budget_give_back(struct sp_budget *b)
{
	if (b->aside == 0 || b->settled)
		return;
	b->aside = 0;
	put(b, reserve(b), true);
}

void sp_budget_settle(struct sp_budget *b)
{
	put(b, 0, true);
	b->settled = true;
}

bool sp_budget_exhausted(const struct sp_budget *b)
{
	return b->config.cap_bytes > 0 && used(b) >= b->config.cap_bytes;
}

bool sp_budget_frugal(const struct sp_budget *b)
{
	return b->config.frugal || sp_budget_exhausted(b);
}

static int64_t forecast(const struct sp_budget *b, const struct sp_clock_reading *now)
{
	int64_t had = now->wall_ms - b->from_ms, end = edge_ms(b->month, 1);
	if (!now->synced || !b->month[0] || b->from_ms == 0 || had < FORECAST_LEAST_MS || end < now->wall_ms)
		return -1;
	double pace = (double)used(b) / (double)had;
	return used(b) + (int64_t)(pace * (double)(end - now->wall_ms));
}

void sp_budget_view(const struct sp_budget *b, const struct sp_clock_reading *now, struct sp_budget_view *out)
{
	*out = (struct sp_budget_view){.line = b->line,
				       .used = used(b),
				       .cap_bytes = b->config.cap_bytes,
				       .metered = b->config.metered,
				       .frugal = sp_budget_frugal(b),
				       .exhausted = sp_budget_exhausted(b),
				       .forecast_bytes = forecast(b, now)};
	memcpy(out->month, b->month, sizeof(out->month));
	memcpy(out->spent, b->spent, sizeof(out->spent));
}
