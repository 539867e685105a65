// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The service driver in the real core, against a real HTTPS server on loopback whose certificates are good,
// expired, somebody else's, or of an authority that nobody trusts.
#include <arpa/inet.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/base/config.h"
#include "agent/core/device.h"
#include "agent/core/loop.h"
#include "drivers/drivers.h"
#include "schoolpulse/clock.h"
#include "tests/unit/base/mqtt_peer.h"
#include "tests/unit/core/recorder_list.h"

enum { LIMIT_US = 30 * 1000 * 1000, TICK_MS = 20 };

static char dir[] = "/tmp/sp-service-XXXXXX";

static struct bench {
	struct sp_loop *loop;
	struct recorder_list recorder;
	struct sp_devices *devices;
	void *conf;
	struct sp_loop_timer *timer;
	int64_t deadline_us;
	bool heard;
	enum sp_rung_status status;
	char reason[32], host[64];
	int64_t spent;
} bench;

// ---- the server -------------------------------------------------------------------------------

static uint16_t free_port(void)
{
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(here);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&here, size), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&here, &size), 0);
	close(fd);
	return ntohs(here.sin_port);
}

static bool answers(uint16_t port)
{
	struct sockaddr_in there = {
	    .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool good = connect(fd, (struct sockaddr *)&there, sizeof(there)) == 0;
	close(fd);
	return good;
}

/// `openssl s_server` with that certificate, as a page server.
static pid_t serve(uint16_t port, const char *name)
{
	char accept[32], cert[96], key[96];
	snprintf(accept, sizeof(accept), "127.0.0.1:%u", port);
	snprintf(cert, sizeof(cert), "%s/%s.pem", dir, name);
	snprintf(key, sizeof(key), "%s/%s.key", dir, name);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execlp("openssl", "openssl", "s_server", "-quiet", "-www", "-accept", accept, "-cert", cert,
		       "-key", key, (char *)NULL);
		_exit(127);
	}
	for (int64_t end = sp_clock_mono_us() + LIMIT_US; !answers(port);) {
		assert_true(sp_clock_mono_us() < end);
		assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
		usleep(20 * 1000);
	}
	return pid;
}

// ---- the core -----------------------------------------------------------------------------------

/// The machine's clocks, synchronised whatever the machine says of them.
static void read_clock(void *arg, struct sp_clock_reading *out)
{
	struct timespec mono, wall;
	(void)arg;
	clock_gettime(CLOCK_MONOTONIC_RAW, &mono);
	clock_gettime(CLOCK_REALTIME, &wall);
	*out = (struct sp_clock_reading){.mono_us = (int64_t)mono.tv_sec * 1000000 + mono.tv_nsec / 1000,
					 .synced = true,
					 .wall_ms = (int64_t)wall.tv_sec * 1000 + wall.tv_nsec / 1000000,
					 .err_ms = 100};
}

static const struct sp_clock_source test_source = {read_clock, NULL};

static void on_rung(void *arg, const char *line, const char *device, const struct sp_rung_report *report,
		    int64_t max_age_us)
{
	(void)arg, (void)line, (void)device, (void)max_age_us;
	bench.heard = true;
	bench.status = report->status;
	snprintf(bench.reason, sizeof(bench.reason), "%s", report->reason ? report->reason : "");
	snprintf(bench.host, sizeof(bench.host), "%s", report->host ? report->host : "");
}

static void on_spent(void *arg, const char *line, enum sp_spending what, int64_t bytes)
{
	(void)arg, (void)line;
	assert_int_equal(what, SP_SPENT_PROBES);
	bench.spent += bytes;
}

static bool on_usable(void *arg, const char *line)
{
	(void)arg, (void)line;
	return true;
}

static void on_tick(void *arg)
{
	(void)arg;
	if (bench.heard || sp_loop_now_us(bench.loop) > bench.deadline_us)
		sp_loop_uv_stop(bench.loop);
	else
		sp_loop_timer_start(bench.loop, bench.timer, TICK_MS);
}

