// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What an import would leave behind, and whether it holds together: everything a row names is there. Pure.
#pragma once

#include "tools/hub/register/file.h"

/// Of each relation what holds from the import on: the files' rows, and those stored ones that no file
/// replaces. Rows of the store have no file and no line (SP_REGISTER_STORED).
struct sp_register_outcome {
	struct sp_rel_rows rows[SP_RELATIONS];
	bool touched[SP_RELATIONS]; ///< differs from what is stored, perhaps
};
#define SP_REGISTER_STORED UINT32_MAX

struct sp_register_moment {
	int64_t ms; ///< what is changed holds from then on
	int64_t day;
	bool partial; ///< what no file names stays as it is
	bool first;   ///< what is said for the first time holds for all time before, too
};

/// `stored` is sorted by key; rows of areas of schools have the area's code there, too, not its number.
/// -EINVAL when files' rows name what is not there; the errors stand with the files.
int sp_register_outcome(struct sp_register_set *set, const struct sp_rel_rows stored[SP_RELATIONS],
			const struct sp_register_moment *from, struct sp_register_outcome *out) SP_MUST_CHECK;
void sp_register_outcome_free(struct sp_register_outcome *outcome);
