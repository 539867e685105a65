// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What is read of a frame, and what the kernel's filter leaves of it: the same, and no byte more.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/link/capture_filter.h"
#include "drivers/link/capture_frame.h"
#include "pcap_file.h"
#include "recorded.h"

/// The same traffic: as it was recorded, and wrapped as other cables do.
static const char *const ordinary[] = {"ordinary.pcap", "vlan.pcap", "qinq.pcap", "pppoe.pcap",
				       "options.pcap"};
enum {
	ORDINARY = sizeof(ordinary) / sizeof(ordinary[0]),
	FRAMES = 29,
	HOSTILE_FRAMES = 143,
	TCP = 14,
	UDP = 12
};

static size_t each(const char *name, void (*fn)(const struct pcap_frame *frame, void *arg), void *arg)
{
	static uint8_t file[RECORDED_MAX];
	return pcap_file_read(file, recorded("capture", name, file), fn, arg);
}

struct tally {
	unsigned kinds[SP_FRAME_DNS_ANSWER + 1], casts[SP_FRAME_BROADCAST + 1], ipv4, ipv6;
};

static void count(const struct pcap_frame *frame, void *arg)
{
	struct tally *tally = arg;
	struct sp_frame out;
	assert_true(sp_frame_parse(frame->data, frame->kept, &out));
	tally->kinds[out.kind]++;
	tally->casts[out.cast]++;
	tally->ipv4 += out.version == 4;
	tally->ipv6 += out.version == 6;
}

static void recorded_frames_are_told_apart(void **state)
{
	(void)state;
	for (size_t i = 0; i < ORDINARY; i++) {
		struct tally tally = {0};
		assert_int_equal(each(ordinary[i], count, &tally), FRAMES);
		assert_int_equal(tally.kinds[SP_FRAME_SYN], 2);
		assert_int_equal(tally.kinds[SP_FRAME_SYN_ACK], 2);
		assert_int_equal(tally.kinds[SP_FRAME_ACK], 8);
		assert_int_equal(tally.kinds[SP_FRAME_DNS_QUERY], 2);
		assert_int_equal(tally.kinds[SP_FRAME_DNS_ANSWER], 2);
		assert_int_equal(tally.casts[SP_FRAME_BROADCAST], 1);
		assert_int_equal(tally.casts[SP_FRAME_MULTICAST], 1);
		assert_int_equal(tally.ipv4, 15);
		assert_int_equal(tally.ipv6, 14);
	}
}

static void look_at_first_syn(const struct pcap_frame *frame, void *arg)
{
	static const uint8_t client[] = {10, 9, 0, 1}, server[] = {10, 9, 0, 2};
	bool *seen = arg;
	struct sp_frame out;
	sp_frame_parse(frame->data, frame->kept, &out);
	if (*seen || out.kind != SP_FRAME_SYN)
		return;
	*seen = true;
	assert_int_equal(out.source_port, 34224);
	assert_int_equal(out.dest_port, 80);
	assert_int_equal(out.seq, 1123635731);
	assert_int_equal(out.ack, 0);
	assert_memory_equal(out.source, client, 4);
	assert_memory_equal(out.dest, server, 4);
}

static void a_handshake_is_read_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < ORDINARY; i++) {
		bool seen = false;
		each(ordinary[i], look_at_first_syn, &seen);
		assert_true(seen);
	}
}

/// In memory of exactly that size, so that a sanitizer sees a byte too many.
static enum sp_frame_kind kind_of(const uint8_t *data, size_t length)
{
	uint8_t *copy = malloc(length + 1);
	memcpy(copy + 1, data, length);
	struct sp_frame out;
	bool is_frame = sp_frame_parse(copy + 1, length, &out);
	assert_int_equal(is_frame, length >= 14);
	assert_true(out.link_bytes <= length);
	assert_true(out.version == 0 || out.version == out.carries);
	free(copy);
	return out.kind;
}

static void damage(const struct pcap_frame *frame, void *arg)
{
	(void)arg;
	enum sp_frame_kind whole = kind_of(frame->data, frame->kept);
	for (size_t length = 0; length < frame->kept; length++) {
		enum sp_frame_kind kind = kind_of(frame->data, length);
		assert_true(kind == whole || kind == SP_FRAME_OTHER);
	}
	uint8_t flipped[256];
	for (size_t bit = 0; bit < frame->kept * 8 && frame->kept <= sizeof(flipped); bit++) {
		memcpy(flipped, frame->data, frame->kept);
		flipped[bit / 8] ^= (uint8_t)(1u << bit % 8);
		kind_of(flipped, frame->kept);
	}
}

static void each_cut_and_each_flipped_bit_is_survived(void **state)
{
	(void)state;
	for (size_t i = 0; i < ORDINARY; i++)
		each(ordinary[i], damage, NULL);
	assert_int_equal(each("hostile.pcap", damage, NULL), HOSTILE_FRAMES);
}

