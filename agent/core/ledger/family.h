// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// One family's rungs and the verdict on them: judge.c judges it, families.c puts two together.
#pragma once

#include "agent/core/ledger/judge.h"

struct sp_ledger_family {
	struct sp_rung_view rungs[SP_RUNGS];
	/// Portal and service were measured without regard to a family, and there are two: an answer came by
	/// one of them, and says nothing of the other's path.
	bool shared[SP_RUNGS];
	struct sp_verdict verdict;
	int reach; ///< the first rung that does not answer; SP_RUNGS: all do; -1: nothing is measured
};

void sp_ledger_judge_family(struct sp_ledger_family *family);
