// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// By which door each line leaves: the findings of its devices go into its book, changes become facts, and the
// ledger hears whether it is the line that is measured. Of two uplinks behind one router, what is not the
// first one's door is the second's.
#include "agent/core/ledger/lines_priv.h"

#include <stdlib.h>

#include "schoolpulse/log.h"

static const int64_t ADOPT_MS = 7LL * 24 * 3600 * 1000;
static const int64_t SAVE_US = 3600LL * 1000 * 1000; ///< while adoption is being counted

static void tell_ledger(struct sp_line *line)
{
	enum sp_line_egress state = sp_egress_book_line(line->egress);
	int64_t since_us = sp_egress_book_since_us(line->egress);
	// It counts only while it is known to be used.
	if (line->shares && state == SP_LINE_EGRESS_UNKNOWN)
		state = SP_LINE_EGRESS_FOREIGN;
	sp_ledger_egress(line->ledger, state, since_us, sp_egress_book_confirmed_us(line->egress),
			 sp_egress_book_has_hop(line->egress));
}

static void save(struct sp_line *line, int64_t now_us)
{
	struct sp_buf text = SP_BUF(SP_LINES_SAVED_MAX);
	sp_egress_book_save(line->egress, &text);
	sp_line_put(line, "egress", text.length > 0 ? text.data : NULL);
	sp_buf_free(&text);
	line->egress_saved_us = now_us;
}

static void tell(const struct sp_line *line, const struct sp_egress *seen, enum sp_egress_event event)
{
	char hop[64], prefix[64];
	const char *state = sp_line_egress_name(sp_egress_book_of(line->egress, seen->family));
	bool has_hop = seen->hop && sp_egress_book_prefix(seen->hop, hop, sizeof(hop))[0];
	bool has_prefix = seen->address && sp_egress_book_prefix(seen->address, prefix, sizeof(prefix))[0];
	bool placed = has_hop && seen->position >= 1 && seen->position <= 32;
	struct sp_field fields[] = {
	    SP_TEXT("family", sp_family_name(seen->family)),
	    SP_TEXT("egress", state),
	    SP_TEXT("event", sp_egress_book_event_name(event)),
	    has_hop ? SP_TEXT("hop", seen->hop) : SP_NULL("hop"),
	    placed ? SP_INT("position", seen->position) : SP_NULL("position"),
	    has_prefix ? SP_TEXT("prefix", prefix) : SP_NULL("prefix"),
	};
	sp_record_fact(line->lines->config.recorder, "egress", line->name, fields, SP_COUNT(fields));
	sp_notice("line", "\"%s\" leaves by %s%s%s: %s", line->name, has_hop ? seen->hop : "an unnamed hop",
		  has_prefix ? ", out of " : "", has_prefix ? prefix : "", sp_egress_book_event_name(event));
}

static enum sp_egress_event take(struct sp_line *line, const struct sp_egress *seen, int64_t now_us)
{
	if (!line->shares || line->fixed)
		return sp_egress_book_take(line->egress, seen, now_us);
	switch (sp_egress_book_of(line->shares->egress, seen->family)) {
	case SP_LINE_EGRESS_UNKNOWN:
		return SP_EGRESS_NOTHING;
	case SP_LINE_EGRESS_OWN:
		return sp_egress_book_other(line->egress, seen->family, seen->asked_us);
	case SP_LINE_EGRESS_FOREIGN:
		return sp_egress_book_take(line->egress, seen, now_us);
	}
	return SP_EGRESS_NOTHING;
}

static void hear(struct sp_line *line, const struct sp_egress *seen)
{
	int64_t now_us = sp_loop_now_us(line->lines->config.loop);
	enum sp_egress_event event = take(line, seen, now_us);
	bool counting = sp_egress_book_line(line->egress) == SP_LINE_EGRESS_FOREIGN &&
			now_us - line->egress_saved_us >= SAVE_US;
	if (event != SP_EGRESS_NOTHING)
		tell(line, seen, event);
	if (event != SP_EGRESS_NOTHING || counting)
		save(line, now_us);
	tell_ledger(line);
	sp_line_judge_soon(line);
}

void sp_lines_egress(struct sp_lines *lines, const char *name, const char *device,
		     const struct sp_egress *egress)
{
	(void)device;
	struct sp_line *line = sp_lines_find(lines, name);
	if (!line || (egress->family != SP_FAMILY_IPV4 && egress->family != SP_FAMILY_IPV6))
		return;
	hear(line, egress);
	for (size_t i = 0; i < lines->count; i++)
		if (lines->items[i]->shares == line)
			hear(lines->items[i], egress);
}

void sp_lines_door(struct sp_lines *lines, const char *name, const struct sp_lines_door *door)
{
	struct sp_line *line = sp_lines_find(lines, name);
	if (!line)
		return;
	sp_egress_book_free(line->egress);
	line->egress = sp_egress_book_new(door->fixed, door->adopt_ms);
	line->fixed = sp_egress_book_is_fixed(line->egress);
	line->shares = door->shares && door->shares[0] ? sp_lines_find(lines, door->shares) : NULL;
	if (line->shares == line)
		line->shares = NULL;
	char *text = sp_line_get(line, "egress");
	if (text)
		sp_egress_book_load(line->egress, text);
	free(text);
	tell_ledger(line);
}

void sp_line_load_egress(struct sp_line *line)
{
	line->egress = sp_egress_book_new(NULL, ADOPT_MS);
	char *text = sp_line_get(line, "egress");
	if (text)
		sp_egress_book_load(line->egress, text);
	free(text);
	tell_ledger(line);
}
