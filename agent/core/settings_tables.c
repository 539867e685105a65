// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The option tables of the core's own sections: the only list of their keys.
#include <inttypes.h>
#include <stdio.h>

#include "agent/core/settings.h"

#define SECOND 1000LL
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define MIB    (1024LL * 1024)

#define AT(member) offsetof(struct sp_agent_conf, member)
static const struct sp_option agent_options[] = {
    {"state_dir", SP_OPTION_STRING, "/var/lib/schoolpulse", 1, 4000, AT(state_dir), NULL,
     "Folder of the journal and the device's identity"},
    {"socket", SP_OPTION_STRING, "/run/schoolpulse/agent.sock", 1, 107, AT(socket), NULL,
     "Where the schoolpulse command finds the agent"},
    {"log_level", SP_OPTION_ENUM, "info", 0, 0, AT(log_level), "error warning notice info debug",
     "The least important messages that are logged"},
    {"shard", SP_OPTION_STRING, "default", 1, 32, AT(shard), NULL,
     "Opaque group of boards, second to last part of every topic"},
    {"device", SP_OPTION_STRING, "", 0, 32, AT(device), NULL,
     "This board's name in the feed; empty: a random one, made once and kept in state_dir"},
    {"summary_window", SP_OPTION_DURATION, "60s", 1 * SECOND, HOUR, AT(summary_window_ms), NULL,
     "Measurements are summarised over this time"},
    {"samples_interval", SP_OPTION_DURATION, "15min", 1 * SECOND, DAY, AT(samples_interval_ms), NULL,
     "How often measurements of gear and board are sent, four times this for a healthy line's"},
    {0},
};
#undef AT

#define AT(member) offsetof(struct sp_mqtt_conf, member)
static const struct sp_option mqtt_options[] = {
    {"host", SP_OPTION_STRING, NULL, 1, 253, AT(host), NULL, "The broker's name or address"},
    {"port", SP_OPTION_INT, "1883", 1, 65535, AT(port), NULL, "The broker's port; 8883 is usual with TLS"},
    {"ca_file", SP_OPTION_STRING, "", 0, 4000, AT(ca_file), NULL,
     "Certificates that the broker's is checked against; empty: no TLS"},
    {"cert_file", SP_OPTION_STRING, "", 0, 4000, AT(cert_file), NULL,
     "This board's certificate, CN <shard>/<device>"},
    {"key_file", SP_OPTION_STRING, "", 0, 4000, AT(key_file), NULL, "The certificate's key"},
    {"username", SP_OPTION_STRING, "", 0, 256, AT(username), NULL, "For brokers that ask for one"},
    {"password", SP_OPTION_STRING, "", 0, 256, AT(password), NULL, "For brokers that ask for one"},
    {"keepalive", SP_OPTION_DURATION, "60s", 5 * SECOND, HOUR, AT(keepalive_ms), NULL,
     "Silence after which the session is probed"},
    {"session_expiry", SP_OPTION_DURATION, "1d", 0, 30 * DAY, AT(session_expiry_ms), NULL,
     "How long the broker remembers an absent board"},
    {"will_delay", SP_OPTION_DURATION, "30s", 0, HOUR, AT(will_delay_ms), NULL,
     "How long the broker waits before it declares the board lost"},
    {"ack_mode", SP_OPTION_ENUM, "hub", 0, 0, AT(ack_mode), "hub broker",
     "Who may settle a record: the hub after its commit, or the broker alone where there is no hub"},
    {"backlog_per_second", SP_OPTION_INT, "4", 1, 1000, AT(backlog_per_second), NULL,
     "Batches of old records sent per second beside the live ones"},
    {"resend_min", SP_OPTION_DURATION, "1min", 1 * SECOND, HOUR, AT(resend_min_ms), NULL,
     "Earliest resending of what nobody acknowledged"},
    {"resend_max", SP_OPTION_DURATION, "5min", 1 * SECOND, DAY, AT(resend_max_ms), NULL,
     "Latest resending of what nobody acknowledged"},
    {"reconnect_max", SP_OPTION_DURATION, "2min", 1 * SECOND, HOUR, AT(reconnect_max_ms), NULL,
     "Longest pause between attempts to connect, until the hub announces its own"},
    {0},
};
#undef AT

