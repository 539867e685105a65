// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Losses as the correlator wants them: outages and silences as boards told of them, and what the broker
// noticed and nobody has explained yet.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "tools/hub/store/incident_priv.h"
#include "tools/hub/time/silence.h"

enum { TOLD_MS = 150000 }; ///< a loss that was told lies so near to when the broker noticed it
/// The longest silence whose end is looked for.
static const int64_t back_ms_max = 100 * INT64_C(86400000);

static void add(struct sp_inc_scene *scene, size_t line, enum sp_loss_kind kind, int64_t lo_ms, int64_t hi_ms,
		int64_t to_ms)
{
	size_t count = scene->scene.loss_count;
	if (count == scene->loss_room) {
		scene->loss_room = scene->loss_room ? scene->loss_room * 2 : 256;
		scene->losses = sp_realloc(scene->losses, scene->loss_room * sizeof(*scene->losses));
	}
	scene->losses[scene->scene.loss_count++] =
	    (struct sp_loss){line, kind, lo_ms < 0 ? 0 : lo_ms, hi_ms < lo_ms ? lo_ms : hi_ms, to_ms};
}

/// Of each line of the device that was watched at that time, with the place and the hop that it had then;
/// `line` NULL: of all.
static void add_all(struct sp_inc_scene *scene, int64_t device, const char *line, enum sp_loss_kind kind,
		    int64_t lo_ms, int64_t hi_ms, int64_t to_ms)
{
	int64_t at_ms = lo_ms + (hi_ms - lo_ms) / 2;
	for (size_t i = sp_inc_scene_first(scene, device);
	     i < scene->scene.line_count && scene->names[i].device == device; i++) {
		if (line && strcmp(scene->names[i].line, line) != 0)
			continue;
		if (at_ms >= scene->lines[i].from_ms && at_ms < scene->lines[i].to_ms)
			add(scene, i, kind, lo_ms, hi_ms, to_ms);
	}
}

// ---- told -----------------------------------------------------------------------------------------

static bool by_silence(const char *cause)
{
	return strcmp(cause, "power") == 0 || strcmp(cause, "reboot") == 0 || strcmp(cause, "agent") == 0;
}

static int read_outages(struct sp_store *store, struct sp_inc_scene *scene, int64_t from_ms, int64_t to_ms)
{
	struct sp_rows *rows = SQL_QUERY(
	    store->db,
	    "SELECT device, line, state, cause, whose, start_ms, coalesce(start_err_ms, 0), start_placed,"
	    " end_ms FROM outage WHERE coalesce(start_ms, end_ms, t_ms) >= ? AND"
	    " coalesce(start_ms, end_ms, t_ms) < ? AND start_ms IS NOT NULL AND state <> ?"
	    " ORDER BY device, name",
	    I(from_ms - scene->scene.rules->longest_ms), I(to_ms), I(SP_LINE_DEGRADED));
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		char line[65];
		bool down =
		    sp_row_int(rows, 2, 0) == SP_LINE_DOWN && strcmp(sp_row_text(rows, 4), "provider") == 0;
		bool bounds = sp_row_int(rows, 7, 0) == SP_PLACED_BOUNDS;
		int64_t start_ms = sp_row_int(rows, 5, 0), err_ms = sp_row_int(rows, 6, 0);
		snprintf(line, sizeof(line), "%s", sp_row_text(rows, 1));
		if (by_silence(sp_row_text(rows, 3)))
			continue; // a silence tells more of it
		add_all(scene, sp_row_int(rows, 0, 0), line, down ? SP_LOSS_LINE : SP_LOSS_OTHER,
			start_ms - err_ms, bounds ? start_ms : start_ms + err_ms,
			sp_row_int(rows, 8, INT64_MAX));
	}
	return result;
}

struct silences {
	struct sp_inc_scene *scene;
	int64_t from_ms, to_ms;
};

static void on_silence(void *arg, int64_t device, const struct sp_silence_view *silence)
{
	const struct silences *silences = arg;
	enum sp_loss_kind kind = strcmp(silence->cause, "power") == 0      ? SP_LOSS_POWER
				 : strcmp(silence->reason, "unknown") == 0 ? SP_LOSS_UNTOLD
									   : SP_LOSS_OTHER;
	if (silence->start_from_ms < 0 || silence->start_from_ms >= silences->to_ms)
		return;
	add_all(silences->scene, device, NULL, kind, silence->start_from_ms, silence->start_to_ms,
		silence->end_ms);
}

