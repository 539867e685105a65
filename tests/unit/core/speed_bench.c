// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The bench of speed tests.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "tests/unit/boards/machine.h"
#include "tests/unit/core/speed_bench.h"

struct speed_bench bench;

static int64_t carried;
static uint64_t busy_ticks, all_ticks;
static int child_token;

static int64_t worst_bytes(const void *conf, double mbps)
{
	(void)conf;
	return (int64_t)(mbps * 1e6 / 8 * 20); // two directions of ten seconds
}

static const struct sp_driver driver = {
    .name = "librespeed", .cls = SP_DRIVER_SPEED, .deadline_ms = 60000, .worst_bytes = worst_bytes};

// ---- the machine --------------------------------------------------------------------------------------

static void write_machine(void)
{
	char text[256];
	snprintf(text, sizeof(text), "%" PRId64 "\n", carried);
	machine_file("/sys/class/net/eth0/statistics/rx_bytes", text);
	snprintf(text, sizeof(text),
		 "cpu0 0 0 0 %" PRIu64 " 0 0 0 0\ncpu1 %" PRIu64 " 0 0 %" PRIu64 " 0 0 0 0\n", all_ticks,
		 busy_ticks, all_ticks - busy_ticks);
	machine_file("/proc/stat", text);
}

static void new_machine(void)
{
	carried = 1000000;
	busy_ticks = 0;
	all_ticks = 1000;
	machine_file("/sys/class/net/eth0/speed", "1000\n");
	machine_file("/sys/class/net/eth0/duplex", "full\n");
	machine_file("/sys/class/net/eth0/statistics/rx_packets", "0\n");
	machine_file("/sys/class/net/eth0/statistics/tx_packets", "0\n");
	machine_file("/sys/class/net/eth0/statistics/tx_bytes", "0\n");
	machine_file("/proc/net/route", "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\n"
					"eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n");
	write_machine();
}

void bench_carry(int64_t bytes)
{
	carried += bytes;
	write_machine();
}

void bench_work(unsigned percent)
{
	busy_ticks += percent;
	all_ticks += 100;
	write_machine();
}

// ---- hooks --------------------------------------------------------------------------------------------

static bool usable(void *arg, const char *line)
{
	(void)arg;
	assert_string_equal(line, "main");
	return bench.usable;
}

static bool frugal(void *arg, const char *line)
{
	(void)arg;
	(void)line;
	return bench.frugal;
}

static void load(void *arg, const char *line, const char *device, bool loading, int64_t since_us)
{
	(void)arg;
	assert_string_equal(line, "main");
	assert_string_equal(device, "nearby");
	assert_true(since_us <= sp_loop_now_us(bench.loop));
	bench.load_since_us = since_us;
	assert_true(loading != bench.loading);
	bench.loading = loading;
	bench.loads += loading;
}

static void hush(void *arg, bool hushed)
{
	(void)arg;
	assert_true(hushed != bench.hushed);
	bench.hushed = hushed;
}

static int64_t own(void *arg, const char *line, const char *interface)
{
	(void)arg;
	assert_string_equal(line, "main");
	assert_string_equal(interface, "eth0");
	return bench.own;
}

static int64_t left(void *arg, const char *line)
{
	(void)arg;
	(void)line;
	return bench.left;
}

static int set_aside(void *arg, const char *line, int64_t bytes, sp_journal_done_fn done, void *done_arg)
{
	(void)arg;
	(void)line;
	assert_non_null(bench.mark); // what runs is kept no later than what it costs
	assert_true(bench.aside == 0 && bytes > 0);
	if (bench.set_aside_result)
		return bench.set_aside_result;
	bench.set_asides++;
	bench.aside = bytes;
	bench.done = done;
	bench.done_arg = done_arg;
	if (!bench.late)
		bench_card(0);
	return 0;
}

void bench_card(int result)
{
	sp_journal_done_fn done = bench.done;
	assert_non_null(done);
	bench.done = NULL;
	done(bench.done_arg, result);
}

static void spent(void *arg, const char *line, int64_t bytes)
{
	(void)arg;
	(void)line;
	assert_true(bytes >= 0);
	bench.spent += bytes;
	bench.aside -= bytes < bench.aside ? bytes : bench.aside;
}

