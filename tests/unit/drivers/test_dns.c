// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// DNS messages from recorded answers, resolv.conf, and what answers prove.
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "drivers/link/dns.h"
#include "drivers/link/dns_verdict.h"
#include "drivers/link/resolv.h"
#include "recorded.h"

static struct sp_dns_question about(const char *name, enum sp_dns_type type)
{
	struct sp_dns_question question = {.id = 0xbeef, .type = type};
	strcpy(question.name, name);
	return question;
}

static int parse(const char *file, const char *name, enum sp_dns_type type, struct sp_dns_answer *out)
{
	uint8_t data[RECORDED_MAX];
	size_t length = recorded("dns", file, data);
	struct sp_dns_question question = about(name, type);
	return sp_dns_parse(data, length, &question, out);
}

static void test_encode(void **state)
{
	(void)state;
	static const uint8_t expected[] = {0xbe, 0xef, 1,   0,   0,   1, 0,   0,   0, 0, 0, 0, 5,
					   'v',  'n',  'n', 'i', 'c', 2, 'v', 'n', 0, 0, 1, 0, 1};
	uint8_t message[SP_DNS_QUESTION];
	struct sp_dns_question question = about("vnnic.vn", SP_DNS_A);
	assert_int_equal(sp_dns_encode(message, &question), sizeof(expected));
	assert_memory_equal(message, expected, sizeof(expected));
	question = about("vnnic.vn.", SP_DNS_A);
	assert_int_equal(sp_dns_encode(message, &question), sizeof(expected));
	static const char *const bad[] = {
	    "", ".", "a..b", ".a", "a123456789012345678901234567890123456789012345678901234567890123.vn"};
	for (size_t i = 0; i < SP_COUNT(bad); i++) {
		question = about(bad[i], SP_DNS_A);
		assert_int_equal(sp_dns_encode(message, &question), -EINVAL);
	}
	memset(question.name, 'a', sizeof(question.name));
	for (size_t i = 50; i < sizeof(question.name); i += 50)
		question.name[i] = '.';
	question.name[253] = '\0';
	assert_true(sp_dns_encode(message, &question) > 0);
	question.name[253] = 'a';
	question.name[254] = '\0';
	assert_int_equal(sp_dns_encode(message, &question), -EINVAL);
}

static void test_recorded_answers(void **state)
{
	(void)state;
	static const uint8_t v4[] = {203, 0, 113, 9};
	struct sp_dns_answer answer;
	assert_int_equal(parse("address", "probe.example", SP_DNS_A, &answer), 0);
	assert_int_equal(answer.rcode, SP_DNS_OK);
	assert_int_equal(answer.count, 1);
	assert_memory_equal(answer.addresses[0].bytes, v4, 4);
	assert_int_equal(parse("cname", "WWW.Probe.example", SP_DNS_A, &answer), 0);
	assert_int_equal(answer.count, 1);
	assert_memory_equal(answer.addresses[0].bytes, v4, 4);
	assert_int_equal(parse("address6", "probe.example", SP_DNS_AAAA, &answer), 0);
	assert_int_equal(answer.addresses[0].family, AF_INET6);
	assert_int_equal(parse("nxdomain", "none.example", SP_DNS_A, &answer), 0);
	assert_int_equal(answer.rcode, SP_DNS_NXDOMAIN);
	assert_int_equal(answer.count, 0);
	assert_int_equal(parse("refused", "vnnic.vn", SP_DNS_A, &answer), 0);
	assert_int_equal(answer.rcode, SP_DNS_REFUSED);
}

static void test_foreign_answers(void **state)
{
	(void)state;
	struct sp_dns_answer answer;
	assert_int_equal(parse("address", "other.example", SP_DNS_A, &answer), -ENOMSG);
	assert_int_equal(parse("address", "probe.example", SP_DNS_AAAA, &answer), -ENOMSG);
	uint8_t data[RECORDED_MAX];
	size_t length = recorded("dns", "address", data);
	struct sp_dns_question question = about("probe.example", SP_DNS_A);
	assert_true(sp_dns_belongs(data, length, &question));
	question.id ^= 1;
	assert_false(sp_dns_belongs(data, length, &question));
	question.id ^= 1;
	data[2] &= 0x7f; // a question is no answer
	assert_false(sp_dns_belongs(data, length, &question));
}

