// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Births, wills, acknowledgements and the hub's own state: the small messages, both ways.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/feed.h"
#include "agent/base/feed_inflate.h"
#include "agent/base/feed_json.h"
#include "agent/base/feed_read.h"

enum { WINDOW_MAX_SECONDS = 24 * 3600, ATTENDANCE_MAX_DAYS = 36500 };

static const char *const presences[] = {"online", "stopped", "lost"};

static enum sp_feed_fault wrong(char why[128], const char *member)
{
	return sp_feed_fail(why, SP_FEED_MALFORMED, "\"%s\" is missing or wrong", member);
}

/// The message's tree; it is the caller's to delete on SP_FEED_OK.
static enum sp_feed_fault read_control(cJSON **root, const void *payload, size_t length, char why[128])
{
	char *text = NULL;
	why[0] = '\0';
	enum sp_feed_fault fault = sp_feed_inflate(&text, &length, payload, "", why);
	if (fault == SP_FEED_OK)
		fault = sp_feed_read_root(root, text, length, why);
	free(text);
	return fault;
}

/// Closes an encoding: the caller's buffer is either longer by one whole message, or as before.
static int finish(struct sp_buf *out, size_t start)
{
	if (!out->overflowed && out->length - start <= SP_FEED_PAYLOAD_MAX)
		return 0;
	out->length = start;
	out->overflowed = false;
	if (out->data)
		out->data[start] = '\0';
	return -EMSGSIZE;
}

static void member_text(struct sp_buf *out, const char *name, const char *value)
{
	sp_buf_printf(out, ",\"%s\":", name);
	sp_json_text(out, value);
}

static bool read_presence(const cJSON *root, enum sp_feed_presence *out)
{
	const cJSON *item = sp_feed_member(root, "presence");
	if (!cJSON_IsString(item))
		return false;
	for (size_t i = 0; i < SP_COUNT(presences); i++) {
		if (strcmp(item->valuestring, presences[i]) == 0) {
			*out = (enum sp_feed_presence)i;
			return true;
		}
	}
	return false;
}

// ---- births, wills, stops -------------------------------------------------------------------

int sp_feed_state_encode(struct sp_buf *out, const struct sp_feed_state *state)
{
	size_t start = out->length;
	if (out->overflowed || state->held_count > SP_FEED_HELD_MAX)
		return -EMSGSIZE;
	sp_buf_printf(out, "{\"v\":%d", SP_FEED_VERSION);
	member_text(out, "dev", state->device);
	member_text(out, "session", state->session);
	member_text(out, "presence", presences[state->presence]);
	if (state->presence != SP_FEED_LOST) {
		member_text(out, "boot", state->boot);
		member_text(out, "version", state->version);
		member_text(out, "hub_epoch", state->hub_epoch[0] ? state->hub_epoch : NULL);
		sp_buf_text(out, ",");
		sp_feed_clk_write(out, &state->clk, state->boot);
		sp_buf_text(out, ",\"held\":[");
		for (size_t i = 0; i < state->held_count; i++) {
			const struct sp_feed_held *held = &state->held[i];
			sp_buf_printf(out,
				      "%s{\"stream\":\"%s\",\"class\":\"%s\",\"oldest\":%" PRId64
				      ",\"newest\":%" PRId64 "}",
				      i ? "," : "", held->stream, sp_record_class_name(held->cls),
				      held->oldest, held->newest);
		}
		sp_buf_text(out, "]");
	}
	sp_buf_text(out, "}");
	return finish(out, start);
}

static bool read_held(const cJSON *item, struct sp_feed_held *out)
{
	return sp_feed_text(sp_feed_member(item, "stream"), sp_feed_is_stream, out->stream,
			    sizeof(out->stream)) &&
	       sp_feed_class(sp_feed_member(item, "class"), &out->cls) &&
	       sp_feed_int(sp_feed_member(item, "oldest"), 1, &out->oldest) &&
	       sp_feed_int(sp_feed_member(item, "newest"), out->oldest, &out->newest);
}

