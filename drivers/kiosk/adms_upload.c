// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Bodies of uploads: read as they come, acknowledged when every event of theirs is on the card, and not
// before. When one cannot be, the terminal is refused and sends all of it again; what was kept is then known.
#include <stdlib.h>
#include <string.h>

#include "adms.h"
#include "schoolpulse/log.h"

enum {
	PENDING_MOST = 512, ///< from which on the terminal must wait
	PENDING_LEAST = 128,
};

static void wipe(struct adms_upload *upload)
{
	explicit_bzero(upload->first_pin, sizeof(upload->first_pin));
	upload->held = false;
	sp_adms_lines_wipe(&upload->lines);
	if (upload->pairs)
		explicit_bzero(upload->pairs, ADMS_PAIRS_MAX);
	free(upload->pairs);
	upload->pairs = NULL;
}

static void release(struct adms_upload *upload)
{
	if (upload->in || upload->pending > 0)
		return;
	wipe(upload);
	upload->body = ADMS_BODY_NONE;
}

static bool counted(const struct adms_upload *upload)
{
	return upload->table == SP_ADMS_ATTLOG || upload->table == SP_ADMS_OPERLOG;
}

static void acknowledge(struct sp_device *dev, struct adms_upload *upload)
{
	const struct adms_conf *conf = sp_device_conf(dev);
	struct adms *a = sp_device_state(dev);
	char text[SP_ADMS_REPLY_MAX];
	enum sp_adms_ack_form form =
	    counted(upload) ? (enum sp_adms_ack_form)conf->ack_form : SP_ADMS_ACK_BARE;
	upload->replied = true;
	if (upload->table == SP_ADMS_ATTLOG) {
		memcpy(a->attlog_stamp, upload->stamp, sizeof(a->attlog_stamp));
		a->error = 0;
	} else if (upload->table == SP_ADMS_OPERLOG) {
		memcpy(a->operlog_stamp, upload->stamp, sizeof(a->operlog_stamp));
	}
	a->refused += upload->lines.malformed;
	if (upload->lines.malformed > 0)
		sp_warning("adms", "\"%s\": %lld of %lld lines are no events that anybody could read",
			   sp_device_name(dev), (long long)upload->lines.malformed,
			   (long long)upload->lines.count);
	adms_reply_text(upload->in, text, sp_adms_reply_ack(text, form, upload->lines.count));
}

static void give_back(struct sp_device *dev, struct adms_upload *upload)
{
	struct adms *a = sp_device_state(dev);
	upload->replied = true;
	if (a->error != upload->error)
		sp_warning("adms", "\"%s\": its events cannot be taken now and stay in it: %s",
			   sp_device_name(dev), strerror(-upload->error));
	a->error = upload->error;
	a->contact_us = sp_device_now_us(dev);
	adms_refuse(dev, upload->in, "not now\n");
}

/// What can be done with this upload now: answer it, or let it go on.
static void settle(struct sp_device *dev, struct adms_upload *upload)
{
	if (upload->in && !upload->replied) {
		if (upload->error)
			give_back(dev, upload);
		else if (upload->whole && upload->pending == 0)
			acknowledge(dev, upload);
		else if (upload->paused && upload->pending <= PENDING_LEAST) {
			upload->paused = false;
			sp_http_inbound_resume(upload->in);
		}
	}
	release(upload);
}

static void on_committed(struct sp_device *dev, int result, void *arg)
{
	struct adms_day *day = arg;
	struct adms_upload *upload = day->upload;
	upload->pending--;
	if (result < 0)
		upload->error = result;
	if (result == 0 && day->day != INT32_MIN)
		adms_command_taken(sp_device_state(dev), day->day);
	settle(dev, upload);
}

/// A terminal that has something left sends it before it polls again, and after ErrorDelay at the latest.
static bool up_to_date(struct sp_device *dev)
{
	const struct adms_conf *conf = sp_device_conf(dev);
	const struct adms *a = sp_device_state(dev);
	return a->polled && sp_device_now_us(dev) - a->contact_us >= conf->error_delay_ms * 1000;
}

/// The place of this day, whose new events are counted; only of the last few days.
static struct adms_day *day_of(struct sp_device *dev, struct adms_upload *upload, int32_t day)
{
	int32_t today;
	int hour;
	size_t i;
	bool recent = adms_today(dev, &today, &hour) && day <= today && day > today - (ADMS_DAYS - 1);
	for (i = 0; i < ADMS_DAYS - 1 && recent; i++) {
		if (upload->days[i].day == INT32_MIN)
			upload->days[i].day = day;
		if (upload->days[i].day == day)
			return &upload->days[i];
	}
	return &upload->days[ADMS_DAYS - 1];
}

static void submit(struct sp_device *dev, struct adms_upload *upload, const struct sp_adms_punch *punch,
		   bool live)
{
	struct adms *a = sp_device_state(dev);
	struct adms_day *day = day_of(dev, upload, adms_event_day(sp_device_conf(dev), punch));
	if (upload->error)
		return;
	a->event_us = sp_device_now_us(dev);
	int result = adms_event_punch(dev, punch, live, on_committed, day);
	if (result == 0)
		upload->pending++;
	else if (result == -EINVAL) // a time before 1970, say: it would be no better the next time
		a->refused++;
	else
		upload->error = result;
}

