// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What agent.c and agent/beat.c do, in their order.
#include "tests/sim/board.h"

#include <stdio.h>
#include <string.h>

#include "agent/base/config.h"
#include "agent/base/mem.h"
#include "agent/core/boot.h"
#include "drivers/drivers.h"
#include "tests/unit/core/loop_virtual.h"

enum {
	BEAT_MS = 5000,
	WINDOW_MS = 60 * 1000,
	SAMPLES_MS = 15 * 60 * 1000,
	HUB_PATIENCE_US = 10 * 1000 * 1000,
	DAY_MS = 24 * 3600 * 1000,
};
static char line_name[] = "main";

// ---- devices ----------------------------------------------------------------------------------------

static const struct {
	const struct sp_driver *driver;
	const char *name, *options;
} devices[SIM_DEVICES] = {
    {&sp_driver_carrier, "cable", "interface = eth0"},
    {&sp_driver_gateway, "router", "interface = eth0"},
    {&sp_driver_isp_hop, "hop",
     "domestic = 203.0.113.1, 203.0.113.2, 203.0.113.3, 2001:db8:a::1, 2001:db8:a::2"},
    {&sp_driver_reach, "far",
     "domestic = 203.0.113.1, 203.0.113.2, 203.0.113.3, 2001:db8:a::1, 2001:db8:a::2\n"
     "international = 198.51.100.1, 198.51.100.2, 198.51.100.3, 2001:db8:b::1, 2001:db8:b::2\n"
     "dns_name = *.sim.example\n"
     "dns_direct = 203.0.113.1, 198.51.100.1\n"
     "portal_resolve = " SIM_PORTAL_HOST "\n"
     "resolv_conf = "},
};

static void *configure(const struct sim_board *board, size_t i)
{
	const struct sp_driver *driver = devices[i].driver;
	bool resolv = i == SIM_DEVICES - 1;
	char *text = sp_asprintf("[%s \"it\"]\n%s%s%s\n", driver->name, devices[i].options,
				 resolv ? board->card.dir : "", resolv ? "/resolv.conf" : "");
	struct sp_config config = {0};
	struct sp_config_errors errors = {0};
	void *conf = sp_alloc(driver->conf_size + 1);
	int result = sp_config_parse(&config, "sim", text, strlen(text), &errors);
	if (result == 0)
		result = sp_options_apply(driver->options, NULL, &config,
					  sp_config_find(&config, driver->name, "it"), conf, &errors);
	if (result) {
		fprintf(stderr, "sim: %s\n", errors.count ? errors.lines[0] : "bad options");
		abort();
	}
	sp_config_free(&config);
	free(text);
	return conf;
}

static bool write_resolv(const struct sim_board *board)
{
	char path[160];
	snprintf(path, sizeof(path), "%s/resolv.conf", board->card.dir);
	FILE *file = fopen(path, "we");
	if (!file)
		return false;
	fprintf(file, "nameserver " SIM_ROUTER4 "\n");
	return fclose(file) == 0;
}

// ---- what the parts say to each other -------------------------------------------------------------------

static void put(void *arg, const char *key, const char *value)
{
	struct sim_board *board = arg;
	sim_card_put(&board->card, key, value);
}

static char *get(void *arg, const char *key)
{
	struct sim_board *board = arg;
	return sim_card_get(&board->card, key);
}

static void on_news(void *arg)
{
	struct sim_board *board = arg;
	if (board->running)
		sim_wire_flush(&board->wire);
}

static void on_better(void *arg, const char *line)
{
	struct sim_board *board = arg;
	if (board->devices)
		sp_devices_burst(board->devices, line);
	sim_wire_hurry(&board->wire);
}

static void on_ask(void *arg, const char *line)
{
	struct sim_board *board = arg;
	if (board->devices)
		sp_devices_burst(board->devices, line);
}

static void on_suspect(void *arg, const char *line)
{
	struct sim_board *board = arg;
	(void)line;
	sim_wire_doubt(&board->wire);
}

static void on_rung(void *arg, const char *line, const char *device, const struct sp_rung_report *report,
		    int64_t max_age_us)
{
	struct sim_board *board = arg;
	if (board->rung)
		board->rung(board->rung_arg, report);
	sp_lines_report(board->lines, line, device, report, max_age_us);
}

static bool on_usable(void *arg, const char *line)
{
	const struct sim_board *board = arg;
	struct sp_line_view view;
	(void)line;
	sp_ledger_view(sp_lines_ledger(board->lines, 0), &view);
	return view.state == SP_LINE_UP || view.state == SP_LINE_DEGRADED;
}

