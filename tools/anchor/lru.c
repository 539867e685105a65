// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Rows in one array; chains of a hash and the order of use are links between their numbers.
#include "tools/anchor/lru.h"

#include <string.h>

#include "agent/base/mem.h"

enum { NONE = UINT32_MAX };

struct row {
	uint8_t key[SP_LRU_KEY];
	uint32_t next;           ///< in the chain
	uint32_t older, younger; ///< in the order of use
};

struct sp_lru {
	size_t capacity, count, buckets, value_size;
	uint64_t secret;
	struct row *rows;
	uint8_t *values;
	uint32_t *chains;
	uint32_t oldest, youngest;
};

struct sp_lru *sp_lru_new(size_t capacity, size_t value_size, uint64_t secret)
{
	struct sp_lru *lru = sp_alloc(sizeof(*lru));
	lru->capacity = capacity;
	lru->value_size = (value_size + 7) & ~(size_t)7;
	lru->secret = secret | 1;
	for (lru->buckets = 64; lru->buckets < capacity;)
		lru->buckets *= 2;
	lru->rows = sp_alloc(capacity * sizeof(*lru->rows));
	lru->values = sp_alloc(capacity * lru->value_size);
	lru->chains = sp_alloc(lru->buckets * sizeof(*lru->chains));
	memset(lru->chains, 0xff, lru->buckets * sizeof(*lru->chains));
	lru->oldest = lru->youngest = NONE;
	return lru;
}

void sp_lru_free(struct sp_lru *lru)
{
	if (!lru)
		return;
	free(lru->rows);
	free(lru->values);
	free(lru->chains);
	free(lru);
}

static uint32_t *chain_of(struct sp_lru *lru, const uint8_t key[SP_LRU_KEY])
{
	uint64_t hash = lru->secret;
	for (size_t i = 0; i < SP_LRU_KEY; i += 8) {
		uint64_t word;
		memcpy(&word, key + i, sizeof(word));
		hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 29 ^ lru->secret;
	}
	return &lru->chains[(hash ^ hash >> 32) & (lru->buckets - 1)];
}

static void unlink_order(struct sp_lru *lru, uint32_t number)
{
	struct row *row = &lru->rows[number];
	if (row->older != NONE)
		lru->rows[row->older].younger = row->younger;
	else
		lru->oldest = row->younger;
	if (row->younger != NONE)
		lru->rows[row->younger].older = row->older;
	else
		lru->youngest = row->older;
}

static void link_youngest(struct sp_lru *lru, uint32_t number)
{
	struct row *row = &lru->rows[number];
	row->older = lru->youngest;
	row->younger = NONE;
	if (lru->youngest != NONE)
		lru->rows[lru->youngest].younger = number;
	else
		lru->oldest = number;
	lru->youngest = number;
}

static uint32_t take_oldest(struct sp_lru *lru)
{
	uint32_t number = lru->oldest;
	uint32_t *link = chain_of(lru, lru->rows[number].key);
	while (*link != number)
		link = &lru->rows[*link].next;
	*link = lru->rows[number].next;
	unlink_order(lru, number);
	return number;
}

void *sp_lru_use(struct sp_lru *lru, const uint8_t key[SP_LRU_KEY])
{
	uint32_t *chain = chain_of(lru, key), number = *chain;
	while (number != NONE && memcmp(lru->rows[number].key, key, SP_LRU_KEY) != 0)
		number = lru->rows[number].next;
	if (number != NONE) {
		unlink_order(lru, number);
	} else {
		number = lru->count < lru->capacity ? (uint32_t)lru->count++ : take_oldest(lru);
		memcpy(lru->rows[number].key, key, SP_LRU_KEY);
		memset(lru->values + number * lru->value_size, 0, lru->value_size);
		lru->rows[number].next = *chain;
		*chain = number;
	}
	link_youngest(lru, number);
	return lru->values + number * lru->value_size;
}

size_t sp_lru_count(const struct sp_lru *lru)
{
	return lru->count;
}
