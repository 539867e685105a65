// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Where the backend's pages are: one after the other is asked for the empty one. Who answers is the server of
// the whole test, by this address and family.
#include <stdio.h>
#include <string.h>

#include "librespeed.h"

enum { EMPTY_MOST = 1024 }; ///< an "empty" page that says more is somebody else's

static void ask(struct sp_librespeed_round *round);

static void on_done(struct sp_device *dev, struct sp_http_stream *stream,
		    const struct sp_http_stream_end *end, void *arg)
{
	struct sp_librespeed_round *round = arg;
	struct sp_librespeed_verdict verdict;
	(void)dev, (void)stream;
	round->finder = NULL;
	round->wire += end->bytes;
	sp_librespeed_judge(
	    &(struct sp_librespeed_answer){.result = end->result, .error = end->error, .status = end->status},
	    &verdict);
	bool nowhere = verdict.reason && strcmp(verdict.reason, "http_status") == 0 && end->status >= 400 &&
		       end->status < 500;
	bool other = end->status == 200 && (end->received_bytes > 0 || end->result == -EMSGSIZE);
	if (!verdict.reason && !other) {
		snprintf(round->address, sizeof(round->address), "%s", end->address);
		round->family = end->family;
		sp_librespeed_found(round);
	} else if ((nowhere || other) && ++round->form < SP_LIBRESPEED_FORMS) {
		ask(round);
	} else if (other) {
		sp_librespeed_lost(round, "protocol", "the empty page is not empty: no LibreSpeed backend");
	} else {
		sp_librespeed_lost(round, verdict.reason, verdict.text);
	}
}

static const struct sp_http_stream_events events = {.done = on_done};

static void ask(struct sp_librespeed_round *round)
{
	char url[SP_LIBRESPEED_URL];
	int64_t left_ms = round->conf->timeout_ms - (sp_device_now_us(round->dev) - round->begun_us) / 1000;
	if (left_ms <= 0) {
		sp_librespeed_lost(round, "timeout", "the pages were not found in time");
		return;
	}
	sp_librespeed_address(round, SP_LIBRESPEED_EMPTY, 0, url);
	struct sp_http_stream_request request = {
	    .method = "GET", .url = url, .max_bytes = EMPTY_MOST, .timeout_ms = left_ms};
	round->finder = sp_http_stream_start(round->pinger.session, &request, &events, round);
}

void sp_librespeed_find(struct sp_librespeed_round *round)
{
	round->begun_us = sp_device_now_us(round->dev);
	sp_speed_progress(round->dev, SP_SPEED_PREPARE, 0, -1);
	ask(round);
}
