// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What /metrics tells of the store at one moment: read at once and kept close, some 300 bytes a line, so that
// the text of 41,000 schools (tens of megabytes) never stands anywhere as a whole.
#pragma once

#include "agent/base/buf.h"
#include "tools/hub/ops/expo.h"
#include "tools/hub/store/store.h"

struct sp_snapshot;

/// Within sp_store_read_begin(). 0, -errno of the store, -EFBIG. `sites`: also each line's own.
int sp_snapshot_new(struct sp_snapshot **out, struct sp_store *store, bool sites,
		    int64_t now_ms) SP_MUST_CHECK;
struct sp_snapshot *sp_snapshot_hold(struct sp_snapshot *snapshot);
/// The last one frees it.
void sp_snapshot_release(struct sp_snapshot *snapshot);
/// When it was read.
int64_t sp_snapshot_ms(const struct sp_snapshot *snapshot);

/// The hub's own gauges, whole.
void sp_snapshot_hub(const struct sp_snapshot *snapshot, struct sp_buf *out, enum sp_expo_format format);

/// Each line's gauges, piece by piece.
struct sp_snapshot_walk {
	const struct sp_snapshot *snapshot;
	enum sp_expo_format format;
	const char *area, *school; ///< NULL: all. An area is a path from the top, with all that is below it
	size_t family, row;
};
/// Appends some more; false when there was no more.
bool sp_snapshot_sites(struct sp_snapshot_walk *walk, struct sp_buf *out);
