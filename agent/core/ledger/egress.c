// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Compares each finding with what is known of the line.
#include "agent/core/ledger/egress_priv.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"

/// While the first identity is new, paths that are balanced show their other hops.
static const int64_t LEARN_US = 10LL * 60 * 1000 * 1000;
enum {
	DOUBTS = 3, ///< findings in a row that show half of another door
	KIN_BITS4 = 16,
	KIN_BITS6 = 32, ///< what a registry gives one provider, at the least
};
/// Between two findings of one foreign door, for adoption.
static const int64_t COUNT_MOST_US = 3600LL * 1000 * 1000;

const char *sp_egress_book_event_name(enum sp_egress_event event)
{
	switch (event) {
	case SP_EGRESS_NOTHING:
		return NULL;
	case SP_EGRESS_LEARNT:
		return "learnt";
	case SP_EGRESS_CHANGED:
		return "changed";
	case SP_EGRESS_LOST:
		return "foreign";
	case SP_EGRESS_BACK:
		return "back";
	case SP_EGRESS_ADOPTED:
		return "adopted";
	}
	return NULL;
}

// ---- prefixes -----------------------------------------------------------------------------------------

bool sp_egress_book_same(const struct sp_egress_net *a, const struct sp_egress_net *b)
{
	unsigned bits = a->bits < b->bits ? a->bits : b->bits;
	if (a->family != b->family)
		return false;
	if (memcmp(a->bytes, b->bytes, bits / 8) != 0)
		return false;
	unsigned rest = bits % 8;
	return rest == 0 || ((a->bytes[bits / 8] ^ b->bytes[bits / 8]) >> (8 - rest)) == 0;
}

bool sp_egress_book_parse(struct sp_egress_net *out, const char *text)
{
	char address[INET6_ADDRSTRLEN];
	const char *slash = text ? strchr(text, '/') : NULL;
	size_t length = !text ? 0 : slash ? (size_t)(slash - text) : strlen(text);
	if (length == 0 || length >= sizeof(address))
		return false;
	memcpy(address, text, length);
	address[length] = '\0';
	*out = (struct sp_egress_net){.family = SP_FAMILY_IPV4, .bits = 24};
	unsigned most = 32;
	if (inet_pton(AF_INET, address, out->bytes) != 1) {
		*out = (struct sp_egress_net){.family = SP_FAMILY_IPV6, .bits = 48};
		most = 128;
		if (inet_pton(AF_INET6, address, out->bytes) != 1)
			return false;
	}
	if (!slash)
		return true;
	char *end;
	unsigned long bits = strtoul(slash + 1, &end, 10);
	if (slash[1] < '0' || slash[1] > '9' || *end || bits < 8 || bits > most)
		return false;
	out->bits = (unsigned)bits;
	return true;
}

const char *sp_egress_book_net_text(const struct sp_egress_net *net, char *out, size_t size)
{
	uint8_t bytes[16] = {0};
	char address[INET6_ADDRSTRLEN] = "";
	for (unsigned i = 0; i < 16 && i * 8 < net->bits; i++) {
		unsigned left = net->bits - i * 8;
		unsigned mask = left >= 8 ? 0xff : 0xff00u >> left;
		bytes[i] = (uint8_t)((net->bytes[i] & mask) & 0xff);
	}
	inet_ntop(net->family == SP_FAMILY_IPV6 ? AF_INET6 : AF_INET, bytes, address, sizeof(address));
	snprintf(out, size, "%s/%u", address, net->bits);
	return out;
}

const char *sp_egress_book_prefix(const char *address, char *out, size_t size)
{
	struct sp_egress_net net;
	out[0] = '\0';
	return sp_egress_book_parse(&net, address) ? sp_egress_book_net_text(&net, out, size) : out;
}

/// Reads the next word of a list; false at its end.
static bool next_word(const char **at, char *out, size_t size)
{
	*at += strspn(*at, " ,\t");
	size_t length = strcspn(*at, " ,\t");
	if (length == 0)
		return false;
	snprintf(out, size, "%.*s", (int)(length < size ? length : size - 1), *at);
	*at += length;
	return true;
}

static bool is_auto(const char *fixed)
{
	return !fixed || !fixed[0] || strcmp(fixed, "auto") == 0;
}

