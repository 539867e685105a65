// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// One flowing transfer on libcurl. No byte is touched here but by libcurl's own read and write; what moves is
// counted, and time, head and body are bounded whatever the peer does.
#include "agent/base/http_flow.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/http_flow_priv.h"
#include "agent/base/http_login.h"
#include "agent/base/http_socket.h"
#include "agent/base/mem.h"
#include "schoolpulse/clock.h"

enum {
	RECEIVE_BUFFER = 512 * 1024, ///< the most that libcurl grants
	SEND_BUFFER = 512 * 1024,
	DEVICE_BUFFER = 16 * 1024,   ///< a device's answers are short, and nobody measures how fast they come
	KEEP = 64,                   ///< connections
	CONNECT_MOST_MS = 30 * 1000, ///< where nothing else ends it
	CHECK_LEAST_US = 5 * 1000,
	CHECK_MOST_US = 50 * 1000,
	/// A fast answer is read in pieces of this part of what came between two checks, so some twenty
	/// milliseconds' worth, rather than packet by packet.
	PIECES = 2,
	PIECE_LEAST = 2 * 1024,
	PIECE_MOST = 128 * 1024,
};

static struct sp_http_flow *of(struct sp_http_job *job)
{
	return (struct sp_http_flow *)job;
}

// ---- the body that we send ----------------------------------------------------------------------

static size_t on_fill(char *out, size_t size, size_t count, void *arg)
{
	struct sp_http_flow *flow = arg;
	int64_t left = flow->send_bytes - flow->filled;
	size_t piece = size * count;
	if ((int64_t)piece > left)
		piece = (size_t)left;
	if (piece > 0)
		flow->events->fill(flow->arg, (uint8_t *)out, piece);
	flow->filled += (int64_t)piece;
	if (piece > 0 && flow->filled == flow->send_bytes)
		flow->asked_us = sp_clock_mono_us();
	return piece;
}

/// The connection stands and the request's head goes out next.
static int on_request(void *arg, char *peer, char *own, int peer_port, int own_port)
{
	struct sp_http_flow *flow = arg;
	(void)peer, (void)own, (void)peer_port, (void)own_port;
	flow->asked_us = sp_clock_mono_us();
	return CURL_PREREQFUNC_OK;
}

/// A kept connection turned out to be dead: libcurl begins anew on another.
static int on_seek(void *arg, curl_off_t offset, int origin)
{
	struct sp_http_flow *flow = arg;
	if (origin != SEEK_SET || offset < 0 || offset > flow->send_bytes)
		return CURL_SEEKFUNC_FAIL;
	flow->filled = offset;
	return CURL_SEEKFUNC_OK;
}

// ---- its connection -----------------------------------------------------------------------------

static int64_t acked_on(const struct sp_http_flow *flow, int fd)
{
	curl_off_t sent = 0;
	int64_t news = 0;
	curl_easy_getinfo(flow->job.easy, CURLINFO_SIZE_UPLOAD_T, &sent);
	if (!sp_http_socket_news(flow->job.client->sockets, fd, &news))
		return sent == 0 ? 0 : -1;
	// The request's head, before the body, may be among the unacknowledged.
	return sent + news > 0 ? sent + news : 0;
}

int64_t sp_http_flow_acked(const struct sp_http_flow *flow)
{
	if (flow->acked >= 0 || !flow->job.easy)
		return flow->acked;
	return acked_on(flow, sp_http_socket_of(flow->job.client->sockets, flow));
}

static curl_socket_t on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct sp_http_flow *flow = arg;
	(void)purpose;
	flow->acked = -1; // libcurl begins anew when a kept connection turns out to be dead
	int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
	if (fd < 0)
		return CURL_SOCKET_BAD;
	sp_http_socket_add(&flow->job.client->sockets, fd, flow);
	return fd;
}

/// May come long after the flow that opened it.
static int on_close(void *arg, curl_socket_t fd)
{
	struct sp_http_client *client = arg;
	struct sp_wire last;
	struct sp_http_flow *owner = sp_http_socket_owner(client->sockets, fd);
	if (owner)
		owner->acked = acked_on(owner, fd);
	owner = sp_http_socket_remove(&client->sockets, fd, &last);
	if (owner) {
		owner->wire.bytes += last.bytes;
		owner->wire.sent += last.sent;
		owner->wire.repeated += last.repeated;
	}
	return close(fd);
}