static enum sp_feed_fault read_birth(struct sp_feed_state *out, const cJSON *root, char why[128])
{
	const cJSON *epoch = sp_feed_member(root, "hub_epoch"), *held = sp_feed_member(root, "held");
	if (!sp_feed_text(sp_feed_member(root, "boot"), sp_feed_is_boot, out->boot, sizeof(out->boot)))
		return wrong(why, "boot");
	if (!sp_feed_text(sp_feed_member(root, "version"), sp_feed_is_version, out->version,
			  sizeof(out->version)))
		return wrong(why, "version");
	if (!sp_feed_unknown(epoch) &&
	    !sp_feed_text(epoch, sp_feed_is_stream, out->hub_epoch, sizeof(out->hub_epoch)))
		return wrong(why, "hub_epoch");
	if (!sp_feed_clk(sp_feed_member(root, "clk"), &out->clk, NULL))
		return wrong(why, "clk");
	// A birth without `held` must not pass for "I hold nothing": the hub would close everything.
	if (!cJSON_IsArray(held))
		return wrong(why, "held");
	for (const cJSON *item = held->child; item; item = item->next) {
		if (out->held_count == SP_FEED_HELD_MAX)
			return sp_feed_fail(why, SP_FEED_TOO_LARGE, "more than %d streams in \"held\"",
					    SP_FEED_HELD_MAX);
		if (!read_held(item, &out->held[out->held_count++]))
			return wrong(why, "held");
	}
	return SP_FEED_OK;
}

enum sp_feed_fault sp_feed_state_decode(struct sp_feed_state *out, const void *payload, size_t length,
					char why[128])
{
	cJSON *root = NULL;
	*out = (struct sp_feed_state){0};
	enum sp_feed_fault fault = read_control(&root, payload, length, why);
	if (fault != SP_FEED_OK)
		return fault;
	if (!sp_feed_text(sp_feed_member(root, "dev"), sp_id_valid, out->device, sizeof(out->device)))
		fault = wrong(why, "dev");
	else if (!sp_feed_text(sp_feed_member(root, "session"), sp_feed_is_stream, out->session,
			       sizeof(out->session)))
		fault = wrong(why, "session");
	else if (!read_presence(root, &out->presence))
		fault = wrong(why, "presence");
	else if (out->presence != SP_FEED_LOST)
		fault = read_birth(out, root, why);
	cJSON_Delete(root);
	return fault;
}

// ---- acknowledgements -----------------------------------------------------------------------

int sp_feed_ack_encode(struct sp_buf *out, const struct sp_feed_ack *ack)
{
	size_t start = out->length;
	if (out->overflowed || ack->have_count > SP_FEED_HAVE_MAX)
		return -EMSGSIZE;
	sp_buf_printf(out, "{\"v\":%d", SP_FEED_VERSION);
	member_text(out, "hub_epoch", ack->hub_epoch);
	sp_buf_printf(out, ",\"n\":%" PRId64, ack->number);
	member_text(out, "stream", ack->stream);
	sp_buf_printf(out, ",\"upto\":%" PRId64 ",\"have\":[", ack->upto);
	for (size_t i = 0; i < ack->have_count; i++)
		sp_buf_printf(out, "%s[%" PRId64 ",%" PRId64 "]", i ? "," : "", ack->have[i].from,
			      ack->have[i].to);
	sp_buf_text(out, "]");
	if (ack->timed) {
		sp_buf_printf(out,
			      ",\"t_ms\":%" PRId64 ",\"err_ms\":%" PRId64 ",\"echo\":{\"boot\":", ack->t_ms,
			      ack->err_ms);
		sp_json_text(out, ack->echo_boot);
		sp_buf_printf(out, ",\"mono_us\":%" PRId64 "}", ack->echo_mono_us);
	}
	sp_buf_text(out, "}");
	return finish(out, start);
}

/// All of it or nothing.
static bool read_time(const cJSON *root, struct sp_feed_ack *out)
{
	const cJSON *t_ms = sp_feed_member(root, "t_ms"), *err_ms = sp_feed_member(root, "err_ms");
	const cJSON *echo = sp_feed_member(root, "echo");
	if (!t_ms && !err_ms && !echo)
		return true;
	out->timed = true;
	return sp_feed_int(t_ms, 0, &out->t_ms) && sp_feed_int(err_ms, 0, &out->err_ms) &&
	       sp_feed_text(sp_feed_member(echo, "boot"), sp_feed_is_boot, out->echo_boot,
			    sizeof(out->echo_boot)) &&
	       sp_feed_int(sp_feed_member(echo, "mono_us"), 0, &out->echo_mono_us);
}

