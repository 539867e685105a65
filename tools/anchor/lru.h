// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A table of fixed size: who is new takes the place of who was silent longest. Nothing is allocated after
// its making, and nobody outside can choose the chain that he lands in.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct sp_lru;

enum { SP_LRU_KEY = 24 }; ///< bytes; unused ones are zero

/// `value_size` bytes each, aligned for int64_t, zeroed for who is new. `secret` is random.
struct sp_lru *sp_lru_new(size_t capacity, size_t value_size, uint64_t secret);
void sp_lru_free(struct sp_lru *lru);
/// The value of this key, which is now the youngest; valid until the next call.
void *sp_lru_use(struct sp_lru *lru, const uint8_t key[SP_LRU_KEY]);
size_t sp_lru_count(const struct sp_lru *lru);
