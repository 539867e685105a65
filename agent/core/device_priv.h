// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The inside of a device, shared by device.c and the helpers of io.h. Nobody else's business.
#pragma once

#include "agent/core/device.h"

/// Anything a driver may leave open: closed by the core after stop.
struct sp_resource {
	struct sp_resource *prev, *next;
	struct sp_device *dev;
	void (*close)(struct sp_resource *resource); ///< unlinks and frees
};

enum sp_device_phase {
	SP_PHASE_STOPPED,
	SP_PHASE_STARTING, ///< waits for its next attempt to start
	SP_PHASE_WAITING,  ///< for the next round
	SP_PHASE_ROUND,
};

enum sp_outcome { SP_OUTCOME_OK, SP_OUTCOME_FAILED, SP_OUTCOME_UNMEASURED };

struct sp_device {
	struct sp_devices *set;
	const struct sp_driver *driver;
	char *name;
	char *line;
	int64_t interval_ms;
	bool enabled;
	const void *conf;
	void *state;
	enum sp_device_phase phase;
	struct sp_loop_timer *timer; ///< of the phase: next attempt, next round or deadline
	int64_t round_us;            ///< when the round began
	unsigned start_failures;
	struct sp_health health;
	char reason[65], text[256];
	int64_t since_us;
	int64_t rounds, failed, overdue;
	struct sp_samples *samples;
	struct sp_kiosk *kiosk;  ///< attendance's; NULL before the driver spoke as one
	bool loading;            ///< sp_line_load()
	int64_t due_us;          ///< of the next round, while waiting for it
	bool hurried, suspected; ///< the next round, and this one, was begun by a suspicion
	struct sp_resource open; ///< ring
};

struct sp_burst {
	char *line;
	int64_t last_us;
};

struct sp_http_pool; ///< io/http.h
struct sp_children;  ///< child.h
struct sp_http_port; ///< io/listen.h
struct sp_outputs;   ///< outputs.c

struct sp_devices {
	struct sp_devices_config config;
	struct sp_http_pool *http;    ///< NULL before the first transfer
	struct sp_children *children; ///< helper programs; NULL before the first
	struct sp_http_port *ports;   ///< on which devices listen
	struct sp_outputs *outputs;   ///< lights and buzzers; NULL before the first
	struct sp_device **items;
	size_t count;
	struct sp_burst *bursts;
	size_t burst_count;
};

static inline struct sp_loop *sp_device_loop(const struct sp_device *dev)
{
	return dev->set->config.loop;
}

void sp_resource_open(struct sp_resource *resource, struct sp_device *dev,
		      void (*close)(struct sp_resource *resource));
void sp_resource_unlink(struct sp_resource *resource);
/// Cancels what is under way, without callbacks. From a callback of its own it goes when that has returned:
/// cancel its transfers first. NULL is fine.
void sp_http_pool_free(struct sp_http_pool *pool);

// ---- outputs.c --------------------------------------------------------------------------------

/// sp_answer()
int sp_outputs_show(struct sp_devices *devices, const char *output, int64_t ms);
/// Switches them off and gives them back. NULL is fine.
void sp_outputs_free(struct sp_outputs *outputs);

// ---- device_round.c ---------------------------------------------------------------------------

void sp_device_begin(struct sp_device *dev);
void sp_device_end(struct sp_device *dev);
/// A waiting device begins a round now; -EAGAIN: it is not waiting.
int sp_device_round(struct sp_device *dev) SP_MUST_CHECK;
/// A waiting device begins its next round in `delay_ms`; any other is left alone.
void sp_device_soon(struct sp_device *dev, int64_t delay_ms);
/// The end of a round, and for drivers without rounds a word on their health.
void sp_device_outcome(struct sp_device *dev, enum sp_outcome outcome, const char *reason, const char *text);
void sp_device_timer(void *arg);
