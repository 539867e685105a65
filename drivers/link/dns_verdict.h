// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What DNS answers prove, as pure functions: is one answer right, and what do all of them together say of the
// resolver?
#pragma once

#include "dns.h"
#include "schoolpulse/io.h"

enum sp_dns_result {
	SP_DNS_UNASKED, ///< or it could not be sent
	SP_DNS_GOOD,
	SP_DNS_WRONG,
	SP_DNS_SILENT,
};

struct sp_dns_finding {
	enum sp_dns_result result;
	int64_t sent_us, rtt_us;
	const char *why; ///< of a wrong one: "server failure"
	bool lies;       ///< of a wrong one: it is no trouble of the server's, but another's address
	bool no_name;    ///< of a good one: "no such name", as a made-up one should have it
	bool fresh;      ///< of a good one: nobody can have remembered or guessed it
};

/// Sets result and what explains it. `expect`: addresses one of which must be there (text; a list that does
/// not parse matches nothing); empty: any public address. `random`: the name was made up, so "no such name"
/// is right, too.
void sp_dns_judge(const struct sp_dns_answer *answer, const struct sp_strings *expect, bool random,
		  struct sp_dns_finding *out);

/// What is known of one server after asking it.
struct sp_dns_witness {
	const char *label;
	bool direct; ///< an anchor, not the system's resolver
	bool local;  ///< may answer out of its own memory
	const struct sp_dns_finding *finding;
};

struct sp_dns_verdict {
	enum sp_rung_status status;
	int64_t rtt_us;
	char detail[160];
	const char *reason, *host; ///< of evidence; host is a witness's label, or NULL
};

/// The servers asked directly know nothing of a name for which the resolver has an address: it sells the
/// names that do not exist.
bool sp_dns_contradicted(const struct sp_dns_witness *witnesses, unsigned count);

/// The resolver's rung. `cut_off`: nothing else beyond the school answers. Then whoever answers may be a
/// router that remembers, or that answers in everybody's name: only what cannot be known inside the school
/// proves something.
void sp_dns_conclude(const struct sp_dns_witness *witnesses, unsigned count, bool cut_off,
		     struct sp_dns_verdict *out);
