// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// See the header.
#include "zk4370_session.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "text.h"

enum { GROW = 256 * 1024 };

static enum sp_zk_step fail(struct sp_zk_session *session, const char *reason, const char *why)
{
	session->reason = reason;
	snprintf(session->why, sizeof(session->why), "%s", why);
	return SP_ZK_FAILED;
}

static enum sp_zk_step ask(struct sp_zk_session *session, enum sp_zk_stage stage, enum sp_zk_command command,
			   const void *data, size_t length)
{
	// Numbers run to 65534 and begin anew.
	if (stage != SP_ZK_AT_CONNECT)
		session->reply = session->reply >= 65534 ? 0 : (uint16_t)(session->reply + 1);
	session->stage = stage;
	session->question_length = sp_zk_encode(session->question, session->framed, command,
						session->connection, session->reply, data, length);
	return SP_ZK_SEND;
}

static enum sp_zk_step ask_option(struct sp_zk_session *session, enum sp_zk_stage stage, const char *name)
{
	return ask(session, stage, SP_ZK_OPTION, name, strlen(name) + 1);
}

static void put32(uint8_t *out, size_t value)
{
	for (unsigned i = 0; i < 4; i++)
		out[i] = (uint8_t)(value >> 8 * i);
}

static enum sp_zk_step ask_log(struct sp_zk_session *session)
{
	// 1, the command, two zeros: the whole attendance log.
	const uint8_t data[11] = {1, SP_ZK_ATTENDANCE};
	return ask(session, SP_ZK_AT_PREPARE, SP_ZK_PREPARE_READ, data, sizeof(data));
}

static enum sp_zk_step ask_part(struct sp_zk_session *session)
{
	size_t most = session->framed ? SP_ZK_CHUNK_TCP : SP_ZK_CHUNK_UDP;
	size_t rest = session->log_size - session->log_length;
	session->part_from = session->log_length;
	session->part_size = rest < most ? rest : most;
	session->announced = false;
	uint8_t data[8];
	put32(data, session->part_from);
	put32(data + 4, session->part_size);
	return ask(session, SP_ZK_AT_READ, SP_ZK_READ, data, sizeof(data));
}

static enum sp_zk_step whole(struct sp_zk_session *session)
{
	// "H5L", firmware of May 2020, and others hand over an empty log though they hold one.
	if (session->log_length <= 4 && session->has_sizes && session->sizes.records > 0)
		return fail(session, "protocol", "it has records, but its log comes empty");
	return ask(session, SP_ZK_AT_FREE, SP_ZK_FREE_READ, NULL, 0);
}

/// Pages instead of the heap: growing leaves no copy behind, and core files leave them out.
static bool make_room(struct sp_zk_session *session, size_t length)
{
	if (length > SP_ZK_LOG_MAX - session->log_length)
		return false;
	size_t need = session->log_length + length;
	if (need <= session->log_room)
		return true;
	size_t room = (need + GROW - 1) / GROW * GROW;
	void *pages = session->log
			  ? mremap(session->log, session->log_room, room, MREMAP_MAYMOVE)
			  : mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED)
		return false;
	(void)madvise(pages, room, MADV_DONTDUMP);
	session->log = pages;
	session->log_room = room;
	return true;
}

static bool is_full(const struct sp_zk_session *session)
{
	return session->log_length == session->part_from + session->part_size;
}

/// A datagram may be lost, doubled, late: a part is one of them, whole, or it does not count. Of several, one
/// lost and one doubled would leave the total right and the log wrong.
static bool add_datagram(struct sp_zk_session *session, size_t length, enum sp_zk_step *step)
{
	if (session->framed)
		return false;
	bool whole = length == session->part_size;
	*step =
	    whole ? SP_ZK_WAIT : fail(session, "protocol", "a part of its log comes in several datagrams");
	return !whole || is_full(session);
}

static enum sp_zk_step add(struct sp_zk_session *session, const uint8_t *data, size_t length)
{
	enum sp_zk_step step;
	if (add_datagram(session, length, &step))
		return step;
	if (length > session->part_from + session->part_size - session->log_length)
		return fail(session, "protocol", "it sends more of its log than was asked for");
	if (length == 0)
		return SP_ZK_WAIT;
	if (!make_room(session, length))
		return fail(session, "protocol", "its log is larger than a terminal's can be");
	memcpy(session->log + session->log_length, data, length);
	session->log_length += length;
	return SP_ZK_WAIT;
}

