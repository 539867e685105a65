// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What takes long on the journal's thread: walking and erasing attendance, a portion at a turn, so that what
// comes from kiosks meanwhile is committed in between.
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "agent/core/journal/thread.h"
#include "schoolpulse/clock.h"

/// A count on its way to main.
struct counted {
	sp_journal_count_fn done;
	void *arg;
	int64_t count;
};

static void run_counted(void *arg, int result)
{
	struct counted counted = *(struct counted *)arg;
	free(arg);
	counted.done(counted.arg, result, counted.count);
}

static void post_count(struct sp_journal *j, sp_journal_count_fn done, void *arg, int result, int64_t count)
{
	struct counted *counted = sp_alloc(sizeof(*counted));
	*counted = (struct counted){.done = done, .arg = arg, .count = result < 0 ? 0 : count};
	j->customers.post(j->customers.post_arg, run_counted, counted, result);
}

void sp_journal_answer_seen(struct sp_journal *j, const struct sp_journal_request *request)
{
	int64_t count = 0;
	int result =
	    j->store ? sp_journal_seen_count(j->store, request->text, request->seen.day, &count) : -EAGAIN;
	post_count(j, request->seen.done, request->seen.arg, result, count);
	sp_journal_judge(j, result == -EBADMSG ? result : 0);
}

static void finish_first(struct sp_journal *j, int result)
{
	struct sp_journal_request *request = (struct sp_journal_request *)j->chores.head;
	j->chores.head = request->node.next;
	if (--j->chores.count == 0)
		sp_journal_list_init(&j->chores);
	if (request->kind == SP_JOURNAL_EVENTS)
		j->customers.post(j->customers.post_arg, request->chore.done, request->chore.arg, result);
	else
		post_count(j, request->chore.counted, request->chore.arg, result, request->chore.walk.erased);
	free(request);
}

void sp_journal_end_chores(struct sp_journal *j, int result)
{
	while (j->chores.count > 0)
		finish_first(j, result);
}

/// The names of an erasure lie in its text, one behind the other.
static int erase(struct sp_journal *j, struct sp_journal_request *request)
{
	const char **names = sp_alloc((request->chore.persons + 1) * sizeof(*names));
	const char *at = request->text;
	for (size_t i = 0; i < request->chore.persons; i++) {
		names[i] = at;
		at += strlen(at) + 1;
	}
	const struct sp_journal_persons persons = {.names = names, .count = request->chore.persons};
	int result =
	    sp_journal_store_erase(j->store, &request->chore.walk, &persons, sp_clock_mono_us() / 1000);
	free(names);
	return result;
}

void sp_journal_chore(struct sp_journal *j)
{
	struct sp_journal_request *request = (struct sp_journal_request *)j->chores.head;
	if (!request)
		return;
	if (j->error || !j->store) {
		sp_journal_end_chores(j, j->error ? j->error : -EAGAIN);
		return;
	}
	int result = request->kind == SP_JOURNAL_ERASE
			 ? erase(j, request)
			 : sp_journal_store_walk(j->store, &request->chore.walk, &request->chore.visit);
	if (result == 1)
		return;
	finish_first(j, result);
	if (result < 0 && result != -ECANCELED)
		sp_journal_judge(j, result);
}
