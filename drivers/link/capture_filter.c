// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Classic BPF by hand: a compiler of filter expressions returns one length for all frames. The kernel has
// taken the outer VLAN tag away by then; a second one may be left. A load beyond the frame's end ends the
// program with 0, so a frame that lies about its lengths is not counted.
#include "capture_filter.h"

#include <stdint.h>

enum label {
	NEXT,
	TAG,
	UNTAGGED,
	TYPE,
	PPPOE,
	IPV4,
	IPV6,
	OPTIONS,
	PLAIN6,
	TRANSPORT,
	TCP,
	SMALL,
	TCP_RETURN,
	UDP,
	UDP_RETURN,
	OTHER,
	LABELS,
};

/// Scratch memory of the program.
enum {
	M_TYPE,
	M_LINK, ///< bytes before IP
	M_TOTAL,
	M_PROTOCOL,
	M_ADDRESSES, ///< bytes of IP's header that an ordinary frame keeps
};

enum {
	TCP_READ = 14,
	UDP_READ = 12,
	// An IPv4 packet of two largest headers, an IPv6 payload of one and options: may be a bare ACK.
	BARE_ACK_MAX = 120,
};

struct step {
	uint16_t code;
	uint32_t k;
	enum label yes, no; ///< of jumps; NEXT: go on
	enum label here;    ///< NEXT: no label
};

#define DO(op, value)                      \
	{                                  \
		.code = (op), .k = (value) \
	}
#define AT(label, op, value)                                \
	{                                                   \
		.code = (op), .k = (value), .here = (label) \
	}
#define IF(op, value, then, otherwise)                                                         \
	{                                                                                      \
		.code = BPF_JMP | (op) | BPF_K, .k = (value), .yes = (then), .no = (otherwise) \
	}
#define GO(label)                                        \
	{                                                \
		.code = BPF_JMP | BPF_JA, .yes = (label) \
	}

enum {
	BYTE = BPF_LD | BPF_B | BPF_IND,
	HALF = BPF_LD | BPF_H | BPF_IND,
	HALF_AT = BPF_LD | BPF_H | BPF_ABS,
	IMMEDIATE = BPF_LD | BPF_IMM,
	IMMEDIATE_X = BPF_LDX | BPF_IMM,
	FROM_M = BPF_LD | BPF_MEM,
	FROM_M_X = BPF_LDX | BPF_MEM,
	ADD = BPF_ALU | BPF_ADD | BPF_K, // NOLINT(misc-redundant-expression): both are 0
	ADD_X = BPF_ALU | BPF_ADD | BPF_X,
	AND = BPF_ALU | BPF_AND | BPF_K,
	SHIFT = BPF_ALU | BPF_LSH | BPF_K,
	A_TO_X = BPF_MISC | BPF_TAX,
	X_TO_A = BPF_MISC | BPF_TXA,
	RETURN = BPF_RET | BPF_A,
};

