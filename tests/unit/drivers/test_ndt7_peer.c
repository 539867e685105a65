// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Directions of ndt7 tests against real servers (ndt7_peer.py): honest ones on another's WebSocket library,
// and some forty that break the protocol. Each must end within its time and bytes, with its reason.
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "drivers/speed/ndt7_run.h"
#include "tests/unit/base/mqtt_peer.h"

enum { SECOND_US = 1000 * 1000, PEERS = 80 };

static char dir[] = "/tmp/sp-ndt7-XXXXXX";

static struct {
	pid_t pid;
	FILE *out;
	int in;
	unsigned count;
	struct {
		char name[32];
		unsigned port;
	} peers[PEERS];
} peer;

static void start_peer(void)
{
	int out[2], in[2];
	assert_int_equal(pipe(out), 0);
	assert_int_equal(pipe(in), 0);
	peer.pid = fork();
	if (peer.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(out[1], 1);
		dup2(in[0], 0);
		close(in[1]);
		execl("/usr/bin/python3", "python3", "ndt7_peer.py", dir, (char *)NULL);
		_exit(127);
	}
	close(out[1]);
	close(in[0]);
	peer.in = in[1];
	peer.out = fdopen(out[0], "r");
	char line[80];
	while (fgets(line, sizeof(line), peer.out) && strcmp(line, "ready\n") != 0) {
		assert_true(peer.count < PEERS);
		assert_int_equal(
		    sscanf(line, "%31s %u", peer.peers[peer.count].name, &peer.peers[peer.count].port), 2);
		peer.count++;
	}
	assert_true(peer.count > 40);
}

static unsigned port_of(const char *name)
{
	for (unsigned i = 0; i < peer.count; i++)
		if (strcmp(peer.peers[i].name, name) == 0)
			return peer.peers[i].port;
	fail_msg("no peer %s", name);
	return 0;
}