static void give_back(void *arg, const char *line)
{
	(void)arg;
	(void)line;
	bench.aside = 0;
	bench.give_backs++;
}

static void *spawn(void *arg, const char *device, const char *order,
		   const struct sp_child_process_events *events, void *child_arg)
{
	(void)arg;
	assert_string_equal(device, "nearby");
	assert_null(bench.child);
	snprintf(bench.order, sizeof(bench.order), "%s", order);
	if (bench.no_child) {
		errno = EAGAIN;
		return NULL;
	}
	bench.spawns++;
	bench.child = events;
	bench.child_arg = child_arg;
	return &child_token;
}

static void end_child(void *arg, void *child)
{
	(void)arg;
	assert_ptr_equal(child, &child_token);
	assert_non_null(bench.child);
	bench.child = NULL;
	bench.kills++;
}

static void way(void *arg, const char *address, char out[SP_BOARD_PORT_NAME])
{
	(void)arg;
	assert_string_equal(address, "192.0.2.7");
	snprintf(out, SP_BOARD_PORT_NAME, "%s", bench.way);
}

static void put(void *arg, const char *key, const char *value)
{
	(void)arg;
	assert_string_equal(key, "speed.test");
	free(bench.mark);
	bench.mark = value ? sp_strdup(value) : NULL;
}

static char *get(void *arg, const char *key)
{
	(void)arg;
	(void)key;
	return bench.mark ? sp_strdup(bench.mark) : NULL;
}

// ---- the run ------------------------------------------------------------------------------------------

static void start_run(void)
{
	bench.run = sp_speed_run_new(&(struct sp_speed_run_config){.loop = bench.loop,
								   .recorder = &bench.records.base,
								   .rules = {.busy_bytes_per_second = 25000,
									     .busy_cpu_ratio = 0.3,
									     .retry_ms = 30000,
									     .patience_ms = 20 * 60000},
								   .root = machine_root,
								   .hooks = &bench.hooks});
	sp_speed_add_line(bench.run,
			  &(struct sp_speed_line){
			      .name = "main", .provider = "VNPT", .plan = "", .bought_mbps = {100, 50}});
	sp_speed_add_device(bench.run, &(struct sp_speed_device){.name = "nearby",
								 .line = "main",
								 .driver = &driver,
								 .interface = "",
								 .scope = "international",
								 .enabled = true});
}

int speed_bench_begin(void **state)
{
	machine_new(state);
	bench = (struct speed_bench){.usable = true, .left = INT64_MAX, .way = ""};
	bench.hooks = (struct sp_speed_hooks){.usable = usable,
					      .frugal = frugal,
					      .load = load,
					      .hush = hush,
					      .own = own,
					      .left = left,
					      .set_aside = set_aside,
					      .spent = spent,
					      .give_back = give_back,
					      .spawn = spawn,
					      .kill = end_child,
					      .way = way,
					      .put = put,
					      .get = get};
	new_machine();
	bench.loop = sp_loop_virtual_new();
	recorder_list_init(&bench.records);
	start_run();
	return 0;
}

int speed_bench_end(void **state)
{
	sp_speed_run_stop(bench.run);
	assert_null(bench.child);
	assert_false(bench.loading || bench.hushed);
	assert_true(bench.aside == 0);
	if (bench.done)
		bench_card(-EIO);
	sp_speed_run_free(bench.run);
	assert_int_equal(sp_loop_virtual_open(bench.loop), 0);
	sp_loop_virtual_free(bench.loop);
	recorder_list_clear(&bench.records);
	free(bench.mark);
	return machine_free(state);
}

void bench_restart(void)
{
	// What a killed agent held is gone with it; here it must be freed.
	char *mark = bench.mark ? sp_strdup(bench.mark) : NULL;
	sp_speed_run_stop(bench.run);
	sp_speed_run_free(bench.run);
	recorder_list_clear(&bench.records);
	recorder_list_init(&bench.records);
	free(bench.mark);
	bench.mark = mark;
	start_run();
}

static void on_progress(void *arg, const struct sp_speed_view *view)
{
	assert_ptr_equal(arg, &bench);
	bench.last_view = *view;
	bench.progresses++;
}

