// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Start in dependency order, run, stop in reverse: every step of the end is bounded.
#include "agent/core/agent/agent.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/clock_trust.h"
#include "agent/base/mem.h"
#include "agent/core/agent/priv.h"
#include "agent/core/identity.h"
#include "schoolpulse/log.h"

/// Each fact is a message of its own, and drift is even over a quarter of a day.
static const int64_t FRUGAL_CLOCK_US = 6 * 3600LL * 1000 * 1000;

enum {
	STOP_COMMIT_MS = 3000, ///< for the last facts to reach the card
	STOP_SEND_MS = 3000,   ///< and the broker
	STOP_CLOSE_MS = 10000, ///< and the journal to close
	STOP_WORK_MS = 3000,   ///< for libraries that block to come back
};

// ---- between threads -------------------------------------------------------------------------------

static void run_done(void *arg, void *arg2, int result)
{
	sp_journal_done_fn done;
	memcpy(&done, arg, sizeof(done));
	free(arg);
	done(arg2, result);
}

static void on_post(void *arg, sp_journal_done_fn done, void *done_arg, int result)
{
	struct sp_agent *agent = arg;
	// A function pointer does not fit into void * by the letter of C: it travels in memory.
	void *boxed = sp_alloc(sizeof(done));
	memcpy(boxed, &done, sizeof(done));
	sp_loop_post(agent->loop, run_done, boxed, done_arg, result);
}

static void on_news(void *arg)
{
	struct sp_agent *agent = arg;
	struct sp_publisher *publisher = atomic_load(&agent->publisher);
	if (publisher)
		sp_publisher_news(publisher);
}

static void hub_changed(void *arg, void *arg2, int result)
{
	(void)arg2;
	(void)result;
	struct sp_agent *agent = arg;
	if (agent->beat)
		sp_agent_hub_changed(agent);
}

static void on_publisher_changed(void *arg)
{
	struct sp_agent *agent = arg;
	sp_loop_post(agent->loop, hub_changed, agent, NULL, 0);
}

// ---- lines and devices -----------------------------------------------------------------------------

void sp_agent_put(void *arg, const char *key, const char *value)
{
	struct sp_agent *agent = arg;
	int result = sp_journal_put(agent->journal, key, value, NULL, NULL);
	if (result)
		sp_warning("agent", "%s is not kept: %s", key, strerror(-result));
}

char *sp_agent_get(void *arg, const char *key)
{
	struct sp_agent *agent = arg;
	return sp_journal_get(agent->journal, key);
}

static void on_better(void *arg, const char *line)
{
	struct sp_agent *agent = arg;
	if (agent->devices)
		sp_devices_burst(agent->devices, line);
	struct sp_publisher *publisher = atomic_load(&agent->publisher);
	if (publisher)
		sp_publisher_hurry(publisher);
}

static void on_ask(void *arg, const char *line)
{
	struct sp_agent *agent = arg;
	if (agent->devices)
		sp_devices_burst(agent->devices, line);
}

static int64_t on_traffic(void *arg)
{
	struct sp_agent *agent = arg;
	struct sp_publisher *publisher = atomic_load(&agent->publisher);
	int64_t at_us = publisher ? sp_publisher_received_us(publisher) : 0;
	return at_us > 0 ? at_us : SP_NEVER_US;
}

static void on_rung(void *arg, const char *line, const char *device, const struct sp_rung_report *report,
		    int64_t max_age_us)
{
	struct sp_agent *agent = arg;
	sp_lines_report(agent->lines, line, device, report, max_age_us);
}

static bool on_usable(void *arg, const char *name)
{
	const struct sp_agent *agent = arg;
	struct sp_line_view view = {.state = SP_LINE_UNKNOWN};
	for (size_t i = 0; i < sp_lines_count(agent->lines); i++)
		if (strcmp(sp_lines_name(agent->lines, i), name) == 0)
			sp_ledger_view(sp_lines_ledger(agent->lines, i), &view);
	return view.state == SP_LINE_UP || view.state == SP_LINE_DEGRADED;
}

static void on_egress(void *arg, const char *line, const char *device, const struct sp_egress *egress)
{
	struct sp_agent *agent = arg;
	sp_lines_egress(agent->lines, line, device, egress);
}

void sp_agent_load(void *arg, const char *line, const char *device, bool loading, int64_t since_us)
{
	struct sp_agent *agent = arg;
	sp_lines_load(agent->lines, line, device, loading, since_us);
}

