// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// From the store's rows to the API's JSON.
#include "tools/hub/serve/api.h"

#include <stdio.h>
#include <string.h>

#include "tools/hub/text/json_out.h"
#include "tools/hub/time/local_time.h"

enum {
	SILENT_MS = 20000, ///< ingest gives a sign of life every 5 s
	ASIDES_MAX = 50,
	KINDS_MAX = 16,
};

const char *sp_api_ingest(const struct sp_store_status *status, int64_t now_ms)
{
	if (status->ingest_ms == 0)
		return "never";
	if (now_ms - status->ingest_ms > SILENT_MS)
		return "stopped";
	return strcmp(status->ingest, "running") == 0        ? "running"
	       : strcmp(status->ingest, "disconnected") == 0 ? "disconnected"
							     : "stopped";
}

// ---- overview -------------------------------------------------------------------------------------

struct overview {
	struct sp_buf *out;
	int64_t counts[SP_LINE_STATES];
	size_t asides;
	struct {
		char kind[33];
		int64_t count;
	} kinds[KINDS_MAX];
};

static void place(struct sp_buf *out, const struct sp_line_view *line)
{
	sp_out_text_or_null(out, "school", line->school);
	sp_out_text_or_null(out, "site", line->site);
	sp_out_text_or_null(out, "line", line->line);
	sp_out_text_or_null(out, "device", line->device);
	sp_out_bool(out, "registered", line->registered);
}

static void overview_line(void *arg, const struct sp_line_view *line)
{
	struct overview *o = arg;
	if (line->registered)
		o->counts[line->state]++;
	sp_out_open(o->out, NULL, '{');
	sp_out_text_or_null(o->out, "area", line->area);
	sp_out_text_or_null(o->out, "school_name", line->school_name);
	sp_out_text_or_null(o->out, "site_name", line->site_name);
	sp_out_text_or_null(o->out, "provider", line->provider);
	place(o->out, line);
	sp_out_text(o->out, "state", sp_line_state_name(line->state));
	sp_out_text(o->out, "last_state", sp_line_state_name(line->last_state));
	sp_out_text(o->out, "cause", line->cause);
	sp_out_text(o->out, "whose", line->whose);
	sp_out_int_or_null(o->out, "since_ms", line->since_ms);
	sp_out_int_or_null(o->out, "last_heard_ms", line->last_heard_ms);
	sp_out_text(o->out, "presence", line->presence);
	sp_out_text_or_null(o->out, "contract", line->contract);
	sp_out_real_or_null(o->out, "bought_down_mbps", line->bought_down_mbps);
	sp_out_real_or_null(o->out, "bought_up_mbps", line->bought_up_mbps);
	sp_out_real_or_null(o->out, "down_mbps", line->down_mbps);
	sp_out_real_or_null(o->out, "up_mbps", line->up_mbps);
	sp_out_int_or_null(o->out, "speed_ms", line->speed_ms);
	if (line->lost_ms >= 0) {
		sp_out_open(o->out, "silence", '{');
		sp_out_int(o->out, "start_from_ms", line->last_heard_ms);
		sp_out_int(o->out, "start_to_ms", line->lost_ms);
		sp_out_text_or_null(o->out, "timetable", line->timetable);
		sp_out_close(o->out, '}');
	} else {
		sp_out_raw(o->out, "silence", "null");
	}
	sp_out_close(o->out, '}');
}

static void overview_aside(void *arg, const struct sp_set_aside_view *aside)
{
	struct overview *o = arg;
	if (o->asides++ >= ASIDES_MAX)
		return;
	sp_out_open(o->out, NULL, '{');
	sp_out_text(o->out, "fault", aside->fault);
	sp_out_text_or_null(o->out, "device", aside->device);
	sp_out_int(o->out, "count", aside->count);
	sp_out_int(o->out, "last_ms", aside->last_ms);
	sp_out_text(o->out, "last_topic", aside->topic);
	sp_out_text(o->out, "last_reason", aside->why);
	sp_out_close(o->out, '}');
}