// ---- noticed ----------------------------------------------------------------------------------------

static int by_line(const void *left, const void *right)
{
	const struct sp_loss *a = left, *b = right;
	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	return a->lo_ms < b->lo_ms ? -1 : a->lo_ms > b->lo_ms;
}

/// Has the board said what this was, of any of its lines?
static bool told(const struct sp_inc_scene *scene, size_t count, int64_t device, int64_t lost_ms,
		 int64_t back_ms)
{
	size_t first = sp_inc_scene_first(scene, device), low = 0, high = count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (scene->losses[middle].line < first)
			low = middle + 1;
		else
			high = middle;
	}
	for (size_t i = low; i < count; i++) {
		const struct sp_loss *loss = &scene->losses[i];
		if (scene->names[loss->line].device != device)
			return false;
		if (loss->lo_ms <= lost_ms && loss->to_ms >= lost_ms - TOLD_MS && loss->lo_ms < back_ms)
			return true;
	}
	return false;
}

/// Absences that the schedule of its site explains are of the main switch; it may have been turned meanwhile.
static bool switched_off(struct sp_store *store, const char *school, const char *site, int64_t heard_ms,
			 int64_t lost_ms)
{
	const struct sp_silence_start start = {heard_ms, lost_ms};
	return sp_silence_switched_off(&start, sp_schedule_at(store, school, site));
}

#define PLACE(column)                                                                     \
	"(SELECT p." column " FROM placement p WHERE p.device = d.name AND p.from_ms <= " \
	"a.lost_ms AND p.to_ms > a.lost_ms ORDER BY p.board_line LIMIT 1)"

/// The board lived, its line was up, and only the hub did not answer: it says so when it is back.
#define HUB_ALONE                                                                                      \
	"EXISTS(SELECT 1 FROM line n JOIN line_point p ON p.line = n.id WHERE n.device = a.device AND" \
	" p.t_ms >= a.heard_ms - ?3 AND p.t_ms < coalesce(a.back_ms, a.heard_ms - ?3) AND p.cause ="   \
	" 'hub' AND p.retold = 0)"

static int read_absences(struct sp_store *store, struct sp_inc_scene *scene, int64_t from_ms, int64_t to_ms)
{
	size_t count = scene->scene.loss_count;
	struct sp_rows *rows = SQL_QUERY(
	    store->db,
	    "SELECT a.device, a.heard_ms, a.lost_ms, a.back_ms, " PLACE("school") ", " PLACE(
		"site") ", CASE WHEN " HUB_ALONE " THEN 1 ELSE 0 END FROM absence a JOIN device d ON"
			" d.id = a.device WHERE a.lost_ms >= ?1 AND a.lost_ms < ?2 ORDER BY"
			" a.device, a.lost_ms",
	    I(from_ms - scene->scene.rules->longest_ms), I(to_ms + TOLD_MS), I(TOLD_MS));
	if (count > 1)
		qsort(scene->losses, count, sizeof(*scene->losses), by_line);
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		int64_t device = sp_row_int(rows, 0, 0), heard_ms = sp_row_int(rows, 1, 0);
		int64_t lost_ms = sp_row_int(rows, 2, 0), back_ms = sp_row_int(rows, 3, INT64_MAX);
		bool off = sp_row_int(rows, 6, 0) == 1 ||
			   switched_off(store, sp_row_text(rows, 4), sp_row_text(rows, 5), heard_ms, lost_ms);
		if (!told(scene, count, device, lost_ms, back_ms))
			add_all(scene, device, NULL, off ? SP_LOSS_OTHER : SP_LOSS_UNTOLD, heard_ms, lost_ms,
				back_ms);
	}
	return result;
}

int sp_inc_scene_losses(struct sp_store *store, struct sp_inc_scene *scene, int64_t from_ms, int64_t to_ms)
{
	struct silences silences = {scene, from_ms, to_ms};
	scene->scene.loss_count = 0;
	scene->scene.from_ms = from_ms;
	scene->scene.to_ms = to_ms;
	int result = read_outages(store, scene, from_ms, to_ms);
	if (result == 0)
		result = sp_silences_ended(store, from_ms - scene->scene.rules->longest_ms,
					   to_ms > INT64_MAX - back_ms_max ? INT64_MAX : to_ms + back_ms_max,
					   on_silence, &silences);
	if (result == 0)
		result = read_absences(store, scene, from_ms, to_ms);
	scene->scene.losses = scene->losses;
	return result;
}
