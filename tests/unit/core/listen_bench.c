// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Devices that listen, and their visitors (listen_bench.h).
#include "tests/unit/core/listen_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "schoolpulse/clock.h"
#include "tests/unit/core/recorder_list.h"

struct sp_loop *listen_loop;
struct sp_devices *listen_devices;
struct gate gates[2];
int64_t ahead_us;
bool clock_synced;
static struct recorder_list records;

// ---- the clock ----------------------------------------------------------------------------------------

static void read_clock(void *arg, struct sp_clock_reading *out)
{
	struct timespec now;
	(void)arg;
	clock_gettime(CLOCK_MONOTONIC_RAW, &now);
	memset(out, 0, sizeof(*out));
	out->mono_us = now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000 + ahead_us;
	out->synced = clock_synced;
	out->wall_ms = INT64_C(1795391921000); // Sun, 22 Nov 2026 23:58:41 GMT
}

static const struct sp_clock_source source = {read_clock, NULL};

// ---- the devices --------------------------------------------------------------------------------------

static struct gate *gate_of(const struct sp_device *dev)
{
	return dev == gates[0].dev ? &gates[0] : &gates[1];
}

uint32_t sum_of(uint32_t sum, const void *data, size_t length)
{
	for (size_t i = 0; i < length; i++)
		sum = sum * 31 + ((const uint8_t *)data)[i];
	return sum;
}

void gate_reply(struct gate *gate, unsigned status, const char *text)
{
	struct sp_http_reply reply = {.status = status,
				      .content_type = "text/plain",
				      .body = text,
				      .length = strlen(text),
				      .date = true};
	sp_http_inbound_reply(gate->last, &reply);
}

static enum sp_http_claim on_claim(struct sp_device *dev, const struct sp_http_inbound *in)
{
	struct gate *gate = gate_of(dev);
	gate->claims++;
	if (!gate->prefix)
		return SP_HTTP_IF_NOBODY;
	if (strncmp(sp_http_inbound_path(in), gate->prefix, strlen(gate->prefix)) != 0)
		return SP_HTTP_NOT_MINE;
	if (gate->reply_in_head) {
		gate->last = (struct sp_http_inbound *)(uintptr_t)in;
		gate_reply(gate, 503, gate->reply_in_head);
	}
	return SP_HTTP_MINE;
}

static void on_begin(struct sp_device *dev, struct sp_http_inbound *in)
{
	struct gate *gate = gate_of(dev);
	const char *query = sp_http_inbound_query(in, "SN");
	gate->begins++;
	gate->last = in;
	snprintf(gate->method, sizeof(gate->method), "%s", sp_http_inbound_method(in));
	snprintf(gate->path, sizeof(gate->path), "%s", sp_http_inbound_path(in));
	snprintf(gate->query, sizeof(gate->query), "%s", query ? query : "-");
	snprintf(gate->peer, sizeof(gate->peer), "%s", sp_http_inbound_peer(in));
	assert_null(sp_http_inbound_get(in));
	sp_http_inbound_set(in, gate);
}

static void on_piece(struct sp_device *dev, struct sp_http_inbound *in, const uint8_t *data, size_t length)
{
	struct gate *gate = gate_of(dev);
	assert_ptr_equal(sp_http_inbound_get(in), gate);
	gate->pieces++;
	gate->bytes += length;
	gate->sum = sum_of(gate->sum, data, length);
	if (gate->pause_after && gate->pieces % gate->pause_after == 0)
		sp_http_inbound_pause(in);
	if (gate->reply_after && gate->bytes >= gate->reply_after) {
		gate->reply_after = 0;
		gate_reply(gate, 400, "enough");
	}
}

static void on_whole(struct sp_device *dev, struct sp_http_inbound *in)
{
	struct gate *gate = gate_of(dev);
	gate->wholes++;
	gate->last = in;
	if (gate->answer_at_once)
		gate_reply(gate, 200, "taken");
}

static void on_gone(struct sp_device *dev, struct sp_http_inbound *in)
{
	struct gate *gate = gate_of(dev);
	gate->gones++;
	if (gate->last == in)
		gate->last = NULL;
}

