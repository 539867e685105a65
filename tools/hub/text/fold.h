// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Vietnamese as people type it in a hurry: without marks, in small letters.
#pragma once

#include <stddef.h>

/// "Lệ Thủy" → "le thuy"; what is no Vietnamese letter stays. At most size - 1 bytes. Returns `out`.
char *sp_fold_vi(const char *text, char *out, size_t size);
