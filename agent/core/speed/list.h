// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The last speed tests of each device, for people at the board: a recorder that hands everything on and keeps
// what it sees of tests, also on the card.
#pragma once

#include <cjson/cJSON.h>

#include "agent/core/recorder.h"

struct sp_speed_list;

enum { SP_SPEED_LIST_KEPT = 10, SP_SPEED_LIST_MAX = 64 }; ///< tests: of a device, and of all

struct sp_speed_list_config {
	struct sp_recorder *recorder; ///< the real one
	/// Durable small state. `get`'s answer is free()d here.
	void (*put)(void *arg, const char *key, const char *value);
	char *(*get)(void *arg, const char *key);
	void *arg;
};

struct sp_speed_list *sp_speed_list_new(const struct sp_speed_list_config *config);
/// NULL is fine.
void sp_speed_list_free(struct sp_speed_list *list);
/// By which speed tests are to be recorded; as long as the list lives.
struct sp_recorder *sp_speed_list_recorder(struct sp_speed_list *list);

/// Every test, the latest first: [{"device":…,"records":[…]}]. The caller's to delete.
cJSON *sp_speed_list_json(const struct sp_speed_list *list);
/// The records of one test; an empty list when it is not known. The caller's to delete.
cJSON *sp_speed_list_test(const struct sp_speed_list *list, const char *test);
