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

// ---- answers that somebody made to mislead ----------------------------------------------------------

/// A response to "probe.example" in the making.
struct forgery {
	uint8_t data[RECORDED_MAX];
	size_t length;
};

static void put(struct forgery *f, const void *bytes, size_t size)
{
	assert_true(f->length + size <= sizeof(f->data));
	memcpy(f->data + f->length, bytes, size);
	f->length += size;
}

#define PUT(f, ...)                                        \
	do {                                               \
		const uint8_t put_bytes[] = {__VA_ARGS__}; \
		put((f), put_bytes, sizeof(put_bytes));    \
	} while (0)

/// Header and question: 12 + 19 bytes, so that records begin at 31. `name` may be in any letters.
static struct forgery forge(const char *name, uint8_t flags_low, uint8_t answers)
{
	struct forgery f = {0};
	PUT(&f, 0xbe, 0xef, 0x81, flags_low, 0, 1, 0, answers, 0, 0, 0, 0, 5);
	put(&f, name, 5);
	PUT(&f, 7);
	put(&f, name + 6, 7);
	PUT(&f, 0, 0, 1, 0, 1);
	assert_int_equal(f.length, 31);
	return f;
}

static void put_a(struct forgery *f, uint8_t last)
{
	PUT(f, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 203, 0, 113, last);
}

static int read_forgery(const struct forgery *f, struct sp_dns_answer *out)
{
	struct sp_dns_question question = about("probe.example", SP_DNS_A);
	return sp_dns_parse(f->data, f->length, &question, out);
}

static void test_letters_of_the_question(void **state)
{
	(void)state;
	struct sp_dns_answer answer;
	struct forgery f = forge("pRoBE.eXaMPLE", 0x80, 1); // 0x20: a resolver may play with them
	PUT(&f, 0xc0, 12);
	put_a(&f, 9);
	assert_int_equal(read_forgery(&f, &answer), 0);
	assert_int_equal(answer.count, 1);
	f.data[13] = 'P' ^ 0x80; // but no other change
	assert_int_equal(read_forgery(&f, &answer), -ENOMSG);
}

static void test_chains_of_aliases(void **state)
{
	(void)state;
	struct sp_dns_answer answer;
	// probe.example = a.example; a.example = b.example; b.example has the address. In any order.
	static const uint8_t first[] = {0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 4, 1, 'a', 0xc0, 18};
	static const uint8_t second[] = {1, 'a', 0xc0, 18, 0, 5, 0, 1, 0, 0, 0, 60, 0, 4, 1, 'b', 0xc0, 18};
	for (int order = 0; order < 2; order++) {
		struct forgery f = forge("probe.example", 0x80, 3);
		if (order) {
			PUT(&f, 1, 'b', 0xc0, 18);
			put_a(&f, 9);
			put(&f, second, sizeof(second));
			put(&f, first, sizeof(first));
		} else {
			put(&f, first, sizeof(first));
			put(&f, second, sizeof(second));
			PUT(&f, 1, 'b', 0xc0, 18);
			put_a(&f, 9);
		}
		assert_int_equal(read_forgery(&f, &answer), 0);
		assert_int_equal(answer.count, 1);
		assert_int_equal(answer.addresses[0].bytes[3], 9);
	}
	// In a ring: no address, and an end.
	struct forgery ring = forge("probe.example", 0x80, 2);
	put(&ring, first, sizeof(first));
	PUT(&ring, 1, 'a', 0xc0, 18, 0, 5, 0, 1, 0, 0, 0, 60, 0, 2, 0xc0, 12);
	assert_int_equal(read_forgery(&ring, &answer), 0);
	assert_int_equal(answer.count, 0);
	// An alias whose name does not end with its record, or that is empty.
	struct forgery long_name = forge("probe.example", 0x80, 1);
	PUT(&long_name, 0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 3, 1, 'a', 0xc0, 18);
	assert_int_equal(read_forgery(&long_name, &answer), -EBADMSG);
	struct forgery padded = forge("probe.example", 0x80, 1);
	PUT(&padded, 0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 5, 1, 'a', 0xc0, 18, 0);
	assert_int_equal(read_forgery(&padded, &answer), -EBADMSG);
}

