// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the journal's thread does with its file: opening, committing what waits, and the states that follow
// when either fails. While the file cannot be written, facts and bulk wait (bounded, in journal.c),
// attendance that somebody waits for is refused, and the file is tried again after 1 s, 2 s, … 60 s.
#include "agent/core/journal/thread.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/mem.h"
#include "agent/core/journal/aside.h"
#include "agent/core/journal/store.h"
#include "schoolpulse/clock.h"
#include "schoolpulse/log.h"

enum {
	RETRY_FIRST_MS = 1000,
	RETRY_MAX_MS = 60 * 1000,
	UNREADABLE_MAX = 5, ///< openings that fail with an I/O error before the file is set aside
};

static int64_t now_us(void)
{
	return sp_clock_mono_us();
}

static int64_t now_ms(void)
{
	return now_us() / 1000;
}

void sp_journal_list_init(struct sp_journal_list *list)
{
	list->head = NULL;
	list->tail = &list->head;
	list->count = 0;
}

void sp_journal_list_push(struct sp_journal_list *list, struct sp_journal_request *request)
{
	request->node.next = NULL;
	*list->tail = &request->node;
	list->tail = &request->node.next;
	list->count++;
}

static void post(struct sp_journal *j, sp_journal_done_fn done, void *arg, int result)
{
	if (done)
		j->customers.post(j->customers.post_arg, done, arg, result);
}

static void finish(struct sp_journal *j, struct sp_journal_request *request, int result)
{
	if (request->kind == SP_JOURNAL_APPEND) {
		atomic_fetch_sub(&j->waiting_bytes[request->append.cls], (int64_t)request->bytes);
		atomic_fetch_sub(&j->waiting_count, 1);
		post(j, request->append.done, request->append.arg,
		     result == 0 && request->append.known ? SP_JOURNAL_KNOWN : result);
	} else {
		atomic_fetch_sub(&j->small_bytes, (int64_t)request->bytes);
		post(j, request->put.done, request->put.arg, result);
	}
	free(request);
}

void sp_journal_finish_all(struct sp_journal *j, struct sp_journal_list *list, int result)
{
	struct sp_queue_node *node = list->head;
	sp_journal_list_init(list);
	while (node) {
		struct sp_queue_node *next = node->next;
		finish(j, (struct sp_journal_request *)node, result);
		node = next;
	}
}

/// Attendance that somebody waits for does not outlive a failed commit: its source still has it.
void sp_journal_refuse_attendance(struct sp_journal *j)
{
	struct sp_journal_list *list = &j->records[SP_RECORD_ATTENDANCE];
	struct sp_queue_node *node = list->head;
	sp_journal_list_init(list);
	while (node) {
		struct sp_journal_request *request = (struct sp_journal_request *)node;
		node = node->next;
		if (request->append.done)
			finish(j, request, j->error);
		else
			sp_journal_list_push(list, request);
	}
}

// ---- states -------------------------------------------------------------------------------------

static const char *reason(int error)
{
	switch (error) {
	case -ENOSPC:
		return "the disk is full";
	case -EROFS:
		return "the file cannot be written (read-only or no permission)";
	case -EBUSY:
		return "another process uses it";
	case -EBADMSG:
		return "the file is corrupt";
	case -ESTALE:
		return "the file was moved away or deleted";
	}
	return strerror(-error);
}

void sp_journal_set_status(struct sp_journal *j)
{
	pthread_mutex_lock(&j->mutex);
	struct sp_journal_status *s = &j->status;
	if (s->error != -j->error && (j->error == -ENOSPC || j->error == -EROFS)) {
		s->stumbles++;
		s->stumble = -j->error;
	}
	switch (j->error) {
	case 0:
		s->state = j->store ? SP_JOURNAL_WRITABLE : SP_JOURNAL_OPENING;
		break;
	case -ENOSPC:
		s->state = SP_JOURNAL_FULL;
		break;
	case -EROFS:
		s->state = SP_JOURNAL_READ_ONLY;
		break;
	default:
		s->state = SP_JOURNAL_FAILED;
	}
	s->error = -j->error;
	if (j->store) {
		const struct sp_journal_now *now = &j->store->now;
		memcpy(s->unsettled, now->unsettled, sizeof(s->unsettled));
		s->bytes = now->bytes;
		s->committed = now->committed;
		s->dropped = now->dropped;
		s->settled_seq = j->store->settled_seq;
	}
	pthread_mutex_unlock(&j->mutex);
}

