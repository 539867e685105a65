// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the anchor reads in its clients' words.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "tools/anchor/query.h"

static void pages(void **state)
{
	static const struct {
		const char *path;
		enum sp_anchor_page page;
	} rows[] = {
	    {"/garbage.php", SP_ANCHOR_GARBAGE},
	    {"/garbage", SP_ANCHOR_GARBAGE},
	    {"/backend/garbage.php", SP_ANCHOR_GARBAGE},
	    {"/backend/empty", SP_ANCHOR_EMPTY},
	    {"/empty.php", SP_ANCHOR_EMPTY},
	    {"/getIP.php", SP_ANCHOR_ADDRESS},
	    {"/getip.php", SP_ANCHOR_NONE},
	    {"/garbage.phpx", SP_ANCHOR_NONE},
	    {"/garbagex", SP_ANCHOR_NONE},
	    {"/backendgarbage", SP_ANCHOR_NONE},
	    {"/backend", SP_ANCHOR_NONE},
	    {"/", SP_ANCHOR_NONE},
	    {"", SP_ANCHOR_NONE},
	    {"/backend/backend/empty", SP_ANCHOR_NONE},
	    {"/backend/../empty", SP_ANCHOR_NONE},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (sp_anchor_page_of(rows[i].path) != rows[i].page)
			fail_msg("%s", rows[i].path);
}

static void chunks(void **state)
{
	(void)state;
	assert_int_equal(sp_anchor_chunks(NULL), 4);
	assert_int_equal(sp_anchor_chunks(""), 4);
	assert_int_equal(sp_anchor_chunks("0"), 4);
	assert_int_equal(sp_anchor_chunks("-5"), 4);
	assert_int_equal(sp_anchor_chunks("1e3"), 4);
	assert_int_equal(sp_anchor_chunks(" 7"), 4);
	assert_int_equal(sp_anchor_chunks("1"), 1);
	assert_int_equal(sp_anchor_chunks("100"), 100);
	assert_int_equal(sp_anchor_chunks("1024"), 1024);
	assert_int_equal(sp_anchor_chunks("1025"), 1024);
	assert_int_equal(sp_anchor_chunks("99999999999999999999999999"), 1024);
	assert_int_equal(sp_anchor_chunks("0000000000000000000000000000012"), 12);
}

static void who(void **state)
{
	struct sp_anchor_key a, b;
	(void)state;
	assert_true(sp_anchor_key_of("192.0.2.1", NULL, &a));
	assert_true(sp_anchor_key_of("192.0.2.1", "", &b));
	assert_true(sp_anchor_same_test(&a, &b));
	assert_true(sp_anchor_key_of("192.0.2.1", "kx7", &b));
	assert_true(sp_anchor_same_address(&a, &b));
	assert_false(sp_anchor_same_test(&a, &b));
	assert_true(sp_anchor_key_of("192.0.2.2", NULL, &b));
	assert_false(sp_anchor_same_address(&a, &b));
	// A site's IPv6 is its /64.
	assert_true(sp_anchor_key_of("2001:db8:1:2::1", NULL, &a));
	assert_true(sp_anchor_key_of("2001:db8:1:2:ffff::9", NULL, &b));
	assert_true(sp_anchor_same_address(&a, &b));
	assert_true(sp_anchor_key_of("2001:db8:1:3::1", NULL, &b));
	assert_false(sp_anchor_same_address(&a, &b));
	assert_false(sp_anchor_key_of("", NULL, &a));
	assert_false(sp_anchor_key_of("example.org", NULL, &a));
	assert_false(sp_anchor_key_of("192.0.2.1:80", NULL, &a));
}

static void forwarded(void **state)
{
	char out[46];
	(void)state;
	assert_true(sp_anchor_forwarded("192.0.2.7", out));
	assert_string_equal(out, "192.0.2.7");
	// What a client wrote there itself stands before what the proxy adds.
	assert_true(sp_anchor_forwarded("10.0.0.1, 198.51.100.2,  2001:db8::5 ", out));
	assert_string_equal(out, "2001:db8::5");
	assert_false(sp_anchor_forwarded("", out));
	assert_false(sp_anchor_forwarded("192.0.2.1,", out));
	assert_false(sp_anchor_forwarded("unknown", out));
	assert_false(sp_anchor_forwarded("192.0.2.1\"}<script>", out));
	assert_false(sp_anchor_forwarded("1111111111111111111111111111111111111111111111", out));
}

static void notes(void **state)
{
	(void)state;
	assert_string_equal(sp_anchor_address_note("192.168.3.4"), " - private IPv4 access");
	assert_string_equal(sp_anchor_address_note("172.31.0.1"), " - private IPv4 access");
	assert_string_equal(sp_anchor_address_note("172.32.0.1"), "");
	assert_string_equal(sp_anchor_address_note("100.64.0.1"), " - CGNAT IPv4 access");
	assert_string_equal(sp_anchor_address_note("100.128.0.1"), "");
	assert_string_equal(sp_anchor_address_note("127.0.0.1"), " - localhost IPv4 access");
	assert_string_equal(sp_anchor_address_note("::1"), " - localhost IPv6 access");
	assert_string_equal(sp_anchor_address_note("fe80::1"), " - link-local IPv6 access");
	assert_string_equal(sp_anchor_address_note("fd00::1"), " - ULA IPv6 access");
	assert_string_equal(sp_anchor_address_note("203.0.113.9"), "");
	assert_string_equal(sp_anchor_address_note("2001:db8::1"), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(pages),     cmocka_unit_test(chunks), cmocka_unit_test(who),
	    cmocka_unit_test(forwarded), cmocka_unit_test(notes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
