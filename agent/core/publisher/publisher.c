// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The publisher's API and its thread: one loop over the session's socket, the journal's answers and the
// clock.
//
// Rules, and where they live:
//   window, lanes, resending, the backlog's rate     window.h
//   when to connect                                  backoff.h
//   session, will, birth                             link.c
//   the hub's epoch and acknowledgements             hub.c
// While the hub is away (or was never heard) backlog waits: the broker would queue it up to its limit and
// drop the rest. Facts and attendance are sent all the same, at the pace of the window's resending: whoever
// else listens gets them, and a broker that keeps them for the hub saves the hub a round.
// Over TLS, while nobody knows the time, all is sent but nothing settled: whoever holds a certificate that
// ran out could else empty a board. The first acknowledgement with the hub's time ends that; what was dropped
// is acknowledged again when it is sent again. Where neither the hub nor the board has a time server, or the
// broker alone acknowledges, it lasts until one has: facts are kept and sent again at the window's pace, and
// the status says why.
// A broker that does not PUBACK anything until a batch is due again is left, so that nothing piles up in
// libmosquitto.
#include "agent/core/publisher/publisher.h"

#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/mem.h"
#include "agent/core/publisher/thread.h"
#include "schoolpulse/clock.h"
#include "schoolpulse/log.h"

enum {
	TURN_MS = 120 * 1000, ///< what one turn may take beyond its waiting
	WAIT_MAX_US = 60 * 1000 * 1000,
	GOODBYE_US = 2000 * 1000, ///< for the PUBACK of "stopped"
	JOIN_BEYOND_MS = 8 * 1000,
};

// ---- any thread -----------------------------------------------------------------------------------------

static void wake(void *arg)
{
	struct sp_publisher *p = arg;
	uint64_t one = 1;
	ssize_t ignored = write(p->wake_fd, &one, sizeof(one));
	(void)ignored;
}

static const char *copied(struct sp_publisher *p, const char *text)
{
	if (!text)
		return NULL;
	return p->texts[p->text_count++] = sp_strdup(text);
}

static void copy_config(struct sp_publisher *p, const struct sp_publisher_config *config)
{
	struct sp_mqtt_config *m = &p->config.mqtt;
	p->config = *config;
	m->host = copied(p, m->host);
	m->username = copied(p, m->username);
	m->password = copied(p, m->password);
	m->ca_file = copied(p, m->ca_file);
	m->cert_file = copied(p, m->cert_file);
	m->key_file = copied(p, m->key_file);
	p->config.shard = copied(p, config->shard);
	p->config.device = copied(p, config->device);
	p->config.boot = copied(p, config->boot);
	p->config.version = copied(p, config->version);
	p->client_id = sp_asprintf("%s/%s", config->shard, config->device);
	p->state_topic = sp_asprintf("sp1/up/%s/%s/state", config->shard, config->device);
	p->ack_topic = sp_asprintf("sp1/down/%s/%s/ack", config->shard, config->device);
	p->cmd_topic = sp_asprintf("sp1/down/%s/%s/cmd", config->shard, config->device);
	p->hub_topic = sp_asprintf("sp1/hub/%s/state", config->shard);
	for (int cls = 0; cls < SP_RECORD_CLASSES; cls++)
		p->class_topic[cls] = sp_asprintf("sp1/up/%s/%s/%s", config->shard, config->device,
						  sp_record_class_name((enum sp_record_class)cls));
}

static void dispose(struct sp_queue_node *node)
{
	sp_publisher_answer_free((struct sp_publisher_answer *)node);
}

void sp_publisher_free(struct sp_publisher *p)
{
	if (!p || p->left_behind)
		return;
	sp_queue_free(p->answers, dispose);
	pthread_mutex_destroy(&p->mutex);
	close(p->wake_fd);
	free(p->client_id);
	free(p->state_topic);
	free(p->ack_topic);
	free(p->cmd_topic);
	free(p->hub_topic);
	for (int cls = 0; cls < SP_RECORD_CLASSES; cls++)
		free(p->class_topic[cls]);
	for (size_t i = 0; i < p->text_count; i++)
		free(p->texts[i]);
	free(p);
}

static int start_thread(struct sp_publisher *p)
{
	sigset_t all, old;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int result = pthread_create(&p->thread, NULL, sp_publisher_thread, p);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (result == 0)
		(void)pthread_setname_np(p->thread, "publisher");
	return -result;
}

int sp_publisher_start(struct sp_publisher **out, const struct sp_publisher_config *config,
		       struct sp_journal *journal, struct sp_deadline *deadline, void (*changed)(void *arg),
		       void *arg)
{
	struct sp_publisher *p = sp_alloc(sizeof(*p));
	*out = NULL;
	p->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->wake_fd < 0) {
		int error = -errno;
		free(p);
		return error;
	}
	copy_config(p, config);
	p->journal = journal;
	p->deadline = deadline;
	p->changed = changed;
	p->changed_arg = arg;
	p->answers = sp_queue_new(8, wake, p);
	pthread_mutex_init(&p->mutex, NULL);
	snprintf(p->status.broker, sizeof(p->status.broker), "%s:%u", config->mqtt.host, config->mqtt.port);
	int result = start_thread(p);
	if (result < 0)
		sp_publisher_free(p);
	else
		*out = p;
	return result;
}