bool sp_egress_book_list_valid(const char *fixed, char *bad, size_t size)
{
	struct sp_egress_net net;
	char word[80];
	int count = 0;
	if (is_auto(fixed))
		return true;
	while (next_word(&fixed, word, sizeof(word)))
		if (!sp_egress_book_parse(&net, word) || ++count > SP_EGRESS_NETS) {
			snprintf(bad, size, "%s", word);
			return false;
		}
	return true;
}

// ---- the book -----------------------------------------------------------------------------------------

struct sp_egress_book *sp_egress_book_new(const char *fixed, int64_t adopt_ms)
{
	struct sp_egress_book *book = sp_alloc(sizeof(*book));
	char word[80];
	book->adopt_us = adopt_ms * 1000;
	for (int family = 0; family < SP_FAMILIES; family++)
		book->families[family].asked_us = book->families[family].learnt_us = SP_NEVER_US;
	if (is_auto(fixed))
		return book;
	book->fixed = true;
	struct sp_egress_net net;
	while (next_word(&fixed, word, sizeof(word)))
		if (sp_egress_book_parse(&net, word))
			sp_egress_book_add(&book->list, &net);
	return book;
}

bool sp_egress_book_is_fixed(const struct sp_egress_book *book)
{
	return book->fixed;
}

void sp_egress_book_free(struct sp_egress_book *book)
{
	free(book);
}

void sp_egress_book_add(struct sp_egress_nets *nets, const struct sp_egress_net *net)
{
	for (size_t i = 0; i < nets->count; i++)
		if (sp_egress_book_same(&nets->items[i], net) && nets->items[i].bits <= net->bits)
			return;
	if (nets->count == SP_EGRESS_NETS) {
		memmove(&nets->items[0], &nets->items[1], (SP_EGRESS_NETS - 1) * sizeof(*net));
		nets->count--;
	}
	nets->items[nets->count++] = *net;
}

/// A list without a word of a family says nothing of it.
static bool speaks_of(const struct sp_egress_nets *nets, enum sp_family family)
{
	for (size_t i = 0; i < nets->count; i++)
		if (nets->items[i].family == family)
			return true;
	return false;
}

static bool knows(const struct sp_egress_nets *nets, const struct sp_egress_net *net)
{
	for (size_t i = 0; i < nets->count; i++)
		if (sp_egress_book_same(&nets->items[i], net) && nets->items[i].bits <= net->bits)
			return true;
	return false;
}

/// Whether it can be told from others' by its address: what is private, or shared by everybody's NAT, cannot.
static bool is_public(const struct sp_egress_net *net)
{
	const uint8_t *a = net->bytes;
	if (net->family == SP_FAMILY_IPV6)
		return a[0] >> 5 == 1; // 2000::/3
	bool own = a[0] == 10 || (a[0] == 172 && a[1] >> 4 == 1) || (a[0] == 192 && a[1] == 168) ||
		   (a[0] == 100 && a[1] >> 6 == 1) || (a[0] == 169 && a[1] == 254);
	return a[0] != 0 && a[0] != 127 && a[0] < 224 && !own;
}

/// A provider's pools and routers lie near one another: a re-dial may change both at once.
static bool is_kin(const struct sp_egress_nets *nets, const struct sp_egress_net *net)
{
	struct sp_egress_net wide = *net;
	wide.bits = net->family == SP_FAMILY_IPV6 ? KIN_BITS6 : KIN_BITS4;
	for (size_t i = 0; is_public(net) && i < nets->count; i++)
		if (nets->items[i].bits >= wide.bits && sp_egress_book_same(&nets->items[i], &wide))
			return true;
	return false;
}

/// One finding, read.
struct finding {
	bool has_hop, has_address;
	struct sp_egress_net hop, address;
};

static enum sp_egress_event turn(struct sp_egress_family *family, enum sp_line_egress state, int64_t at_us)
{
	enum sp_line_egress before = family->state;
	family->doubts = 0;
	family->state = state;
	if (before == state)
		return SP_EGRESS_NOTHING;
	family->since_us = at_us;
	family->foreign_us = 0;
	if (state == SP_LINE_EGRESS_FOREIGN)
		return SP_EGRESS_LOST;
	family->kept_foreign_us = 0;
	return before == SP_LINE_EGRESS_FOREIGN ? SP_EGRESS_BACK : SP_EGRESS_NOTHING;
}

