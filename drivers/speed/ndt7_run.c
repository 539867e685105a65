// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// One direction on a worker's thread: a thread of its own, because name servers and TLS block, and because a
// test is a loop over one socket that does nothing else. It shares with the main thread a few atomics only.
#include "ndt7_run.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "ndt7_line.h"

enum {
	SECOND_US = 1000 * 1000,
	LOOK_US = 50 * 1000,
	LAST_LOOK_US = 1000, ///< while the last bytes of a limit arrive
	LOOKS = 16,          ///< at least, on the way to a limit
	READ = 256 * 1024,
	SPINS = 16, ///< pieces or reads before it looks at the clock again
};

struct work {
	struct sp_ndt7_run *run;
	struct sp_ndt7_line line;
	struct sp_ndt7_session session;
	int64_t looked_us, looked_bytes;
	bool deaf; ///< the peer takes nothing any more
	char key[SP_NDT7_KEY];
	char request[SP_NDT7_REQUEST];
	uint8_t buffer[READ];
};

static int64_t now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64_t)time.tv_sec * SECOND_US + time.tv_nsec / 1000;
}

static void dice(void *out, size_t size)
{
	// Cannot fail for so few bytes once the system is up.
	if (getrandom(out, size, 0) < (ssize_t)size)
		memset(out, 0x5a, size);
}

// ---- the upgrade ------------------------------------------------------------------------------

static bool fail(struct sp_ndt7_verdict *verdict, const char *reason, const char *text)
{
	verdict->reason = reason;
	snprintf(verdict->text, sizeof(verdict->text), "%s", text);
	return false;
}

/// Time is left, and nobody wants us to end.
static bool may_wait(struct work *w, bool write, int64_t until_us, struct sp_ndt7_verdict *verdict)
{
	if (atomic_load(&w->run->cancel))
		return fail(verdict, "cancelled", "");
	int64_t left = until_us - now();
	if (left <= 0)
		return fail(verdict, "timeout", "the server does not answer the upgrade");
	sp_ndt7_line_wait(&w->line, write, left < SECOND_US / 10 ? left : SECOND_US / 10);
	return true;
}

static bool ask(struct work *w, const struct sp_ndt7_url *url, int64_t until_us,
		struct sp_ndt7_verdict *verdict)
{
	uint8_t nonce[SP_NDT7_NONCE];
	dice(nonce, sizeof(nonce));
	sp_ndt7_upgrade_key(nonce, w->key);
	size_t length = sp_ndt7_upgrade_request(url, w->key, w->request), sent = 0;
	while (sent < length) {
		ssize_t put = sp_ndt7_line_write(&w->line, (const uint8_t *)w->request + sent, length - sent);
		if (put > 0)
			sent += (size_t)put;
		else if (put != -EAGAIN)
			return fail(verdict, "closed", "the server closed before the upgrade");
		else if (!may_wait(w, true, until_us, verdict))
			return false;
	}
	return true;
}

/// Leaves what came behind the answer's head at the buffer's begin.
static bool listen_to_answer(struct work *w, int64_t until_us, size_t *rest, struct sp_ndt7_verdict *verdict)
{
	size_t length = 0;
	for (;;) {
		ssize_t got = sp_ndt7_line_read(&w->line, w->buffer + length, SP_NDT7_HEAD - length);
		if (got == -EAGAIN) {
			if (!may_wait(w, false, until_us, verdict))
				return false;
			continue;
		}
		if (got <= 0)
			return fail(verdict, "closed", "the server closed before it answered the upgrade");
		length += (size_t)got;
		int head = sp_ndt7_upgrade_answer((const char *)w->buffer, length, w->key, verdict);
		if (head < 0)
			return false;
		if (head > 0) {
			*rest = length - (size_t)head;
			memmove(w->buffer, w->buffer + head, *rest);
			return true;
		}
	}
}

// ---- the test ---------------------------------------------------------------------------------

static int64_t moved(const struct work *w)
{
	return w->session.received + w->session.handed;
}

/// So much that a look's worth more could be too much.
static bool moved_much(const struct work *w)
{
	const struct sp_ndt7_session *s = &w->session;
	return s->max_wire > 0 && (s->used_up || moved(w) - w->looked_bytes >= s->max_wire / LOOKS);
}

static void look(struct work *w)
{
	struct sp_ndt7_session *s = &w->session;
	struct sp_ndt7_run *run = w->run;
	struct sp_ndt7_tcp tcp;
	int64_t at = now();
	if (at - w->looked_us < LOOK_US && !moved_much(w))
		return;
	w->looked_us = at;
	w->looked_bytes = moved(w);
	sp_ndt7_line_tcp(&w->line, &tcp);
	sp_ndt7_session_look(s, &tcp, at);
	if (atomic_load(&run->cancel))
		sp_ndt7_session_stop(s, SP_NDT7_CANCELLED, at);
	int64_t whole = run->times.up_us, gone = at - s->began_us;
	atomic_store(&run->permille, gone < whole ? (int)(gone * 1000 / whole) : 1000);
	atomic_store(&run->bps, (int64_t)sp_meter_now(&s->meter, SECOND_US));
}

