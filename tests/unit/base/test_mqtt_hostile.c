// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Peers that are no broker, or a bad one: silent, garbled, flooding, lying. Each must end in words,
// without spinning and without growing.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>

#include "agent/base/mem.h"
#include "tests/unit/base/mqtt_client.h"
#include "tests/unit/base/mqtt_peer.h"

static char dir[] = "/tmp/sp-mqtt-XXXXXX", ca[64];

static int set_up(void **state)
{
	(void)state;
	sp_mqtt_library_init();
	virtual_clock();
	assert_non_null(mkdtemp(dir));
	make_certificates(dir);
	snprintf(ca, sizeof(ca), "%s/ca.pem", dir);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	real_clock();
	sp_mqtt_library_cleanup();
	char *command = sp_asprintf("rm -rf %s", dir);
	int result = system(command);
	free(command);
	return result;
}

static struct sp_mqtt_config config(uint16_t port, bool tls)
{
	struct sp_mqtt_config c = {.host = "127.0.0.1",
				   .port = port,
				   .client_id = "hcm/a",
				   .keepalive_seconds = 5,
				   .clean_start = true,
				   .ca_file = tls ? ca : NULL};
	return c;
}

static void begin(struct client *client, uint16_t port, bool tls)
{
	char why[256];
	struct sp_mqtt_config c = config(port, tls);
	client_new(client, &c);
	if (sp_mqtt_connect(client->mqtt, why) != 0)
		fail_msg("%s", why);
}

/// The peer's end of the connection, once the client has dialled.
static int taken(struct client *client, int listener)
{
	struct pollfd p = {.fd = listener, .events = POLLIN};
	for (int i = 0; i < 3000 && poll(&p, 1, 10) <= 0; i++)
		client_turn(client);
	int fd = accept(listener, NULL, NULL);
	assert_true(fd >= 0);
	return fd;
}

/// One turn after the other, each allowed 20 ms, for a third of a second of real time: one that
/// spins takes thousands. (A busy machine only makes them fewer.)
static void does_not_spin(struct client *client)
{
	struct timespec start, now;
	int turns = 0;
	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		sp_mqtt_turn(client->mqtt, 20000, -1);
		turns++;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000 < 333);
	assert_in_range(turns, 1, 60);
}

static void ends(struct client *client, int reason, const char *word)
{
	turn_until(&client, 1, &client->answers, 1);
	if (client->reason != reason || !strstr(client->text, word))
		fail_msg("%d: %s; not %d: %s", client->reason, client->text, reason, word);
	assert_int_equal(client->answers, 1);
	assert_int_equal(client->losses, 0);
	client_free(client);
}

// ---- before CONNACK -----------------------------------------------------------------------------------

static void a_silent_peer_ends_the_attempt(void **state)
{
	(void)state;
	for (int tls = 0; tls <= 1; tls++) {
		struct client a;
		uint16_t port;
		int listener = listen_here(5, &port);
		begin(&a, port, tls);
		int fd = taken(&a, listener);
		does_not_spin(&a);
		assert_int_equal(a.answers, 0);
		clock_forward(14);
		client_turn(&a);
		assert_int_equal(a.answers, 0);
		clock_forward(2);
		ends(&a, -ETIMEDOUT, tls ? "no answer to the TLS handshake" : "no answer to CONNECT");
		close(fd);
		close(listener);
	}
}

