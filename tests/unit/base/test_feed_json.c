// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// JSON text: what is written, and what is refused.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/feed_json.h"
#include "agent/base/mem.h"

static void written(const char *text, const char *wanted)
{
	struct sp_buf out = SP_BUF(4096);
	sp_json_text(&out, text);
	assert_string_equal(out.data, wanted);
	assert_true(sp_json_valid(out.data, out.length));
	sp_buf_free(&out);
}

static void texts_are_escaped_and_repaired(void **state)
{
	(void)state;
	written("", "\"\"");
	written(NULL, "null");
	written("Trường Tiểu học \"Kim Đồng\"", "\"Trường Tiểu học \\\"Kim Đồng\\\"\"");
	written("a\\b/c\n\r\t\x01\x1f\x7f", "\"a\\\\b/c\\n\\r\\t\\u0001\\u001f\x7f\"");
	written("\xff", "\"\xEF\xBF\xBD\"");
	written("x\xC3", "\"x\xEF\xBF\xBD\"");                                 // cut off
	written("\xC0\xAF", "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");                   // overlong '/'
	written("\xED\xA0\x80!", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD!\""); // surrogate
	written("\xF0\x9F\x8F\xAB", "\"\xF0\x9F\x8F\xAB\"");
}

static void real(double value, const char *wanted)
{
	struct sp_buf out = SP_BUF(64);
	sp_json_real(&out, value);
	assert_string_equal(out.data, wanted);
	assert_true(sp_json_valid(out.data, out.length));
	sp_buf_free(&out);
}

static void reals_are_short_exact_and_finite(void **state)
{
	(void)state;
	real(0.1, "0.1");
	real(0.0123, "0.0123");
	real(1.0 / 3, "0.3333333333333333");
	real(17, "17");
	real(1e22, "1e+22");
	real(5e-324, "4.94065645841247e-324");
	real(NAN, "null");
	real(INFINITY, "null");
	real(-INFINITY, "null");
	real(DBL_MAX, "null");
	uint64_t seed = 88172645463325252u;
	for (int i = 0; i < 20000; i++) {
		double value, back;
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		memcpy(&value, &seed, sizeof(value));
		if (!isfinite(value) || fabs(value) >= 1e308)
			continue;
		struct sp_buf out = SP_BUF(64);
		sp_json_real(&out, value);
		back = strtod(out.data, NULL);
		assert_memory_equal(&back, &value, sizeof(value));
		assert_true(sp_json_valid(out.data, out.length));
		sp_buf_free(&out);
	}
}

/// A locale whose decimal sign is a comma, made here: machines that build need not have one.
static bool comma_locale(const char *dir)
{
	char command[512];
	snprintf(command, sizeof(command), "localedef -i vi_VN -f UTF-8 %s/vi_VN.UTF-8 >/dev/null 2>&1", dir);
	if (system(command) > 255)
		return false;
	setenv("LOCPATH", dir, 1);
	return setlocale(LC_ALL, "vi_VN.UTF-8") && strcmp(localeconv()->decimal_point, ",") == 0;
}

static void reals_do_not_depend_on_the_locale(void **state)
{
	(void)state;
	char dir[] = "/tmp/sp-locale-XXXXXX";
	assert_non_null(mkdtemp(dir));
	if (comma_locale(dir)) {
		char text[16];
		snprintf(text, sizeof(text), "%.1f", 0.5);
		assert_string_equal(text, "0,5");
		real(0.5, "0.5");
		setlocale(LC_ALL, "C");
	} else {
		print_message("no Vietnamese locale can be made here (package locales): not tested\n");
	}
	char *command = sp_asprintf("rm -rf %s", dir);
	assert_int_equal(system(command), 0);
	free(command);
}

static void values_nest_and_refuse_what_json_cannot_hold(void **state)
{
	(void)state;
	struct sp_buf out = SP_BUF(4096);
	struct sp_field row[] = {SP_INT("", 3), SP_REAL("", 0.5), SP_NULL(""), SP_BOOL("", true)};
	struct sp_field inner[] = {SP_LIST("domestic", row, 4), SP_OBJECT("", NULL, 0)};
	struct sp_field outer[] = {SP_OBJECT("rtt_seconds", inner, 2), SP_LIST("none", NULL, 0)};
	assert_int_equal(sp_json_members(&out, outer, 2), 0);
	assert_string_equal(out.data, "\"rtt_seconds\":{\"domestic\":[3,0.5,null,true],\"\":{}},\"none\":[]");
	struct sp_field big = SP_INT("n", SP_JSON_INT_MAX), bigger = SP_INT("n", SP_JSON_INT_MAX + 1);
	assert_int_equal(sp_json_members(&out, &big, 1), 0);
	assert_int_equal(sp_json_members(&out, &bigger, 1), -EINVAL);
	struct sp_field nameless = SP_INT(NULL, 1), holder = SP_OBJECT("o", &nameless, 1);
	assert_int_equal(sp_json_members(&out, &holder, 1), -EINVAL);
	struct sp_field deep[SP_JSON_DEPTH_MAX + 2] = {[SP_JSON_DEPTH_MAX + 1] = SP_NULL("")};
	for (int i = SP_JSON_DEPTH_MAX; i >= 0; i--)
		deep[i] = SP_LIST("", &deep[i + 1], 1);
	assert_int_equal(sp_json_members(&out, &deep[0], 1), -EINVAL);
	assert_int_equal(sp_json_members(&out, &deep[2], 1), 0);
	sp_buf_free(&out);
}