static double seconds(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static struct sp_ndt7_run *make_run(enum sp_speed_direction direction)
{
	struct sp_ndt7_run *run = calloc(1, sizeof(*run));
	run->direction = direction;
	run->times = sp_ndt7_times_scaled(SECOND_US);
	run->times.setup_us = 2 * SECOND_US;
	run->times.stall_us = SECOND_US / 2;
	run->ca_file = strdup("");
	return run;
}

static void add_server(struct sp_ndt7_run *run, const char *host, unsigned port, bool tls)
{
	char server[80];
	struct sp_ndt7_url *url = &run->urls[run->count++];
	snprintf(server, sizeof(server), "%s:%u", host, port);
	assert_int_equal(sp_ndt7_url_fixed(url, server, tls, run->direction), 0);
	assert_int_equal(sp_ndt7_url_add(url, "client_name", "schoolpulse"), 0);
}

static struct sp_ndt7_run *against(const char *name, enum sp_speed_direction direction)
{
	struct sp_ndt7_run *run = make_run(direction);
	add_server(run, "127.0.0.1", port_of(name), false);
	double began = seconds();
	sp_ndt7_run_work(run);
	assert_true(seconds() - began < 20); // generous: the limits are 2 s, 1.5 s and 2 s
	return run;
}

/// That it ends with this outcome and reason.
static void expect(const char *name, enum sp_speed_direction direction, enum sp_speed_outcome outcome,
		   const char *reason)
{
	struct sp_ndt7_run *run = against(name, direction);
	if (run->result.outcome != outcome || strcmp(run->result.reason, reason) != 0)
		fail_msg("%s: outcome %d, reason %s (%s)", name, run->result.outcome, run->result.reason,
			 run->text);
	assert_true(run->wire_bytes > 0);
	if (outcome == SP_SPEED_FAILED) {
		assert_int_equal(run->result.bytes, 0);
		assert_true(run->text[0] || run->result.loaded.count || atomic_load(&run->loading));
	}
	sp_ndt7_run_free(run);
}

// ---- honest -----------------------------------------------------------------------------------

static void assert_download(const struct sp_ndt7_run *run)
{
	const struct sp_speed_result *result = &run->result;
	assert_string_equal(result->reason, "");
	assert_int_equal(result->outcome, SP_SPEED_WHOLE);
	assert_true(result->bytes > 1000 * 1000);
	assert_true(result->duration_us > SECOND_US / 2 && result->duration_us < 2 * SECOND_US);
	assert_true(run->wire_bytes > result->bytes);
	assert_true(result->retransmit_ratio > 0.009 && result->retransmit_ratio < 0.011);
	assert_true(result->loaded.count >= 3);
	assert_true(fabs(result->loaded.median - 0.0054) < 1e-9);
	assert_true(fabs(run->idle_s[1] - 0.0012) < 1e-9);
	assert_true(run->idle_s[0] > 0 && run->idle_s[0] < 1);
}

static void test_downloads(void **state)
{
	(void)state;
	struct sp_ndt7_run *run = against("honest", SP_SPEED_DOWN);
	assert_download(run);
	assert_string_equal(run->address, "127.0.0.1");
	assert_int_equal(run->family, SP_FAMILY_IPV4);
	sp_ndt7_run_free(run);
}

static void test_downloads_over_tls_and_ipv6(void **state)
{
	(void)state;
	char ca[64];
	snprintf(ca, sizeof(ca), "%s/ca.pem", dir);
	struct sp_ndt7_run *run = make_run(SP_SPEED_DOWN);
	free(run->ca_file);
	run->ca_file = strdup(ca);
	add_server(run, "localhost", port_of("honest_tls"), true);
	sp_ndt7_run_work(run);
	assert_download(run);
	sp_ndt7_run_free(run);

	run = make_run(SP_SPEED_DOWN);
	add_server(run, "[::1]", port_of("honest6"), false);
	sp_ndt7_run_work(run);
	assert_download(run);
	assert_string_equal(run->address, "::1");
	assert_int_equal(run->family, SP_FAMILY_IPV6);
	sp_ndt7_run_free(run);
}

static void test_uploads(void **state)
{
	(void)state;
	char ca[64];
	snprintf(ca, sizeof(ca), "%s/ca.pem", dir);
	for (int tls = 0; tls < 2; tls++) {
		struct sp_ndt7_run *run = make_run(SP_SPEED_UP);
		free(run->ca_file);
		run->ca_file = strdup(tls ? ca : "");
		add_server(run, "localhost", port_of(tls ? "honest_tls" : "honest"), tls);
		sp_ndt7_run_work(run);
		assert_string_equal(run->result.reason, "");
		assert_int_equal(run->result.outcome, SP_SPEED_WHOLE);
		// The server's figure: its library counts whole messages only.
		assert_string_equal(run->text, "");
		assert_true(run->result.bytes > 0 && run->result.bytes % SP_NDT7_MESSAGE_FIRST == 0);
		assert_true(run->result.loaded.count >= 2);
		assert_true(run->result.retransmit_ratio >= 0);
		sp_ndt7_run_free(run);
	}
}

static void test_goes_on_to_the_next_server(void **state)
{
	(void)state;
	struct sp_ndt7_run *run = make_run(SP_SPEED_DOWN);
	add_server(run, "127.0.0.1", port_of("full"), false);
	add_server(run, "127.0.0.1", port_of("other_protocol"), false);
	add_server(run, "127.0.0.1", port_of("honest"), false);
	sp_ndt7_run_work(run);
	assert_download(run);
	assert_int_equal(run->server, 2);
	sp_ndt7_run_free(run);
}

// ---- others -----------------------------------------------------------------------------------

static void test_openings(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
	    {"bad_request", "http_status"}, {"forbidden", "http_status"},   {"full", "http_status"},
	    {"plain_ok", "http_status"},    {"redirect", "redirected"},     {"silent", "timeout"},
	    {"banner", "protocol"},         {"endless_head", "protocol"},   {"leaves", "closed"},
	    {"no_protocol", "protocol"},    {"other_protocol", "protocol"}, {"stranger", "protocol"},
	    {"bad_accept", "protocol"},     {"extension", "protocol"},      {"honest_tls", "closed"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool either = strcmp(cases[i][0], "honest_tls") == 0;
		struct sp_ndt7_run *run = against(cases[i][0], SP_SPEED_DOWN);
		if (strcmp(run->result.reason, cases[i][1]) != 0 &&
		    !(either && strcmp(run->result.reason, "protocol") == 0))
			fail_msg("%s: %s (%s)", cases[i][0], run->result.reason, run->text);
		assert_int_equal(run->result.outcome, SP_SPEED_FAILED);
		assert_false(atomic_load(&run->loading));
		assert_true(run->text[0]);
		assert_true(run->wire_bytes > 0 && run->wire_bytes < 300 * 1000);
		sp_ndt7_run_free(run);
	}
}

static void test_certificates(void **state)
{
	(void)state;
	static const char *const peers[] = {"expired", "named", "honest_tls"};
	char ca[64];
	for (size_t i = 0; i < 3; i++) {
		// The last one is good, but not by an authority that we trust.
		snprintf(ca, sizeof(ca), "%s/%s.pem", dir, i == 2 ? "other-ca" : "ca");
		struct sp_ndt7_run *run = make_run(SP_SPEED_DOWN);
		free(run->ca_file);
		run->ca_file = strdup(ca);
		add_server(run, "localhost", port_of(peers[i]), true);
		sp_ndt7_run_work(run);
		assert_string_equal(run->result.reason, "certificate");
		assert_int_equal(run->result.outcome, SP_SPEED_FAILED);
		assert_true(run->wire_bytes > 0);
		sp_ndt7_run_free(run);
	}
}

static void test_nobody_there(void **state)
{
	(void)state;
	struct sp_ndt7_run *run = make_run(SP_SPEED_DOWN);
	add_server(run, "127.0.0.1", 1, false);
	add_server(run, "nobody.invalid", 80, false);
	sp_ndt7_run_work(run);
	assert_string_equal(run->result.reason, "dns");
	sp_ndt7_run_free(run);
	run = make_run(SP_SPEED_DOWN);
	add_server(run, "127.0.0.1", 1, false);
	sp_ndt7_run_work(run);
	assert_string_equal(run->result.reason, "refused");
	sp_ndt7_run_free(run);
	run = make_run(SP_SPEED_DOWN);
	snprintf(run->interface, sizeof(run->interface), "none0");
	add_server(run, "127.0.0.1", port_of("honest"), false);
	sp_ndt7_run_work(run);
	assert_string_equal(run->result.reason, "no_route");
	sp_ndt7_run_free(run);
}

static void test_downloads_gone_wrong(void **state)
{
	(void)state;
	static const char *const protocol[] = {"masked",         "reserved",       "unknown_opcode",
					       "long_ping",      "oversize",       "absurd_length",
					       "stray_fragment", "nested_message", "endless_fragments"};
	for (size_t i = 0; i < sizeof(protocol) / sizeof(protocol[0]); i++)
		expect(protocol[i], SP_SPEED_DOWN, SP_SPEED_FAILED, "protocol");
	expect("never_data", SP_SPEED_DOWN, SP_SPEED_FAILED, "stalled");
	expect("stall", SP_SPEED_DOWN, SP_SPEED_FAILED, "stalled");
	expect("reset", SP_SPEED_DOWN, SP_SPEED_PARTIAL, "closed");
	expect("cut_short", SP_SPEED_DOWN, SP_SPEED_PARTIAL, "closed");
	expect("half_closed", SP_SPEED_DOWN, SP_SPEED_PARTIAL, "closed");
	expect("early_close", SP_SPEED_DOWN, SP_SPEED_PARTIAL, "closed");
	// Odd, and yet bytes that came.
	expect("rubbish_text", SP_SPEED_DOWN, SP_SPEED_WHOLE, "");
	expect("ping_flood", SP_SPEED_DOWN, SP_SPEED_WHOLE, "");
	expect("endless_text", SP_SPEED_DOWN, SP_SPEED_WHOLE, "");
	expect("trickle", SP_SPEED_DOWN, SP_SPEED_WHOLE, "");
	expect("never_ends", SP_SPEED_DOWN, SP_SPEED_WHOLE, "");
}

static void test_uploads_gone_wrong(void **state)
{
	(void)state;
	expect("sends_data", SP_SPEED_UP, SP_SPEED_FAILED, "protocol");
	expect("deaf", SP_SPEED_UP, SP_SPEED_PARTIAL, "stalled");
	expect("quits", SP_SPEED_UP, SP_SPEED_FAILED, "closed");
}

static void test_upload_without_the_servers_word(void **state)
{
	(void)state;
	static const char *const peers[] = {"mute", "liar", "early_bird"};
	for (size_t i = 0; i < 3; i++) {
		struct sp_ndt7_run *run = against(peers[i], SP_SPEED_UP);
		assert_string_equal(run->result.reason, "");
		assert_int_equal(run->result.outcome, SP_SPEED_WHOLE);
		assert_non_null(strstr(run->text, i == 0 ? "did not say" : "cannot be"));
		assert_non_null(strstr(run->text, "acknowledgements"));
		assert_true(run->result.bytes > 0 && run->result.bytes <= run->wire_bytes);
		sp_ndt7_run_free(run);
	}
}

static void test_keeps_to_its_bytes(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		enum { LIMIT = 2 * 1000 * 1000 };
		struct sp_ndt7_run *run = make_run(i == 0 ? SP_SPEED_DOWN : SP_SPEED_UP);
		run->max_wire = LIMIT;
		add_server(run, "127.0.0.1", port_of(i == 0 ? "never_ends" : "mute"), false);
		sp_ndt7_run_work(run);
		assert_string_equal(run->result.reason, "byte_limit");
		assert_int_equal(run->result.outcome, SP_SPEED_PARTIAL);
		assert_true(run->result.bytes > LIMIT / 4);
		// What was on its way when it stopped comes on top of a download; an upload knows it.
		assert_true(run->wire_bytes < (i == 0 ? 2 * LIMIT : LIMIT + LIMIT / 50));
		assert_true(run->wire_bytes > (i == 0 ? LIMIT / 2 : LIMIT * 4 / 5));
		sp_ndt7_run_free(run);
	}
}