static void test_addresses_of_others(void **state)
{
	(void)state;
	struct sp_dns_answer answer;
	struct forgery f = forge("probe.example", 0x80, 4);
	PUT(&f, 5, 'o', 't', 'h', 'e', 'r', 0xc0, 18); // other.example
	put_a(&f, 1);
	PUT(&f, 0xc0, 12, 0, 1, 0, 3, 0, 0, 0, 60, 0, 4, 203, 0, 113, 2);    // class CH
	PUT(&f, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 5, 203, 0, 113, 3, 0); // five bytes
	PUT(&f, 0xc0, 12, 0, 28, 0, 1, 0, 0, 0, 60, 0, 4, 203, 0, 113, 4);   // type AAAA
	assert_int_equal(read_forgery(&f, &answer), 0);
	assert_int_equal(answer.count, 0);
}

static void test_counts_and_lengths_that_lie(void **state)
{
	(void)state;
	struct sp_dns_answer answer;
	struct forgery f = forge("probe.example", 0x80, 1);
	PUT(&f, 0xc0, 12);
	put_a(&f, 9);
	struct forgery many = f;
	many.data[6] = many.data[7] = 0xff; // 65,535 answers promised
	assert_int_equal(read_forgery(&many, &answer), -EBADMSG);
	struct forgery past_end = f;
	past_end.data[31 + 11] = 200; // the record is longer than the message
	assert_int_equal(read_forgery(&past_end, &answer), -EBADMSG);
	struct forgery forward = f;
	forward.data[32] = 33; // a pointer to itself, then forwards, then out of the message
	for (unsigned to = 31; to < 64; to++) {
		forward.data[32] = (uint8_t)to;
		assert_int_equal(read_forgery(&forward, &answer), -EBADMSG);
	}
	struct forgery into_header = f;
	into_header.data[32] = 2; // bytes that are no name of ours
	assert_true(read_forgery(&into_header, &answer) == -EBADMSG || answer.count == 0);
	struct forgery reserved = f;
	for (unsigned kind = 0x40; kind <= 0x80; kind += 0x40) {
		reserved.data[31] = (uint8_t)kind; // label types that nobody uses
		assert_int_equal(read_forgery(&reserved, &answer), -EBADMSG);
	}
	struct forgery questions = f;
	for (unsigned count = 0; count < 256; count += count == 0 ? 2 : 51) {
		questions.data[5] = (uint8_t)count; // none, or more than ours
		assert_int_equal(read_forgery(&questions, &answer), -ENOMSG);
	}
	struct forgery opcode = f;
	opcode.data[2] = 0x81 | 4 << 3; // NOTIFY
	assert_int_equal(read_forgery(&opcode, &answer), -ENOMSG);
	for (unsigned rcode = 0; rcode < 16; rcode++) {
		f.data[3] = (uint8_t)(0x80 | rcode);
		assert_int_equal(read_forgery(&f, &answer), 0);
		assert_int_equal(answer.rcode, rcode);
	}
}

