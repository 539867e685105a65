// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The API's answers about regional incidents, as text: also what `incidents --json` prints; and summed up
// samples.
#pragma once

#include "agent/base/buf.h"
#include "tools/hub/store/store_sums.h"

/// With the members of each, when `members` is not 0: at most so many.
int sp_api_incidents(struct sp_store *store, const struct sp_incident_filter *filter, int64_t members,
		     struct sp_buf *out) SP_MUST_CHECK;
int sp_api_samples(struct sp_store *store, const struct sp_sample_filter *filter,
		   struct sp_buf *out) SP_MUST_CHECK;
