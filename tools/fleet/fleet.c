// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// See the header.
#include "tools/fleet/fleet.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/mem.h"
#include "schoolpulse/log.h"

enum {
	EVENTS = 512,
	READ_SIZE = 64 * 1024,
	READS_A_TURN = 8,
	TURNS_A_ROUND = 2000,
	FRONTIER_US = 200 * 1000,
	WAIT_MAX_MS = 200,
	GOODBYE_US = 2000 * 1000,
};
static const int64_t WEEK_MS = 7 * INT64_C(86400000);

struct sp_talk_now sp_fleet_now(void)
{
	struct timespec mono, wall;
	clock_gettime(CLOCK_MONOTONIC, &mono);
	clock_gettime(CLOCK_REALTIME, &wall);
	return (struct sp_talk_now){mono.tv_sec * INT64_C(1000000) + mono.tv_nsec / 1000,
				    wall.tv_sec * INT64_C(1000) + wall.tv_nsec / 1000000};
}

// ---- one board ------------------------------------------------------------------------------------------

static void watch(struct sp_member *m)
{
	uint32_t wanted = (m->link.wants & POLLIN ? (uint32_t)EPOLLIN : 0u) |
			  (m->link.wants & POLLOUT ? (uint32_t)EPOLLOUT : 0u);
	struct epoll_event event = {.events = wanted, .data.ptr = m};
	if (m->link.fd < 0 || wanted == m->events)
		return;
	(void)epoll_ctl(m->fleet->epoll, m->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, m->link.fd, &event);
	m->events = wanted;
}

static void hang_up(struct sp_member *m)
{
	sp_link_close(&m->link);
	m->events = 0;
}

static void lose(struct sp_member *m, const struct sp_talk_now *now, const char *why)
{
	hang_up(m);
	if (m->talk.phase == SP_TALK_DOWN)
		return;
	sp_debug("fleet", "%s: %s", m->talk.life.board->device, why);
	sp_talk_lost(&m->talk, now, why);
}

static void dial(struct sp_member *m, const struct sp_talk_now *now)
{
	struct sp_link_way *way = &m->fleet->config->way;
	unsigned sources = way->sources;
	int result = sp_link_dial(&m->link, way, (size_t)(m - m->fleet->members));
	if (way->sources != sources)
		sp_notice("fleet", "ports ran out: connecting from %u addresses of the loopback",
			  way->sources);
	if (result < 0) {
		const char *why = result == -EADDRNOTAVAIL ? way->why : strerror(-result);
		sp_warning("fleet", "cannot connect: %s", why);
		lose(m, now, why);
	}
}

static void flush(struct sp_member *m, const struct sp_talk_now *now)
{
	size_t before = m->talk.out.length;
	if (m->link.phase != SP_LINK_OPEN || before == 0)
		return;
	size_t sent = m->link.sent;
	int result = sp_link_flush(&m->link, &m->talk.out);
	m->fleet->figures.sent_bytes += (int64_t)((m->talk.out.length ? m->link.sent : before) - sent);
	if (result < 0)
		lose(m, now, strerror(-result));
}

/// Lets the board do what is due, and carries out what it wishes.
static void turn(struct sp_member *m, const struct sp_talk_now *now)
{
	bool was_over = m->talk.life.over;
	for (int rounds = 0; rounds < 3; rounds++) {
		m->due_us = sp_talk_turn(&m->talk, now, m->fleet->frontier_ms);
		enum sp_talk_wish wish = m->talk.wish;
		m->talk.wish = SP_TALK_STAY;
		if (wish == SP_TALK_DIAL)
			dial(m, now);
		if (wish == SP_TALK_CLOSE) {
			flush(m, now);
			lose(m, now, m->talk.text);
			sp_buf_free(&m->talk.out);
			continue;
		}
		if (wish == SP_TALK_STAY)
			break;
	}
	flush(m, now);
	watch(m);
	m->fleet->living -= !was_over && m->talk.life.over;
	sp_heap_fix(m->fleet, m);
}

// ---- the socket -----------------------------------------------------------------------------------------

/// False: the connection is gone, or is to go.
static bool take_bytes(struct sp_member *m, const struct sp_talk_now *now, const uint8_t *bytes,
		       size_t length)
{
	struct sp_packet packet;
	int result;
	while ((result = sp_mqtt_check_take(&m->link.check, &bytes, &length)) == 1) {
		sp_packet_read(&m->link.check, &packet);
		sp_talk_packet(&m->talk, now, &packet);
		if (m->talk.wish == SP_TALK_CLOSE)
			return false;
	}
	if (result < 0)
		lose(m, now, m->link.check.fault);
	return result == 0;
}

