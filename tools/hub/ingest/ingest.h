// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Ingest: from the broker into the store, and only after the commit back to the boards (ack) and to
// the people (site topics).
#pragma once

#include "tools/hub/hub_config.h"

struct sp_ingest;

/// Starts a session thread per shard and the commit thread. `config` must outlive it. 0; -errno with
/// `why` when it could never work: another ingest on this database, a newer schema, unreadable keys.
/// A broker or a disk that fails is waited for.
int sp_ingest_start(struct sp_ingest **out, const struct sp_hub_config *config, char why[256]) SP_MUST_CHECK;
/// Commits what was taken, sends the acknowledgements, says "offline", joins.
void sp_ingest_stop(struct sp_ingest *ingest);