static void overview_anomaly(void *arg, const struct sp_anomaly_view *anomaly)
{
	struct overview *o = arg;
	size_t i = 0;
	while (i < KINDS_MAX && o->kinds[i].kind[0] && strcmp(o->kinds[i].kind, anomaly->kind) != 0)
		i++;
	if (i == KINDS_MAX)
		return;
	snprintf(o->kinds[i].kind, sizeof(o->kinds[i].kind), "%s", anomaly->kind);
	o->kinds[i].count++;
}

static void overview_head(struct overview *o, const struct sp_store_status *status, int64_t now_ms)
{
	const char *ingest = sp_api_ingest(status, now_ms);
	// What ingest does not hear, nobody knows: the data are as of its last word.
	sp_out_int_or_null(o->out, "as_of_ms",
			   strcmp(ingest, "running") == 0 ? now_ms
			   : status->ingest_ms            ? status->ingest_ms
							  : -1);
	sp_out_int(o->out, "rev", status->rev);
	sp_out_open(o->out, "hub", '{');
	sp_out_text_or_null(o->out, "epoch", status->epoch);
	sp_out_text(o->out, "version", SP_VERSION);
	sp_out_text(o->out, "ingest", ingest);
	sp_out_close(o->out, '}');
}

int sp_api_overview(struct sp_store *store, const struct sp_store_status *status, int64_t now_ms,
		    struct sp_buf *out)
{
	struct overview o = {.out = out};
	sp_out_open(out, NULL, '{');
	overview_head(&o, status, now_ms);
	sp_out_open(out, "lines", '[');
	int result = sp_store_lines(store, overview_line, &o);
	sp_out_close(out, ']');
	sp_out_open(out, "counts", '{');
	for (int state = 0; state < SP_LINE_STATES; state++)
		sp_out_int(out, sp_line_state_name((enum sp_line_state)state), o.counts[state]);
	sp_out_close(out, '}');
	sp_out_open(out, "set_aside", '[');
	if (result == 0)
		result = sp_store_set_asides(store, overview_aside, &o);
	sp_out_close(out, ']');
	if (result == 0)
		result = sp_store_anomalies(store, overview_anomaly, &o);
	sp_out_open(out, "anomalies", '{');
	for (size_t i = 0; i < KINDS_MAX && o.kinds[i].kind[0]; i++)
		sp_out_int(out, o.kinds[i].kind, o.kinds[i].count);
	sp_out_close(out, '}');
	sp_out_close(out, '}');
	return result;
}

// ---- lists ------------------------------------------------------------------------------------------

static void outage_row(void *arg, const struct sp_outage_view *outage)
{
	struct sp_buf *out = arg;
	sp_out_open(out, NULL, '{');
	sp_out_text(out, "id", outage->outage);
	sp_out_text(out, "device", outage->device);
	sp_out_text_or_null(out, "school", outage->school);
	sp_out_text_or_null(out, "site", outage->site);
	sp_out_text(out, "line", outage->line);
	sp_out_text(out, "phase", sp_outage_phase_name(outage->phase));
	sp_out_text(out, "state", sp_line_state_name(outage->state));
	sp_out_text_or_null(out, "cause", outage->cause);
	sp_out_text_or_null(out, "whose", outage->whose);
	sp_out_int_or_null(out, "start_ms", outage->start_ms);
	sp_out_seconds_or_null(out, "start_uncertainty_seconds",
			       outage->start_ms < 0 ? -1 : outage->start_err_ms);
	sp_out_bool(out, "start_measured", outage->measured);
	sp_out_int_or_null(out, "end_ms", outage->end_ms);
	sp_out_seconds_or_null(out, "end_uncertainty_seconds", outage->end_ms < 0 ? -1 : outage->end_err_ms);
	sp_out_raw(out, "parts", outage->parts ? outage->parts : "[]");
	sp_out_raw(out, "evidence", outage->evidence ? outage->evidence : "[]");
	sp_out_close(out, '}');
}

static void list_open(struct sp_buf *out, const char *name)
{
	sp_out_open(out, NULL, '{');
	sp_out_open(out, name, '[');
}