static void learn(struct sp_egress_family *family, const struct finding *finding)
{
	if (finding->has_hop)
		sp_egress_book_add(&family->hops, &finding->hop);
	if (finding->has_address)
		sp_egress_book_add(&family->addresses, &finding->address);
}

static bool same_finding(const struct finding *finding, const struct sp_egress_family *family)
{
	bool hop = finding->has_hop && knows(&family->foreign_hops, &finding->hop);
	bool address = finding->has_address && knows(&family->foreign_addresses, &finding->address);
	return hop || address;
}

/// Another door, again: if it is the same one for long enough, the line has moved.
static enum sp_egress_event stay(struct sp_egress_book *book, struct sp_egress_family *family,
				 const struct finding *finding, int64_t at_us)
{
	bool known = same_finding(finding, family);
	if (family->foreign_us == 0 && family->kept_foreign_us > 0 && known) {
		family->foreign_us = family->kept_foreign_us;
	} else if (family->foreign_us == 0 || !known) {
		family->foreign_hops.count = family->foreign_addresses.count = 0;
		family->foreign_us = 1;
	} else {
		int64_t gap = at_us - family->foreign_at_us;
		family->foreign_us += gap < 0 ? 0 : gap > COUNT_MOST_US ? COUNT_MOST_US : gap;
	}
	family->kept_foreign_us = 0;
	family->foreign_at_us = at_us;
	if (finding->has_hop)
		sp_egress_book_add(&family->foreign_hops, &finding->hop);
	if (finding->has_address)
		sp_egress_book_add(&family->foreign_addresses, &finding->address);
	if (book->fixed || book->adopt_us <= 0 || family->foreign_us < book->adopt_us)
		return SP_EGRESS_NOTHING;
	family->hops = family->foreign_hops;
	family->addresses = family->foreign_addresses;
	family->learnt_us = at_us;
	(void)turn(family, SP_LINE_EGRESS_OWN, at_us);
	return SP_EGRESS_ADOPTED;
}

static enum sp_egress_event foreign(struct sp_egress_book *book, struct sp_egress_family *family,
				    const struct finding *finding, int64_t at_us)
{
	enum sp_egress_event event = turn(family, SP_LINE_EGRESS_FOREIGN, at_us);
	enum sp_egress_event then = stay(book, family, finding, at_us);
	return then == SP_EGRESS_NOTHING ? event : then;
}

static enum sp_egress_event take_fixed(struct sp_egress_book *book, struct sp_egress_family *family,
				       const struct finding *finding, int64_t at_us)
{
	bool hop = finding->has_hop && knows(&book->list, &finding->hop);
	bool address = finding->has_address && knows(&book->list, &finding->address);
	family->by_hop |= hop;
	family->by_address |= address;
	if (hop || address)
		return turn(family, SP_LINE_EGRESS_OWN, at_us);
	// Half of an answer tells only if the list is known to speak of that half.
	if ((finding->has_hop && (finding->has_address || family->by_hop)) ||
	    (finding->has_address && family->by_address))
		return foreign(book, family, finding, at_us);
	return SP_EGRESS_NOTHING;
}

static enum sp_egress_event take_learnt(struct sp_egress_book *book, struct sp_egress_family *family,
					const struct finding *finding, int64_t at_us)
{
	if (family->hops.count + family->addresses.count == 0) {
		learn(family, finding);
		family->learnt_us = at_us;
		(void)turn(family, SP_LINE_EGRESS_OWN, at_us);
		return SP_EGRESS_LEARNT;
	}
	bool hop = finding->has_hop && knows(&family->hops, &finding->hop);
	bool address = finding->has_address && knows(&family->addresses, &finding->address);
	bool kin = (finding->has_hop &&
		    (is_kin(&family->hops, &finding->hop) || is_kin(&family->addresses, &finding->hop))) ||
		   (finding->has_address && (is_kin(&family->hops, &finding->address) ||
					     is_kin(&family->addresses, &finding->address)));
	bool news = (finding->has_hop && !hop) || (finding->has_address && !address);
	// A public address alone comes from a pool; without a hop to compare nothing speaks of another door.
	bool pool = family->hops.count == 0 && !(finding->has_hop && family->addresses.count > 0);
	bool young = family->learnt_us != SP_NEVER_US && at_us - family->learnt_us < LEARN_US &&
		     family->state == SP_LINE_EGRESS_OWN && family->addresses.count == 0;
	if (hop || address || kin || pool || young) {
		learn(family, finding);
		enum sp_egress_event event = turn(family, SP_LINE_EGRESS_OWN, at_us);
		return event == SP_EGRESS_NOTHING && news ? SP_EGRESS_CHANGED : event;
	}
	bool whole = (finding->has_hop || family->hops.count == 0) &&
		     (finding->has_address || family->addresses.count == 0);
	if (!whole && family->state != SP_LINE_EGRESS_FOREIGN && ++family->doubts < DOUBTS)
		return SP_EGRESS_NOTHING;
	return foreign(book, family, finding, at_us);
}

