// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The stamp driver over a scripted way to a scripted reflector, on virtual time.
#include <setjmp.h>
#include <stdarg.h>
#include <math.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/drivers.h"
#include "fake_io.h"
#include "fake_stamp.h"
#include "schoolpulse/clock.h"

enum metric {
	RTT,
	LOSS,
	FORWARD,
	BACKWARD,
	FORWARD_VAR,
	BACKWARD_VAR,
	FORWARD_DELAY,
	BACKWARD_DELAY,
	ERROR,
	BYTES
};
enum { PAIR = 2, BURST = 20, ROUND_MS = 10 * 1000, HOUR_MS = 3600 * 1000 };

/// cmocka's own compares floats.
static void near(double found, double wanted, double within)
{
	if (!(fabs(found - wanted) <= within))
		fail_msg("%.9f, not %.9f", found, wanted);
}

static bool synced;

static void read_clock(void *arg, struct sp_clock_reading *out)
{
	(void)arg;
	*out = (struct sp_clock_reading){.synced = synced, .err_ms = 4};
}

static const struct sp_clock_source source = {read_clock, NULL};

static struct sp_device *begin(fake_packet_fn fn)
{
	sp_clock_set_source(&source);
	synced = true;
	struct sp_device *dev = fake_new(&sp_driver_stamp, "anchor", "host = 192.0.2.1\n");
	fake_stamp(dev, fn);
	assert_int_equal(fake_start(dev), 0);
	return dev;
}

static void end(struct sp_device *dev)
{
	fake_free(dev);
	sp_clock_set_source(NULL);
}

static void one_round(struct sp_device *dev)
{
	fake_poll(dev);
	fake_run(dev, ROUND_MS, false);
	assert_false(dev->round);
}

static double mean(const struct sp_device *dev, unsigned metric, const char *target)
{
	const struct fake_sample *sample = fake_sample(dev, metric, target);
	return sample && sample->count ? sample->sum / (double)sample->count : (double)NAN;
}

static bool unavailable(const struct sp_device *dev, unsigned metric)
{
	const struct fake_sample *sample = fake_sample(dev, metric, "");
	return sample && sample->unavailable;
}

static void a_good_line_costs_two_packets(void **state)
{
	(void)state;
	struct sp_device *dev = begin(NULL);
	one_round(dev);
	assert_int_equal(dev->rounds_ok, 1);
	assert_int_equal(fake_reflector.sent, PAIR);
	assert_int_equal(dev->spent[SP_SPENT_PROBES], PAIR * 2 * (44 + 28));
	near(mean(dev, RTT, ""), 0.02 - 0.00005, 1e-6);
	near(mean(dev, LOSS, ""), 0, 0);
	near(mean(dev, FORWARD, ""), 0, 0);
	near(mean(dev, BACKWARD, ""), 0, 0);
	assert_null(fake_sample(dev, LOSS, "burst"));
	assert_int_equal(dev->report_count, 0);
	end(dev);
}

// ---- which way ----------------------------------------------------------------------------------------

static void every_third_forward(unsigned number, struct fake_packet *out)
{
	out->lost_forward = number % 3 == 1;
}

static void every_third_backward(unsigned number, struct fake_packet *out)
{
	out->lost_backward = number % 3 == 1;
}

static void both_ways(unsigned number, struct fake_packet *out)
{
	out->lost_forward = number % 4 == 0;
	out->lost_backward = number % 4 == 2;
}

/// Of packets 2 to 21, those of the burst.
static void lossy(fake_packet_fn fn, double forward, double backward)
{
	struct sp_device *dev = begin(fn);
	one_round(dev);
	assert_int_equal(dev->rounds_ok, 1);
	assert_int_equal(fake_reflector.sent, PAIR + BURST);
	near(mean(dev, FORWARD, "burst"), forward / BURST, 1e-9);
	near(mean(dev, BACKWARD, "burst"), backward / BURST, 1e-9);
	near(mean(dev, LOSS, "burst"), (forward + backward) / BURST, 1e-9);
	near(mean(dev, LOSS, ""), 0.5, 0);
	end(dev);
}

