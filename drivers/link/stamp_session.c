// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Matching answers, and reading losses from two counts (stamp_session.h).
#include "stamp_session.h"

#include <math.h>
#include <string.h>

enum { FIRST_LEAST = 0x100 };

void sp_stamp_session_begin(struct sp_stamp_session *session, const uint8_t random[6])
{
	memset(session, 0, sizeof(*session));
	session->ssid = (uint16_t)(random[0] << 8 | random[1]);
	if (session->ssid == 0)
		session->ssid = 1;
	// Not 0 (RFC 8762 §4.2.1): to a reflector it looks as if the ones before were lost; and one that
	// counts begins with 0 all the same, whereas a stateless one shows itself by repeating our number.
	memcpy(&session->first, random + 2, sizeof(session->first));
	session->first = FIRST_LEAST + (session->first & 0x7fffffff);
}

void sp_stamp_session_sent(struct sp_stamp_session *session, int64_t now_us, uint64_t time)
{
	session->probes[session->count++] = (struct sp_stamp_probe){.sent_us = now_us, .time = time};
}

bool sp_stamp_session_take(struct sp_stamp_session *session, const uint8_t *data, size_t length,
			   int64_t now_us, uint64_t time)
{
	struct sp_stamp_answer answer;
	if (sp_stamp_parse(data, length, &answer) < 0)
		return false;
	// Reflectors that do not know RFC 8972 leave zeros there.
	if (answer.ssid != session->ssid && answer.ssid != 0)
		return false;
	uint32_t index = answer.our_sequence - session->first;
	if (index >= session->count)
		return false;
	struct sp_stamp_probe *probe = &session->probes[index];
	if (probe->fate != SP_STAMP_OPEN || answer.our_time != probe->time)
		return false;
	double elapsed = (double)(now_us - probe->sent_us) / 1e6;
	double there = sp_stamp_between(answer.received, answer.sent);
	probe->fate = SP_STAMP_ANSWERED;
	probe->number = answer.sequence;
	// A clock that was set between the two times, or an invention.
	probe->rtt = there >= 0 && there <= elapsed ? elapsed - there : NAN;
	probe->forward = sp_stamp_between(probe->time, answer.received);
	probe->backward = sp_stamp_between(answer.sent, time);
	probe->peer = answer.clock;
	session->stateless |= answer.sequence == answer.our_sequence;
	return true;
}

size_t sp_stamp_session_answered(const struct sp_stamp_session *session)
{
	size_t count = 0;
	for (size_t i = 0; i < session->count; i++)
		count += session->probes[i].fate == SP_STAMP_ANSWERED;
	return count;
}

/// Of the packets from `from` to before `to`, all lost, `returned` were lost on the way back. Which of them
/// is not known, and of no matter.
static void part(struct sp_stamp_session *session, size_t from, size_t to, size_t returned)
{
	for (size_t i = from; i < to; i++)
		session->probes[i].fate = i - from < returned ? SP_STAMP_BACKWARD : SP_STAMP_FORWARD;
}

void sp_stamp_tally(struct sp_stamp_session *session)
{
	size_t from = 0;       // the first packet whose fate is open
	uint32_t expected = 0; // the reflector's number of the next one that reaches it
	bool fits = !session->stateless;
	for (size_t i = 0; i < session->count; i++) {
		struct sp_stamp_probe *probe = &session->probes[i];
		if (probe->fate != SP_STAMP_ANSWERED)
			continue;
		uint32_t returned = probe->number - expected;
		// More than were sent: doubled on the way, or the reflector began anew, or packets overtook
		// one another. Where these were lost is not known, but behind here it may be again.
		if (fits && returned <= i - from)
			part(session, from, i, returned);
		from = i + 1;
		expected = probe->number + 1;
	}
	for (size_t i = 0; i < session->count; i++) {
		if (session->probes[i].fate == SP_STAMP_OPEN)
			session->probes[i].fate = SP_STAMP_EITHER;
	}
}