static void a_peer_that_takes_no_connection_ends_the_attempt(void **state)
{
	(void)state;
	for (int tls = 0; tls <= 1; tls++) {
		struct client a;
		uint16_t port;
		int listener = listen_here(0, &port), full[8];
		struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
		to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		for (size_t i = 0; i < SP_COUNT(full); i++) {
			full[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
			connect(full[i], (struct sockaddr *)&to, sizeof(to));
		}
		begin(&a, port, tls);
		does_not_spin(&a);
		assert_int_equal(a.answers, 0);
		clock_forward(16);
		ends(&a, -ETIMEDOUT, "timed out");
		for (size_t i = 0; i < SP_COUNT(full); i++)
			close(full[i]);
		close(listener);
	}
}

static void a_refused_connection_is_told_at_once(void **state)
{
	(void)state;
	for (int tls = 0; tls <= 1; tls++) {
		struct client a;
		uint16_t port;
		close(listen_here(1, &port));
		struct sp_mqtt_config c = config(port, tls);
		client_new(&a, &c);
		assert_int_equal(client_connect(&a), -ECONNREFUSED);
		assert_non_null(strstr(a.text, "Connection refused"));
		client_free(&a);
	}
}

static void a_peer_that_hangs_up_ends_the_attempt(void **state)
{
	(void)state;
	for (int round = 0; round < 4; round++) {
		struct client a;
		uint16_t port;
		bool tls = round & 1, reset = round & 2;
		int listener = listen_here(5, &port);
		begin(&a, port, tls);
		int fd = taken(&a, listener);
		for (int i = 0; i < 20; i++)
			client_turn(&a);
		struct linger none = {.l_onoff = 1};
		if (reset)
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
		char scrap[4096];
		while (!reset && recv(fd, scrap, sizeof(scrap), MSG_DONTWAIT) > 0)
			continue;
		close(fd);
		ends(&a, -ECONNRESET, tls ? "TLS" : reset ? "" : "without answering CONNECT");
		close(listener);
	}
}

static void answer(int fd, const void *bytes, size_t length)
{
	assert_int_equal(send(fd, bytes, length, MSG_NOSIGNAL), length);
}

static void garbage_ends_the_attempt(void **state)
{
	(void)state;
	static const struct {
		bool tls;
		const char *bytes;
		size_t length;
		int reason;
		const char *word;
	} cases[] = {
	    {false, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", 47, -EPROTO, "protocol"},
	    // The beginning of something right ends with the peer's patience.
	    {false, "\x20\x03\x00", 3, -ECONNRESET, "without answering"},
	    {false, "\x16\x03\x01\x00\x05hello there you", 20, -EPROTO, "protocol"},
	    {false, "\x20\xff\xff\xff\xff\xff\xff", 7, -EPROTO, "protocol"},
	    {false, "\x30\x05\x00\x01tx!", 7, -EPROTO, "protocol"}, // a message before CONNACK
	    {false, "\x20\x00", 2, -EPROTO, "protocol"},
	    {true, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", 47, -EPROTO, "TLS"},
	    {true, "\x15\x03\x03\x00\x02\x02\x28", 7, -EPROTO, "TLS"}, // alert: handshake failure
	    {true, "\x20\x03\x00\x00\x00", 5, -EPROTO, "TLS"},
	};
	for (size_t i = 0; i < SP_COUNT(cases); i++) {
		struct client a;
		uint16_t port;
		int listener = listen_here(5, &port);
		begin(&a, port, cases[i].tls);
		int fd = taken(&a, listener);
		answer(fd, cases[i].bytes, cases[i].length);
		if (cases[i].reason == -ECONNRESET)
			shutdown(fd, SHUT_WR);
		ends(&a, cases[i].reason, cases[i].word);
		close(fd);
		close(listener);
	}
}

// ---- CONNACK -------------------------------------------------------------------------------------------

static void brokers_that_cannot_carry_the_feed_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *connack;
		size_t length;
		int reason;
		const char *word;
	} cases[] = {
	    {"\x20\x03\x00\x87\x00", 5, 0x87, "Not authorized"},
	    {"\x20\x03\x00\x85\x00", 5, 0x85, "refuses"},
	    {"\x20\x02\x00\x05", 4, -EPROTO, "protocol"}, // MQTT 3.1.1
	    {"\x20\x05\x00\x00\x02\x25\x00", 7, -EOPNOTSUPP, "retained"},
	    {"\x20\x05\x00\x00\x02\x24\x00", 7, -EOPNOTSUPP, "QoS 1"},
	    {"\x20\x06\x00\x00\x03\x21\x00\x00", 8, -EPROTO, "receive maximum 0"},
	    {"\x20\x05\x00\x00\x02\x7f\x00", 7, -EPROTO, "unknown property 0x7f in CONNACK"},
	    {"\x20\x07\x00\x00\x04\x12\x00\x01x", 9, -EPROTO, "assigned client id"},
	};
	for (size_t i = 0; i < SP_COUNT(cases); i++) {
		struct client a;
		uint16_t port;
		int listener = listen_here(5, &port);
		begin(&a, port, false);
		int fd = taken(&a, listener);
		answer(fd, cases[i].connack, cases[i].length);
		ends(&a, cases[i].reason, cases[i].word);
		close(fd);
		close(listener);
	}
}

/// Connected to a broker that is this test: CONNACK was sent, CONNECT was read.
static int online(struct client *client, int *listener)
{
	uint16_t port;
	char scrap[1024];
	*listener = listen_here(5, &port);
	begin(client, port, false);
	int fd = taken(client, *listener);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	for (int i = 0; i < 3000 && poll(&p, 1, 10) <= 0; i++)
		client_turn(client);
	assert_true(recv(fd, scrap, sizeof(scrap), 0) > 10);
	answer(fd, "\x20\x03\x00\x00\x00", 5);
	turn_until(&client, 1, &client->answers, 1);
	assert_int_equal(client->reason, 0);
	return fd;
}

static void lost(struct client *client, int reason, const char *word, int fd, int listener)
{
	turn_until(&client, 1, &client->losses, 1);
	if (client->loss_reason != reason || !strstr(client->text, word))
		fail_msg("%d: %s; not %d: %s", client->loss_reason, client->text, reason, word);
	assert_int_equal(client->losses, 1);
	assert_int_equal(client->answers, 1);
	client_free(client);
	close(fd);
	close(listener);
}

static void a_broker_that_ends_the_session_is_heard(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		size_t length;
		int reason;
		const char *word;
	} cases[] = {
	    {"\xe0\x01\x8e", 3, 0x8e, "Session taken over"},
	    {"\xe0\x02\x8b\x00", 4, 0x8b, "shutting down"},
	    {"\xe0\x00", 2, -ECONNRESET, "ended the session"},
	    {"\xe0\x04\x8e\x02\x7f\x00", 6, -EPROTO, "unknown property 0x7f in DISCONNECT"},
	    {"\x20\x03\x00\x00\x00", 5, -EPROTO, "twice"},
	    {"\x32\x00", 2, -EPROTO, "PUBLISH is cut short"},
	    {"\x30\x07\x00\x01t\x02\x7f\x00x", 9, -EPROTO, "unknown property 0x7f in PUBLISH"},
	    {"\x30\x08\x00\x01t\x03\xff\x01\x00x", 10, -EPROTO, "unknown property 0xff"},
	    {"\x30\x06\x00\x01t\x7fxx", 8, -EPROTO, "properties of a PUBLISH"}, // longer than it
	    {"\x30\x08\x00\x01t\x04\x03\x00\x05x", 10, -EPROTO, "content type"},
	    {"\x40\x06\x00\x01\x00\x02\x7f\x00", 8, -EPROTO, "unknown property 0x7f in PUBACK"},
	    {"\x90\x06\x00\x01\x02\x7f\x00\x01", 8, -EPROTO, "unknown property 0x7f in SUBACK"},
	    {"\xb0\x06\x00\x01\x02\x7f\x00\x00", 8, -EPROTO, "UNSUBACK"},
	    {"\xf0\x00", 2, -EPROTO, "AUTH"},
	    {"\xf0\x04\x18\x02\x7f\x00", 6, -EPROTO, "AUTH"},
	    {"\x62\x02\x00\x01", 4, -EPROTO, "PUBREL"},
	    {"\xc0\x00", 2, -EPROTO, "PINGREQ"},
	};
	for (size_t i = 0; i < SP_COUNT(cases); i++) {
		struct client a;
		int listener, fd = online(&a, &listener);
		answer(fd, cases[i].bytes, cases[i].length);
		lost(&a, cases[i].reason, cases[i].word, fd, listener);
	}
}

