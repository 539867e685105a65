// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Attendance and kiosks as JSON: for the API, and for the command line.
#pragma once

#include "agent/base/buf.h"
#include "tools/hub/time/period.h"
#include "tools/hub/store/store.h"

/// Curve and groups stand there for one school, or for one day.
int sp_api_attendance(struct sp_store *store, const char *school, const struct sp_period *period,
		      struct sp_buf *out) SP_MUST_CHECK;
/// Segments of the timeline stand there for one day.
int sp_api_kiosks(struct sp_store *store, const char *school, const struct sp_period *period,
		  struct sp_buf *out) SP_MUST_CHECK;