static enum sp_zk_step part_over(struct sp_zk_session *session)
{
	if (!is_full(session) && !session->framed)
		return SP_ZK_WAIT; // it was lost: asked for again in a while
	if (!is_full(session))
		return fail(session, "protocol", "a part of its log is shorter than was announced");
	return session->log_length < session->log_size ? ask_part(session) : whole(session);
}

static enum sp_zk_step announce(struct sp_zk_session *session, const struct sp_zk_packet *packet)
{
	if (packet->length < 4 || sp_zk_u32(packet->data) != session->part_size)
		return fail(session, "protocol", "it announces another part of its log than was asked for");
	// Doubled, or later than what it announces.
	if (!session->announced && !is_full(session))
		session->log_length = session->part_from;
	session->announced = true;
	return SP_ZK_WAIT;
}

static enum sp_zk_step take_part(struct sp_zk_session *session, const struct sp_zk_packet *packet)
{
	switch (packet->command) {
	case SP_ZK_PREPARE_DATA:
		return announce(session, packet);
	case SP_ZK_DATA: {
		enum sp_zk_step step = add(session, packet->data, packet->length);
		return step == SP_ZK_WAIT && is_full(session) && !session->announced ? part_over(session)
										     : step;
	}
	case SP_ZK_OK:
		return session->announced || !session->framed
			   ? part_over(session)
			   : fail(session, "protocol", "it sends nothing of its log");
	default:
		return fail(session, "protocol", "it refuses to read its log");
	}
}

/// A whole size that is known, in one go or in parts.
static bool set_size(struct sp_zk_session *session, size_t size)
{
	session->log_size = session->part_size = size;
	return size <= SP_ZK_LOG_MAX;
}

static enum sp_zk_step take_prepared(struct sp_zk_session *session, const struct sp_zk_packet *packet)
{
	static const char large[] = "its log is larger than a terminal's can be";
	switch (packet->command) {
	case SP_ZK_DATA: // a small log comes at once
		if (!set_size(session, packet->length))
			return fail(session, "protocol", large);
		enum sp_zk_step step = add(session, packet->data, packet->length);
		return step == SP_ZK_WAIT ? whole(session) : step;
	case SP_ZK_PREPARE_DATA: // or at once in several packets
		if (packet->length < 4 || !set_size(session, sp_zk_u32(packet->data)))
			return fail(session, "protocol", large);
		session->stage = SP_ZK_AT_READ;
		return announce(session, packet);
	case SP_ZK_OK: // a byte, then the size
		if (packet->length < 5 || !set_size(session, sp_zk_u32(packet->data + 1)))
			return fail(session, "protocol", large);
		return session->log_size ? ask_part(session) : whole(session);
	default:
		return fail(session, "protocol", "it refuses to read its log");
	}
}

/// "~SerialNumber=ABC\0": what stands behind the sign, without what is not printable.
static void take_text(char out[SP_ZK_TEXT + 1], const struct sp_zk_packet *packet, bool option)
{
	const uint8_t *text = packet->data;
	size_t length = packet->command == SP_ZK_OK ? strnlen((const char *)text, packet->length) : 0;
	const uint8_t *sign = option && length ? memchr(text, '=', length) : NULL;
	if (sign) {
		length -= (size_t)(sign + 1 - text);
		text = sign + 1;
	} else if (option) {
		length = 0;
	}
	sp_kiosk_text(out, SP_ZK_TEXT + 1, text, length);
}

static enum sp_zk_step take_serial(struct sp_zk_session *session, const struct sp_zk_packet *packet)
{
	const char *wanted = session->serial_wanted;
	take_text(session->serial, packet, true);
	if (wanted[0] && session->serial[0] && strcmp(wanted, session->serial) != 0)
		return fail(session, "protocol", "another terminal than the configured serial answers there");
	if (wanted[0])
		snprintf(session->serial, sizeof(session->serial), "%s", wanted);
	if (!session->serial[0])
		return fail(session, "protocol", "it does not tell its serial: set it in the configuration");
	return ask_option(session, SP_ZK_AT_MODEL, "~DeviceName");
}

