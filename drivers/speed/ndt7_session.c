// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// One direction of an ndt7 test: what comes, what goes, and when it is over.
#include "ndt7_session.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
	SECOND_US = 1000 * 1000,
	PONG_GAP_US = 20 * 1000, ///< who pings more often gets fewer answers
	LAST_PIECE = 16 * 1024,  ///< of an upload that comes to its limit: one record of TLS
	MEASUREMENTS = 400,      ///< ten a second for longer than any test; more are counted and not read
	CLOSE_NORMAL = 1000,
};

static uint64_t roll(struct sp_ndt7_session *s)
{
	s->dice ^= s->dice << 13;
	s->dice ^= s->dice >> 7;
	s->dice ^= s->dice << 17;
	return s->dice;
}

static void dice_mask(struct sp_ndt7_session *s, uint8_t mask[4])
{
	uint64_t value = roll(s);
	memcpy(mask, &value, 4);
}

void sp_ndt7_session_begin(struct sp_ndt7_session *s, enum sp_speed_direction direction,
			   const struct sp_ndt7_times *times, int64_t max_wire, uint64_t seed,
			   const struct sp_ndt7_tcp *tcp, int64_t now_us)
{
	memset(s, 0, sizeof(*s));
	s->direction = direction;
	s->times = *times;
	s->max_wire = max_wire;
	s->began_us = s->moved_us = s->told_us = s->ponged_us = now_us;
	s->dice = seed ? seed : 1;
	s->message_size = SP_NDT7_MESSAGE_FIRST;
	s->tcp_first = s->tcp = *tcp;
	s->first_min_rtt_us = -1;
	s->last = (struct sp_ndt7_measurement){-1, -1, -1, -1, -1, -1, -1, -1, -1};
	sp_meter_start(&s->meter, now_us);
	if (direction == SP_SPEED_DOWN)
		return;
	for (size_t i = 0; i + 8 <= SP_NDT7_BULK; i += 8) {
		uint64_t value = roll(s);
		memcpy(s->bulk + SP_NDT7_FRAME_HEAD + i, &value, 8);
	}
}

void sp_ndt7_session_stop(struct sp_ndt7_session *s, enum sp_ndt7_end end, int64_t now_us)
{
	if (s->end == SP_NDT7_RUNNING) {
		s->end = end;
		s->ended_us = now_us;
		s->close_due = true;
	}
	if (end == SP_NDT7_BROKEN || end == SP_NDT7_CANCELLED || end == SP_NDT7_LIMIT)
		s->over = true;
}

void sp_ndt7_session_lost(struct sp_ndt7_session *s, int64_t now_us)
{
	sp_ndt7_session_stop(s, SP_NDT7_BROKEN, now_us);
	s->over = true;
}

static void break_off(struct sp_ndt7_session *s, const char *fault, int64_t now_us)
{
	if (s->end == SP_NDT7_RUNNING)
		s->fault = fault;
	sp_ndt7_session_stop(s, SP_NDT7_PROTOCOL, now_us);
	s->over = true;
}

// ---- what comes -------------------------------------------------------------------------------

static void keep(int64_t *kept, int64_t told)
{
	if (told >= 0)
		*kept = told;
}

/// The server's clock goes on when we have stopped, its bytes do not: that is no slower line.
static bool of_silence(const struct sp_ndt7_session *s, int64_t elapsed_us)
{
	int64_t on_its_way_us = s->tcp.rtt_us > 0 ? s->tcp.rtt_us / 2 : 0;
	return s->direction == SP_SPEED_UP && s->end != SP_NDT7_RUNNING &&
	       elapsed_us > s->ended_us - s->began_us + on_its_way_us;
}