// X is the offset of the header that is looked at.
static const struct step steps[] = {
    DO(IMMEDIATE, 0),
    DO(BPF_ST, M_ADDRESSES),
    DO(HALF_AT, 12),
    IF(BPF_JEQ, 0x8100, TAG, NEXT),
    IF(BPF_JEQ, 0x88a8, TAG, UNTAGGED),
    AT(TAG, IMMEDIATE_X, 18),
    DO(HALF_AT, 16),
    GO(TYPE),
    AT(UNTAGGED, IMMEDIATE_X, 14),
    AT(TYPE, BPF_STX, M_LINK),
    IF(BPF_JEQ, 0x0800, IPV4, NEXT),
    IF(BPF_JEQ, 0x86dd, IPV6, NEXT),
    IF(BPF_JEQ, 0x8864, PPPOE, OTHER),

    AT(PPPOE, HALF, 6),
    DO(BPF_ST, M_TYPE),
    DO(X_TO_A, 0),
    DO(ADD, 8),
    DO(A_TO_X, 0),
    DO(BPF_STX, M_LINK),
    DO(FROM_M, M_TYPE),
    IF(BPF_JEQ, 0x0021, IPV4, NEXT),
    IF(BPF_JEQ, 0x0057, IPV6, OTHER),

    AT(IPV4, IMMEDIATE, 20),
    DO(BPF_ST, M_ADDRESSES),
    DO(HALF, 2),
    DO(BPF_ST, M_TOTAL),
    DO(BYTE, 9),
    DO(BPF_ST, M_PROTOCOL),
    DO(HALF, 6),
    IF(BPF_JSET, 0x1fff, OTHER, NEXT),
    DO(BYTE, 0),
    DO(AND, 0x0f),
    DO(SHIFT, 2),
    DO(ADD_X, 0),
    DO(A_TO_X, 0),
    GO(TRANSPORT),

    AT(IPV6, IMMEDIATE, 40),
    DO(BPF_ST, M_ADDRESSES),
    DO(HALF, 4),
    DO(BPF_ST, M_TOTAL),
    DO(BYTE, 6),
    DO(BPF_ST, M_PROTOCOL),
    IF(BPF_JEQ, 0, OPTIONS, NEXT),
    IF(BPF_JEQ, 60, OPTIONS, PLAIN6),
    AT(OPTIONS, BYTE, 40),
    DO(BPF_ST, M_PROTOCOL),
    DO(BYTE, 41),
    DO(ADD, 1),
    DO(SHIFT, 3),
    DO(ADD, 40),
    DO(ADD_X, 0),
    DO(A_TO_X, 0),
    GO(TRANSPORT),
    AT(PLAIN6, X_TO_A, 0),
    DO(ADD, 40),
    DO(A_TO_X, 0),

    AT(TRANSPORT, FROM_M, M_PROTOCOL),
    IF(BPF_JEQ, 6, TCP, NEXT),
    IF(BPF_JEQ, 17, UDP, OTHER),
    // FIN, SYN, RST and ACK of the flags.
    AT(TCP, BYTE, 13),
    DO(AND, 0x17),
    IF(BPF_JEQ, 0x02, TCP_RETURN, NEXT),
    IF(BPF_JEQ, 0x12, TCP_RETURN, NEXT),
    IF(BPF_JEQ, 0x10, SMALL, OTHER),
    AT(SMALL, FROM_M, M_TOTAL),
    IF(BPF_JGT, BARE_ACK_MAX, OTHER, TCP_RETURN),
    AT(TCP_RETURN, X_TO_A, 0),
    DO(ADD, TCP_READ),
    DO(RETURN, 0),
    AT(UDP, HALF, 0),
    IF(BPF_JEQ, 53, UDP_RETURN, NEXT),
    DO(HALF, 2),
    IF(BPF_JEQ, 53, UDP_RETURN, OTHER),
    AT(UDP_RETURN, X_TO_A, 0),
    DO(ADD, UDP_READ),
    DO(RETURN, 0),

    AT(OTHER, FROM_M, M_LINK),
    DO(FROM_M_X, M_ADDRESSES),
    DO(ADD_X, 0),
    DO(RETURN, 0),
};

enum { STEPS = sizeof(steps) / sizeof(steps[0]) };
_Static_assert((int)STEPS <= (int)SP_CAPTURE_FILTER_MAX, "room for the program");

static uint32_t distance(const size_t places[LABELS], enum label to, size_t from)
{
	return to == NEXT ? 0 : (uint32_t)(places[to] - from - 1);
}

size_t sp_capture_filter(bool addresses, struct sock_filter out[SP_CAPTURE_FILTER_MAX])
{
	size_t places[LABELS] = {0};
	for (size_t i = 0; i < STEPS; i++)
		places[steps[i].here] = i;
	for (size_t i = 0; i < STEPS; i++) {
		const struct step *step = &steps[i];
		out[i] = (struct sock_filter){.code = step->code, .k = step->k};
		if (step->code == (BPF_JMP | BPF_JA)) {
			out[i].k = distance(places, step->yes, i);
		} else if (BPF_CLASS(step->code) == BPF_JMP) {
			out[i].jt = (uint8_t)distance(places, step->yes, i);
			out[i].jf = (uint8_t)distance(places, step->no, i);
		}
		// IP's header is looked at in the kernel alone.
		if (!addresses && step->code == (BPF_LD | BPF_IMM))
			out[i].k = 0;
	}
	return STEPS;
}
