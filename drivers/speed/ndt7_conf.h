// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The `ndt7` driver's options, and what must hold among them: above all, that nobody's results are published
// without consent.
#pragma once

#include "schoolpulse/speed.h"

struct sp_ndt7_conf {
	char *server, *locate_url, *country, *interface, *ca_file, *publish_consent;
	int scheme, scope;
	int64_t duration_ms, timeout_ms, connect_timeout_ms, byte_limit;
};

enum { SP_NDT7_WSS, SP_NDT7_WS };
enum { SP_NDT7_DOMESTIC, SP_NDT7_INTERNATIONAL };

extern const struct sp_option sp_ndt7_options[];

/// driver.h: check() and worst_bytes().
int sp_ndt7_check(const void *options, const char **key, char *why, size_t size);
int64_t sp_ndt7_conf_worst_bytes(const void *options, double mbps);

/// A sentence that names somebody and a day: the operator agreed that results are published.
bool sp_ndt7_consents(const char *text);
