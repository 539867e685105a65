// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The inside of the `librespeed` driver: one test, its phases, and who runs each. Private to librespeed*.c.
//
//   find     librespeed_find.c   where the pages are; pins the server's address for all that follows
//   idle     librespeed_ping.c   round trips on a kept connection
//   load     librespeed_load.c   one direction after the other, with round trips beside it
#pragma once

#include "latency.h"
#include "librespeed_wire.h"
#include "meter.h"
#include "schoolpulse/speed.h"

enum {
	SP_LIBRESPEED_STREAMS = 16,
	SP_LIBRESPEED_PING_MS = 100, ///< between the beginnings of two
	SP_LIBRESPEED_BLOCK = 256 * 1024,
};

struct sp_librespeed_conf {
	char *url, *interface, *resolve, *ca_file;
	int scope;
	int64_t download_streams, upload_streams;
	int64_t duration_ms, warmup_ms, timeout_ms;
	int64_t upload_size, byte_limit;
};

struct sp_librespeed_round;

/// Round trips one after the other: GET empty, from the request to the answer's first byte.
struct sp_librespeed_pinger {
	struct sp_http_session *session;
	struct sp_http_stream *stream;
	struct sp_timer *timer;
	struct sp_latency *into;                          ///< NULL: they are not kept
	void (*asked)(struct sp_librespeed_round *round); ///< after each
	bool warm;                                        ///< the connection has served once
	int64_t begun_us;
	bool counted;                         ///< the one under way
	unsigned lost;                        ///< in a row
	struct sp_librespeed_verdict verdict; ///< of the last that was lost
};

struct sp_librespeed_lane {
	struct sp_librespeed_round *round;
	struct sp_http_stream *stream;
	int64_t begun_us, size;
	int64_t received;
	char retry_after[16];
};

struct sp_librespeed_load {
	enum sp_speed_direction direction;
	struct sp_http_session *session;
	struct sp_librespeed_lane lanes[SP_LIBRESPEED_STREAMS];
	unsigned lanes_wanted, lanes_begun, broken;
	int64_t begun_us;
	bool told;      ///< that the load has begun
	bool moving;    ///< the meter runs
	int64_t total;  ///< bytes that count, of streams that are over or, downwards, of all
	int64_t offset; ///< of them when the meter began
	int64_t post_size, post_most, confirmed, confirmed_size;
	int64_t wire_limit;           ///< of the round's, at which this direction ends; 0: none
	int64_t wire_base;            ///< of the round when this direction began
	bool full;                    ///< the limit is reached
	int64_t wire_seen, wire_step; ///< at the last tick, and since the one before
	double sent, repeated;
	struct sp_meter meter;
	struct sp_latency loaded;
};

struct sp_librespeed_round {
	struct sp_device *dev;
	const struct sp_librespeed_conf *conf;
	struct sp_speed_order order;
	uint64_t test, unique;
	char host[SP_LIBRESPEED_HOST], address[INET6_ADDRSTRLEN];
	enum sp_family family;
	unsigned form;
	int64_t wire;           ///< bytes of IP of streams that are over
	struct sp_timer *timer; ///< of the phase that runs
	struct sp_http_stream *finder;
	int64_t begun_us;
	struct sp_librespeed_pinger pinger;
	struct sp_latency idle;
	struct sp_librespeed_load load;
	struct sp_speed_result results[SP_SPEED_DIRECTIONS];
	char texts[SP_SPEED_DIRECTIONS][SP_LIBRESPEED_TEXT];
	uint8_t block[SP_LIBRESPEED_BLOCK]; ///< what is sent, over and over
};

// ---- librespeed.c ------------------------------------------------------------------------------

/// A session by the round's way, to the address that was found.
struct sp_http_session *sp_librespeed_session(struct sp_librespeed_round *round);
void sp_librespeed_address(struct sp_librespeed_round *round, enum sp_librespeed_page page, unsigned chunks,
			   char out[SP_LIBRESPEED_URL]);
/// The pages are found.
void sp_librespeed_found(struct sp_librespeed_round *round);
/// There is nothing to measure, for this reason. The round is gone afterwards.
void sp_librespeed_lost(struct sp_librespeed_round *round, const char *reason, const char *text);
/// A direction is done; its result stands.
void sp_librespeed_loaded(struct sp_librespeed_round *round);

// ---- librespeed_find.c ---------------------------------------------------------------------------

void sp_librespeed_find(struct sp_librespeed_round *round);

// ---- librespeed_ping.c ---------------------------------------------------------------------------

/// Begins, or goes on with, the round trips.
void sp_librespeed_ping(struct sp_librespeed_round *round, struct sp_latency *into,
			void (*asked)(struct sp_librespeed_round *round));
/// Lets the one under way go; the connection is kept if none is.
void sp_librespeed_ping_stop(struct sp_librespeed_round *round);

// ---- librespeed_load.c ---------------------------------------------------------------------------

void sp_librespeed_load(struct sp_librespeed_round *round, enum sp_speed_direction direction,
			int64_t wire_limit);
/// Bytes of IP of the whole round until now.
int64_t sp_librespeed_wire_now(struct sp_librespeed_round *round);
/// Ends every stream.
void sp_librespeed_unload(struct sp_librespeed_round *round);
