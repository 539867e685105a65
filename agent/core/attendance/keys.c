// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The keys in memory, and what is asked of them (keys.h).
#include "agent/core/attendance/keys_priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/hmac.h"
#include "agent/base/ids.h"
#include "agent/base/mem.h"
#include "agent/base/secret.h"
#include "agent/core/attendance/day.h"

int32_t sp_school_year(int64_t t_ms, unsigned starts_month, unsigned starts_day)
{
	struct sp_date date = sp_day_date(sp_local_day(t_ms));
	bool begun = date.month > starts_month || (date.month == starts_month && date.day >= starts_day);
	return begun ? date.year : date.year - 1;
}

int sp_keys_open(struct sp_keys **out, const char *dir, bool had, char why[SP_KEYS_WHY])
{
	struct sp_keys *keys = sp_alloc(sizeof(*keys));
	keys->dir = sp_strdup(dir);
	keys->set = sp_secret_new(sizeof(*keys->set));
	int result = sp_keys_load(keys, why);
	if ((result == -ENOENT && !had) || result == -ENODATA) {
		*keys->set = (struct sp_key_set){0};
		sp_random_bytes(keys->set->event, SP_KEY_LENGTH);
		result = sp_keys_save(keys);
		if (result)
			snprintf(why, SP_KEYS_WHY, "%s/%s cannot be made: %s", dir, SP_KEYS_FILE,
				 strerror(-result));
	} else if (result == -ENOENT) {
		result = -ENOKEY;
		snprintf(why, SP_KEYS_WHY,
			 "%s/%s is gone, and without it nobody can be forgotten: put it back, or restore it "
			 "from the key back-up",
			 dir, SP_KEYS_FILE);
	}
	if (result) {
		sp_keys_free(keys);
		return result;
	}
	*out = keys;
	return 0;
}

int sp_keys_install(struct sp_keys **out, const char *dir, const struct sp_key_set *set)
{
	struct sp_keys *keys = sp_alloc(sizeof(*keys));
	keys->dir = sp_strdup(dir);
	keys->set = sp_secret_new(sizeof(*keys->set));
	*keys->set = *set;
	int result = sp_keys_save(keys);
	if (result)
		sp_keys_free(keys);
	else
		*out = keys;
	return result;
}

void sp_keys_free(struct sp_keys *keys)
{
	if (!keys)
		return;
	sp_secret_free(keys->set, sizeof(*keys->set));
	free(keys->dir);
	free(keys);
}

const struct sp_key_set *sp_keys_set(const struct sp_keys *keys)
{
	return keys->set;
}

void sp_keys_fingerprint(const struct sp_keys *keys, char out[9])
{
	static const char what[] = "fingerprint";
	uint8_t bits[SP_HMAC_LENGTH];
	sp_hmac(keys->set->event, SP_KEY_LENGTH, what, sizeof(what) - 1, bits);
	snprintf(out, 9, "%02x%02x%02x%02x", bits[0], bits[1], bits[2], bits[3]);
}

const uint8_t *sp_keys_find(const struct sp_keys *keys, int32_t year)
{
	for (size_t i = 0; i < keys->set->count; i++)
		if (keys->set->years[i].year == year)
			return keys->set->years[i].key;
	return NULL;
}

int sp_keys_year(struct sp_keys *keys, int32_t year, const uint8_t **out)
{
	*out = sp_keys_find(keys, year);
	if (*out)
		return 0;
	struct sp_key_set *set = keys->set;
	if (year < SP_KEY_YEAR_LEAST || year > SP_KEY_YEAR_MOST || set->count == SP_KEY_YEARS_MAX)
		return -ENOSPC;
	size_t place = set->count;
	while (place > 0 && set->years[place - 1].year > year)
		place--;
	memmove(&set->years[place + 1], &set->years[place], (set->count - place) * sizeof(set->years[0]));
	set->years[place].year = year;
	sp_random_bytes(set->years[place].key, SP_KEY_LENGTH);
	set->count++;
	int result = sp_keys_save(keys);
	if (result) {
		set->count--;
		memmove(&set->years[place], &set->years[place + 1],
			(set->count - place) * sizeof(set->years[0]));
		explicit_bzero(&set->years[set->count], sizeof(set->years[0]));
		return result;
	}
	*out = set->years[place].key;
	return 0;
}

int sp_keys_forget(struct sp_keys *keys, int32_t year)
{
	struct sp_key_set *set = keys->set;
	size_t old = 0;
	while (old < set->count && set->years[old].year < year)
		old++;
	if (old == 0)
		return 0;
	struct sp_key_set *kept = sp_secret_new(sizeof(*kept));
	*kept = *set;
	kept->count -= old;
	memmove(&kept->years[0], &kept->years[old], kept->count * sizeof(kept->years[0]));
	explicit_bzero(&kept->years[kept->count], old * sizeof(kept->years[0]));
	int result = sp_keys_replace(keys, kept);
	sp_secret_free(kept, sizeof(*kept));
	return result ? result : (int)old;
}

int sp_keys_replace(struct sp_keys *keys, const struct sp_key_set *set)
{
	struct sp_key_set *before = sp_secret_new(sizeof(*before));
	*before = *keys->set;
	*keys->set = *set;
	int result = sp_keys_save(keys);
	if (result)
		*keys->set = *before;
	sp_secret_free(before, sizeof(*before));
	return result;
}
