// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The `hikvision` driver: face and card terminals (DS-K1T…, DS-K1A…) by ISAPI. One stream of events, and one
// question at a time beside it. A terminal locks an account after a few wrong logins, so the first request
// after start, and after each refusal, is alone, and what is refused is not asked again for a long while.
#include "hikvision.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../drivers.h"
#include "direction.h"
#include "schoolpulse/log.h"
#include "text.h"

enum {
	ASK_TIMEOUT_MS = 15 * 1000,
	CONNECT_TIMEOUT_MS = 10 * 1000,
	BACKOFF_FIRST_MS = 1000,
	BACKOFF_MOST_MS = 60 * 1000,
	SILENT_US = 3 * 60 * 1000000, ///< without its stream, and the terminal is down
	LOCK_FIRST_S = 10 * 60,
	LOCK_MOST_S = 6 * 3600,
	UNLOCK_MARGIN_S = 30,
};

enum { METRIC_TURNED_AWAY, METRIC_OTHERS, METRIC_MALFORMED, METRIC_PICTURES };

// ---- faults -------------------------------------------------------------------------------------

void hik_fault(struct hik_fault *fault, const char *reason, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(fault->text, sizeof(fault->text), format, args);
	va_end(args);
	snprintf(fault->reason, sizeof(fault->reason), "%s", reason);
}

void hik_unanswered(struct hik_fault *fault, const char *what, int result, long status)
{
	switch (result) {
	case 0:
		hik_fault(fault, status == 403 ? "credentials" : "protocol", "%s is refused with status %ld",
			  what, status);
		break;
	case -EKEYREJECTED:
		hik_fault(fault, "certificate", "its certificate is not the one that is trusted");
		break;
	case -ETIMEDOUT:
		hik_fault(fault, "timeout", "%s does not answer in time", what);
		break;
	case -ECONNREFUSED:
	case -ECONNRESET:
		hik_fault(fault, "refused", "%s: %s", what, strerror(-result));
		break;
	case -EHOSTUNREACH:
	case -ENETUNREACH:
		hik_fault(fault, "no_route", "there is no way to it: is `url` right, is it switched on?");
		break;
	default:
		hik_fault(fault, "protocol", "%s: %s", what, strerror(-result));
		break;
	}
}

void hik_round_over(struct sp_device *dev, struct hik *hik)
{
	int64_t now_us = sp_device_now_us(dev);
	if (!hik->round)
		return;
	hik->round = false;
	sp_sample(dev, METRIC_TURNED_AWAY, NULL, (double)hik->turned_away);
	sp_sample(dev, METRIC_OTHERS, NULL, (double)hik->others);
	sp_sample(dev, METRIC_MALFORMED, NULL, (double)hik->malformed);
	sp_sample(dev, METRIC_PICTURES, NULL, (double)hik->pictures);
	bool deaf = hik->stream_fault.reason[0] && now_us - hik->streamed_us > SILENT_US;
	if (hik->fault.reason[0])
		sp_round_failed(dev, hik->fault.reason, "%s", hik->fault.text);
	else if (hik->denied)
		sp_round_failed(dev, "not_allowed",
				"[attendance] legal_basis is empty: its events stay in the terminal");
	else if (deaf)
		sp_round_failed(dev, hik->stream_fault.reason, "%s", hik->stream_fault.text);
	else
		sp_round_ok(dev);
}

static void drop_question(struct hik *hik)
{
	sp_http_stream_cancel(hik->ask);
	hik->ask = NULL;
	free(hik->question);
	hik->question = NULL;
}

/// `body` says how long, if the account is locked: <unlockTime> in seconds.
void hik_refused(struct sp_device *dev, struct hik *hik, const char *body, size_t length)
{
	char word[24] = "", text[24] = "";
	int64_t wait_s = LOCK_FIRST_S, unlock_s = 0;
	sp_hik_value(body, length, "lockStatus", word, sizeof(word));
	int digits = sp_hik_value(body, length, "unlockTime", text, sizeof(text));
	if (digits > 0 && sp_kiosk_integer(text, (size_t)digits, 0, INT32_MAX, &unlock_s) < 0)
		unlock_s = 0;
	bool locked = strcmp(word, "lock") == 0 || strcmp(word, "locked") == 0;
	for (unsigned i = 0; i < hik->refusals && wait_s < LOCK_MOST_S; i++)
		wait_s *= 2;
	wait_s = wait_s < LOCK_MOST_S ? wait_s : LOCK_MOST_S;
	if (locked && unlock_s + UNLOCK_MARGIN_S > wait_s)
		wait_s = unlock_s + UNLOCK_MARGIN_S;
	hik->refusals++;
	hik->locked_until_us = sp_device_now_us(dev) + wait_s * 1000000;
	hik->identified = false;
	hik_fault(&hik->fault, locked ? "locked" : "credentials",
		  "it %s: nothing more is asked of it for %" PRId64 " min",
		  locked ? "has locked the account" : "refuses user or password", (wait_s + 59) / 60);
	sp_warning("hikvision", "\"%s\": %s", sp_device_name(dev), hik->fault.text);
	hik_stream_close(dev, hik);
	drop_question(hik);
	hik_pull_abandon(hik);
	hik_round_over(dev, hik);
	hik_soon(hik);
}

