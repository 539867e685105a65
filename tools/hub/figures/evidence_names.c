// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Open addressing; FNV-1a.
#include "tools/hub/figures/evidence_names.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"

enum { ROOM_FIRST = 64 };

static size_t *slot_of(const struct sp_names *names, const char *text)
{
	uint32_t hash = 2166136261U;
	for (const char *at = text; *at; at++)
		hash = (hash ^ (unsigned char)*at) * 16777619U;
	size_t slot = hash & (names->room - 1);
	while (names->slots[slot] && strcmp(names->texts[names->slots[slot] - 1], text) != 0)
		slot = (slot + 1) & (names->room - 1);
	return &names->slots[slot];
}

static void grow(struct sp_names *names)
{
	names->room = names->room ? names->room * 2 : ROOM_FIRST;
	free(names->slots);
	names->slots = sp_alloc(names->room * sizeof(*names->slots));
	names->texts = sp_realloc(names->texts, names->room / 2 * sizeof(*names->texts));
	for (size_t i = 0; i < names->count; i++)
		*slot_of(names, names->texts[i]) = i + 1;
}

bool sp_names_known(const struct sp_names *names, const char *text)
{
	return names->room > 0 && *slot_of(names, text);
}

size_t sp_names_number(struct sp_names *names, const char *text)
{
	if (names->count * 2 >= names->room)
		grow(names);
	size_t *slot = slot_of(names, text);
	if (!*slot) {
		names->texts[names->count++] = sp_strdup(text);
		*slot = names->count;
	}
	return *slot - 1;
}

void sp_names_free(struct sp_names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->texts[i]);
	free(names->texts);
	free(names->slots);
	*names = (struct sp_names){0};
}
