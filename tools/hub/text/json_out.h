// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Members of a JSON object into a growing buffer; commas come by themselves.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/buf.h"

void sp_out_text(struct sp_buf *out, const char *name, const char *text);         ///< NULL: null
void sp_out_text_or_null(struct sp_buf *out, const char *name, const char *text); ///< "": null
void sp_out_int(struct sp_buf *out, const char *name, int64_t value);
void sp_out_int_or_null(struct sp_buf *out, const char *name, int64_t value);  ///< < 0: null
void sp_out_seconds_or_null(struct sp_buf *out, const char *name, int64_t ms); ///< < 0: null
/// null unless it is ≥ 0.
void sp_out_real_or_null(struct sp_buf *out, const char *name, double value);
void sp_out_bool(struct sp_buf *out, const char *name, bool value);
void sp_out_raw(struct sp_buf *out, const char *name, const char *json); ///< a JSON text
/// A '{' or '[', with `"name":` unless that is NULL.
void sp_out_open(struct sp_buf *out, const char *name, char bracket);
void sp_out_close(struct sp_buf *out, char bracket);
