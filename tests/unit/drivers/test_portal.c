// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The portal check's judgement, of answers that the real HTTP client brings from servers of every kind.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drivers/link/portal.h"
#include "tests/unit/base/http_world.h"

enum { LIMIT = 64 };

static const struct sp_portal_expect nothing = {204, ""}, success = {200, "success"};

static struct sp_portal_finding judge(struct world *world, const struct sp_portal_expect *expect,
				      void (*serve)(int fd))
{
	struct sp_portal_finding finding;
	struct result r = get(world, (struct sp_http_request){.max_bytes = LIMIT, .timeout_ms = 300}, serve);
	struct sp_http_answer answer = {.result = r.result,
					.error = r.error,
					.status = r.status,
					.location = r.location,
					.body = (const uint8_t *)r.body,
					.length = r.length};
	sp_portal_judge(&answer, expect, &finding);
	return finding;
}

#define SAYS(name, text)                 \
	static void name(int fd)         \
	{                                \
		say_and_close(fd, text); \
	}

SAYS(no_content, "HTTP/1.1 204 No Content\r\n\r\n")
SAYS(no_content_with_length, "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n")
SAYS(body_after_204, "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nlogin")
SAYS(ok_page, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsuccess\r\n")
SAYS(login_page, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nlogin")
SAYS(nearly, "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsuccess!")
SAYS(empty_page, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
SAYS(redirect,
     "HTTP/1.1 302 Found\r\nLocation: http://user@Portal.Example:8080/login?mac=02:00:5e:00:00:01\r\n"
     "Content-Length: 0\r\n\r\n")
SAYS(redirect_nowhere, "HTTP/1.1 307 Away\r\nContent-Length: 0\r\n\r\n")
SAYS(redirect_to_itself, "HTTP/1.1 301 Moved\r\nLocation: /path?q=1\r\nContent-Length: 0\r\n\r\n")
SAYS(redirect_rubbish,
     "HTTP/1.1 302 Found\r\nLocation: http://\xff\x01<script>/\r\nContent-Length: 0\r\n\r\n")
SAYS(login_wanted, "HTTP/1.1 511 Network Authentication Required\r\nContent-Length: 0\r\n\r\n")
SAYS(forbidden, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
SAYS(trouble, "HTTP/1.1 503 Trouble\r\nContent-Length: 0\r\n\r\n")
SAYS(long_trouble, "HTTP/1.1 503 Trouble\r\nContent-Length: 100000\r\n\r\n<html>")
SAYS(long_page, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n<html>")
SAYS(long_chunks, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		  "80\r\n0123456789012345678901234567890123456789012345678901234567890123456789"
		  "0123456789012345678901234567890123456789012345678901234567\r\n0\r\n\r\n")
SAYS(cut_short, "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nsucc")
SAYS(negative_length, "HTTP/1.1 200 OK\r\nContent-Length: -7\r\n\r\nsuccess")
SAYS(two_lengths, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nContent-Length: 3\r\n\r\nsuccess")
SAYS(huge_length, "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999999\r\n\r\nsuccess")
SAYS(http_0_9, "success")
SAYS(ssh, "SSH-2.0-OpenSSH_9.2\r\n")
SAYS(status_nine, "HTTP/1.1 999 Whatever\r\nContent-Length: 0\r\n\r\n")
SAYS(status_letters, "HTTP/1.1 2O4 No Content\r\n\r\n")
SAYS(status_long, "HTTP/1.1 2040 No Content\r\n\r\n")
SAYS(status_zero, "HTTP/1.1 000 \r\n\r\n")
SAYS(version_odd, "HTTP/7.3 204 No Content\r\n\r\n")
SAYS(newlines_only, "\r\n\r\n\r\n")

static void hang_up(int fd)
{
	shutdown(fd, SHUT_WR);
}

static void drip_ok(int fd)
{
	static int first, drops;
	if (fd != first)
		say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n");
	first = fd;
	if (drops++ < 20) // it never comes to its end
		say(fd, " ");
}

static void giant_head(int fd)
{
	static int first;
	if (fd != first)
		say(fd, "HTTP/1.1 204 No Content\r\n");
	first = fd;
	say(fd, "X-More: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n");
}

static void endless_continue(int fd)
{
	say(fd, "HTTP/1.1 100 Continue\r\n\r\n");
}

static void answers_are_told_apart(void **state)
{
	static const struct {
		void (*serve)(int fd);
		const struct sp_portal_expect *expect;
		enum sp_rung_status status;
		const char *reason;
	} cases[] = {
	    {no_content, &nothing, SP_RUNG_OK, "expected_page"},
	    {no_content_with_length, &nothing, SP_RUNG_OK, "expected_page"},
	    {body_after_204, &nothing, SP_RUNG_OK, "expected_page"}, // a 204 ends with its head
	    {ok_page, &success, SP_RUNG_OK, "expected_page"},
	    {login_page, &nothing, SP_RUNG_WRONG, "another_page"},
	    {login_page, &success, SP_RUNG_WRONG, "another_page"},
	    {nearly, &success, SP_RUNG_WRONG, "another_page"},
	    {empty_page, &success, SP_RUNG_WRONG, "another_page"},
	    {empty_page, &nothing, SP_RUNG_WRONG, "another_page"},
	    {no_content, &success, SP_RUNG_WRONG, "another_page"},
	    {redirect, &nothing, SP_RUNG_WRONG, "redirected"},
	    {redirect_nowhere, &nothing, SP_RUNG_WRONG, "redirected"},
	    {redirect_to_itself, &success, SP_RUNG_WRONG, "redirected"},
	    {redirect_rubbish, &nothing, SP_RUNG_WRONG, "redirected"},
	    {login_wanted, &nothing, SP_RUNG_WRONG, "another_page"},
	    {forbidden, &nothing, SP_RUNG_WRONG, "another_page"},
	    {long_page, &nothing, SP_RUNG_WRONG, "another_page"},
	    {long_page, &success, SP_RUNG_WRONG, "another_page"},
	    {long_chunks, &success, SP_RUNG_WRONG, "another_page"},
	    // The site's own trouble is not the line's, however long it talks of it.
	    {trouble, &nothing, SP_RUNG_UNKNOWN, "server_error"},
	    {long_trouble, &nothing, SP_RUNG_UNKNOWN, "server_error"},
	    {status_nine, &nothing, SP_RUNG_UNKNOWN, "server_error"},
	    // What began well and broke off may have become the expected page.
	    {cut_short, &success, SP_RUNG_UNKNOWN, "cut_off"},
	    {drip_ok, &success, SP_RUNG_UNKNOWN, "cut_off"},
	    {giant_head, &nothing, SP_RUNG_UNKNOWN, "cut_off"},
	    // No HTTP at all.
	    {hang_up, &nothing, SP_RUNG_SILENT, "no_answer"},
	    {silent, &nothing, SP_RUNG_SILENT, "no_answer"},
	    {http_0_9, &success, SP_RUNG_UNKNOWN, "not_measured"},
	    {ssh, &nothing, SP_RUNG_UNKNOWN, "not_measured"},
	    {status_letters, &nothing, SP_RUNG_UNKNOWN, "not_measured"},
	    {status_long, &nothing, SP_RUNG_UNKNOWN, "not_measured"},
	};
	for (size_t i = 0; i < SP_COUNT(cases); i++) {
		struct sp_portal_finding f = judge(*state, cases[i].expect, cases[i].serve);
		if (f.status != cases[i].status || strcmp(f.reason, cases[i].reason) != 0)
			fail_msg("case %zu: %d %s: %s", i, f.status, f.reason, f.detail);
	}
}

static void rubbish_is_never_the_expected_page(void **state)
{
	static void (*const rubbish[])(int fd) = {negative_length, two_lengths, huge_length,
						  status_zero,     version_odd, newlines_only,
						  endless_continue};
	for (size_t i = 0; i < SP_COUNT(rubbish); i++) {
		struct sp_portal_finding f = judge(*state, &success, rubbish[i]);
		if (f.status == SP_RUNG_OK)
			fail_msg("case %zu: %s", i, f.detail);
		assert_true(f.detail[0] != '\0');
	}
}

static void a_redirect_is_named_and_not_followed(void **state)
{
	struct world *world = *state;
	struct sp_portal_finding f = judge(world, &nothing, redirect);
	assert_string_equal(f.host, "portal.example:8080");
	assert_string_equal(f.detail, "redirected (status 302) to portal.example:8080");
	f = judge(world, &nothing, redirect_rubbish);
	assert_string_equal(f.host, "");
	assert_string_equal(f.detail, "redirected (status 302)");
	size_t peers = world->peer_count;
	f = judge(world, &nothing, redirect_to_itself); // for ever, for whoever follows
	assert_int_equal(world->peer_count, peers + 1);
}

static void hosts_are_read_strictly(void **state)
{
	(void)state;
	static const struct {
		const char *url, *host;
	} cases[] = {
	    {"http://portal.example/a", "portal.example"},
	    {"https://PORTAL.example", "portal.example"},
	    {"http://a@b@portal.example?x", "portal.example"},
	    {"http://[2001:db8::1]:80/", "2001:db8::1:80"},
	    {"http://192.0.2.1#x", "192.0.2.1"},
	    {"http://good.example\\@evil.example/", "good.example"},
	    {"portal.example", NULL},
	    {"", NULL},
	    {"://", NULL},
	    {"http:///", NULL},
	    {"http://a b/", NULL},
	    {"http://tr\xc6\xb0\xe1\xbb\x9dng.example/", NULL},
	    {"http://a\nb/", NULL},
	    {"http://%41/", NULL},
	};
	char host[SP_PORTAL_HOST];
	for (size_t i = 0; i < SP_COUNT(cases); i++) {
		bool good = sp_portal_host(cases[i].url, host);
		if (good != (cases[i].host != NULL) || strcmp(host, good ? cases[i].host : "") != 0)
			fail_msg("%s: \"%s\"", cases[i].url, host);
	}
	char url[SP_PORTAL_HOST + 8] = "http://";
	memset(url + 7, 'a', SP_PORTAL_HOST - 1);
	assert_true(sp_portal_host(url, host));
	url[7 + SP_PORTAL_HOST - 1] = 'a';
	assert_false(sp_portal_host(url, host));
	assert_string_equal(host, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WORLD_TEST(answers_are_told_apart),
	    WORLD_TEST(rubbish_is_never_the_expected_page),
	    WORLD_TEST(a_redirect_is_named_and_not_followed),
	    cmocka_unit_test(hosts_are_read_strictly),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