static void on_load(void *arg, const char *line, const char *device, bool loading, int64_t since_us)
{
	struct sim_board *board = arg;
	sp_lines_load(board->lines, line, device, loading, since_us);
}

static void on_verdict(void *arg, const char *line, const struct sp_line_view *view)
{
	struct sim_board *board = arg;
	sp_summaries_line(board->summaries, line, view);
}

static void look_at_hub(struct sim_board *board)
{
	int64_t now = sp_loop_now_us(board->loop);
	if (board->wire.connected) {
		board->hub_lost_us = 0;
		board->hub_met = true;
		sp_lines_hub(board->lines, SP_RUNG_OK, board->wire.connected_us, "the simulated broker");
		return;
	}
	if (board->hub_lost_us == 0)
		board->hub_lost_us = board->hub_met ? now : board->start_us;
	if (now - board->hub_lost_us >= HUB_PATIENCE_US)
		sp_lines_hub(board->lines, SP_RUNG_SILENT, board->hub_lost_us, "no session");
}

static void on_wire(void *arg)
{
	struct sim_board *board = arg;
	if (board->running)
		look_at_hub(board);
}

static void on_beat(void *arg)
{
	struct sim_board *board = arg;
	struct sp_clock_reading now = sp_clock_now();
	sp_clocks_look(&board->clocks, &now);
	look_at_hub(board);
	sp_summaries_look(board->summaries);
	sp_loop_timer_start(board->loop, board->beat, BEAT_MS);
}

static void on_window(void *arg)
{
	struct sim_board *board = arg;
	sp_summaries_close(board->summaries, board->devices, NULL);
	sp_loop_timer_start(board->loop, board->window, WINDOW_MS);
}

// ---- one run of the agent -------------------------------------------------------------------------------

/// What the chip remembers of its last reset, where it remembers anything.
static void look_back(const struct sim_board *board, struct sp_board_past *out)
{
	*out = (struct sp_board_past){0};
	if (!board->world->school.chip)
		return;
	out->reset = board->warm ? SP_RESET_WARM : SP_RESET_POWER_ON;
	out->watchdog_struck = out->watchdog_armed = (struct sp_quantity){true, 0};
	snprintf(out->reset_source, sizeof(out->reset_source), "simulated");
}

static void keep_mark(struct sim_board *board, const struct sp_board_past *chip)
{
	struct sp_boot_mark mark = {.armed = chip->watchdog_armed};
	memcpy(mark.boot, board->boot, sizeof(mark.boot));
	snprintf(mark.version, sizeof(mark.version), "%s", SP_VERSION);
	char *text = sp_boot_mark_text(&mark);
	sim_card_put(&board->card, SP_BOOT_KEY, text);
	free(text);
}

/// The silence, if there is one to tell of.
static bool record_boot(struct sim_board *board, struct sp_silence *silence)
{
	struct sp_boot_mark mark;
	struct sp_board_past chip;
	char *clean = sim_card_get(&board->card, SP_JOURNAL_CLEAN);
	char *text = sim_card_get(&board->card, SP_BOOT_KEY);
	char *last = sim_card_get(&board->card, SP_JOURNAL_LAST);
	look_back(board, &chip);
	bool marked = sp_boot_mark_read(&mark, text);
	struct sp_boot_past past = {.clean = clean,
				    .mark = marked ? &mark : NULL,
				    .journal_existed = board->boots > 1,
				    .board = &chip};
	struct sp_boot_report report = {.boot = board->boot,
					.version = SP_VERSION,
					.board = "sim",
					.model = "",
					.commit_ms = SIM_BULK_MS + WINDOW_MS,
					.now = sp_clock_now()};
	if (marked)
		sp_boot_last_read(&past.last, last, mark.boot);
	(void)sp_boot_record(&board->card.recorder, &past, &report);
	keep_mark(board, &chip);
	free(clean);
	free(text);
	free(last);
	return sp_boot_silence(&past, &report, silence);
}

static void recall_time(struct sim_board *board)
{
	char *saved = sim_card_get(&board->card, SP_CLOCKS_KEY);
	board->clock.trust = (struct sp_clock_trust){.saved_ms = sp_clocks_saved(saved)};
	free(saved);
}

