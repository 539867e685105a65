// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// One request of a webhook: its head is judged before its body is read, its signature before its body is
// looked at, all of its body before the first event is taken, and it is answered when the last one is on the
// card.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "direction.h"
#include "schoolpulse/log.h"
#include "webhook.h"

enum {
	SOON_MS = 1000,
	STAMP_MAX = 16, ///< "1795391921."
	MAPPED = WEBHOOK_BODY_MAX + STAMP_MAX,
	LIVE_S = 60,
	RETRY_CLOCK_S = 30,
	RETRY_FULL_S = 10,
	RETRY_NOT_ALLOWED_S = 3600,
	WARN_US = 600 * 1000 * 1000,
};

struct webhook_request {
	struct webhook_request *next;
	struct sp_http_inbound *in; ///< NULL: it is gone, but not all of its commits are
	uintptr_t number;
	int64_t stamp_s;
	char *data; ///< "STAMP.BODY", in memory of its own that no core file shows; NULL once it was read
	size_t length, stamp_length;
	size_t pending, accepted, known;
	bool read; ///< every event was handed over
	int error; ///< of the first that could not be kept
};

// ---- requests -----------------------------------------------------------------------------------------

static void forget_body(struct webhook *webhook, struct webhook_request *request)
{
	if (!request->data)
		return;
	webhook->held -= request->length;
	explicit_bzero(request->data, request->length);
	munmap(request->data, MAPPED);
	request->data = NULL;
}

static void free_request(struct webhook *webhook, struct webhook_request *request)
{
	struct webhook_request **at = &webhook->requests;
	while (*at != request)
		at = &(*at)->next;
	*at = request->next;
	forget_body(webhook, request);
	free(request);
}

void webhook_requests_free(struct webhook *webhook)
{
	while (webhook->requests)
		free_request(webhook, webhook->requests);
}

