// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The register: which line of which site of which school each board speaks for. One CSV file is
// the whole of it; import replaces all or nothing.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "agent/base/config.h"

enum { SP_REGISTER_FILE_MAX = 64 * 1024 * 1024 };

struct sp_register_line {
	unsigned csv_line;
	char *area; ///< path from the province down, "Quảng Bình/Lệ Thủy"; may be ""
	char *school, *school_name;
	char *site, *site_name;
	char *line, *provider, *contract;
	double down_mbps, up_mbps; ///< bought; 0: not known
	char *zone, *timetable;
	char *device, *shard; ///< both "" where no board stands yet
};

struct sp_register {
	struct sp_register_line *lines;
	size_t count;
};

/// Reads the whole text; every mistake is a line "file:LINE: column 'x': …" in `errors`.
/// 0, or -EINVAL when errors were added.
int sp_register_parse(struct sp_register *out, const char *file, const char *text, size_t length,
		      struct sp_config_errors *errors) SP_MUST_CHECK;
/// The same from a file; an unreadable one is an error line, too.
int sp_register_read(struct sp_register *out, const char *file,
		     struct sp_config_errors *errors) SP_MUST_CHECK;
void sp_register_free(struct sp_register *reg);
