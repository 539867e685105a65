// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The body of a webhook's request (drivers/kiosk/webhook.md): read in place, from front to back, without
// memory of its own. What is not asked for is passed over and copied nowhere; a mistake is told by the member
// that it is in, never by what stands there.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schoolpulse/kiosk.h"

enum {
	WEBHOOK_EVENTS = 500,
	WEBHOOK_TOTALS = 31,
	WEBHOOK_ID_MAX = 128,
	WEBHOOK_TEXT_MAX = 64,
	WEBHOOK_DEPTH = 16, ///< of what is passed over
};

struct webhook_event {
	char id[WEBHOOK_ID_MAX];
	size_t id_length;
	enum sp_person_kind kind;
	char person[SP_PERSON_MAX];
	size_t person_length;
	int64_t kiosk_ms; ///< SP_PUNCH_NO_TIME: it gave null
	int live;         ///< -1: not said
	enum sp_punch_direction direction;
	enum sp_punch_method method;
	char gate[SP_PUNCH_GATE_MAX + 1];
	int64_t number;
};

struct webhook_total {
	int32_t day;
	int64_t count;
};

/// What is said of the kiosk itself; -1 and "": nothing.
struct webhook_kiosk {
	char model[WEBHOOK_TEXT_MAX + 1], firmware[WEBHOOK_TEXT_MAX + 1];
	int64_t records, capacity, users, backlog;
};

struct webhook_error {
	bool grammar;     ///< it is no JSON at all
	size_t at;        ///< so many bytes were read
	char member[64];  ///< "events[3].person"; "" without one
	const char *what; ///< a constant sentence
};

struct webhook_batch {
	struct webhook_kiosk kiosk;
	struct webhook_total totals[WEBHOOK_TOTALS];
	size_t total_count, event_count;
};

/// Reads all of it; `event`, if not NULL, sees each event, which is wiped afterwards, and may end the reading
/// by false (-ECANCELED). `zone_s` is that of times without one. 0, or -EINVAL with `error`. Calls made with
/// the same bytes say the same.
int webhook_read(const char *body, size_t length, int32_t zone_s, struct webhook_batch *out,
		 bool (*event)(void *arg, const struct webhook_event *event), void *arg,
		 struct webhook_error *error) SP_MUST_CHECK;
