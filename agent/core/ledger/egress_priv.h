// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The inside of an egress book, shared by egress.c and egress_store.c.
#pragma once

#include "agent/core/ledger/egress.h"

enum { SP_EGRESS_NETS = 16 };

struct sp_egress_net {
	enum sp_family family;
	unsigned bits;
	uint8_t bytes[16];
};

struct sp_egress_nets {
	struct sp_egress_net items[SP_EGRESS_NETS]; ///< the oldest first
	size_t count;
};

struct sp_egress_family {
	enum sp_line_egress state;
	int64_t since_us, asked_us;
	int64_t learnt_us; ///< in this run
	unsigned doubts;
	struct sp_egress_nets hops, addresses;
	bool by_hop, by_address; ///< the fixed list has matched one of these
	struct sp_egress_nets foreign_hops, foreign_addresses;
	int64_t foreign_us;      ///< how long it has been that same foreign door; 0: it is none
	int64_t kept_foreign_us; ///< how long it had been so in earlier runs; 0: it had not
	int64_t foreign_at_us;   ///< when it was seen last
};

struct sp_egress_book {
	bool fixed;
	int64_t adopt_us;
	struct sp_egress_nets list;
	struct sp_egress_family families[SP_FAMILIES];
};

/// The shorter of both prefixes is the same in both.
bool sp_egress_book_same(const struct sp_egress_net *a, const struct sp_egress_net *b);
/// An address stands for its /24 or /48.
bool sp_egress_book_parse(struct sp_egress_net *out, const char *text);
const char *sp_egress_book_net_text(const struct sp_egress_net *net, char *out, size_t size);
/// Unless it is known; the oldest makes room.
void sp_egress_book_add(struct sp_egress_nets *nets, const struct sp_egress_net *net);