static void test_broken_answers(void **state)
{
	(void)state;
	struct sp_dns_answer answer;
	assert_int_equal(parse("loop", "probe.example", SP_DNS_A, &answer), -EBADMSG);
	assert_int_equal(parse("forward", "probe.example", SP_DNS_A, &answer), -EBADMSG);
	assert_int_equal(parse("empty", "probe.example", SP_DNS_A, &answer), -ENOMSG);
	uint8_t data[RECORDED_MAX];
	size_t length = recorded("dns", "cname", data);
	struct sp_dns_question question = about("www.probe.example", SP_DNS_A);
	for (size_t cut = 0; cut < length; cut++)
		assert_true(sp_dns_parse(data, cut, &question, &answer) < 0);
}

static struct sp_dns_address address(const char *text)
{
	struct sp_dns_address out = {.family = strchr(text, ':') ? AF_INET6 : AF_INET};
	assert_int_equal(inet_pton(out.family, text, out.bytes), 1);
	return out;
}

static void test_local_addresses(void **state)
{
	(void)state;
	static const char *const local[] = {
	    "10.1.2.3",   "127.0.0.53", "192.168.1.1", "172.16.0.1", "172.31.255.1",
	    "100.64.0.1", "0.0.0.0",    "169.254.1.1", "224.0.0.1",  "255.255.255.255",
	    "fe80::1",    "fd00::1",    "::1",         "::",         "ff02::1"};
	static const char *const public[] = {"203.162.4.191", "172.32.0.1", "100.128.0.1",
					     "192.169.0.1",   "9.9.9.9",    "2001:678:4::12"};
	for (size_t i = 0; i < SP_COUNT(local); i++) {
		struct sp_dns_address it = address(local[i]);
		if (!sp_dns_is_local(&it))
			fail_msg("%s is local", local[i]);
	}
	for (size_t i = 0; i < SP_COUNT(public); i++) {
		struct sp_dns_address it = address(public[i]);
		if (sp_dns_is_local(&it))
			fail_msg("%s is public", public[i]);
	}
}

static enum sp_dns_result judge(int rcode, const char *first, const char *expect, bool random,
				const char **why)
{
	struct sp_dns_answer answer = {.rcode = rcode};
	if (first) {
		answer.count = 1;
		answer.addresses[0] = address(first);
	}
	char text[64] = "";
	char *items[] = {text};
	struct sp_strings list = {0, items};
	if (expect) {
		strcpy(text, expect);
		list.count = 1;
	}
	return sp_dns_judge(&answer, &list, random, why);
}

static void test_judgement(void **state)
{
	(void)state;
	const char *why;
	assert_int_equal(judge(SP_DNS_OK, "203.0.113.9", NULL, false, &why), SP_DNS_GOOD);
	assert_int_equal(judge(SP_DNS_OK, "192.168.1.1", NULL, false, &why), SP_DNS_WRONG);
	assert_string_equal(why, "a private address");
	assert_int_equal(judge(SP_DNS_OK, "192.168.1.1", "192.168.1.1", false, &why), SP_DNS_GOOD);
	assert_int_equal(judge(SP_DNS_OK, "203.0.113.9", "203.0.113.8", false, &why), SP_DNS_WRONG);
	assert_string_equal(why, "a foreign address");
	assert_int_equal(judge(SP_DNS_OK, NULL, NULL, false, &why), SP_DNS_WRONG);
	assert_string_equal(why, "no address");
	assert_int_equal(judge(SP_DNS_NXDOMAIN, NULL, NULL, false, &why), SP_DNS_WRONG);
	assert_int_equal(judge(SP_DNS_NXDOMAIN, NULL, NULL, true, &why), SP_DNS_GOOD);
	assert_int_equal(judge(SP_DNS_SERVFAIL, NULL, NULL, true, &why), SP_DNS_WRONG);
	assert_string_equal(why, "server failure");
}

