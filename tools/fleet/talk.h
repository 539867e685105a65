// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A board at its broker: session, birth and will, the hub's epoch, what is sent and sent again,
// acknowledgements obeyed. The rules are those of the agent's publisher (agent/core/publisher). Pure: packets
// in, bytes out, time as an argument; the connection itself is the caller's.
#pragma once

#include "tools/fleet/figures.h"
#include "tools/fleet/life.h"
#include "tools/fleet/packet.h"

enum {
	SP_TALK_WINDOW = 16, ///< batches under way
	SP_TALK_BULK = 12,   ///< of these, bulk
	SP_TALK_AHEAD = 32,  ///< batches that wait before more of the past is made
};

struct sp_talk_config {
	const char *username, *password; ///< NULL: none
	int64_t keepalive_ms, will_delay_ms, session_expiry_ms;
	int64_t resend_min_ms, resend_max_ms;
	int64_t backlog_rate; ///< bulk batches of the past a second; 0: any
	int64_t warm_us;      ///< until when it is warming up (monotonic)
	bool past;            ///< the boards' time is over: no script acts on sessions
};

/// Now, by the machine's clocks.
struct sp_talk_now {
	int64_t mono_us, wall_ms;
};

enum sp_talk_phase {
	SP_TALK_DOWN,     ///< until `next_us`
	SP_TALK_DIALING,  ///< the caller connects
	SP_TALK_HELLO,    ///< CONNACK is awaited
	SP_TALK_GREETING, ///< the hub's state is awaited, then the birth is due
	SP_TALK_UP,
};

/// What the caller is to do with the connection.
enum sp_talk_wish { SP_TALK_STAY, SP_TALK_DIAL, SP_TALK_CLOSE };

struct sp_talk {
	const struct sp_talk_config *config;
	struct sp_figures *figures;
	struct sp_life life;
	struct sp_rng rng;
	enum sp_talk_phase phase;
	enum sp_talk_wish wish;
	struct sp_buf out; ///< bytes for the broker
	char text[128];    ///< what went wrong last

	char session[SP_ID_LENGTH + 1];
	unsigned failures;
	uint16_t last_mid;
	int64_t next_us, since_us, birth_us, born_us, sent_us, heard_us, keepalive_us;

	bool hub_heard, hub_online;
	char hub_epoch[SP_ID_LENGTH + 1], ack_epoch[SP_ID_LENGTH + 1];
	int64_t hub_window_ms, ack_number;
	int64_t ack_us; ///< when the acknowledgement at hand came

	/// The boot in which it sends while its life lies behind the present.
	char today[SP_FEED_BOOT_LENGTH + 1];
	int64_t today_us;
	char born_boot[SP_FEED_BOOT_LENGTH + 1]; ///< of the last birth
	double tokens;
	int64_t tokens_us;
};

/// `first_us`: when it begins to connect.
void sp_talk_init(struct sp_talk *talk, const struct sp_talk_config *config,
		  const struct sp_life_config *life, const struct sp_roster_board *board, size_t index,
		  struct sp_figures *figures, const struct sp_talk_now *now, int64_t first_us);
void sp_talk_free(struct sp_talk *talk);

/// Lets the board live and speak; `frontier_ms`: no board lives beyond. Sets `wish`; returns when to call
/// again at the latest (monotonic).
int64_t sp_talk_turn(struct sp_talk *talk, const struct sp_talk_now *now, int64_t frontier_ms);
/// The connection stands: CONNECT goes out.
void sp_talk_connected(struct sp_talk *talk, const struct sp_talk_now *now);
void sp_talk_packet(struct sp_talk *talk, const struct sp_talk_now *now, const struct sp_packet *packet);
/// It is gone, or could not be made.
void sp_talk_lost(struct sp_talk *talk, const struct sp_talk_now *now, const char *why);
/// All that it will ever make is made and settled.
bool sp_talk_done(const struct sp_talk *talk);
/// Says goodbye, for good.
void sp_talk_stop(struct sp_talk *talk, const struct sp_talk_now *now);

// talk_send.c
/// Its life lies behind the present: what it makes is backlog.
bool sp_talk_behind(const struct sp_talk *talk, int64_t wall_ms);
struct sp_clock_reading sp_talk_clock(const struct sp_talk *talk, const struct sp_talk_now *now,
				      char boot[SP_FEED_BOOT_LENGTH + 1]);
uint16_t sp_talk_mid(struct sp_talk *talk);
void sp_talk_state(struct sp_talk *talk, const struct sp_talk_now *now, enum sp_feed_presence presence);
/// What is due and may go; returns when more may be due.
int64_t sp_talk_send(struct sp_talk *talk, const struct sp_talk_now *now);
/// Everything unsettled is due again.
void sp_talk_unsend(struct sp_talk *talk);
