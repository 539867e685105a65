// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Regional incidents that last, and which lines are part of one, as /metrics tells them: so that an alarm for
// a line can be left out where there is one for all.
#pragma once

#include "agent/base/buf.h"
#include "tools/hub/ops/expo.h"
#include "tools/hub/store/store.h"

struct sp_affected;

/// Within sp_store_read_begin(). 0 or -errno of the store; *out is the caller's in either case.
int sp_affected_read(struct sp_affected **out, struct sp_store *store) SP_MUST_CHECK;
void sp_affected_free(struct sp_affected *affected);
/// The incident that a board's line is part of and not yet back from; 0: none.
int64_t sp_affected_by(const struct sp_affected *affected, const char *device, const char *line);
void sp_affected_expose(const struct sp_affected *affected, struct sp_buf *out, enum sp_expo_format format);