static void on_ended(void *arg, const struct sp_speed_end *end)
{
	assert_ptr_equal(arg, &bench);
	bench.last_end = *end;
	bench.ends++;
}

int bench_ask(void)
{
	return sp_speed_request(bench.run,
				&(struct sp_speed_request){.device = "nearby",
							   .trigger = SP_SPEED_BY_HAND,
							   .wanted = {true, true},
							   .progress = on_progress,
							   .ended = on_ended,
							   .arg = &bench},
				bench.test);
}

void bench_pass(int64_t ms)
{
	sp_loop_virtual_run(bench.loop, ms);
}

void bench_says(const char *line)
{
	char text[8192];
	snprintf(text, sizeof(text), "%s", line);
	assert_non_null(bench.child);
	bench.child->line(bench.child_arg, text, strlen(text));
}

void bench_child_ends(int status)
{
	const struct sp_child_process_events *child = bench.child;
	assert_non_null(child);
	bench.child = NULL;
	child->ended(bench.child_arg, status);
}

#define LATENCY "{\"count\":5,\"min\":0.001,\"median\":%s,\"p95\":0.003,\"jitter\":0.0002}"
#define RESULT                                                                                            \
	"{\"outcome\":%d,\"reason\":\"%s\",\"text\":\"\",\"bytes\":%" PRId64 ",\"duration_us\":10000000," \
	"\"warmup_us\":2000000,\"streams\":6,\"retransmit\":0.001,\"loaded\":" LATENCY                    \
	",\"curve\":[70000000,80000000]}"

void bench_report(int down_outcome, const char *down_reason, int64_t down_bytes, int up_outcome,
		  const char *up_reason, int64_t up_bytes, int64_t wire_bytes)
{
	char line[4096];
	snprintf(
	    line, sizeof(line),
	    "{\"is\":\"report\",\"method\":\"librespeed\",\"server\":\"anchor.example\",\"address\":\"192.0."
	    "2.7\",\"family\":1,\"scope\":\"domestic\",\"wire_bytes\":%" PRId64 ",\"idle\":" LATENCY
	    ",\"down\":" RESULT ",\"up\":" RESULT "}",
	    wire_bytes, "0.002", down_outcome, down_reason, down_bytes, "0.02", up_outcome, up_reason,
	    up_bytes, "0.04");
	bench_says(line);
}

static void load_phase(int phase)
{
	char line[128];
	for (int i = 0; i <= 12; i++) {
		snprintf(line, sizeof(line),
			 "{\"is\":\"progress\",\"phase\":%d,\"done\":%.3f,\"bps\":8e7,\"cpu_us\":%d}", phase,
			 i / 12.0, phase * 10000000 + i * 300000);
		bench_says(line);
		bench_pass(1000);
	}
}

void bench_good_test(void)
{
	bench_says("{\"is\":\"progress\",\"phase\":1,\"done\":0,\"bps\":null,\"cpu_us\":1}");
	bench_pass(2000);
	load_phase(SP_SPEED_LOAD_DOWN);
	load_phase(SP_SPEED_LOAD_UP);
	bench_says("{\"is\":\"spent\",\"bytes\":130000000}");
	bench_carry(130000000 + 26 * 1000);
	bench_report(1, "", 100000000, 1, "", 50000000, 130000000);
	bench_says("{\"is\":\"end\",\"ok\":true,\"reason\":\"\",\"text\":\"\"}");
	bench_child_ends(0);
	bench_pass(100);
}

const char *bench_down(const char *name)
{
	assert_true(bench.records.count >= 2);
	return recorder_text(&bench.records, bench.records.count - 2, name);
}

const char *bench_up(const char *name)
{
	assert_true(bench.records.count >= 1);
	return recorder_text(&bench.records, bench.records.count - 1, name);
}

double bench_down_number(const char *name)
{
	return recorder_number(&bench.records, bench.records.count - 2, name);
}

double bench_up_number(const char *name)
{
	return recorder_number(&bench.records, bench.records.count - 1, name);
}

double bench_others(const char *name)
{
	const cJSON *json = bench.records.items[bench.records.count - 1].json;
	const cJSON *cross = cJSON_GetObjectItemCaseSensitive(json, "cross_traffic");
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(cross, name);
	return cJSON_IsNumber(item) ? item->valuedouble : -1;
}