static void on_verdict(void *arg, const char *line, const struct sp_line_view *view)
{
	struct sp_agent *agent = arg;
	sp_summaries_line(agent->summaries, line, view);
}

static void on_suspect(void *arg, const char *line)
{
	(void)line;
	struct sp_agent *agent = arg;
	struct sp_publisher *publisher = atomic_load(&agent->publisher);
	if (publisher)
		sp_publisher_doubt(publisher);
}

static void add_lines_and_devices(struct sp_agent *agent)
{
	const struct sp_settings *settings = agent->settings;
	agent->lines = sp_lines_new(&(struct sp_lines_config){.loop = agent->loop,
							      .recorder = &agent->recorder.base,
							      .boot = agent->boot,
							      .put = sp_agent_put,
							      .get = sp_agent_get,
							      .better = on_better,
							      .verdict = on_verdict,
							      .ask = on_ask,
							      .traffic = on_traffic,
							      .arg = agent});
	for (size_t i = 0; i < settings->line_count; i++)
		sp_lines_add(agent->lines, settings->lines[i].name, settings->lines[i].provider);
	for (size_t i = 0; i < settings->line_count; i++) {
		const struct sp_line_conf *line = &settings->lines[i];
		struct sp_lines_door door = {
		    .fixed = line->egress, .adopt_ms = line->egress_adopt_ms, .shares = line->shares};
		sp_lines_door(agent->lines, line->name, &door);
	}
	agent->devices = sp_devices_new(&(struct sp_devices_config){.loop = agent->loop,
								    .recorder = &agent->recorder.base,
								    .rung = on_rung,
								    .suspect = on_suspect,
								    .egress = on_egress,
								    .load = sp_agent_load,
								    .usable = on_usable,
								    .traffic = sp_agent_traffic,
								    .spent = sp_agent_spent,
								    .frugal = sp_agent_frugal,
								    .attendance = agent->attendance,
								    .board_root = settings->board.root,
								    .arg = agent});
	for (size_t i = 0; i < settings->device_count; i++) {
		const struct sp_device_conf *device = &settings->devices[i];
		// Their rounds are tests, in processes of their own.
		if (device->driver->cls == SP_DRIVER_SPEED)
			continue;
		sp_devices_add(agent->devices, device->driver, device->name, &device->common, device->conf);
	}
}

// ---- start -----------------------------------------------------------------------------------------

