// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Reading records as they are made.
#include "tests/sim/watch.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/mem.h"

static const struct sp_field *find(const struct sp_field *fields, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(fields[i].name, name) == 0)
			return &fields[i];
	return NULL;
}

static const char *text_of(const struct sp_field *fields, size_t count, const char *name)
{
	const struct sp_field *field = find(fields, count, name);
	return field && field->type == SP_FIELD_TEXT ? field->text : "";
}

static int64_t number_of(const struct sp_field *fields, size_t count, const char *name)
{
	const struct sp_field *field = find(fields, count, name);
	return field && field->type == SP_FIELD_INT ? field->integer : -1;
}

static enum sp_line_state state_of(const char *name)
{
	for (int i = SP_LINE_UNKNOWN; i <= SP_LINE_DOWN; i++)
		if (strcmp(sp_line_state_name((enum sp_line_state)i), name) == 0)
			return (enum sp_line_state)i;
	return SP_LINE_UNKNOWN;
}

static enum sp_cause cause_of(const char *name)
{
	for (int i = 0; i < SP_CAUSES; i++)
		if (strcmp(sp_cause_name((enum sp_cause)i), name) == 0)
			return (enum sp_cause)i;
	return SP_CAUSE_NONE;
}

static void SP_PRINTF(2, 3) wrong(struct sim_watch *watch, const char *format, ...)
{
	va_list args;
	if (watch->fault[0])
		return;
	va_start(args, format);
	vsnprintf(watch->fault, sizeof(watch->fault), format, args);
	va_end(args);
	watch->fault_ms = sim_clock_true_ms(watch->clock);
}

static int64_t true_ms_of(struct sim_watch *watch, const char *boot, int64_t mono_us)
{
	for (size_t i = watch->boot_count; i-- > 0;)
		if (strcmp(watch->boots[i].id, boot) == 0)
			return sim_clock_true_of(&watch->boots[i].clock, mono_us) / 1000;
	wrong(watch, "a boot that never was: \"%s\"", boot);
	return -1;
}

static struct sim_outage *outage_of(struct sim_watch *watch, const char *id)
{
	for (size_t i = watch->outage_count; i-- > 0;)
		if (strcmp(watch->outages[i].id, id) == 0)
			return &watch->outages[i];
	return NULL;
}

static struct sim_outage *open_outage(struct sim_watch *watch, const char *id)
{
	if (outage_of(watch, id))
		wrong(watch, "outage %s is opened twice", id);
	if (watch->outage_count > 0 && watch->outages[watch->outage_count - 1].closed_ms < 0)
		wrong(watch, "outage %s is opened while %s is open", id,
		      watch->outages[watch->outage_count - 1].id);
	watch->outages = sp_realloc(watch->outages, (watch->outage_count + 1) * sizeof(*watch->outages));
	struct sim_outage *outage = &watch->outages[watch->outage_count++];
	*outage =
	    (struct sim_outage){.opened_ms = sim_clock_true_ms(watch->clock), .end_ms = -1, .closed_ms = -1};
	snprintf(outage->id, sizeof(outage->id), "%s", id);
	return outage;
}

bool sim_is_silence(enum sp_cause cause)
{
	return cause == SP_CAUSE_POWER || cause == SP_CAUSE_REBOOT || cause == SP_CAUSE_AGENT;
}

static void heard_outage(struct sim_watch *watch, const struct sp_field *fields, size_t count,
			 struct sim_said *said)
{
	const char *id = text_of(fields, count, "outage"), *phase = text_of(fields, count, "phase");
	const struct sp_field *uncertainty = find(fields, count, "start_uncertainty_seconds");
	struct sim_outage *outage = outage_of(watch, id);
	// A silence that was an outage of its own is told once, when it is over.
	bool whole = !outage && strcmp(phase, "close") == 0 && sim_is_silence(said->cause);
	if (strcmp(phase, "open") == 0 || whole)
		outage = open_outage(watch, id);
	if (!outage || outage->closed_ms >= 0) {
		wrong(watch, "%s of outage %s, which is not open", phase, id);
		return;
	}
	outage->state = said->state;
	outage->cause = said->cause;
	outage->uncertainty_seconds =
	    uncertainty && uncertainty->type == SP_FIELD_REAL ? uncertainty->real : -1;
	outage->start_ms = true_ms_of(watch, text_of(fields, count, "start_boot"),
				      number_of(fields, count, "start_mono_us"));
	said->which = (size_t)(outage - watch->outages);
	snprintf(said->phase, sizeof(said->phase), "%s", phase);
	if (strcmp(phase, "close") != 0)
		return;
	outage->closed_ms = said->at_ms;
	outage->end_ms = true_ms_of(watch, watch->boot, number_of(fields, count, "end_mono_us"));
	if (outage->end_ms < outage->start_ms)
		wrong(watch, "outage %s ends before it begins", id);
}

void sim_watch_heard(void *arg, const char *type, const char *device, const struct sp_field *fields,
		     size_t count)
{
	struct sim_watch *watch = arg;
	(void)device;
	if (strcmp(type, "boot") == 0) {
		watch->boots = sp_realloc(watch->boots, (watch->boot_count + 1) * sizeof(*watch->boots));
		struct sim_boot *boot = &watch->boots[watch->boot_count++];
		snprintf(boot->id, sizeof(boot->id), "%s", watch->boot);
		boot->clock = *watch->clock;
	}
	bool outage = strcmp(type, "outage") == 0;
	if (!outage && strcmp(type, "line") != 0)
		return;
	struct sim_said said = {.at_ms = sim_clock_true_ms(watch->clock),
				.state = state_of(text_of(fields, count, "state")),
				.cause = cause_of(text_of(fields, count, "cause")),
				.outage = outage};
	if (outage)
		heard_outage(watch, fields, count, &said);
	watch->said = sp_realloc(watch->said, (watch->said_count + 1) * sizeof(*watch->said));
	watch->said[watch->said_count++] = said;
}

void sim_watch_rung(void *arg, const struct sp_rung_report *report)
{
	struct sim_watch *watch = arg;
	enum sp_rung_status *now = &watch->now[report->rung][report->family];
	if (*now == report->status)
		return;
	*now = report->status;
	watch->rungs = sp_realloc(watch->rungs, (watch->rung_count + 1) * sizeof(*watch->rungs));
	watch->rungs[watch->rung_count++] =
	    (struct sim_rung){.at_ms = sim_clock_true_ms(watch->clock),
			      .since_ms = sim_clock_true_of(watch->clock, report->since_us) / 1000,
			      .rung = report->rung,
			      .family = report->family,
			      .status = report->status};
}

void sim_watch_timeless(void *arg, int64_t from_ms, int64_t to_ms)
{
	struct sim_watch *watch = arg;
	watch->timeless = sp_realloc(watch->timeless, (watch->timeless_count + 1) * sizeof(*watch->timeless));
	watch->timeless[watch->timeless_count++] = (struct sim_span){from_ms, to_ms};
}

bool sim_is_timeless(const struct sim_watch *watch, int64_t t_ms)
{
	for (size_t i = 0; i < watch->timeless_count; i++)
		if (watch->timeless[i].from_ms <= t_ms && t_ms < watch->timeless[i].to_ms)
			return true;
	return false;
}

void sim_watch_free(struct sim_watch *watch)
{
	free(watch->boots);
	free(watch->said);
	free(watch->rungs);
	free(watch->timeless);
	free(watch->outages);
}