static void the_lossy_direction_is_named(void **state)
{
	(void)state;
	lossy(every_third_forward, 6, 0);
	lossy(every_third_backward, 0, 6);
	lossy(both_ways, 5, 5);
}

static void the_last_two(unsigned number, struct fake_packet *out)
{
	out->lost_forward = number == 0;
	out->lost_backward = number == 1;
}

static void a_loss_that_nothing_follows_is_nobodys(void **state)
{
	(void)state;
	struct sp_device *dev = begin(NULL);
	fake_reflector.stateless = true;
	one_round(dev);
	// No direction can be told, and none is.
	assert_true(unavailable(dev, FORWARD));
	assert_true(unavailable(dev, BACKWARD));
	near(mean(dev, LOSS, ""), 0, 0);
	end(dev);

	dev = begin(the_last_two);
	dev->frugal = true; // no burst: packet 1 stays open, and so does 0 with nothing answered
	one_round(dev);
	assert_int_equal(fake_reflector.sent, PAIR);
	assert_true(unavailable(dev, FORWARD));
	near(mean(dev, LOSS, ""), 1, 0);
	assert_int_equal(dev->rounds_failed, 1);
	assert_string_equal(dev->reason, "timeout");
	end(dev);
}

static void all_lost(unsigned number, struct fake_packet *out)
{
	(void)number;
	out->lost_forward = true;
}

static void a_dead_line_is_not_flooded(void **state)
{
	(void)state;
	struct sp_device *dev = begin(all_lost);
	fake_run(dev, HOUR_MS, true);
	// Twelve rounds, and a burst in every other at most.
	assert_in_range(fake_reflector.sent, 12 * PAIR, 13 * PAIR + 7 * BURST);
	assert_int_equal(dev->rounds_ok, 0);
	assert_true(unavailable(dev, FORWARD));
	assert_true(unavailable(dev, FORWARD_DELAY));
	end(dev);
}

static void a_suspicion_is_looked_into_at_once(void **state)
{
	(void)state;
	struct sp_device *dev = begin(NULL);
	fake_suspect(dev);
	fake_run(dev, ROUND_MS, false);
	assert_int_equal(fake_reflector.sent, PAIR + BURST);
	assert_null(fake_sample(dev, LOSS, "")); // no sample of every day
	assert_int_equal(fake_sample(dev, LOSS, "burst")->count, PAIR + BURST);
	// Not again and again.
	fake_suspect(dev);
	fake_run(dev, ROUND_MS, false);
	assert_int_equal(fake_reflector.sent, 2 * PAIR + BURST);
	end(dev);
}

static void frugal_lines_are_asked_rarely(void **state)
{
	(void)state;
	struct sp_device *dev = begin(NULL);
	dev->frugal = true;
	fake_run(dev, 24 * HOUR_MS, true);
	assert_in_range(fake_reflector.sent, 7 * PAIR, 9 * PAIR);
	assert_int_equal(dev->rounds_failed, 0);
	end(dev);
}

// ---- delays -------------------------------------------------------------------------------------------

static void one_way_needs_two_good_clocks(void **state)
{
	(void)state;
	struct sp_device *dev = begin(NULL);
	one_round(dev);
	near(mean(dev, FORWARD_DELAY, ""), 0.01, 1e-6);
	near(mean(dev, BACKWARD_DELAY, ""), 0.01 - 0.00005, 1e-6);
	near(mean(dev, ERROR, ""), 0.004, 1e-6);
	end(dev);

	dev = begin(NULL);
	synced = false;
	one_round(dev);
	assert_true(unavailable(dev, FORWARD_DELAY));
	near(mean(dev, RTT, ""), 0.02 - 0.00005, 1e-6);
	end(dev);

	dev = begin(NULL);
	fake_reflector.estimate = 0x3fff; // not synchronised
	fake_reflector.offset_us = 3600 * INT64_C(1000000);
	one_round(dev);
	assert_true(unavailable(dev, BACKWARD_DELAY));
	near(mean(dev, RTT, ""), 0.02 - 0.00005, 1e-6);
	near(mean(dev, FORWARD_VAR, ""), 0, 1e-6);
	end(dev);

	dev = begin(NULL);
	fake_reflector.offset_us = 3600 * INT64_C(1000000); // and says that it is right
	one_round(dev);
	assert_true(unavailable(dev, FORWARD_DELAY));
	end(dev);
}