static enum sp_zk_step take_connected(struct sp_zk_session *session, const struct sp_zk_packet *packet)
{
	bool answered = session->stage == SP_ZK_AT_AUTHENTICATE;
	session->connection = answered ? session->connection : packet->connection;
	if (packet->command == SP_ZK_OK)
		return ask_option(session, SP_ZK_AT_SERIAL, "~SerialNumber");
	if (packet->command != SP_ZK_UNAUTHORISED)
		return fail(session, "refused", "it refuses the connection");
	if (answered)
		return fail(session, "wrong_key", "its communication key is another one");
	uint8_t token[4];
	sp_zk_token(session->comm_key, session->connection, token);
	return ask(session, SP_ZK_AT_AUTHENTICATE, SP_ZK_AUTHENTICATE, token, sizeof(token));
}

static enum sp_zk_step take_sizes(struct sp_zk_session *session, const struct sp_zk_packet *packet)
{
	session->has_sizes =
	    packet->command == SP_ZK_OK && sp_zk_sizes(packet->data, packet->length, &session->sizes) == 0;
	return ask_log(session);
}

enum sp_zk_step sp_zk_session_start(struct sp_zk_session *session)
{
	session->connection = session->reply = 0;
	return ask(session, SP_ZK_AT_CONNECT, SP_ZK_CONNECT, NULL, 0);
}

enum sp_zk_step sp_zk_session_take(struct sp_zk_session *session, const struct sp_zk_packet *packet)
{
	// Events as they happen go to who has asked for them. A late or doubled datagram has another number.
	if (packet->command == SP_ZK_EVENT || (!session->framed && packet->reply != session->reply))
		return SP_ZK_WAIT;
	switch (session->stage) {
	case SP_ZK_AT_CONNECT:
	case SP_ZK_AT_AUTHENTICATE:
		return take_connected(session, packet);
	case SP_ZK_AT_SERIAL:
		return take_serial(session, packet);
	case SP_ZK_AT_MODEL:
		take_text(session->model, packet, true);
		return ask(session, SP_ZK_AT_FIRMWARE, SP_ZK_FIRMWARE, NULL, 0);
	case SP_ZK_AT_FIRMWARE:
		take_text(session->firmware, packet, false);
		return ask(session, SP_ZK_AT_TIME, SP_ZK_TIME, NULL, 0);
	case SP_ZK_AT_TIME:
		session->has_time = packet->command == SP_ZK_OK && packet->length >= 4 &&
				    sp_zk_time(sp_zk_u32(packet->data), &session->local_s) == 0;
		return ask(session, SP_ZK_AT_SIZES, SP_ZK_SIZES, NULL, 0);
	case SP_ZK_AT_SIZES:
		return take_sizes(session, packet);
	case SP_ZK_AT_PREPARE:
		return take_prepared(session, packet);
	case SP_ZK_AT_READ:
		return take_part(session, packet);
	case SP_ZK_AT_FREE:
		// Whatever it says of its buffer, the log is here.
		return ask(session, SP_ZK_AT_EXIT, SP_ZK_EXIT, NULL, 0);
	case SP_ZK_AT_EXIT:
		session->stage = SP_ZK_AT_END;
		return SP_ZK_DONE;
	case SP_ZK_AT_END:
		break;
	}
	return SP_ZK_WAIT;
}

void sp_zk_session_again(struct sp_zk_session *session)
{
	if (session->stage == SP_ZK_AT_READ) {
		session->log_length = session->part_from;
		session->announced = false;
	}
}

bool sp_zk_session_leave(struct sp_zk_session *session)
{
	if (session->stage == SP_ZK_AT_CONNECT || session->stage >= SP_ZK_AT_EXIT)
		return false;
	ask(session, SP_ZK_AT_END, SP_ZK_EXIT, NULL, 0);
	return true;
}

void sp_zk_session_end(struct sp_zk_session *session)
{
	if (session->log) {
		explicit_bzero(session->log, session->log_length);
		munmap(session->log, session->log_room);
	}
	session->log = NULL;
	session->log_length = session->log_room = 0;
}
