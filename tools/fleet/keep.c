// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// See the header.
#include "tools/fleet/keep.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/ids.h"
#include "agent/base/mem.h"

// ---- lists ----------------------------------------------------------------------------------------------

static void append(struct sp_keep *keep, struct sp_batch *batch)
{
	batch->next = NULL;
	batch->before = keep->newest;
	if (keep->newest)
		keep->newest->next = batch;
	else
		keep->oldest = batch;
	keep->newest = batch;
	keep->waiting++;
}

static void take_out(struct sp_keep *keep, struct sp_batch *batch)
{
	if (batch->before)
		batch->before->next = batch->next;
	else
		keep->oldest = batch->next;
	if (batch->next)
		batch->next->before = batch->before;
	else
		keep->newest = batch->before;
	keep->waiting--;
}

static void batch_free(struct sp_batch *batch)
{
	free(batch->text);
	free(batch);
}

void sp_keep_free(struct sp_keep *keep)
{
	for (struct sp_batch *batch; (batch = keep->oldest);) {
		take_out(keep, batch);
		batch_free(batch);
	}
	for (struct sp_batch *batch; (batch = keep->settled);) {
		keep->settled = batch->next;
		batch_free(batch);
	}
	sp_keep_lose_pending(keep);
}

// ---- making ---------------------------------------------------------------------------------------------

void sp_keep_open(struct sp_keep *keep, struct sp_rng *rng, const char *boot)
{
	sp_rng_use(rng);
	for (int cls = 0; cls < SP_RECORD_CLASSES; cls++) {
		struct sp_keep_stream *stream = &keep->streams[cls];
		// A stream of which nothing was issued was never there.
		if (stream->next > 1) {
			memcpy(stream->prev, stream->id, sizeof(stream->prev));
			stream->prev_last = stream->next - 1;
		}
		sp_id_new(stream->id);
		stream->next = stream->pending_first = 1;
	}
	memcpy(keep->boot, boot, sizeof(keep->boot));
}

void sp_keep_lose_pending(struct sp_keep *keep)
{
	for (int cls = 0; cls < SP_RECORD_CLASSES; cls++) {
		struct sp_keep_stream *stream = &keep->streams[cls];
		sp_buf_free(&stream->pending);
		stream->next = stream->pending_first;
	}
}

void sp_keep_add(struct sp_keep *keep, enum sp_record_class cls, const char *record)
{
	struct sp_keep_stream *stream = &keep->streams[cls];
	if (!stream->pending.max)
		stream->pending = SP_BUF(SP_FEED_INFLATED_MAX);
	sp_feed_batch_add(&stream->pending, stream->next++, record);
}

const char *sp_keep_skip(struct sp_keep *keep, enum sp_record_class cls, int64_t count, int64_t *from)
{
	struct sp_keep_stream *stream = &keep->streams[cls];
	*from = stream->next;
	stream->next += count;
	stream->pending_first = stream->next;
	return stream->id;
}

void sp_keep_renew(struct sp_keep *keep)
{
	for (int cls = 0; cls < SP_RECORD_CLASSES; cls++)
		keep->streams[cls] = (struct sp_keep_stream){0};
}

size_t sp_keep_pending(const struct sp_keep *keep, enum sp_record_class cls)
{
	return (size_t)(keep->streams[cls].next - keep->streams[cls].pending_first);
}

struct sp_batch *sp_keep_commit(struct sp_keep *keep, enum sp_record_class cls, int64_t ready_ms)
{
	struct sp_keep_stream *stream = &keep->streams[cls];
	if (sp_keep_pending(keep, cls) == 0)
		return NULL;
	struct sp_batch *batch = sp_alloc(sizeof(*batch));
	sp_buf_add(&stream->pending, "]", 1);
	memcpy(batch->stream, stream->id, sizeof(batch->stream));
	memcpy(batch->boot, keep->boot, sizeof(batch->boot));
	batch->cls = cls;
	batch->first = stream->pending_first;
	batch->last = stream->next - 1;
	batch->ready_ms = ready_ms;
	batch->length = stream->pending.length;
	batch->text = sp_strndup(stream->pending.data, batch->length);
	sp_buf_free(&stream->pending);
	stream->pending_first = stream->next;
	sp_digest(batch->text, batch->length, batch->digest);
	append(keep, batch);
	keep->batches++;
	keep->records += batch->last - batch->first + 1;
	keep->facts += cls == SP_RECORD_FACTS ? batch->last - batch->first + 1 : 0;
	keep->digest += sp_rng_mix(sp_rng_mix((uint64_t)batch->first, batch->stream), batch->digest);
	return batch;
}

