// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What every transfer has in common, whether its body is kept (http_transfer.c) or flows by (http_flow.c): a
// handle of libcurl's, its manners, its way out, and how its end is told. Private to http_*.c.
#pragma once

#include <curl/curl.h>

#include "agent/base/http_client.h"

struct sp_http_job;
struct sp_http_socket;

struct sp_http_job_kind {
	void (*report)(struct sp_http_job *job, CURLcode code); ///< calls the owner
	void (*free)(struct sp_http_job *job);
	/// libcurl is about to let go of that descriptor.
	void (*released)(struct sp_http_job *job, int fd);
	/// libcurl waits for that descriptor. May be NULL, as those below.
	void (*watched)(struct sp_http_job *job, int fd);
	/// The handle is about to leave libcurl, which may close its connection.
	void (*leaving)(struct sp_http_job *job);
	/// `check_us` has come: names the next, or says with what the job ends.
	CURLcode (*check)(struct sp_http_job *job, int64_t now_us);
	/// Asked before the report: true, and it begins anew with what `easy` is now.
	bool (*again)(struct sp_http_job *job, CURLcode code);
};

struct sp_http_job {
	const struct sp_http_job_kind *kind;
	struct sp_http_client *client;
	struct sp_http_job *next, *previous;
	CURL *easy;
	struct curl_slist *connect_to;
	size_t head_length;
	bool head_too_long, body_too_long;
	int64_t check_us; ///< monotonic; -1: never
	bool added;       ///< libcurl knows it
	bool reporting;   ///< its callback runs
	CURLcode early;   ///< why it could not begin
	char error[CURL_ERROR_SIZE];
};

struct sp_http_client {
	const struct sp_http_loop *loop;
	void *arg;
	CURLM *multi; ///< NULL before the first transfer
	struct sp_http_job *jobs;
	struct sp_http_socket *sockets; ///< of flows
	long keep;                      ///< connections that may stay open
	CURL *known;                    ///< a handle at rest that has logged in (http_login.h)
	unsigned char pin[32];          ///< the only certificate that is trusted, where one is
	int64_t due_us;                 ///< when libcurl wants to be called; -1: not
	bool failed_early;              ///< one of the jobs was never added
};

/// By which way a job leaves and whom it trusts; texts may be NULL.
struct sp_http_way {
	const char *url, *resolve, *interface, *ca_file;
};

/// Makes the handle, unless it has one. What is wrong is in `early` then; set it also for what the caller
/// cannot set.
void sp_http_job_init(struct sp_http_job *job, const struct sp_http_job_kind *kind,
		      const struct sp_http_way *way);
void sp_http_job_clear(struct sp_http_job *job);
/// Counts a piece of the head; false: it is too long.
bool sp_http_job_head(struct sp_http_job *job, size_t length);
/// libcurl's code in errno's words.
int sp_http_job_errno(const struct sp_http_job *job, CURLcode code);
/// The same for people; `max`: of the body.
void sp_http_job_describe(const struct sp_http_job *job, CURLcode code, int64_t max, char *out, size_t size);
/// Of the peer; SP_FAMILY_ANY while none was reached. `address` may be NULL.
enum sp_family sp_http_job_family(const struct sp_http_job *job, char address[INET6_ADDRSTRLEN]);

/// Hands the job to libcurl; what fails comes by `report`, later.
void sp_http_job_add(struct sp_http_client *client, struct sp_http_job *job);
/// Its check comes as soon as the loop turns.
void sp_http_job_wake(struct sp_http_job *job);
/// Ends it without a report, unless its report runs right now.
void sp_http_job_cancel(struct sp_http_job *job);
