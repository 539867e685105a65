// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Starting, running and ending what the anchor serves, and its status page.
#include "tools/anchor/serve.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include "agent/base/buf.h"
#include "agent/base/mem.h"
#include "schoolpulse/clock.h"
#include "schoolpulse/log.h"
#include "tools/anchor/admit.h"
#include "tools/anchor/backend.h"
#include "tools/anchor/reflector.h"

enum {
	// A refused client is gone within a round trip, so these are for the ones between.
	CONNECTIONS = 2048,
	PER_ADDRESS = 256,
	DESCRIPTORS = 2 * CONNECTIONS + 64, ///< both ports, and the rest
	POOL = 64 * 1024,                   ///< per connection: its head, and a step of an upload
	HEAD_TIMEOUT_MS = 10 * 1000,
	REPLY_TIMEOUT_MS = 10 * 1000,
	STALL_MS = 10 * 1000,
	IDLE_MS = 5 * 1000, ///< between a test's download and its upload
	PEM_MOST = 256 * 1024,
	HEARTBEAT_MS = 5 * 60 * 1000, ///< a line in the log, when anything happened
	SERVERS = 3,
};
static const int64_t most_upload = INT64_C(1) << 30;

struct sp_anchor {
	const struct sp_anchor_config *config;
	struct sp_admit *admit;
	struct sp_anchor_backend *backend;
	struct sp_reflector *reflector; ///< NULL: none
	char *certificate, *key;
	struct sp_http_server *servers[SERVERS];
	size_t server_count;
	int64_t started_us, told_us;
	uint64_t told_requests;
};

// ---- status ---------------------------------------------------------------------------------------------

static void stamp_status(struct sp_anchor *anchor, struct sp_buf *out)
{
	struct sp_reflector_state state = {0};
	if (anchor->reflector)
		sp_reflector_state(anchor->reflector, &state);
	sp_buf_printf(out,
		      "\"stamp\":{\"sessions\":%" PRIu64 ",\"reflected_total\":%" PRIu64
		      ",\"dropped_total\":{\"short\":%" PRIu64 ",\"origin\":%" PRIu64 ",\"source\":%" PRIu64
		      ",\"total\":%" PRIu64 "}}}\n",
		      state.sessions, state.packets[SP_STAMP_ANSWER], state.packets[SP_STAMP_SHORT],
		      state.packets[SP_STAMP_ORIGIN], state.packets[SP_STAMP_SOURCE],
		      state.packets[SP_STAMP_TOTAL]);
}

static void status(struct sp_http_call *call, void *arg)
{
	struct sp_anchor *anchor = arg;
	struct sp_buf out = SP_BUF(4096);
	struct sp_admit_state state;
	int64_t now = sp_clock_mono_us();
	const struct sp_anchor_traffic *traffic = sp_anchor_backend_traffic(anchor->backend);
	sp_admit_state(anchor->admit, now, &state);
	sp_buf_printf(&out, "{\"version\":\"" SP_VERSION "\",\"uptime_seconds\":%" PRId64 ",\"tests\":{",
		      (now - anchor->started_us) / 1000000);
	sp_buf_printf(
	    &out,
	    "\"active\":%u,\"most\":%" PRId64 ",\"streams\":%u,\"waiting\":%u,\"admitted_total\":%" PRIu64
	    ",\"refused_total\":{\"full\":%" PRIu64 ",\"address\":%" PRIu64 ",\"streams\":%" PRIu64
	    ",\"early\":%" PRIu64 ",\"bytes\":%" PRIu64 "}},",
	    state.tests, anchor->config->tests, state.streams, state.waiting, state.admitted,
	    state.refused[SP_ADMIT_FULL], state.refused[SP_ADMIT_ADDRESS], state.refused[SP_ADMIT_STREAMS],
	    state.refused[SP_ADMIT_EARLY], state.refused[SP_ADMIT_BYTES]);
	sp_buf_printf(&out,
		      "\"http\":{\"downloads_total\":%" PRIu64 ",\"uploads_total\":%" PRIu64
		      ",\"pings_total\":%" PRIu64 ",\"addresses_total\":%" PRIu64 ",\"sent_bytes\":%" PRId64
		      ",\"received_bytes\":%" PRId64 "},",
		      traffic->downloads, traffic->uploads, traffic->pings, traffic->addresses,
		      traffic->sent_bytes, traffic->received_bytes);
	stamp_status(anchor, &out);
	sp_http_reply_header(call, "Cache-Control", "no-store");
	sp_http_reply(call, 200, "application/json", out.data, out.length, SP_HTTP_COPY);
	sp_buf_free(&out);
}

