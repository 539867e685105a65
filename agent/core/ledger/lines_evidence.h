// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The evidence of a line's outages: lists of {rung, family, status, detail, reason, host, rtt_seconds}.
#pragma once

#include "agent/core/ledger/lines_priv.h"
#include "schoolpulse/record.h"

/// A list as the fields of a record; they point into it.
struct sp_evidence_fields {
	struct sp_field items[SP_EVIDENCE_MAX];
	struct sp_field members[SP_EVIDENCE_MAX][7];
	size_t count;
};
void sp_evidence_fields(const struct cJSON *list, struct sp_evidence_fields *out);

/// What is told with that outage: what was seen when its headline became what it is. The line's own.
const struct cJSON *sp_line_evidence(struct sp_line *line, const struct sp_outage *outage,
				     enum sp_outage_phase phase);
/// It has closed, and stands last in the history.
void sp_line_evidence_closed(struct sp_line *line);
void sp_line_evidence_free(struct sp_line *line);
/// After the ledger's own state was loaded.
void sp_line_load_evidence(struct sp_line *line);
/// A copy of what a card holds, NULL when it is no evidence.
struct cJSON *sp_evidence_checked(const struct cJSON *list);