enum sp_egress_event sp_egress_book_take(struct sp_egress_book *book, const struct sp_egress *seen,
					 int64_t now_us)
{
	struct finding finding;
	finding.has_hop = sp_egress_book_parse(&finding.hop, seen->hop) && finding.hop.family == seen->family;
	finding.has_address =
	    sp_egress_book_parse(&finding.address, seen->address) && finding.address.family == seen->family;
	if (!finding.has_hop && !finding.has_address)
		return SP_EGRESS_NOTHING;
	if (seen->family != SP_FAMILY_IPV4 && seen->family != SP_FAMILY_IPV6)
		return SP_EGRESS_NOTHING;
	if (book->fixed && !speaks_of(&book->list, seen->family))
		return SP_EGRESS_NOTHING;
	// A list may be narrower than what is learnt.
	if (book->fixed)
		finding.hop.bits = finding.address.bits = seen->family == SP_FAMILY_IPV6 ? 128 : 32;
	struct sp_egress_family *family = &book->families[seen->family];
	int64_t at_us = seen->asked_us < 0 ? 0 : seen->asked_us < now_us ? seen->asked_us : now_us;
	unsigned doubts = family->doubts;
	enum sp_egress_event event = book->fixed ? take_fixed(book, family, &finding, at_us)
						 : take_learnt(book, family, &finding, at_us);
	if (family->doubts <= doubts && at_us > family->asked_us)
		family->asked_us = at_us;
	return event;
}

enum sp_egress_event sp_egress_book_other(struct sp_egress_book *book, enum sp_family family,
					  int64_t asked_us)
{
	book->families[family].asked_us = asked_us;
	return turn(&book->families[family], SP_LINE_EGRESS_FOREIGN, asked_us);
}

// ---- what it says -------------------------------------------------------------------------------------

enum sp_line_egress sp_egress_book_of(const struct sp_egress_book *book, enum sp_family family)
{
	return book->families[family].state;
}

enum sp_line_egress sp_egress_book_line(const struct sp_egress_book *book)
{
	const struct sp_egress_family *a = &book->families[SP_FAMILY_IPV4],
				      *b = &book->families[SP_FAMILY_IPV6];
	if (a->state == b->state || b->state == SP_LINE_EGRESS_UNKNOWN)
		return a->state;
	if (a->state == SP_LINE_EGRESS_UNKNOWN)
		return b->state;
	const struct sp_egress_family *own = a->state == SP_LINE_EGRESS_OWN ? a : b, *lost = own == a ? b : a;
	return own->asked_us >= lost->since_us ? SP_LINE_EGRESS_OWN : SP_LINE_EGRESS_FOREIGN;
}

int64_t sp_egress_book_since_us(const struct sp_egress_book *book)
{
	const struct sp_egress_family *a = &book->families[SP_FAMILY_IPV4],
				      *b = &book->families[SP_FAMILY_IPV6];
	enum sp_line_egress state = sp_egress_book_line(book);
	if (a->state != state)
		return b->since_us;
	return b->state == state && b->since_us > a->since_us ? b->since_us : a->since_us;
}

int64_t sp_egress_book_confirmed_us(const struct sp_egress_book *book)
{
	int64_t a = book->families[SP_FAMILY_IPV4].asked_us, b = book->families[SP_FAMILY_IPV6].asked_us;
	return a > b ? a : b;
}

bool sp_egress_book_has_hop(const struct sp_egress_book *book)
{
	for (int family = SP_FAMILY_IPV4; family <= SP_FAMILY_IPV6; family++)
		if (book->families[family].hops.count > 0 || book->families[family].by_hop)
			return true;
	return false;
}
