// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// One direction under load: parallel GETs of garbage, or POSTs to the empty page. Downwards every byte counts
// when it is read; upwards when the peer's kernel has acknowledged it, and only in a POST that the server
// then answered well or that was still under way when time was up. What belongs to a refused request is void.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "librespeed.h"

enum {
	TICK_MS = 50,
	LIMITED_TICK_MS = 10, ///< while bytes are limited
	STAGGER_MS = 100,     ///< between the beginnings of streams
	CHUNKS = 100,         ///< MiB asked for at once
	POST_FIRST = 64 * 1024,
	POST_LEAST = 32 * 1024, ///< who refuses that is no server for uploads
	ANSWER_MOST = 16 * 1024,
	STALL_MS = 5000,
	FIGURE_US = 1000 * 1000,      ///< less behind the warm-up gives no figure
	RESTART_US = 3 * 1000 * 1000, ///< a server may say so long how large a POST may be
	QUICK_US = 500 * 1000,        ///< a POST that took less is followed by a larger one
	CONFIRM_US = 5 * 1000 * 1000, ///< a slow line's first POST may take so much longer
};

static const char *const limit_text = "the most bytes that it may take were reached";
static const char *const too_large = "the server takes no upload of this size";

static struct sp_librespeed_load *load_of(struct sp_librespeed_lane *lane)
{
	return &lane->round->load;
}

static enum sp_speed_phase phase_of(const struct sp_librespeed_load *load)
{
	return load->direction == SP_SPEED_DOWN ? SP_SPEED_LOAD_DOWN : SP_SPEED_LOAD_UP;
}

// ---- bytes --------------------------------------------------------------------------------------

static int64_t bytes_now(const struct sp_librespeed_load *load)
{
	int64_t bytes = load->total;
	for (unsigned i = 0; load->direction == SP_SPEED_UP && i < load->lanes_begun; i++) {
		int64_t acked = load->lanes[i].stream ? sp_http_stream_acked(load->lanes[i].stream) : 0;
		bytes += acked > 0 ? acked : 0;
	}
	return bytes;
}

int64_t sp_librespeed_wire_now(struct sp_librespeed_round *round)
{
	struct sp_http_stream_end end;
	int64_t bytes = round->wire;
	for (unsigned i = 0; i < round->load.lanes_begun; i++) {
		if (!round->load.lanes[i].stream)
			continue;
		sp_http_stream_look(round->load.lanes[i].stream, &end);
		bytes += end.bytes;
	}
	if (round->pinger.stream) {
		sp_http_stream_look(round->pinger.stream, &end);
		bytes += end.bytes;
	}
	return bytes;
}

static void add_sent(struct sp_librespeed_load *load, const struct sp_http_stream_end *end)
{
	if (isnan(end->retransmit_ratio))
		return;
	load->sent += (double)end->sent_bytes;
	load->repeated += end->retransmit_ratio * (double)end->sent_bytes;
}

void sp_librespeed_unload(struct sp_librespeed_round *round)
{
	struct sp_librespeed_load *load = &round->load;
	for (unsigned i = 0; i < load->lanes_begun; i++) {
		struct sp_http_stream_end end;
		if (!load->lanes[i].stream)
			continue;
		sp_http_stream_look(load->lanes[i].stream, &end);
		add_sent(load, &end);
		round->wire += sp_http_stream_cancel(load->lanes[i].stream);
		load->lanes[i].stream = NULL;
	}
	sp_http_session_free(load->session);
	load->session = NULL;
}

// ---- the end of a direction -----------------------------------------------------------------------

/// `reason` NULL: time is up. What was measured until `end_us` stands.
static void conclude(struct sp_librespeed_round *round, const char *reason, const char *text, int64_t end_us)
{
	struct sp_librespeed_load *load = &round->load;
	struct sp_speed_result *result = &round->results[load->direction];
	char *kept = round->texts[load->direction];
	sp_librespeed_ping_stop(round);
	sp_timer_stop(round->timer);
	sp_librespeed_unload(round);
	bool figure = load->moving &&
		      sp_meter_result(&load->meter, round->conf->warmup_ms * 1000, end_us, FIGURE_US, result);
	if (load->direction == SP_SPEED_UP && load->confirmed == 0 && !reason) {
		reason = "timeout";
		text = "no upload was answered";
	}
	if (load->direction == SP_SPEED_UP && load->confirmed == 0)
		figure = false;
	if (!figure)
		result->bytes = result->duration_us = result->warmup_us = 0;
	if (figure)
		result->outcome = reason ? SP_SPEED_PARTIAL : SP_SPEED_WHOLE;
	else if (reason && strcmp(reason, "no_capacity") == 0)
		result->outcome = SP_SPEED_SKIPPED;
	else
		result->outcome = SP_SPEED_FAILED;
	// Ended by us with nothing to show: too little time.
	result->reason = reason ? reason : figure ? "" : "short";
	if (text && kept != text)
		snprintf(kept, SP_LIBRESPEED_TEXT, "%s", text);
	result->text = kept[0] ? kept : NULL;
	result->streams = load->lanes_begun;
	result->retransmit_ratio = load->sent > 0 ? load->repeated / load->sent : (double)NAN;
	sp_latency_result(&load->loaded, &result->loaded);
	if (load->told)
		sp_speed_progress(round->dev, phase_of(load), 1, sp_meter_now(&load->meter, FIGURE_US));
	sp_librespeed_loaded(round);
}

