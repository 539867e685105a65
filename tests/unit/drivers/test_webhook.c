// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The webhook: whom it believes, when it answers, and what it never says.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/drivers.h"
#include "fake_io.h"
#include "fake_kiosk.h"
#include "fake_listen.h"

#define SECRET "a-secret-of-this-gate"
#define NOW    (FAKE_WALL_MS / 1000)

static char secret_path[64];
static struct sp_device *dev;

static int set_up(void **state)
{
	char options[256];
	(void)state;
	snprintf(secret_path, sizeof(secret_path), "/tmp/webhook-test-XXXXXX");
	int fd = mkstemp(secret_path);
	assert_int_equal(write(fd, SECRET "\n", sizeof(SECRET)), sizeof(SECRET));
	close(fd);
	snprintf(options, sizeof(options), "secret_file = %s\npath = /gate\n", secret_path);
	dev = fake_new(&sp_driver_webhook, "cổng phụ", options);
	assert_int_equal(fake_start(dev), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	fake_free(dev);
	unlink(secret_path);
	return 0;
}

/// The head of a signed request, to be used at once.
static const char *head(const char *secret, int64_t stamp, const char *body)
{
	static char text[512];
	char *data = malloc(strlen(body) + 32), hex[65];
	unsigned char hash[32];
	size_t length;
	assert_non_null(data);
	int size = sprintf(data, "%" PRId64 ".%s", stamp, body);
	assert_non_null(EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, secret, strlen(secret),
				  (unsigned char *)data, (size_t)size, hash, sizeof(hash), &length));
	for (size_t i = 0; i < 32; i++)
		sprintf(hex + 2 * i, "%02x", hash[i]);
	free(data);
	snprintf(text, sizeof(text),
		 "POST /gate HTTP/1.1\nX-SchoolPulse-Timestamp: %" PRId64
		 "\nX-SchoolPulse-Signature: v1=%s\n",
		 stamp, hex);
	return text;
}

static struct sp_http_inbound *post(const char *body)
{
	return fake_ask(8090, head(SECRET, NOW, body), body);
}

/// What was answered; the request is over.
static void answered(struct sp_http_inbound *in, unsigned status, const char *part)
{
	if (!in->replied || in->status != status || !strstr(in->body, part))
		fail_msg("not %u, %s: %u, %s", status, part, in->status,
			 in->replied ? in->body : "(nothing)");
	assert_false(in->date);
	fake_gone(in);
}

#define TWO                                                                                     \
	"{\"events\":[{\"id\":\"a\",\"time\":\"2026-11-23T06:58:40+07:00\",\"person\":\"17\"}," \
	"{\"id\":\"b\",\"time\":\"2026-11-22T06:58:40+07:00\",\"person\":\"18\",\"direction\":\"out\"}]}"

static void it_answers_when_all_is_on_the_card(void **state)
{
	(void)state;
	struct sp_http_inbound *in = post(TWO);
	assert_false(in->replied);
	assert_int_equal(fake_commit(dev, 0), 2);
	answered(in, 200, "{\"accepted\":2,\"known\":0}");
	const struct fake_punch *first = fake_punch(dev, 0);
	assert_memory_equal(first->person, "17", 2);
	assert_memory_equal(first->key, "a", 1);
	assert_int_equal(first->punch.key_length, 1);
	assert_true(first->punch.live); // by its time: it has just happened
	assert_int_equal(first->punch.direction, SP_PUNCH_UNKNOWN);
	const struct fake_punch *second = fake_punch(dev, 1);
	assert_false(second->punch.live);
	assert_int_equal(second->punch.zone_ahead_s, 0);
	assert_int_equal(second->punch.direction, SP_PUNCH_OUT);
	// Sent again, it is known, and nothing is doubled.
	in = post(TWO);
	fake_commit(dev, 0);
	answered(in, 200, "{\"accepted\":0,\"known\":2}");
	assert_int_equal(fake_committed(dev), 2);
	answered(post("{\"events\":[]}"), 200, "{\"accepted\":0,\"known\":0}");
}

static void pieces_of_any_size_do(void **state)
{
	(void)state;
	struct sp_http_inbound *in = fake_request(8090, head(SECRET, NOW, TWO));
	assert_int_equal(fake_body(in, TWO, strlen(TWO), 1), strlen(TWO));
	fake_whole(in);
	fake_commit(dev, 0);
	answered(in, 200, "\"accepted\":2");
}

