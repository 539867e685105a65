// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A terminal's requests: whose they are, and what is answered. Nothing but 200 is ever taken for success, so
// that whoever is refused keeps what it has; and none of those answers holds the letters OK.
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "adms.h"
#include "schoolpulse/log.h"
#include "text.h"

enum { SOON_MS = 1000, RETRY_S = 60, UNAVAILABLE = 503, NOT_IMPLEMENTED = 501, SUCCESS = 200 };

void adms_reply_text(struct sp_http_inbound *in, const char *text, size_t length)
{
	struct sp_http_reply reply = {
	    .status = SUCCESS,
	    .content_type = "text/plain",
	    .body = text,
	    .length = length,
	    .date = true,
	};
	sp_http_inbound_reply(in, &reply);
}

static void reply_ok(struct sp_http_inbound *in)
{
	adms_reply_text(in, "OK", 2);
}

static void turn_away(struct sp_http_inbound *in, unsigned status, const char *text)
{
	struct sp_http_reply reply = {
	    .status = status,
	    .content_type = "text/plain",
	    .body = text,
	    .length = strlen(text),
	    .retry_after_s = status == UNAVAILABLE ? RETRY_S : 0,
	};
	sp_http_inbound_reply(in, &reply);
}

void adms_refuse(struct sp_device *dev, struct sp_http_inbound *in, const char *text)
{
	struct adms *a = sp_device_state(dev);
	a->patient = true;
	turn_away(in, UNAVAILABLE, text);
}

// ---- who ----------------------------------------------------------------------------------------------

static bool is_ours(const struct adms_conf *conf, const struct sp_http_inbound *in)
{
	const char *serial = sp_http_inbound_query(in, "SN");
	return serial && strcmp(serial, conf->serial) == 0;
}

static enum sp_http_claim claim(struct sp_device *dev, const struct sp_http_inbound *in)
{
	if (sp_adms_path(sp_http_inbound_path(in)) == SP_ADMS_ELSEWHERE)
		return SP_HTTP_NOT_MINE;
	return is_ours(sp_device_conf(dev), in) ? SP_HTTP_MINE : SP_HTTP_IF_NOBODY;
}

/// A terminal that no section names: it waits, with its events, until somebody writes one.
static void stranger(struct sp_device *dev, struct sp_http_inbound *in)
{
	struct adms *a = sp_device_state(dev);
	const char *sent = sp_http_inbound_query(in, "SN");
	char serial[ADMS_SERIAL_MAX + 1];
	size_t length = sp_kiosk_text(serial, sizeof(serial), sent ? sent : "", sent ? strlen(sent) : 0);
	bool known = length == 0;
	turn_away(in, UNAVAILABLE, "unknown terminal\n");
	for (unsigned i = 0; i < a->stranger_count && !known; i++)
		known = strcmp(a->strangers[i], serial) == 0;
	if (known || a->strangers_full)
		return;
	if (a->stranger_count == ADMS_STRANGERS) {
		a->strangers_full = true;
		sp_warning("adms", "further unknown terminals call: they are not named any more");
		return;
	}
	memcpy(a->strangers[a->stranger_count++], serial, length + 1);
	sp_warning("adms",
		   "an unknown terminal with the serial number %s calls from %s: it keeps its events until a "
		   "section [adms] names it",
		   serial, sp_http_inbound_peer(in));
}

/// Whether it knows the comm_key, or its peer has shown before that it does.
static bool admitted(struct sp_device *dev, const struct sp_http_inbound *in)
{
	const struct adms_conf *conf = sp_device_conf(dev);
	struct adms *a = sp_device_state(dev);
	const char *key = sp_http_inbound_query(in, "pushcommkey"), *peer = sp_http_inbound_peer(in);
	if (!*conf->comm_key)
		return true;
	if (!key)
		return *a->authorised && strcmp(peer, a->authorised) == 0;
	bool good = strcmp(key, conf->comm_key) == 0;
	if (good)
		snprintf(a->authorised, sizeof(a->authorised), "%s", peer);
	else if (!a->wrong_key)
		sp_warning("adms", "\"%s\": it sends another comm_key", sp_device_name(dev));
	a->wrong_key = !good;
	return good;
}

