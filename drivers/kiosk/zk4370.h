// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The inside of the zk4370 driver: its options, its state, and what its files ask of each other.
#pragma once

#include "schoolpulse/kiosk.h"
#include "zk4370_session.h"

enum zk_transport { ZK_TCP, ZK_UDP };

struct zk_conf {
	char *host, *interface, *serial, *time_zone, *at, *same_as;
	int transport, direction, verify_codes;
	int64_t port, comm_key, spread_ms, retry_ms, totals_days;
	bool status_is_direction;
};

enum { ZK_FLYING_MAX = 64 };

struct zk {
	struct sp_endpoint peer;
	int32_t zone_s;
	// ---- when
	bool judged;      ///< a visit is over: the last one's verdict stands
	bool again;       ///< it failed: the next one is due after `retry`
	int64_t next_day; ///< of our zone, on whose hour the next visit is due; 0: not planned
	int64_t shift_ms; ///< this terminal's own delay after `at`
	int64_t visited_us, not_before_us; ///< monotonic
	char reason[32], why[160];
	// ---- a visit
	bool visiting;
	struct sp_zk_session session;
	struct sp_zk_stream *stream; ///< TCP, while connected
	struct sp_watch *watch;
	struct sp_timer *timer;
	int fd;
	bool connected;
	unsigned tries; ///< of this question
	int64_t asked_us;
	double clock_error_s; ///< NAN: not known
	// ---- handing over what it brought
	bool feeding;
	int feed_error; ///< why an event could not be kept; 0
	struct sp_zk_log log;
	size_t next, flying, taken, refused;
	struct sp_timer *feeder;
	// ---- what is known of it
	char serial[SP_ZK_TEXT + 1], model[SP_ZK_TEXT + 1], firmware[SP_ZK_TEXT + 1];
	struct sp_zk_sizes sizes;
	int64_t heard_us, total_refused;
};

// ---- zk4370_link.c: a visit -------------------------------------------------------------------

void zk_visit(struct sp_device *dev);
/// Breaks it off, without a verdict.
void zk_link_close(struct sp_device *dev);

// ---- zk4370_feed.c: what it brought -----------------------------------------------------------

/// The session is done, and its log here.
void zk_feed(struct sp_device *dev);
void zk_feed_stop(struct sp_device *dev);

// ---- zk4370.c ---------------------------------------------------------------------------------

/// The visit is over: `reason` NULL: it went well.
void zk_over(struct sp_device *dev, const char *reason, const char *why);
void zk_health(struct sp_device *dev);