static const struct sp_http_service service = {on_claim, on_begin, on_piece, on_whole, on_gone};

static int start(struct sp_device *device)
{
	(void)device;
	return 0;
}

static void stop(struct sp_device *device)
{
	(void)device;
}

static const struct sp_driver driver = {.name = "gate", .cls = SP_DRIVER_KIOSK, .start = start, .stop = stop};

int listen_set_up(void **state)
{
	(void)state;
	static char line[] = "";
	static const char conf[1];
	ahead_us = 0;
	clock_synced = true;
	sp_clock_set_source(&source);
	recorder_list_init(&records);
	if (sp_loop_uv_new(&listen_loop))
		return -1;
	listen_devices =
	    sp_devices_new(&(struct sp_devices_config){.loop = listen_loop, .recorder = &records.base});
	struct sp_device_common common = {.line = line, .enabled = true};
	memset(gates, 0, sizeof(gates));
	gates[0].dev = sp_devices_add(listen_devices, &driver, "a", &common, conf);
	gates[1].dev = sp_devices_add(listen_devices, &driver, "b", &common, conf);
	sp_devices_start(listen_devices);
	return 0;
}

int listen_tear_down(void **state)
{
	(void)state;
	sp_devices_stop(listen_devices);
	sp_devices_free(listen_devices);
	sp_loop_uv_free(listen_loop);
	recorder_list_clear(&records);
	sp_clock_set_source(NULL);
	return 0;
}

int gate_listen(unsigned which, const struct sp_http_listener_config *config)
{
	char why[256];
	gates[which].listener = sp_http_listen(gates[which].dev, config, &service, why);
	assert_true(gates[which].listener || strlen(why) > 0);
	return gates[which].listener ? 0 : errno;
}

uint16_t gates_listen(void)
{
	struct sp_http_listener_config config = {.address = "127.0.0.1"};
	gates[0].prefix = "/a";
	assert_int_equal(gate_listen(0, &config), 0);
	config.port = sp_http_listener_port(gates[0].listener);
	assert_int_equal(gate_listen(1, &config), 0);
	return config.port;
}

// ---- visitors -------------------------------------------------------------------------------------------

int dial_from(unsigned host, uint16_t port)
{
	struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000000 + host)};
	struct sockaddr_in to = {
	    .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

void turns(int count)
{
	while (count-- > 0)
		sp_loop_uv_drain(listen_loop);
}

bool pour(int fd, const char *data, size_t length, int patience, size_t *sent)
{
	size_t went = 0;
	for (int idle = 0; went < length && idle < patience; idle++) {
		ssize_t got = send(fd, data + went, length - went, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (got < 0 && errno != EAGAIN)
			break;
		if (got > 0) {
			went += (size_t)got;
			idle = 0;
		}
		turns(1);
	}
	if (sent)
		*sent = went;
	return went == length;
}

void say(int fd, const char *text)
{
	ssize_t ignored = send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)ignored;
}

bool hear(int fd, char *out, size_t size, const char *wanted)
{
	size_t length = 0;
	out[0] = '\0';
	for (int i = 0; i < 30000; i++) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		turns(1);
		poll(&p, 1, 1);
		ssize_t got = recv(fd, out + length, size - 1 - length, MSG_DONTWAIT);
		if (got == 0 || (got < 0 && errno != EAGAIN))
			return false;
		length += got > 0 ? (size_t)got : 0;
		out[length] = '\0';
		if (wanted && strstr(out, wanted))
			return true;
	}
	fail_msg("waited in vain for %s in: %s", wanted ? wanted : "the end", out);
	return false;
}

const char *ask(uint16_t port, const char *request)
{
	static char answer[4096];
	int fd = dial_from(1, port);
	say(fd, request);
	hear(fd, answer, sizeof(answer), NULL);
	close(fd);
	return answer;
}

void has(const char *answer, const char *status, const char *part)
{
	if (strlen(answer) < 12 || strncmp(answer + 9, status, 3) != 0 || !strstr(answer, part))
		fail_msg("not %s, %s: %s", status, part, answer);
}
