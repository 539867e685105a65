// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the attendance room asks of the journal, as requests in the queue of the journal's thread.
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "agent/core/journal/thread.h"

enum {
	PERSON_MAX = 64,
	PERSONS_MAX = 1000,
};

static bool is_name(const char *kiosk, size_t *length)
{
	*length = kiosk ? strnlen(kiosk, SP_JOURNAL_KIOSK_MAX + 1) : 0;
	return *length > 0 && *length <= SP_JOURNAL_KIOSK_MAX;
}

int sp_journal_append_event(struct sp_journal *journal, const struct sp_journal_event *event,
			    sp_journal_done_fn done, void *arg)
{
	size_t length = strnlen(event->record, SP_FEED_RECORD_MAX + 1), name;
	if (length > SP_FEED_RECORD_MAX || event->record[0] != '{' || !is_name(event->kiosk, &name))
		return -EINVAL;
	struct sp_journal_request *request = sp_journal_request_new(SP_JOURNAL_APPEND, length + 1 + name + 1);
	memcpy(request->text, event->record, length);
	memcpy(request->text + length + 1, event->kiosk, name);
	request->bytes = sizeof(*request) + length + 1 + name + 1;
	request->append.cls = SP_RECORD_ATTENDANCE;
	request->append.done = done;
	request->append.arg = arg;
	request->append.kiosk = request->text + length + 1;
	request->append.capacity = event->capacity;
	request->append.day = event->day;
	request->append.has_key = event->has_key;
	memcpy(request->append.key, event->key, sizeof(request->append.key));
	request->append.has_other = event->has_key && event->has_other;
	memcpy(request->append.other, event->other, sizeof(request->append.other));
	request->append.local = !event->publish;
	return sp_journal_push_record(journal, request);
}

int sp_journal_seen(struct sp_journal *journal, const char *kiosk, int32_t day, sp_journal_count_fn done,
		    void *arg)
{
	size_t name;
	if (!is_name(kiosk, &name))
		return -EINVAL;
	struct sp_journal_request *request = sp_journal_request_new(SP_JOURNAL_SEEN, name + 1);
	memcpy(request->text, kiosk, name);
	request->seen.day = day;
	request->seen.done = done;
	request->seen.arg = arg;
	sp_queue_push_always(journal->queue, &request->node);
	return 0;
}

int sp_journal_events(struct sp_journal *journal, bool (*event)(void *arg, const char *record),
		      sp_journal_done_fn done, void *arg)
{
	struct sp_journal_request *request = sp_journal_request_new(SP_JOURNAL_EVENTS, 0);
	request->chore.visit = (struct sp_journal_visit){.event = event, .arg = arg};
	request->chore.done = done;
	request->chore.arg = arg;
	sp_queue_push_always(journal->queue, &request->node);
	return 0;
}

int sp_journal_erase(struct sp_journal *journal, const char *const *persons, size_t count,
		     sp_journal_count_fn done, void *arg)
{
	size_t bytes = 0;
	if (count > PERSONS_MAX)
		return -EINVAL;
	for (size_t i = 0; i < count; i++) {
		size_t length = strnlen(persons[i], PERSON_MAX + 1);
		if (length == 0 || length > PERSON_MAX)
			return -EINVAL;
		bytes += length + 1;
	}
	struct sp_journal_request *request = sp_journal_request_new(SP_JOURNAL_ERASE, bytes);
	char *at = request->text;
	for (size_t i = 0; i < count; i++)
		at = stpcpy(at, persons[i]) + 1;
	request->chore.persons = count;
	request->chore.counted = done;
	request->chore.arg = arg;
	sp_queue_push_always(journal->queue, &request->node);
	return 0;
}