static const struct sp_http_route status_routes[] = {{"GET", "/status", status}, {0}};

static void tell(struct sp_anchor *anchor)
{
	int64_t now = sp_clock_mono_us();
	const struct sp_anchor_traffic *traffic = sp_anchor_backend_traffic(anchor->backend);
	struct sp_admit_state state;
	if (now - anchor->told_us < HEARTBEAT_MS * INT64_C(1000))
		return;
	anchor->told_us = now;
	sp_admit_state(anchor->admit, now, &state);
	uint64_t requests = traffic->downloads + traffic->uploads + state.refused[SP_ADMIT_FULL];
	if (requests == anchor->told_requests)
		return;
	anchor->told_requests = requests;
	sp_info("anchor",
		"%u tests now, %" PRIu64 " ever, %" PRIu64 " streams refused, %u wait; %" PRId64
		" MB sent, %" PRId64 " MB received",
		state.tests, state.admitted, state.refused[SP_ADMIT_FULL] + state.refused[SP_ADMIT_ADDRESS],
		state.waiting, traffic->sent_bytes / 1000000, traffic->received_bytes / 1000000);
}

// ---- start ----------------------------------------------------------------------------------------------

static char *read_pem(const char *file, char why[256])
{
	char *text = sp_alloc(PEM_MOST + 1);
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, text, PEM_MOST);
	if (got <= 0) {
		snprintf(why, 256, "cannot read %.200s: %s", file, got < 0 ? strerror(errno) : "it is empty");
		free(text);
		text = NULL;
	}
	if (fd >= 0)
		close(fd);
	return text;
}

static bool serve_on(struct sp_anchor *anchor, const struct sp_http_server_config *config,
		     const struct sp_http_route *routes, void *arg, char why[256])
{
	struct sp_http_server_config here = *config;
	struct sp_http_server *server = sp_http_server_new(&here, routes, arg, why);
	if (!server && errno == EAFNOSUPPORT && strcmp(config->address, "::") == 0) { // a kernel without IPv6
		here.address = "0.0.0.0";
		server = sp_http_server_new(&here, routes, arg, why);
	}
	if (!server)
		return false;
	anchor->servers[anchor->server_count++] = server;
	return true;
}

static bool serve_backend(struct sp_anchor *anchor, uint16_t port, bool tls, char why[256])
{
	struct sp_http_server_config config = {
	    .address = anchor->config->listen,
	    .port = port,
	    .max_connections = CONNECTIONS,
	    .max_per_address = PER_ADDRESS,
	    .max_head = POOL,
	    .max_body = 1,
	    .request_timeout_ms = HEAD_TIMEOUT_MS,
	    .reply_timeout_ms = REPLY_TIMEOUT_MS,
	    .begin = sp_anchor_begin,
	};
	if (tls) {
		anchor->certificate = read_pem(anchor->config->cert_file, why);
		anchor->key = anchor->certificate ? read_pem(anchor->config->key_file, why) : NULL;
		if (!anchor->key)
			return false;
		config.certificate = anchor->certificate;
		config.key = anchor->key;
	}
	if (!serve_on(anchor, &config, sp_anchor_routes, anchor->backend, why))
		return false;
	sp_notice("anchor", "LibreSpeed's backend at %s://[%s]:%u/", tls ? "https" : "http",
		  anchor->config->listen, sp_http_server_port(anchor->servers[anchor->server_count - 1]));
	return true;
}

static bool serve_status(struct sp_anchor *anchor, char why[256])
{
	struct sp_http_server_config config = {
	    .address = anchor->config->status_listen,
	    .port = (uint16_t)anchor->config->status_port,
	    .max_connections = 16,
	    .max_body = 1,
	    .request_timeout_ms = HEAD_TIMEOUT_MS,
	    .reply_timeout_ms = REPLY_TIMEOUT_MS,
	};
	return serve_on(anchor, &config, status_routes, anchor, why);
}

