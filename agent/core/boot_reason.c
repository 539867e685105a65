// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// From evidence to a reason (boot.h). Pure.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/buf.h"
#include "agent/base/mem.h"
#include "agent/core/boot.h"

enum { TRACES_TEXT_MAX = SP_BOARD_TRACES * 17 + 24 };

const char *sp_boot_reason_name(enum sp_boot_reason reason)
{
	static const char *const names[SP_BOOT_REASONS] = {"first", "restart",  "reboot", "upgrade", "crash",
							   "panic", "watchdog", "power",  "unknown"};
	return names[reason];
}

static bool is(const struct sp_quantity *quantity, bool value)
{
	return quantity->known && (quantity->value != 0) == value;
}

/// The machine went down without a word.
static enum sp_boot_reason died(const struct sp_boot_past *past)
{
	const struct sp_board_past *board = past->board;
	bool no_watchdog = is(&past->mark->armed, false) || is(&board->watchdog_struck, false);
	bool stands_still = is(&board->panic_seconds, false);
	if (past->new_panics > 0)
		return SP_BOOT_PANIC;
	if (is(&board->watchdog_struck, true) || board->reset == SP_RESET_WATCHDOG)
		return SP_BOOT_WATCHDOG;
	if (board->reset == SP_RESET_POWER_ON)
		return SP_BOOT_POWER;
	if (board->reset == SP_RESET_WARM)
		return is(&past->mark->armed, true) && !no_watchdog && stands_still ? SP_BOOT_WATCHDOG
										    : SP_BOOT_UNKNOWN;
	// Where only some traces are looked at, that none of them is new says nothing.
	bool no_panic = stands_still || (board->traces_kept && !board->traces_more);
	return no_watchdog && no_panic ? SP_BOOT_POWER : SP_BOOT_UNKNOWN;
}

enum sp_boot_reason sp_boot_reason(const struct sp_boot_past *past, const char *boot, const char *version)
{
	if (!past->mark)
		return past->journal_existed ? SP_BOOT_UNKNOWN : SP_BOOT_FIRST;
	bool same_boot = strcmp(past->mark->boot, boot) == 0;
	if (past->clean && strcmp(past->mark->version, version) != 0)
		return SP_BOOT_UPGRADE;
	if (past->clean)
		return same_boot ? SP_BOOT_RESTART : SP_BOOT_REBOOT;
	return same_boot ? SP_BOOT_CRASH : died(past);
}

// ---- in words -------------------------------------------------------------------------------------------

static const char *watchdog_words(const struct sp_boot_past *past)
{
	if (is(&past->board->watchdog_struck, true))
		return "a watchdog says that it struck";
	if (is(&past->board->watchdog_struck, false))
		return "no watchdog struck";
	if (is(&past->mark->armed, true))
		return "a watchdog was running";
	return is(&past->mark->armed, false) ? "no watchdog was running" : "watchdog not known";
}

static void panic_words(struct sp_buf *out, const struct sp_boot_past *past)
{
	const struct sp_quantity *seconds = &past->board->panic_seconds;
	if (past->new_panics > 0)
		sp_buf_printf(out, "%zu new kernel traces", past->new_panics);
	else if (past->board->traces_more)
		sp_buf_text(out, "more kernel traces than are looked at");
	else
		sp_buf_text(out,
			    past->board->traces_kept ? "no new kernel trace" : "kernel traces are not kept");
	if (seconds->known)
		sp_buf_printf(out, ", kernel.panic=%d", (int)seconds->value);
}

void sp_boot_evidence(const struct sp_boot_past *past, const char *boot, char out[256])
{
	out[0] = '\0';
	if (past->clean || !past->mark || strcmp(past->mark->boot, boot) == 0)
		return;
	struct sp_buf text = SP_BUF(256);
	if (past->board->reset != SP_RESET_UNKNOWN)
		sp_buf_printf(&text, "%s, ", past->board->reset_source);
	sp_buf_printf(&text, "%s, ", watchdog_words(past));
	panic_words(&text, past);
	if (past->mark->undervoltage)
		sp_buf_text(&text, ", under-voltage before");
	snprintf(out, 256, "%s", text.data ? text.data : "");
	sp_buf_free(&text);
}

// ---- what runs leave for each other ----------------------------------------------------------------------

char *sp_boot_mark_text(const struct sp_boot_mark *mark)
{
	return sp_asprintf("%s %s %s%s", mark->boot, mark->version,
			   !mark->armed.known      ? "-"
			   : mark->armed.value > 0 ? "armed"
						   : "idle",
			   mark->undervoltage ? " undervoltage" : "");
}

bool sp_boot_mark_read(struct sp_boot_mark *out, const char *text)
{
	char watchdog[8] = "", power[16] = "";
	*out = (struct sp_boot_mark){.boot = ""};
	if (!text || sscanf(text, "%36s %31s %7s %15s", out->boot, out->version, watchdog, power) < 3 ||
	    strlen(out->boot) != 36)
		return false;
	bool armed = strcmp(watchdog, "armed") == 0, idle = strcmp(watchdog, "idle") == 0;
	if (!armed && !idle && strcmp(watchdog, "-") != 0)
		return false;
	out->armed = (struct sp_quantity){armed || idle, armed};
	out->undervoltage = strcmp(power, "undervoltage") == 0;
	return true;
}

char *sp_boot_traces_text(const struct sp_board_past *board)
{
	struct sp_buf text = SP_BUF(TRACES_TEXT_MAX);
	sp_buf_text(&text, board->traces_more ? "seen some" : "seen");
	for (size_t i = 0; i < board->trace_count; i++)
		sp_buf_printf(&text, " %016" PRIx64, board->traces[i].id);
	return sp_buf_take(&text);
}

size_t sp_boot_traces_new(const struct sp_board_past *board, const char *known)
{
	// Of those beyond what was looked at then, the newest come into view as others are deleted.
	bool some = known && strncmp(known, "seen some", 9) == 0;
	size_t count = 0, newer = 0;
	for (size_t i = 0; known && i < board->trace_count; i++) {
		char id[17];
		snprintf(id, sizeof(id), "%016" PRIx64, board->traces[i].id);
		if (strstr(known, id))
			newer = count;
		else
			count += !board->traces[i].oops;
	}
	return some ? newer : count;
}

void sp_boot_last_read(struct sp_boot_last *out, const char *text, const char *boot)
{
	char of[37];
	int64_t mono_us, t_ms;
	*out = (struct sp_boot_last){0};
	if (!text || sscanf(text, "%36s %" SCNd64 " %" SCNd64, of, &mono_us, &t_ms) != 3 ||
	    strcmp(of, boot) != 0 || mono_us < 0)
		return;
	*out = (struct sp_boot_last){true, t_ms >= 0, mono_us, t_ms};
}
