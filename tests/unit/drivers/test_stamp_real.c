// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The stamp driver in the real core, over real sockets, against the anchor's own reflector; between them a
// relay that loses packets of one direction by their number.
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/base/config.h"
#include "agent/core/device.h"
#include "agent/core/loop.h"
#include "drivers/drivers.h"
#include "tests/unit/core/recorder_list.h"
#include "tools/anchor/reflector.h"

enum { LIMIT_US = 30 * 1000 * 1000, TICK_MS = 20, PACKETS = 22 };

// ---- the relay ------------------------------------------------------------------------------------------

static struct relay {
	int near, far, stop;
	uint16_t port;
	pthread_t thread;
	bool lose_forward, lose_backward;
	unsigned there, back; ///< packets that came, each way
} relay;

static int udp(uint16_t to, uint16_t *port)
{
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(here);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&here, size), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&here, &size), 0);
	if (port)
		*port = ntohs(here.sin_port);
	here.sin_port = htons(to);
	if (to)
		assert_int_equal(connect(fd, (struct sockaddr *)&here, size), 0);
	return fd;
}

/// Every third is lost, but never the last.
static bool lost(bool lossy, unsigned number)
{
	return lossy && number % 3 == 1;
}

static void *run_relay(void *arg)
{
	struct pollfd fds[3] = {{.fd = relay.near, .events = POLLIN},
				{.fd = relay.far, .events = POLLIN},
				{.fd = relay.stop, .events = POLLIN}};
	struct sockaddr_in client = {0};
	socklen_t size = sizeof(client);
	char data[256];
	(void)arg;
	while (poll(fds, 3, -1) > 0 && !fds[2].revents) {
		if (fds[0].revents) {
			ssize_t got =
			    recvfrom(relay.near, data, sizeof(data), 0, (struct sockaddr *)&client, &size);
			if (got > 0 && !lost(relay.lose_forward, relay.there++))
				(void)!send(relay.far, data, (size_t)got, 0);
		}
		if (fds[1].revents) {
			ssize_t got = recv(relay.far, data, sizeof(data), 0);
			if (got > 0 && !lost(relay.lose_backward, relay.back++))
				sendto(relay.near, data, (size_t)got, 0, (struct sockaddr *)&client, size);
		}
	}
	return NULL;
}

static void start_relay(uint16_t reflector, bool lose_forward, bool lose_backward)
{
	memset(&relay, 0, sizeof(relay));
	relay.near = udp(0, &relay.port);
	relay.far = udp(reflector, NULL);
	relay.stop = eventfd(0, EFD_CLOEXEC);
	relay.lose_forward = lose_forward;
	relay.lose_backward = lose_backward;
	assert_int_equal(pthread_create(&relay.thread, NULL, run_relay, NULL), 0);
}

static void stop_relay(void)
{
	assert_int_equal(eventfd_write(relay.stop, 1), 0);
	pthread_join(relay.thread, NULL);
	close(relay.near);
	close(relay.far);
	close(relay.stop);
}

// ---- the core -------------------------------------------------------------------------------------------

static struct bench {
	struct sp_loop *loop;
	struct recorder_list recorder;
	struct sp_devices *devices;
	struct sp_loop_timer *timer;
	int64_t deadline_us;
	double loss, forward, backward, rtt; ///< means of what was sampled; -1: nothing
	int64_t spent;
} bench;

static void on_spent(void *arg, const char *line, enum sp_spending what, int64_t bytes)
{
	(void)arg, (void)line, (void)what;
	bench.spent += bytes;
}

static void on_samples(void *arg, const char *name, const char *line, const struct sp_driver *driver,
		       struct sp_samples *samples)
{
	struct sp_summary summary;
	(void)arg, (void)name, (void)line, (void)driver;
	bench.loss = bench.forward = bench.backward = bench.rtt = -1;
	for (size_t i = 0; sp_samples_now(samples, i, &summary); i++) {
		if (!summary.known)
			continue;
		if (strcmp(summary.target, "burst") == 0) {
			bench.loss = strcmp(summary.metric, "loss_ratio") == 0 ? summary.mean : bench.loss;
			bench.forward =
			    strcmp(summary.metric, "forward_loss_ratio") == 0 ? summary.mean : bench.forward;
			bench.backward = strcmp(summary.metric, "backward_loss_ratio") == 0 ? summary.mean
											    : bench.backward;
		} else if (strcmp(summary.metric, "rtt_seconds") == 0) {
			bench.rtt = summary.mean;
		}
	}
}