static void on_signal(void *arg, int fd, unsigned events)
{
	(void)events;
	struct sp_agent *agent = arg;
	struct signalfd_siginfo info;
	if (read(fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	sp_notice("agent", "%s: stopping", strsignal((int)info.ssi_signo));
	sp_loop_uv_stop(agent->loop);
}

static int open_loop(struct sp_agent *agent)
{
	int result = sp_loop_uv_new(&agent->loop);
	if (result)
		return result;
	sigset_t signals;
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	agent->signal_fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
	if (agent->signal_fd < 0)
		return -errno;
	agent->signal_watch = sp_loop_watch_new(agent->loop, agent->signal_fd, SP_READABLE, on_signal, agent);
	return agent->signal_watch ? 0 : -errno;
}

static int open_journal(struct sp_agent *agent, const char *path)
{
	const struct sp_journal_conf *conf = &agent->settings->journal;
	const struct sp_attendance_conf *attendance = &agent->settings->attendance;
	struct sp_journal_config config = {.path = path,
					   .cap_bytes = conf->cap_bytes,
					   .bulk_commit_ms = conf->bulk_commit_ms,
					   .group_commit_ms = conf->group_commit_ms,
					   .keep_acked_ms = conf->keep_settled_ms,
					   .keep_attendance_ms = attendance->keep_ms,
					   .unsent_attendance_ms = attendance->unsent_ms,
					   .withhold_attendance = !sp_attendance_sends_events(attendance),
					   .boot = agent->boot};
	struct sp_journal_customers customers = {
	    .post = on_post, .post_arg = agent, .news = on_news, .news_arg = agent};
	agent->journal_deadline.thread = "journal";
	int result = sp_journal_open(&agent->journal, &config, &customers, &agent->journal_deadline);
	if (result)
		return result;
	sp_journal_recorder_init(&agent->recorder, agent->journal);
	return 0;
}

static void recall_time(struct sp_agent *agent)
{
	char *saved = sp_journal_get(agent->journal, SP_CLOCKS_KEY);
	sp_clock_saved(sp_clocks_saved(saved));
	free(saved);
}

static const char *nonempty(const char *text)
{
	return text && text[0] ? text : NULL;
}

static int start_publisher(struct sp_agent *agent)
{
	const struct sp_mqtt_conf *conf = &agent->settings->mqtt;
	struct sp_publisher_config config = {
	    .mqtt = {.host = conf->host,
		     .port = (uint16_t)conf->port,
		     .username = nonempty(conf->username),
		     .password = nonempty(conf->password),
		     .ca_file = nonempty(conf->ca_file),
		     .cert_file = nonempty(conf->cert_file),
		     .key_file = nonempty(conf->key_file),
		     .keepalive_seconds = conf->keepalive_ms / 1000,
		     .session_expiry_seconds = conf->session_expiry_ms / 1000,
		     .will_delay_seconds = conf->will_delay_ms / 1000},
	    .shard = agent->settings->agent.shard,
	    .device = agent->device,
	    .boot = agent->boot,
	    .version = SP_VERSION,
	    .ack_mode = (enum sp_ack_mode)conf->ack_mode,
	    .backlog_per_second = conf->backlog_per_second,
	    .resend_min_ms = conf->resend_min_ms,
	    .resend_max_ms = conf->resend_max_ms,
	    .backoff_max_ms = conf->reconnect_max_ms,
	    .command = agent->commands ? sp_agent_command : NULL,
	    .command_arg = agent,
	};
	agent->publisher_deadline.thread = "publisher";
	struct sp_publisher *publisher = NULL;
	int result = sp_publisher_start(&publisher, &config, agent->journal, &agent->publisher_deadline,
					on_publisher_changed, agent);
	if (!result)
		atomic_store(&agent->publisher, publisher);
	return result;
}

static void start_board(struct sp_agent *agent)
{
	const struct sp_settings *settings = agent->settings;
	agent->board = sp_board_watch_new(&(struct sp_board_watch_config){
	    .loop = agent->loop,
	    .recorder = &agent->recorder.base,
	    .root = {.root = settings->board.root, .data_path = settings->agent.state_dir},
	    .interval_ms = settings->board.interval_ms});
}

static void open_control(struct sp_agent *agent)
{
	const char *path = agent->settings->agent.socket;
	int result =
	    sp_control_open(&agent->control, agent->loop, path, sp_agent_answer, sp_agent_gone, agent);
	if (result)
		sp_err("control", "no local socket at %s: %s", path, strerror(-result));
}

static int start(struct sp_agent *agent)
{
	char why[256];
	const struct sp_agent_conf *conf = &agent->settings->agent;
	agent->state_fd = sp_state_dir_open(conf->state_dir, why);
	if (agent->state_fd < 0 || sp_device_id(conf->state_dir, conf->device, agent->device, why)) {
		sp_err("agent", "%s", why);
		return -1;
	}
	sp_boot_id(agent->settings->board.root, agent->boot);
	int result = open_loop(agent);
	if (result) {
		sp_err("agent", "no event loop: %s", strerror(-result));
		return -1;
	}
	agent->start_us = sp_loop_now_us(agent->loop);
	char *path = sp_asprintf("%s/journal.db", conf->state_dir);
	bool existed = access(path, F_OK) == 0;
	result = open_journal(agent, path);
	free(path);
	if (result) {
		sp_err("agent", "no journal: %s", strerror(-result));
		return -1;
	}
	recall_time(agent);
	start_board(agent);
	sp_agent_boot(agent, existed);
	sp_agent_open_accounts(agent);
	sp_agent_open_attendance(agent);
	add_lines_and_devices(agent);
	sp_agent_open_speed_list(agent);
	sp_agent_open_speed(agent);
	sp_agent_open_commands(agent);
	if (agent->was_silent)
		sp_lines_silence(agent->lines, &agent->silence);
	result = start_publisher(agent);
	if (result) {
		sp_err("agent", "no publisher: %s", strerror(-result));
		return -1;
	}
	return 0;
}

static void run(struct sp_agent *agent)
{
	agent->deadlines[0] = &agent->journal_deadline;
	agent->deadlines[1] = &agent->publisher_deadline;
	agent->watchdog =
	    sp_watchdog_new(&(struct sp_watchdog_config){.loop = agent->loop, .deadlines = agent->deadlines});
	agent->storage = (struct sp_storage){.recorder = &agent->recorder.base};
	sp_clocks_init(&agent->clocks, &agent->recorder.base, sp_agent_put, agent);
	if (sp_settings_frugal(agent->settings))
		agent->clocks.every_us = FRUGAL_CLOCK_US;
	open_control(agent);
	sp_agent_beat_start(agent);
	sp_devices_start(agent->devices);
	sp_agent_open_tests(agent);
	sp_notice("agent", "device %s/%s, version %s", agent->settings->agent.shard, agent->device,
		  SP_VERSION);
	sp_watchdog_ready(agent->watchdog);
	sp_loop_uv_run(agent->loop);
}

// ---- stop ------------------------------------------------------------------------------------------

static void leave(void *arg)
{
	struct sp_agent *agent = arg;
	sp_loop_uv_stop(agent->loop);
}

static void committed(void *arg, int result)
{
	(void)result;
	leave(arg);
}

/// The stop fact, and with it everything before it, on the card; or the wait is over.
static void record_stop(struct sp_agent *agent)
{
	struct sp_field reason = SP_TEXT("reason", "signal");
	if (sp_record(&agent->recorder.base, SP_RECORD_FACTS, "stop", NULL, &reason, 1, committed, agent))
		return;
	struct sp_loop_timer *timer = sp_loop_timer_new(agent->loop, leave, agent);
	sp_loop_timer_start(agent->loop, timer, STOP_COMMIT_MS);
	sp_loop_uv_run(agent->loop);
	sp_loop_timer_free(agent->loop, timer);
}

static void stop_watching(struct sp_agent *agent)
{
	sp_watchdog_stopping(agent->watchdog);
	sp_control_close(agent->control);
	sp_agent_close_speed(agent);
	sp_agent_close_tests(agent);
	sp_devices_stop(agent->devices);
	sp_summaries_end(agent->summaries, agent->devices, agent->board);
	sp_agent_beat_stop(agent);
	sp_clocks_leave(&agent->clocks);
	record_stop(agent);
}

/// False when a thread had to be left behind.
static bool take_apart(struct sp_agent *agent)
{
	struct sp_publisher *publisher = atomic_load(&agent->publisher);
	bool left = false;
	if (publisher && sp_publisher_stop(publisher, STOP_SEND_MS)) {
		sp_warning("agent", "the publisher hangs in name resolution and is left behind");
		left = true;
	}
	if (!left)
		sp_agent_settle_accounts(agent);
	if (agent->journal && sp_journal_close(agent->journal, STOP_CLOSE_MS)) {
		sp_warning("agent", "the journal hangs in the kernel and is left behind");
		left = true;
	}
	// It may still call into everything below.
	if (left)
		return false;
	sp_publisher_free(publisher);
	if (agent->loop)
		sp_loop_uv_drain(agent->loop);
	if (agent->loop && !sp_loop_uv_finish(agent->loop, STOP_WORK_MS)) {
		sp_warning("agent", "a driver's library hangs and is left behind");
		return false;
	}
	sp_watchdog_free(agent->watchdog);
	sp_children_free(agent->children);
	sp_devices_free(agent->devices);
	sp_agent_close_attendance(agent);
	sp_agent_close_commands(agent);
	sp_speed_run_free(agent->speed);
	sp_speed_list_free(agent->speed_list);
	sp_lines_free(agent->lines);
	sp_summaries_free(agent->summaries);
	sp_budgets_free(agent->budgets);
	sp_board_watch_free(agent->board);
	if (agent->loop)
		sp_loop_watch_free(agent->loop, agent->signal_watch);
	sp_loop_uv_free(agent->loop);
	if (agent->signal_fd >= 0)
		close(agent->signal_fd);
	if (agent->state_fd >= 0)
		close(agent->state_fd);
	return true;
}

enum sp_agent_exit sp_agent_run(struct sp_settings *settings, const struct sp_driver *const *drivers)
{
	struct sp_agent agent = {.settings = settings, .drivers = drivers, .state_fd = -1, .signal_fd = -1};
	umask(0027);
	bool started = start(&agent) == 0;
	if (started) {
		run(&agent);
		stop_watching(&agent);
	}
	enum sp_agent_exit code = started ? SP_EXIT_CLEAN : SP_EXIT_START;
	// Nothing may be freed under a thread that lives on: end at once.
	if (!take_apart(&agent))
		_exit((int)code);
	return code;
}
