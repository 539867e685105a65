// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The anchors of a first start, in one place for every driver that asks them, and the check of such a list.
#pragma once

#include <stddef.h>

#include "schoolpulse/driver.h"

/// Examples to begin with: a province lists its own (drivers/README.md). DNS hosts of VNPT, Viettel and FPT,
/// and one of .vn's name servers.
#define SP_ANCHORS_DOMESTIC      "203.162.4.191, 203.113.131.1, 210.245.24.20, 194.0.1.18, 2001:678:4::12"
#define SP_ANCHORS_INTERNATIONAL "1.1.1.1, 8.8.8.8, 9.9.9.9, 2606:4700:4700::1111, 2001:4860:4860::8888"

/// Every item is an address with or without a port. 0, or -EINVAL and `why`.
int sp_anchors_check(const struct sp_strings *list, char *why, size_t size) SP_MUST_CHECK;
