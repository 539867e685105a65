// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Directions, bytes of the wire, and round trips out of frames that pass by.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/link/capture_count.h"
#include "pcap_file.h"
#include "recorded.h"

static const uint8_t key[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

static struct sp_capture_sides by_mac(const char *mac, bool wan)
{
	struct sp_capture_sides sides = {.mac_count = 1, .wan = wan};
	assert_int_equal(sp_capture_mac(mac, sides.macs[0]), 0);
	return sides;
}

static struct sp_capture_sides by_network(const char *first, const char *second)
{
	struct sp_capture_sides sides = {.prefix_count = 2};
	assert_int_equal(sp_capture_prefix_parse(first, &sides.inside[0]), 0);
	assert_int_equal(sp_capture_prefix_parse(second, &sides.inside[1]), 0);
	return sides;
}

// ---- recorded traffic -------------------------------------------------------------------------------

struct world {
	struct sp_capture_sides sides;
	struct sp_flows *flows;
	struct sp_capture_second out;
	int64_t stretch; ///< recorded times are multiplied by this
};

static void one(const struct pcap_frame *frame, void *arg)
{
	struct world *world = arg;
	sp_capture_count(&world->sides, world->flows, frame->data, frame->kept, frame->length, 1500,
			 frame->time_us * world->stretch, &world->out);
}

static struct sp_capture_second count_file(const char *name, struct sp_capture_sides sides)
{
	static uint8_t file[RECORDED_MAX];
	struct world world = {.sides = sides, .flows = sp_flows_new(key), .stretch = 100};
	pcap_file_read(file, recorded("capture", name, file), one, &world);
	sp_flows_free(world.flows);
	return world.out;
}

/// The sums are those of tcpdump -e over the same file.
static void recorded_frames_are_counted(void **state)
{
	(void)state;
	struct sp_capture_second lan = count_file("ordinary.pcap", by_mac("00:00:5e:00:53:01", false));
	assert_int_equal(lan.frames, 29);
	assert_int_equal(lan.broadcast_frames, 1);
	assert_int_equal(lan.multicast_frames, 1);
	// The client asks for its neighbour and for everybody: that does not leave the school.
	assert_int_equal(lan.other_bytes, 86 + 98);
	assert_int_equal(lan.up_bytes + lan.down_bytes + lan.other_bytes, 2618);
	assert_int_equal(lan.down_bytes, 1206);
	assert_int_equal(lan.outside.count, 2);
	assert_int_equal(lan.inside.count, 2);
	assert_int_equal(lan.dns.count, 2);

	struct sp_capture_second wan = count_file("ordinary.pcap", by_mac("02:00:00:00:00:01", true));
	assert_int_equal(wan.down_bytes, lan.down_bytes);
	assert_int_equal(wan.up_bytes, lan.up_bytes + lan.other_bytes);
	assert_int_equal(wan.outside.count, 2);

	struct sp_capture_second other = count_file("ordinary.pcap", by_mac("02:00:00:00:00:77", false));
	assert_int_equal(other.down_bytes + other.up_bytes, 0);
	assert_int_equal(other.outside.count + other.inside.count, 0);
	assert_int_equal(other.dns.count, 2);

	struct sp_capture_second inside =
	    count_file("ordinary.pcap", by_network("10.9.0.1/32", "2001:db8:51::2/128"));
	assert_int_equal(inside.down_bytes, lan.down_bytes);
	assert_int_equal(inside.up_bytes, lan.up_bytes);
}

static void wrapped_frames_are_counted_with_their_wrapping(void **state)
{
	(void)state;
	struct sp_capture_sides sides = by_mac("00:00:5e:00:53:01", false);
	struct sp_capture_second plain = count_file("ordinary.pcap", sides);
	static const struct {
		const char *name;
		int more;
	} files[] = {{"vlan.pcap", 4}, {"qinq.pcap", 8}, {"pppoe.pcap", 8}, {"options.pcap", 8}};
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct sp_capture_second out = count_file(files[i].name, sides);
		assert_int_equal(out.frames, 29);
		assert_int_equal(out.down_bytes + out.up_bytes + out.other_bytes,
				 plain.down_bytes + plain.up_bytes + plain.other_bytes + 29 * files[i].more);
		assert_int_equal(out.outside.count, 2);
		assert_int_equal(out.inside.count, 2);
		assert_int_equal(out.dns.count, 2);
	}
}

static void hostile_frames_are_counted_and_no_more(void **state)
{
	(void)state;
	struct sp_capture_second out = count_file("hostile.pcap", by_mac("00:00:5e:00:53:01", false));
	assert_true(out.frames >= 143);
	assert_true(out.down_bytes >= 0 && out.up_bytes >= 0 && out.other_bytes >= 0);
}