// ---- the filter -------------------------------------------------------------------------------------

/// What the kernel would leave of it; libpcap's interpreter stands in for the kernel's.
static size_t left_of(const uint8_t *data, size_t length, bool addresses)
{
	struct sock_filter program[SP_CAPTURE_FILTER_MAX];
	struct bpf_insn copy[SP_CAPTURE_FILTER_MAX];
	sp_capture_filter(addresses, program);
	memcpy(copy, program, sizeof(copy));
	size_t kept = bpf_filter(copy, data, (unsigned)length, (unsigned)length);
	return kept < length ? kept : length;
}

/// Bytes that are read of a frame of this kind, from its parts.
static size_t needed(const struct sp_frame *out, const uint8_t *data, bool addresses)
{
	const uint8_t *ip = data + out->link_bytes;
	size_t header = out->carries == 4 ? (size_t)(ip[0] & 15) * 4
			: ip[6] == 0      ? 40 + (size_t)(ip[41] + 1) * 8
					  : 40;
	switch (out->kind) {
	case SP_FRAME_OTHER:
		return out->link_bytes + (addresses && out->carries ? out->carries == 4 ? 20 : 40 : 0);
	case SP_FRAME_SYN:
	case SP_FRAME_SYN_ACK:
	case SP_FRAME_ACK:
		return out->link_bytes + header + TCP;
	case SP_FRAME_DNS_QUERY:
	case SP_FRAME_DNS_ANSWER:
		break;
	}
	return out->link_bytes + header + UDP;
}

static void filter(const struct pcap_frame *frame, void *arg)
{
	const bool *addresses = arg;
	struct sp_frame whole, cut;
	assert_true(sp_frame_parse(frame->data, frame->kept, &whole));
	size_t kept = left_of(frame->data, frame->kept, *addresses),
	       need = needed(&whole, frame->data, *addresses);
	// Small segments keep their TCP header although they are no bare ACK: payload they do not keep.
	bool small_segment = whole.kind == SP_FRAME_OTHER && kept > need;
	if (small_segment)
		assert_true(kept < frame->kept);
	else
		assert_int_equal(kept, need < frame->kept ? need : frame->kept);
	assert_true(sp_frame_parse(frame->data, kept, &cut));
	assert_int_equal(cut.kind, whole.kind);
	assert_int_equal(cut.carries, whole.carries);
	assert_int_equal(cut.version != 0,
			 *addresses ? whole.version != 0 : whole.kind != SP_FRAME_OTHER || small_segment);
}

static void the_kernel_leaves_what_is_read_and_no_more(void **state)
{
	(void)state;
	// The kernel has taken off one tag before: of "qinq" it sees "vlan".
	static const char *const seen[] = {"ordinary.pcap", "vlan.pcap", "pppoe.pcap", "options.pcap"};
	for (size_t i = 0; i < sizeof(seen) / sizeof(seen[0]); i++)
		for (int addresses = 0; addresses < 2; addresses++)
			each(seen[i], filter, &(bool){addresses});
}

static void filter_anything(const struct pcap_frame *frame, void *arg)
{
	(void)arg;
	for (int addresses = 0; addresses < 2; addresses++) {
		size_t kept = left_of(frame->data, frame->kept, addresses);
		if (kept > 0 && frame->kept >= 14)
			assert_true(kind_of(frame->data, kept) == kind_of(frame->data, frame->kept) ||
				    kind_of(frame->data, kept) == SP_FRAME_OTHER);
	}
}

static void hostile_frames_pass_the_filter(void **state)
{
	(void)state;
	each("hostile.pcap", filter_anything, NULL);
}

static void large_segments_keep_no_header_of_tcp(void **state)
{
	(void)state;
	// An IPv4 packet of 121 bytes with ACK set, and one of 120.
	uint8_t data[14 + 121] = {0};
	data[12] = 8;
	data[14] = 0x45;
	data[14 + 9] = 6;
	data[14 + 20 + 12] = 0x50;
	data[14 + 20 + 13] = 0x10;
	data[14 + 3] = 121;
	assert_int_equal(left_of(data, sizeof(data), false), 14);
	data[14 + 3] = 120;
	assert_int_equal(left_of(data, sizeof(data), false), 14 + 20 + TCP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(recorded_frames_are_told_apart),
	    cmocka_unit_test(a_handshake_is_read_whole),
	    cmocka_unit_test(each_cut_and_each_flipped_bit_is_survived),
	    cmocka_unit_test(the_kernel_leaves_what_is_read_and_no_more),
	    cmocka_unit_test(hostile_frames_pass_the_filter),
	    cmocka_unit_test(large_segments_keep_no_header_of_tcp),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
