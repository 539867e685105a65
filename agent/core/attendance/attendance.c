// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The object that kiosks share: its keys, and what is due from time to time.
#include "agent/core/attendance/attendance.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "agent/base/mem.h"
#include "agent/core/attendance/priv.h"
#include "schoolpulse/log.h"

/// In the journal's durable state: which keys this board has, so that their loss is not taken for a new
/// board.
#define KEYS_KNOWN "attendance.keys"

static const int64_t HOUR_US = 3600 * INT64_C(1000000);

static void open_keys(struct sp_attendance *set)
{
	const struct sp_attendance_config *config = &set->config;
	char *known = config->get(config->arg, KEYS_KNOWN), now[9];
	char why[SP_KEYS_WHY] = "";
	int result = sp_keys_open(&set->keys, config->state_dir, known != NULL, why);
	if (result) {
		if (strcmp(why, set->why) != 0)
			sp_err("attendance", "no event of a kiosk is taken: %s", why);
		memcpy(set->why, why, sizeof(why));
		free(known);
		return;
	}
	if (set->why[0])
		sp_notice("attendance", "the keys are there again");
	set->why[0] = '\0';
	sp_keys_fingerprint(set->keys, now);
	if (known && strcmp(known, now) != 0)
		sp_notice("attendance", "other keys than before: %s, %s until now", now, known);
	if (!known || strcmp(known, now) != 0)
		config->put(config->arg, KEYS_KNOWN, now);
	free(known);
}

/// Persons may ask to be told or forgotten also when nothing more may be taken: a board that ever had keys
/// has them on.
static bool needs_keys(const struct sp_attendance_config *config)
{
	if (sp_attendance_allowed(config->conf))
		return true;
	char *known = config->get(config->arg, KEYS_KNOWN);
	free(known);
	return known != NULL;
}

struct sp_attendance *sp_attendance_new(const struct sp_attendance_config *config)
{
	struct sp_attendance *set = sp_alloc(sizeof(*set));
	set->config = *config;
	if (!needs_keys(config))
		return set;
	prctl(PR_SET_DUMPABLE, 0); // as for numbers of persons (kiosk.c)
	open_keys(set);
	return set;
}

void sp_attendance_free(struct sp_attendance *set)
{
	if (!set)
		return;
	for (size_t i = 0; i < set->count; i++) {
		free(set->kiosks[i]->name);
		free(set->kiosks[i]->driver);
		free(set->kiosks[i]->same);
		free(set->kiosks[i]);
	}
	free(set->kiosks);
	sp_keys_free(set->keys);
	free(set);
}

struct sp_keys *sp_attendance_keys(struct sp_attendance *set)
{
	return set->keys;
}

const char *sp_attendance_refused(const struct sp_attendance *set)
{
	return set->why[0] ? set->why : NULL;
}

int sp_attendance_restore(struct sp_attendance *set, const struct sp_key_set *keys)
{
	const struct sp_attendance_config *config = &set->config;
	char now[9];
	if (!sp_attendance_allowed(config->conf))
		return -EPERM;
	int result = set->keys ? sp_keys_replace(set->keys, keys)
			       : sp_keys_install(&set->keys, config->state_dir, keys);
	if (result)
		return result;
	set->why[0] = '\0';
	sp_keys_fingerprint(set->keys, now);
	config->put(config->arg, KEYS_KNOWN, now);
	return 0;
}

void sp_attendance_hub_keeps(struct sp_attendance *set, int64_t days)
{
	// Several hubs may have our events: the one that keeps them longest counts.
	if (days > set->hub_days)
		set->hub_days = days;
}

/// A key goes when neither hub nor card can hold an event of its school year any more.
static void forget_keys(struct sp_attendance *set, const struct sp_clock_reading *now)
{
	const struct sp_attendance_conf *conf = set->config.conf;
	if (!set->keys || set->hub_days <= 0 || !now->synced || now->mono_us - set->day_us < HOUR_US)
		return;
	set->day_us = now->mono_us;
	int64_t held_ms = set->hub_days * SP_DAY_MS + conf->keep_ms + conf->unsent_ms;
	int32_t year = sp_school_year(now->wall_ms - held_ms, conf->year_month, conf->year_day);
	int result = sp_keys_forget(set->keys, year);
	if (result < 0)
		sp_warning("attendance", "keys of school years before %d are not deleted: %s", year,
			   strerror(-result));
	else if (result > 0)
		sp_notice("attendance", "keys of school years before %d are deleted: %d", year, result);
}

void sp_attendance_look(struct sp_attendance *set)
{
	struct sp_clock_reading now = sp_clock_now();
	for (size_t i = 0; i < set->count; i++) {
		sp_kiosk_ask_today(set->kiosks[i], &now);
		sp_kiosk_look(set->kiosks[i], now.mono_us);
	}
	// The disk was full, or somebody has put the file back.
	if (set->why[0])
		open_keys(set);
	forget_keys(set, &now);
}