static void who_is_not_it_is_not_believed(void **state)
{
	(void)state;
	answered(fake_ask(8090, head("another-secret-of-it", NOW, TWO), TWO), 401, "does not match");
	answered(fake_ask(8090, head(SECRET, NOW, TWO), "{\"events\":[]}"), 401, "does not match");
	answered(fake_ask(8090, "POST /gate HTTP/1.1\n", TWO), 401, "are needed");
	answered(fake_ask(8090,
			  "POST /gate HTTP/1.1\nX-SchoolPulse-Timestamp: yesterday\n"
			  "X-SchoolPulse-Signature: v1=00\n",
			  TWO),
		 400, "Unix seconds");
	answered(fake_ask(8090,
			  "POST /gate HTTP/1.1\nX-SchoolPulse-Timestamp: 00000000001795391921\n"
			  "X-SchoolPulse-Signature: v1=00\n",
			  TWO),
		 400, "Unix seconds");
	answered(fake_ask(8090, "GET /gate HTTP/1.1\n", ""), 405, "POST");
	assert_null(fake_request(8090, "POST /gates HTTP/1.1\n"));
	assert_null(fake_request(8090, "POST /gate/ HTTP/1.1\n"));
	assert_int_equal(dev->kiosk.punch_count, 0);
}

static void an_old_request_is_not_taken_again(void **state)
{
	(void)state;
	answered(fake_ask(8090, head(SECRET, NOW - 310, TWO), TWO), 401, "\"now\":1795391921");
	answered(fake_ask(8090, head(SECRET, NOW + 310, TWO), TWO), 401, "too far");
	struct sp_http_inbound *in = fake_ask(8090, head(SECRET, NOW - 295, TWO), TWO);
	fake_commit(dev, 0);
	answered(in, 200, "accepted");
	// Without a clock nothing is, however well it is signed.
	dev->kiosk.clock_unknown = true;
	in = fake_request(8090, head(SECRET, NOW, TWO));
	assert_int_equal(in->retry_after_s, 30);
	answered(in, 503, "clock");
	dev->kiosk.clock_unknown = false;
	dev->kiosk.err_ms = 301 * 1000;
	answered(fake_request(8090, head(SECRET, NOW, TWO)), 503, "clock");
	fake_run(dev, 10000, false);
	assert_string_equal(dev->reason, "clock");
}

static void what_cannot_be_kept_stays_with_the_kiosk(void **state)
{
	(void)state;
	static const struct {
		int result, commit, retry_s;
		const char *part;
	} rows[] = {{-EPERM, 0, 3600, "not been allowed"},
		    {-ENOBUFS, 0, 10, "cannot be kept"},
		    {0, -EROFS, 10, "cannot be kept"}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		dev->kiosk.result = rows[i].result;
		struct sp_http_inbound *in = post(TWO);
		fake_commit(dev, rows[i].commit);
		assert_int_equal(in->retry_after_s, rows[i].retry_s);
		answered(in, 503, rows[i].part);
	}
	fake_run(dev, 10000, false);
	assert_string_equal(dev->reason, "journal");
	dev->kiosk.result = 0;
	struct sp_http_inbound *in = post(TWO);
	fake_commit(dev, 0);
	answered(in, 200, "accepted");
	fake_run(dev, 10000, false);
	assert_true(dev->rounds_ok > 0);
}

static void a_mistake_takes_nothing_and_tells_no_value(void **state)
{
	(void)state;
	static const char bad[] = "{\"events\":[{\"id\":\"a\",\"time\":null,\"person\":\"17\"},"
				  "{\"id\":\"b\",\"time\":\"SECRET\",\"person\":\"18\"}]}";
	struct sp_http_inbound *in = post(bad);
	assert_null(strstr(in->body, "SECRET"));
	answered(in, 422, "\"member\":\"events[1].time\"");
	answered(post("{\"events\":[}"), 400, "{\"error\":\"not JSON\",\"byte\":");
	assert_int_equal(dev->kiosk.punch_count, 0);
	fake_run(dev, 10000, false);
	assert_int_equal(dev->kiosk.health.refused, 2);
}

