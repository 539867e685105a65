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

/// When the next of our own checks is due; -1: none.
static int64_t next_check(const struct sp_http_client *client)
{
	int64_t due_us = -1;
	for (const struct sp_http_job *job = client->jobs; job; job = job->next)
		if (job->check_us >= 0 && (due_us < 0 || job->check_us < due_us))
			due_us = job->check_us;
	return due_us;
}

/// The owner's one timer serves libcurl, our own checks, and transfers that failed before they began.
static void arm(struct sp_http_client *client)
{
	int64_t delay_ms = -1, due_us = next_check(client);
	if (due_us < 0 || (client->due_us >= 0 && client->due_us < due_us))
		due_us = client->due_us;
	if (client->failed_early) {
		delay_ms = 0;
	} else if (due_us >= 0) {
		int64_t left_us = due_us - sp_clock_mono_us();
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
	struct sp_http_job *job = NULL;
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&job);
	if (job && what == CURL_POLL_REMOVE)
		job->kind->released(job, fd);
	else if (job && job->kind->watched)
		job->kind->watched(job, fd);
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
	curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, client->keep);
}

struct sp_http_client *sp_http_client_new(const struct sp_http_loop *loop, void *arg)
{
	struct sp_http_client *client = sp_alloc(sizeof(*client));
	client->loop = loop;
	client->arg = arg;
	client->keep = 1;
	client->due_us = -1;
	return client;
}

void sp_http_client_free(struct sp_http_client *client)
{
	if (!client)
		return;
	while (client->jobs)
		sp_http_job_cancel(client->jobs);
	curl_easy_cleanup(client->known);
	if (client->multi)
		curl_multi_cleanup(client->multi);
	client->loop->timer(client->arg, -1);
	free(client);
}

void sp_http_job_add(struct sp_http_client *client, struct sp_http_job *job)
{
	if (!client->multi)
		open_multi(client);
	job->client = client;
	job->previous = NULL;
	job->next = client->jobs;
	if (job->next)
		job->next->previous = job;
	client->jobs = job;
	if (job->early == CURLE_OK &&
	    (!client->multi || curl_multi_add_handle(client->multi, job->easy) != CURLM_OK))
		job->early = CURLE_OUT_OF_MEMORY;
	job->added = job->early == CURLE_OK;
	client->failed_early |= !job->added;
	if (!job->added || job->check_us >= 0)
		arm(client);
}

void sp_http_job_wake(struct sp_http_job *job)
{
	job->check_us = sp_clock_mono_us();
	arm(job->client);
}

struct sp_http_transfer *sp_http_transfer_get(struct sp_http_client *client,
					      const struct sp_http_request *request, sp_http_done_fn done,
					      void *arg)
{
	struct sp_http_transfer *transfer = sp_http_transfer_new(request, done, arg);
	sp_http_job_add(client, &transfer->job);
	return transfer;
}

static void unlink_job(struct sp_http_job *job)
{
	struct sp_http_client *client = job->client;
	if (job->kind->leaving)
		job->kind->leaving(job);
	if (job->previous)
		job->previous->next = job->next;
	else
		client->jobs = job->next;
	if (job->next)
		job->next->previous = job->previous;
	if (job->added)
		curl_multi_remove_handle(client->multi, job->easy);
}

void sp_http_job_cancel(struct sp_http_job *job)
{
	if (job->reporting)
		return;
	unlink_job(job);
	job->kind->free(job);
}

void sp_http_transfer_cancel(struct sp_http_transfer *transfer)
{
	if (transfer)
		sp_http_job_cancel(&transfer->job);
}

static void finish(struct sp_http_job *job, CURLcode code)
{
	struct sp_http_client *client = job->client;
	job->reporting = true;
	unlink_job(job);
	if (job->kind->again && job->kind->again(job, code)) {
		job->reporting = false;
		sp_http_job_add(client, job);
		return;
	}
	job->kind->report(job, code);
	job->kind->free(job);
}

static void finish_early(struct sp_http_client *client)
{
	// From the start each time: a callback may start and cancel others.
	struct sp_http_job *job = client->jobs;
	client->failed_early = false;
	while (job) {
		if (job->added) {
			job = job->next;
		} else {
			finish(job, job->early);
			job = client->jobs;
		}
	}
}

static void check(struct sp_http_client *client)
{
	int64_t now_us = sp_clock_mono_us();
	struct sp_http_job *job = client->jobs;
	while (job) {
		if (job->check_us < 0 || job->check_us > now_us) {
			job = job->next;
			continue;
		}
		CURLcode code = job->kind->check(job, now_us); // names a later time
		if (code == CURLE_OK) {
			job = job->next;
		} else {
			finish(job, code);
			job = client->jobs;
		}
	}
}

static void finish_done(struct sp_http_client *client)
{
	int left;
	for (CURLMsg *m; client->multi && (m = curl_multi_info_read(client->multi, &left));) {
		struct sp_http_job *job = NULL;
		CURLcode code = m->data.result;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&job);
		finish(job, code); // `m` is gone with the handle
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
	check(client);
	arm(client);
}