static void watched(struct sp_http_job *job, int fd)
{
	sp_http_socket_claim(&job->client->sockets, fd, of(job));
}

static void settle(struct sp_http_flow *flow)
{
	sp_http_socket_settle(flow->job.client->sockets, flow, &flow->wire);
}

static void released(struct sp_http_job *job, int fd)
{
	(void)fd;
	settle(of(job));
}

/// Wake us only once so much is there to be read. The kernel itself wakes us earlier when its buffer fills
/// up.
static void set_piece(struct sp_http_flow *flow, int piece)
{
	int fd = sp_http_socket_of(flow->job.client->sockets, flow);
	if (piece == flow->piece || fd < 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &piece, sizeof(piece));
	flow->piece = piece;
}

static void leaving(struct sp_http_job *job)
{
	set_piece(of(job), 1); // the next answer may be a short one
	settle(of(job));
	of(job)->acked = sp_http_flow_acked(of(job));
	// Closed now or kept: in neither case does it cost this flow anything more.
	sp_http_socket_release(job->client->sockets, of(job));
}

// ---- its time -------------------------------------------------------------------------------------

/// `moved` bytes came since the last check. None: what is left may be less than a piece.
static void adapt_piece(struct sp_http_flow *flow, int64_t moved)
{
	int64_t piece = moved / PIECES;
	if (piece < PIECE_LEAST)
		piece = 1;
	else if (piece > PIECE_MOST)
		piece = PIECE_MOST;
	if (piece == 1 || piece > 2 * flow->piece || piece < flow->piece / 2)
		set_piece(flow, (int)piece);
}

/// Did anything move? What the kernel takes from us and nobody acknowledges does not.
static CURLcode check(struct sp_http_job *job, int64_t now_us)
{
	struct sp_http_flow *flow = of(job);
	curl_off_t ready_us = 0;
	if (flow->resumes) {
		flow->resumes = false;
		flow->moved_us = now_us;
		CURLcode code = curl_easy_pause(job->easy, CURLPAUSE_CONT);
		if (code != CURLE_OK)
			return code;
	}
	if (flow->stall_us == 0) {
		job->check_us = -1;
		return CURLE_OK;
	}
	int64_t acked = flow->posts ? sp_http_flow_acked(flow) : 0;
	int64_t progress = flow->received + (int64_t)flow->job.head_length + (acked > 0 ? acked : 0);
	curl_easy_getinfo(job->easy, CURLINFO_PRETRANSFER_TIME_T, &ready_us);
	if (!flow->posts && !flow->login)
		adapt_piece(flow, progress - flow->progress);
	// Until the connection stands its own limit holds.
	if (progress != flow->progress || ready_us == 0 || flow->paused) {
		flow->progress = progress;
		flow->moved_us = now_us;
	}
	int64_t step = flow->stall_us / 8, most = flow->endless ? step : CHECK_MOST_US;
	step = step < CHECK_LEAST_US ? CHECK_LEAST_US : step > most ? most : step;
	job->check_us = now_us + step;
	return now_us - flow->moved_us >= flow->stall_us ? CURLE_OPERATION_TIMEDOUT : CURLE_OK;
}

// ---- its end --------------------------------------------------------------------------------------

static void describe(const struct sp_http_flow *flow, struct sp_http_stream_end *out)
{
	curl_off_t sent = 0;
	*out = (struct sp_http_stream_end){.error = "", .first_byte_us = -1, .retransmit_ratio = NAN};
	if (flow->wire.sent > 0)
		out->retransmit_ratio = (double)flow->wire.repeated / (double)flow->wire.sent;
	out->bytes = flow->wire.bytes;
	out->received_bytes = flow->received;
	out->family = sp_http_job_family(&flow->job, out->address);
	if (!flow->job.easy)
		return;
	curl_easy_getinfo(flow->job.easy, CURLINFO_RESPONSE_CODE, &out->status);
	curl_easy_getinfo(flow->job.easy, CURLINFO_SIZE_UPLOAD_T, &sent);
	out->sent_bytes = sent;
	out->acked_bytes = sp_http_flow_acked(flow);
	if (flow->asked_us && flow->answered_us > flow->asked_us)
		out->first_byte_us = flow->answered_us - flow->asked_us;
}

void sp_http_flow_look(struct sp_http_flow *flow, struct sp_http_stream_end *out)
{
	settle(flow);
	describe(flow, out);
}

