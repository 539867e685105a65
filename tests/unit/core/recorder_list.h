// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A recorder that keeps what it was given, as the journal would get it.
#pragma once

#include <cjson/cJSON.h>

#include "agent/core/recorder.h"

struct recorder_list {
	struct sp_recorder base;
	struct {
		enum sp_record_class cls;
		cJSON *json;
		sp_journal_done_fn done;
		void *arg;
	} * items;
	size_t count;
	int refuse; ///< -errno to answer with, 0: take it
};

void recorder_list_init(struct recorder_list *list);
void recorder_list_clear(struct recorder_list *list);
/// A member's text of the i-th record; "" when it is null or absent.
const char *recorder_text(const struct recorder_list *list, size_t index, const char *name);
double recorder_number(const struct recorder_list *list, size_t index, const char *name);
/// How many records of that type.
size_t recorder_count(const struct recorder_list *list, const char *type);
/// The last record of that type; SIZE_MAX when there is none.
size_t recorder_last(const struct recorder_list *list, const char *type);