static void read_measurement(struct sp_ndt7_session *s)
{
	struct sp_ndt7_measurement m;
	if (s->measurements >= MEASUREMENTS || sp_ndt7_measurement_parse(s->text, s->text_length, &m) < 0)
		return;
	s->measurements++;
	if (s->first_min_rtt_us < 0 && m.min_rtt_us > 0)
		s->first_min_rtt_us = m.min_rtt_us;
	if (m.rtt_us > 0 && s->direction == SP_SPEED_DOWN)
		sp_latency_add(&s->loaded, (double)m.rtt_us / 1e6);
	if (of_silence(s, m.tcp_elapsed_us > 0 ? m.tcp_elapsed_us : m.app_elapsed_us))
		return;
	// Bytes without their time, or the other way round, are no rate.
	if (m.tcp_elapsed_us > 0 && m.bytes_received >= 0) {
		s->last.tcp_elapsed_us = m.tcp_elapsed_us;
		s->last.bytes_received = m.bytes_received;
	}
	if (m.app_elapsed_us > 0 && m.app_bytes >= 0) {
		s->last.app_elapsed_us = m.app_elapsed_us;
		s->last.app_bytes = m.app_bytes;
	}
	keep(&s->last.rtt_us, m.rtt_us);
	if (m.bytes_sent > 0 && m.bytes_retrans >= 0) {
		s->last.bytes_sent = m.bytes_sent;
		s->last.bytes_retrans = m.bytes_retrans;
	}
}

/// A frame's head is complete: what it may be depends on what came before.
static void begin_frame(struct sp_ndt7_session *s, int64_t now_us)
{
	const struct sp_ndt7_frame *frame = &s->frame;
	s->in_frame = true;
	s->left = frame->length;
	if (frame->opcode >= SP_NDT7_CLOSE) {
		s->control_length = 0;
		return;
	}
	bool more = s->message != SP_NDT7_CONTINUATION;
	if ((frame->opcode == SP_NDT7_CONTINUATION) != more) {
		break_off(s, "fragments of messages out of order", now_us);
		return;
	}
	if (!more) {
		s->message = frame->opcode;
		s->message_bytes = 0;
		s->text_length = 0;
	}
	s->message_bytes += frame->length;
	if (s->message_bytes > SP_NDT7_MESSAGE_MOST)
		break_off(s, "a message of more than 16 MiB", now_us);
	else if (s->message == SP_NDT7_BINARY && s->direction == SP_SPEED_UP)
		break_off(s, "the server sends data while it should receive", now_us);
}

static void take_payload(struct sp_ndt7_session *s, const uint8_t *data, size_t length, int64_t now_us)
{
	s->left -= length;
	if (s->frame.opcode >= SP_NDT7_CLOSE) {
		memcpy(s->control + s->control_length, data, length); // ≤ 125: the head was checked
		s->control_length += length;
		return;
	}
	// The server's last word may come when our time is over.
	if (s->message == SP_NDT7_TEXT) {
		size_t room = sizeof(s->text) - s->text_length;
		memcpy(s->text + s->text_length, data, length < room ? length : room);
		s->text_length += length < room ? length : room;
	}
	if (length == 0 || s->end != SP_NDT7_RUNNING)
		return;
	s->received += (int64_t)length;
	if (s->direction == SP_SPEED_DOWN) {
		s->moved_us = now_us;
		sp_meter_look(&s->meter, now_us, s->received);
	}
}

static void end_frame(struct sp_ndt7_session *s, int64_t now_us)
{
	s->in_frame = false;
	switch (s->frame.opcode) {
	case SP_NDT7_PING:
		memcpy(s->pong, s->control, s->control_length);
		s->pong_length = s->control_length;
		s->pong_due = true;
		return;
	case SP_NDT7_PONG:
		return;
	case SP_NDT7_CLOSE:
		sp_ndt7_session_stop(s, SP_NDT7_AGREED, now_us);
		s->over |= s->close_sent;
		return;
	case SP_NDT7_CONTINUATION:
	case SP_NDT7_TEXT:
	case SP_NDT7_BINARY:
		break;
	}
	if (!s->frame.final)
		return;
	// Longer ones are no measurement: counted, and not read.
	if (s->message == SP_NDT7_TEXT && s->message_bytes <= sizeof(s->text))
		read_measurement(s);
	s->message = SP_NDT7_CONTINUATION;
}

