// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// One round of one speed device on the real loop, without the agent around it: for measuring the driver
// itself. speed_device [--down|--up] DRIVER "key = value" … prints the report as JSON, with what it cost the
// processor.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "agent/base/buf.h"
#include "agent/base/config.h"
#include "agent/core/device.h"
#include "agent/core/loop.h"
#include "drivers/drivers.h"
#include "tests/unit/core/recorder_list.h"

static struct {
	struct sp_loop *loop;
	struct sp_devices *devices;
	struct sp_loop_timer *timer;
	bool watched;
	int result;
	double cpu_began;
} bench;

static double cpu_seconds(void)
{
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void print_latency(const char *name, const struct sp_speed_latency *latency)
{
	printf("\"%s\":{\"count\":%u,\"min\":%.6f,\"median\":%.6f,\"p95\":%.6f,\"jitter\":%.6f}", name,
	       latency->count, latency->min, latency->median, latency->p95, latency->jitter);
}

static void on_report(void *arg, const struct sp_speed_report *report)
{
	static const char *const outcomes[] = {"not_done", "whole", "partial", "failed", "skipped"};
	static const char *const names[] = {"down", "up"};
	struct rusage usage;
	(void)arg;
	getrusage(RUSAGE_SELF, &usage);
	printf(
	    "{\"method\":\"%s\",\"server\":\"%s\",\"address\":\"%s\",\"scope\":\"%s\",\"wire_bytes\":%" PRId64
	    ",\"cpu_seconds\":%.3f,\"rss_kb\":%ld,",
	    report->method, report->server, report->address ? report->address : "", report->scope,
	    report->wire_bytes, cpu_seconds() - bench.cpu_began, usage.ru_maxrss);
	print_latency("idle", &report->idle);
	for (int i = 0; i < SP_SPEED_DIRECTIONS; i++) {
		const struct sp_speed_result *r = &report->results[i];
		double bps = r->duration_us > 0 ? 8e6 * (double)r->bytes / (double)r->duration_us : 0;
		printf(",\n\"%s\":{\"outcome\":\"%s\",\"reason\":\"%s\",\"text\":\"%s\",\"mbps\":%.4f,"
		       "\"bytes\":%" PRId64 ",\"duration\":%.6f,\"streams\":%u,\"retransmit_ratio\":%.6f,",
		       names[i], outcomes[r->outcome], r->reason ? r->reason : "", r->text ? r->text : "",
		       bps / 1e6, r->bytes, (double)r->duration_us / 1e6, r->streams,
		       isnan(r->retransmit_ratio) ? -1 : r->retransmit_ratio);
		print_latency("loaded", &r->loaded);
		printf(",\"curve_mbps\":[");
		for (unsigned k = 0; k < r->curve_count; k++)
			printf("%s%.2f", k ? "," : "", r->curve[k] / 1e6);
		printf("]}");
	}
	printf("}\n");
}

static void on_progress(void *arg, enum sp_speed_phase phase, double done, double bps)
{
	(void)arg;
	if (bench.watched)
		fprintf(stderr, "phase %d %3.0f %% %.1f Mbit/s\n", phase, done * 100, bps / 1e6);
}

static void on_round(void *arg, const char *device, bool ok, const char *reason, const char *text)
{
	(void)arg, (void)device;
	if (!ok)
		fprintf(stderr, "%s: %s\n", reason, text);
	bench.result = ok ? 0 : 1;
	sp_loop_uv_stop(bench.loop);
}

/// The device starts within seconds; then its round.
static void on_tick(void *arg)
{
	(void)arg;
	if (sp_devices_round(bench.devices) < 0)
		sp_loop_timer_start(bench.loop, bench.timer, 20);
	else
		bench.cpu_began = cpu_seconds();
}

static const struct sp_driver *driver_of(const char *name)
{
	for (const struct sp_driver *const *it = sp_driver_registry; *it; it++)
		if (strcmp((*it)->name, name) == 0)
			return *it;
	return NULL;
}

static void *read_options(const struct sp_driver *driver, int count, char **lines)
{
	struct sp_buf text = SP_BUF(65536);
	struct sp_config config = {0};
	struct sp_config_errors errors = {0};
	const char *key = "";
	char why[256] = "";
	void *conf = calloc(1, driver->conf_size);
	sp_buf_printf(&text, "[%s \"it\"]\n", driver->name);
	for (int i = 0; i < count; i++)
		sp_buf_printf(&text, "%s\n", lines[i]);
	int result = sp_config_parse(&config, "arguments", text.data, text.length, &errors);
	if (result == 0)
		result = sp_options_apply(driver->options, NULL, &config,
					  sp_config_find(&config, driver->name, "it"), conf, &errors);
	for (size_t i = 0; i < errors.count; i++)
		fprintf(stderr, "%s\n", errors.lines[i]);
	if (result == 0 && driver->check && (result = driver->check(conf, &key, why, sizeof(why))) < 0)
		fprintf(stderr, "%s: %s\n", key, why);
	sp_config_errors_free(&errors);
	sp_config_free(&config);
	sp_buf_free(&text);
	if (result == 0)
		return conf;
	free(conf);
	return NULL;
}

int main(int argc, char **argv)
{
	static struct sp_speed_order order = {.wanted = {true, true}};
	if (argc > 1 && strncmp(argv[1], "--", 2) == 0) {
		order.wanted[SP_SPEED_DOWN] = strcmp(argv[1], "--down") == 0;
		order.wanted[SP_SPEED_UP] = strcmp(argv[1], "--up") == 0;
		argc--;
		argv++;
	}
	const struct sp_driver *driver = argc > 1 ? driver_of(argv[1]) : NULL;
	static char line[] = "main";
	struct recorder_list recorder;
	if (!driver || driver->cls != SP_DRIVER_SPEED) {
		fprintf(stderr, "usage: speed_device [--down|--up] DRIVER \"key = value\" …\n");
		return 2;
	}
	void *conf = read_options(driver, argc - 2, argv + 2);
	if (!conf || sp_loop_uv_new(&bench.loop) < 0)
		return 2;
	bench.watched = getenv("SPEED_DEVICE_WATCH") != NULL;
	recorder_list_init(&recorder);
	bench.devices = sp_devices_new(&(struct sp_devices_config){.loop = bench.loop,
								   .recorder = &recorder.base,
								   .order = &order,
								   .speed_report = on_report,
								   .speed_progress = on_progress,
								   .round = on_round});
	struct sp_device_common common = {.line = line, .enabled = true};
	sp_devices_add(bench.devices, driver, "it", &common, conf);
	bench.timer = sp_loop_timer_new(bench.loop, on_tick, NULL);
	sp_devices_start(bench.devices);
	sp_loop_timer_start(bench.loop, bench.timer, 0);
	sp_loop_uv_run(bench.loop);
	sp_devices_stop(bench.devices);
	sp_devices_free(bench.devices);
	sp_loop_timer_free(bench.loop, bench.timer);
	sp_loop_uv_free(bench.loop);
	recorder_list_clear(&recorder);
	sp_options_free(driver->options, conf);
	free(conf);
	return bench.result;
}
