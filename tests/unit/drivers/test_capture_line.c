// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The line between helper and agent: what is printed is read again, and nothing else is believed.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/link/capture_line.h"

static struct sp_capture_second sample(void)
{
	struct sp_capture_second second = {.duration_us = 1000123,
					   .down_bytes = 37500000,
					   .up_bytes = 1200,
					   .other_bytes = 86,
					   .frames = 25000,
					   .broadcast_frames = 12,
					   .multicast_frames = 7,
					   .kernel_drops = 3,
					   .interface_drops = 1,
					   .dns_unanswered = 2};
	for (int i = 0; i < 5; i++)
		sp_histogram_add(&second.outside, 31000);
	sp_histogram_add(&second.outside, 1);
	sp_histogram_add(&second.dns, 30 * 1000 * 1000);
	return second;
}

static const char line_of_sample[] =
    "us=1000123 down=37500000 up=1200 other=86 frames=25000 broadcast=12 multicast=7 kernel_drops=3 "
    "interface_drops=1 dns_unanswered=2 outside=0:1,142:5 inside= dns=287:1";

static int read_text(const char *text, struct sp_capture_second *out)
{
	// In memory of exactly that size, so that a sanitizer sees a byte too many.
	size_t length = strlen(text);
	char *copy = malloc(length + 1);
	memcpy(copy + 1, text, length);
	int result = sp_capture_read(copy + 1, length, out);
	free(copy);
	return result;
}

static void what_is_printed_is_read(void **state)
{
	(void)state;
	struct sp_capture_second second = sample(), again;
	char line[SP_CAPTURE_LINE_MAX];
	assert_int_equal(sp_capture_print(&second, line, sizeof(line)), sizeof(line_of_sample) - 1);
	assert_string_equal(line, line_of_sample);
	assert_int_equal(read_text(line, &again), 0);
	assert_memory_equal(&again, &second, sizeof(second));
	assert_int_equal(sp_capture_print(&second, line, sizeof(line_of_sample) - 1), 0);
}

static void the_longest_line_fits(void **state)
{
	(void)state;
	struct sp_capture_second second = sample(), again;
	int64_t *numbers[] = {&second.duration_us,     &second.down_bytes,       &second.up_bytes,
			      &second.other_bytes,     &second.frames,           &second.kernel_drops,
			      &second.interface_drops, &second.broadcast_frames, &second.dns_unanswered};
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		*numbers[i] = INT64_C(1000000000000000);
	second.multicast_frames = 0;
	struct sp_histogram *histograms[] = {&second.outside, &second.inside, &second.dns};
	for (size_t h = 0; h < 3; h++) {
		// As many digits as the greatest sum allows: three, while it lasts, then two, then one.
		struct sp_histogram *histogram = histograms[h];
		*histogram = (struct sp_histogram){.count = SP_HISTOGRAM_MOST};
		for (size_t i = 0; i < SP_HISTOGRAM_BUCKETS; i++)
			histogram->buckets[i] = i < 190 ? 100 : 10;
		histogram->buckets[0] += SP_HISTOGRAM_MOST - 190 * 100 - (SP_HISTOGRAM_BUCKETS - 190) * 10;
	}
	char line[SP_CAPTURE_LINE_MAX];
	size_t length = sp_capture_print(&second, line, sizeof(line));
	assert_true(length > 6000);
	assert_int_equal(sp_capture_read(line, length, &again), 0);
	assert_memory_equal(&again, &second, sizeof(second));
}

static void a_damaged_line_is_refused_or_is_another_line(void **state)
{
	(void)state;
	struct sp_capture_second out;
	char text[sizeof(line_of_sample)], again[SP_CAPTURE_LINE_MAX];
	for (size_t cut = 0; cut < sizeof(line_of_sample) - 3; cut++) {
		memcpy(text, line_of_sample, sizeof(text));
		text[cut] = '\0';
		// Only where an empty histogram ends is there a line, too.
		bool whole = cut > 4 && strcmp(text + cut - 5, " dns=") == 0;
		assert_int_equal(read_text(text, &out), whole ? 0 : -EBADMSG);
	}
	for (size_t at = 0; at < sizeof(line_of_sample) - 1; at++) {
		for (int byte = 1; byte < 256; byte++) {
			memcpy(text, line_of_sample, sizeof(text));
			text[at] = (char)byte;
			if (read_text(text, &out) == 0) {
				assert_true(sp_capture_print(&out, again, sizeof(again)) > 0);
				assert_string_equal(again, text);
			}
		}
	}
}