static struct webhook_request *new_request(struct webhook *webhook, struct sp_http_inbound *in)
{
	struct webhook_request *request = calloc(1, sizeof(*request));
	if (!request)
		return NULL;
	request->data = mmap(NULL, MAPPED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (request->data == MAP_FAILED) {
		free(request);
		return NULL;
	}
	madvise(request->data, MAPPED, MADV_DONTDUMP);
	request->in = in;
	request->number = ++webhook->last_number;
	request->next = webhook->requests;
	webhook->requests = request;
	return request;
}

// ---- answers ------------------------------------------------------------------------------------------

static void reply(struct sp_http_inbound *in, unsigned status, int64_t retry_after_s, const char *json)
{
	struct sp_http_reply answer = {.status = status,
				       .content_type = "application/json",
				       .body = json,
				       .length = strlen(json),
				       .retry_after_s = retry_after_s};
	sp_http_inbound_reply(in, &answer);
}

/// `what` is ours, and needs no escape.
static void refuse(struct sp_http_inbound *in, unsigned status, int64_t retry_after_s, const char *what)
{
	char json[256];
	snprintf(json, sizeof(json), "{\"error\":\"%s\"}\n", what);
	reply(in, status, retry_after_s, json);
}

static void warn(struct sp_device *dev, struct sp_http_inbound *in, const char *what)
{
	struct webhook *webhook = sp_device_state(dev);
	int64_t now = sp_device_now_us(dev);
	if (webhook->warned_us && now - webhook->warned_us < WARN_US)
		return;
	webhook->warned_us = now;
	sp_warning("webhook", "\"%s\": a request from %s is refused: %s", sp_device_name(dev),
		   sp_http_inbound_peer(in), what);
}

static void stranger(struct sp_device *dev, struct sp_http_inbound *in, unsigned status, const char *what)
{
	struct webhook *webhook = sp_device_state(dev);
	webhook->strange++;
	warn(dev, in, what);
	refuse(in, status, 0, what);
}

static void tell_mistake(struct sp_device *dev, struct sp_http_inbound *in, const struct webhook_error *error)
{
	struct webhook *webhook = sp_device_state(dev);
	char json[256];
	webhook->refused++;
	warn(dev, in, error->what);
	if (error->grammar)
		snprintf(json, sizeof(json), "{\"error\":\"%s\",\"byte\":%zu}\n", error->what, error->at);
	else
		snprintf(json, sizeof(json), "{\"error\":\"%s\",\"member\":\"%s\"}\n", error->what,
			 error->member);
	reply(in, error->grammar ? 400 : 422, 0, json);
}

/// Every event is on the card, or one of them could not be kept.
static void finish(struct sp_device *dev, struct webhook_request *request)
{
	struct webhook *webhook = sp_device_state(dev);
	char json[96];
	webhook->error = request->error == -EINVAL ? 0 : request->error;
	if (request->in && request->error == -EINVAL) {
		webhook->refused++;
		refuse(request->in, 422, 0, "an event cannot be taken as it is");
	} else if (request->in && request->error == -EPERM) {
		refuse(request->in, 503, RETRY_NOT_ALLOWED_S, "attendance has not been allowed here yet");
	} else if (request->in && request->error) {
		refuse(request->in, 503, RETRY_FULL_S, "cannot be kept now");
	} else if (request->in) {
		snprintf(json, sizeof(json), "{\"accepted\":%zu,\"known\":%zu}\n", request->accepted,
			 request->known);
		reply(request->in, 200, 0, json);
	} else {
		free_request(webhook, request);
	}
}

static void on_committed(struct sp_device *dev, int result, void *arg)
{
	struct webhook *webhook = sp_device_state(dev);
	struct webhook_request *request = webhook->requests;
	while (request && request->number != (uintptr_t)arg)
		request = request->next;
	if (!request)
		return;
	request->pending--;
	if (result == 0)
		request->accepted++;
	else if (result == SP_PUNCH_KNOWN)
		request->known++;
	else if (!request->error)
		request->error = result;
	if (request->pending == 0 && request->read)
		finish(dev, request);
}

// ---- its head -----------------------------------------------------------------------------------------

static enum sp_http_claim claim(struct sp_device *dev, const struct sp_http_inbound *in)
{
	const struct webhook_conf *conf = sp_device_conf(dev);
	return strcmp(sp_http_inbound_path(in), conf->path) == 0 ? SP_HTTP_MINE : SP_HTTP_NOT_MINE;
}

/// False: it was answered.
static bool head_is_good(struct sp_device *dev, struct sp_http_inbound *in, int64_t *stamp_s)
{
	const struct webhook_conf *conf = sp_device_conf(dev);
	struct webhook *webhook = sp_device_state(dev);
	const char *stamp = sp_http_inbound_header(in, "X-SchoolPulse-Timestamp");
	int64_t now_ms, err_ms;
	if (strcmp(sp_http_inbound_method(in), "POST") != 0) {
		refuse(in, 405, 0, "by POST only");
		return false;
	}
	// A request cannot be told from one that was recorded a year ago.
	webhook->clock_waited = !sp_clock_known(dev, &now_ms, &err_ms) || err_ms > conf->window_ms;
	if (webhook->clock_waited) {
		refuse(in, 503, RETRY_CLOCK_S, "the clock is not set here yet");
		return false;
	}
	if (!stamp || !sp_http_inbound_header(in, "X-SchoolPulse-Signature")) {
		stranger(dev, in, 401,
			 "the headers X-SchoolPulse-Timestamp and X-SchoolPulse-Signature are needed");
		return false;
	}
	if (webhook_timestamp(stamp, stamp_s)) {
		stranger(dev, in, 400, "X-SchoolPulse-Timestamp must be Unix seconds");
		return false;
	}
	int64_t apart_ms = *stamp_s * 1000 - now_ms;
	if (apart_ms > conf->window_ms + err_ms || -apart_ms > conf->window_ms + err_ms) {
		char json[128];
		webhook->strange++;
		warn(dev, in, "its time is too far from ours");
		snprintf(json, sizeof(json),
			 "{\"error\":\"X-SchoolPulse-Timestamp is too far from our time\",\"now\":%" PRId64
			 "}\n",
			 now_ms / 1000);
		reply(in, 401, 0, json);
		return false;
	}
	return true;
}

static void begin(struct sp_device *dev, struct sp_http_inbound *in)
{
	struct webhook *webhook = sp_device_state(dev);
	int64_t stamp_s;
	if (!head_is_good(dev, in, &stamp_s))
		return;
	struct webhook_request *request = new_request(webhook, in);
	if (!request) {
		refuse(in, 503, RETRY_FULL_S, "no memory");
		return;
	}
	request->stamp_s = stamp_s;
	// As it was sent: leading zeros are signed, too.
	const char *stamp = sp_http_inbound_header(in, "X-SchoolPulse-Timestamp");
	int length = snprintf(request->data, STAMP_MAX, "%s.", stamp);
	if (length >= STAMP_MAX) {
		stranger(dev, in, 400, "X-SchoolPulse-Timestamp must be Unix seconds");
		free_request(webhook, request);
		return;
	}
	request->length = request->stamp_length = (size_t)length;
	webhook->held += request->length;
	sp_http_inbound_set(in, request);
}

// ---- its body -----------------------------------------------------------------------------------------

/// A flood of bodies costs its oldest ones: a kiosk's own is here within a moment.
static void make_room(struct webhook *webhook, const struct webhook_request *youngest)
{
	while (webhook->held > WEBHOOK_HELD_MAX) {
		struct webhook_request *oldest = NULL;
		for (struct webhook_request *each = webhook->requests; each; each = each->next)
			if (each->data && each != youngest)
				oldest = each;
		if (!oldest)
			return;
		forget_body(webhook, oldest);
		sp_http_inbound_cut(oldest->in);
	}
}

static void piece(struct sp_device *dev, struct sp_http_inbound *in, const uint8_t *data, size_t length)
{
	struct webhook *webhook = sp_device_state(dev);
	struct webhook_request *request = sp_http_inbound_get(in);
	if (!request || !request->data || length > MAPPED - request->length)
		return; // the listener's limit is ours
	memcpy(request->data + request->length, data, length);
	request->length += length;
	webhook->held += length;
	make_room(webhook, request);
}

struct feed {
	struct sp_device *dev;
	struct webhook_request *request;
};

static bool is_live(const struct webhook_event *event, const struct webhook_request *request)
{
	int64_t late_s = request->stamp_s - event->kiosk_ms / 1000;
	if (event->live >= 0)
		return event->live;
	return event->kiosk_ms != SP_PUNCH_NO_TIME && late_s <= LIVE_S && late_s >= -LIVE_S;
}

static bool take(void *arg, const struct webhook_event *event)
{
	const struct feed *feed = arg;
	struct webhook_request *request = feed->request;
	const struct webhook_conf *conf = sp_device_conf(feed->dev);
	const struct webhook *webhook = sp_device_state(feed->dev);
	struct sp_punch punch = {
	    .key = event->id,
	    .key_length = event->id_length,
	    .kind = event->kind,
	    .person = event->person,
	    .person_length = event->person_length,
	    .kiosk_ms = event->kiosk_ms,
	    // The section's, however this time was written: sent again in another zone it is the same event.
	    .zone_ahead_s = webhook->zone_s - SP_VIETNAM_S,
	    .live = is_live(event, request),
	    .direction = sp_direction((enum sp_direction_option)conf->direction, event->direction),
	    .method = event->method,
	    .gate = event->gate,
	    .number = event->number,
	};
	request->pending++;
	int result = sp_punch(feed->dev, &punch, on_committed, (void *)request->number);
	if (result == 0)
		return true;
	request->pending--;
	request->error = result;
	return false; // it will all be sent again, and what was kept is known then
}

static void heed(struct sp_device *dev, const struct webhook_batch *batch,
		 const struct webhook_request *request)
{
	struct webhook *webhook = sp_device_state(dev);
	int64_t now_ms, err_ms;
	// Whoever sets the kiosk up wants to see that it calls, not what the last tick knew.
	if (!webhook->heard_us)
		sp_timer_start(webhook->tick, SOON_MS);
	webhook->heard_us = sp_device_now_us(dev);
	if (sp_clock_known(dev, &now_ms, &err_ms)) {
		int64_t ahead_s = request->stamp_s - now_ms / 1000;
		webhook->clock_error_s = (double)ahead_s;
	}
	const struct webhook_kiosk *told = &batch->kiosk;
	if (*told->model)
		memcpy(webhook->told.model, told->model, sizeof(told->model));
	if (*told->firmware)
		memcpy(webhook->told.firmware, told->firmware, sizeof(told->firmware));
	webhook->told.records = told->records >= 0 ? told->records : webhook->told.records;
	webhook->told.capacity = told->capacity >= 0 ? told->capacity : webhook->told.capacity;
	webhook->told.users = told->users >= 0 ? told->users : webhook->told.users;
	webhook->told.backlog = told->backlog >= 0 ? told->backlog : webhook->told.backlog;
	for (size_t i = 0; i < batch->total_count; i++)
		sp_kiosk_total(dev, batch->totals[i].day, batch->totals[i].count);
}

static void whole(struct sp_device *dev, struct sp_http_inbound *in)
{
	struct webhook *webhook = sp_device_state(dev);
	struct webhook_request *request = sp_http_inbound_get(in);
	const char *signature = sp_http_inbound_header(in, "X-SchoolPulse-Signature");
	struct webhook_batch batch;
	struct webhook_error error;
	if (!request || !request->data) {
		sp_http_inbound_cut(in);
		return;
	}
	if (!signature || !webhook_signed(&webhook->secrets, signature, request->data, request->length)) {
		stranger(dev, in, 401, "the signature does not match");
		forget_body(webhook, request);
		return;
	}
	const char *body = request->data + request->stamp_length;
	size_t length = request->length - request->stamp_length;
	// Once to see whether it is good as a whole, once to take it.
	int result = webhook_read(body, length, webhook->zone_s, &batch, NULL, NULL, &error);
	if (result) {
		tell_mistake(dev, in, &error);
	} else {
		struct feed feed = {dev, request};
		heed(dev, &batch, request);
		result = webhook_read(body, length, webhook->zone_s, &batch, take, &feed, &error);
	}
	forget_body(webhook, request);
	if (result && result != -ECANCELED)
		return;
	request->read = true;
	if (request->pending == 0)
		finish(dev, request);
}

static void gone(struct sp_device *dev, struct sp_http_inbound *in)
{
	struct webhook_request *request = sp_http_inbound_get(in);
	if (!request)
		return;
	request->in = NULL;
	if (request->pending == 0)
		free_request(sp_device_state(dev), request);
}

const struct sp_http_service webhook_service = {
    .claim = claim, .begin = begin, .piece = piece, .whole = whole, .gone = gone};
