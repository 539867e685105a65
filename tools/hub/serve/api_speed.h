// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The API's answers about speed. README.md is their contract, ../figures/README.md says what it means.
#pragma once

#include "tools/hub/serve/api.h"
#include "tools/hub/time/period.h"

int sp_api_speed(struct sp_store *store, const struct sp_period *period, const char *provider,
		 const char *plan, const struct sp_evidence_rules *rules, struct sp_buf *out) SP_MUST_CHECK;
int sp_api_site_speeds(struct sp_store *store, const struct sp_period *period,
		       struct sp_buf *out) SP_MUST_CHECK;
int sp_api_tests(struct sp_store *store, const struct sp_test_filter *filter,
		 struct sp_buf *out) SP_MUST_CHECK;
/// The same object from evidence that was gathered already: also what `speed --json` prints.
void sp_api_evidence(struct sp_evidence *evidence, const struct sp_period *period, struct sp_buf *out);
