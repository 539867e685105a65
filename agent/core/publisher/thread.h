// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the publisher's files share: its state, all of it the thread's own but for what says otherwise.
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "agent/base/queue.h"
#include "agent/base/tls.h"
#include "agent/core/publisher/publisher.h"
#include "agent/core/publisher/backoff.h"
#include "agent/core/publisher/window.h"

enum sp_publisher_phase {
	SP_PUBLISHER_DOWN,     ///< until next_us
	SP_PUBLISHER_DIALING,  ///< an attempt is under way
	SP_PUBLISHER_GREETING, ///< connected, the birth is due
	SP_PUBLISHER_UP,       ///< the birth is out: batches flow
};

/// An answer of the journal.
struct sp_publisher_answer {
	struct sp_queue_node node;
	unsigned generation; ///< of the question; older answers are thrown away
	bool held;           ///< streams; batches otherwise
	struct sp_journal_batch **batches;
	struct sp_feed_held *streams;
	size_t count;
};

struct sp_publisher {
	struct sp_publisher_config config; ///< texts are copies
	char *client_id, *state_topic, *ack_topic, *cmd_topic, *hub_topic;
	char *class_topic[SP_RECORD_CLASSES];
	char *texts[16]; ///< owned copies behind config
	size_t text_count;
	struct sp_journal *journal;
	struct sp_deadline *deadline;
	void (*changed)(void *arg);
	void *changed_arg;
	pthread_t thread;
	bool left_behind;

	// Any thread.
	int wake_fd;
	struct sp_queue *answers;
	_Atomic bool news, hurry, doubt, hushed, stop;
	_Atomic int64_t flush_ms;
	_Atomic unsigned asked; ///< generation of the question that is open
	pthread_mutex_t mutex;
	struct sp_publisher_status status; ///< under mutex
	_Atomic int64_t received_us;       ///< bytes from beyond the gateway came in last; 0: none yet

	// The session.
	enum sp_publisher_phase phase;
	struct sp_mqtt *mqtt;
	bool over; ///< the session has ended: clean up after the turn
	char session[SP_ID_LENGTH + 1];
	char will[256];
	int64_t next_us, connected_us;
	int64_t traffic; ///< of sessions that are over
	char interface[16];
	struct sp_backoff backoff;
	char reason[160];
	struct sp_tls_trust trust; ///< what brokers are refused while the time is not known
	bool time_refused;         ///< the hub's word cannot be true, and that was logged

	// Doubt.
	int64_t doubt_us; ///< since when the broker owes an answer; 0: it does not
	int64_t doubt_next_us;
	int64_t left_us; ///< since when the broker was silent whose session was left; 0: another stands

	// The birth.
	int64_t birth_us; ///< when the birth is to be published (again); 0: not
	int64_t born_us;  ///< when it was published last

	// The hub.
	bool hub_heard; ///< in this session
	bool hub_online;
	char hub_epoch[SP_ID_LENGTH + 1], ack_epoch[SP_ID_LENGTH + 1];
	int64_t hub_window_ms, ack_number;
	int64_t attendance_days; ///< the most that a hub said; 0: none did

	// Batches.
	struct sp_window window;
	struct sp_window_want want;
	bool asking, asking_held, refusing;
	bool unbelieved; ///< what the other side took is not settled, and the reason says so
	unsigned generation;
	int64_t sent, acknowledged, resent, refused;

	int64_t flush_until_us; ///< 0: not stopping
	int stopped_mid;
	bool stopping, stopped_taken;
};

// publisher.c
void *sp_publisher_thread(void *arg);
/// Sets why there is no session (or what is refused); at most once logged in a row.
void sp_publisher_reason(struct sp_publisher *p, const char *format, ...) SP_PRINTF(2, 3);
/// The broker's certificate is good at that time, or was found so before. False: the session is over.
bool sp_publisher_verify(struct sp_publisher *p, int64_t t_ms);
/// Nothing is forgotten on the word of a broker whose certificate may be out of date. False, with a reason:
/// the time is not known, so neither is that.
bool sp_publisher_may_settle(struct sp_publisher *p);

// link.c: attempts, what the broker says, births
void sp_publisher_attempt(struct sp_publisher *p, int64_t now_us);
/// Frees the session's connection, and keeps what it cost.
void sp_publisher_forget_session(struct sp_publisher *p);
void sp_publisher_drop(struct sp_publisher *p, int64_t now_us);
void sp_publisher_greet(struct sp_publisher *p, int64_t now_us);
void sp_publisher_born(struct sp_publisher *p, const struct sp_publisher_answer *answer, int64_t now_us);
int sp_publisher_publish_state(struct sp_publisher *p, enum sp_feed_presence presence,
			       const struct sp_feed_held *held, size_t count, int *mid) SP_MUST_CHECK;

// doubt.c: is the broker still there?
void sp_publisher_take_doubt(struct sp_publisher *p, int64_t now_us);
void sp_publisher_no_doubt(struct sp_publisher *p); ///< something came, or there is no session
void sp_publisher_leave(struct sp_publisher *p);    ///< the session is over; an answer may be owed still
int64_t sp_publisher_silent_since(const struct sp_publisher *p, int64_t now_us); ///< 0: it is not
bool sp_publisher_despairs(const struct sp_publisher *p, int64_t now_us);
int64_t sp_publisher_doubt_due(const struct sp_publisher *p, int64_t now_us); ///< INT64_MAX: never

// hub.c: what comes from the hub
void sp_publisher_hub_says(struct sp_publisher *p, const struct sp_mqtt_message *message, int64_t now_us);
void sp_publisher_ack_says(struct sp_publisher *p, const struct sp_mqtt_message *message);

// send.c: batches
void sp_publisher_ask(struct sp_publisher *p, int64_t now_us);
void sp_publisher_send(struct sp_publisher *p, const struct sp_publisher_answer *answer, int64_t now_us);
void sp_publisher_puback(struct sp_publisher *p, int mid, int reason);
void sp_publisher_answer_free(struct sp_publisher_answer *answer);
void sp_publisher_ask_held(struct sp_publisher *p);
