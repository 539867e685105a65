// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Round trips, with and without load, on a connection that carries nothing else. The first answer of a
// connection is not kept: the server may be slow to wake.
#include "librespeed.h"

enum { TIMEOUT_MS = 3000, EMPTY_MOST = 1024 };

static void on_done(struct sp_device *dev, struct sp_http_stream *stream,
		    const struct sp_http_stream_end *end, void *arg)
{
	struct sp_librespeed_round *round = arg;
	struct sp_librespeed_pinger *pinger = &round->pinger;
	(void)stream;
	pinger->stream = NULL;
	round->wire += end->bytes;
	sp_librespeed_judge(
	    &(struct sp_librespeed_answer){.result = end->result, .error = end->error, .status = end->status},
	    &pinger->verdict);
	bool good = !pinger->verdict.reason && end->first_byte_us >= 0;
	if (good && pinger->warm && pinger->into && pinger->counted)
		sp_latency_add(pinger->into, (double)end->first_byte_us / 1e6);
	else if (!good && pinger->into)
		sp_latency_gap(pinger->into);
	pinger->warm = good;
	pinger->lost = good ? 0 : pinger->lost + 1;
	int64_t since_ms = (sp_device_now_us(dev) - pinger->begun_us) / 1000;
	sp_timer_start(pinger->timer,
		       since_ms < SP_LIBRESPEED_PING_MS ? SP_LIBRESPEED_PING_MS - since_ms : 0);
	if (pinger->asked)
		pinger->asked(round);
}

static const struct sp_http_stream_events events = {.done = on_done};

static void ask(struct sp_device *dev, void *arg)
{
	struct sp_librespeed_round *round = arg;
	struct sp_librespeed_pinger *pinger = &round->pinger;
	char url[SP_LIBRESPEED_URL];
	sp_librespeed_address(round, SP_LIBRESPEED_EMPTY, 0, url);
	struct sp_http_stream_request request = {
	    .method = "GET", .url = url, .max_bytes = EMPTY_MOST, .timeout_ms = TIMEOUT_MS};
	pinger->begun_us = sp_device_now_us(dev);
	// Under load only those that began after the warm-up.
	const struct sp_librespeed_load *load = &round->load;
	pinger->counted =
	    pinger->into != &load->loaded ||
	    (load->moving && pinger->begun_us - load->meter.points[0].at_us >= round->conf->warmup_ms * 1000);
	pinger->stream = sp_http_stream_start(pinger->session, &request, &events, round);
}

void sp_librespeed_ping(struct sp_librespeed_round *round, struct sp_latency *into,
			void (*asked)(struct sp_librespeed_round *round))
{
	struct sp_librespeed_pinger *pinger = &round->pinger;
	pinger->into = into;
	pinger->asked = asked;
	pinger->lost = 0;
	if (!pinger->timer)
		pinger->timer = sp_timer_new(round->dev, ask, round);
	sp_timer_start(pinger->timer, 0);
}

void sp_librespeed_ping_stop(struct sp_librespeed_round *round)
{
	struct sp_librespeed_pinger *pinger = &round->pinger;
	if (pinger->timer)
		sp_timer_stop(pinger->timer);
	if (pinger->stream) {
		round->wire += sp_http_stream_cancel(pinger->stream);
		pinger->warm = false;
	}
	pinger->stream = NULL;
	pinger->into = NULL;
	pinger->asked = NULL;
}