static void the_check_is_strict(void **state)
{
	(void)state;
	static const char *const good[] = {
	    "{}",
	    " [ ] ",
	    "0",
	    "-0",
	    "-0.5e-10",
	    "1e300",
	    "\"\"",
	    "\"\\u00e9\\ud83c\\udfeb\\/\\b\"",
	    "[1,2,{\"a\":[true,false,null]}]\n",
	    "{\"a\":1,\"a\":2}",
	    "0.1e-999",
	};
	static const char *const bad[] = {
	    "",
	    " ",
	    "{",
	    "}",
	    "[1,]",
	    "[,1]",
	    "{\"a\"}",
	    "{\"a\":}",
	    "{\"a\":1,}",
	    "{a:1}",
	    "{'a':1}",
	    "01",
	    "-",
	    "+1",
	    "1.",
	    ".5",
	    "1e",
	    "1e+",
	    "1e999",
	    "1e308",
	    "0x10",
	    "NaN",
	    "Infinity",
	    "tru",
	    "nul",
	    "truex",
	    "\"",
	    "\"\\x\"",
	    "\"\\u12\"",
	    "\"\\u0000\"",
	    "\"\\ud800\"",
	    "\"\\udc00\"",
	    "\"\\ud800\\u0041\"",
	    "\"a\nb\"",
	    "\"\x01\"",
	    "\"\xff\"",
	    "\"\xC0\xAF\"",
	    "\"\xED\xA0\x80\"",
	    "1 2",
	    "{} {}",
	    "\xEF\xBB\xBF{}",
	    "[1] x",
	    "/**/1",
	    "11111111111111111111111111111111111111111",
	};
	for (size_t i = 0; i < SP_COUNT(good); i++) {
		if (!sp_json_valid(good[i], strlen(good[i])))
			fail_msg("refused: %s", good[i]);
	}
	for (size_t i = 0; i < SP_COUNT(bad); i++) {
		if (sp_json_valid(bad[i], strlen(bad[i])))
			fail_msg("taken: %s", bad[i]);
	}
	assert_false(sp_json_valid("\"a\0b\"", 5));
	assert_false(sp_json_valid("{}\0", 3));
	char nest[2 * (SP_JSON_DEPTH_MAX + 1) + 2] = "";
	memset(nest, '[', SP_JSON_DEPTH_MAX);
	nest[SP_JSON_DEPTH_MAX] = '0';
	memset(nest + SP_JSON_DEPTH_MAX + 1, ']', SP_JSON_DEPTH_MAX);
	assert_true(sp_json_valid(nest, 2 * SP_JSON_DEPTH_MAX + 1));
	memset(nest, '[', SP_JSON_DEPTH_MAX + 1);
	memset(nest + SP_JSON_DEPTH_MAX + 1, ']', SP_JSON_DEPTH_MAX + 1);
	nest[SP_JSON_DEPTH_MAX] = '[';
	assert_true(sp_json_valid(nest, 2 * (SP_JSON_DEPTH_MAX + 1))); // the innermost is empty
	memmove(nest + SP_JSON_DEPTH_MAX + 2, nest + SP_JSON_DEPTH_MAX + 1, SP_JSON_DEPTH_MAX + 1);
	nest[SP_JSON_DEPTH_MAX + 1] = '0';
	assert_false(sp_json_valid(nest, 2 * (SP_JSON_DEPTH_MAX + 1) + 1));
	char *flood = sp_alloc(500001);
	memset(flood, '[', 500000);
	assert_false(sp_json_valid(flood, 500000));
	free(flood);
}

static void skipping_stops_behind_the_value(void **state)
{
	(void)state;
	const char *text = "{ \"a\" : [1,\"]}\\\"\",{\"b\":{}}] , \"c\":-1.5e3 }";
	const char *at = sp_json_space(text + 1);
	at = sp_json_skip(at);
	assert_string_equal(at, " : [1,\"]}\\\"\",{\"b\":{}}] , \"c\":-1.5e3 }");
	at = sp_json_skip(sp_json_space(sp_json_space(at) + 1));
	assert_string_equal(at, " , \"c\":-1.5e3 }");
	at = sp_json_skip(strchr(at, '-'));
	assert_string_equal(at, " }");
	assert_string_equal(sp_json_skip(text), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(texts_are_escaped_and_repaired),
	    cmocka_unit_test(reals_are_short_exact_and_finite),
	    cmocka_unit_test(reals_do_not_depend_on_the_locale),
	    cmocka_unit_test(values_nest_and_refuse_what_json_cannot_hold),
	    cmocka_unit_test(the_check_is_strict),
	    cmocka_unit_test(skipping_stops_behind_the_value),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
