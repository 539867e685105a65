// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// By which door a line leaves. Behind a router with two uplinks the board sees no route change: what tells
// the line's own door from another is the provider's first hop (several, where paths are balanced) and the
// prefix of our public address. Pure: time only by argument; what must survive is text for the journal.
//
// A new hop inside a known prefix or with a known public prefix, or a new public prefix behind a known hop,
// is the same line after a re-dial. So is what shares the first 16 bits (IPv4) or 32 bits (IPv6) with any
// known hop or public prefix, where both are public: providers' routers and pools lie near one another, and
// both may change at once. Only what differs in all that was given is another uplink, and a hop that gives no
// address is none. Another uplink that stays for `adopt_ms` is adopted.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/buf.h"
#include "agent/core/ledger/ledger.h"
#include "schoolpulse/io.h"

enum sp_egress_event {
	SP_EGRESS_NOTHING,
	SP_EGRESS_LEARNT,
	SP_EGRESS_CHANGED,
	SP_EGRESS_LOST, ///< it turned foreign
	SP_EGRESS_BACK,
	SP_EGRESS_ADOPTED,
};
/// The feed's word; NULL for SP_EGRESS_NOTHING.
const char *sp_egress_book_event_name(enum sp_egress_event event);

struct sp_egress_book;

/// `fixed`: NULL, "" or "auto", or addresses and prefixes ("203.0.113.0/24 2001:db8::/48", commas allowed):
/// the line's own, and nothing is learnt. `adopt_ms` 0: never.
struct sp_egress_book *sp_egress_book_new(const char *fixed, int64_t adopt_ms);
bool sp_egress_book_is_fixed(const struct sp_egress_book *book);
/// NULL is fine.
void sp_egress_book_free(struct sp_egress_book *book);
/// Whether a list of `fixed` can be read; `bad` gets the word that cannot.
bool sp_egress_book_list_valid(const char *fixed, char *bad, size_t size);

/// One finding. Words that are no addresses count as not given.
enum sp_egress_event sp_egress_book_take(struct sp_egress_book *book, const struct sp_egress *seen,
					 int64_t now_us);
/// The other line of a pair uses its own door now, so this one's is not used.
enum sp_egress_event sp_egress_book_other(struct sp_egress_book *book, enum sp_family family,
					  int64_t asked_us);

enum sp_line_egress sp_egress_book_of(const struct sp_egress_book *book, enum sp_family family);
/// Both families together: foreign only if no other family has been found its own since.
enum sp_line_egress sp_egress_book_line(const struct sp_egress_book *book);
int64_t sp_egress_book_since_us(const struct sp_egress_book *book);
/// When the last question was sent that was answered, SP_NEVER_US.
int64_t sp_egress_book_confirmed_us(const struct sp_egress_book *book);
/// A hop is part of what is known: it can be asked.
bool sp_egress_book_has_hop(const struct sp_egress_book *book);
/// The prefix of an address as the feed shows it; "" when it is none. `size` ≥ 50.
const char *sp_egress_book_prefix(const char *address, char *out, size_t size);

void sp_egress_book_save(const struct sp_egress_book *book, struct sp_buf *out);
/// Takes what it can read; the rest is learnt again.
void sp_egress_book_load(struct sp_egress_book *book, const char *text);