// ---- one question at a time ---------------------------------------------------------------------

static void forget_answer(struct hik *hik)
{
	explicit_bzero(hik->answer, hik->answer_length);
	hik->answer_length = 0;
}

static bool on_head(struct sp_device *dev, struct sp_http_stream *stream, const struct sp_http_head *head,
		    void *arg)
{
	struct hik *hik = arg;
	(void)dev, (void)stream;
	hik->ask_status = head->status;
	return true;
}

static bool on_received(struct sp_device *dev, struct sp_http_stream *stream, const uint8_t *data,
			size_t length, void *arg)
{
	struct hik *hik = arg;
	(void)dev, (void)stream;
	if (length > SP_HIK_ANSWER_MAX - hik->answer_length)
		return false;
	memcpy(hik->answer + hik->answer_length, data, length);
	hik->answer_length += length;
	return true;
}

static void on_fill(struct sp_device *dev, struct sp_http_stream *stream, uint8_t *data, size_t size,
		    void *arg)
{
	struct hik *hik = arg;
	(void)dev, (void)stream;
	// From the beginning when it was all sent already: the login was asked for in between.
	size_t at = hik->question_sent <= hik->question_length - size ? hik->question_sent : 0;
	memcpy(data, hik->question + at, size);
	hik->question_sent = at + size;
}

static void on_done(struct sp_device *dev, struct sp_http_stream *stream,
		    const struct sp_http_stream_end *end, void *arg)
{
	struct hik *hik = arg;
	hik_answer_fn answered = hik->answered;
	(void)stream;
	hik->ask = NULL;
	drop_question(hik);
	if (end->status == 401) {
		hik_refused(dev, hik, hik->answer, hik->answer_length);
	} else {
		if (end->result == 0)
			hik->heard_us = sp_device_now_us(dev);
		answered(dev, hik, end->result, end->status);
	}
	if (!hik->ask)
		forget_answer(hik);
	hik_soon(hik);
}

static const struct sp_http_stream_events events = {on_head, on_received, on_fill, on_done};

void hik_ask(struct sp_device *dev, struct hik *hik, const char *path, char *question, hik_answer_fn answered)
{
	const struct hik_conf *conf = sp_device_conf(dev);
	char url[SP_HIK_URL_MAX];
	snprintf(url, sizeof(url), "%s%s", conf->url, path);
	forget_answer(hik);
	hik->question = question;
	hik->question_length = question ? strlen(question) : 0;
	hik->question_sent = 0;
	hik->answered = answered;
	hik->ask_status = 0;
	hik->asked_us = sp_device_now_us(dev);
	struct sp_http_stream_request request = {.method = question ? "POST" : "GET",
						 .url = url,
						 .content_type = "application/json",
						 .send_bytes = (int64_t)hik->question_length,
						 .max_bytes = SP_HIK_ANSWER_MAX,
						 .timeout_ms = ASK_TIMEOUT_MS};
	hik->ask = sp_http_stream_start(hik->session, &request, &events, hik);
}

// ---- what is next -------------------------------------------------------------------------------

void hik_soon(struct hik *hik)
{
	sp_timer_start(hik->timer, 0);
}

void hik_back_off(const struct sp_device *dev, struct hik *hik, bool good, int64_t least_ms)
{
	hik->backoff_ms = good || !hik->backoff_ms ? BACKOFF_FIRST_MS : 2 * hik->backoff_ms;
	if (hik->backoff_ms > BACKOFF_MOST_MS)
		hik->backoff_ms = BACKOFF_MOST_MS;
	int64_t delay_ms = hik->backoff_ms > least_ms ? hik->backoff_ms : least_ms;
	hik->next_us = sp_device_now_us(dev) + delay_ms * 1000;
}

static bool can_pull(const struct hik *hik)
{
	return hik_pull_due(hik) && !hik->denied && hik->begun && hik->waiting_count <= SP_HIK_WAITING_LEAST;
}

