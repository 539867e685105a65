// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The anchors of a first start, in one place for every driver that asks them, and the check of such a list.
#pragma once

#include <stddef.h>

#include "schoolpulse/driver.h"
#include "schoolpulse/io.h"

/// Examples to begin with: a province lists its own (drivers/README.md). DNS hosts of VNPT, Viettel and FPT,
/// and one of .vn's name servers.
#define SP_ANCHORS_DOMESTIC      "203.162.4.191, 203.113.131.1, 210.245.24.20, 194.0.1.18, 2001:678:4::12"
#define SP_ANCHORS_INTERNATIONAL "1.1.1.1, 8.8.8.8, 9.9.9.9, 2606:4700:4700::1111, 2001:4860:4860::8888"

/// Rows of an option table; `at`: offset of the member.
#define SP_ANCHORS_OPTION_INTERFACE(at)                                                     \
	{                                                                                   \
		.key = "interface", .type = SP_OPTION_STRING, .def = "auto", .min = 1,      \
		.max = sizeof(((struct sp_endpoint *)NULL)->interface) - 1, .offset = (at), \
		.help = "Network interface to leave by; auto: the kernel's choice"          \
	}
#define SP_ANCHORS_OPTION_DOMESTIC(at, most, text)                                                    \
	{                                                                                             \
		.key = "domestic", .type = SP_OPTION_LIST, .def = SP_ANCHORS_DOMESTIC, .max = (most), \
		.offset = (at), .help = (text)                                                        \
	}

/// Every item is an address with or without a port. 0, or -EINVAL and `why`.
int sp_anchors_check(const struct sp_strings *list, char *why, size_t size) SP_MUST_CHECK;
/// The list's addresses of one family (AF_INET, AF_INET6), `most` at most, to be left for by `interface` ("":
/// the kernel's choice). Returns how many.
unsigned sp_anchors_of(const struct sp_strings *list, int family, const char *interface,
		       struct sp_endpoint out[], unsigned most);
/// Has packets to `endpoint` leave by that interface.
void sp_anchors_leave_by(struct sp_endpoint *endpoint, const char *interface);
