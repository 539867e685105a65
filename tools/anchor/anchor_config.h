// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What an operator may decide: a file with one section, [anchor], or the same keys as flags. README.md
// documents each key.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/config.h"

struct sp_anchor_config {
	char *listen, *cert_file, *key_file, *status_listen;
	int64_t port, tls_port, stamp_port, status_port;
	int64_t uplink_mbps, per_test_mbps, tests, tests_per_address, streams;
	int64_t test_time_ms, hour_bytes, day_bytes;
	int64_t stamp_rate, stamp_source_rate, stamp_sessions;
	bool behind_proxy;
	int log_level; ///< index into "error warning notice info debug"
};

extern const struct sp_option sp_anchor_options[];

/// Reads and checks; fills `tests` and `tests_per_address` where they were left to us. Mistakes go to
/// `errors`. 0 or -EINVAL. To be freed in either case. `text` NULL: the file is read.
int sp_anchor_config_read(struct sp_anchor_config *out, const char *file, const char *text,
			  struct sp_config_errors *errors) SP_MUST_CHECK;
void sp_anchor_config_free(struct sp_anchor_config *config);
