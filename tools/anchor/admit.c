// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Places, the people who wait for one, and what each address has had (admit.h). All tables are bounded
// and searched from end to end: a thousand rows are microseconds.
#include "tools/anchor/admit.h"

#include <string.h>

#include "agent/base/mem.h"

enum {
	WAITING = 4096, ///< rows of those who were told to come back
	WAITING_PER_ADDRESS = 64,
	ACCOUNTS = 4096,
	SPREAD_LEAST_S = 5,
	SPREAD_MOST_S = 30 * 60,
};
#define SECOND_US   INT64_C(1000000)
#define HOUR_US     (3600 * SECOND_US)
#define PATIENCE_US (60 * SECOND_US) ///< how late one may return and still count as waiting

struct place {
	struct sp_anchor_key key;
	bool taken;
	unsigned streams;
	int64_t since_us, last_us;
};

struct waiter {
	struct sp_anchor_key key;
	int64_t due_us; ///< 0: the row is free
};

struct account {
	struct sp_anchor_key key;
	int64_t hour, hour_bytes, day, day_bytes; ///< numbers of the hour and day, from 1; 0: the row is free
	int64_t last_us;
};

struct sp_admit {
	struct sp_admit_config config;
	struct place *places;
	struct waiter *waiters;
	struct account *accounts; ///< NULL without limits of bytes
	uint64_t random;
	struct sp_admit_state counts;
};

struct sp_admit *sp_admit_new(const struct sp_admit_config *config)
{
	struct sp_admit *admit = sp_alloc(sizeof(*admit));
	admit->config = *config;
	admit->places = sp_alloc(config->tests * sizeof(*admit->places));
	admit->waiters = sp_alloc(WAITING * sizeof(*admit->waiters));
	if (config->hour_bytes || config->day_bytes)
		admit->accounts = sp_alloc(ACCOUNTS * sizeof(*admit->accounts));
	admit->random = config->seed | 1;
	return admit;
}

void sp_admit_free(struct sp_admit *admit)
{
	if (!admit)
		return;
	free(admit->places);
	free(admit->waiters);
	free(admit->accounts);
	free(admit);
}

// ---- bytes ----------------------------------------------------------------------------------------

/// The row of this address, or the one that was used longest ago.
static struct account *account_of(struct sp_admit *admit, const struct sp_anchor_key *key, int64_t now_us)
{
	struct account *found = &admit->accounts[0];
	for (size_t i = 0; i < ACCOUNTS; i++) {
		struct account *row = &admit->accounts[i];
		if (row->hour && sp_anchor_same_address(&row->key, key)) {
			found = row;
			break;
		}
		if (row->last_us < found->last_us)
			found = row;
	}
	if (!found->hour || !sp_anchor_same_address(&found->key, key))
		*found = (struct account){.key = *key};
	int64_t hour = now_us / HOUR_US + 1, day = now_us / (24 * HOUR_US) + 1;
	if (found->hour != hour)
		found->hour_bytes = 0;
	if (found->day != day)
		found->day_bytes = 0;
	found->hour = hour;
	found->day = day;
	found->last_us = now_us;
	return found;
}

/// Seconds until this address may test again; 0: now.
static unsigned bytes_wait(struct sp_admit *admit, const struct sp_anchor_key *key, int64_t now_us)
{
	if (!admit->accounts)
		return 0;
	const struct account *account = account_of(admit, key, now_us);
	int64_t until_us = 0;
	if (admit->config.hour_bytes && account->hour_bytes >= admit->config.hour_bytes)
		until_us = account->hour * HOUR_US;
	if (admit->config.day_bytes && account->day_bytes >= admit->config.day_bytes)
		until_us = account->day * 24 * HOUR_US;
	return until_us ? (unsigned)((until_us - now_us) / SECOND_US + 1) : 0;
}

// ---- places -----------------------------------------------------------------------------------------

static bool over(const struct sp_admit *admit, const struct place *place, int64_t now_us)
{
	if (now_us - place->since_us >= admit->config.test_ms * 1000)
		return true;
	return place->streams == 0 && now_us - place->last_us >= admit->config.idle_ms * 1000;
}

/// What is over gives its place back. One whose last streams are still being cut keeps it until they are.
static void clear(struct sp_admit *admit, int64_t now_us)
{
	for (size_t i = 0; i < admit->config.tests; i++) {
		struct place *place = &admit->places[i];
		if (place->taken && place->streams == 0 && over(admit, place, now_us))
			place->taken = false;
	}
}

static struct place *place_of(struct sp_admit *admit, const struct sp_anchor_key *key)
{
	for (size_t i = 0; i < admit->config.tests; i++) {
		if (admit->places[i].taken && sp_anchor_same_test(&admit->places[i].key, key))
			return &admit->places[i];
	}
	return NULL;
}

static unsigned places_of_address(const struct sp_admit *admit, const struct sp_anchor_key *key)
{
	unsigned count = 0;
	for (size_t i = 0; i < admit->config.tests; i++)
		count += admit->places[i].taken && sp_anchor_same_address(&admit->places[i].key, key);
	return count;
}

static struct place *free_place(struct sp_admit *admit)
{
	for (size_t i = 0; i < admit->config.tests; i++) {
		if (!admit->places[i].taken)
			return &admit->places[i];
	}
	return NULL;
}

// ---- waiting ----------------------------------------------------------------------------------------

static uint64_t next_random(struct sp_admit *admit)
{
	admit->random ^= admit->random << 13;
	admit->random ^= admit->random >> 7;
	admit->random ^= admit->random << 17;
	return admit->random;
}