#define AT(member) offsetof(struct sp_journal_conf, member)
static const struct sp_option journal_options[] = {
    {"cap", SP_OPTION_SIZE, "256M", 1 * MIB, 1024 * 1024 * MIB, AT(cap_bytes), NULL,
     "Most bytes that the journal may hold"},
    {"bulk_commit", SP_OPTION_DURATION, "300s", 1 * SECOND, HOUR, AT(bulk_commit_ms), NULL,
     "How long measurements may wait in memory before they are written (card wear)"},
    {"group_commit", SP_OPTION_DURATION, "50ms", 0, 50, AT(group_commit_ms), NULL,
     "How long kiosk events may wait for company before they are written"},
    {"keep_settled", SP_OPTION_DURATION, "7d", 0, 365 * DAY, AT(keep_settled_ms), NULL,
     "How long settled records stay in case a restored hub asks again, if space allows"},
    {0},
};
#undef AT

#define AT(member) offsetof(struct sp_attendance_conf, member)
static const struct sp_option attendance_options[] = {
    {"legal_basis", SP_OPTION_STRING, "", 0, 500, AT(legal_basis), NULL,
     "The document that allows attendance data; without it none is recorded"},
    {"publish", SP_OPTION_ENUM, "health", 0, 0, AT(publish), "health counts events",
     "What leaves the school: only how kiosks are, counts of persons as well, or each event by pseudonym"},
    {"keep", SP_OPTION_DURATION, "7d", HOUR, 365 * DAY, AT(keep_ms), NULL,
     "How long events stay on the card, counted from the hub's acknowledgement where they are published"},
    {"unsent", SP_OPTION_DURATION, "30d", DAY, 365 * DAY, AT(unsent_ms), NULL,
     "How long events wait for a hub that does not acknowledge them; their loss is recorded"},
    {"year_starts", SP_OPTION_STRING, "08-01", 5, 5, AT(year_starts), NULL,
     "Month and day on which a school year begins, and with it pseudonyms that nobody can link to the old"},
    {"classes", SP_OPTION_STRING, "", 0, 4000, AT(classes), NULL,
     "CSV file of persons' numbers and their classes, by which counts are grouped; empty: by kiosk"},
    {"slot", SP_OPTION_DURATION, "15min", 5 * MINUTE, DAY, AT(slot_ms), NULL,
     "Persons are counted over slots of this length, which divides a day"},
    {0},
};
#undef AT

#define AT(member) offsetof(struct sp_board_conf, member)
static const struct sp_option board_options[] = {
    {"root", SP_OPTION_STRING, "", 0, 4000, AT(root), NULL,
     "Folder that holds sys, proc and dev; empty on a real machine"},
    {"interval", SP_OPTION_DURATION, "60s", 1 * SECOND, HOUR, AT(interval_ms), NULL,
     "Time between readings of temperature, power and storage"},
    {0},
};
#undef AT

#define AT(member) offsetof(struct sp_speedtests_conf, member)
static const struct sp_option speedtests_options[] = {
    {"enabled", SP_OPTION_BOOL, "yes", 0, 0, AT(enabled), NULL,
     "Speed is tested by itself; no: only when somebody asks"},
    {"windows", SP_OPTION_LIST, "07:00-09:30, 09:30-11:30, 13:30-16:30", 1, SP_SPEED_WINDOWS, AT(windows),
     NULL, "Times of the day, local time, in each of which tests happen at random moments"},
    {"days", SP_OPTION_LIST, "mon-sat", 1, 7, AT(days), NULL, "Days of the week with tests"},
    {"samples", SP_OPTION_INT, "1", 1, SP_SPEED_SAMPLES_MAX, AT(samples), NULL,
     "Tests per window and device"},
    {"quiet", SP_OPTION_LIST, "", 0, SP_SPEED_QUIETS, AT(quiet), NULL,
     "Exams and holidays without tests: dates, or periods from/to, local time"},
    {"busy_bytes", SP_OPTION_INT, "25000", 1, INT64_C(1000000000000), AT(busy_bytes_per_second), NULL,
     "Bytes per second of others, both ways, from which a line is in use: a test waits"},
    {"busy_cpu", SP_OPTION_INT, "30", 1, 100, AT(busy_cpu_percent), NULL,
     "Percent of the board's processor from which a test waits"},
    {"retry", SP_OPTION_DURATION, "30s", 1 * SECOND, HOUR, AT(retry_ms), NULL,
     "How long a test that waits stays away before it looks again"},
    {"patience", SP_OPTION_DURATION, "20min", 0, 4 * HOUR, AT(patience_ms), NULL,
     "How long a test waits at most; then it is recorded as skipped"},
    {0},
};
#undef AT

