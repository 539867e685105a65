// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The terminal's alertStream: an answer that never ends. On each connection it may tell everything that it
// still remembers, so it waits while the card is behind.
#include <stdio.h>
#include <string.h>

#include "hikvision.h"
#include "schoolpulse/log.h"

enum {
	TROUBLE_MS = 30 * 1000,      ///< after an event that could not be kept
	PROVEN_US = 60 * 1000000,    ///< a stream that lasted so long was a good one
	REFUSED_MS = 10 * 60 * 1000, ///< it has no such stream, or not for this user
};

static void hear(struct sp_device *dev, struct hik *hik, const struct sp_hik_event *event)
{
	hik->heard_us = hik->streamed_us = sp_device_now_us(dev);
	// Heartbeats and what has just happened tell its time; what it replays does not.
	if (event->timed && (event->major < 0 || event->live))
		hik_unit_said(dev, hik, &event->when);
}

static bool on_part(void *arg, const char *text, size_t length, bool last)
{
	struct sp_device *dev = arg;
	struct hik *hik = sp_device_state(dev);
	struct sp_hik_event event;
	int result = sp_hik_event_parse(text, length, &event);
	if (result < 0) {
		hik->malformed += last;
		explicit_bzero(&event, sizeof(event));
		return false;
	}
	if (event.major >= 0 && !hik->trouble && !hik->denied)
		hik_punch(dev, hik, &event, true);
	else if (event.major >= 0 && event.timed)
		hik_owe(hik, sp_civil_ms(&event.when, hik->zone_s));
	hear(dev, hik, &event);
	explicit_bzero(&event, sizeof(event));
	return true;
}

// ---- the transfer -------------------------------------------------------------------------------

static bool on_head(struct sp_device *dev, struct sp_http_stream *stream, const struct sp_http_head *head,
		    void *arg)
{
	struct hik *hik = arg;
	(void)dev, (void)stream;
	hik->stream_status = head->status;
	if (head->status != 200)
		return true;
	hik->stream_fault.reason[0] = '\0';
	hik->flowing = sp_hik_parts_begin(&hik->parts, head->content_type) == 0;
	hik->streamed_us = sp_device_now_us(dev);
	return hik->flowing;
}

static bool on_received(struct sp_device *dev, struct sp_http_stream *stream, const uint8_t *data,
			size_t length, void *arg)
{
	struct hik *hik = arg;
	if (hik->stream_status != 200) {
		size_t room = sizeof(hik->refusal) - hik->refusal_length;
		size_t taken = length < room ? length : room;
		memcpy(hik->refusal + hik->refusal_length, data, taken);
		hik->refusal_length += taken;
		return true;
	}
	int64_t pictures = hik->parts.pictures, too_long = hik->parts.too_long;
	sp_hik_parts_feed(&hik->parts, data, length, on_part, dev);
	hik->pictures += hik->parts.pictures - pictures;
	hik->malformed += hik->parts.too_long - too_long;
	if (hik->waiting_count >= SP_HIK_WAITING_MOST && !hik->paused) {
		hik->paused = true;
		sp_http_stream_pause(stream);
	}
	return !hik->trouble && !hik->denied;
}

void hik_stream_pace(struct hik *hik)
{
	if (!hik->paused || hik->waiting_count > SP_HIK_WAITING_LEAST)
		return;
	hik->paused = false;
	if (hik->stream)
		sp_http_stream_resume(hik->stream);
}

static void retry(const struct sp_device *dev, struct hik *hik)
{
	bool refused = !hik->flowing && hik->stream_status >= 400 && hik->stream_status < 500;
	hik_back_off(dev, hik, sp_device_now_us(dev) - hik->opened_us >= PROVEN_US,
		     refused        ? REFUSED_MS
		     : hik->trouble ? TROUBLE_MS
				    : 0);
	if (hik->trouble && hik->pull_at_us < hik->next_us)
		hik->pull_at_us = hik->next_us;
	hik_soon(hik);
}

/// What happens while nobody listens is in its memory.
static void note_gap(const struct sp_device *dev, struct hik *hik)
{
	if (hik->begun)
		hik_owe(hik, hik_unit_now(dev, hik) - (sp_device_now_us(dev) - hik->streamed_us) / 1000);
}

static void on_done(struct sp_device *dev, struct sp_http_stream *stream,
		    const struct sp_http_stream_end *end, void *arg)
{
	struct hik *hik = arg;
	(void)stream;
	hik->stream = NULL;
	hik->paused = false;
	if (end->status == 401) {
		hik_refused(dev, hik, hik->refusal, hik->refusal_length);
		return;
	}
	note_gap(dev, hik);
	if (hik->trouble)
		hik_fault(&hik->stream_fault, "journal", "the journal takes none of its events");
	else if (!hik->flowing && end->status == 200)
		hik_fault(&hik->stream_fault, "protocol", "its event stream is no multipart");
	else if (!hik->flowing)
		hik_unanswered(&hik->stream_fault, "its event stream", end->result, end->status);
	sp_hik_parts_end(&hik->parts);
	if (!hik->denied)
		retry(dev, hik);
	hik->flowing = false;
}

static const struct sp_http_stream_events events = {
    .head = on_head, .received = on_received, .done = on_done};

void hik_stream_open(struct sp_device *dev, struct hik *hik)
{
	const struct hik_conf *conf = sp_device_conf(dev);
	char url[SP_HIK_URL_MAX];
	snprintf(url, sizeof(url), "%s/ISAPI/Event/notification/alertStream", conf->url);
	struct sp_http_stream_request request = {
	    .method = "GET", .url = url, .max_bytes = INT64_MAX, .stall_ms = conf->silence_ms};
	hik->stream_status = 0;
	hik->refusal_length = 0;
	hik->flowing = hik->trouble = false;
	hik->opened_us = sp_device_now_us(dev);
	if (!hik->streamed_us)
		hik->streamed_us = hik->opened_us;
	hik->stream = sp_http_stream_start(hik->session, &request, &events, hik);
}

void hik_stream_close(const struct sp_device *dev, struct hik *hik)
{
	if (hik->stream)
		note_gap(dev, hik);
	sp_http_stream_cancel(hik->stream);
	hik->stream = NULL;
	hik->flowing = hik->paused = false;
	sp_hik_parts_end(&hik->parts);
}