static void failed(struct sp_journal *j, int error)
{
	if (error == -EIO)
		error = sp_journal_probe(j->path);
	int64_t delay_ms = RETRY_MAX_MS;
	if (j->failures < 6)
		delay_ms = (int64_t)RETRY_FIRST_MS << j->failures;
	if (delay_ms > RETRY_MAX_MS)
		delay_ms = RETRY_MAX_MS;
	j->failures++;
	j->retry_us = now_us() + (int64_t)((double)delay_ms * 1000 * (0.75 + 0.5 * sp_random_unit()));
	if (j->error != error)
		sp_err("journal", "%s: %s; records wait in memory, trying again", j->path, reason(error));
	j->error = error;
	sp_journal_set_status(j);
	sp_journal_refuse_attendance(j);
}

static void recovered(struct sp_journal *j)
{
	if (j->error)
		sp_notice("journal", "%s can be written again", j->path);
	j->error = 0;
	j->failures = 0;
	j->retry_us = 0;
}

static ino_t inode(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 ? st.st_ino : 0;
}

void sp_journal_open_store(struct sp_journal *j)
{
	struct sp_journal_store_config config = {.path = j->path,
						 .cap_bytes = j->config.cap_bytes,
						 .keep_acked_ms = j->config.keep_acked_ms,
						 .keep_attendance_ms = j->config.keep_attendance_ms,
						 .unsent_attendance_ms = j->config.unsent_attendance_ms,
						 .withhold_attendance = j->config.withhold_attendance,
						 .boot = j->boot};
	// Not what an attempt that failed has put in its place meanwhile.
	if (j->corrupt && inode(j->path) == j->corrupt)
		config.set_aside = "corrupt";
	if (j->unreadable >= UNREADABLE_MAX && access(j->path, F_OK) == 0)
		config.set_aside = "unreadable";
	int result = sp_journal_store_open(&j->store, &config, now_ms());
	if (result == -EIO)
		result = sp_journal_probe(j->path);
	j->unreadable = result == -EIO ? j->unreadable + 1 : 0;
	if (result < 0) {
		failed(j, result);
		return;
	}
	j->corrupt = 0;
	if (!j->error)
		j->failures = 0;
	j->noted_us = 0;
	j->customers.news(j->customers.news_arg);
}

/// The file can no longer be used by its handle: begins a new one, at once the first time.
static void renew(struct sp_journal *j, int error)
{
	sp_journal_store_close(j->store);
	j->store = NULL;
	bool again = j->failures > 0;
	// Remembered until a file is open: this one may open well and then fail in the same place for ever.
	if (error == -EBADMSG)
		j->corrupt = inode(j->path);
	failed(j, error);
	if (again)
		return;
	sp_journal_open_store(j);
	if (!j->store)
		return;
	j->store->set_aside = true;
	j->retry_us = now_us();
}

/// A request met an error: what the file's state becomes of it.
void sp_journal_judge(struct sp_journal *j, int error)
{
	if (error == -EBADMSG || error == -ESTALE)
		renew(j, error);
	else if (error < 0)
		failed(j, error);
}

// ---- commits --------------------------------------------------------------------------------------

struct gathered {
	const char **texts[SP_RECORD_CLASSES];
	struct sp_journal_mark *marks;
	struct sp_journal_small *small;
	struct sp_journal_commit what;
};

