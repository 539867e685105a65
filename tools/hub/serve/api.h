// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The answers of the JSON API, as text. README.md is their contract.
#pragma once

#include "agent/base/buf.h"
#include "tools/hub/store/store.h"

enum { SP_API_MAX = 256 * 1024 * 1024 }; ///< bytes of one answer

/// "running", "disconnected", "stopped" or "never": what ingest says, or its silence.
const char *sp_api_ingest(const struct sp_store_status *status, int64_t now_ms);

/// `"name":[…]` or whole objects are appended to `out`. 0 or -errno of the store.
int sp_api_overview(struct sp_store *store, const struct sp_store_status *status, int64_t now_ms,
		    struct sp_buf *out) SP_MUST_CHECK;
int sp_api_outages(struct sp_store *store, const struct sp_outage_filter *filter,
		   struct sp_buf *out) SP_MUST_CHECK;
int sp_api_silences(struct sp_store *store, const char *device, int64_t limit,
		    struct sp_buf *out) SP_MUST_CHECK;
int sp_api_day(struct sp_store *store, const char *date, int64_t from_ms, int64_t now_ms,
	       struct sp_buf *out) SP_MUST_CHECK;
int sp_api_devices(struct sp_store *store, const char *device, struct sp_buf *out) SP_MUST_CHECK;
int sp_api_facts(struct sp_store *store, const char *device, bool all_classes, int64_t after, int64_t limit,
		 struct sp_buf *out) SP_MUST_CHECK;
int sp_api_anomalies(struct sp_store *store, struct sp_buf *out) SP_MUST_CHECK;
int sp_api_gaps(struct sp_store *store, struct sp_buf *out) SP_MUST_CHECK;
/// One fact as an object: also what `facts --json` prints.
void sp_api_fact(struct sp_buf *out, const struct sp_fact_view *fact);