static void a_broker_that_never_acknowledges_is_not_fed_without_end(void **state)
{
	(void)state;
	struct client a;
	int listener, mid, fd = online(&a, &listener), sent = 0;
	while (sp_mqtt_publish(a.mqtt, "t/1", "first", 5, false, NULL, &mid) == 0)
		assert_true(++sent <= 20);
	assert_int_equal(sent, 20);
	assert_int_equal(sp_mqtt_publish(a.mqtt, "t/1", "x", 1, false, NULL, &mid), -ENOBUFS);
	does_not_spin(&a);
	// An acknowledgement makes room; one for what was never sent does not.
	answer(fd, "\x40\x02\x00\x07\x40\x02\x03\xe8", 8);
	struct client *one[] = {&a};
	turn_until(one, 1, &a.acknowledged, 1);
	assert_int_equal(a.last_mid, 7);
	assert_int_equal(sp_mqtt_publish(a.mqtt, "t/1", "x", 1, false, NULL, &mid), 0);
	assert_int_equal(sp_mqtt_publish(a.mqtt, "t/1", "x", 1, false, NULL, &mid), -ENOBUFS);
	close(fd);
	turn_until(one, 1, &a.losses, 1);

	// What was not acknowledged is the owner's to send again, not the library's.
	char why[256], bytes[4096];
	assert_int_equal(sp_mqtt_connect(a.mqtt, why), 0);
	fd = taken(&a, listener);
	answer(fd, "\x20\x03\x00\x00\x00", 5);
	turn_until(one, 1, &a.answers, 2);
	assert_int_equal(sp_mqtt_publish(a.mqtt, "t/2", "second", 6, false, NULL, &mid), 0);
	size_t length = 0;
	for (int i = 0; i < 3000 && !memmem(bytes, length, "second", 6); i++) {
		sp_mqtt_turn(a.mqtt, 1000, -1);
		ssize_t got = recv(fd, bytes + length, sizeof(bytes) - length, MSG_DONTWAIT);
		length += got > 0 ? (size_t)got : 0;
	}
	assert_non_null(memmem(bytes, length, "second", 6));
	assert_null(memmem(bytes, length, "first", 5));
	client_free(&a);
	close(fd);
	close(listener);
}

