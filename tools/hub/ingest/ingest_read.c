// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// From an MQTT message to something the store takes, or to a line that says why it was set aside. On the
// session's thread, so that decoding and committing go on side by side.
#include "tools/hub/ingest/ingest_priv.h"

#include <stdio.h>
#include <string.h>

#include "agent/base/mem.h"
#include "schoolpulse/clock.h"

struct sp_inbound *sp_session_inbound(struct sp_session *session, enum sp_inbound_kind kind)
{
	struct sp_inbound *in = sp_alloc(sizeof(*in));
	in->kind = kind;
	in->lease = session->lease;
	in->arrived_ms = sp_clock_now().wall_ms;
	snprintf(in->shard, sizeof(in->shard), "%s", session->shard);
	// In a session that goes on, the broker first delivers what came while the hub was away.
	if (session->away_since_ms > 0 && in->arrived_ms - session->connected_ms < SP_INGEST_DRAIN_MS &&
	    in->arrived_ms > session->away_since_ms)
		in->lag_ms = in->arrived_ms - session->away_since_ms;
	return in;
}

enum sp_lane sp_inbound_lane(const struct sp_inbound *in)
{
	switch (in->kind) {
	case SP_INBOUND_BATCH:
		return in->message.envelope.cls == SP_RECORD_BULK ? SP_LANE_BULK : SP_LANE_FACTS;
	case SP_INBOUND_STATE:
	case SP_INBOUND_CONNECTED:
		return SP_LANE_FACTS;
	case SP_INBOUND_ASIDE: // whoever sends nonsense is in no hurry
	case SP_INBOUND_STOP:  // behind all that was taken before
		return SP_LANE_BULK;
	}
	return SP_LANE_BULK;
}

/// The queue's maximum only says when to stop reading: what libmosquitto has handed over stays.
void sp_session_push(struct sp_session *session, struct sp_inbound *in)
{
	if (atomic_load(&session->ingest->stopping)) {
		sp_inbound_free(&in->node);
		return;
	}
	in->weight = sizeof(*in);
	for (size_t i = 0; i < in->message.count; i++)
		in->weight += 2 * sizeof(in->message.events[i]) + 2 * strlen(in->message.events[i].data);
	enum sp_lane lane = sp_inbound_lane(in);
	atomic_fetch_add(&session->ingest->in[lane].bytes, (int64_t)in->weight);
	sp_queue_push_always(session->ingest->in[lane].queue, &in->node);
}

static void set_aside(struct sp_session *session, const char *device, enum sp_feed_fault fault,
		      const char *topic, const char *why)
{
	struct sp_inbound *in = sp_session_inbound(session, SP_INBOUND_ASIDE);
	in->fault = fault;
	snprintf(in->device, sizeof(in->device), "%s", device);
	snprintf(in->topic, sizeof(in->topic), "%s", topic);
	snprintf(in->why, sizeof(in->why), "%s", why);
	sp_session_push(session, in);
}

static enum sp_feed_fault read_batch(struct sp_inbound *in, const struct sp_feed_topic *topic,
				     const struct sp_mqtt_message *message, char why[128])
{
	const struct sp_feed_envelope *envelope = &in->message.envelope;
	enum sp_feed_fault fault = sp_feed_envelope_decode(&in->message, message->payload, message->length,
							   message->content_type, why);
	if (fault != SP_FEED_OK)
		return fault;
	if (strcmp(envelope->device, topic->device) == 0 &&
	    strcmp(sp_record_class_name(envelope->cls), topic->leaf) == 0)
		return SP_FEED_OK;
	snprintf(why, 128, "the envelope is %s's, class %s", envelope->device,
		 sp_record_class_name(envelope->cls));
	return SP_FEED_FOREIGN;
}

static enum sp_feed_fault read_state(struct sp_inbound *in, const struct sp_feed_topic *topic,
				     const struct sp_mqtt_message *message, char why[128])
{
	in->state = sp_alloc(sizeof(*in->state));
	enum sp_feed_fault fault = sp_feed_state_decode(in->state, message->payload, message->length, why);
	if (fault != SP_FEED_OK || strcmp(in->state->device, topic->device) == 0)
		return fault;
	snprintf(why, 128, "the state is %s's", in->state->device);
	return SP_FEED_FOREIGN;
}

void sp_session_on_message(void *arg, const struct sp_mqtt_message *message)
{
	struct sp_session *session = arg;
	struct sp_feed_topic topic;
	char why[128] = "";
	if (!sp_feed_topic_parse(&topic, message->topic) || strcmp(topic.shard, session->shard) != 0) {
		set_aside(session, "", SP_FEED_FOREIGN, message->topic, "not a topic of this shard's boards");
		return;
	}
	bool is_state = strcmp(topic.leaf, "state") == 0;
	if (is_state && message->length == 0) // somebody cleared a board's retained state
		return;
	struct sp_inbound *in = sp_session_inbound(session, is_state ? SP_INBOUND_STATE : SP_INBOUND_BATCH);
	in->retained = message->retained;
	snprintf(in->device, sizeof(in->device), "%s", topic.device);
	enum sp_feed_fault fault =
	    is_state ? read_state(in, &topic, message, why) : read_batch(in, &topic, message, why);
	if (fault == SP_FEED_OK) {
		sp_session_push(session, in);
		return;
	}
	sp_inbound_free(&in->node);
	set_aside(session, topic.device, fault, message->topic, why);
}
