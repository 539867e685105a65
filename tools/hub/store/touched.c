// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Ids of what a transaction touched: noted as they come, each once when they are read.
#include <stdlib.h>

#include "agent/base/mem.h"
#include "tools/hub/store/store_priv.h"

void sp_touch(struct sp_touched *touched, int64_t id)
{
	if (touched->count > 0 && touched->ids[touched->count - 1] == id)
		return;
	if (touched->count == touched->room) {
		touched->room = touched->room ? touched->room * 2 : 64;
		touched->ids = sp_realloc(touched->ids, touched->room * sizeof(*touched->ids));
	}
	touched->ids[touched->count++] = id;
}

static int ascending(const void *left, const void *right)
{
	const int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
	return a < b ? -1 : a > b;
}

void sp_touched_sort(struct sp_touched *touched)
{
	size_t unique = 0;
	if (touched->count > 1)
		qsort(touched->ids, touched->count, sizeof(*touched->ids), ascending);
	for (size_t i = 0; i < touched->count; i++) {
		if (unique == 0 || touched->ids[unique - 1] != touched->ids[i])
			touched->ids[unique++] = touched->ids[i];
	}
	touched->count = unique;
}
