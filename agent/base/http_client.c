// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The client and its loop: libcurl's multi handle asks for descriptors and a timer, we pass both on.
// What one transfer may do is set in http_transfer.c.
#include "agent/base/http_client.h"

#include <pthread.h>

#include "agent/base/http_transfer.h"
#include "agent/base/mem.h"
#include "schoolpulse/clock.h"

static pthread_once_t library_once = PTHREAD_ONCE_INIT;

/// At the first transfer, not at start: TLS costs memory that a board without HTTP need not spend.
static void open_library(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

/// The owner's one timer serves libcurl and transfers that failed before they began.
static void arm(struct sp_http_client *client)
{
	int64_t delay_ms = -1;
	if (client->failed_early) {
		delay_ms = 0;
	} else if (client->due_us >= 0) {
		int64_t left_us = client->due_us - sp_clock_mono_us();
		delay_ms = left_us > 0 ? (left_us + 999) / 1000 : 0;
	}
	client->loop->timer(client->arg, delay_ms);
}

static int on_timer(CURLM *multi, long delay_ms, void *arg)
{
	struct sp_http_client *client = arg;
	(void)multi;
	client->due_us = delay_ms < 0 ? -1 : sp_clock_mono_us() + (int64_t)delay_ms * 1000;
	arm(client);
	return 0;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct sp_http_client *client = arg;
	unsigned events = 0;
	(void)socket_arg;
	if (what == CURL_POLL_REMOVE) {
		struct sp_http_transfer *transfer = NULL;
		curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&transfer);
		if (transfer)
			sp_http_transfer_count(transfer, fd);
	}
	if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
		events |= SP_READABLE;
	if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
		events |= SP_WRITABLE;
	client->loop->watch(client->arg, fd, events);
	return 0;
}

static void open_multi(struct sp_http_client *client)
{
	pthread_once(&library_once, open_library);
	client->multi = curl_multi_init();
	if (!client->multi)
		return;
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
	curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, 1L); // nothing is kept anyway
}

struct sp_http_client *sp_http_client_new(const struct sp_http_loop *loop, void *arg)
{
	struct sp_http_client *client = sp_alloc(sizeof(*client));
	client->loop = loop;
	client->arg = arg;
	client->due_us = -1;
	return client;
}

void sp_http_client_free(struct sp_http_client *client)
{
	if (!client)
		return;
	while (client->transfers)
		sp_http_transfer_cancel(client->transfers);
	if (client->multi)
		curl_multi_cleanup(client->multi);
	client->loop->timer(client->arg, -1);
	free(client);
}

struct sp_http_transfer *sp_http_transfer_get(struct sp_http_client *client,
					      const struct sp_http_request *request, sp_http_done_fn done,
					      void *arg)
{
	if (!client->multi)
		open_multi(client);
	struct sp_http_transfer *transfer = sp_http_transfer_new(request, done, arg);
	transfer->client = client;
	transfer->next = client->transfers;
	if (transfer->next)
		transfer->next->previous = transfer;
	client->transfers = transfer;
	if (transfer->early == CURLE_OK &&
	    (!client->multi || curl_multi_add_handle(client->multi, transfer->easy) != CURLM_OK))
		transfer->early = CURLE_OUT_OF_MEMORY;
	transfer->added = transfer->early == CURLE_OK;
	if (!transfer->added) {
		client->failed_early = true;
		arm(client);
	}
	return transfer;
}

static void unlink_transfer(struct sp_http_transfer *transfer)
{
	struct sp_http_client *client = transfer->client;
	if (transfer->previous)
		transfer->previous->next = transfer->next;
	else
		client->transfers = transfer->next;
	if (transfer->next)
		transfer->next->previous = transfer->previous;
	if (transfer->added)
		curl_multi_remove_handle(client->multi, transfer->easy);
}

void sp_http_transfer_cancel(struct sp_http_transfer *transfer)
{
	if (!transfer || transfer->reporting)
		return;
	unlink_transfer(transfer);
	sp_http_transfer_free(transfer);
}

static void finish(struct sp_http_transfer *transfer, CURLcode code)
{
	transfer->reporting = true;
	unlink_transfer(transfer);
	sp_http_transfer_report(transfer, code);
	sp_http_transfer_free(transfer);
}

static void finish_early(struct sp_http_client *client)
{
	// From the start each time: a callback may start and cancel others.
	struct sp_http_transfer *t = client->transfers;
	client->failed_early = false;
	while (t) {
		if (t->added) {
			t = t->next;
		} else {
			finish(t, t->early);
			t = client->transfers;
		}
	}
}

static void finish_done(struct sp_http_client *client)
{
	int left;
	for (CURLMsg *m; client->multi && (m = curl_multi_info_read(client->multi, &left));) {
		struct sp_http_transfer *transfer = NULL;
		CURLcode code = m->data.result;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
		finish(transfer, code); // `m` is gone with the handle
	}
}

void sp_http_client_ready(struct sp_http_client *client, int fd, unsigned events)
{
	int running, mask = 0;
	if (!client->multi)
		return;
	if (events & SP_READABLE)
		mask |= CURL_CSELECT_IN;
	if (events & SP_WRITABLE)
		mask |= CURL_CSELECT_OUT;
	curl_multi_socket_action(client->multi, fd, mask, &running);
	finish_done(client);
}

void sp_http_client_expired(struct sp_http_client *client)
{
	int running;
	if (client->failed_early)
		finish_early(client);
	if (client->multi && client->due_us >= 0 && sp_clock_mono_us() >= client->due_us) {
		// libcurl speaks again only of a time that differs from the one it named last.
		client->due_us = -1;
		curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &running);
		finish_done(client);
	}
	arm(client);
}