static void readable(struct sp_member *m, const struct sp_talk_now *now)
{
	static uint8_t bytes[READ_SIZE];
	for (int i = 0; i < READS_A_TURN && m->link.fd >= 0; i++) {
		ssize_t got = sp_link_read(&m->link, bytes, sizeof(bytes));
		if (got < 0)
			lose(m, now,
			     got == -EPIPE ? "the broker closed the connection" : strerror((int)-got));
		if (got <= 0)
			return;
		m->fleet->figures.received_bytes += got;
		if (!take_bytes(m, now, bytes, (size_t)got) || (got < READ_SIZE && !m->link.ssl))
			return;
	}
}

static void ready(struct sp_member *m, const struct sp_talk_now *now)
{
	char why[160] = "";
	if (m->link.phase == SP_LINK_DIALING || m->link.phase == SP_LINK_HANDSHAKE) {
		int result = sp_link_advance(&m->link, why);
		if (result < 0)
			lose(m, now, why);
		else if (result == 1)
			sp_talk_connected(&m->talk, now);
	} else if (m->link.phase == SP_LINK_OPEN) {
		readable(m, now);
	}
	turn(m, now);
}

// ---- all of them ----------------------------------------------------------------------------------------

/// All boards go through the same week of the past at a time.
static void set_frontier(struct sp_fleet *fleet, const struct sp_talk_now *now)
{
	int64_t least = INT64_MAX;
	if (now->mono_us < fleet->frontier_us)
		return;
	for (size_t i = 0; i < fleet->count; i++) {
		const struct sp_life *life = &fleet->members[i].talk.life;
		if (!life->over && life->at_ms < least)
			least = life->at_ms;
	}
	fleet->frontier_ms = least < INT64_MAX - WEEK_MS ? least + WEEK_MS : INT64_MAX;
	fleet->frontier_us = now->mono_us + FRONTIER_US;
}

struct sp_figures_more sp_fleet_more(const struct sp_fleet *fleet)
{
	struct sp_figures_more more = {.boards = (int64_t)fleet->count};
	for (size_t i = 0; i < fleet->count; i++) {
		const struct sp_keep *keep = &fleet->members[i].talk.life.keep;
		more.made += keep->batches;
		more.made_events += keep->records;
		more.made_facts += keep->facts;
		more.waiting += (int64_t)keep->waiting;
		more.digest += keep->digest;
	}
	more.seconds = (double)(sp_fleet_now().mono_us - fleet->began_us) / 1e6;
	return more;
}

static bool all_settled(const struct sp_fleet *fleet)
{
	if (fleet->living > 0)
		return false;
	for (size_t i = 0; i < fleet->count; i++)
		if (!sp_talk_done(&fleet->members[i].talk))
			return false;
	return true;
}

static void round_of_turns(struct sp_fleet *fleet, struct sp_talk_now *now)
{
	for (int i = 0; i < TURNS_A_ROUND && fleet->heap[0]->due_us <= now->mono_us; i++) {
		turn(fleet->heap[0], now);
		*now = sp_fleet_now();
	}
}

static void wait_for_events(struct sp_fleet *fleet, const struct sp_talk_now *now)
{
	struct epoll_event events[EVENTS];
	int64_t wait_ms = (fleet->heap[0]->due_us - now->mono_us + 999) / 1000;
	wait_ms = wait_ms < 0 ? 0 : wait_ms > WAIT_MAX_MS ? WAIT_MAX_MS : wait_ms;
	int count = epoll_wait(fleet->epoll, events, EVENTS, (int)wait_ms);
	for (int i = 0; i < count; i++) {
		struct sp_talk_now then = sp_fleet_now();
		ready(events[i].data.ptr, &then);
	}
}

static void say_goodbye(struct sp_fleet *fleet)
{
	struct sp_talk_now now = sp_fleet_now();
	for (size_t i = 0; i < fleet->count; i++) {
		struct sp_member *m = &fleet->members[i];
		sp_talk_stop(&m->talk, &now);
		flush(m, &now);
	}
	// What the kernel took it brings over; the rest gets a moment.
	for (int64_t until = now.mono_us + GOODBYE_US; now.mono_us < until; now = sp_fleet_now()) {
		bool left = false;
		for (size_t i = 0; i < fleet->count; i++) {
			flush(&fleet->members[i], &now);
			left =
			    left || (fleet->members[i].link.fd >= 0 && fleet->members[i].talk.out.length > 0);
		}
		if (!left)
			break;
		(void)poll(NULL, 0, 10);
	}
}

struct progress {
	struct sp_figures figures;
	int64_t next_us, last_us;
};

