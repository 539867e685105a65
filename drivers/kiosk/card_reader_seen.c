// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// See the header. Numbers stay here no longer than the window.
#include "card_reader_seen.h"

#include <string.h>

static bool same(const struct sp_card *a, const struct sp_card *b)
{
	return a->kind == b->kind && a->length == b->length && memcmp(a->text, b->text, a->length) == 0;
}

struct sp_seen_entry *sp_seen_again(struct sp_seen *seen, const struct sp_card *card, int64_t now_us,
				    int64_t window_us)
{
	for (size_t i = 0; i < SP_SEEN_MAX; i++) {
		struct sp_seen_entry *entry = &seen->entries[i];
		if (entry->state == SP_SEEN_FREE || !same(&entry->card, card))
			continue;
		// One that is still on its way is the same, however long that takes.
		if (entry->state == SP_SEEN_TAKEN && now_us - entry->at_us >= window_us) {
			sp_seen_forget(entry);
			return NULL;
		}
		entry->at_us = now_us;
		return entry;
	}
	return NULL;
}

struct sp_seen_entry *sp_seen_add(struct sp_seen *seen, const struct sp_card *card, int64_t now_us)
{
	struct sp_seen_entry *best = NULL;
	for (size_t i = 0; i < SP_SEEN_MAX; i++) {
		struct sp_seen_entry *entry = &seen->entries[i];
		if (entry->state == SP_SEEN_FREE) {
			best = entry;
			break;
		}
		if (entry->state == SP_SEEN_TAKEN && (!best || entry->at_us < best->at_us))
			best = entry;
	}
	if (best)
		*best = (struct sp_seen_entry){SP_SEEN_PENDING, now_us, INT64_MIN, *card};
	return best;
}

void sp_seen_forget(struct sp_seen_entry *entry)
{
	explicit_bzero(entry, sizeof(*entry));
}

int64_t sp_seen_expire(struct sp_seen *seen, int64_t now_us, int64_t window_us)
{
	int64_t next_us = -1;
	for (size_t i = 0; i < SP_SEEN_MAX; i++) {
		struct sp_seen_entry *entry = &seen->entries[i];
		if (entry->state != SP_SEEN_TAKEN)
			continue;
		int64_t end_us = entry->at_us + window_us;
		if (end_us <= now_us)
			sp_seen_forget(entry);
		else if (next_us < 0 || end_us < next_us)
			next_us = end_us;
	}
	return next_us;
}