static void raise_descriptors(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= DESCRIPTORS)
		return;
	limit.rlim_cur = limit.rlim_max < DESCRIPTORS ? limit.rlim_max : DESCRIPTORS;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur < DESCRIPTORS)
		sp_warning("anchor", "only %ld descriptors are allowed; a storm may need %d",
			   (long)limit.rlim_cur, DESCRIPTORS);
}

static uint64_t random_word(void)
{
	uint64_t word;
	if (getrandom(&word, sizeof(word), 0) != sizeof(word))
		word = (uint64_t)sp_clock_mono_us();
	return word;
}

static struct sp_admit *make_admit(const struct sp_anchor_config *config)
{
	struct sp_admit_config admit = {
	    .tests = (unsigned)config->tests,
	    .tests_per_address = (unsigned)config->tests_per_address,
	    .streams = (unsigned)config->streams,
	    .test_ms = config->test_time_ms,
	    .idle_ms = IDLE_MS,
	    .hour_bytes = config->hour_bytes,
	    .day_bytes = config->day_bytes,
	    .seed = random_word(),
	};
	return sp_admit_new(&admit);
}

static bool serve_stamp(struct sp_anchor *anchor, char why[256])
{
	struct sp_stamp_rules_config rules = {
	    .rate = anchor->config->stamp_rate,
	    .source_rate = anchor->config->stamp_source_rate,
	    .sessions = (size_t)anchor->config->stamp_sessions,
	    .port = (uint16_t)anchor->config->stamp_port,
	    .secret = random_word(),
	};
	anchor->reflector = sp_reflector_new(anchor->config->listen, &rules, why);
	if (!anchor->reflector)
		return false;
	sp_notice("anchor", "STAMP reflector at [%s] UDP port %u", anchor->config->listen,
		  sp_reflector_port(anchor->reflector));
	return true;
}

struct sp_anchor *sp_anchor_new(const struct sp_anchor_config *config, char why[256])
{
	struct sp_anchor *anchor = sp_alloc(sizeof(*anchor));
	anchor->config = config;
	anchor->started_us = anchor->told_us = sp_clock_mono_us();
	raise_descriptors();
	anchor->admit = make_admit(config);
	struct sp_anchor_backend_config backend = {
	    .admit = anchor->admit,
	    .behind_proxy = config->behind_proxy,
	    .most_upload = most_upload,
	    .stall_ms = STALL_MS,
	};
	anchor->backend = sp_anchor_backend_new(&backend);
	bool good = anchor->backend != NULL;
	if (!good)
		snprintf(why, 256, "no randomness: %s", strerror(errno));
	good = good && (!config->port || serve_backend(anchor, (uint16_t)config->port, false, why));
	good = good && (!config->tls_port || serve_backend(anchor, (uint16_t)config->tls_port, true, why));
	good = good && (!config->stamp_port || serve_stamp(anchor, why));
	good = good && (!config->status_port || serve_status(anchor, why));
	if (good)
		return anchor;
	sp_anchor_free(anchor);
	return NULL;
}

void sp_anchor_run(struct sp_anchor *anchor, int stop_fd)
{
	struct pollfd fds[SERVERS + 1] = {{.fd = stop_fd, .events = POLLIN}};
	for (size_t i = 0; i < anchor->server_count; i++)
		fds[i + 1] = (struct pollfd){.fd = sp_http_server_fd(anchor->servers[i]), .events = POLLIN};
	while (!fds[0].revents) {
		int64_t wait = HEARTBEAT_MS;
		for (size_t i = 0; i < anchor->server_count; i++) {
			int64_t own = sp_http_server_timeout_ms(anchor->servers[i]);
			if (own >= 0 && own < wait)
				wait = own;
		}
		if (poll(fds, anchor->server_count + 1, (int)wait) < 0 && errno != EINTR)
			return;
		for (size_t i = 0; i < anchor->server_count; i++)
			sp_http_server_run(anchor->servers[i]);
		tell(anchor);
	}
}

void sp_anchor_free(struct sp_anchor *anchor)
{
	if (!anchor)
		return;
	for (size_t i = 0; i < anchor->server_count; i++)
		sp_http_server_free(anchor->servers[i]); // ends their streams, which hold places
	sp_reflector_free(anchor->reflector);
	sp_anchor_backend_free(anchor->backend);
	sp_admit_free(anchor->admit);
	free(anchor->certificate);
	free(anchor->key);
	free(anchor);
}