static void lies_are_refused(void **state)
{
	(void)state;
#define REST "other=0 frames=5 broadcast=0 multicast=0 kernel_drops=0 interface_drops=0 dns_unanswered=0 "
	static const char *const lies[] = {
	    "",
	    "us=1000000 down=1 up=1 " REST "outside= inside= dns= ",
	    "us=1000000 down=1 up=1 " REST "outside= inside=",
	    "us=0 down=1 up=1 " REST "outside= inside= dns=",
	    "us=1000000 down=-1 up=1 " REST "outside= inside= dns=",
	    "us=1000000 down=+1 up=1 " REST "outside= inside= dns=",
	    "us=1000000 down=01 up=1 " REST "outside= inside= dns=",
	    "us=1000000 down=1000000000000001 up=1 " REST "outside= inside= dns=",
	    "us=1000000 down=99999999999999999999999 up=1 " REST "outside= inside= dns=",
	    "us=1000000 up=1 down=1 " REST "outside= inside= dns=",
	    "us=1000000 down=1 up=1 " REST "outside=288:1 inside= dns=",
	    "us=1000000 down=1 up=1 " REST "outside=1:0 inside= dns=",
	    "us=1000000 down=1 up=1 " REST "outside=1:20001 inside= dns=",
	    "us=1000000 down=1 up=1 " REST "outside=1:20000,2:1 inside= dns=",
	    "us=1000000 down=1 up=1 " REST "outside=2:1,1:1 inside= dns=",
	    "us=1000000 down=1 up=1 " REST "outside=1:1,1:1 inside= dns=",
	    "us=1000000 down=1 up=1 " REST "outside=1:1, inside= dns=",
	    "us=1000000 down=1 up=1 other=0 frames=5 broadcast=3 multicast=3 kernel_drops=0 "
	    "interface_drops=0 "
	    "dns_unanswered=0 outside= inside= dns=",
	};
	struct sp_capture_second out;
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++)
		if (read_text(lies[i], &out) != -EBADMSG)
			fail_msg("believed: %s", lies[i]);
	assert_int_equal(read_text("us=1000000 down=1 up=1 " REST "outside= inside= dns=", &out), 0);
#undef REST
}

static void percentiles_are_right_within_three_per_cent(void **state)
{
	(void)state;
	for (int64_t value = 64; value < 16 * 1000 * 1000; value += value / 7 + 1) {
		struct sp_histogram one = {0};
		sp_histogram_add(&one, value);
		double found = sp_histogram_seconds(&one, 0.5) * 1e6;
		assert_true(fabs(found - (double)value) <= 0.0313 * (double)value);
	}
	struct sp_histogram many = {0}, sum = {0};
	assert_true(isnan(sp_histogram_seconds(&many, 0.5)));
	for (int64_t value = 1; value <= 1000; value++)
		sp_histogram_add(&many, value * 1000);
	assert_true(fabs(sp_histogram_seconds(&many, 0.5) - 0.500) < 0.004);
	assert_true(fabs(sp_histogram_seconds(&many, 0.95) - 0.950) < 0.01);
	sp_histogram_merge(&sum, &many);
	sp_histogram_merge(&sum, &many);
	assert_int_equal(sum.count, 2000);
	assert_true(fabs(sp_histogram_seconds(&sum, 0.5) - 0.500) < 0.004);
	for (int i = 0; i < 2 * SP_HISTOGRAM_MOST; i++)
		sp_histogram_add(&many, -5);
	assert_int_equal(many.count, SP_HISTOGRAM_MOST);
}

static void loss_is_a_share_of_all(void **state)
{
	(void)state;
	struct sp_capture_second second = {.frames = 98, .kernel_drops = 1, .interface_drops = 1};
	assert_true(fabs(sp_capture_loss(&second) - 0.02) < 1e-9);
	second = (struct sp_capture_second){0};
	assert_true(sp_capture_loss(&second) == 0);
	second.kernel_drops = 1;
	assert_true(sp_capture_loss(&second) == 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_printed_is_read),
	    cmocka_unit_test(the_longest_line_fits),
	    cmocka_unit_test(a_damaged_line_is_refused_or_is_another_line),
	    cmocka_unit_test(lies_are_refused),
	    cmocka_unit_test(percentiles_are_right_within_three_per_cent),
	    cmocka_unit_test(loss_is_a_share_of_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