void sp_publisher_news(struct sp_publisher *p)
{
	if (!atomic_exchange(&p->news, true))
		wake(p);
}

void sp_publisher_hurry(struct sp_publisher *p)
{
	atomic_store(&p->hurry, true);
	wake(p);
}

void sp_publisher_doubt(struct sp_publisher *p)
{
	if (!atomic_exchange(&p->doubt, true))
		wake(p);
}

void sp_publisher_hush(struct sp_publisher *p, bool hushed)
{
	if (atomic_exchange(&p->hushed, hushed) != hushed)
		wake(p);
}

int64_t sp_publisher_received_us(struct sp_publisher *p)
{
	return atomic_load(&p->received_us);
}

static void note_received(struct sp_publisher *p)
{
	int64_t at_us = p->mqtt ? sp_mqtt_received_us(p->mqtt) : 0;
	if (at_us > 0)
		atomic_store(&p->received_us, at_us);
}

void sp_publisher_status(struct sp_publisher *p, struct sp_publisher_status *out)
{
	pthread_mutex_lock(&p->mutex);
	*out = p->status;
	pthread_mutex_unlock(&p->mutex);
}

int sp_publisher_stop(struct sp_publisher *p, int64_t flush_ms)
{
	atomic_store(&p->flush_ms, flush_ms);
	atomic_store(&p->stop, true);
	wake(p);
	int result = sp_deadline_join(p->thread, flush_ms + JOIN_BEYOND_MS);
	p->left_behind = result < 0;
	return result;
}

// ---- the thread -------------------------------------------------------------------------------------------

void sp_publisher_reason(struct sp_publisher *p, const char *format, ...)
{
	char text[sizeof(p->reason)];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	// sp_log() counts repeats, but these come minutes apart.
	if (strcmp(text, p->reason) != 0)
		sp_warning("publisher", "%s: %s", p->status.broker, text);
	memcpy(p->reason, text, sizeof(text));
}

bool sp_publisher_verify(struct sp_publisher *p, int64_t t_ms)
{
	bool provisional = sp_mqtt_provisional(p->mqtt);
	if (sp_mqtt_verify(p->mqtt, t_ms) < 0)
		return false;
	if (provisional)
		sp_notice("publisher", "the broker's certificate is good at the time that is now known");
	if (p->unbelieved)
		p->reason[0] = '\0';
	p->unbelieved = false;
	return true;
}

bool sp_publisher_may_settle(struct sp_publisher *p)
{
	if (!sp_mqtt_provisional(p->mqtt))
		return true;
	p->unbelieved = true;
	sp_publisher_reason(p, "nothing is settled before the time is known, since the broker's certificate "
			       "may be out of date: let the hub or this board ask a time server");
	return false;
}

static void set_status(struct sp_publisher *p)
{
	struct sp_publisher_status s = {.connected = p->connected_us != 0,
					.hub_online = p->hub_online,
					.attendance_days = p->attendance_days,
					.connected_since_us = p->connected_us,
					.silent_since_us = sp_publisher_silent_since(p, sp_clock_mono_us()),
					.sent = p->sent,
					.acknowledged = p->acknowledged,
					.resent = p->resent,
					.refused = p->refused,
					.in_flight = (int64_t)sp_window_in_flight(&p->window),
					.traffic_bytes =
					    p->traffic + (p->mqtt ? sp_mqtt_traffic(p->mqtt) : 0),
					.next_attempt_us = p->phase == SP_PUBLISHER_DOWN ? p->next_us : 0};
	memcpy(s.interface, p->interface, sizeof(s.interface));
	memcpy(s.broker, p->status.broker, sizeof(s.broker));
	memcpy(s.reason, p->reason, sizeof(s.reason));
	memcpy(s.hub_epoch, p->hub_epoch, sizeof(s.hub_epoch));
	bool changed = s.connected != p->status.connected || s.hub_online != p->status.hub_online ||
		       s.silent_since_us != p->status.silent_since_us;
	pthread_mutex_lock(&p->mutex);
	p->status = s;
	pthread_mutex_unlock(&p->mutex);
	if (changed && p->changed)
		p->changed(p->changed_arg);
}

static void take_answers(struct sp_publisher *p)
{
	struct sp_queue_node *node;
	while ((node = sp_queue_pop(p->answers, 0))) {
		struct sp_publisher_answer *answer = (struct sp_publisher_answer *)node;
		int64_t now = sp_clock_mono_us();
		if (answer->held)
			sp_publisher_born(p, answer, now);
		else
			sp_publisher_send(p, answer, now);
		sp_publisher_answer_free(answer);
	}
}

