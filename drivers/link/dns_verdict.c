// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Judging DNS answers (dns_verdict.h).
#include "dns_verdict.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static bool expected(const struct sp_dns_address *address, const struct sp_strings *expect)
{
	for (size_t i = 0; i < expect->count; i++) {
		uint8_t bytes[16];
		if (inet_pton(address->family, expect->items[i], bytes) == 1 &&
		    memcmp(bytes, address->bytes, address->family == AF_INET ? 4 : 16) == 0)
			return true;
	}
	return false;
}

enum sp_dns_result sp_dns_judge(const struct sp_dns_answer *answer, const struct sp_strings *expect,
				bool random, const char **why)
{
	*why = "";
	if (answer->rcode == SP_DNS_NXDOMAIN && random && expect->count == 0)
		return SP_DNS_GOOD;
	if (answer->rcode != SP_DNS_OK) {
		*why = sp_dns_rcode_text(answer->rcode);
		return SP_DNS_WRONG;
	}
	for (unsigned i = 0; i < answer->count; i++)
		if (expect->count ? expected(&answer->addresses[i], expect)
				  : !sp_dns_is_local(&answer->addresses[i]))
			return SP_DNS_GOOD;
	if (answer->count == 0 && answer->truncated)
		return SP_DNS_GOOD;
	*why = answer->count == 0 ? "no address" : expect->count ? "a foreign address" : "a private address";
	return SP_DNS_WRONG;
}

/// The best witness of a kind: an answer before a wrong one before silence. NULL when none was asked.
static const struct sp_dns_witness *best_of(const struct sp_dns_witness *witnesses, unsigned count,
					    bool direct)
{
	static const int rank[] = {
	    [SP_DNS_UNASKED] = 0, [SP_DNS_SILENT] = 1, [SP_DNS_WRONG] = 2, [SP_DNS_GOOD] = 3};
	const struct sp_dns_witness *best = NULL;
	for (unsigned i = 0; i < count; i++) {
		const struct sp_dns_witness *witness = &witnesses[i];
		if (witness->direct != direct || witness->finding->result == SP_DNS_UNASKED)
			continue;
		if (!best || rank[witness->finding->result] > rank[best->finding->result])
			best = witness;
	}
	return best;
}

static const char *direct_text(const struct sp_dns_witness *direct)
{
	if (!direct)
		return "";
	return direct->finding->result == SP_DNS_SILENT ? "; asked directly, silent"
							: "; asked directly, it answers: ";
}

void sp_dns_conclude(const struct sp_dns_witness *witnesses, unsigned count, bool cut_off,
		     struct sp_dns_verdict *out)
{
	const struct sp_dns_witness *resolver = best_of(witnesses, count, false),
				    *direct = best_of(witnesses, count, true);
	*out = (struct sp_dns_verdict){.status = SP_RUNG_UNKNOWN, .rtt_us = -1};
	if (!resolver) {
		snprintf(out->detail, sizeof(out->detail), "no resolver can be asked");
		return;
	}
	bool alive = direct && direct->finding->result != SP_DNS_SILENT;
	switch (resolver->finding->result) {
	case SP_DNS_UNASKED:
		break;
	case SP_DNS_GOOD:
		if (cut_off && resolver->local && !alive) {
			snprintf(out->detail, sizeof(out->detail), "%s answers, perhaps from memory",
				 resolver->label);
			break;
		}
		out->status = SP_RUNG_OK;
		out->rtt_us = resolver->finding->rtt_us;
		snprintf(out->detail, sizeof(out->detail), "%s answers", resolver->label);
		break;
	case SP_DNS_WRONG:
		out->status = SP_RUNG_WRONG;
		snprintf(out->detail, sizeof(out->detail), "%s: %s%s%s", resolver->label,
			 resolver->finding->why, direct_text(direct), alive ? direct->label : "");
		break;
	case SP_DNS_SILENT:
		out->status = SP_RUNG_SILENT;
		snprintf(out->detail, sizeof(out->detail), "%s is silent%s%s", resolver->label,
			 direct_text(direct), alive ? direct->label : "");
		break;
	}
}