/// The load's first byte, or the first after a restart.
static void start_meter(struct sp_librespeed_round *round, int64_t now, int64_t offset)
{
	struct sp_librespeed_load *load = &round->load;
	load->moving = true;
	load->offset = offset;
	sp_meter_start(&load->meter, now);
	if (!load->told)
		sp_speed_progress(round->dev, phase_of(load), 0, 0);
	load->told = true;
}

// ---- streams --------------------------------------------------------------------------------------

static void begin_lane(struct sp_librespeed_lane *lane);

static bool on_head(struct sp_device *dev, struct sp_http_stream *stream, const struct sp_http_head *head,
		    void *arg)
{
	struct sp_librespeed_lane *lane = arg;
	(void)dev, (void)stream;
	snprintf(lane->retry_after, sizeof(lane->retry_after), "%s", head->retry_after);
	// Bytes of an error page are no speed: nothing of it is read.
	return head->status == 200;
}

static bool on_received(struct sp_device *dev, struct sp_http_stream *stream, const uint8_t *data,
			size_t length, void *arg)
{
	struct sp_librespeed_lane *lane = arg;
	struct sp_librespeed_load *load = load_of(lane);
	(void)stream, (void)data;
	lane->received += (int64_t)length;
	if (load->direction == SP_SPEED_UP)
		return true;
	if (!load->moving)
		start_meter(lane->round, sp_device_now_us(dev), 0);
	load->total += (int64_t)length;
	// The headers of packets and the acknowledgements are a sixteenth. Between two ticks a fast line
	// moves much.
	load->full =
	    load->wire_limit > 0 && load->wire_base + load->total + load->total / 16 >= load->wire_limit;
	return !load->full;
}

static void on_fill(struct sp_device *dev, struct sp_http_stream *stream, uint8_t *data, size_t size,
		    void *arg)
{
	const struct sp_librespeed_lane *lane = arg;
	(void)dev, (void)stream;
	while (size > 0) {
		size_t piece = size < SP_LIBRESPEED_BLOCK ? size : SP_LIBRESPEED_BLOCK;
		memcpy(data, lane->round->block, piece);
		data += piece;
		size -= piece;
	}
}

/// A POST was taken: its bytes stand, as far as they have arrived, and the next may be larger.
static void confirm(struct sp_librespeed_lane *lane, const struct sp_http_stream_end *end, int64_t now)
{
	struct sp_librespeed_load *load = load_of(lane);
	// A server that answers before it has the upload has only what its kernel acknowledged.
	load->total += end->acked_bytes > 0 ? end->acked_bytes : 0;
	load->confirmed++;
	if (lane->size > load->confirmed_size)
		load->confirmed_size = lane->size;
	if (now - lane->begun_us >= QUICK_US || lane->size < load->post_size)
		return;
	load->post_size = load->post_size * 4 < load->post_most ? load->post_size * 4 : load->post_most;
}

