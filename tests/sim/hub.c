// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// sp_sim_hub FILE: the simulation's hub: the real store in FILE, fed with the real envelopes, on the
// simulation's clock. Started by sp_sim alone (frames.h).
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/mem.h"
#include "tests/sim/frames.h"
#include "tools/hub/store/store.h"

static const char epoch[] = "eeeeeeeeeeeeeeeeeeeeeeeeee", shard[] = "sim";

/// What the answer is made of.
struct list {
	char *data;
	uint32_t count, size;
};

static void give_up(struct sp_store *store, const char *what)
{
	fprintf(stderr, "sim hub: %s: %s\n", what, store ? sp_store_error(store) : "");
	exit(2);
}

static void must(struct sp_store *store, int result, const char *what)
{
	if (result < 0)
		give_up(store, what);
}

static void add(struct list *list, const void *item)
{
	list->data = sp_realloc(list->data, (list->count + 1) * (size_t)list->size);
	memcpy(list->data + list->count++ * (size_t)list->size, item, list->size);
}

static void answer(struct list *list)
{
	struct sim_reply reply = {list->count, list->size};
	if (!sim_frame_write(STDOUT_FILENO, &reply, sizeof(reply)) ||
	    !sim_frame_write(STDOUT_FILENO, list->data, list->count * (size_t)list->size))
		exit(0);
	free(list->data);
	*list = (struct list){0};
}

// ---- ingest ---------------------------------------------------------------------------------------------

static void seal(struct sp_store *store, struct list *acks)
{
	struct sp_store_news news = {0};
	must(store, sp_store_seal(store, false, &news), "seal");
	must(store, sp_store_commit(store), "commit");
	acks->size = sizeof(struct sp_feed_ack);
	for (size_t i = 0; i < news.ack_count; i++)
		add(acks, &news.acks[i].ack);
	sp_store_news_free(&news);
}

static void take_batch(struct sp_store *store, const struct sim_frame *frame, const char *payload)
{
	struct sp_feed_message message;
	struct list acks = {0};
	char why[128] = "";
	enum sp_verdict verdict = SP_VERDICT_STORED;
	must(store, sp_store_begin(store, frame->now_ms), "begin");
	enum sp_feed_fault fault = sp_feed_envelope_decode(
	    &message, payload, frame->length, frame->deflated ? SP_FEED_DEFLATED : SP_FEED_JSON, why);
	const struct sp_arrival arrival = {shard, message.envelope.device, frame->now_ms, 0, false};
	if (fault != SP_FEED_OK)
		must(store, sp_store_set_aside(store, sp_feed_fault_name(fault), "", "", why, 1),
		     "set aside");
	else
		must(store, sp_store_batch(store, &arrival, &message, &verdict), "batch");
	seal(store, &acks);
	sp_feed_message_free(&message);
	answer(&acks);
}

static void take_state(struct sp_store *store, const struct sim_frame *frame, const char *payload)
{
	struct sp_feed_state *state = sp_alloc(sizeof(*state));
	struct list acks = {0};
	char why[128] = "";
	must(store, sp_store_begin(store, frame->now_ms), "begin");
	enum sp_feed_fault fault = sp_feed_state_decode(state, payload, frame->length, why);
	const struct sp_arrival arrival = {shard, state->device, frame->now_ms, 0, false};
	if (fault != SP_FEED_OK)
		must(store, sp_store_set_aside(store, sp_feed_fault_name(fault), "", "", why, 1),
		     "set aside");
	else
		must(store, sp_store_state(store, &arrival, state), "state");
	seal(store, &acks);
	free(state);
	answer(&acks);
}

// ---- questions --------------------------------------------------------------------------------------------

static void on_day(void *arg, const struct sp_line_view *line, const struct sp_segment *segments,
		   size_t count)
{
	for (size_t i = 0; line->line && i < count; i++) {
		struct sim_segment out = {.from_ms = segments[i].from_ms,
					  .to_ms = segments[i].to_ms,
					  .state = (int)segments[i].state};
		snprintf(out.cause, sizeof(out.cause), "%s", segments[i].cause ? segments[i].cause : "");
		add(arg, &out);
	}
}