static void release_first(struct sp_device *dev, struct adms_upload *upload, bool live)
{
	if (!upload->held)
		return;
	upload->held = false;
	submit(dev, upload, &upload->first, live);
	explicit_bzero(upload->first_pin, sizeof(upload->first_pin));
}

struct reading {
	struct sp_device *dev;
	struct adms_upload *upload;
};

static void on_punch(const struct sp_adms_punch *punch, void *arg)
{
	struct reading *reading = arg;
	struct adms_upload *upload = reading->upload;
	// The first one waits: what comes alone from a terminal that has nothing left to send is news.
	if (upload->lines.count == 1) {
		upload->first = *punch;
		memcpy(upload->first_pin, punch->pin, punch->pin_length);
		upload->first.pin = upload->first_pin;
		upload->held = true;
		return;
	}
	release_first(reading->dev, upload, false);
	submit(reading->dev, upload, punch, false);
}

static void on_operation(const struct sp_adms_operation *operation, void *arg)
{
	struct reading *reading = arg;
	adms_event_operation(reading->dev, operation);
}

static struct adms_upload *free_place(struct adms *a)
{
	for (size_t i = 0; i < ADMS_UPLOADS; i++)
		if (a->uploads[i].body == ADMS_BODY_NONE)
			return &a->uploads[i];
	return NULL;
}

void adms_upload_begin(struct sp_device *dev, struct sp_http_inbound *in, enum adms_body body,
		       enum sp_adms_table table)
{
	struct adms *a = sp_device_state(dev);
	struct adms_upload *upload = free_place(a);
	const char *stamp = sp_http_inbound_query(in, "Stamp");
	if (!stamp)
		stamp = sp_http_inbound_query(in, "OpStamp");
	if (!upload) {
		adms_refuse(dev, in, "too many at once\n");
		return;
	}
	*upload = (struct adms_upload){.in = in, .body = body, .table = table};
	if (body == ADMS_BODY_PAIRS || body == ADMS_BODY_HELLO)
		upload->pairs = calloc(1, ADMS_PAIRS_MAX);
	if (table == SP_ADMS_ATTLOG) {
		upload->news = up_to_date(dev);
		a->polled = false;
	}
	if (stamp && sp_adms_stamp_good(stamp))
		memcpy(upload->stamp, stamp, strlen(stamp) + 1);
	for (size_t i = 0; i < ADMS_DAYS; i++)
		upload->days[i] = (struct adms_day){upload, INT32_MIN};
	sp_adms_lines_begin(&upload->lines, table == SP_ADMS_ATTLOG ? on_punch : NULL,
			    table == SP_ADMS_OPERLOG ? on_operation : NULL, NULL);
	sp_http_inbound_set(in, upload);
}

static void read_lines(struct sp_device *dev, struct adms_upload *upload, const uint8_t *data, size_t length)
{
	struct reading reading = {dev, upload};
	upload->lines.arg = &reading;
	sp_adms_lines_piece(&upload->lines, data, length);
	upload->lines.arg = NULL;
	if (!upload->error && upload->pending >= PENDING_MOST && !upload->paused) {
		upload->paused = true;
		sp_http_inbound_pause(upload->in);
	}
	if (upload->error)
		settle(dev, upload);
}

void adms_upload_piece(struct sp_device *dev, struct sp_http_inbound *in, const uint8_t *data, size_t length)
{
	struct adms_upload *upload = sp_http_inbound_get(in);
	if (!upload || upload->replied)
		return;
	switch (upload->body) {
	case ADMS_BODY_LINES:
		read_lines(dev, upload, data, length);
		return;
	case ADMS_BODY_PAIRS:
	case ADMS_BODY_HELLO:
		if (length > ADMS_PAIRS_MAX - upload->pairs_length)
			length = ADMS_PAIRS_MAX - upload->pairs_length;
		if (upload->pairs)
			memcpy(upload->pairs + upload->pairs_length, data, length);
		upload->pairs_length += length;
		return;
	case ADMS_BODY_DROP:
	case ADMS_BODY_NONE:
		return;
	}
}

static void lines_whole(struct sp_device *dev, struct adms_upload *upload)
{
	struct reading reading = {dev, upload};
	upload->lines.arg = &reading;
	sp_adms_lines_end(&upload->lines);
	release_first(dev, upload, upload->news && upload->lines.count == 1);
	upload->lines.arg = NULL;
}

void adms_upload_whole(struct sp_device *dev, struct sp_http_inbound *in)
{
	struct adms *a = sp_device_state(dev);
	struct adms_upload *upload = sp_http_inbound_get(in);
	if (!upload || upload->replied)
		return;
	upload->whole = true;
	if (upload->body == ADMS_BODY_LINES)
		lines_whole(dev, upload);
	if (upload->pairs)
		sp_adms_info_pairs(&a->info, upload->pairs, upload->pairs_length, adms_command_result, dev);
	if (upload->body == ADMS_BODY_HELLO) {
		upload->replied = true;
		adms_handshake(dev, in);
		return;
	}
	settle(dev, upload);
}

void adms_upload_gone(struct sp_device *dev, struct sp_http_inbound *in)
{
	struct adms_upload *upload = sp_http_inbound_get(in);
	(void)dev;
	if (!upload)
		return;
	upload->in = NULL;
	wipe(upload);
	release(upload);
}

void adms_upload_stop(struct adms *a)
{
	for (size_t i = 0; i < ADMS_UPLOADS; i++)
		wipe(&a->uploads[i]);
}
