// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A script in a text, a board, and its life, for tests of the fleet.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/fleet/life.h"

/// 2026-09-01 00:00 at UTC+7, a Tuesday.
#define SEPTEMBER INT64_C(1788195600000)
#define MINUTE    INT64_C(60000)
#define HOUR      (60 * MINUTE)
#define DAY       (24 * HOUR)

static inline void script_of(struct sp_script *script, const char *text)
{
	struct sp_config_errors errors = {0};
	*script = (struct sp_script){0};
	int result = sp_script_parse(script, "s", text, strlen(text), &errors);
	if (errors.count > 0)
		print_error("%s\n", errors.lines[0]);
	sp_config_errors_free(&errors);
	assert_int_equal(result, 0);
}

static inline void roster_of(struct sp_roster *roster, size_t boards)
{
	sp_roster_make(roster, boards, 1);
}
