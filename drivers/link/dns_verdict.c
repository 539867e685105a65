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

static void judge_addresses(const struct sp_dns_answer *answer, const struct sp_strings *expect, bool random,
			    struct sp_dns_finding *out)
{
	for (unsigned i = 0; i < answer->count; i++) {
		if (expect->count ? !expected(&answer->addresses[i], expect)
				  : sp_dns_is_local(&answer->addresses[i]))
			continue;
		out->result = SP_DNS_GOOD;
		out->fresh = random && expect->count > 0;
		return;
	}
	// What was cut off may have been it.
	if (answer->truncated && (answer->count == 0 || expect->count)) {
		out->result = SP_DNS_GOOD;
		return;
	}
	out->result = SP_DNS_WRONG;
	out->lies = answer->count > 0;
	out->why = answer->count == 0 ? "no address"
		   : expect->count    ? "a foreign address"
				      : "a private address";
}

void sp_dns_judge(const struct sp_dns_answer *answer, const struct sp_strings *expect, bool random,
		  struct sp_dns_finding *out)
{
	out->why = "";
	out->lies = out->no_name = out->fresh = false;
	if (answer->rcode == SP_DNS_NXDOMAIN && random && expect->count == 0) {
		out->result = SP_DNS_GOOD;
		out->no_name = true;
	} else if (answer->rcode != SP_DNS_OK) {
		out->result = SP_DNS_WRONG;
		out->why = sp_dns_rcode_text(answer->rcode);
	} else {
		judge_addresses(answer, expect, random, out);
	}
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

bool sp_dns_contradicted(const struct sp_dns_witness *witnesses, unsigned count)
{
	bool address = false, no_name = false, honest = false;
	for (unsigned i = 0; i < count; i++) {
		const struct sp_dns_finding *finding = witnesses[i].finding;
		if (finding->result != SP_DNS_GOOD)
			continue;
		if (witnesses[i].direct)
			no_name |= finding->no_name;
		else if (finding->no_name)
			honest = true;
		else
			address = true;
	}
	return address && no_name && !honest;
}

static void conclude_good(const struct sp_dns_witness *resolver, bool fresh, bool cut_off,
			  struct sp_dns_verdict *out)
{
	if (cut_off && !fresh) {
		out->reason = "from_memory";
		snprintf(out->detail, sizeof(out->detail), "%s answers, perhaps from memory",
			 resolver->label);
		return;
	}
	out->status = SP_RUNG_OK;
	out->reason = "resolver_answers";
	out->rtt_us = resolver->finding->rtt_us;
	snprintf(out->detail, sizeof(out->detail), "%s answers", resolver->label);
}

void sp_dns_conclude(const struct sp_dns_witness *witnesses, unsigned count, bool cut_off,
		     struct sp_dns_verdict *out)
{
	const struct sp_dns_witness *resolver = best_of(witnesses, count, false),
				    *direct = best_of(witnesses, count, true);
	*out = (struct sp_dns_verdict){.status = SP_RUNG_UNKNOWN, .rtt_us = -1, .reason = "no_resolver"};
	if (!resolver) {
		snprintf(out->detail, sizeof(out->detail), "no resolver can be asked");
		return;
	}
	const struct sp_dns_finding *finding = resolver->finding;
	bool alive = direct && direct->finding->result != SP_DNS_SILENT;
	out->host = resolver->local ? NULL : resolver->label;
	switch (finding->result) {
	case SP_DNS_UNASKED:
		break;
	case SP_DNS_GOOD:
		if (sp_dns_contradicted(witnesses, count)) {
			out->status = SP_RUNG_WRONG;
			out->reason = "resolver_lies";
			snprintf(out->detail, sizeof(out->detail),
				 "%s: an address for a name that is none%s%s", resolver->label,
				 direct_text(direct), alive ? direct->label : "");
			break;
		}
		conclude_good(resolver, finding->fresh || (alive && direct->finding->fresh), cut_off, out);
		break;
	case SP_DNS_WRONG:
		out->status = SP_RUNG_WRONG;
		out->reason = finding->lies ? "resolver_lies" : "resolver_wrong";
		snprintf(out->detail, sizeof(out->detail), "%s: %s%s%s", resolver->label, finding->why,
			 direct_text(direct), alive ? direct->label : "");
		break;
	case SP_DNS_SILENT:
		out->status = SP_RUNG_SILENT;
		out->reason = "resolver_silent";
		snprintf(out->detail, sizeof(out->detail), "%s is silent%s%s", resolver->label,
			 direct_text(direct), alive ? direct->label : "");
		break;
	}
}