static void add_devices(struct sim_board *board)
{
	board->devices = sp_devices_new(&(struct sp_devices_config){.loop = board->loop,
								    .recorder = &board->card.recorder,
								    .rung = on_rung,
								    .suspect = on_suspect,
								    .load = on_load,
								    .usable = on_usable,
								    .arg = board});
	for (size_t i = 0; i < SIM_DEVICES; i++) {
		const struct sp_driver *driver = devices[i].driver;
		struct sp_device_common common = {
		    .line = line_name, .interval_ms = driver->interval_ms, .enabled = true};
		board->confs[i] = configure(board, i);
		sp_devices_add(board->devices, driver, devices[i].name, &common, board->confs[i]);
	}
}

static void agent_start(struct sim_board *board)
{
	struct sp_loop *loop = board->loop;
	struct sp_silence silence;
	board->start_us = sp_loop_now_us(loop);
	board->hub_lost_us = 0;
	board->hub_met = false;
	sim_card_open(&board->card, loop, board->boot);
	recall_time(board);
	bool silent = record_boot(board, &silence);
	board->summaries = sp_summaries_new(&(struct sp_summaries_config){
	    .loop = loop, .recorder = &board->card.recorder, .samples_ms = SAMPLES_MS, .arg = board});
	sp_summaries_add(board->summaries, line_name);
	board->lines = sp_lines_new(&(struct sp_lines_config){.loop = loop,
							      .recorder = &board->card.recorder,
							      .boot = board->boot,
							      .put = put,
							      .get = get,
							      .better = on_better,
							      .verdict = on_verdict,
							      .ask = on_ask,
							      .arg = board});
	sp_lines_add(board->lines, line_name, "sim");
	add_devices(board);
	if (silent)
		sp_lines_silence(board->lines, &silence);
	sim_wire_start(&board->wire, loop, board->boot);
	sp_clocks_init(&board->clocks, &board->card.recorder, put, board);
	board->beat = sp_loop_timer_new(loop, on_beat, board);
	board->window = sp_loop_timer_new(loop, on_window, board);
	sp_loop_timer_start(loop, board->beat, 0);
	sp_loop_timer_start(loop, board->window, WINDOW_MS);
	board->running = true;
	sp_devices_start(board->devices);
}

static void take_apart(struct sim_board *board)
{
	sp_loop_timer_free(board->loop, board->beat);
	sp_loop_timer_free(board->loop, board->window);
	sp_devices_free(board->devices);
	sp_lines_free(board->lines);
	sp_summaries_free(board->summaries);
	board->devices = NULL;
	board->lines = NULL;
	for (size_t i = 0; i < SIM_DEVICES; i++) {
		sp_options_free(devices[i].driver->options, board->confs[i]);
		free(board->confs[i]);
	}
	board->running = false;
}

static void agent_stop(struct sim_board *board)
{
	struct sp_field reason = SP_TEXT("reason", "signal");
	sp_devices_stop(board->devices);
	sp_summaries_end(board->summaries, board->devices, NULL);
	sp_clocks_leave(&board->clocks);
	sp_record_fact(&board->card.recorder, "stop", NULL, &reason, 1);
	sp_loop_virtual_run(board->loop, 0);
	sim_wire_stop(&board->wire);
	sim_card_close(&board->card);
	take_apart(board);
}

static void agent_kill(struct sim_board *board, bool power)
{
	sim_wire_kill(&board->wire, power);
	board->card.dying = true;
	sp_devices_stop(board->devices);
	if (power)
		sim_card_cut(&board->card);
	else
		sim_card_kill(&board->card);
	take_apart(board);
}

// ---- boots ----------------------------------------------------------------------------------------------

static void on_edge(void *arg)
{
	struct sim_board *board = arg;
	int64_t now_ms = sim_clock_true_ms(&board->clock);
	sim_net_changed();
	if (board->running)
		sim_wire_world(&board->wire);
	sp_loop_timer_start(board->loop, board->edges,
			    sim_clock_until_ms(&board->clock, sim_world_next(board->world, now_ms)) + 1);
}

static void power_on(struct sim_board *board, int64_t true_ms)
{
	uint64_t a = sim_rng_next(&board->rng), b = sim_rng_next(&board->rng);
	snprintf(board->boot, sizeof(board->boot), "%08x-%04x-4%03x-8%03x-%012llx", (unsigned)(a >> 32),
		 (unsigned)(a >> 16) & 0xffff, (unsigned)a & 0xfff, (unsigned)(b >> 48) & 0xfff,
		 (unsigned long long)(b & 0xffffffffffff));
	board->boots++;
	board->boot_ms = true_ms;
	board->boot_births = board->wire.births;
	board->loop = sp_loop_virtual_new();
	sp_loop_virtual_begin(board->loop, SIM_BOOT_US);
	sim_clock_boot(&board->clock, board->loop, true_ms);
	board->edges = sp_loop_timer_new(board->loop, on_edge, board);
	sp_loop_timer_start(board->loop, board->edges, 0);
}

