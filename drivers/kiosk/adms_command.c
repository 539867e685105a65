// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What we ask a terminal, one question at a time in answer to its polls, and only such as read: what it is
// (on connecting and daily), how many events it has of yesterday, and those events again when fewer came.
#include "adms.h"
#include "civil_time.h"
#include "schoolpulse/log.h"

enum {
	FIRST_HOUR = 1, ///< from which on a day that is over is counted
};
#define MINUTE_US INT64_C(60000000)
static const int64_t PATIENCE_US = 10 * MINUTE_US; ///< after which a command is given up
static const int64_t QUIET_US = 5 * MINUTE_US;     ///< without events, before it is made to look for old ones
static const int64_t ROWS_US = 2 * MINUTE_US;      ///< in which events that were asked for again arrive

bool adms_today(struct sp_device *dev, int32_t *day, int *hour)
{
	int64_t t_ms, err_ms;
	if (!sp_clock_known(dev, &t_ms, &err_ms))
		return false;
	struct sp_civil now = sp_civil_of(t_ms, adms_zone_s(sp_device_conf(dev)));
	*day = sp_civil_day(&now);
	*hour = now.hour;
	return true;
}

static int64_t taken(const struct adms *a, int32_t day)
{
	for (size_t i = 0; i < ADMS_DAYS; i++)
		if (a->tally[i].day == day)
			return a->tally[i].taken;
	return 0;
}

void adms_command_taken(struct adms *a, int32_t day)
{
	struct adms_tally *oldest = &a->tally[0];
	for (size_t i = 0; i < ADMS_DAYS; i++) {
		if (a->tally[i].day == day) {
			a->tally[i].taken++;
			return;
		}
		if (a->tally[i].day < oldest->day)
			oldest = &a->tally[i];
	}
	if (day > oldest->day)
		*oldest = (struct adms_tally){day, 1};
}

/// Which one next; false: none.
static bool choose(struct sp_device *dev, struct adms *a, enum sp_adms_command *command)
{
	if (a->want_check) {
		a->want_check = false;
		*command = SP_ADMS_CHECK;
		return true;
	}
	if (a->want_info) {
		int32_t today;
		int hour;
		a->want_info = false;
		if (adms_today(dev, &today, &hour))
			a->info_day = today;
		*command = SP_ADMS_INFO;
		return true;
	}
	// Never in the rush.
	if (a->event_us && sp_device_now_us(dev) - a->event_us < QUIET_US)
		return false;
	if (a->want_sum && !a->no_sums) {
		a->want_sum = false;
		*command = SP_ADMS_SUM;
		return true;
	}
	if (a->want_query) {
		a->want_query = false;
		*command = SP_ADMS_QUERY;
		return true;
	}
	return false;
}

size_t adms_command_next(struct sp_device *dev, char out[SP_ADMS_REPLY_MAX])
{
	struct adms *a = sp_device_state(dev);
	enum sp_adms_command command;
	if (a->asked.open || !choose(dev, a, &command))
		return 0;
	a->asked =
	    (struct adms_asked){true, ++a->last_id % 1000000, command, a->sum_day, sp_device_now_us(dev)};
	return sp_adms_reply_command(out, a->asked.id, command, a->sum_day);
}

static void on_sum(struct sp_device *dev, struct adms *a, const struct sp_adms_result *result)
{
	if (result->sum < 0) {
		a->no_sums = true;
		sp_info("adms", "\"%s\": it cannot count a day's events", sp_device_name(dev));
		return;
	}
	a->total = result->sum;
	a->total_at_us = sp_device_now_us(dev);
	// Also right when we were restarted and did not count all of the day: what is sent again is known.
	if (taken(a, a->asked.day) >= result->sum)
		return;
	a->want_query = true;
	a->total_at_us += PATIENCE_US + ROWS_US;
}

void adms_command_result(const struct sp_adms_result *result, void *arg)
{
	struct sp_device *dev = arg;
	struct adms *a = sp_device_state(dev);
	if (!a->asked.open || result->id != a->asked.id)
		return;
	a->asked.open = false;
	switch (a->asked.command) {
	case SP_ADMS_INFO:
	case SP_ADMS_CHECK:
		return;
	case SP_ADMS_SUM:
		on_sum(dev, a, result);
		return;
	case SP_ADMS_QUERY:
		if (a->total_at_us)
			a->total_at_us = sp_device_now_us(dev) + ROWS_US;
		return;
	}
}

static void new_day(struct adms *a, int32_t today, int hour)
{
	if (a->info_day != today) {
		a->want_info = true;
		a->info_day = today;
	}
	if (hour >= FIRST_HOUR && a->sum_day != today - 1 && !a->asked.open && !a->total_at_us) {
		a->sum_day = today - 1;
		a->want_sum = true;
		a->want_query = false;
	}
}

void adms_command_tick(struct sp_device *dev)
{
	struct adms *a = sp_device_state(dev);
	int64_t now_us = sp_device_now_us(dev);
	int32_t today;
	int hour;
	if (a->asked.open && now_us - a->asked.at_us > PATIENCE_US)
		a->asked.open = false;
	if (a->total_at_us && now_us >= a->total_at_us) {
		a->total_at_us = 0;
		sp_kiosk_total(dev, a->sum_day, a->total);
	}
	if (adms_today(dev, &today, &hour))
		new_day(a, today, hour);
}
