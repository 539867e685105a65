// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Is the broker still there? A data centre that goes dark says nothing, and keepalive finds out a minute or
// two later. When something else on the line falls silent the broker is asked at once: by a subscription that
// it holds already, the one question of MQTT that libmosquitto lets an owner ask at any time. Whatever comes
// from the broker then is an answer.
#include "agent/core/publisher/thread.h"

#include "schoolpulse/clock.h"

enum {
	PAUSE_US = 10 * 1000 * 1000, ///< between questions: on a lossy line suspicion is common
	ANSWER_US = 5 * 1000 * 1000, ///< then the session is called silent
	LEAVE_US = 20 * 1000 * 1000, ///< then it is left: TCP would try again ever more rarely
};

void sp_publisher_take_doubt(struct sp_publisher *p, int64_t now_us)
{
	bool connected = p->phase == SP_PUBLISHER_GREETING || p->phase == SP_PUBLISHER_UP;
	// Too soon after the last question, but this suspicion is younger: later.
	if (connected && !p->doubt_us && now_us < p->doubt_next_us)
		return;
	if (!atomic_exchange(&p->doubt, false) || !connected || p->doubt_us)
		return;
	p->doubt_next_us = now_us + PAUSE_US;
	if (sp_mqtt_subscribe(p->mqtt, p->ack_topic) == 0)
		p->doubt_us = now_us;
}

void sp_publisher_no_doubt(struct sp_publisher *p)
{
	p->doubt_us = p->left_us = 0;
}

void sp_publisher_leave(struct sp_publisher *p)
{
	int64_t since_us = p->doubt_us ? p->doubt_us : p->left_us;
	sp_publisher_no_doubt(p);
	p->left_us = since_us;
}

int64_t sp_publisher_silent_since(const struct sp_publisher *p, int64_t now_us)
{
	if (p->left_us)
		return p->left_us;
	return p->doubt_us && now_us - p->doubt_us >= ANSWER_US ? p->doubt_us : 0;
}

bool sp_publisher_despairs(const struct sp_publisher *p, int64_t now_us)
{
	return p->doubt_us && now_us - p->doubt_us >= LEAVE_US;
}

int64_t sp_publisher_doubt_due(const struct sp_publisher *p, int64_t now_us)
{
	if (!p->doubt_us)
		return p->mqtt && atomic_load(&p->doubt) ? p->doubt_next_us : INT64_MAX;
	return p->doubt_us + (now_us - p->doubt_us < ANSWER_US ? ANSWER_US : LEAVE_US);
}