static void power_off(struct sim_board *board)
{
	if (board->timeless && !board->clock.ever && board->wire.births == board->boot_births)
		board->timeless(board->rung_arg, board->boot_ms, sim_clock_true_ms(&board->clock));
	sp_loop_timer_free(board->loop, board->edges);
	if (sp_loop_virtual_open(board->loop) > 0) {
		fprintf(stderr, "sim: %zu timers and watches were left open\n",
			sp_loop_virtual_open(board->loop));
		abort();
	}
	sp_loop_virtual_free(board->loop);
	board->loop = NULL;
}

/// Is a fault of that kind in force?
static const struct sim_fault *fault_at(const struct sim_world *world, enum sim_fault_kind kind, int64_t t_ms)
{
	for (size_t i = 0; i < world->count; i++)
		if (world->faults[i].kind == kind && world->faults[i].from_ms <= t_ms &&
		    t_ms < world->faults[i].to_ms)
			return &world->faults[i];
	return NULL;
}

/// Brings the board into the state that the world has for it at this moment.
static void follow(struct sim_board *board, int64_t t_ms)
{
	const struct sim_state state = *sim_world_at(board->world, t_ms);
	const struct sim_fault *stop = fault_at(board->world, SIM_STOP, t_ms);
	if (board->running && !state.agent) {
		if (state.board && stop)
			agent_stop(board);
		else
			agent_kill(board, !state.board);
	}
	bool reboots = stop && stop->value == 1;
	if (!state.board)
		board->warm = false;
	else if (stop && stop->value == 1)
		board->warm = true;
	if (board->loop && (!state.board || (reboots && !board->running)))
		power_off(board);
	if (!board->loop && state.board && state.agent)
		power_on(board, t_ms);
	if (!board->running && board->loop && state.agent)
		agent_start(board);
}

static void pass(struct sim_board *board, int64_t from_ms, int64_t to_ms)
{
	if (!board->loop)
		return;
	(void)from_ms;
	sp_loop_virtual_run(board->loop, sim_clock_until_ms(&board->clock, to_ms));
}

void sim_board_run(struct sim_board *board, void (*day)(void *arg, int64_t true_ms), void *arg)
{
	struct sim_world *world = board->world;
	int64_t t_ms = world->from_ms, day_ms = world->from_ms + DAY_MS;
	for (; t_ms < world->to_ms;) {
		if (board->wire.will_ms <= t_ms)
			sim_wire_will(&board->wire, t_ms);
		follow(board, t_ms);
		int64_t next_ms = sim_world_next(world, t_ms);
		if (board->wire.will_ms > t_ms && board->wire.will_ms < next_ms)
			next_ms = board->wire.will_ms;
		if (day_ms < next_ms)
			next_ms = day_ms;
		pass(board, t_ms, next_ms);
		t_ms = next_ms;
		if (t_ms != day_ms)
			continue;
		if (day)
			day(arg, t_ms);
		day_ms += DAY_MS;
	}
	if (board->running)
		agent_stop(board);
	if (board->loop)
		power_off(board);
}

bool sim_board_init(struct sim_board *board, struct sim_world *world, const char *hub_program, uint64_t seed)
{
	*board = (struct sim_board){.world = world, .rng = sim_rng_fork(seed, 'b')};
	sim_clock_init(&board->clock, world, seed);
	board->net = (struct sim_net){.world = world, .clock = &board->clock, .rng = sim_rng_fork(seed, 'n')};
	sim_net_use(&board->net);
	if (!sim_card_init(&board->card, seed))
		return false;
	board->card.news = on_news;
	board->card.news_arg = board;
	board->wire = (struct sim_wire){
	    .world = world, .clock = &board->clock, .card = &board->card, .changed = on_wire, .arg = board};
	if (write_resolv(board) && sim_wire_init(&board->wire, hub_program, seed))
		return true;
	sim_card_free(&board->card, false);
	return false;
}

void sim_board_free(struct sim_board *board, bool keep)
{
	sim_wire_free(&board->wire);
	sim_card_free(&board->card, keep);
}
