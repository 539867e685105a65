// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the parts of the `adms` driver share: one terminal that pushes its events to us (ZKTeco, Ronald Jack
// and their other names). adms.c judges and reports, adms_request.c answers, adms_upload.c takes bodies,
// adms_command.c asks the terminal, adms_conf.c reads its section.
#pragma once

#include "adms_info.h"
#include "adms_line.h"
#include "adms_reply.h"
#include "adms_route.h"
#include "schoolpulse/kiosk.h"

enum {
	ADMS_UPLOADS = 4,      ///< bodies taken at once; a terminal sends one after the other
	ADMS_PAIRS_MAX = 8192, ///< of a body of key=value pairs; what follows is not looked at
	ADMS_DAYS = 4,         ///< of whose new events we count how many came; the last: of any other day
	ADMS_STRANGERS = 8,    ///< unknown serials that are remembered
	ADMS_SERIAL_MAX = 32,
	ADMS_OPERATIONS = 64, ///< of the last ones, to know them when they come again
	ADMS_TICK_MS = 10 * 1000,
	ADMS_SILENT_DELAYS = 3,
	ADMS_DAY_S = 24 * 3600,
};

/// What is told of a terminal's own log; everything else in it is a person's, or of no use here.
enum adms_happening {
	ADMS_POWERED_ON,
	ADMS_POWERED_OFF,
	ADMS_TAMPERED,
	ADMS_FORCED,
	ADMS_ALARMED, ///< any other alarm
	ADMS_CLOCK_SET,
	ADMS_ERASED, ///< its records, all its data, or all its settings
	ADMS_NETWORK_CHANGED,
	ADMS_HAPPENINGS
};
const char *adms_happening_name(enum adms_happening happening);

struct adms_conf {
	char *serial, *comm_key, *address, *cert_file, *key_file, *time_zone;
	int64_t port, delay_ms, error_delay_ms;
	int direction, verify_codes, zone_form, flag_form, ack_form;
	bool status_is_direction;
};
extern const struct sp_option adms_options[];
int adms_check(const void *conf, const char **key, char *why, size_t size);
int32_t adms_zone_s(const struct adms_conf *conf);

/// A body on its way in. In use until its request has gone and nothing of it waits for its commit.
struct adms_upload {
	struct sp_http_inbound *in; ///< NULL: the request has gone
	enum adms_body {
		ADMS_BODY_NONE, ///< free
		ADMS_BODY_LINES,
		ADMS_BODY_PAIRS,
		ADMS_BODY_HELLO, ///< pairs, too, answered as a handshake
		ADMS_BODY_DROP,
	} body;
	enum sp_adms_table table;
	bool whole, paused, replied;
	bool news;        ///< it had nothing left to send before: an event that comes alone has just happened
	int error;        ///< why the terminal must send it again; 0
	unsigned pending; ///< events whose commit is not reported
	struct sp_adms_lines lines;
	bool held; ///< the first event, until it is known whether it came alone
	struct sp_adms_punch first;
	char first_pin[SP_ADMS_PIN_MAX];
	struct adms_day {
		struct adms_upload *upload;
		int32_t day; ///< since 1970-01-01; INT32_MIN: any
	} days[ADMS_DAYS];
	char stamp[SP_ADMS_STAMP_MAX];
	char *pairs; ///< of ADMS_PAIRS_MAX bytes, or NULL
	size_t pairs_length;
};

struct adms {
	struct sp_http_listener *listener;
	struct sp_timer *tick;
	int64_t started_us;
	// ---- the terminal
	int64_t heard_us; ///< 0: never
	unsigned version; ///< 0: no handshake since start
	bool patient;     ///< it was refused, so that it waits its ErrorDelay
	bool security, wrong_key, clock_waited;
	int64_t contact_us; ///< since when it has called without a break and was not given anything back
	bool polled;        ///< since its last upload of events
	int error;          ///< of the last upload that the core could not take; 0
	int64_t refused;
	char authorised[INET6_ADDRSTRLEN]; ///< the peer that knew the comm_key; "": none yet
	char attlog_stamp[SP_ADMS_STAMP_MAX], operlog_stamp[SP_ADMS_STAMP_MAX];
	struct sp_adms_info info;
	struct adms_upload uploads[ADMS_UPLOADS];
	struct adms_operation {
		int64_t local_s;
		unsigned code, object;
	} operations[ADMS_OPERATIONS];
	unsigned operation_count;
	int64_t happened[ADMS_HAPPENINGS];
	char strangers[ADMS_STRANGERS][ADMS_SERIAL_MAX + 1];
	unsigned stranger_count;
	bool strangers_full;
	// ---- what we ask
	struct adms_asked {
		bool open;
		unsigned id;
		enum sp_adms_command command;
		int32_t day;
		int64_t at_us;
	} asked;
	unsigned last_id;
	bool want_info, want_check, want_sum, want_query;
	bool no_sums;               ///< it cannot count
	int32_t sum_day;            ///< the last day that it was, or is to be, asked for
	int32_t info_day;           ///< when INFO was asked last
	int64_t total, total_at_us; ///< its count of sum_day; when that is to be reported, 0: not
	int64_t event_us;           ///< when an event came last
	struct adms_tally {
		int32_t day;
		int64_t taken;
	} tally[ADMS_DAYS];
};

// ---- adms_request.c
extern const struct sp_http_service adms_service;
void adms_reply_text(struct sp_http_inbound *in, const char *text, size_t length);
/// So that the terminal keeps what it has and calls again.
void adms_refuse(struct sp_device *dev, struct sp_http_inbound *in, const char *text);
void adms_handshake(struct sp_device *dev, struct sp_http_inbound *in);

// ---- adms_upload.c
/// Takes the body of a request whose head says what it is; refuses it when there is no room.
void adms_upload_begin(struct sp_device *dev, struct sp_http_inbound *in, enum adms_body body,
		       enum sp_adms_table table);
void adms_upload_piece(struct sp_device *dev, struct sp_http_inbound *in, const uint8_t *data, size_t length);
void adms_upload_whole(struct sp_device *dev, struct sp_http_inbound *in);
void adms_upload_gone(struct sp_device *dev, struct sp_http_inbound *in);
void adms_upload_stop(struct adms *a);

// ---- adms_event.c: what a line means
/// 0, or the errno for which the whole body must come again. A line that nobody can use is counted as
/// refused.
int adms_event_punch(struct sp_device *dev, const struct sp_adms_punch *punch, bool live,
		     sp_committed_fn done, void *arg);
void adms_event_operation(struct sp_device *dev, const struct sp_adms_operation *operation);
/// The local day of a punch, since 1970-01-01.
int32_t adms_event_day(const struct adms_conf *conf, const struct sp_adms_punch *punch);

// ---- adms_command.c
/// The next command into `out`, or 0: there is none.
size_t adms_command_next(struct sp_device *dev, char out[SP_ADMS_REPLY_MAX]);
void adms_command_result(const struct sp_adms_result *result, void *dev);
/// Of new events.
void adms_command_taken(struct adms *a, int32_t day);
/// What is due with time.
void adms_command_tick(struct sp_device *dev);
/// The local day now, if the clock is known.
bool adms_today(struct sp_device *dev, int32_t *day, int *hour);