static void add(const char *options)
{
	struct sp_config config = {0};
	struct sp_config_errors errors = {0};
	char text[512], line[] = "main";
	snprintf(text, sizeof(text), "[service \"it\"]\n%s", options);
	assert_int_equal(sp_config_parse(&config, "it.conf", text, strlen(text), &errors), 0);
	bench.conf = calloc(1, sp_driver_service.conf_size);
	assert_int_equal(sp_options_apply(sp_driver_service.options, NULL, &config,
					  sp_config_find(&config, "service", "it"), bench.conf, &errors),
			 0);
	sp_config_free(&config);
	struct sp_device_common common = {.line = line, .interval_ms = 600 * 1000, .enabled = true};
	sp_devices_add(bench.devices, &sp_driver_service, "it", &common, bench.conf);
}

/// One round against a server with that certificate (NULL: nobody listens), trusting that authority.
static void round_of(const char *certificate, const char *authority)
{
	char options[256];
	uint16_t port = free_port();
	pid_t server = certificate ? serve(port, certificate) : -1;
	memset(&bench, 0, sizeof(bench));
	recorder_list_init(&bench.recorder);
	assert_int_equal(sp_loop_uv_new(&bench.loop), 0);
	bench.timer = sp_loop_timer_new(bench.loop, on_tick, NULL);
	bench.devices = sp_devices_new(&(struct sp_devices_config){.loop = bench.loop,
								   .recorder = &bench.recorder.base,
								   .rung = on_rung,
								   .spent = on_spent,
								   .usable = on_usable});
	snprintf(options, sizeof(options), "urls = https://127.0.0.1:%u/\nca_file = %s/%s.pem\n", port, dir,
		 authority);
	add(options);
	bench.deadline_us = sp_loop_now_us(bench.loop) + LIMIT_US;
	sp_devices_start(bench.devices);
	sp_loop_timer_start(bench.loop, bench.timer, 0);
	sp_loop_uv_run(bench.loop);
	sp_devices_stop(bench.devices);
	sp_devices_free(bench.devices);
	sp_options_free(sp_driver_service.options, bench.conf);
	free(bench.conf);
	sp_loop_timer_free(bench.loop, bench.timer);
	sp_loop_uv_free(bench.loop);
	recorder_list_clear(&bench.recorder);
	if (server > 0) {
		kill(server, SIGKILL);
		waitpid(server, NULL, 0);
	}
	assert_true(bench.heard);
}

static void a_good_certificate_is_an_answer(void **state)
{
	(void)state;
	round_of("server", "ca");
	assert_int_equal(bench.status, SP_RUNG_OK);
	assert_string_equal(bench.reason, "answers");
	assert_non_null(strstr(bench.host, "127.0.0.1"));
	// A handshake with a certificate, and a page.
	assert_in_range(bench.spent, 1500, 20000);
}

static void any_other_is_none(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
	    {"expired", "ca"}, {"early", "ca"}, {"named", "ca"}, {"server", "other-ca"}};
	for (size_t i = 0; i < SP_COUNT(cases); i++) {
		round_of(cases[i][0], cases[i][1]);
		if (bench.status != SP_RUNG_SILENT || strcmp(bench.reason, "untrusted") != 0)
			fail_msg("%s with %s: %d %s", cases[i][0], cases[i][1], bench.status, bench.reason);
	}
}

static void nobody_there(void **state)
{
	(void)state;
	round_of(NULL, "ca");
	assert_int_equal(bench.status, SP_RUNG_SILENT);
	assert_string_equal(bench.reason, "no_answer");
}

static int set_up(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(dir));
	make_certificates(dir);
	sp_clock_set_source(&test_source);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	char command[64];
	sp_clock_set_source(NULL);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_good_certificate_is_an_answer),
	    cmocka_unit_test(any_other_is_none),
	    cmocka_unit_test(nobody_there),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