#define AT(member) offsetof(struct sp_commands_conf, member)
static const struct sp_option commands_options[] = {
    {"key_file", SP_OPTION_STRING, "", 0, 4000, AT(key_file), NULL,
     "Public key (PEM, Ed25519) of who may send commands over the feed; empty: nobody"},
    {"allow", SP_OPTION_LIST, "speedtest", 0, 8, AT(allow), NULL, "Commands that are obeyed"},
    {0},
};
#undef AT

#define AT(member) offsetof(struct sp_line_conf, member)
static const struct sp_option line_options[] = {
    {"provider", SP_OPTION_STRING, "", 0, 200, AT(provider), NULL, "Who sells this line, for people"},
    {"plan", SP_OPTION_STRING, "", 0, 200, AT(plan), NULL, "What was bought, by the provider's name for it"},
    {"bought_down", SP_OPTION_INT, "0", 0, 1000000, AT(bought_down_mbps), NULL,
     "Mbit/s downstream by the contract; 0: not known"},
    {"bought_up", SP_OPTION_INT, "0", 0, 1000000, AT(bought_up_mbps), NULL,
     "Mbit/s upstream by the contract; 0: not known"},
    {"budget", SP_OPTION_SIZE, "0", 0, 1024 * 1024 * MIB, AT(budget_bytes), NULL,
     "Most bytes that we may use of this line in a month; 0: no limit, they are counted all the same"},
    {"metered", SP_OPTION_BOOL, "no", 0, 0, AT(metered), NULL,
     "Every byte is paid for: no tests, and old measurements wait for a better line"},
    {"profile", SP_OPTION_ENUM, "normal", 0, 0, AT(profile), "normal frugal",
     "frugal: probes every 300 s and one summary per hour, some megabytes a month in all"},
    {"egress", SP_OPTION_STRING, "auto", 0, 800, AT(egress), NULL,
     "By what the line's door is known: auto learns the provider's first hop and our public prefix; or a "
     "list of "
     "them"},
    {"egress_adopt", SP_OPTION_DURATION, "7d", 0, 365 * DAY, AT(egress_adopt_ms), NULL,
     "After so long behind another door that is taken for the line's own; 0: never"},
    {"shares", SP_OPTION_STRING, "", 0, SP_CONFIG_NAME_MAX, AT(shares), NULL,
     "The line behind whose router this one is a second uplink, and whose devices measure it, too"},
    {0},
};
#undef AT

const struct sp_core_section sp_core_sections[] = {
    {"agent", false, agent_options},
    {"mqtt", false, mqtt_options},
    {"journal", false, journal_options},
    {"attendance", false, attendance_options},
    {"board", false, board_options},
    {"speedtests", false, speedtests_options},
    {"commands", false, commands_options},
    {"line", true, line_options},
    {0},
};

void sp_common_options(const struct sp_driver *driver, struct sp_option out[4], char interval[24])
{
	struct sp_option *row = out;
	*row++ = (struct sp_option){
	    .key = "enabled",
	    .type = SP_OPTION_BOOL,
	    .def = "yes",
	    .offset = offsetof(struct sp_device_common, enabled),
	    .help = "Whether this device is watched",
	};
	*row++ = (struct sp_option){
	    .key = "line",
	    .type = SP_OPTION_STRING,
	    .def = "",
	    .max = SP_CONFIG_NAME_MAX,
	    .offset = offsetof(struct sp_device_common, line),
	    .help = "The line that it watches; needed where there are several",
	};
	if (driver->interval_ms > 0) {
		bool whole = driver->interval_ms % SECOND == 0;
		snprintf(interval, 24, "%" PRId64 "%s", (int64_t)(driver->interval_ms / (whole ? SECOND : 1)),
			 whole ? "s" : "ms");
		*row++ = (struct sp_option){
		    .key = "interval",
		    .type = SP_OPTION_DURATION,
		    .def = interval,
		    .min = 100,
		    .max = DAY,
		    .offset = offsetof(struct sp_device_common, interval_ms),
		    .help = "Time between rounds",
		};
	}
	*row = (struct sp_option){0};
}