static void list_close(struct sp_buf *out)
{
	sp_out_close(out, ']');
	sp_out_close(out, '}');
}

int sp_api_outages(struct sp_store *store, const struct sp_outage_filter *filter, struct sp_buf *out)
{
	list_open(out, "outages");
	int result = sp_store_outages(store, filter, outage_row, out);
	list_close(out);
	return result;
}

static void silence_row(void *arg, const struct sp_silence_view *silence)
{
	struct sp_buf *out = arg;
	sp_out_open(out, NULL, '{');
	sp_out_text(out, "device", silence->device);
	sp_out_text_or_null(out, "school", silence->school);
	sp_out_text_or_null(out, "site", silence->site);
	sp_out_text(out, "reason", silence->reason);
	sp_out_text(out, "cause", silence->cause);
	sp_out_text(out, "whose", silence->whose);
	sp_out_int_or_null(out, "start_from_ms", silence->start_from_ms);
	sp_out_int_or_null(out, "start_to_ms", silence->start_to_ms);
	sp_out_int_or_null(out, "end_ms", silence->end_ms);
	sp_out_seconds_or_null(out, "end_uncertainty_seconds",
			       silence->end_ms < 0 ? -1 : silence->end_err_ms);
	sp_out_text_or_null(out, "evidence", silence->evidence);
	sp_out_close(out, '}');
}

int sp_api_silences(struct sp_store *store, const char *device, int64_t limit, struct sp_buf *out)
{
	list_open(out, "silences");
	int result = sp_store_silences(store, device, limit, silence_row, out);
	list_close(out);
	return result;
}

static void day_row(void *arg, const struct sp_line_view *line, const struct sp_segment *segments,
		    size_t count)
{
	struct sp_buf *out = arg;
	sp_out_open(out, NULL, '{');
	place(out, line);
	sp_out_open(out, "segments", '[');
	for (size_t i = 0; i < count; i++) {
		sp_out_open(out, NULL, '{');
		sp_out_int(out, "from_ms", segments[i].from_ms);
		sp_out_int(out, "to_ms", segments[i].to_ms);
		sp_out_text(out, "state", sp_line_state_name(segments[i].state));
		sp_out_text_or_null(out, "cause", segments[i].cause);
		sp_out_close(out, '}');
	}
	sp_out_close(out, ']');
	sp_out_close(out, '}');
}

int sp_api_day(struct sp_store *store, const char *date, int64_t from_ms, int64_t now_ms, struct sp_buf *out)
{
	int64_t to_ms = from_ms + SP_DAY_MS;
	sp_out_open(out, NULL, '{');
	sp_out_text(out, "date", date);
	sp_out_text(out, "timezone", "Asia/Ho_Chi_Minh");
	sp_out_open(out, "lines", '[');
	// The future has no segments, not even unknown ones.
	int result = sp_store_day(store, from_ms, to_ms < now_ms ? to_ms : now_ms, now_ms, day_row, out);
	list_close(out);
	return result;
}

static void device_row(void *arg, const struct sp_device_view *device)
{
	struct sp_buf *out = arg;
	sp_out_open(out, NULL, '{');
	sp_out_text(out, "device", device->device);
	sp_out_text(out, "shard", device->shard);
	sp_out_bool(out, "registered", device->registered);
	sp_out_text(out, "presence", device->presence);
	sp_out_int_or_null(out, "presence_ms", device->presence_ms);
	sp_out_text_or_null(out, "boot", device->boot);
	sp_out_text_or_null(out, "version", device->version);
	sp_out_int_or_null(out, "first_heard_ms", device->first_heard_ms);
	sp_out_int_or_null(out, "last_heard_ms", device->last_heard_ms);
	sp_out_int(out, "events", device->events);
	sp_out_int(out, "open_gaps", device->open_gaps);
	sp_out_int(out, "missing", device->missing);
	sp_out_close(out, '}');
}