static void show(struct sp_fleet *fleet, struct progress *p, const struct sp_talk_now *now)
{
	int64_t every_us = fleet->config->progress_ms * 1000;
	if (every_us == 0 || now->mono_us < p->next_us)
		return;
	struct sp_figures_more more = sp_fleet_more(fleet);
	if (p->last_us)
		sp_figures_progress(&fleet->figures, &p->figures, &more,
				    (double)(now->mono_us - p->last_us) / 1e6, stderr);
	p->figures = fleet->figures;
	p->last_us = now->mono_us;
	p->next_us = now->mono_us + every_us;
}

/// The lives end now, as if it had been said so.
static void end_lives(struct sp_fleet *fleet, const struct sp_talk_now *now)
{
	fleet->config->life.end_ms = now->wall_ms;
	for (size_t i = 0; i < fleet->count; i++) {
		struct sp_member *m = &fleet->members[i];
		if (m->talk.life.over)
			continue;
		if (m->talk.life.next_ms > now->wall_ms)
			m->talk.life.next_ms = now->wall_ms;
		m->due_us = now->mono_us;
		sp_heap_fix(fleet, m);
	}
}

void sp_fleet_run(struct sp_fleet *fleet)
{
	struct progress progress = {.next_us = 0};
	int64_t settle_until_us = 0;
	bool stopping = false;
	for (;;) {
		struct sp_talk_now now = sp_fleet_now();
		set_frontier(fleet, &now);
		round_of_turns(fleet, &now);
		wait_for_events(fleet, &now);
		now = sp_fleet_now();
		show(fleet, &progress, &now);
		if (*fleet->config->stop && !stopping) {
			stopping = true;
			end_lives(fleet, &now);
		}
		if (fleet->living == 0 && !settle_until_us)
			settle_until_us = now.mono_us + fleet->config->settle_ms * 1000;
		if (fleet->living == 0 && (now.mono_us > settle_until_us || all_settled(fleet)))
			break;
	}
	say_goodbye(fleet);
}

// ---- beginning and end ----------------------------------------------------------------------------------

static int add_tls(struct sp_member *m, const struct sp_fleet_config *config, char why[256])
{
	const struct sp_roster_board *b = m->talk.life.board;
	char *cert = NULL, *key = NULL;
	if (!config->ca_file)
		return 0;
	if (config->certs) {
		cert = sp_asprintf("%s/%s-%s.crt", config->certs, b->shard, b->device);
		key = sp_asprintf("%s/%s-%s.key", config->certs, b->shard, b->device);
		if (access(cert, R_OK) < 0) {
			free(cert);
			free(key);
			cert = sp_asprintf("%s/%s/%s/board.crt", config->certs, b->shard, b->device);
			key = sp_asprintf("%s/%s/%s/board.key", config->certs, b->shard, b->device);
		}
	}
	m->link.tls = sp_tls_new(config->ca_file, cert, key, config->host, why);
	free(cert);
	free(key);
	return m->link.tls ? 0 : -EINVAL;
}

int sp_fleet_init(struct sp_fleet *fleet, struct sp_fleet_config *config, const struct sp_roster *roster,
		  char why[256])
{
	struct sp_talk_now now = sp_fleet_now();
	*fleet = (struct sp_fleet){.config = config,
				   .count = roster->count,
				   .living = roster->count,
				   .members = sp_alloc((roster->count + 1) * sizeof(struct sp_member)),
				   .heap = sp_alloc((roster->count + 1) * sizeof(struct sp_member *)),
				   .epoll = epoll_create1(EPOLL_CLOEXEC),
				   .began_us = now.mono_us,
				   .frontier_ms = config->life.start_ms + WEEK_MS};
	int result = fleet->epoll < 0 ? -errno : 0;
	config->talk.warm_us = now.mono_us + config->warm_ms * 1000;
	for (size_t i = 0; i < fleet->count; i++) {
		struct sp_member *m = &fleet->members[i];
		int64_t first_us = now.mono_us + (int64_t)i * 1000000 / config->connect_rate;
		m->fleet = fleet;
		m->due_us = first_us;
		m->place = i;
		fleet->heap[i] = m;
		sp_link_init(&m->link);
		sp_talk_init(&m->talk, &config->talk, &config->life, &roster->boards[i], i, &fleet->figures,
			     &now, first_us);
		if (result == 0)
			result = add_tls(m, config, why);
	}
	return result;
}

void sp_fleet_free(struct sp_fleet *fleet)
{
	for (size_t i = 0; i < fleet->count; i++) {
		sp_link_free(&fleet->members[i].link);
		sp_talk_free(&fleet->members[i].talk);
	}
	free(fleet->members);
	free(fleet->heap);
	if (fleet->epoll >= 0)
		close(fleet->epoll);
	*fleet = (struct sp_fleet){.epoll = -1};
}
