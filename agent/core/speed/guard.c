// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Readings of others' traffic, kept for as long as a test lasts, and what follows from them.
#include "agent/core/speed/guard.h"

#include <math.h>
#include <string.h>

#include "agent/base/mem.h"

enum {
	READINGS = 128,                     ///< a source that tells every second: two minutes
	SOURCES = SP_TRAFFIC_GATEWAY + 1,   ///< [0]: the board's own counters, not kept here
	JOINT_US = 500 * 1000,              ///< windows so near each other follow one another
	LONGEST_US = 15 * 60 * 1000 * 1000, ///< a window beyond says nothing of now
	LATE_US = 3 * 1000 * 1000,          ///< that a reading takes to come, beyond its window
	/// One in so many of our own bytes: a router also counts what our port does not (checksum, VLAN,
	/// PPPoE: 16 bytes of a frame and of each acknowledgement). A figure that is ±2 % true is not worth
	/// less for it.
	FRAMING = 50,
	SEEN_BYTES = 100 * 1000, ///< of ours: a source that missed half of them does not see us
};

struct reading {
	int64_t from_us, to_us, bytes, own;
};

struct source {
	struct reading ring[READINGS];
	size_t count; ///< ever written
	int64_t last_to_us, last_own;
};

struct sp_guard {
	struct source *sources[SOURCES]; ///< made with the first reading
};

const char *sp_guard_source_name(enum sp_traffic_source source)
{
	static const char *const names[] = {
	    [SP_TRAFFIC_INTERFACE] = "interface",
	    [SP_TRAFFIC_CAPTURE] = "capture",
	    [SP_TRAFFIC_GATEWAY] = "gateway",
	};
	return names[source];
}

struct sp_guard *sp_guard_new(void)
{
	return sp_alloc(sizeof(struct sp_guard));
}

void sp_guard_free(struct sp_guard *guard)
{
	if (!guard)
		return;
	for (size_t i = 0; i < SOURCES; i++)
		free(guard->sources[i]);
	free(guard);
}

static bool sane(const struct sp_traffic *traffic)
{
	int64_t length = traffic->to_us - traffic->from_us;
	return (traffic->source == SP_TRAFFIC_CAPTURE || traffic->source == SP_TRAFFIC_GATEWAY) &&
	       length > 0 && length <= LONGEST_US && traffic->down_bytes >= 0 && traffic->up_bytes >= 0 &&
	       traffic->down_bytes < INT64_MAX / 1024 && traffic->up_bytes < INT64_MAX / 1024;
}

void sp_guard_reading(struct sp_guard *guard, const struct sp_traffic *traffic, int64_t own_bytes)
{
	if (!sane(traffic))
		return;
	struct source **place = &guard->sources[traffic->source], *source = *place;
	if (!source) {
		source = *place = sp_alloc(sizeof(*source));
		source->last_own = -1;
	}
	int64_t gap_us = traffic->from_us - source->last_to_us;
	bool follows = source->last_own >= 0 && gap_us >= -JOINT_US && gap_us <= JOINT_US;
	if (follows && own_bytes >= source->last_own)
		source->ring[source->count++ % READINGS] =
		    (struct reading){.from_us = traffic->from_us,
				     .to_us = traffic->to_us,
				     .bytes = traffic->down_bytes + traffic->up_bytes,
				     .own = own_bytes - source->last_own};
	source->last_to_us = traffic->to_us;
	source->last_own = own_bytes;
}

static const struct reading *back(const struct source *source, size_t i)
{
	size_t kept = source->count < READINGS ? source->count : READINGS;
	return i < kept ? &source->ring[(source->count - 1 - i) % READINGS] : NULL;
}

static int64_t overlap(const struct reading *reading, int64_t from_us, int64_t to_us)
{
	int64_t from = reading->from_us > from_us ? reading->from_us : from_us;
	int64_t to = reading->to_us < to_us ? reading->to_us : to_us;
	return to > from ? to - from : 0;
}

static bool rate_of(const struct source *source, int64_t from_us, int64_t to_us, struct sp_guard_rate *out)
{
	int64_t covered = 0, length = 0, bytes = 0, own = 0;
	const struct reading *reading;
	for (size_t i = 0; (reading = back(source, i)); i++) {
		int64_t common = overlap(reading, from_us, to_us);
		if (common == 0)
			continue;
		covered += common;
		length += reading->to_us - reading->from_us;
		bytes += reading->bytes;
		own += reading->own;
	}
	// A source that misses what we know to have passed has nothing to say of what others do.
	if (length == 0 || covered < (to_us - from_us) / 2 || (own > SEEN_BYTES && bytes < own / 2))
		return false;
	out->all = (double)bytes * 1e6 / (double)length;
	int64_t ours = own + own / FRAMING;
	out->others = bytes > ours ? (double)(bytes - ours) * 1e6 / (double)length : 0;
	return true;
}

bool sp_guard_rate(const struct sp_guard *guard, int64_t from_us, int64_t to_us, struct sp_guard_rate *out)
{
	for (int i = SOURCES - 1; i > SP_TRAFFIC_INTERFACE; i--) {
		if (!guard->sources[i] || !rate_of(guard->sources[i], from_us, to_us, out))
			continue;
		out->source = (enum sp_traffic_source)i;
		return true;
	}
	return false;
}

/// The best source of which the next reading may still come.
static const struct reading *live(const struct sp_guard *guard, int64_t now_us)
{
	for (int i = SOURCES - 1; i > SP_TRAFFIC_INTERFACE; i--) {
		const struct reading *last = guard->sources[i] ? back(guard->sources[i], 0) : NULL;
		if (last && now_us - last->to_us <= 2 * (last->to_us - last->from_us) + LATE_US)
			return last;
	}
	return NULL;
}

int64_t sp_guard_awaits(const struct sp_guard *guard, int64_t to_us, int64_t now_us)
{
	const struct reading *last = live(guard, now_us);
	if (!last || last->to_us >= to_us)
		return 0;
	int64_t until_us = to_us + (last->to_us - last->from_us) + LATE_US;
	return until_us > now_us ? until_us : 0;
}

int64_t sp_guard_window_us(const struct sp_guard *guard, int64_t now_us)
{
	const struct reading *last = live(guard, now_us);
	return last ? last->to_us - last->from_us : 0;
}

enum sp_guard_answer sp_guard_decide(double bytes_per_second, double most_bytes_per_second, double cpu_ratio,
				     double most_cpu_ratio)
{
	if (bytes_per_second > most_bytes_per_second)
		return SP_GUARD_BUSY;
	return cpu_ratio > most_cpu_ratio ? SP_GUARD_CPU : SP_GUARD_GO;
}

double sp_guard_busiest(const struct sp_board_cores *from, const struct sp_board_cores *to)
{
	double most = NAN;
	for (size_t i = 0; i < from->count && i < to->count; i++) {
		if (to->cores[i].all <= from->cores[i].all || to->cores[i].busy < from->cores[i].busy)
			continue;
		double ratio = (double)(to->cores[i].busy - from->cores[i].busy) /
			       (double)(to->cores[i].all - from->cores[i].all);
		most = fmax(most, fmin(ratio, 1));
	}
	return most;
}

int64_t sp_guard_carried(const char *interface, const struct sp_board_port *from,
			 const struct sp_board_port *to)
{
	int64_t rx = to->rx_bytes - from->rx_bytes, tx = to->tx_bytes - from->tx_bytes;
	if (!from->counted || !to->counted || rx < 0 || tx < 0)
		return -1;
	// What a loopback sends it receives: once is enough.
	return strcmp(interface, "lo") == 0 ? rx : rx + tx;
}