static void test_a_cut_answer(void **state)
{
	(void)state;
	struct sp_dns_answer answer;
	struct forgery f = forge("probe.example", 0x80, 2);
	f.data[2] |= 2; // TC
	PUT(&f, 0xc0, 12);
	put_a(&f, 9);
	size_t whole = f.length;
	PUT(&f, 0xc0, 12);
	put_a(&f, 10);
	for (f.length = 31; f.length <= whole + 16; f.length++) {
		assert_int_equal(read_forgery(&f, &answer), 0);
		assert_true(answer.truncated);
		assert_int_equal(answer.count, f.length < whole ? 0 : f.length < whole + 16 ? 1 : 2);
	}
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

static struct sp_dns_finding judge(int rcode, const char *first, const char *expect, bool random)
{
	struct sp_dns_answer answer = {.rcode = rcode};
	struct sp_dns_finding finding = {0};
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
	sp_dns_judge(&answer, &list, random, &finding);
	return finding;
}

static void test_judgement(void **state)
{
	(void)state;
	static const struct {
		int rcode;
		const char *first, *expect;
		bool random;
		enum sp_dns_result result;
		const char *why;
		bool lies, no_name, fresh;
	} cases[] = {
	    {SP_DNS_OK, "203.0.113.9", NULL, false, SP_DNS_GOOD, "", false, false, false},
	    {SP_DNS_OK, "203.0.113.9", NULL, true, SP_DNS_GOOD, "", false, false, false},
	    {SP_DNS_OK, "203.0.113.9", "203.0.113.9", false, SP_DNS_GOOD, "", false, false, false},
	    {SP_DNS_OK, "203.0.113.9", "203.0.113.9", true, SP_DNS_GOOD, "", false, false, true},
	    {SP_DNS_OK, "192.168.1.1", NULL, false, SP_DNS_WRONG, "a private address", true, false, false},
	    {SP_DNS_OK, "192.168.1.1", NULL, true, SP_DNS_WRONG, "a private address", true, false, false},
	    {SP_DNS_OK, "192.168.1.1", "192.168.1.1", false, SP_DNS_GOOD, "", false, false, false},
	    {SP_DNS_OK, "203.0.113.9", "203.0.113.8", false, SP_DNS_WRONG, "a foreign address", true, false,
	     false},
	    {SP_DNS_OK, NULL, NULL, false, SP_DNS_WRONG, "no address", false, false, false},
	    {SP_DNS_NXDOMAIN, NULL, NULL, false, SP_DNS_WRONG, "no such name", false, false, false},
	    {SP_DNS_NXDOMAIN, NULL, NULL, true, SP_DNS_GOOD, "", false, true, false},
	    {SP_DNS_NXDOMAIN, NULL, "203.0.113.9", true, SP_DNS_WRONG, "no such name", false, false, false},
	    {SP_DNS_SERVFAIL, NULL, NULL, true, SP_DNS_WRONG, "server failure", false, false, false},
	    {SP_DNS_REFUSED, "203.0.113.9", NULL, true, SP_DNS_WRONG, "refused", false, false, false},
	    {1, NULL, NULL, true, SP_DNS_WRONG, "format error", false, false, false},
	    {4, NULL, NULL, true, SP_DNS_WRONG, "not implemented", false, false, false},
	    {11, NULL, NULL, true, SP_DNS_WRONG, "error", false, false, false},
	    {15, "203.0.113.9", "203.0.113.9", true, SP_DNS_WRONG, "error", false, false, false},
	};
	for (size_t i = 0; i < SP_COUNT(cases); i++) {
		struct sp_dns_finding f =
		    judge(cases[i].rcode, cases[i].first, cases[i].expect, cases[i].random);
		if (f.result != cases[i].result || strcmp(f.why, cases[i].why) != 0 ||
		    f.lies != cases[i].lies || f.no_name != cases[i].no_name || f.fresh != cases[i].fresh)
			fail_msg("case %zu: %d \"%s\" %d %d %d", i, f.result, f.why, f.lies, f.no_name,
				 f.fresh);
	}
}

static void test_a_cut_answer_is_no_lie(void **state)
{
	(void)state;
	char text[] = "203.0.113.9";
	char *items[] = {text};
	const struct sp_strings none = {0}, one = {1, items};
	struct sp_dns_answer answer = {.truncated = true};
	struct sp_dns_finding f = {0};
	sp_dns_judge(&answer, &none, false, &f);
	assert_int_equal(f.result, SP_DNS_GOOD);
	sp_dns_judge(&answer, &one, true, &f);
	assert_int_equal(f.result, SP_DNS_GOOD);
	assert_false(f.fresh);
	answer.count = 1;
	answer.addresses[0] = address("203.0.113.8");
	sp_dns_judge(&answer, &one, true, &f); // the expected one may have been behind it
	assert_int_equal(f.result, SP_DNS_GOOD);
	assert_false(f.fresh);
	answer.addresses[0] = address("192.168.1.1");
	sp_dns_judge(&answer, &none, false, &f);
	assert_int_equal(f.result, SP_DNS_WRONG);
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
	assert_string_equal(verdict.reason, "resolver_answers");
	assert_null(verdict.host); // a private address is not named
	assert_int_equal(verdict.rtt_us, 5);
	verdict = conclude(SP_DNS_SILENT, SP_DNS_WRONG, true, false);
	assert_int_equal(verdict.status, SP_RUNG_SILENT);
	assert_string_equal(verdict.detail,
			    "the resolver is silent; asked directly, it answers: 203.0.113.1");
	assert_string_equal(verdict.reason, "resolver_silent");
	verdict = conclude(SP_DNS_SILENT, SP_DNS_SILENT, true, false);
	assert_string_equal(verdict.detail, "the resolver is silent; asked directly, silent");
	verdict = conclude(SP_DNS_WRONG, SP_DNS_UNASKED, false, false);
	assert_int_equal(verdict.status, SP_RUNG_WRONG);
	assert_string_equal(verdict.detail, "the resolver: refused");
	assert_string_equal(verdict.reason, "resolver_wrong");
	assert_string_equal(verdict.host, "the resolver");
	verdict = conclude(SP_DNS_UNASKED, SP_DNS_GOOD, true, false);
	assert_int_equal(verdict.status, SP_RUNG_UNKNOWN);
	assert_string_equal(verdict.reason, "no_resolver");
}

static void test_a_router_vouches_for_nothing_beyond(void **state)
{
	(void)state;
	// Nothing beyond the router answers: what it answers, in whose name ever, may be its memory.
	assert_int_equal(conclude(SP_DNS_GOOD, SP_DNS_SILENT, true, true).status, SP_RUNG_UNKNOWN);
	assert_int_equal(conclude(SP_DNS_GOOD, SP_DNS_GOOD, true, true).status, SP_RUNG_UNKNOWN);
	assert_int_equal(conclude(SP_DNS_GOOD, SP_DNS_WRONG, true, true).status, SP_RUNG_UNKNOWN);
	assert_int_equal(conclude(SP_DNS_GOOD, SP_DNS_GOOD, false, true).status, SP_RUNG_UNKNOWN);
	assert_string_equal(conclude(SP_DNS_GOOD, SP_DNS_GOOD, false, true).reason, "from_memory");
	// An answer that it cannot know is proof, whoever gave it.
	struct sp_dns_finding r = {.result = SP_DNS_GOOD, .rtt_us = 5, .why = ""}, d = r;
	struct sp_dns_witness witnesses[] = {{"the resolver", false, true, &r},
					     {"203.0.113.1", true, false, &d}};
	struct sp_dns_verdict verdict;
	r.fresh = true;
	sp_dns_conclude(witnesses, 2, true, &verdict);
	assert_int_equal(verdict.status, SP_RUNG_OK);
	r.fresh = false;
	d.fresh = true;
	sp_dns_conclude(witnesses, 2, true, &verdict);
	assert_int_equal(verdict.status, SP_RUNG_OK);
	// It answers every name with its own address, while its line is dead.
	r = (struct sp_dns_finding){.result = SP_DNS_WRONG, .why = "a private address", .lies = true};
	sp_dns_conclude(witnesses, 2, true, &verdict);
	assert_int_equal(verdict.status, SP_RUNG_WRONG);
	assert_string_equal(verdict.reason, "resolver_lies");
}

static void test_names_that_do_not_exist_are_sold(void **state)
{
	(void)state;
	struct sp_dns_finding r = {.result = SP_DNS_GOOD, .why = ""},
			      d = {.result = SP_DNS_GOOD, .why = "", .no_name = true}, second = r;
	struct sp_dns_witness witnesses[] = {{"203.0.113.53", false, false, &r},
					     {"203.0.113.1", true, false, &d},
					     {"203.0.113.54", false, false, &second}};
	struct sp_dns_verdict verdict;
	assert_true(sp_dns_contradicted(witnesses, 3));
	sp_dns_conclude(witnesses, 3, false, &verdict);
	assert_int_equal(verdict.status, SP_RUNG_WRONG);
	assert_string_equal(verdict.reason, "resolver_lies");
	assert_string_equal(verdict.detail, "203.0.113.53: an address for a name that is none; asked "
					    "directly, it answers: 203.0.113.1");
	// One honest resolver is enough to live with.
	second.no_name = true;
	assert_false(sp_dns_contradicted(witnesses, 3));
	sp_dns_conclude(witnesses, 3, false, &verdict);
	assert_int_equal(verdict.status, SP_RUNG_OK);
	// No witness, no contradiction; and one that knows the name neither.
	assert_false(sp_dns_contradicted(witnesses, 1));
	d.no_name = false;
	second.no_name = false;
	assert_false(sp_dns_contradicted(witnesses, 3));
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
	    cmocka_unit_test(test_encode),
	    cmocka_unit_test(test_recorded_answers),
	    cmocka_unit_test(test_foreign_answers),
	    cmocka_unit_test(test_broken_answers),
	    cmocka_unit_test(test_local_addresses),
	    cmocka_unit_test(test_judgement),
	    cmocka_unit_test(test_letters_of_the_question),
	    cmocka_unit_test(test_chains_of_aliases),
	    cmocka_unit_test(test_addresses_of_others),
	    cmocka_unit_test(test_counts_and_lengths_that_lie),
	    cmocka_unit_test(test_a_cut_answer),
	    cmocka_unit_test(test_a_cut_answer_is_no_lie),
	    cmocka_unit_test(test_a_router_vouches_for_nothing_beyond),
	    cmocka_unit_test(test_names_that_do_not_exist_are_sold),
	    cmocka_unit_test(test_conclusion),
	    cmocka_unit_test(test_resolv_conf),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