/// Ranges ascend, are disjoint and lie beyond `upto`: anything else is no acknowledgement that
/// could be acted upon.
static bool read_have(const cJSON *list, struct sp_feed_ack *out)
{
	int64_t last = out->upto;
	if (!cJSON_IsArray(list))
		return false;
	for (const cJSON *pair = list->child; pair; pair = pair->next) {
		const cJSON *from = cJSON_IsArray(pair) ? pair->child : NULL;
		const cJSON *to = from ? from->next : NULL;
		if (!to || to->next || out->have_count == SP_FEED_HAVE_MAX)
			return false;
		if (!sp_feed_int(from, last + 1, &out->have[out->have_count].from) ||
		    !sp_feed_int(to, out->have[out->have_count].from, &last))
			return false;
		out->have[out->have_count++].to = last;
	}
	return true;
}

enum sp_feed_fault sp_feed_ack_decode(struct sp_feed_ack *out, const void *payload, size_t length,
				      char why[128])
{
	cJSON *root = NULL;
	*out = (struct sp_feed_ack){0};
	enum sp_feed_fault fault = read_control(&root, payload, length, why);
	if (fault != SP_FEED_OK)
		return fault;
	if (!sp_feed_text(sp_feed_member(root, "hub_epoch"), sp_feed_is_stream, out->hub_epoch,
			  sizeof(out->hub_epoch)))
		fault = wrong(why, "hub_epoch");
	else if (!sp_feed_int(sp_feed_member(root, "n"), 0, &out->number))
		fault = wrong(why, "n");
	else if (!sp_feed_text(sp_feed_member(root, "stream"), sp_feed_is_stream, out->stream,
			       sizeof(out->stream)))
		fault = wrong(why, "stream");
	else if (!sp_feed_int(sp_feed_member(root, "upto"), 0, &out->upto))
		fault = wrong(why, "upto");
	else if (!read_have(sp_feed_member(root, "have"), out))
		fault = wrong(why, "have");
	else if (!read_time(root, out))
		fault = wrong(why, "t_ms");
	cJSON_Delete(root);
	return fault;
}

// ---- the hub's state ------------------------------------------------------------------------

int sp_feed_hub_encode(struct sp_buf *out, const struct sp_feed_hub *hub)
{
	size_t start = out->length;
	if (out->overflowed)
		return -EMSGSIZE;
	sp_buf_printf(out, "{\"v\":%d", SP_FEED_VERSION);
	member_text(out, "hub_epoch", hub->hub_epoch);
	member_text(out, "presence", presences[hub->online ? SP_FEED_ONLINE : SP_FEED_LOST]);
	sp_buf_printf(out, ",\"reconnect_window_seconds\":%" PRId64, hub->reconnect_window_seconds);
	if (hub->attendance_days > 0)
		sp_buf_printf(out, ",\"attendance_days\":%" PRId64, hub->attendance_days);
	sp_buf_text(out, "}");
	return finish(out, start);
}

enum sp_feed_fault sp_feed_hub_decode(struct sp_feed_hub *out, const void *payload, size_t length,
				      char why[128])
{
	cJSON *root = NULL;
	enum sp_feed_presence presence = SP_FEED_LOST;
	*out = (struct sp_feed_hub){0};
	enum sp_feed_fault fault = read_control(&root, payload, length, why);
	if (fault != SP_FEED_OK)
		return fault;
	if (!sp_feed_text(sp_feed_member(root, "hub_epoch"), sp_feed_is_stream, out->hub_epoch,
			  sizeof(out->hub_epoch)))
		fault = wrong(why, "hub_epoch");
	else if (!read_presence(root, &presence))
		fault = wrong(why, "presence");
	else if (!sp_feed_int(sp_feed_member(root, "reconnect_window_seconds"), 0,
			      &out->reconnect_window_seconds) ||
		 out->reconnect_window_seconds > WINDOW_MAX_SECONDS)
		fault = wrong(why, "reconnect_window_seconds");
	else if (!sp_feed_unknown(sp_feed_member(root, "attendance_days")) &&
		 (!sp_feed_int(sp_feed_member(root, "attendance_days"), 1, &out->attendance_days) ||
		  out->attendance_days > ATTENDANCE_MAX_DAYS))
		fault = wrong(why, "attendance_days");
	out->online = presence == SP_FEED_ONLINE;
	cJSON_Delete(root);
	return fault;
}