static void on_tick(void *arg)
{
	(void)arg;
	sp_devices_windows(bench.devices, on_samples, NULL);
	// A round of 22 packets is over when its losses are told.
	if (bench.loss >= 0 || sp_loop_now_us(bench.loop) > bench.deadline_us)
		sp_loop_uv_stop(bench.loop);
	else
		sp_loop_timer_start(bench.loop, bench.timer, TICK_MS);
}

static void *make_conf(struct sp_config *config)
{
	struct sp_config_errors errors = {0};
	char text[128];
	void *conf = calloc(1, sp_driver_stamp.conf_size);
	snprintf(text, sizeof(text), "[stamp \"it\"]\nhost = 127.0.0.1\nport = %u\ntimeout = 500ms\n",
		 relay.port);
	assert_int_equal(sp_config_parse(config, "it.conf", text, strlen(text), &errors), 0);
	assert_int_equal(sp_options_apply(sp_driver_stamp.options, NULL, config,
					  sp_config_find(config, "stamp", "it"), conf, &errors),
			 0);
	return conf;
}

/// One round of the driver through a relay that loses packets of these directions.
static void round_through(bool lose_forward, bool lose_backward)
{
	static const struct sp_stamp_rules_config rules = {
	    .rate = 1000, .source_rate = 1000, .sessions = 64, .secret = 5};
	struct sp_config config = {0};
	char why[256], line[] = "main";
	struct sp_reflector *reflector = sp_reflector_new("127.0.0.1", &rules, why);
	assert_non_null(reflector);
	start_relay(sp_reflector_port(reflector), lose_forward, lose_backward);
	memset(&bench, 0, sizeof(bench));
	recorder_list_init(&bench.recorder);
	assert_int_equal(sp_loop_uv_new(&bench.loop), 0);
	bench.timer = sp_loop_timer_new(bench.loop, on_tick, NULL);
	bench.devices = sp_devices_new(&(struct sp_devices_config){
	    .loop = bench.loop, .recorder = &bench.recorder.base, .spent = on_spent});
	void *conf = make_conf(&config);
	struct sp_device_common common = {.line = line, .interval_ms = 600 * 1000, .enabled = true};
	sp_devices_add(bench.devices, &sp_driver_stamp, "it", &common, conf);
	bench.deadline_us = sp_loop_now_us(bench.loop) + LIMIT_US;
	sp_devices_start(bench.devices);
	bench.loss = -1;
	sp_loop_timer_start(bench.loop, bench.timer, 0);
	sp_loop_uv_run(bench.loop);
	sp_devices_stop(bench.devices);
	sp_devices_free(bench.devices);
	sp_options_free(sp_driver_stamp.options, conf);
	free(conf);
	sp_config_free(&config);
	sp_loop_timer_free(bench.loop, bench.timer);
	sp_loop_uv_free(bench.loop);
	recorder_list_clear(&bench.recorder);
	stop_relay();
	sp_reflector_free(reflector);
}

/// Ratio of the burst's 20 packets; numbers 4, 7, … 19 of the session are lost.
static void expect(double forward, double backward)
{
	assert_true(bench.rtt > 0 && bench.rtt < 5);
	assert_true(bench.forward > forward - 0.001 && bench.forward < forward + 0.001);
	assert_true(bench.backward > backward - 0.001 && bench.backward < backward + 0.001);
}

static void losses_there_are_forward(void **state)
{
	(void)state;
	round_through(true, false);
	assert_int_equal(relay.there, PACKETS);
	expect(6.0 / 20, 0);
	assert_int_equal(bench.spent, (PACKETS + PACKETS - 7) * (44 + 28));
}

static void losses_back_are_backward(void **state)
{
	(void)state;
	round_through(false, true);
	assert_int_equal(relay.there, PACKETS);
	assert_int_equal(relay.back, PACKETS);
	expect(0, 6.0 / 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(losses_there_are_forward),
	    cmocka_unit_test(losses_back_are_backward),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
