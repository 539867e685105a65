// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Members of JSON objects that somebody else wrote: one that is not there, or of another type, is none.
#pragma once

#include <cjson/cJSON.h>
#include <stdbool.h>

/// NULL: not there.
const cJSON *sp_member(const cJSON *json, const char *name);
/// "": no text.
const char *sp_member_text(const cJSON *json, const char *name);
/// NAN: no number.
double sp_member_number(const cJSON *json, const char *name);
bool sp_member_true(const cJSON *json, const char *name);