// ---- what -----------------------------------------------------------------------------------------------

static unsigned lower(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

void adms_handshake(struct sp_device *dev, struct sp_http_inbound *in)
{
	const struct adms_conf *conf = sp_device_conf(dev);
	struct adms *a = sp_device_state(dev);
	const char *version = sp_http_inbound_query(in, "pushver");
	int64_t t_ms, err_ms;
	char text[SP_ADMS_REPLY_MAX];
	if (!sp_clock_known(dev, &t_ms, &err_ms)) { // it would set its clock by ours
		a->clock_waited = true;
		adms_refuse(dev, in, "the time is not known yet\n");
		return;
	}
	bool first = a->version == 0;
	a->version = lower(sp_adms_version(version), SP_ADMS_VERSION_OURS);
	a->clock_waited = a->no_sums = false;
	a->want_info = true;
	struct sp_adms_terms terms = {
	    .serial = conf->serial,
	    .attlog_stamp = a->attlog_stamp,
	    .operlog_stamp = a->operlog_stamp,
	    .version = a->version,
	    .delay_s = conf->delay_ms / 1000,
	    .error_delay_s = conf->error_delay_ms / 1000,
	    .zone_s = adms_zone_s(conf),
	    .zone_form = (enum sp_adms_zone_form)conf->zone_form,
	    .flag_form = (enum sp_adms_flag_form)conf->flag_form,
	};
	if (first)
		sp_info("adms", "\"%s\" is connected from %s", sp_device_name(dev), sp_http_inbound_peer(in));
	adms_reply_text(in, text, sp_adms_reply_handshake(text, &terms));
}

static void tell_time(struct sp_device *dev, struct sp_http_inbound *in)
{
	char text[SP_ADMS_REPLY_MAX];
	int64_t t_ms, err_ms;
	if (!sp_clock_known(dev, &t_ms, &err_ms)) {
		adms_refuse(dev, in, "the time is not known yet\n");
		return;
	}
	adms_reply_text(in, text, sp_adms_reply_time(text, t_ms, adms_zone_s(sp_device_conf(dev))));
}

static void poll_of(struct sp_device *dev, struct sp_http_inbound *in)
{
	struct adms *a = sp_device_state(dev);
	const char *info = sp_http_inbound_query(in, "INFO");
	char text[SP_ADMS_REPLY_MAX];
	a->polled = true;
	if (info)
		sp_adms_info_positional(&a->info, info);
	size_t length = adms_command_next(dev, text);
	if (length > 0)
		adms_reply_text(in, text, length);
	else
		reply_ok(in);
}

static void cdata(struct sp_device *dev, struct sp_http_inbound *in)
{
	bool post = strcasecmp(sp_http_inbound_method(in), "POST") == 0;
	const char *type = sp_http_inbound_query(in, "type");
	enum sp_adms_table table = sp_adms_table(sp_http_inbound_query(in, "table"));
	if (!post) {
		if (type && strcasecmp(type, "time") == 0)
			tell_time(dev, in);
		else
			adms_handshake(dev, in);
		return;
	}
	switch (table) {
	case SP_ADMS_ATTLOG:
	case SP_ADMS_OPERLOG:
		adms_upload_begin(dev, in, ADMS_BODY_LINES, table);
		return;
	case SP_ADMS_NO_TABLE: // a handshake by POST; results of an X100-C
		adms_upload_begin(
		    dev, in, sp_http_inbound_query(in, "options") ? ADMS_BODY_HELLO : ADMS_BODY_PAIRS, table);
		return;
	case SP_ADMS_OPTIONS:
		adms_upload_begin(dev, in, ADMS_BODY_PAIRS, table);
		return;
	case SP_ADMS_OTHER_TABLE:
	case SP_ADMS_SECURITY_TABLE: // answered before
		adms_upload_begin(dev, in, ADMS_BODY_DROP, table);
		return;
	}
}

static void answer(struct sp_device *dev, struct sp_http_inbound *in, enum sp_adms_path path)
{
	bool post = strcasecmp(sp_http_inbound_method(in), "POST") == 0;
	switch (path) {
	case SP_ADMS_CDATA:
		cdata(dev, in);
		return;
	case SP_ADMS_GETREQUEST:
		poll_of(dev, in);
		return;
	case SP_ADMS_DEVICECMD:
		adms_upload_begin(dev, in, ADMS_BODY_PAIRS, SP_ADMS_NO_TABLE);
		return;
	case SP_ADMS_PING:
	case SP_ADMS_TEST:
		if (!post) {
			reply_ok(in);
			return;
		}
		__attribute__((fallthrough));
	case SP_ADMS_FDATA: // pictures
		adms_upload_begin(dev, in, ADMS_BODY_DROP, SP_ADMS_NO_TABLE);
		return;
	case SP_ADMS_EXCHANGE: // Encrypt=None it was told, and so it stays
	case SP_ADMS_UNKNOWN:
	case SP_ADMS_SECURITY:
	case SP_ADMS_ELSEWHERE:
		turn_away(in, NOT_IMPLEMENTED, "not known here\n");
		return;
	}
}

static bool is_security(const struct sp_http_inbound *in, enum sp_adms_path path)
{
	if (path == SP_ADMS_SECURITY)
		return true;
	if (path != SP_ADMS_CDATA)
		return false;
	return sp_adms_table(sp_http_inbound_query(in, "table")) == SP_ADMS_SECURITY_TABLE ||
	       sp_adms_is_security(sp_http_inbound_query(in, "pushver"),
				   sp_http_inbound_query(in, "DeviceType"));
}

static void heard(struct sp_device *dev)
{
	const struct adms_conf *conf = sp_device_conf(dev);
	struct adms *a = sp_device_state(dev);
	int64_t now_us = sp_device_now_us(dev);
	if (!a->heard_us || now_us - a->heard_us > ADMS_SILENT_DELAYS * conf->delay_ms * 1000)
		a->contact_us = now_us;
	// Whoever stands at the terminal wants to see that it calls, not what the last tick knew.
	if (!a->heard_us)
		sp_timer_start(a->tick, SOON_MS);
	a->heard_us = now_us;
	a->patient = false;
}

static void begin(struct sp_device *dev, struct sp_http_inbound *in)
{
	struct adms *a = sp_device_state(dev);
	enum sp_adms_path path = sp_adms_path(sp_http_inbound_path(in));
	if (!is_ours(sp_device_conf(dev), in)) {
		stranger(dev, in);
		return;
	}
	if (!admitted(dev, in)) {
		char text[SP_ADMS_REPLY_MAX];
		// A terminal that goes on from before our start is asked to introduce itself again.
		a->want_check = path == SP_ADMS_GETREQUEST && !a->wrong_key;
		size_t length = a->want_check ? adms_command_next(dev, text) : 0;
		if (length > 0)
			adms_reply_text(in, text, length);
		else
			adms_refuse(dev, in, "not admitted\n");
		return;
	}
	heard(dev);
	if (is_security(in, path)) {
		a->security = true;
		adms_refuse(dev, in, "set the terminal to attendance\n");
		return;
	}
	if (path == SP_ADMS_CDATA)
		a->security = false;
	answer(dev, in, path);
}

const struct sp_http_service adms_service = {
    .claim = claim,
    .begin = begin,
    .piece = adms_upload_piece,
    .whole = adms_upload_whole,
    .gone = adms_upload_gone,
};