/// The server refuses POSTs of this size: they shall be smaller, and what was counted is forgotten. False:
/// that is not it, or it comes too late, or they cannot be smaller.
static bool shrink(struct sp_librespeed_lane *lane, const struct sp_http_stream_end *end, int64_t now)
{
	struct sp_librespeed_load *load = load_of(lane);
	bool cut = end->status == 0 && end->result == -ECONNRESET && lane->size > load->confirmed_size;
	if ((end->status != 413 && !cut) || load->direction != SP_SPEED_UP || lane->size / 2 < POST_LEAST ||
	    (load->moving && now - load->begun_us > RESTART_US))
		return false;
	if (load->post_most > lane->size / 2)
		load->post_most = lane->size / 2;
	if (load->post_size > load->post_most)
		load->post_size = load->post_most;
	// Between two small POSTs a connection waits for an answer: others fill the line meanwhile.
	load->lanes_wanted = (unsigned)lane->round->conf->upload_streams * 2;
	if (load->lanes_wanted > SP_LIBRESPEED_STREAMS)
		load->lanes_wanted = SP_LIBRESPEED_STREAMS;
	load->moving = false;
	memset(&load->loaded, 0, sizeof(load->loaded));
	snprintf(lane->round->texts[SP_SPEED_UP], SP_LIBRESPEED_TEXT, "%s: %lld bytes", too_large,
		 (long long)lane->size);
	return true;
}

/// What its end says of the server; no reason: all is well.
static void judge(struct sp_librespeed_lane *lane, const struct sp_http_stream_end *end,
		  struct sp_librespeed_verdict *out)
{
	struct sp_librespeed_load *load = load_of(lane);
	sp_librespeed_judge(&(struct sp_librespeed_answer){.result = end->result,
							   .error = end->error,
							   .status = end->status,
							   .moved = end->received_bytes + end->sent_bytes > 0,
							   .retry_after = lane->retry_after},
			    out);
	if (!out->reason && load->direction == SP_SPEED_DOWN &&
	    end->received_bytes != (int64_t)CHUNKS << 20) {
		out->reason = "protocol";
		snprintf(out->text, sizeof(out->text), "%d MiB were asked for, %lld bytes came", CHUNKS,
			 (long long)end->received_bytes);
	}
}

/// A download that broke off while others move: not for ever the end of all.
static bool broken_off(struct sp_librespeed_load *load, const struct sp_librespeed_verdict *verdict,
		       int64_t now)
{
	bool off = strcmp(verdict->reason, "closed") == 0 || strcmp(verdict->reason, "stalled") == 0;
	return off && load->direction == SP_SPEED_DOWN && load->moving &&
	       now - sp_meter_moved_us(&load->meter) < STALL_MS * 1000 / 2 &&
	       load->broken++ < load->lanes_wanted;
}

static void on_done(struct sp_device *dev, struct sp_http_stream *stream,
		    const struct sp_http_stream_end *end, void *arg)
{
	struct sp_librespeed_lane *lane = arg;
	struct sp_librespeed_round *round = lane->round;
	struct sp_librespeed_load *load = &round->load;
	struct sp_librespeed_verdict verdict;
	int64_t now = sp_device_now_us(dev);
	(void)stream;
	lane->stream = NULL;
	round->wire += end->bytes;
	add_sent(load, end);
	judge(lane, end, &verdict);
	if (load->full) {
		conclude(round, "byte_limit", limit_text, now);
	} else if (!verdict.reason) {
		if (load->direction == SP_SPEED_UP)
			confirm(lane, end, now);
		begin_lane(lane);
	} else if (shrink(lane, end, now)) {
		begin_lane(lane);
	} else if (broken_off(load, &verdict, now)) {
		begin_lane(lane); // bytes that came have come
	} else {
		bool stands = load->direction == SP_SPEED_DOWN && strcmp(verdict.reason, "protocol") != 0;
		int64_t moved = load->moving ? sp_meter_moved_us(&load->meter) : now;
		conclude(round, verdict.reason, verdict.text, stands ? moved : lane->begun_us);
	}
}

static const struct sp_http_stream_events events = {
    .head = on_head, .received = on_received, .fill = on_fill, .done = on_done};

static void begin_lane(struct sp_librespeed_lane *lane)
{
	struct sp_librespeed_round *round = lane->round;
	struct sp_librespeed_load *load = &round->load;
	bool down = load->direction == SP_SPEED_DOWN;
	char url[SP_LIBRESPEED_URL];
	sp_librespeed_address(round, down ? SP_LIBRESPEED_GARBAGE : SP_LIBRESPEED_EMPTY, down ? CHUNKS : 0,
			      url);
	lane->begun_us = sp_device_now_us(round->dev);
	lane->size = down ? 0 : load->post_size;
	lane->received = 0;
	lane->retry_after[0] = '\0';
	struct sp_http_stream_request request = {
	    .method = down ? "GET" : "POST",
	    .url = url,
	    .send_bytes = lane->size,
	    .max_bytes = down ? (int64_t)CHUNKS << 20 : ANSWER_MOST,
	    .timeout_ms = 10 * 60 * 1000, // the direction ends long before
	    .stall_ms = STALL_MS,
	};
	lane->stream = sp_http_stream_start(load->session, &request, &events, lane);
}

