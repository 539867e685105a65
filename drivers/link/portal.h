// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Is an HTTP answer the one that the checked site gives, or somebody else's (a captive portal's)? A pure
// function.
#pragma once

#include "schoolpulse/io.h"

struct sp_portal_expect {
	long status;
	const char *body; ///< whole, blanks around it ignored; "": not looked at, but a 204 must have none
};

/// OK, WRONG (another answer in its place), SILENT (nothing came) or UNKNOWN (cannot be measured: no route,
/// no name, or the site itself is in trouble). `why` is for people, at most `size` bytes.
enum sp_rung_status sp_portal_judge(const struct sp_http_answer *answer,
				    const struct sp_portal_expect *expect, char *why, size_t size);
