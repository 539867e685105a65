// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Rows with their labels spelt once, and the families that are made of them.
#include "tools/hub/ops/snapshot.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "tools/hub/ops/affected.h"

enum {
	TEXTS_MAX = 512 * 1024 * 1024, ///< bytes of all labels
	ROWS_OF_A_STEP = 100,
};

/// Offsets into the texts, each of a NUL-terminated one.
struct row {
	uint32_t area, school; ///< raw, to be compared
	uint32_t place;        ///< labels: school, site, line
	uint32_t more;         ///< labels: area, provider
	uint32_t
	    condition; ///< labels: school_name, device, contract, state, cause, whose, presence, incident
	enum sp_line_state state;
	int64_t since_ms, heard_ms;
	double bought[2], measured[2]; ///< down, up; < 0: not known
};

struct sp_snapshot {
	int holders;
	int64_t at_ms;
	struct sp_store_status status;
	int64_t lines[SP_LINE_STATES], unregistered;
	struct sp_store_gauges gauges;
	struct sp_affected *affected;
	struct sp_buf texts, label;
	struct row *rows;
	size_t count, room;
	bool sites;
};

// ---- reading ------------------------------------------------------------------------------------------

static uint32_t keep(struct sp_snapshot *snapshot, const char *text)
{
	uint32_t at = (uint32_t)snapshot->texts.length;
	sp_buf_add(&snapshot->texts, text, strlen(text) + 1);
	return at;
}

/// Keeps what was gathered in `label`, and empties it.
static uint32_t keep_label(struct sp_snapshot *snapshot)
{
	uint32_t at = keep(snapshot, snapshot->label.data);
	sp_buf_reset(&snapshot->label);
	return at;
}

static void add_row(struct sp_snapshot *snapshot, const struct sp_line_view *line)
{
	struct sp_buf *label = &snapshot->label;
	if (snapshot->count == snapshot->room) {
		snapshot->room = snapshot->room ? 2 * snapshot->room : 256;
		snapshot->rows = sp_realloc(snapshot->rows, snapshot->room * sizeof(*snapshot->rows));
	}
	struct row *row = &snapshot->rows[snapshot->count++];
	*row = (struct row){.state = line->state,
			    .since_ms = line->since_ms,
			    .heard_ms = line->last_heard_ms,
			    .bought = {line->bought_down_mbps, line->bought_up_mbps},
			    .measured = {line->down_mbps, line->up_mbps}};
	row->area = keep(snapshot, line->area);
	row->school = keep(snapshot, line->school);
	sp_expo_label(label, "school", line->school);
	sp_expo_label(label, "site", line->site);
	sp_expo_label(label, "line", line->line);
	row->place = keep_label(snapshot);
	sp_expo_label(label, "area", line->area);
	sp_expo_label(label, "provider", line->provider);
	row->more = keep_label(snapshot);
	sp_expo_label(label, "school_name", line->school_name);
	sp_expo_label(label, "device", line->device);
	sp_expo_label(label, "contract", line->contract);
	sp_expo_label(label, "state", sp_line_state_name(line->state));
	sp_expo_label(label, "cause", line->cause);
	sp_expo_label(label, "whose", line->whose);
	sp_expo_label(label, "presence", line->presence);
	int64_t incident = sp_affected_by(snapshot->affected, line->device, line->line);
	char id[24] = "";
	if (incident > 0)
		snprintf(id, sizeof(id), "%" PRId64, incident);
	sp_expo_label(label, "incident", id);
	row->condition = keep_label(snapshot);
}

static void add_line(void *arg, const struct sp_line_view *line)
{
	struct sp_snapshot *snapshot = arg;
	if (!line->registered) {
		snapshot->unregistered++;
		return;
	}
	snapshot->lines[line->state]++;
	if (snapshot->sites)
		add_row(snapshot, line);
}

