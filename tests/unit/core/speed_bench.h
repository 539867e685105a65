// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the tests of speed tests share: a run on a virtual clock and a made-up machine, and hooks that
// remember what was asked of them. The child is whatever the test says it says.
#pragma once

#include "agent/core/speed/run.h"
#include "tests/unit/core/loop_virtual.h"
#include "tests/unit/core/recorder_list.h"

struct speed_bench {
	struct sp_loop *loop;
	struct recorder_list records;
	struct sp_speed_hooks hooks;
	struct sp_speed_run *run;
	// what the hooks say
	bool usable, frugal, no_child;
	int64_t left;
	int set_aside_result; ///< at once
	bool late;            ///< the card answers when bench_card() says so
	const char *way;      ///< "" none
	// what they were asked
	int spawns, kills, loads, give_backs, set_asides;
	bool loading;
	int64_t load_since_us; ///< since when it is that
	int64_t aside, spent, own;
	bool hushed;
	char order[256];
	char *mark; ///< durable
	sp_journal_done_fn done;
	void *done_arg;
	const struct sp_child_process_events *child;
	void *child_arg;
	// what was told
	int progresses, ends;
	struct sp_speed_view last_view;
	struct sp_speed_end last_end;
	char test[SP_ID_LENGTH + 1];
};

extern struct speed_bench bench;

/// cmocka: a line "main" of 100/50 Mbit/s, a device "nearby" of it, an idle machine with eth0 of 1 Gbit/s.
/// Others use the line from 25,000 byte/s on, retries are every 30 s for 20 min.
int speed_bench_begin(void **state);
int speed_bench_end(void **state);
/// Another run over the same durable state, as after a restart.
void bench_restart(void);

/// By hand, both directions; its id in bench.test.
int bench_ask(void);
void bench_pass(int64_t ms);
/// The port carried so much more, received.
void bench_carry(int64_t bytes);
/// Processor 1 was so busy in the next second's ticks: 0 … 100 of 100.
void bench_work(unsigned percent);
/// The card answers.
void bench_card(int result);

void bench_says(const char *line);
void bench_child_ends(int status);
/// A whole good test, from the child's first word to its end: 80 Mbit/s down, 40 up, 130 MB on the wire.
void bench_good_test(void);
/// A report: goodput in Mbit/s for both; "" no reason.
void bench_report(int down_outcome, const char *down_reason, int64_t down_bytes, int up_outcome,
		  const char *up_reason, int64_t up_bytes, int64_t wire_bytes);

/// The last record but one is down, the last is up.
const char *bench_down(const char *name);
const char *bench_up(const char *name);
double bench_down_number(const char *name);
double bench_up_number(const char *name);
/// A member of cross_traffic of the last record; -1: null.
double bench_others(const char *name);