/// True when the kernel's buffer is full.
static bool send_pieces(struct work *w)
{
	for (unsigned i = 0; i < SPINS && !w->deaf; i++) {
		size_t length = 0;
		const uint8_t *piece = sp_ndt7_session_piece(&w->session, now(), &length);
		if (!piece)
			return false;
		ssize_t put = sp_ndt7_line_write(&w->line, piece, length);
		if (put == -EAGAIN)
			return true;
		// What the server said before it left is still there to be read.
		w->deaf = put < 0;
		if (put > 0)
			sp_ndt7_session_wrote(&w->session, (size_t)put);
	}
	return false;
}

/// False when nothing was there.
static bool receive_pieces(struct work *w)
{
	for (unsigned i = 0; i < SPINS && !w->session.over && (i == 0 || !moved_much(w)); i++) {
		ssize_t got = sp_ndt7_line_read(&w->line, w->buffer, sizeof(w->buffer));
		if (got == -EAGAIN)
			return i > 0;
		if (got <= 0) {
			sp_ndt7_session_lost(&w->session, now());
			return true;
		}
		sp_ndt7_session_receive(&w->session, w->buffer, (size_t)got, now());
		// Less than there was room for is all there was. TLS gives a record at a time.
		if (!w->line.tls && (size_t)got < sizeof(w->buffer))
			return false;
	}
	return true;
}

static void measure(struct work *w, size_t rest)
{
	struct sp_ndt7_session *s = &w->session;
	struct sp_ndt7_run *run = w->run;
	struct sp_ndt7_tcp tcp;
	uint64_t seed;
	dice(&seed, sizeof(seed));
	sp_ndt7_line_tcp(&w->line, &tcp);
	// What earlier attempts took is gone.
	int64_t left = run->max_wire > 0 ? run->max_wire - run->wire_bytes : 0;
	if (run->max_wire > 0 && left < 1)
		left = 1;
	w->looked_us = w->looked_bytes = 0;
	sp_ndt7_session_begin(s, run->direction, &run->times, left, seed, &tcp, now());
	atomic_store(&run->loading, true);
	sp_ndt7_session_receive(s, w->buffer, rest, now());
	for (bool more = true; !s->over;) {
		bool full = send_pieces(w);
		bool busy = run->direction == SP_SPEED_UP && !full && !w->deaf && s->end == SP_NDT7_RUNNING;
		int64_t wait_us = s->used_up ? LAST_LOOK_US : busy ? 0 : LOOK_US;
		if (!more && !s->over)
			more = sp_ndt7_line_wait(&w->line, full, wait_us);
		if (more)
			more = receive_pieces(w);
		look(w);
	}
	sp_ndt7_line_tcp(&w->line, &s->tcp);
	run->idle_s[0] = tcp.min_rtt_us > 0 ? (double)tcp.min_rtt_us / 1e6 : (double)NAN;
	run->idle_s[1] = s->first_min_rtt_us > 0 ? (double)s->first_min_rtt_us / 1e6 : (double)NAN;
	sp_ndt7_session_result(s, &run->result, run->text, sizeof(run->text));
}

/// One server. False: it does not take us, and another may.
static bool attempt(struct work *w, const struct sp_ndt7_url *url, struct sp_ndt7_verdict *verdict)
{
	struct sp_ndt7_run *run = w->run;
	struct sp_ndt7_line_config config = {.interface = run->interface,
					     .ca_file = run->ca_file,
					     .timeout_ms = run->times.setup_us / 1000,
					     .cancel = &run->cancel};
	int64_t until_us = now() + run->times.setup_us;
	size_t rest = 0;
	bool good = sp_ndt7_line_open(&w->line, url, &config, verdict);
	if (w->line.address[0]) {
		snprintf(run->address, sizeof(run->address), "%s", w->line.address);
		run->family = w->line.family;
	}
	good = good && ask(w, url, until_us, verdict) && listen_to_answer(w, until_us, &rest, verdict);
	if (good)
		measure(w, rest);
	run->wire_bytes += sp_ndt7_line_close(&w->line);
	return good;
}

void sp_ndt7_run_work(void *arg)
{
	struct sp_ndt7_run *run = arg;
	struct sp_ndt7_verdict verdict = {.reason = ""};
	struct work *w = calloc(1, sizeof(*w));
	// OpenSSL writes to sockets that may be reset. This thread belongs to a pool, where the signal is of
	// no use to anybody.
	sigset_t pipe;
	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe, NULL);
	run->result = (struct sp_speed_result){.outcome = SP_SPEED_FAILED, .retransmit_ratio = (double)NAN};
	run->idle_s[0] = run->idle_s[1] = (double)NAN;
	bool taken = false;
	for (unsigned i = 0; w && !taken && i < run->count; i++) {
		run->server = i;
		w->run = run;
		w->deaf = false;
		taken = attempt(w, &run->urls[i], &verdict);
		if (atomic_load(&run->cancel))
			break;
	}
	if (!taken) {
		run->result.reason = verdict.reason;
		snprintf(run->text, sizeof(run->text), "%s", w ? verdict.text : "no memory");
		run->result.text = run->text;
	}
	free(w);
}

void sp_ndt7_run_free(struct sp_ndt7_run *run)
{
	if (!run)
		return;
	free(run->ca_file);
	free(run);
}