/// Takes the head's next byte.
static void take_head(struct sp_ndt7_session *s, uint8_t byte, int64_t now_us)
{
	s->head[s->head_length++] = byte;
	int size = sp_ndt7_frame_parse(s->head, s->head_length, &s->frame);
	if (size < 0)
		break_off(s, "a malformed frame", now_us);
	if (size <= 0)
		return;
	s->head_length = 0;
	begin_frame(s, now_us);
}

void sp_ndt7_session_receive(struct sp_ndt7_session *s, const uint8_t *data, size_t length, int64_t now_us)
{
	while (!s->over) {
		if (s->in_frame) {
			size_t part = length < s->left ? length : (size_t)s->left;
			take_payload(s, data, part, now_us);
			data += part;
			length -= part;
			if (s->left > 0)
				return;
			end_frame(s, now_us);
		} else if (length > 0) {
			take_head(s, *data, now_us);
			data++;
			length--;
		} else {
			return;
		}
	}
}

// ---- what goes --------------------------------------------------------------------------------

static void compose(struct sp_ndt7_session *s, enum sp_ndt7_opcode opcode, const void *data, size_t length)
{
	uint8_t mask[4];
	dice_mask(s, mask);
	size_t head = sp_ndt7_frame_write(s->small, opcode, length, mask);
	memcpy(s->small + head, data, length);
	sp_ndt7_frame_mask(s->small + head, length, mask);
	s->small_length = head + length;
	s->small_sent = 0;
}

static void compose_measurement(struct sp_ndt7_session *s, int64_t now_us)
{
	char text[SP_NDT7_SMALL - SP_NDT7_FRAME_HEAD];
	bool down = s->direction == SP_SPEED_DOWN;
	int length =
	    snprintf(text, sizeof(text),
		     "{\"AppInfo\":{\"ElapsedTime\":%" PRId64 ",\"NumBytes\":%" PRId64
		     "},\"Origin\":\"client\",\"Test\":\"%s\"}",
		     now_us - s->began_us, down ? s->received : s->sent, down ? "download" : "upload");
	compose(s, SP_NDT7_TEXT, text, (size_t)length);
	s->told_us = now_us;
}

/// The head stands directly before the bulk, so that both go in one write. The payload is random on the wire
/// and stays so when the server takes the mask off: no need to put it on.
static void begin_message(struct sp_ndt7_session *s)
{
	uint8_t mask[4], head[SP_NDT7_FRAME_HEAD];
	dice_mask(s, mask);
	s->message_size = sp_ndt7_message_next(s->message_size, s->sent);
	s->message_head = (int64_t)sp_ndt7_frame_write(head, SP_NDT7_BINARY, (uint64_t)s->message_size, mask);
	memcpy(s->bulk + SP_NDT7_FRAME_HEAD - s->message_head, head, (size_t)s->message_head);
	s->message_sent = -s->message_head;
}

static bool in_message(const struct sp_ndt7_session *s)
{
	return s->message_head > 0;
}

/// Between two messages: what comes next.
static void choose(struct sp_ndt7_session *s, int64_t now_us)
{
	static const uint8_t normal[2] = {CLOSE_NORMAL >> 8, CLOSE_NORMAL & 0xff};
	if (s->close_sent)
		return;
	// Of an upload that has had its time the server's last word is still to come.
	bool listening =
	    s->direction == SP_SPEED_UP && s->end == SP_NDT7_TIME && now_us < s->ended_us + s->times.drain_us;
	if (s->close_due && !listening) {
		compose(s, SP_NDT7_CLOSE, normal, sizeof(normal));
		s->close_sent = true;
	} else if (s->pong_due && now_us - s->ponged_us >= PONG_GAP_US) {
		compose(s, SP_NDT7_PONG, s->pong, s->pong_length);
		s->pong_due = false;
		s->ponged_us = now_us;
	} else if (s->end == SP_NDT7_RUNNING && now_us - s->told_us >= s->times.update_us) {
		compose_measurement(s, now_us);
	} else if (s->end == SP_NDT7_RUNNING && s->direction == SP_SPEED_UP) {
		begin_message(s);
	}
}