static void report(struct sp_http_job *job, CURLcode code)
{
	struct sp_http_flow *flow = of(job);
	struct sp_http_stream_end end;
	char error[CURL_ERROR_SIZE];
	if (flow->challenged && code == CURLE_OK)
		sp_http_flow_tell(flow); // it had no body
	describe(flow, &end);
	end.result = sp_http_job_errno(job, code);
	sp_http_job_describe(job, code, flow->max_bytes, error, sizeof(error));
	if (end.result == 0 && !flow->headed) {
		// For libcurl the end of the connection may end a head.
		end.result = -ECONNRESET;
		snprintf(error, sizeof(error), "the peer closed the connection within its head");
	}
	if (flow->coded && end.result < 0) {
		end.result = -EPROTO;
		snprintf(error, sizeof(error), "the body is coded");
	}
	if (flow->cancelled && end.result < 0) {
		end.result = -ECANCELED;
		snprintf(error, sizeof(error), "ended by us");
	}
	end.error = error;
	flow->events->done(flow->arg, &end);
}

/// The peer has forgotten the nonce, and does not say so by "stale" as it should: once more with a new one.
/// A login that is wrong in truth so fails twice, the first time that it does.
static bool again(struct sp_http_job *job, CURLcode code)
{
	struct sp_http_flow *flow = of(job);
	CURL *fresh =
	    code == CURLE_OK && sp_http_flow_forgotten(flow) ? curl_easy_duphandle(job->easy) : NULL;
	if (!fresh)
		return false;
	curl_easy_cleanup(job->easy);
	job->easy = fresh;
	job->head_length = 0;
	flow->reused = flow->challenged = flow->coded = false;
	flow->filled = flow->progress = flow->answered_us = 0;
	flow->acked = -1;
	flow->moved_us = sp_clock_mono_us();
	return true;
}

static void release(struct sp_http_job *job)
{
	struct sp_http_flow *flow = of(job);
	if (flow->login && flow->headed)
		sp_http_login_keep(job);
	sp_http_job_clear(job);
	curl_slist_free_all(flow->headers);
	free(flow);
}

void sp_http_flow_cancel(struct sp_http_flow *flow)
{
	if (flow)
		sp_http_job_cancel(&flow->job);
}

void sp_http_flow_pause(struct sp_http_flow *flow)
{
	if (!flow->paused && flow->job.added)
		curl_easy_pause(flow->job.easy, CURLPAUSE_RECV);
	flow->paused = true;
	flow->resumes = false;
}

void sp_http_flow_resume(struct sp_http_flow *flow)
{
	if (!flow->paused)
		return;
	flow->paused = false;
	flow->resumes = flow->job.added;
	// Not here: libcurl hands over at once what it holds.
	if (flow->resumes)
		sp_http_job_wake(&flow->job);
}

// ---- its beginning --------------------------------------------------------------------------------

#define SET(option, value)                                                          \
	do {                                                                        \
		CURLcode set = curl_easy_setopt(flow->job.easy, (option), (value)); \
		if (set != CURLE_OK)                                                \
			return set;                                                 \
	} while (0)

static CURLcode set_body(struct sp_http_flow *flow, const char *type)
{
	char *line = sp_asprintf("Content-Type: %s", type ? type : "application/octet-stream");
	// No waiting for a "100 Continue" that many servers never say; no other coding than the bytes
	// themselves.
	flow->headers = curl_slist_append(flow->headers, "Expect:");
	flow->headers = curl_slist_append(flow->headers, line);
	free(line);
	SET(CURLOPT_POST, 1L);
	SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)flow->send_bytes);
	SET(CURLOPT_HTTPHEADER, flow->headers);
	SET(CURLOPT_READFUNCTION, on_fill);
	SET(CURLOPT_READDATA, flow);
	SET(CURLOPT_SEEKFUNCTION, on_seek);
	SET(CURLOPT_SEEKDATA, flow);
	SET(CURLOPT_UPLOAD_BUFFERSIZE, (long)(flow->login ? DEVICE_BUFFER : SEND_BUFFER));
	return CURLE_OK;
}