static void uneven(unsigned number, struct fake_packet *out)
{
	out->forward_us += number % 2 ? 3000 : 0;
}

static void variation_is_told_by_direction(void **state)
{
	(void)state;
	struct sp_device *dev = begin(uneven);
	one_round(dev);
	near(mean(dev, FORWARD_VAR, ""), 0.003, 1e-6);
	near(mean(dev, BACKWARD_VAR, ""), 0, 1e-6);
	end(dev);
}

// ---- what must not be believed ------------------------------------------------------------------------

static void shift_echo(unsigned number, uint8_t *data, size_t *length)
{
	(void)number, (void)length;
	data[35] ^= 1; // our time as it would come back
}

static void other_session(unsigned number, uint8_t *data, size_t *length)
{
	(void)number, (void)length;
	data[15] ^= 1;
}

static void other_number(unsigned number, uint8_t *data, size_t *length)
{
	(void)number, (void)length;
	data[26] ^= 0x80;
}

static void cut(unsigned number, uint8_t *data, size_t *length)
{
	(void)number, (void)data;
	*length = 40;
}

static void forgeries_are_no_answers(void **state)
{
	static void (*const bends[])(unsigned, uint8_t *, size_t *) = {shift_echo, other_session,
								       other_number, cut};
	(void)state;
	for (size_t i = 0; i < SP_COUNT(bends); i++) {
		struct sp_device *dev = begin(NULL);
		fake_reflector.bend = bends[i];
		one_round(dev);
		assert_int_equal(dev->rounds_ok, 0);
		near(mean(dev, LOSS, ""), 1, 0);
		assert_null(fake_sample(dev, RTT, ""));
		end(dev);
	}
}

static void doubles_count_once(void **state)
{
	(void)state;
	struct sp_device *dev = begin(NULL);
	fake_reflector.copies = 3;
	one_round(dev);
	assert_int_equal(fake_sample(dev, RTT, "")->count, PAIR);
	near(mean(dev, LOSS, ""), 0, 0);
	end(dev);
}

static void an_old_reflector_will_do(void **state)
{
	(void)state;
	struct sp_device *dev = begin(NULL);
	fake_reflector.old = true;
	one_round(dev);
	assert_int_equal(dev->rounds_ok, 1);
	end(dev);
}

static void no_way_out_is_no_loss(void **state)
{
	(void)state;
	struct sp_device *dev = begin(NULL);
	fake_reflector.open_error = -ENETUNREACH;
	one_round(dev);
	assert_string_equal(dev->reason, "no_route");
	assert_null(fake_sample(dev, LOSS, ""));
	fake_reflector.open_error = 0;
	fake_reflector.send_error = -ENETUNREACH;
	one_round(dev);
	assert_string_equal(dev->reason, "no_route");
	assert_null(fake_sample(dev, LOSS, ""));
	fake_reflector.send_error = 0;
	one_round(dev);
	assert_int_equal(dev->rounds_ok, 1);
	end(dev);
}

static void a_stop_in_between_leaves_nothing(void **state)
{
	(void)state;
	struct sp_device *dev = begin(NULL);
	fake_poll(dev);
	fake_run(dev, 50, false);
	assert_true(dev->round);
	end(dev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_good_line_costs_two_packets),
	    cmocka_unit_test(the_lossy_direction_is_named),
	    cmocka_unit_test(a_loss_that_nothing_follows_is_nobodys),
	    cmocka_unit_test(a_dead_line_is_not_flooded),
	    cmocka_unit_test(a_suspicion_is_looked_into_at_once),
	    cmocka_unit_test(frugal_lines_are_asked_rarely),
	    cmocka_unit_test(one_way_needs_two_good_clocks),
	    cmocka_unit_test(variation_is_told_by_direction),
	    cmocka_unit_test(forgeries_are_no_answers),
	    cmocka_unit_test(doubles_count_once),
	    cmocka_unit_test(an_old_reflector_will_do),
	    cmocka_unit_test(no_way_out_is_no_loss),
	    cmocka_unit_test(a_stop_in_between_leaves_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
