// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Mistakes in [speedtests] and [commands], and their texts turned into what the scheduler needs.
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/sign.h"
#include "agent/core/settings.h"
#include "schoolpulse/clock.h"

struct check {
	struct sp_settings *settings;
	struct sp_config_errors *errors, *warnings;
};

static const char *file_of(const struct check *check)
{
	return check->settings->config.file;
}

static unsigned at(const struct check *check, const char *key)
{
	return sp_settings_line(check->settings, "speedtests", key);
}

/// Puts a window where it belongs in time; what it overlaps is a mistake.
static void add_window(const struct check *check, const char *text, const struct sp_speed_window *window)
{
	struct sp_speed_times *times = &check->settings->speedtests.times;
	size_t to = times->window_count;
	for (size_t i = 0; i < times->window_count; i++) {
		if (window->from_s < times->windows[i].to_s && times->windows[i].from_s < window->to_s) {
			sp_config_error(check->errors, file_of(check), at(check, "windows"),
					"windows: %s overlaps another", text);
			return;
		}
	}
	for (; to > 0 && times->windows[to - 1].from_s > window->from_s; to--)
		times->windows[to] = times->windows[to - 1];
	times->windows[to] = *window;
	times->window_count++;
}

static void read_windows(const struct check *check)
{
	const struct sp_strings *texts = &check->settings->speedtests.windows;
	int64_t samples = check->settings->speedtests.samples;
	for (size_t i = 0; i < texts->count && i < SP_SPEED_WINDOWS; i++) {
		struct sp_speed_window window;
		int result = sp_speed_window_parse(texts->items[i], &window);
		if (result) {
			sp_config_error(check->errors, file_of(check), at(check, "windows"),
					result == -ERANGE ? "windows: %s ends before it begins"
							  : "windows: %s is not written as in 07:00-09:30",
					texts->items[i]);
			continue;
		}
		if (sp_speed_window_room(&window) < samples)
			sp_config_error(check->errors, file_of(check), at(check, "samples"),
					"samples = %" PRId64 ": the window %s has room for %u (10 min each)",
					samples, texts->items[i], sp_speed_window_room(&window));
		add_window(check, texts->items[i], &window);
	}
}

static void read_days(const struct check *check)
{
	struct sp_speedtests_conf *conf = &check->settings->speedtests;
	for (size_t i = 0; i < conf->days.count; i++)
		if (sp_speed_days_parse(conf->days.items[i], &conf->times.days))
			sp_config_error(check->errors, file_of(check), at(check, "days"),
					"days: %s is not a day or a range of days, as in mon-sat",
					conf->days.items[i]);
}

static void read_quiets(const struct check *check)
{
	struct sp_speedtests_conf *conf = &check->settings->speedtests;
	int64_t now_ms = sp_clock_now().wall_ms;
	for (size_t i = 0; i < conf->quiet.count && i < SP_SPEED_QUIETS; i++) {
		struct sp_speed_quiet quiet;
		int result = sp_speed_quiet_parse(conf->quiet.items[i], &quiet);
		if (result) {
			sp_config_error(check->errors, file_of(check), at(check, "quiet"),
					result == -ERANGE
					    ? "quiet: %s ends before it begins"
					    : "quiet: %s is not written as in 2026-06-10 07:00/2026-06-12 "
					      "17:00, or a date alone",
					conf->quiet.items[i]);
			continue;
		}
		if (quiet.to_ms <= now_ms)
			sp_config_error(check->warnings, file_of(check), at(check, "quiet"),
					"quiet: %s is over", conf->quiet.items[i]);
		conf->times.quiets[conf->times.quiet_count++] = quiet;
	}
}

/// A file that is not there yet is a warning, as with certificates; one that is no key, or the wrong half of
/// one, a mistake.
static void check_key(const struct check *check, const char *file)
{
	char why[SP_SIGN_WHY];
	struct sp_sign_key *key = sp_sign_public(file, why);
	if (!key)
		sp_config_error(access(file, R_OK) < 0 ? check->warnings : check->errors, file_of(check),
				sp_settings_line(check->settings, "commands", "key_file"),
				"key_file = %s: %s", file, why);
	sp_sign_free(key);
}

static void check_commands(const struct check *check)
{
	static const char *const known[] = {"speedtest"};
	const struct sp_commands_conf *conf = &check->settings->commands;
	unsigned line = sp_settings_line(check->settings, "commands", "allow");
	for (size_t i = 0; i < conf->allow.count; i++) {
		const char *word = conf->allow.items[i];
		if (strcmp(word, known[0]) == 0)
			continue;
		const char *meant = sp_config_suggest(word, known, SP_COUNT(known));
		sp_config_error(check->errors, file_of(check), line, "allow: there is no command %s%s%s%s",
				word, meant ? "; did you mean " : "", meant ? meant : "", meant ? "?" : "");
	}
	if (conf->key_file && conf->key_file[0])
		check_key(check, conf->key_file);
}

void sp_settings_check_speed(struct sp_settings *settings, struct sp_config_errors *errors,
			     struct sp_config_errors *warnings)
{
	struct check check = {.settings = settings, .errors = errors, .warnings = warnings};
	struct sp_speedtests_conf *conf = &settings->speedtests;
	read_windows(&check);
	read_days(&check);
	read_quiets(&check);
	conf->times.samples = (unsigned)conf->samples;
	if (conf->patience_ms > 0 && conf->patience_ms < conf->retry_ms)
		sp_config_error(errors, file_of(&check), at(&check, "patience"),
				"patience is shorter than retry");
	check_commands(&check);
}