static void *cancel_soon(void *arg)
{
	struct sp_ndt7_run *run = arg;
	while (!atomic_load(&run->loading))
		usleep(1000);
	atomic_store(&run->cancel, true);
	return NULL;
}

static void test_can_be_cancelled(void **state)
{
	(void)state;
	struct sp_ndt7_run *run = make_run(SP_SPEED_DOWN);
	pthread_t thread;
	run->times = sp_ndt7_times_standard; // without the cancel this test would take fifteen seconds
	add_server(run, "127.0.0.1", port_of("never_ends"), false);
	pthread_create(&thread, NULL, cancel_soon, run);
	double began = seconds();
	sp_ndt7_run_work(run);
	assert_true(seconds() - began < 10);
	pthread_join(thread, NULL);
	assert_string_equal(run->result.reason, "cancelled");
	assert_int_equal(run->result.outcome, SP_SPEED_FAILED);
	sp_ndt7_run_free(run);
}

static int set_up(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(dir));
	make_certificates(dir);
	start_peer();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	char command[64];
	close(peer.in);
	fclose(peer.out);
	waitpid(peer.pid, NULL, 0);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_downloads),
	    cmocka_unit_test(test_downloads_over_tls_and_ipv6),
	    cmocka_unit_test(test_uploads),
	    cmocka_unit_test(test_goes_on_to_the_next_server),
	    cmocka_unit_test(test_openings),
	    cmocka_unit_test(test_certificates),
	    cmocka_unit_test(test_nobody_there),
	    cmocka_unit_test(test_downloads_gone_wrong),
	    cmocka_unit_test(test_uploads_gone_wrong),
	    cmocka_unit_test(test_upload_without_the_servers_word),
	    cmocka_unit_test(test_keeps_to_its_bytes),
	    cmocka_unit_test(test_can_be_cancelled),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
