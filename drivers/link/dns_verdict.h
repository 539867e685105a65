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
};

/// `expect`: addresses one of which must be there (text; a list that does not parse matches nothing); empty:
/// any public address. `random`: the name was made up, so "no such name" is right, too.
enum sp_dns_result sp_dns_judge(const struct sp_dns_answer *answer, const struct sp_strings *expect,
				bool random, const char **why);

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
};

/// The resolver's rung. `cut_off`: nothing else beyond the school answers, so a local resolver's good answer
/// may be a remembered one and proves nothing.
void sp_dns_conclude(const struct sp_dns_witness *witnesses, unsigned count, bool cut_off,
		     struct sp_dns_verdict *out);
