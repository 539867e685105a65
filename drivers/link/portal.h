// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Is an HTTP answer the one that the checked site gives, or somebody else's (a captive portal's)? Pure
// functions.
#pragma once

#include "schoolpulse/io.h"

struct sp_portal_expect {
	long status;
	const char *body; ///< whole, blanks around it ignored; "": not looked at, but a 204 must have none
};

enum { SP_PORTAL_HOST = 128, SP_PORTAL_DETAIL = 256 };

struct sp_portal_finding {
	enum sp_rung_status status;
	const char *reason;        ///< of evidence
	char host[SP_PORTAL_HOST]; ///< where a redirect leads, "" without
	char detail[SP_PORTAL_DETAIL];
};

/// OK, WRONG (another answer in its place), SILENT (nothing came) or UNKNOWN (cannot be measured: no route,
/// no name, the site itself is in trouble, or its answer was cut off).
void sp_portal_judge(const struct sp_http_answer *answer, const struct sp_portal_expect *expect,
		     struct sp_portal_finding *out);

/// The host that a URL names, in lower case: letters, digits and ".-:" only. False for anything else, and for
/// one that is longer than `out`.
bool sp_portal_host(const char *url, char out[SP_PORTAL_HOST]);