int sp_snapshot_new(struct sp_snapshot **out, struct sp_store *store, bool sites, int64_t now_ms)
{
	struct sp_snapshot *snapshot = sp_alloc(sizeof(*snapshot));
	*snapshot = (struct sp_snapshot){.holders = 1,
					 .at_ms = now_ms,
					 .texts = SP_BUF(TEXTS_MAX),
					 .label = SP_BUF(16 * 1024),
					 .sites = sites};
	int result = sp_store_status(store, &snapshot->status);
	if (result == 0)
		result = sp_affected_read(&snapshot->affected, store);
	if (result == 0)
		result = sp_store_lines(store, add_line, snapshot);
	if (result == 0)
		result = sp_store_gauges(store, &snapshot->gauges);
	if (result == 0 && snapshot->texts.overflowed)
		result = -EFBIG;
	sp_buf_free(&snapshot->label);
	if (result < 0) {
		sp_snapshot_release(snapshot);
		snapshot = NULL;
	}
	*out = snapshot;
	return result;
}

struct sp_snapshot *sp_snapshot_hold(struct sp_snapshot *snapshot)
{
	snapshot->holders++;
	return snapshot;
}

void sp_snapshot_release(struct sp_snapshot *snapshot)
{
	if (!snapshot || --snapshot->holders > 0)
		return;
	sp_affected_free(snapshot->affected);
	sp_buf_free(&snapshot->texts);
	free(snapshot->rows);
	free(snapshot);
}

int64_t sp_snapshot_ms(const struct sp_snapshot *snapshot)
{
	return snapshot->at_ms;
}

// ---- the hub ------------------------------------------------------------------------------------------

static void gauge(struct sp_buf *out, enum sp_expo_format format, const char *name, const char *unit,
		  const char *help, int64_t value)
{
	const struct sp_expo_family family = {SP_EXPO_GAUGE, name, unit, help};
	sp_expo_head(out, format, &family);
	sp_expo_int(out, &family, "", value);
}

static void by_name(struct sp_buf *out, enum sp_expo_format format, const struct sp_expo_family *family,
		    const char *label, const char *const *names, const int64_t *values, size_t count)
{
	sp_expo_head(out, format, family);
	for (size_t i = 0; i < count; i++) {
		struct sp_buf labels = SP_BUF(256);
		sp_expo_label(&labels, label, names[i]);
		sp_expo_int(out, family, labels.data, values[i]);
		sp_buf_free(&labels);
	}
}

void sp_snapshot_hub(const struct sp_snapshot *snapshot, struct sp_buf *out, enum sp_expo_format format)
{
	static const char *const presences[] = {"unknown", "online", "stopped", "lost"};
	static const struct sp_expo_family lines = {SP_EXPO_GAUGE, "schoolpulse_lines", NULL,
						    "Lines of the register by their state."},
					   boards = {SP_EXPO_GAUGE, "schoolpulse_boards", NULL,
						     "Boards ever heard of, by what is known of them now."},
					   pulse = {SP_EXPO_GAUGE,
						    "schoolpulse_store_last_ingest_timestamp_seconds",
						    "seconds", "The last sign of life of an ingest."};
	const struct sp_store_gauges *gauges = &snapshot->gauges;
	const char *states[SP_LINE_STATES];
	for (int i = 0; i < SP_LINE_STATES; i++)
		states[i] = sp_line_state_name((enum sp_line_state)i);
	by_name(out, format, &lines, "state", states, snapshot->lines, SP_LINE_STATES);
	by_name(out, format, &boards, "presence", presences, gauges->boards, SP_COUNT(presences));
	gauge(out, format, "schoolpulse_lines_unregistered", NULL,
	      "Lines that were heard of and are not in the register.", snapshot->unregistered);
	gauge(out, format, "schoolpulse_open_outages", NULL, "Outages that have not ended.",
	      gauges->open_outages);
	gauge(out, format, "schoolpulse_open_gaps", NULL,
	      "Ranges of records that were issued and may still come.", gauges->open_gaps);
	gauge(out, format, "schoolpulse_anomalies", NULL, "Kinds of things that should not be, by board.",
	      gauges->anomalies);
	gauge(out, format, "schoolpulse_store_events", NULL, "Records that were stored, ever.",
	      gauges->events);
	gauge(out, format, "schoolpulse_store_set_aside_messages", NULL,
	      "Messages that could not be read, ever.", gauges->set_asides);
	gauge(out, format, "schoolpulse_store_revision", NULL,
	      "Rises with each commit that changed anything.", snapshot->status.rev);
	gauge(out, format, "schoolpulse_store_size_bytes", "bytes", "What the database takes on its disk.",
	      gauges->bytes);
	sp_expo_head(out, format, &pulse);
	sp_expo_ms(out, &pulse, "", snapshot->status.ingest_ms);
	sp_affected_expose(snapshot->affected, out, format);
}