static void joined_segments_are_taken_apart(void **state)
{
	(void)state;
	struct sp_capture_sides sides = by_mac("00:00:5e:00:53:01", false);
	uint8_t frame[14] = {2, 0, 0, 0, 0, 1, 0, 0, 0x5e, 0, 0x53, 1, 8, 0};
	struct sp_flows *flows = sp_flows_new(key);
	struct sp_capture_second out = {0};
	// Ten full segments of 1448 bytes, joined into one frame.
	sp_capture_count(&sides, flows, frame, sizeof(frame), 14 + 52 + 10 * 1448, 1500, 0, &out);
	assert_int_equal(out.frames, 10);
	assert_int_equal(out.down_bytes, 10 * 1514);
	out = (struct sp_capture_second){0};
	sp_capture_count(&sides, flows, frame, sizeof(frame), 1514, 1500, 0, &out);
	sp_capture_count(&sides, flows, frame, sizeof(frame), 9014, 0, 0, &out); // MTU unknown
	assert_int_equal(out.frames, 2);
	assert_int_equal(out.down_bytes, 1514 + 9014);
	// What is no IP is not cut by anybody.
	frame[12] = 0x88, frame[13] = 0xcc;
	out = (struct sp_capture_second){0};
	sp_capture_count(&sides, flows, frame, sizeof(frame), 9014, 1500, 0, &out);
	assert_int_equal(out.frames, 1);
	sp_flows_free(flows);
}

// ---- round trips ------------------------------------------------------------------------------------

static const uint8_t client[] = {192, 0, 2, 1}, server[] = {198, 51, 100, 1};

struct passing {
	struct sp_flows *flows;
	struct sp_capture_second out;
};

static void step(struct passing *passing, enum sp_frame_kind kind, uint16_t port, uint32_t seq, uint32_t ack,
		 int64_t time_us)
{
	bool from_client = kind == SP_FRAME_SYN || kind == SP_FRAME_ACK || kind == SP_FRAME_DNS_QUERY;
	struct sp_frame frame = {.kind = kind,
				 .version = 4,
				 .source = from_client ? client : server,
				 .dest = from_client ? server : client,
				 .source_port = from_client ? port : 53,
				 .dest_port = from_client ? 53 : port,
				 .id = (uint16_t)seq,
				 .seq = seq,
				 .ack = ack};
	sp_flows_frame(passing->flows, &frame, from_client ? SP_WAY_UP : SP_WAY_DOWN, time_us, &passing->out);
}

static struct passing pass(void)
{
	return (struct passing){.flows = sp_flows_new(key)};
}

static void assert_near(double value, double wanted)
{
	assert_true(fabs(value - wanted) <= 0.035 * wanted);
}

static void both_halves_of_a_handshake_are_measured(void **state)
{
	(void)state;
	struct passing p = pass();
	step(&p, SP_FRAME_SYN, 1000, 7, 0, 0);
	step(&p, SP_FRAME_SYN_ACK, 1000, 90, 8, 31000);
	step(&p, SP_FRAME_ACK, 1000, 8, 91, 33500);
	step(&p, SP_FRAME_ACK, 1000, 8, 91, 90000); // once only
	assert_int_equal(p.out.outside.count, 1);
	assert_int_equal(p.out.inside.count, 1);
	assert_near(sp_histogram_seconds(&p.out.outside, 0.5), 0.031);
	assert_near(sp_histogram_seconds(&p.out.inside, 0.5), 0.0025);
	sp_flows_free(p.flows);
}

static void what_cannot_be_matched_is_not_measured(void **state)
{
	(void)state;
	struct passing p = pass();
	step(&p, SP_FRAME_SYN_ACK, 1, 90, 8, 10); // of no SYN
	step(&p, SP_FRAME_ACK, 1, 8, 91, 20);
	step(&p, SP_FRAME_SYN, 2, 7, 0, 0);
	step(&p, SP_FRAME_SYN_ACK, 2, 90, 9, 10); // answers another number
	step(&p, SP_FRAME_SYN_ACK, 3, 90, 8, 10); // another port
	step(&p, SP_FRAME_SYN, 4, 7, 0, 0);
	step(&p, SP_FRAME_SYN, 4, 7, 0, 1000000); // repeated: which one was answered?
	step(&p, SP_FRAME_SYN_ACK, 4, 90, 8, 1100000);
	step(&p, SP_FRAME_SYN, 5, 7, 0, 0);
	step(&p, SP_FRAME_SYN_ACK, 5, 90, 8, 11 * 1000000); // too late
	step(&p, SP_FRAME_SYN, 6, 7, 0, 5000000);
	step(&p, SP_FRAME_SYN_ACK, 6, 90, 8, 4000000); // the clock was set
	assert_int_equal(p.out.outside.count, 0);
	assert_int_equal(p.out.inside.count, 0);
	step(&p, SP_FRAME_ACK, 4, 8, 91, 1200000); // the other half is clear again
	assert_int_equal(p.out.inside.count, 1);
	// A new connection of the same ports begins anew.
	step(&p, SP_FRAME_SYN, 4, 1000, 0, 2000000);
	step(&p, SP_FRAME_SYN_ACK, 4, 50, 1001, 2020000);
	assert_int_equal(p.out.outside.count, 1);
	sp_flows_free(p.flows);
}