// ---- time -----------------------------------------------------------------------------------------

/// Another step as large as the last would go over the limit.
static bool limit_reached(struct sp_librespeed_round *round)
{
	struct sp_librespeed_load *load = &round->load;
	if (load->wire_limit == 0)
		return false;
	int64_t wire = sp_librespeed_wire_now(round), step = wire - load->wire_seen;
	// What is under way when we stop comes all the same: the streams' windows, about a tenth of a second.
	load->wire_step = step > load->wire_step ? step : load->wire_step;
	load->wire_seen = wire;
	return wire + 3 * load->wire_step >= load->wire_limit;
}

static void look(struct sp_librespeed_round *round, int64_t now)
{
	struct sp_librespeed_load *load = &round->load;
	int64_t bytes = bytes_now(load);
	if (load->moving)
		sp_meter_look(&load->meter, now, bytes - load->offset);
	else if (load->direction == SP_SPEED_UP && bytes > 0)
		start_meter(round, now, bytes);
}

/// When time is up: had all stood still by then? The limit of a stall is longer than what is left of a short
/// test, and half of what counts without a byte is no measured rate.
static bool ended_before(const struct sp_librespeed_round *round, int64_t end_us)
{
	const struct sp_librespeed_conf *conf = round->conf;
	return end_us - sp_meter_moved_us(&round->load.meter) >= (conf->duration_ms - conf->warmup_ms) * 500;
}

static void tick(struct sp_device *dev, void *arg)
{
	struct sp_librespeed_round *round = arg;
	struct sp_librespeed_load *load = &round->load;
	int64_t now = sp_device_now_us(dev), duration = round->conf->duration_ms * 1000;
	int64_t tick_ms = load->wire_limit > 0 ? LIMITED_TICK_MS : TICK_MS;
	while (load->lanes_begun < load->lanes_wanted &&
	       now - load->begun_us >= (int64_t)load->lanes_begun * STAGGER_MS * 1000)
		begin_lane(&load->lanes[load->lanes_begun++]);
	look(round, now);
	int64_t start = load->moving ? load->meter.points[0].at_us : load->begun_us, left = duration;
	if (load->moving) {
		left = start + duration - now;
		sp_speed_progress(dev, phase_of(load),
				  left < 0 ? 0.99 : 0.99 * (double)(duration - left) / (double)duration,
				  sp_meter_now(&load->meter, FIGURE_US));
	}
	bool unsure = load->direction == SP_SPEED_UP && load->confirmed == 0 && left > -CONFIRM_US;
	if (limit_reached(round))
		conclude(round, "byte_limit", limit_text, now);
	else if (load->moving && left <= 0 && !unsure && !ended_before(round, start + duration))
		conclude(round, NULL, NULL, start + duration);
	else if (load->moving &&
		 (now - sp_meter_moved_us(&load->meter) >= STALL_MS * 1000 || (left <= 0 && !unsure)))
		conclude(round, "stalled", "nothing moved any more", sp_meter_moved_us(&load->meter));
	else if (!load->moving && now - start >= round->conf->timeout_ms * 1000 + STALL_MS * 1000)
		conclude(round, "timeout", "no byte moved", now);
	else
		sp_timer_start(round->timer,
			       left > 0 && left < tick_ms * 1000 ? (left + 999) / 1000 : tick_ms);
}

void sp_librespeed_load(struct sp_librespeed_round *round, enum sp_speed_direction direction,
			int64_t wire_limit)
{
	struct sp_librespeed_load *load = &round->load;
	const struct sp_librespeed_conf *conf = round->conf;
	memset(load, 0, sizeof(*load));
	load->direction = direction;
	load->lanes_wanted =
	    (unsigned)(direction == SP_SPEED_DOWN ? conf->download_streams : conf->upload_streams);
	for (unsigned i = 0; i < SP_LIBRESPEED_STREAMS; i++)
		load->lanes[i].round = round;
	load->post_most = conf->upload_size;
	load->post_size = POST_FIRST < load->post_most ? POST_FIRST : load->post_most;
	load->begun_us = sp_device_now_us(round->dev);
	load->wire_limit = wire_limit;
	load->wire_seen = load->wire_base = round->wire;
	load->session = sp_librespeed_session(round);
	sp_timer_free(round->timer);
	round->timer = sp_timer_new(round->dev, tick, round);
	sp_librespeed_ping(round, &load->loaded, NULL);
	sp_timer_start(round->timer, 0);
}