static void gather_marks(struct sp_journal *j, struct gathered *g)
{
	const struct sp_journal_list *list = &j->records[SP_RECORD_ATTENDANCE];
	size_t n = 0;
	if (list->count == 0)
		return;
	g->what.marks = g->marks = sp_alloc(list->count * sizeof(*g->marks));
	for (struct sp_queue_node *node = list->head; node; node = node->next) {
		const struct sp_journal_request *event = (struct sp_journal_request *)node;
		g->marks[n++] =
		    (struct sp_journal_mark){.kiosk = event->append.kiosk,
					     .key = event->append.has_key ? event->append.key : NULL,
					     .other = event->append.has_other ? event->append.other : NULL,
					     .capacity = event->append.capacity,
					     .day = event->append.day,
					     .local = event->append.local};
	}
}

static void gather(struct sp_journal *j, bool bulk, struct gathered *g)
{
	*g = (struct gathered){0};
	for (int cls = 0; cls < SP_RECORD_CLASSES; cls++) {
		size_t n = 0;
		g->what.lost[cls] = atomic_load(&j->lost[cls]);
		if (j->records[cls].count == 0 || (cls == SP_RECORD_BULK && !bulk))
			continue;
		g->texts[cls] = sp_alloc(j->records[cls].count * sizeof(char *));
		for (struct sp_queue_node *node = j->records[cls].head; node; node = node->next)
			g->texts[cls][n++] = ((struct sp_journal_request *)node)->text;
		g->what.records[cls] = g->texts[cls];
		g->what.count[cls] = n;
	}
	gather_marks(j, g);
	if (j->small.count > 0)
		g->small = sp_alloc(j->small.count * sizeof(*g->small));
	for (struct sp_queue_node *node = g->small ? j->small.head : NULL; node; node = node->next) {
		const struct sp_journal_request *put = (struct sp_journal_request *)node;
		g->small[g->what.small_count++] =
		    (struct sp_journal_small){.key = put->text, .value = put->put.value};
	}
	g->what.small = g->small;
}

/// Is there something in it for the publisher?
static bool is_news(const struct gathered *g)
{
	for (int cls = 0; cls < SP_RECORD_CLASSES; cls++) {
		if (g->what.lost[cls] > 0 || (cls != SP_RECORD_ATTENDANCE && g->what.count[cls] > 0))
			return true;
	}
	for (size_t i = 0; i < g->what.count[SP_RECORD_ATTENDANCE]; i++) {
		if (!g->marks[i].known && !g->marks[i].local)
			return true;
	}
	return false;
}

static void committed(struct sp_journal *j, const struct gathered *g)
{
	bool news = is_news(g);
	for (int cls = 0; cls < SP_RECORD_CLASSES; cls++)
		atomic_fetch_sub(&j->lost[cls], g->what.lost[cls]);
	recovered(j);
	j->noted_us = 0;
	sp_journal_set_status(j);
	size_t n = 0;
	for (struct sp_queue_node *node = j->records[SP_RECORD_ATTENDANCE].head; node; node = node->next)
		((struct sp_journal_request *)node)->append.known = g->marks[n++].known;
	for (int cls = 0; cls < SP_RECORD_CLASSES; cls++) {
		if (g->what.count[cls] > 0)
			sp_journal_finish_all(j, &j->records[cls], 0);
	}
	sp_journal_finish_all(j, &j->small, 0);
	j->small_now = 0;
	if (news)
		j->customers.news(j->customers.news_arg);
}

void sp_journal_commit_waiting(struct sp_journal *j, bool bulk, bool clean)
{
	struct gathered g;
	gather(j, bulk, &g);
	g.what.clean = clean;
	g.what.probe = j->error != 0;
	int result = sp_journal_store_commit(j->store, &g.what, now_ms());
	if (result == 0)
		committed(j, &g);
	else
		sp_journal_judge(j, result);
	for (int cls = 0; cls < SP_RECORD_CLASSES; cls++)
		free(g.texts[cls]);
	free(g.marks);
	free(g.small);
}