/// The stream, and then a page at a time beside it.
static void read_on(struct sp_device *dev, struct hik *hik, int64_t now_us)
{
	if (hik->stream && (hik->trouble || hik->denied)) {
		hik_stream_close(dev, hik);
		hik_back_off(dev, hik, false, BACKOFF_MOST_MS / 2);
		hik->pull_at_us = hik->next_us;
	}
	if (!hik->stream && !hik->denied && now_us >= hik->next_us)
		hik_stream_open(dev, hik);
	if (can_pull(hik) && now_us >= hik->pull_at_us)
		hik_pull_step(dev, hik);
}

static void schedule(struct hik *hik, int64_t now_us)
{
	int64_t due_us = INT64_MAX;
	if (hik->ask)
		return; // its end goes on
	if (!hik->identified || !hik->begun || (!hik->stream && !hik->denied))
		due_us = hik->next_us;
	if (can_pull(hik) && hik->pull_at_us < due_us)
		due_us = hik->pull_at_us;
	if (due_us != INT64_MAX)
		sp_timer_start(hik->timer, due_us > now_us ? (due_us - now_us + 999) / 1000 : 0);
}

static void step(struct sp_device *dev, void *arg)
{
	struct hik *hik = arg;
	int64_t now_us = sp_device_now_us(dev);
	if (hik->ask)
		return;
	if (now_us < hik->locked_until_us) {
		sp_timer_start(hik->timer, (hik->locked_until_us - now_us + 999) / 1000);
		return;
	}
	if (!hik->identified && now_us >= hik->next_us)
		hik_identify(dev, hik);
	else if (!hik->identified)
		hik_round_over(dev, hik);
	else if ((hik->round && !hik->examined) || (!hik->begun && now_us >= hik->next_us))
		hik_examine(dev, hik);
	else
		read_on(dev, hik, now_us);
	schedule(hik, now_us);
}

static void poll(struct sp_device *dev)
{
	struct hik *hik = sp_device_state(dev);
	hik->round = true;
	hik->examined = false;
	if (sp_device_now_us(dev) < hik->locked_until_us)
		hik_round_over(dev, hik);
	else if (!hik->ask)
		hik_soon(hik);
}

// ---- its life -----------------------------------------------------------------------------------

static int start(struct sp_device *dev)
{
	const struct hik_conf *conf = sp_device_conf(dev);
	struct hik *hik = sp_device_state(dev);
	struct sp_http_session_config session = {.ca_file = conf->ca_file,
						 .user = conf->user,
						 .password = conf->password,
						 .fingerprint = conf->fingerprint,
						 .connect_timeout_ms = CONNECT_TIMEOUT_MS};
	int result = sp_zone_parse(conf->time_zone, strlen(conf->time_zone), &hik->zone_s);
	hik->answer = malloc(SP_HIK_ANSWER_MAX);
	if (result < 0 || !hik->answer)
		return result < 0 ? result : -ENOMEM;
	hik->unit_zone_s = hik->told_zone_s = hik->zone_s;
	hik->clock_error_s = NAN;
	hik->records = hik->users = -1;
	hik->owed_ms = INT64_MAX;
	hik->night_day = INT32_MAX;
	hik->page = conf->page;
	hik->timer = sp_timer_new(dev, step, hik);
	hik->session = sp_http_session_new(dev, &session);
	hik_soon(hik);
	return 0;
}

static void stop(struct sp_device *dev)
{
	struct hik *hik = sp_device_state(dev);
	if (hik->session) {
		drop_question(hik);
		hik_stream_close(dev, hik);
	}
	sp_http_session_free(hik->session);
	sp_timer_free(hik->timer);
	hik_punch_forget(hik);
	if (hik->answer)
		forget_answer(hik);
	free(hik->answer);
}

static bool plain_url(const char *url)
{
	size_t scheme = strncmp(url, "https://", 8) == 0 ? 8 : strncmp(url, "http://", 7) == 0 ? 7 : 0;
	return scheme && url[scheme] && strcspn(url + scheme, "/?#@ ") == strlen(url + scheme);
}

static bool is_fingerprint(const char *text)
{
	size_t digits = 0;
	for (; *text; text++) {
		if (*text == ':')
			continue;
		if (!strchr("0123456789abcdefABCDEF", *text))
			return false;
		digits++;
	}
	return digits == 64;
}

