// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The agent's configuration: option tables of the core's own sections, one section per device, and
// the checks that only the whole file allows.
#pragma once

#include "agent/base/config.h"
#include "agent/core/device.h"
#include "agent/core/speed/times.h"

struct sp_agent_conf {
	char *state_dir, *socket;
	int log_level; ///< index into "error warning notice info debug"
	char *shard, *device;
	int64_t summary_window_ms, samples_interval_ms;
};

struct sp_mqtt_conf {
	char *host;
	int64_t port;
	char *ca_file, *cert_file, *key_file;
	char *username, *password;
	int64_t keepalive_ms, session_expiry_ms, will_delay_ms;
	int ack_mode; ///< enum sp_ack_mode
	int64_t backlog_per_second;
	int64_t resend_min_ms, resend_max_ms, reconnect_max_ms;
};

struct sp_journal_conf {
	int64_t cap_bytes;
	int64_t bulk_commit_ms, group_commit_ms, keep_settled_ms;
};

/// What leaves the school: how kiosks are; besides, counts; or, in the place of counts, events.
enum sp_publish { SP_PUBLISH_HEALTH, SP_PUBLISH_COUNTS, SP_PUBLISH_EVENTS };

struct sp_attendance_conf {
	char *legal_basis;
	int publish; ///< enum sp_publish
	int64_t keep_ms, unsent_ms;
	char *year_starts, *classes;
	int64_t slot_ms;
	unsigned year_month, year_day; ///< what `year_starts` means
};

struct sp_board_conf {
	char *root;
	int64_t interval_ms;
};

struct sp_speedtests_conf {
	bool enabled; ///< tests that nobody asks for
	struct sp_strings windows, days, quiet;
	int64_t samples;
	struct sp_speed_times times;   ///< what those texts mean
	int64_t busy_bytes_per_second; ///< more than this on the line, both ways: it is in use
	int64_t busy_cpu_percent;
	int64_t retry_ms, patience_ms;
};

struct sp_commands_conf {
	char *key_file;
	struct sp_strings allow;
};

enum sp_line_profile { SP_PROFILE_NORMAL, SP_PROFILE_FRUGAL };

struct sp_line_conf {
	const char *name; ///< the configuration's
	char *provider, *plan;
	int64_t bought_down_mbps, bought_up_mbps; ///< 0: not known
	int64_t budget_bytes;                     ///< per month; 0: no cap
	bool metered;
	int profile; ///< enum sp_line_profile
	char *egress, *shares;
	int64_t egress_adopt_ms;
};

enum { SP_SCOPE_WORD_MAX = 16 }; ///< with its end

struct sp_device_conf {
	const struct sp_driver *driver;
	const char *name; ///< the configuration's
	unsigned at;      ///< line in the file
	bool whole;       ///< each key could be read: only then the driver may look at `conf`
	struct sp_device_common common;
	void *conf;
};

struct sp_settings {
	struct sp_config config;
	struct sp_agent_conf agent;
	struct sp_mqtt_conf mqtt;
	struct sp_journal_conf journal;
	struct sp_attendance_conf attendance;
	struct sp_board_conf board;
	struct sp_speedtests_conf speedtests;
	struct sp_commands_conf commands;
	struct sp_line_conf *lines;
	size_t line_count;
	struct sp_device_conf *devices;
	size_t device_count;
};

/// Reads `file` against the core's tables and those of `drivers` (ends with NULL). Mistakes go to `errors`;
/// what is allowed but probably not meant to `warnings`. 0 or -EINVAL; free in either case.
int sp_settings_read(struct sp_settings *out, const char *file, const struct sp_driver *const *drivers,
		     struct sp_config_errors *errors, struct sp_config_errors *warnings) SP_MUST_CHECK;
void sp_settings_free(struct sp_settings *settings);

/// There are lines, and all of them are frugal: so is telemetry.
bool sp_settings_frugal(const struct sp_settings *settings);

/// What a device's option `interface` says, whichever driver it is of; NULL without.
const char *sp_device_conf_interface(const struct sp_device_conf *device);
/// The word of its option "scope"; "": it has none. `room` holds it.
const char *sp_device_conf_scope(const struct sp_device_conf *device, char room[SP_SCOPE_WORD_MAX]);

/// Where a key stands: its line, that of its section without it, 0 without either.
unsigned sp_settings_line(const struct sp_settings *settings, const char *section, const char *key);

/// The core's own sections, for checks and docs; ends with name NULL.
struct sp_core_section {
	const char *name;
	bool named; ///< [line "…"]
	const struct sp_option *options;
};
extern const struct sp_core_section sp_core_sections[];

/// The keys that the core adds to a driver's section; `interval` (24 bytes) holds the default's text.
/// Ends with key NULL.
void sp_common_options(const struct sp_driver *driver, struct sp_option out[4], char interval[24]);

// ---- settings_check.c ---------------------------------------------------------------------------

/// Checks what stands in several places of the file. Adds to both lists.
void sp_settings_check(struct sp_settings *settings, struct sp_config_errors *errors,
		       struct sp_config_errors *warnings);

// ---- settings_attendance.c ------------------------------------------------------------------------

/// A document allows events of persons to be kept.
bool sp_attendance_allowed(const struct sp_attendance_conf *conf);
/// And to be sent, each by itself.
bool sp_attendance_sends_events(const struct sp_attendance_conf *conf);

/// The same for [attendance], whose school year it reads.
void sp_settings_check_attendance(struct sp_settings *settings, struct sp_config_errors *errors,
				  struct sp_config_errors *warnings);

// ---- settings_speed.c ---------------------------------------------------------------------------

/// The same for [speedtests] and [commands], whose texts it reads into `times`.
void sp_settings_check_speed(struct sp_settings *settings, struct sp_config_errors *errors,
			     struct sp_config_errors *warnings);