static unsigned count_waiters(struct sp_admit *admit, int64_t now_us)
{
	unsigned count = 0;
	for (size_t i = 0; i < WAITING; i++) {
		struct waiter *row = &admit->waiters[i];
		if (row->due_us && now_us - row->due_us > PATIENCE_US)
			row->due_us = 0;
		count += row->due_us != 0;
	}
	return count;
}

static struct waiter *waiter_of(struct sp_admit *admit, const struct sp_anchor_key *key)
{
	for (size_t i = 0; i < WAITING; i++) {
		if (admit->waiters[i].due_us && sp_anchor_same_test(&admit->waiters[i].key, key))
			return &admit->waiters[i];
	}
	return NULL;
}

static void remember(struct sp_admit *admit, const struct sp_anchor_key *key, int64_t due_us)
{
	struct waiter *room = NULL;
	unsigned same = 0;
	for (size_t i = 0; i < WAITING; i++) {
		struct waiter *row = &admit->waiters[i];
		if (!row->due_us && !room)
			room = row;
		same += row->due_us && sp_anchor_same_address(&row->key, key);
	}
	if (room && same < WAITING_PER_ADDRESS)
		*room = (struct waiter){*key, due_us};
}

/// So many seconds as all who wait need to be served, one after the other, at some moment of which this one
/// returns: as many come as places become free.
static unsigned spread(struct sp_admit *admit, unsigned waiting)
{
	uint64_t seconds =
	    (uint64_t)(waiting + 1) * (uint64_t)admit->config.test_ms / 1000 / admit->config.tests;
	if (seconds < SPREAD_LEAST_S)
		seconds = SPREAD_LEAST_S;
	if (seconds > SPREAD_MOST_S)
		seconds = SPREAD_MOST_S;
	return (unsigned)(1 + next_random(admit) % seconds);
}

static struct sp_admit_answer refuse(struct sp_admit *admit, enum sp_admit_why why, unsigned retry_seconds)
{
	admit->counts.refused[why]++;
	return (struct sp_admit_answer){.why = why, .retry_seconds = retry_seconds};
}

static struct sp_admit_answer send_away(struct sp_admit *admit, enum sp_admit_why why,
					const struct sp_anchor_key *key, struct waiter *waiter,
					unsigned waiting, int64_t now_us)
{
	unsigned seconds;
	if (waiter && waiter->due_us > now_us) { // he keeps his turn, however often he asks
		seconds = (unsigned)((waiter->due_us - now_us + SECOND_US - 1) / SECOND_US);
		return refuse(admit, why, seconds);
	}
	seconds = spread(admit, waiting);
	if (waiter)
		waiter->due_us = now_us + seconds * SECOND_US;
	else
		remember(admit, key, now_us + seconds * SECOND_US);
	return refuse(admit, why, seconds);
}

// ---- streams ----------------------------------------------------------------------------------------

static struct sp_admit_answer take(struct sp_admit *admit, struct place *place, int64_t now_us)
{
	place->streams++;
	place->last_us = now_us;
	return (struct sp_admit_answer){
	    .why = SP_ADMIT_YES,
	    .slot = (unsigned)(place - admit->places),
	    .left_ms = admit->config.test_ms - (now_us - place->since_us) / 1000,
	};
}

struct sp_admit_answer sp_admit_stream(struct sp_admit *admit, const struct sp_anchor_key *key,
				       int64_t now_us)
{
	unsigned wait = bytes_wait(admit, key, now_us);
	if (wait)
		return refuse(admit, SP_ADMIT_BYTES, wait);
	clear(admit, now_us);
	struct place *place = place_of(admit, key);
	if (place && !over(admit, place, now_us)) {
		if (place->streams >= admit->config.streams)
			return refuse(admit, SP_ADMIT_STREAMS, 1);
		return take(admit, place, now_us);
	}
	unsigned waiting = count_waiters(admit, now_us);
	struct waiter *waiter = waiter_of(admit, key);
	enum sp_admit_why why = SP_ADMIT_YES;
	place = free_place(admit);
	if (!place)
		why = SP_ADMIT_FULL;
	else if (places_of_address(admit, key) >= admit->config.tests_per_address)
		why = SP_ADMIT_ADDRESS;
	else if (waiter && waiter->due_us > now_us && waiting > 1)
		why = SP_ADMIT_EARLY;
	if (why != SP_ADMIT_YES)
		return send_away(admit, why, key, waiter, waiting, now_us);
	if (waiter)
		waiter->due_us = 0;
	*place = (struct place){.key = *key, .taken = true, .since_us = now_us};
	admit->counts.admitted++;
	return take(admit, place, now_us);
}

void sp_admit_left(struct sp_admit *admit, unsigned slot, int64_t bytes, int64_t now_us)
{
	struct place *place = &admit->places[slot];
	place->streams--;
	place->last_us = now_us;
	if (admit->accounts) {
		struct account *account = account_of(admit, &place->key, now_us);
		account->hour_bytes += bytes;
		account->day_bytes += bytes;
	}
}

void sp_admit_touch(struct sp_admit *admit, const struct sp_anchor_key *key, int64_t now_us)
{
	struct place *place = place_of(admit, key);
	if (place)
		place->last_us = now_us;
}

void sp_admit_state(struct sp_admit *admit, int64_t now_us, struct sp_admit_state *out)
{
	clear(admit, now_us);
	*out = admit->counts;
	out->waiting = count_waiters(admit, now_us);
	for (size_t i = 0; i < admit->config.tests; i++) {
		out->tests += admit->places[i].taken;
		out->streams += admit->places[i].streams;
	}
}