static void a_broker_that_falls_silent_is_noticed(void **state)
{
	(void)state;
	struct client a;
	int listener, fd = online(&a, &listener);
	lost(&a, -ETIMEDOUT, "silent", fd, listener); // keepalive twice: 10 s
}

static long memory_kb(void)
{
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_maxrss;
}

/// Sends `bytes` again and again, as fast as the client takes them, until it hangs up.
static void flood(struct client *client, int fd, const char *bytes, size_t length)
{
	size_t sent = 0;
	while (client->losses == 0) {
		ssize_t got = send(fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
		sent += got > 0 ? (size_t)got : 0;
		if (sent > 64 * 1024 * 1024)
			fail_msg("64 MiB were taken");
		client_turn(client);
	}
}

static void a_message_without_end_is_cut_off(void **state)
{
	(void)state;
	struct client a;
	int listener, fd = online(&a, &listener);
	static char zeros[65536];
	long before = memory_kb();
	answer(fd, "\x30\xff\xff\xff\x7f", 5); // 256 MiB follow, it says
	flood(&a, fd, zeros, sizeof(zeros));
	assert_true(memory_kb() - before < 64 * 1024);
	lost(&a, -EMSGSIZE, "268435460 bytes", fd, listener);
}

static void unfinished_qos_2_messages_are_cut_off(void **state)
{
	(void)state;
	struct client a;
	int listener, fd = online(&a, &listener);
	static char message[60000] = "\x34\xdc\xd4\x03\x00\x01t\x00\x01"; // PUBLISH, QoS 2, never released
	message[7] = 0;
	message[8] = 1;
	flood(&a, fd, message, 4 + 60000 - 5);
	assert_true(a.messages == 0);
	lost(&a, -EPROTO, "QoS 2", fd, listener);
}

static void a_flood_of_messages_is_taken_in_turns(void **state)
{
	(void)state;
	struct client a;
	int listener, fd = online(&a, &listener);
	static char many[70000];
	size_t length = 0;
	while (length + 8 < sizeof(many)) { // PUBLISH, QoS 0, "t", no properties, "x"
		memcpy(many + length, "\x30\x05\x00\x01t\x00x", 7);
		length += 7;
	}
	answer(fd, many, length);
	// A turn takes part of it and comes back, however much there is.
	sp_mqtt_turn(a.mqtt, 1000000, -1);
	assert_in_range(a.messages, 1, 64);
	struct client *one[] = {&a};
	turn_until(one, 1, &a.messages, (int)(length / 7));
	client_free(&a);
	close(fd);
	close(listener);
}

/// The kernel would take megabytes for a peer that does not read: less, on the client's socket, too.
static void small_buffers(int fd)
{
	struct sockaddr_in mine, other;
	socklen_t size = sizeof(mine);
	int small = 4096;
	assert_int_equal(getsockname(fd, (struct sockaddr *)&mine, &size), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	for (int i = 3; i < 256; i++) {
		size = sizeof(other);
		if (getpeername(i, (struct sockaddr *)&other, &size) == 0 && other.sin_family == AF_INET &&
		    other.sin_port == mine.sin_port)
			setsockopt(i, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	}
}

/// Our answers must not pile up here when the broker does not read them.
static void a_flood_from_a_broker_that_does_not_read_is_left_alone(void **state)
{
	(void)state;
	struct client a;
	int listener, quiet = 0, fd = online(&a, &listener);
	static char many[70000];
	size_t length = 0, sent = 0;
	small_buffers(fd);
	for (; length + 9 < sizeof(many); length += 9) // PUBLISH, QoS 1, "t", id 1, no properties, "x"
		memcpy(many + length, "\x32\x07\x00\x01t\x00\x01\x00x", 9);
	long before = memory_kb();
	while (quiet < 100 && a.losses == 0) {
		// Whole messages only: where a send ends, the next goes on.
		size_t at = sent % 9;
		ssize_t got =
		    send(fd, many + at, length - 9 + (at ? 9 - at : 0), MSG_NOSIGNAL | MSG_DONTWAIT);
		int messages = a.messages;
		sent += got > 0 ? (size_t)got : 0;
		sp_mqtt_turn(a.mqtt, 2000, -1);
		quiet = got <= 0 && a.messages == messages ? quiet + 1 : 0; // 200 ms of it
		if (sent > 16 * 1024 * 1024)
			fail_msg("16 MiB were taken");
	}
	assert_int_equal(a.losses, 0);
	assert_true(memory_kb() - before < 32 * 1024);
	does_not_spin(&a);
	// It reads after all, and everything goes on.
	char scrap[65536];
	int messages = a.messages;
	size_t answers = 0;
	while (a.messages == messages || answers < 4 * (size_t)messages) {
		ssize_t got = recv(fd, scrap, sizeof(scrap), MSG_DONTWAIT);
		answers += got > 0 ? (size_t)got : 0;
		client_turn(&a);
		assert_int_equal(a.losses, 0);
	}
	client_free(&a);
	close(fd);
	close(listener);
}

static void odd_messages_are_taken_as_they_are(void **state)
{
	(void)state;
	struct client a, *one[] = {&a};
	int listener, fd = online(&a, &listener);
	answer(fd, "\x30\x08\x00\x01t\x03\x03\x00\x00x", 10);            // an empty content type
	answer(fd, "\x31\x04\x00\x01t\x00", 6);                          // retained, and empty
	answer(fd, "\x32\x0a\x00\x01t\x00\x05\x00\x00\xff\x00\xff", 12); // bytes that are no text
	turn_until(one, 1, &a.messages, 3);
	assert_string_equal(a.message[0].payload, "x");
	assert_string_equal(a.message[0].content_type, "");
	assert_int_equal(a.message[1].length, 0);
	assert_true(a.message[1].retained);
	assert_int_equal(a.message[2].length, 4);
	client_free(&a);
	close(fd);
	close(listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_silent_peer_ends_the_attempt),
	    cmocka_unit_test(a_peer_that_takes_no_connection_ends_the_attempt),
	    cmocka_unit_test(a_refused_connection_is_told_at_once),
	    cmocka_unit_test(a_peer_that_hangs_up_ends_the_attempt),
	    cmocka_unit_test(garbage_ends_the_attempt),
	    cmocka_unit_test(brokers_that_cannot_carry_the_feed_are_refused),
	    cmocka_unit_test(a_broker_that_ends_the_session_is_heard),
	    cmocka_unit_test(a_broker_that_never_acknowledges_is_not_fed_without_end),
	    cmocka_unit_test(a_broker_that_falls_silent_is_noticed),
	    cmocka_unit_test(a_message_without_end_is_cut_off),
	    cmocka_unit_test(unfinished_qos_2_messages_are_cut_off),
	    cmocka_unit_test(odd_messages_are_taken_as_they_are),
	    cmocka_unit_test(a_flood_of_messages_is_taken_in_turns),
	    cmocka_unit_test(a_flood_from_a_broker_that_does_not_read_is_left_alone),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
