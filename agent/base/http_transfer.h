// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// One transfer: what it asks for, what it may cost, how its end is told. Private to http_client.c
// and http_transfer.c.
#pragma once

#include <curl/curl.h>

#include "agent/base/buf.h"
#include "agent/base/http_client.h"

struct sp_http_client {
	const struct sp_http_loop *loop;
	void *arg;
	CURLM *multi; ///< NULL before the first transfer
	struct sp_http_transfer *transfers;
	int64_t due_us;    ///< when libcurl wants to be called; -1: not
	bool failed_early; ///< one of the transfers was never added
};

struct sp_http_transfer {
	struct sp_http_client *client;
	struct sp_http_transfer *next, *previous;
	CURL *easy;
	struct curl_slist *connect_to;
	sp_http_done_fn done;
	void *arg;
	struct sp_buf body;
	size_t head_length;
	bool head_too_long, body_too_long;
	int64_t wire_bytes; ///< of IP, by the kernel's count
	bool added;         ///< libcurl knows it
	bool reporting;     ///< its callback runs
	CURLcode early;     ///< why it could not begin
	char error[CURL_ERROR_SIZE];
};

struct sp_http_transfer *sp_http_transfer_new(const struct sp_http_request *request, sp_http_done_fn done,
					      void *arg);
void sp_http_transfer_free(struct sp_http_transfer *transfer);
/// The socket is about to be closed: its counters are read.
void sp_http_transfer_count(struct sp_http_transfer *transfer, int fd);
/// Calls `done`.
void sp_http_transfer_report(struct sp_http_transfer *transfer, CURLcode code);
