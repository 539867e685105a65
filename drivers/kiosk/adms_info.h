// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What a terminal says of itself: the positional INFO of its polls, the key=value pairs of table=options and
// of the INFO command, and the results of commands. Pure functions over bytes from outside; only the names
// below are kept.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SP_ADMS_TEXT = 65 };

struct sp_adms_info {
	int64_t records, capacity, users; ///< -1: not said
	char firmware[SP_ADMS_TEXT], model[SP_ADMS_TEXT];
};

void sp_adms_info_clear(struct sp_adms_info *info);

/// "Ver 2.0.12-20150625,users,fingers,records,…": by position, whatever follows is ignored.
void sp_adms_info_positional(struct sp_adms_info *info, const char *text);

/// What became of a command. `sum`: the events of a day that a VERIFY SUM counted, -1 without.
struct sp_adms_result {
	unsigned id;
	int64_t result; ///< 0: done; INT64_MIN: it did not say
	int64_t sum;
};

/// Reads pairs, separated by `&`, commas and line ends, of which those that describe the terminal go into
/// `info`, and each "ID=" begins a result that is handed over once it is whole. Text without "ID=" has no
/// results. Returns how many there were.
size_t sp_adms_info_pairs(struct sp_adms_info *info, const char *text, size_t length,
			  void (*result)(const struct sp_adms_result *result, void *arg), void *arg);