/// What the limit leaves for, when all that was handed over has gone: with headers, and acknowledgements that
/// come back, a twelfth on top.
static int64_t room(const struct sp_ndt7_session *s)
{
	int64_t gone =
	    (s->tcp.sent - s->tcp.retransmitted) - (s->tcp_first.sent - s->tcp_first.retransmitted);
	int64_t waiting = s->handed > gone ? s->handed - gone : 0;
	int64_t left = s->max_wire - s->tcp.wire_bytes;
	return left - left / 12 - waiting;
}

/// Cuts the bulk's next piece; 0: the limit leaves for none.
static size_t cut(struct sp_ndt7_session *s, int64_t length)
{
	if (s->offered == 0 && s->max_wire > 0 && room(s) < length) {
		length = length < LAST_PIECE ? length : LAST_PIECE;
		s->used_up |= room(s) < length;
	}
	if (s->offered == 0 && !s->used_up)
		s->offered = (size_t)length;
	return s->offered;
}

const uint8_t *sp_ndt7_session_piece(struct sp_ndt7_session *s, int64_t now_us, size_t *length)
{
	if (s->over)
		return NULL;
	if (s->small_length == 0 && !in_message(s))
		choose(s, now_us);
	if (s->small_length > 0) {
		*length = s->small_length - s->small_sent;
		return s->small + s->small_sent;
	}
	if (!in_message(s))
		return NULL;
	int64_t at = s->message_sent < 0 ? s->message_sent : s->message_sent % SP_NDT7_BULK;
	int64_t most = SP_NDT7_BULK - at, left = s->message_size - s->message_sent;
	*length = cut(s, left < most ? left : most);
	if (*length == 0)
		return NULL;
	return s->bulk + SP_NDT7_FRAME_HEAD + at;
}

void sp_ndt7_session_wrote(struct sp_ndt7_session *s, size_t length)
{
	s->handed += (int64_t)length;
	if (s->small_length > 0) {
		s->small_sent += length;
		if (s->small_sent < s->small_length)
			return;
		s->small_length = 0;
		// Our answer to the server's end is the last of all.
		s->over |= s->close_sent;
		return;
	}
	s->offered = 0;
	int64_t before = s->message_sent < 0 ? 0 : s->message_sent;
	s->message_sent += (int64_t)length;
	if (s->message_sent > before)
		s->sent += s->message_sent - before;
	if (s->message_sent == s->message_size)
		s->message_head = 0;
}

// ---- when it is over --------------------------------------------------------------------------

/// What of a download will still arrive once we stop.
static int64_t in_flight(const struct sp_ndt7_session *s)
{
	int64_t rtt_us = SECOND_US / 10;
	if (s->last.rtt_us > rtt_us)
		rtt_us = s->last.rtt_us < SECOND_US ? s->last.rtt_us : SECOND_US;
	int64_t most = s->max_wire / 4;
	double bytes = sp_meter_now(&s->meter, SECOND_US / 4) / 8e6 * (double)rtt_us;
	return bytes < (double)most ? (int64_t)bytes : most;
}

/// An upload knows what it has handed over, and is at its limit when that has arrived.
static bool at_limit(const struct sp_ndt7_session *s)
{
	if (s->max_wire <= 0)
		return false;
	if (s->direction == SP_SPEED_DOWN)
		return s->tcp.wire_bytes + in_flight(s) >= s->max_wire;
	bool arrived = s->tcp.acked - s->tcp_first.acked >= s->handed;
	return s->tcp.wire_bytes >= s->max_wire || (s->used_up && arrived);
}