// ---- settling -------------------------------------------------------------------------------------------

static bool covers(const struct sp_feed_ack *ack, int64_t first, int64_t last)
{
	if (last <= ack->upto)
		return true;
	// What lies below `upto` is settled; the rest must lie in one range.
	int64_t from = first > ack->upto ? first : ack->upto + 1;
	for (size_t i = 0; i < ack->have_count; i++)
		if (ack->have[i].from <= from && last <= ack->have[i].to)
			return true;
	return false;
}

static void remember(struct sp_keep *keep, struct sp_batch *batch)
{
	batch->next = keep->settled;
	keep->settled = batch;
	if (++keep->settled_count <= keep->settled_keep)
		return;
	struct sp_batch **last = &keep->settled;
	while ((*last)->next)
		last = &(*last)->next;
	batch_free(*last);
	*last = NULL;
	keep->settled_count--;
}

size_t sp_keep_ack(struct sp_keep *keep, const struct sp_feed_ack *ack,
		   void (*settled)(void *arg, const struct sp_batch *batch), void *arg)
{
	size_t count = 0;
	for (struct sp_batch *batch = keep->oldest, *next; batch; batch = next) {
		next = batch->next;
		// A replay that was not sent yet is settled already, and is to be sent all the same.
		if (strcmp(batch->stream, ack->stream) != 0 || (batch->again && !batch->first_sent_us) ||
		    !covers(ack, batch->first, batch->last))
			continue;
		take_out(keep, batch);
		settled(arg, batch);
		keep->acknowledged += !batch->again;
		count++;
		if (keep->settled_keep > 0)
			remember(keep, batch);
		else
			batch_free(batch);
	}
	return count;
}

size_t sp_keep_replay(struct sp_keep *keep, size_t count)
{
	size_t done = 0;
	for (; done < count && keep->settled; done++) {
		struct sp_batch *batch = keep->settled;
		keep->settled = batch->next;
		keep->settled_count--;
		batch->again = true;
		batch->taken = false;
		batch->first_sent_us = batch->due_us = 0;
		append(keep, batch);
	}
	return done;
}

// ---- births ---------------------------------------------------------------------------------------------

static struct sp_feed_held *find(struct sp_feed_held *held, size_t count, const char *stream)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(held[i].stream, stream) == 0)
			return &held[i];
	return NULL;
}

static void name(struct sp_feed_held *held, size_t *count, const char *stream, enum sp_record_class cls,
		 int64_t oldest, int64_t newest)
{
	struct sp_feed_held *one = find(held, *count, stream);
	if (!one && *count == SP_FEED_HELD_MAX)
		return;
	if (!one) {
		one = &held[(*count)++];
		memcpy(one->stream, stream, sizeof(one->stream));
		one->cls = cls;
		one->oldest = oldest;
		one->newest = newest;
	}
	one->oldest = oldest < one->oldest ? oldest : one->oldest;
	one->newest = newest > one->newest ? newest : one->newest;
}

size_t sp_keep_held(const struct sp_keep *keep, struct sp_feed_held held[SP_FEED_HELD_MAX])
{
	size_t count = 0;
	for (const struct sp_batch *batch = keep->oldest; batch; batch = batch->next)
		if (!batch->again)
			name(held, &count, batch->stream, batch->cls, batch->first, batch->last);
	// The running ones are held to their last record, settled or not.
	for (int cls = 0; cls < SP_RECORD_CLASSES; cls++) {
		const struct sp_keep_stream *stream = &keep->streams[cls];
		int64_t last = stream->pending_first - 1;
		if (last > 0)
			name(held, &count, stream->id, (enum sp_record_class)cls, last, last);
	}
	return count;
}
