// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Any bytes as what a ZK terminal sends: the stream in pieces, a whole visit over TCP and UDP, and a log by
// itself. What is taken for a log has one record size, and every record in it makes sense.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/kiosk/zk_punch.h"
#include "drivers/kiosk/zk4370_session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NOW_S = 1795391921 };

static void check(bool holds)
{
	if (!holds)
		abort();
}

static int64_t counted;

static void on_day(void *arg, int32_t day, int64_t count)
{
	(void)arg;
	(void)day;
	check(count > 0);
	counted += count;
}

static void open_log(const uint8_t *data, size_t size)
{
	struct sp_zk_log log;
	int result = sp_zk_log_open(data, size, NOW_S, &log);
	check(result == 0 || log.count == 0);
	check(log.count == 0 || log.count * log.size == size - 4);
	for (size_t i = 0; i < log.count; i++) {
		struct sp_zk_record record;
		uint8_t key[SP_PUNCH_KEY_MAX];
		sp_zk_log_record(&log, i, &record);
		check(record.id_length >= 1 && record.id_length <= SP_ZK_ID_MAX &&
		      record.local_s <= NOW_S + 86400);
		check(sp_zk_punch_key(key, "S1", record.id, record.id_length, record.local_s, record.state,
				      record.verify) > 0);
	}
	counted = 0;
	check(sp_zk_log_days(&log, INT32_MIN, on_day, NULL) == 0 && counted <= (int64_t)log.count);
}

/// The packet answers whatever was asked. False: the visit is over.
static bool step(struct sp_zk_session *session, const struct sp_zk_packet *packet)
{
	enum sp_zk_step result = sp_zk_session_take(session, packet);
	check(session->log_length <= SP_ZK_LOG_MAX && session->log_length <= session->log_room);
	if (result == SP_ZK_FAILED)
		check(session->reason && session->why[0]);
	if (result == SP_ZK_DONE)
		open_log(session->log, session->log_length);
	if (result == SP_ZK_SEND)
		check(session->question_length > 0 && session->question_length <= SP_ZK_QUESTION_MAX);
	return result == SP_ZK_WAIT || result == SP_ZK_SEND;
}

static void visit_stream(const uint8_t *data, size_t size)
{
	static struct sp_zk_stream stream;
	struct sp_zk_session session = {.framed = true, .comm_key = 1, .serial_wanted = ""};
	struct sp_zk_packet packet;
	int result = 0;
	memset(&stream, 0, sizeof(stream));
	sp_zk_session_start(&session);
	for (size_t at = 0, piece; at < size && result >= 0; at += piece) {
		size_t room;
		uint8_t *to = sp_zk_stream_room(&stream, &room);
		check(room > 0);
		piece = 1 + data[at] * 4u;
		piece = piece < size - at ? piece : size - at;
		piece = piece < room ? piece : room;
		memcpy(to, data + at, piece);
		sp_zk_stream_got(&stream, piece);
		while ((result = sp_zk_stream_next(&stream, &packet)) > 0)
			if (!step(&session, &packet)) {
				result = -1;
				break;
			}
	}
	sp_zk_session_leave(&session);
	sp_zk_session_end(&session);
}

/// Datagrams by a length byte (times eight) each; the right number is put in, or none would be heard.
static void visit_datagrams(const uint8_t *data, size_t size)
{
	struct sp_zk_session session = {.serial_wanted = "S1"};
	sp_zk_session_start(&session);
	for (size_t at = 0; at < size;) {
		size_t length = data[at++] * 8u + 8;
		length = length < size - at ? length : size - at;
		struct sp_zk_packet packet;
		if (sp_zk_decode(data + at, length, &packet) == 0) {
			if (packet.reply == 0)
				packet.reply = session.reply;
			if (!step(&session, &packet))
				break;
			if (packet.connection == 0xffff)
				sp_zk_session_again(&session);
		}
		at += length;
	}
	sp_zk_session_end(&session);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	open_log(data, size);
	visit_stream(data, size);
	visit_datagrams(data, size);
	return 0;
}