static void instance_row(void *arg, const struct sp_instance_view *instance)
{
	struct sp_buf *out = arg;
	sp_out_open(out, NULL, '{');
	sp_out_text(out, "device", instance->device);
	sp_out_text(out, "instance", instance->instance);
	sp_out_text(out, "driver", instance->driver);
	sp_out_text(out, "state", sp_line_state_name(instance->state));
	sp_out_text_or_null(out, "reason", instance->reason);
	sp_out_text_or_null(out, "text", instance->text);
	sp_out_int_or_null(out, "since_ms", instance->since_ms);
	sp_out_close(out, '}');
}

int sp_api_devices(struct sp_store *store, const char *device, struct sp_buf *out)
{
	list_open(out, "devices");
	int result = sp_store_devices(store, device, device_row, out);
	sp_out_close(out, ']');
	sp_out_open(out, "instances", '[');
	if (result == 0)
		result = sp_store_instances(store, device, instance_row, out);
	list_close(out);
	return result;
}

void sp_api_fact(struct sp_buf *out, const struct sp_fact_view *fact)
{
	sp_out_open(out, NULL, '{');
	sp_out_int(out, "id", fact->id);
	sp_out_text(out, "device", fact->device);
	sp_out_text(out, "class", fact->cls);
	sp_out_text(out, "stream", fact->stream);
	sp_out_int(out, "seq", fact->seq);
	sp_out_text_or_null(out, "boot", fact->boot);
	sp_out_int(out, "mono_us", fact->mono_us);
	sp_out_text(out, "type", fact->type);
	sp_out_text_or_null(out, "instance", fact->instance);
	sp_out_int(out, "t_ms", fact->when.t_ms);
	sp_out_int_or_null(out, "err_ms", fact->when.err_ms);
	sp_out_text(out, "placed", sp_placed_by_name(fact->when.by));
	sp_out_int(out, "arrived_ms", fact->arrived_ms);
	sp_out_raw(out, "data", fact->data);
	sp_out_close(out, '}');
}

static void fact_row(void *arg, const struct sp_fact_view *fact)
{
	sp_api_fact(arg, fact);
}

int sp_api_facts(struct sp_store *store, const char *device, bool all_classes, int64_t after, int64_t limit,
		 struct sp_buf *out)
{
	list_open(out, "facts");
	int result = sp_store_facts(store, device, all_classes, after, limit, fact_row, out);
	list_close(out);
	return result;
}

static void anomaly_row(void *arg, const struct sp_anomaly_view *anomaly)
{
	struct sp_buf *out = arg;
	sp_out_open(out, NULL, '{');
	sp_out_text(out, "kind", anomaly->kind);
	sp_out_text(out, "device", anomaly->device);
	sp_out_text_or_null(out, "stream", anomaly->stream);
	sp_out_text(out, "text", anomaly->detail);
	sp_out_int(out, "at_ms", anomaly->last_ms);
	sp_out_int(out, "first_ms", anomaly->first_ms);
	sp_out_int(out, "count", anomaly->count);
	sp_out_close(out, '}');
}

int sp_api_anomalies(struct sp_store *store, struct sp_buf *out)
{
	list_open(out, "anomalies");
	int result = sp_store_anomalies(store, anomaly_row, out);
	list_close(out);
	return result;
}

static void gap_row(void *arg, const struct sp_gap_view *gap)
{
	struct sp_buf *out = arg;
	sp_out_open(out, NULL, '{');
	sp_out_text(out, "device", gap->device);
	sp_out_text(out, "class", gap->cls);
	sp_out_text(out, "stream", gap->stream);
	sp_out_int(out, "from", gap->first);
	sp_out_int(out, "to", gap->last);
	sp_out_text(out, "status", gap->kind);
	sp_out_text_or_null(out, "reason", gap->reason);
	sp_out_int(out, "at_ms", gap->at_ms);
	sp_out_close(out, '}');
}

int sp_api_gaps(struct sp_store *store, struct sp_buf *out)
{
	list_open(out, "gaps");
	int result = sp_store_gaps(store, gap_row, out);
	list_close(out);
	return result;
}