static void on_outage(void *arg, const struct sp_outage_view *outage)
{
	struct sim_hub_outage out = {.phase = (int)outage->phase,
				     .state = (int)outage->state,
				     .measured = outage->measured,
				     .start_ms = outage->start_ms,
				     .start_err_ms = outage->start_err_ms,
				     .end_ms = outage->end_ms,
				     .end_err_ms = outage->end_err_ms};
	snprintf(out.id, sizeof(out.id), "%s", outage->outage);
	snprintf(out.cause, sizeof(out.cause), "%s", outage->cause);
	add(arg, &out);
}

static void on_anomaly(void *arg, const struct sp_anomaly_view *anomaly)
{
	struct sim_trouble out;
	snprintf(out.text, sizeof(out.text), "anomaly %s on %s: %s", anomaly->kind, anomaly->stream,
		 anomaly->detail);
	add(arg, &out);
}

static void on_gap(void *arg, const struct sp_gap_view *gap)
{
	struct sim_trouble out;
	snprintf(out.text, sizeof(out.text), "%s gap %lld-%lld of %s %s %s", gap->kind, (long long)gap->first,
		 (long long)gap->last, gap->cls, gap->stream, gap->reason);
	add(arg, &out);
}

static void on_set_aside(void *arg, const struct sp_set_aside_view *aside)
{
	struct sim_trouble out;
	snprintf(out.text, sizeof(out.text), "set aside: %s: %s", aside->fault, aside->why);
	add(arg, &out);
}

static void ask(struct sp_store *store, const struct sim_frame *frame)
{
	const struct sp_outage_filter all = {.limit = 100000};
	struct list list = {0};
	must(store, sp_store_read_begin(store, frame->now_ms), "reading");
	if (frame->kind == SIM_FRAME_SEGMENTS) {
		list.size = sizeof(struct sim_segment);
		must(store, sp_store_day(store, frame->from_ms, frame->to_ms, frame->now_ms, on_day, &list),
		     "day");
	} else if (frame->kind == SIM_FRAME_OUTAGES) {
		list.size = sizeof(struct sim_hub_outage);
		must(store, sp_store_outages(store, &all, on_outage, &list), "outages");
	} else {
		list.size = sizeof(struct sim_trouble);
		must(store, sp_store_anomalies(store, on_anomaly, &list), "anomalies");
		must(store, sp_store_gaps(store, on_gap, &list), "gaps");
		must(store, sp_store_set_asides(store, on_set_aside, &list), "set asides");
	}
	sp_store_read_end(store);
	answer(&list);
}

int main(int argc, char **argv)
{
	struct sp_store *store = NULL;
	struct sim_frame frame;
	char why[256] = "";
	if (argc != 2) {
		fprintf(stderr, "usage: sp_sim_hub FILE, by sp_sim alone\n");
		return 2;
	}
	if (sp_store_open(&store, argv[1], SP_STORE_WRITE, why)) {
		fprintf(stderr, "sim hub: %s\n", why);
		return 2;
	}
	must(store, sp_store_begin(store, SP_PLACE_EARLIEST_MS), "begin");
	must(store, sp_store_epoch(store, epoch), "epoch");
	must(store, sp_store_commit(store), "commit");
	while (sim_frame_read(STDIN_FILENO, &frame, sizeof(frame))) {
		char *payload = sp_alloc(frame.length + 1);
		if (!sim_frame_read(STDIN_FILENO, payload, frame.length))
			break;
		if (frame.kind == SIM_FRAME_BATCH)
			take_batch(store, &frame, payload);
		else if (frame.kind == SIM_FRAME_STATE)
			take_state(store, &frame, payload);
		else
			ask(store, &frame);
		free(payload);
	}
	sp_store_close(store);
	return 0;
}