// ---- lines ------------------------------------------------------------------------------------------

enum { UP, CONDITION, HEARD, SINCE, BOUGHT, MEASURED, FAMILIES };
static const struct sp_expo_family families[FAMILIES] = {
    [UP] = {SP_EXPO_GAUGE, "schoolpulse_line_up", NULL,
	    "1: up or degraded, 0: down, nothing while it is unknown."},
    [CONDITION] = {SP_EXPO_INFO, "schoolpulse_line", NULL, "What is said of a line now."},
    [HEARD] = {SP_EXPO_GAUGE, "schoolpulse_line_last_heard_timestamp_seconds", "seconds",
	       "When the line's board was heard of last."},
    [SINCE] = {SP_EXPO_GAUGE, "schoolpulse_line_state_since_timestamp_seconds", "seconds",
	       "Since when the state holds."},
    [BOUGHT] = {SP_EXPO_GAUGE, "schoolpulse_line_bought_mbps", NULL, "Mbit/s of the contract."},
    [MEASURED] = {SP_EXPO_GAUGE, "schoolpulse_line_measured_mbps", NULL,
		  "Mbit/s of the last valid domestic speed test."},
};

static void both_ways(struct sp_buf *out, const struct sp_expo_family *family, const char *place,
		      const double mbps[2])
{
	static const char *const directions[] = {"down", "up"};
	for (int i = 0; i < 2; i++) {
		struct sp_buf labels = SP_BUF(16 * 1024);
		if (mbps[i] < 0)
			continue;
		sp_buf_text(&labels, place);
		sp_expo_label(&labels, "direction", directions[i]);
		sp_expo_real(out, family, labels.data, mbps[i]);
		sp_buf_free(&labels);
	}
}

static void joined(struct sp_buf *out, const struct sp_expo_family *family, const char *place,
		   const char *more, const char *condition, int64_t value)
{
	struct sp_buf labels = SP_BUF(16 * 1024);
	sp_buf_printf(&labels, "%s,%s%s%s", place, more, condition[0] ? "," : "", condition);
	sp_expo_int(out, family, labels.data, value);
	sp_buf_free(&labels);
}

static void sample(const struct sp_snapshot *snapshot, const struct row *row, size_t which,
		   struct sp_buf *out)
{
	const char *texts = snapshot->texts.data, *place = texts + row->place;
	const struct sp_expo_family *family = &families[which];
	switch (which) {
	case UP:
		if (row->state != SP_LINE_UNKNOWN)
			joined(out, family, place, texts + row->more, "", row->state != SP_LINE_DOWN);
		return;
	case CONDITION:
		joined(out, family, place, texts + row->more, texts + row->condition, 1);
		return;
	case HEARD:
		if (row->heard_ms >= 0)
			sp_expo_ms(out, family, place, row->heard_ms);
		return;
	case SINCE:
		if (row->since_ms >= 0)
			sp_expo_ms(out, family, place, row->since_ms);
		return;
	case BOUGHT:
		both_ways(out, family, place, row->bought);
		return;
	case MEASURED:
		both_ways(out, family, place, row->measured);
		return;
	}
}

static bool wanted(const struct sp_snapshot_walk *walk, const struct row *row)
{
	const char *texts = walk->snapshot->texts.data, *area = texts + row->area;
	size_t length = walk->area ? strlen(walk->area) : 0;
	if (walk->school && strcmp(walk->school, texts + row->school) != 0)
		return false;
	return !walk->area || (strncmp(area, walk->area, length) == 0 && strchr("/", area[length]));
}

bool sp_snapshot_sites(struct sp_snapshot_walk *walk, struct sp_buf *out)
{
	const struct sp_snapshot *snapshot = walk->snapshot;
	if (!snapshot->sites || walk->family == FAMILIES)
		return false;
	if (walk->row == 0)
		sp_expo_head(out, walk->format, &families[walk->family]);
	for (int i = 0; i < ROWS_OF_A_STEP && walk->row < snapshot->count; i++, walk->row++) {
		const struct row *row = &snapshot->rows[walk->row];
		if (wanted(walk, row))
			sample(snapshot, row, walk->family, out);
	}
	if (walk->row == snapshot->count) {
		walk->row = 0;
		walk->family++;
	}
	return true;
}
