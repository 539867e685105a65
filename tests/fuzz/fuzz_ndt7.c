// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What an ndt7 server may say: a locator's answer, a measurement, the answer to an upgrade, and a stream of
// frames, whole and in pieces, to both directions.
#include <stdlib.h>
#include <string.h>

#include "drivers/speed/ndt7_session.h"
#include "drivers/speed/ndt7_upgrade.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_url(struct sp_ndt7_url *url)
{
	static char request[SP_NDT7_REQUEST];
	check(url->host[0] && url->port > 0 && url->target[0] == '/');
	int added = sp_ndt7_url_add(url, "client_name", "schoolpulse");
	check(added == 0 || strlen(url->target) > SP_NDT7_QUERY - 64);
	// Nothing in it can end a line of the request's head.
	size_t length = sp_ndt7_upgrade_request(url, "dGhlIHNhbXBsZSBub25jZQ==", request);
	check(length < sizeof(request) && strstr(request, "\r\n\r\n") == request + length - 4);
	unsigned lines = 0;
	for (const char *at = request; (at = strchr(at, '\n')); at++)
		lines++;
	check(lines == 9);
}

static void locate(const char *text, size_t size)
{
	static struct sp_ndt7_server servers[SP_NDT7_SERVERS];
	for (int tls = 0; tls < 2; tls++) {
		int count = sp_ndt7_locate_parse(text, size, tls, servers);
		check(count <= SP_NDT7_SERVERS);
		for (int i = 0; i < count; i++) {
			check(servers[i].urls[0].tls == tls && servers[i].urls[1].tls == tls);
			check_url(&servers[i].urls[0]);
			check_url(&servers[i].urls[1]);
		}
	}
}

/// Pieces of `step` bytes: where they are cut must not matter.
static void stream(const uint8_t *data, size_t size, enum sp_speed_direction direction, size_t step,
		   struct sp_ndt7_session *s)
{
	const struct sp_ndt7_tcp tcp = {.rtt_us = 1000, .min_rtt_us = 900};
	int64_t now = 1000;
	char text[256];
	struct sp_speed_result result;
	sp_ndt7_session_begin(s, direction, &sp_ndt7_times_standard, 0, 42, &tcp, now);
	for (size_t at = 0; at < size && !s->over; at += step) {
		size_t length = size - at < step ? size - at : step;
		// Exactly as long as it is told: what reads on is caught.
		uint8_t *piece = malloc(length);
		memcpy(piece, data + at, length);
		sp_ndt7_session_receive(s, piece, length, now);
		free(piece);
	}
	size_t length = 0;
	for (int i = 0; i < 4; i++) {
		now += 300 * 1000;
		const uint8_t *out = sp_ndt7_session_piece(s, now, &length);
		check(!out || (length > 0 && length <= sizeof(s->bulk)));
		if (out)
			sp_ndt7_session_wrote(s, length);
	}
	sp_ndt7_session_look(s, &tcp, now);
	sp_ndt7_session_lost(s, now);
	sp_ndt7_session_result(s, &result, text, sizeof(text));
	check(s->over && s->received >= 0 && s->received <= (int64_t)size);
	check(result.outcome != SP_SPEED_NOT_DONE && result.bytes >= 0 && result.duration_us >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sp_ndt7_session whole, pieces;
	struct sp_ndt7_measurement measurement;
	struct sp_ndt7_verdict verdict = {.reason = ""};
	char *text = malloc(size + 1);
	memcpy(text, data, size);
	text[size] = '\0';
	locate(text, size);
	if (sp_ndt7_measurement_parse(text, size, &measurement) == 0)
		check(measurement.rtt_us >= -1 && measurement.bytes_received >= -1);
	int head = size ? sp_ndt7_upgrade_answer(text, size, "dGhlIHNhbXBsZSBub25jZQ==", &verdict) : 0;
	check(head <= (int)size && (head >= 0 || (verdict.reason[0] && verdict.text[0])));
	struct sp_ndt7_url url;
	if (sp_ndt7_url_parse(&url, text) == 0)
		check_url(&url);
	(void)sp_ndt7_url_is_mlab(text);
	free(text);
	for (int i = 0; i < SP_SPEED_DIRECTIONS; i++) {
		stream(data, size, (enum sp_speed_direction)i, size + 1, &whole);
		stream(data, size, (enum sp_speed_direction)i, 3, &pieces);
		check(whole.received == pieces.received && whole.end == pieces.end &&
		      whole.measurements == pieces.measurements && whole.fault == pieces.fault);
	}
	return 0;
}