static void take_flags(struct sp_publisher *p, int64_t now)
{
	p->window.hushed = atomic_load(&p->hushed);
	if (atomic_exchange(&p->news, false))
		sp_window_news(&p->window);
	if (atomic_exchange(&p->hurry, false) && p->phase == SP_PUBLISHER_DOWN) {
		int64_t soon = now + sp_backoff_first_ms(p->config.backoff_max_ms, sp_random_unit()) * 1000;
		p->backoff.failures = 0;
		if (soon < p->next_us)
			p->next_us = soon;
	}
	sp_publisher_take_doubt(p, now);
	if (atomic_load(&p->stop) && !p->flush_until_us) {
		p->flush_until_us = now + atomic_load(&p->flush_ms) * 1000;
		sp_window_news(&p->window);
	}
}

/// The kernel may have learnt the time while the session stood on a certificate without dates.
static void verify_again(struct sp_publisher *p)
{
	if (!p->mqtt || !sp_mqtt_provisional(p->mqtt))
		return;
	struct sp_clock_reading now = sp_clock_now();
	if (now.synced)
		(void)sp_publisher_verify(p, now.wall_ms);
}

/// One round of everything that time or an event may have made due.
static void step(struct sp_publisher *p)
{
	int64_t now = sp_clock_mono_us();
	bool mute;
	if (p->phase == SP_PUBLISHER_DOWN && now >= p->next_us && !p->flush_until_us)
		sp_publisher_attempt(p, now);
	if (p->over) {
		sp_publisher_drop(p, now);
		return;
	}
	verify_again(p);
	sp_publisher_greet(p, now);
	sp_window_expire(&p->window, now, &mute);
	mute = mute && p->phase == SP_PUBLISHER_UP;
	if (mute || sp_publisher_despairs(p, now)) {
		sp_publisher_reason(p, "the broker does not answer what we send");
		sp_publisher_drop(p, now);
		return;
	}
	sp_publisher_ask(p, now);
}

/// True when the thread may end.
static bool finished(struct sp_publisher *p)
{
	int64_t now = sp_clock_mono_us();
	if (!p->flush_until_us)
		return false;
	if (p->phase != SP_PUBLISHER_UP)
		return p->phase != SP_PUBLISHER_GREETING || now >= p->flush_until_us;
	if (p->stopping)
		return p->stopped_taken || now >= p->flush_until_us + GOODBYE_US;
	// Without a hub nobody acknowledges: what the broker took must do.
	bool idle = !p->asking && !p->birth_us && sp_window_idle(&p->window, !p->hub_online);
	if (!idle && now < p->flush_until_us)
		return false;
	p->stopping = true;
	p->flush_until_us = now;
	return sp_publisher_publish_state(p, SP_FEED_STOPPED, NULL, 0, &p->stopped_mid) < 0;
}

static int64_t wait_us(struct sp_publisher *p)
{
	int64_t now = sp_clock_mono_us(), until = now + WAIT_MAX_US;
	int64_t due[5] = {INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, sp_publisher_doubt_due(p, now)};
	if (p->phase == SP_PUBLISHER_DOWN)
		due[0] = p->next_us;
	if (p->birth_us && !p->asking && !p->asking_held)
		due[1] = p->birth_us;
	if (p->phase == SP_PUBLISHER_UP && !p->asking)
		due[2] = sp_window_next_us(&p->window, now);
	if (p->flush_until_us)
		due[3] = p->stopping ? p->flush_until_us + GOODBYE_US : p->flush_until_us;
	for (size_t i = 0; i < SP_COUNT(due); i++) {
		if (due[i] < until)
			until = due[i];
	}
	return until > now ? until - now : 0;
}

static void wait(struct sp_publisher *p)
{
	int64_t timeout = wait_us(p);
	sp_deadline_announce(p->deadline, timeout / 1000 + TURN_MS);
	if (p->mqtt) {
		sp_mqtt_turn(p->mqtt, timeout, p->wake_fd);
		note_received(p);
		return;
	}
	struct pollfd fd = {.fd = p->wake_fd, .events = POLLIN};
	struct timespec ts = {timeout / 1000000, (long)(timeout % 1000000 * 1000)};
	uint64_t count;
	if (ppoll(&fd, 1, &ts, NULL) > 0) {
		ssize_t ignored = read(p->wake_fd, &count, sizeof(count));
		(void)ignored;
	}
}

void *sp_publisher_thread(void *arg)
{
	struct sp_publisher *p = arg;
	int64_t now = sp_clock_mono_us();
	sp_window_init(&p->window, p->config.resend_min_ms, p->config.resend_max_ms,
		       p->config.backlog_per_second, sp_random_unit, now);
	p->window.hold_backlog = p->config.ack_mode == SP_ACK_HUB;
	p->next_us = now + sp_backoff_first_ms(p->config.backoff_max_ms, sp_random_unit()) * 1000;
	while (!finished(p)) {
		set_status(p);
		wait(p);
		take_answers(p);
		take_flags(p, sp_clock_mono_us());
		step(p);
	}
	sp_deadline_announce(p->deadline, TURN_MS);
	if (p->mqtt)
		sp_mqtt_disconnect(p->mqtt, p->phase == SP_PUBLISHER_UP && !p->stopping);
	sp_publisher_forget_session(p);
	p->phase = SP_PUBLISHER_DOWN;
	p->connected_us = 0;
	p->hub_online = false;
	set_status(p);
	sp_deadline_idle(p->deadline);
	return NULL;
}