static CURLcode set_answer(struct sp_http_flow *flow)
{
	SET(CURLOPT_HEADERFUNCTION, sp_http_flow_on_head);
	SET(CURLOPT_HEADERDATA, flow);
	SET(CURLOPT_WRITEFUNCTION, sp_http_flow_on_body);
	SET(CURLOPT_WRITEDATA, flow);
	SET(CURLOPT_BUFFERSIZE, (long)(flow->login ? DEVICE_BUFFER : RECEIVE_BUFFER));
	// Refuses what announces itself as too long; sp_http_flow_on_body() sees to the rest.
	SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)flow->max_bytes);
	return CURLE_OK;
}

static CURLcode set_connection(struct sp_http_flow *flow, struct sp_http_client *client,
			       const struct sp_http_session_config *config, bool fresh)
{
	static const long families[SP_FAMILIES] = {[SP_FAMILY_ANY] = CURL_IPRESOLVE_WHATEVER,
						   [SP_FAMILY_IPV4] = CURL_IPRESOLVE_V4,
						   [SP_FAMILY_IPV6] = CURL_IPRESOLVE_V6};
	SET(CURLOPT_OPENSOCKETFUNCTION, on_open);
	SET(CURLOPT_OPENSOCKETDATA, flow);
	SET(CURLOPT_CLOSESOCKETFUNCTION, on_close);
	SET(CURLOPT_CLOSESOCKETDATA, client);
	SET(CURLOPT_PREREQFUNCTION, on_request);
	SET(CURLOPT_PREREQDATA, flow);
	SET(CURLOPT_IPRESOLVE, families[config->family]);
	SET(CURLOPT_FRESH_CONNECT, fresh ? 1L : 0L);
	return CURLE_OK;
}

static CURLcode set_limits(struct sp_http_flow *flow, const struct sp_http_session_config *config,
			   const struct sp_http_stream_request *request)
{
	if (request->timeout_ms < 0 || request->timeout_ms > INT_MAX || request->max_bytes < 0 ||
	    config->connect_timeout_ms < 0 || config->connect_timeout_ms > INT_MAX)
		return CURLE_BAD_FUNCTION_ARGUMENT;
	int64_t connect_ms = config->connect_timeout_ms;
	if (connect_ms == 0)
		connect_ms = request->timeout_ms ? request->timeout_ms : CONNECT_MOST_MS;
	SET(CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
	return CURLE_OK;
}

#undef SET

static CURLcode set_up(struct sp_http_flow *flow, struct sp_http_client *client,
		       const struct sp_http_session_config *config,
		       const struct sp_http_stream_request *request)
{
	CURLcode code = set_limits(flow, config, request);
	if (code == CURLE_OK)
		code = sp_http_login_set(&flow->job, config);
	if (code == CURLE_OK)
		code = set_connection(flow, client, config, request->fresh);
	if (code == CURLE_OK)
		code = set_answer(flow);
	if (code == CURLE_OK && flow->posts)
		code = set_body(flow, request->content_type);
	return code;
}

static const struct sp_http_job_kind kind = {.report = report,
					     .free = release,
					     .released = released,
					     .watched = watched,
					     .leaving = leaving,
					     .check = check,
					     .again = again};

struct sp_http_flow *sp_http_flow_start(struct sp_http_client *client,
					const struct sp_http_session_config *config,
					const struct sp_http_stream_request *request,
					const struct sp_http_flow_events *events, void *arg)
{
	struct sp_http_flow *flow = sp_alloc(sizeof(*flow));
	struct sp_http_way way = {.url = request->url,
				  .resolve = config->resolve,
				  .interface = config->interface,
				  .ca_file = config->ca_file};
	client->keep = KEEP;
	flow->events = events;
	flow->arg = arg;
	flow->posts = strcmp(request->method, "POST") == 0;
	flow->login = config->user && *config->user;
	flow->endless = request->timeout_ms == 0;
	flow->send_bytes = request->send_bytes;
	flow->max_bytes = request->max_bytes;
	flow->stall_us = request->stall_ms * 1000;
	flow->moved_us = sp_clock_mono_us();
	flow->piece = 1;
	flow->acked = -1;
	flow->job.client = client;
	if (flow->login)
		flow->job.easy = sp_http_login_reuse(client);
	flow->reused = flow->job.easy != NULL;
	sp_http_job_init(&flow->job, &kind, &way);
	if (flow->job.early == CURLE_OK)
		flow->job.early = set_up(flow, client, config, request);
	if (flow->job.early == CURLE_OK && flow->stall_us > 0)
		flow->job.check_us = flow->moved_us + CHECK_LEAST_US;
	sp_http_job_add(client, &flow->job);
	return flow;
}