static void questions_and_answers(void **state)
{
	(void)state;
	struct passing p = pass();
	step(&p, SP_FRAME_DNS_QUERY, 1000, 1, 0, 0);
	step(&p, SP_FRAME_DNS_QUERY, 1000, 2, 0, 0);
	step(&p, SP_FRAME_DNS_QUERY, 1000, 1, 0, 15000); // again: he has waited since the first
	step(&p, SP_FRAME_DNS_ANSWER, 1000, 1, 0, 20000);
	step(&p, SP_FRAME_DNS_ANSWER, 1000, 1, 0, 30000);
	step(&p, SP_FRAME_DNS_ANSWER, 1000, 3, 0, 30000);
	assert_int_equal(p.out.dns.count, 1);
	assert_near(sp_histogram_seconds(&p.out.dns, 0.5), 0.020);
	sp_flows_sweep(p.flows, 4999999, &p.out);
	assert_int_equal(p.out.dns_unanswered, 0);
	sp_flows_sweep(p.flows, 5000001, &p.out);
	sp_flows_sweep(p.flows, 9000001, &p.out);
	assert_int_equal(p.out.dns_unanswered, 1);
	sp_flows_free(p.flows);
}

static void a_flood_pushes_out_the_oldest(void **state)
{
	(void)state;
	struct passing p = pass();
	step(&p, SP_FRAME_SYN, 1, 7, 0, 0);
	for (uint32_t i = 2; i < 60000; i++)
		step(&p, SP_FRAME_SYN, (uint16_t)i, 7, 0, i);
	step(&p, SP_FRAME_SYN_ACK, 1, 90, 8, 61000);
	assert_int_equal(p.out.outside.count, 0);
	step(&p, SP_FRAME_SYN_ACK, 59999, 90, 8, 61000);
	assert_int_equal(p.out.outside.count, 1);
	sp_flows_free(p.flows);
}

static void the_hash_is_siphash(void **state)
{
	(void)state;
	// The paper's own vector.
	static const uint8_t data[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14};
	assert_true(sp_flows_hash(key, data, sizeof(data)) == UINT64_C(0xa129ca6149be45e5));
}

static void words_of_the_configuration(void **state)
{
	(void)state;
	uint8_t mac[SP_FRAME_MAC];
	struct sp_capture_prefix prefix;
	static const char *const bad_macs[] = {"",
					       "00:00:5e:00:53",
					       "00-00-5e-00-53-01",
					       "00:00:5e:00:53:011",
					       "01:00:5e:00:00:01",
					       "0:00:5e:00:53:001",
					       "00:00:5e:00:53:0g"};
	for (size_t i = 0; i < sizeof(bad_macs) / sizeof(bad_macs[0]); i++)
		assert_int_equal(sp_capture_mac(bad_macs[i], mac), -EINVAL);
	static const char *const bad[] = {
	    "",   "10.0.0.0",     "10.0.0.0/", "10.0.0.0/33", "10.0.0/8", "2001:db8::/129", "10.0.0.0/8x",
	    "/8", "10.0.0.0/0008"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(sp_capture_prefix_parse(bad[i], &prefix), -EINVAL);
	struct sp_capture_sides sides = by_network("10.9.8.0/22", "2001:db8:40::/43");
	static const uint8_t in4[] = {10, 9, 11, 255}, out4[] = {10, 9, 12, 0};
	static const uint8_t in6[16] = {0x20, 1, 0x0d, 0xb8, 0, 0x5f},
			     out6[16] = {0x20, 1, 0x0d, 0xb8, 0, 0x60};
	struct sp_frame up4 = {.version = 4, .source = in4, .dest = out4};
	struct sp_frame down6 = {.version = 6, .source = out6, .dest = in6};
	struct sp_frame within4 = {.version = 4, .source = in4, .dest = in4};
	struct sp_frame beyond4 = {.version = 4, .source = out4, .dest = out4};
	assert_int_equal(sp_capture_way(&sides, &up4), SP_WAY_UP);
	assert_int_equal(sp_capture_way(&sides, &down6), SP_WAY_DOWN);
	assert_int_equal(sp_capture_way(&sides, &within4), SP_WAY_OTHER);
	assert_int_equal(sp_capture_way(&sides, &beyond4), SP_WAY_OTHER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(recorded_frames_are_counted),
	    cmocka_unit_test(wrapped_frames_are_counted_with_their_wrapping),
	    cmocka_unit_test(hostile_frames_are_counted_and_no_more),
	    cmocka_unit_test(joined_segments_are_taken_apart),
	    cmocka_unit_test(both_halves_of_a_handshake_are_measured),
	    cmocka_unit_test(what_cannot_be_matched_is_not_measured),
	    cmocka_unit_test(questions_and_answers),
	    cmocka_unit_test(a_flood_pushes_out_the_oldest),
	    cmocka_unit_test(the_hash_is_siphash),
	    cmocka_unit_test(words_of_the_configuration),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