static struct sp_dns_verdict conclude(enum sp_dns_result resolver, enum sp_dns_result direct, bool local,
				      bool cut_off)
{
	struct sp_dns_finding r = {.result = resolver, .rtt_us = 5, .why = "refused"}, d = {.result = direct};
	struct sp_dns_witness witnesses[] = {{"the resolver", false, local, &r},
					     {"203.0.113.1", true, false, &d}};
	struct sp_dns_verdict verdict;
	sp_dns_conclude(witnesses, 2, cut_off, &verdict);
	return verdict;
}

static void test_conclusion(void **state)
{
	(void)state;
	struct sp_dns_verdict verdict = conclude(SP_DNS_GOOD, SP_DNS_UNASKED, true, false);
	assert_int_equal(verdict.status, SP_RUNG_OK);
	assert_int_equal(verdict.rtt_us, 5);
	// A router that remembers an answer proves nothing while nothing beyond it answers.
	assert_int_equal(conclude(SP_DNS_GOOD, SP_DNS_SILENT, true, true).status, SP_RUNG_UNKNOWN);
	assert_int_equal(conclude(SP_DNS_GOOD, SP_DNS_GOOD, true, true).status, SP_RUNG_OK);
	assert_int_equal(conclude(SP_DNS_GOOD, SP_DNS_SILENT, false, true).status, SP_RUNG_OK);
	verdict = conclude(SP_DNS_SILENT, SP_DNS_WRONG, true, false);
	assert_int_equal(verdict.status, SP_RUNG_SILENT);
	assert_string_equal(verdict.detail,
			    "the resolver is silent; asked directly, it answers: 203.0.113.1");
	verdict = conclude(SP_DNS_SILENT, SP_DNS_SILENT, true, false);
	assert_string_equal(verdict.detail, "the resolver is silent; asked directly, silent");
	verdict = conclude(SP_DNS_WRONG, SP_DNS_UNASKED, true, false);
	assert_int_equal(verdict.status, SP_RUNG_WRONG);
	assert_string_equal(verdict.detail, "the resolver: refused");
	assert_int_equal(conclude(SP_DNS_UNASKED, SP_DNS_GOOD, true, false).status, SP_RUNG_UNKNOWN);
}

static void test_resolv_conf(void **state)
{
	(void)state;
	static const char text[] =
	    "# comment\nsearch school.example\nnameserver 192.168.1.1\r\n"
	    "nameserver\tfe80::1%eth0 # the router\n"
	    " nameserver 9.9.9.9\nnameserver names.example\nnameserverx 9.9.9.9\n"
	    "nameserver 300.1.1.1\nnameserver 192.168.1.2%eth0\nnameserver 2001:db8::53\n"
	    "nameserver 1.1.1.1\n";
	struct sp_resolver out[SP_RESOLVERS];
	assert_int_equal(sp_resolv_parse(text, sizeof(text) - 1, out), 3);
	assert_int_equal(out[0].family, AF_INET);
	assert_int_equal(out[0].v4.s_addr, inet_addr("192.168.1.1"));
	assert_int_equal(out[1].family, AF_INET6);
	assert_string_equal(out[1].zone, "eth0");
	assert_int_equal(out[2].family, AF_INET6);
	assert_string_equal(out[2].zone, "");
	assert_int_equal(sp_resolv_parse("", 0, out), 0);
	assert_int_equal(sp_resolv_parse("nameserver 9.9.9.9", 18, out), 1); // no newline at the end
	assert_int_equal(sp_resolv_parse("nameserver ", 11, out), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_encode),          cmocka_unit_test(test_recorded_answers),
	    cmocka_unit_test(test_foreign_answers), cmocka_unit_test(test_broken_answers),
	    cmocka_unit_test(test_local_addresses), cmocka_unit_test(test_judgement),
	    cmocka_unit_test(test_conclusion),      cmocka_unit_test(test_resolv_conf),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
