// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A hub of a page, on its own thread: hears one board over a real broker, acknowledges as told, and keeps
// what it saw. Everything in `struct fake_hub` below the mutex is read under it.
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/base/feed.h"

#define HUB_SHARD  "hcm"
#define HUB_DEVICE "kim-dong-1"

enum { HUB_STREAMS = 32, HUB_SEQS = 4096, HUB_BIRTHS = 32 };

struct hub_stream {
	char name[SP_ID_LENGTH + 1];
	enum sp_record_class cls;
	int heard[HUB_SEQS]; ///< by seq: how often
	int64_t highest;
};

struct hub_birth {
	enum sp_feed_presence presence;
	char session[SP_ID_LENGTH + 1], hub_epoch[SP_ID_LENGTH + 1];
	size_t held;
	bool retained;
};

struct fake_hub {
	pthread_t thread;
	uint16_t port;
	bool listens; ///< false: only publishes, so that nobody hears the board
	_Atomic bool stop, connected;
	_Atomic bool acks;       ///< answer every batch
	_Atomic int renew;       ///< raise: begin a new epoch
	_Atomic int leave;       ///< raise: say "offline"
	_Atomic int forget;      ///< raise: forget all streams and acknowledge them as empty
	_Atomic int rubbish;     ///< raise: send acknowledgements that are wrong in every way
	_Atomic int64_t time_ms; ///< acknowledge with this time, if not 0
	_Atomic int64_t echo_us; ///< and echo this instead of what was heard, if not 0
	int renewed, left, forgotten, rubbished, subscribed;
	int in_flight; ///< publishes that the broker has not acknowledged

	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct hub_stream streams[HUB_STREAMS];
	size_t stream_count;
	struct hub_birth births[HUB_BIRTHS];
	int birth_count, batches, records, faults;
	char epoch[SP_ID_LENGTH + 1];
	int64_t number;
	char clk_boot[SP_FEED_BOOT_LENGTH + 1]; ///< of the last batch
	int64_t clk_us;
	struct sp_mqtt *mqtt;
};

void fake_hub_start(struct fake_hub *hub, uint16_t port, bool listens, bool acks);
void fake_hub_stop(struct fake_hub *hub);
/// Waits until `good(hub, arg)` holds, which is called under the mutex; the test fails after 60 s.
void fake_hub_until(struct fake_hub *hub, bool (*good)(struct fake_hub *hub, int arg), int arg,
		    const char *what);
/// Under the mutex: records heard at least once, over all streams of the class.
int fake_hub_heard(struct fake_hub *hub, enum sp_record_class cls);