static int check(const void *arg, const char **key, char *why, size_t size)
{
	const struct hik_conf *conf = arg;
	int32_t zone_s;
	*key = NULL;
	if (!plain_url(conf->url)) {
		*key = "url";
		snprintf(why, size, "is no http://host or https://host, without a path");
	} else if (conf->fingerprint[0] && !is_fingerprint(conf->fingerprint)) {
		*key = "fingerprint";
		snprintf(why, size, "is no SHA-256 of 64 hexadecimal digits");
	} else if (conf->fingerprint[0] && strncmp(conf->url, "https:", 6) != 0) {
		*key = "fingerprint";
		snprintf(why, size, "is of a certificate, which http:// does not have");
	} else if (sp_zone_parse(conf->time_zone, strlen(conf->time_zone), &zone_s) < 0) {
		*key = "time_zone";
		snprintf(why, size, "is no offset like +07:00");
	}
	return *key ? -EINVAL : 0;
}

#define TEXT(name, value, least, most, text)                                                           \
	{                                                                                              \
		.key = #name, .type = SP_OPTION_STRING, .def = (value), .min = (least), .max = (most), \
		.offset = offsetof(struct hik_conf, name), .help = (text)                              \
	}
#define NUMBERS(name, text)                                                 \
	{                                                                   \
		.key = #name, .type = SP_OPTION_LIST, .def = "", .max = 32, \
		.offset = offsetof(struct hik_conf, name), .help = (text)   \
	}

static const struct sp_option options[] = {
    TEXT(url, NULL, 8, 256, "Where the terminal is: https://192.0.2.20, with :port if not the usual one"),
    TEXT(user, NULL, 1, 64, "A user of the terminal for this alone, with no more rights than to see events"),
    TEXT(password, NULL, 1, 128, "Its password"),
    TEXT(fingerprint, "", 0, 95,
	 "SHA-256 of the terminal's certificate, which alone is trusted then; empty: by the authorities"),
    TEXT(ca_file, "", 0, 4096, "Certificate authorities to trust, instead of the system's"),
    TEXT(time_zone, "+07:00", 1, 6, "Zone of a time that the terminal writes without one"),
    {.key = "direction",
     .type = SP_OPTION_ENUM,
     .def = "auto",
     .choices = SP_DIRECTION_CHOICES,
     .offset = offsetof(struct hik_conf, direction),
     .help = "Of every punch; auto: by the reader, the door, or what the person chose"},
    NUMBERS(in_doors, "Numbers of the doors by which people come"),
    NUMBERS(out_doors, "Numbers of the doors by which people leave"),
    NUMBERS(in_readers, "Numbers of the readers at which people come; before the doors"),
    NUMBERS(out_readers, "Numbers of the readers at which people leave"),
    {.key = "silence",
     .type = SP_OPTION_DURATION,
     .def = "90s",
     .min = 1000,
     .max = 3600 * 1000,
     .offset = offsetof(struct hik_conf, silence_ms),
     .help = "The stream is begun anew after so long without a heartbeat"},
    {.key = "history",
     .type = SP_OPTION_DURATION,
     .def = "30d",
     .min = 3600 * 1000,
     .max = INT64_C(366) * 24 * 3600 * 1000,
     .offset = offsetof(struct hik_conf, history_ms),
     .help = "How far back the terminal's memory is read at start"},
    {.key = "page",
     .type = SP_OPTION_INT,
     .def = "30",
     .min = 1,
     .max = 30,
     .offset = offsetof(struct hik_conf, page),
     .help = "Events that are asked for at a time"},
    {0},
};

static const struct sp_metric metrics[] = {
    [METRIC_TURNED_AWAY] = {"turned_away_total", "count", SP_METRIC_COUNTER,
			    "Attempts that the terminal refused, since start"},
    [METRIC_OTHERS] = {"other_events_total", "count", SP_METRIC_COUNTER,
		       "Events that are nobody's passing, since start"},
    [METRIC_MALFORMED] = {"malformed_total", "count", SP_METRIC_COUNTER,
			  "Events and answers that could not be read, since start"},
    [METRIC_PICTURES] = {"pictures_total", "count", SP_METRIC_COUNTER,
			 "Pictures passed over unread, since start"},
    {0},
};

const struct sp_driver sp_driver_hikvision = {
    .name = "hikvision",
    .summary = "Hikvision face and card terminals by ISAPI",
    .cls = SP_DRIVER_KIOSK,
    .maturity = SP_MATURITY_EXPERIMENTAL,
    .options = options,
    .metrics = metrics,
    .conf_size = sizeof(struct hik_conf),
    .state_size = sizeof(struct hik),
    .interval_ms = 60 * 1000,
    .deadline_ms = 40 * 1000,
    .check = check,
    .start = start,
    .poll = poll,
    .stop = stop,
};
