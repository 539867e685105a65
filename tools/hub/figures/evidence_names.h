// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Numbers for names: 0 for the first one, 1 for the next new one, … A table that grows with what is put in.
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct sp_names {
	char **texts; ///< by number
	size_t count;
	size_t *slots; ///< number + 1; 0: free
	size_t room;   ///< of slots: a power of two, at most half used
};

bool sp_names_known(const struct sp_names *names, const char *text);
size_t sp_names_number(struct sp_names *names, const char *text);
void sp_names_free(struct sp_names *names);