static void who_hangs_up_has_its_events_kept(void **state)
{
	(void)state;
	fake_gone(post(TWO));
	assert_int_equal(fake_commit(dev, 0), 2);
	struct sp_http_inbound *in = post(TWO);
	fake_commit(dev, 0);
	answered(in, 200, "\"known\":2");
	fake_gone(post(TWO)); // still under way when the device stops
	struct sp_http_inbound *half = fake_request(8090, head(SECRET, NOW, TWO));
	fake_body(half, TWO, 20, 0);
	sp_driver_webhook.stop(dev);
	fake_gone(half);
	assert_int_equal(fake_commit(dev, 0), 2); // nobody is there any more
	assert_int_equal(fake_start(dev), 0);
}

static void a_flood_of_bodies_costs_its_oldest(void **state)
{
	(void)state;
	enum { FLOOD = 40, EACH = 100 * 1024 };
	struct sp_http_inbound *bad[FLOOD];
	char *junk = malloc(EACH);
	size_t cut = 0;
	assert_non_null(junk);
	memset(junk, 'x', EACH);
	for (size_t i = 0; i < FLOOD; i++) {
		bad[i] = fake_request(8090, head("another-secret-of-it", NOW, ""));
		fake_body(bad[i], junk, EACH, 8000);
	}
	struct sp_http_inbound *in = post(TWO);
	fake_commit(dev, 0);
	answered(in, 200, "accepted");
	for (size_t i = 0; i < FLOOD; i++) {
		cut += bad[i]->cut;
		assert_true(bad[i]->cut == (i < FLOOD - 10));
		fake_gone(bad[i]);
	}
	assert_int_equal(cut, FLOOD - 10);
	free(junk);
}

static void its_health_is_told(void **state)
{
	(void)state;
	fake_run(dev, 10000, false);
	assert_string_equal(dev->reason, "waiting");
	answered(fake_ask(8090,
			  head(SECRET, NOW + 10 + 7,
			       "{\"events\":[],\"kiosk\":{\"model\":\"K\",\"backlog\":3},"
			       "\"totals\":[{\"day\":\"2026-11-23\",\"count\":5}]}"),
			  "{\"events\":[],\"kiosk\":{\"model\":\"K\",\"backlog\":3},"
			  "\"totals\":[{\"day\":\"2026-11-23\",\"count\":5}]}"),
		 200, "accepted");
	fake_run(dev, 10000, false);
	assert_int_equal(dev->rounds_ok, 1);
	assert_string_equal(dev->kiosk.health.model, "K");
	assert_null(dev->kiosk.health.firmware);
	assert_int_equal(dev->kiosk.health.backlog, 3);
	assert_int_equal(dev->kiosk.health.records, -1);
	assert_true(dev->kiosk.health.clock_error_s == 7);
	assert_int_equal(dev->kiosk.total_count, 1);
	assert_int_equal(dev->kiosk.totals[0].count, 5);
	fake_run(dev, 16 * 60 * 1000, false);
	assert_string_equal(dev->reason, "silent");
}

static void mistakes_of_the_section_are_told(void **state)
{
	(void)state;
	static const char *const bad[] = {"path = events", "path = /a%20b", "time_zone = 7",
					  "cert_file = /x"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		char options[256];
		snprintf(options, sizeof(options), "secret_file = %s\n%s\n", secret_path, bad[i]);
		struct sp_device *other = fake_new(&sp_driver_webhook, "b", options);
		assert_int_equal(fake_start(other), -EINVAL);
		fake_free(other);
	}
	struct sp_device *other = fake_new(&sp_driver_webhook, "b", "secret_file = /nowhere\n");
	assert_int_equal(fake_start(other), -ENOENT);
	fake_free(other);
}

int main(void)
{
#define WEBHOOK_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    WEBHOOK_TEST(it_answers_when_all_is_on_the_card),
	    WEBHOOK_TEST(pieces_of_any_size_do),
	    WEBHOOK_TEST(who_is_not_it_is_not_believed),
	    WEBHOOK_TEST(an_old_request_is_not_taken_again),
	    WEBHOOK_TEST(what_cannot_be_kept_stays_with_the_kiosk),
	    WEBHOOK_TEST(a_mistake_takes_nothing_and_tells_no_value),
	    WEBHOOK_TEST(who_hangs_up_has_its_events_kept),
	    WEBHOOK_TEST(a_flood_of_bodies_costs_its_oldest),
	    WEBHOOK_TEST(its_health_is_told),
	    WEBHOOK_TEST(mistakes_of_the_section_are_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