void sp_ndt7_session_look(struct sp_ndt7_session *s, const struct sp_ndt7_tcp *tcp, int64_t now_us)
{
	bool up = s->direction == SP_SPEED_UP;
	if (up && tcp->acked > s->tcp.acked)
		s->moved_us = now_us;
	s->tcp = *tcp;
	if (s->end == SP_NDT7_RUNNING)
		sp_meter_look(&s->meter, now_us, up ? tcp->acked - s->tcp_first.acked : s->received);
	if (up && s->end == SP_NDT7_RUNNING && tcp->rtt_us > 0 &&
	    now_us - s->began_us >= s->times.update_us * (int64_t)(s->loaded.count + 1))
		sp_latency_add(&s->loaded, (double)tcp->rtt_us / 1e6);
	if (at_limit(s))
		sp_ndt7_session_stop(s, SP_NDT7_LIMIT, now_us);
	if (now_us - s->began_us >= (up ? s->times.up_us : s->times.down_us))
		sp_ndt7_session_stop(s, SP_NDT7_TIME, now_us);
	else if (now_us - s->moved_us >= s->times.stall_us)
		sp_ndt7_session_stop(s, SP_NDT7_STALLED, now_us);
	// The end was said; a peer that neither takes our last message nor goes is left.
	if (s->end == SP_NDT7_STALLED ||
	    (s->end != SP_NDT7_RUNNING && now_us - s->ended_us >= 2 * s->times.drain_us))
		s->over = true;
}

// ---- what it is worth -------------------------------------------------------------------------

struct figure {
	int64_t bytes, elapsed_us;
	const char *source; ///< NULL: as it should be
};

static bool plausible(const struct sp_ndt7_session *s, int64_t bytes, int64_t elapsed_us)
{
	// It cannot have received more than was sent, nor in another time than ours, but for its last word's
	// way; and it must speak of the greater part of the test.
	int64_t ours = s->ended_us - s->began_us;
	return bytes > 0 && elapsed_us > 0 && bytes <= s->tcp.sent && elapsed_us >= ours / 2 &&
	       elapsed_us <= ours + s->times.drain_us * 2;
}

static struct figure figure_of(const struct sp_ndt7_session *s)
{
	if (s->direction == SP_SPEED_DOWN)
		return (struct figure){s->received, s->moved_us - s->began_us, NULL};
	if (plausible(s, s->last.bytes_received, s->last.tcp_elapsed_us))
		return (struct figure){s->last.bytes_received, s->last.tcp_elapsed_us, NULL};
	if (plausible(s, s->last.app_bytes, s->last.app_elapsed_us))
		return (struct figure){s->last.app_bytes, s->last.app_elapsed_us, NULL};
	return (struct figure){
	    sp_meter_between(&s->meter, s->began_us, s->ended_us), s->ended_us - s->began_us,
	    s->last.tcp_elapsed_us > 0 || s->last.app_elapsed_us > 0
		? "what the server says it received cannot be: counted by our kernel's acknowledgements"
		: "the server did not say what it received: counted by our kernel's acknowledgements"};
}

static double ratio(int64_t part, int64_t whole)
{
	return part >= 0 && whole > 0 && part <= whole ? (double)part / (double)whole : (double)NAN;
}

void sp_ndt7_session_result(const struct sp_ndt7_session *s, struct sp_speed_result *out, char *text,
			    size_t size)
{
	struct figure figure = figure_of(s);
	*out = (struct sp_speed_result){.streams = 1};
	sp_meter_result(&s->meter, 0, s->ended_us, 0, out);
	out->outcome = sp_ndt7_worth(&s->times, s->end, figure.elapsed_us, figure.bytes, &out->reason);
	bool told = out->outcome == SP_SPEED_WHOLE || out->outcome == SP_SPEED_PARTIAL;
	out->bytes = told ? figure.bytes : 0;
	out->duration_us = told ? figure.elapsed_us : 0;
	out->retransmit_ratio = s->direction == SP_SPEED_DOWN
				    ? ratio(s->last.bytes_retrans, s->last.bytes_sent)
				    : ratio(s->tcp.retransmitted, s->tcp.sent);
	sp_latency_result(&s->loaded, &out->loaded);
	snprintf(text, size, "%s", s->fault ? s->fault : told && figure.source ? figure.source : "");
	out->text = text;
}
