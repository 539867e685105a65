// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// One path: the anchors of one scope in one family, asked by echo and, when that stays silent, by TCP
// connects. scope.c judges; here is what is sent when.
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "anchors.h"
#include "cost.h"
#include "no_way.h"
#include "reach.h"

enum {
	BURST_MS = 500,     ///< over which a burst's tries are spread
	ALARM_MS = 150,     ///< another try without an answer, and everything is asked
	SWEEP_GAP_MS = 500, ///< between the sweeps of a silent domestic scope
	TCP_STREAK = 3,
	ECHO_AGAIN = 128, ///< by TCP for so many questions, then echo is tried again
	DNS_PORT = 53,
	DNS_MISSES = 3,
	DNS_AGAIN =
	    32,        ///< handshakes with an anchor that answered no DNS question, then it is asked one, too
	TCP_TURN = 5,  ///< of so many cheap questions one is a handshake
	TCP_SWEEP = 3, ///< every so many sweeps knock at TCP, too
};

enum way { BY_ECHO, BY_TCP, BY_DNS };

static bool permitted(const struct sp_path *path)
{
	return sp_ping_permitted(path->reach->ping, path->family == SP_FAMILY_IPV6 ? AF_INET6 : AF_INET);
}

static bool uses_tcp(const struct sp_path *path)
{
	return path->by_tcp || !permitted(path);
}

// ---- reports ----------------------------------------------------------------------------------

static void report(struct sp_path *path, int64_t rtt_us, const char *reason, const char *host,
		   const char *detail)
{
	struct sp_rung_report r = {.rung = path->rung,
				   .family = path->family,
				   .status = path->scope.status,
				   .since_us = path->scope.since_us,
				   .rtt_us = rtt_us,
				   .detail = detail,
				   .reason = reason,
				   .host = host};
	sp_rung_report(path->reach->dev, &r);
}

static void report_silent(struct sp_path *path)
{
	char text[160];
	snprintf(text, sizeof(text), "%u of %u anchors silent%s%s%s", path->scope.anchors,
		 path->scope.anchors, permitted(path) ? "" : " by TCP, echo is not permitted",
		 path->refusal ? "; a router says: " : "", path->refusal ? path->refusal : "");
	report(path, -1, path->refusal ? "refused_by_router" : "all_silent", NULL, text);
}

static void sample_loss(struct sp_path *path, double lost)
{
	sp_sample(path->reach->dev, SP_REACH_LOSS, path->name, lost);
	sp_sample(path->reach->dev, SP_REACH_LOSS, path->family_name, lost);
}

static void sample_rtt(struct sp_path *path, int64_t rtt_us)
{
	sp_sample(path->reach->dev, SP_REACH_RTT, path->name, (double)rtt_us / 1e6);
	sp_sample(path->reach->dev, SP_REACH_RTT, path->family_name, (double)rtt_us / 1e6);
}

// ---- coming to rest ---------------------------------------------------------------------------

static void rest(struct sp_path *path, bool changed)
{
	path->phase = SP_PATH_IDLE;
	sp_timer_stop(path->timer);
	path->alarm = false;
	path->due_us = sp_device_now_us(path->reach->dev) + sp_reach_wait_us(path->reach, path);
	// The line's return is to be placed within a second.
	if (path->scope.status == SP_RUNG_SILENT && path->rung == SP_RUNG_ISP_CORE &&
	    !sp_line_frugal(path->reach->dev))
		sp_timer_start(path->timer, SWEEP_GAP_MS);
	sp_reach_settled(path->reach, path, changed);
}

static void answered(struct sp_anchor *anchor, int64_t sent_us, int64_t rtt_us, enum way way)
{
	struct sp_path *path = anchor->path;
	bool changed =
	    sp_scope_answered(&path->scope, anchor->index, sent_us, sp_device_now_us(path->reach->dev));
	bool waiting = path->phase != SP_PATH_IDLE;
	if (path->phase == SP_PATH_SINGLE) {
		sample_loss(path, 0);
		sample_rtt(path, rtt_us);
	}
	if (way == BY_ECHO) {
		path->by_tcp = false;
		path->tcp_streak = 0;
	} else if (way == BY_TCP && path->phase == SP_PATH_BURST && ++path->tcp_streak >= TCP_STREAK) {
		path->by_tcp = true;
	}
	path->refusal = NULL;
	if (!waiting && !changed)
		return; // the burst's other answers
	static const char *const words[] = {"answered", "answered by TCP", "answered a DNS question"};
	static const char *const reasons[] = {"answered", "answered_tcp", "answered_dns"};
	char text[112];
	snprintf(text, sizeof(text), "%s %s%s", anchor->host, words[way],
		 way == BY_ECHO    ? ""
		 : permitted(path) ? ", echo is silent"
				   : ", echo is not permitted");
	report(path, rtt_us, reasons[way], anchor->host, text);
	rest(path, changed);
}

static void lost(struct sp_anchor *anchor, int64_t sent_us)
{
	struct sp_path *path = anchor->path;
	if (path->phase != SP_PATH_SINGLE) {
		// A burst ends by its clock; but this one was under way before it began, and so tells since
		// when.
		if (path->phase == SP_PATH_BURST && sent_us < path->scope.first_lost_us)
			(void)sp_scope_lost(&path->scope, anchor->index, sent_us);
		return;
	}
	// An anchor that never answered may not exist: its losses are not the line's.
	if (path->scope.anchor[anchor->index].ever)
		sample_loss(path, 1);
	path->phase = SP_PATH_IDLE;
	path->alarm = sp_scope_lost(&path->scope, anchor->index, sent_us);
	sp_path_burst(path, sent_us);
}

static void unmeasured(struct sp_path *path)
{
	bool changed = sp_scope_unmeasured(&path->scope, sp_device_now_us(path->reach->dev));
	path->refusal = NULL;
	report(path, -1, "no_route", NULL, "no route");
	rest(path, changed);
}

static void silent(struct sp_path *path)
{
	int64_t now = sp_device_now_us(path->reach->dev);
	path->scope.last_lost_us = now - path->reach->conf->timeout_ms * 1000;
	bool changed = sp_scope_silent(&path->scope, now);
	report_silent(path);
	rest(path, changed);
}

// ---- echo and TCP -----------------------------------------------------------------------------

static void on_echo(struct sp_device *dev, const struct sp_ping_result *result, void *arg)
{
	(void)dev;
	struct sp_anchor *anchor = arg;
	sp_reach_count(anchor->path->reach, result->bytes);
	switch (result->outcome) {
	case SP_PING_ANSWER:
		answered(anchor, result->sent_us, result->rtt_us, BY_ECHO);
		break;
	case SP_PING_REFUSED:
		anchor->path->refusal = result->error;
		lost(anchor, result->sent_us);
		break;
	case SP_PING_EXPIRED: // a loop somewhere
	case SP_PING_TOO_BIG:
	case SP_PING_LOST:
		lost(anchor, result->sent_us);
		break;
	}
}

static int echo(struct sp_anchor *anchor)
{
	struct sp_reach *reach = anchor->path->reach;
	return sp_ping_send(reach->ping, &anchor->endpoint.address, reach->conf->timeout_ms, on_echo, anchor);
}

static void on_connect(struct sp_device *dev, int result, const uint8_t *data, size_t length,
		       int64_t elapsed_us, void *arg)
{
	(void)dev, (void)data, (void)length;
	struct sp_anchor *anchor = arg;
	struct sp_path *path = anchor->path;
	anchor->connect = NULL;
	if (!sp_no_way(result))
		sp_reach_count(path->reach, sp_cost_connect(path->family == SP_FAMILY_IPV6, result));
	if (result == 0 || result == -ECONNREFUSED)
		answered(anchor, anchor->connect_us, elapsed_us, BY_TCP);
	else if (path->phase == SP_PATH_SINGLE && sp_no_way(result))
		unmeasured(path);
	else if (uses_tcp(path))
		lost(anchor, anchor->connect_us);
}

static void knock(struct sp_anchor *anchor)
{
	struct sp_reach *reach = anchor->path->reach;
	if (anchor->connect)
		return;
	anchor->connect_us = sp_device_now_us(reach->dev);
	anchor->connect =
	    sp_tcp_connect(reach->dev, &anchor->endpoint, reach->conf->timeout_ms, on_connect, anchor);
}

static bool accepts(const uint8_t *data, size_t length, void *arg)
{
	const struct sp_anchor *anchor = arg;
	return sp_dns_belongs(data, length, &anchor->question);
}

static size_t udp_bytes(const struct sp_anchor *anchor, size_t length)
{
	return length + (anchor->path->family == SP_FAMILY_IPV6 ? 48 : 28);
}

/// As far as has been seen. A name server may come back, and a line may lose three questions in a row.
static bool knows_dns(const struct sp_anchor *anchor)
{
	return anchor->ask_misses < DNS_MISSES;
}

/// Whatever the server thinks of the question: it lives.
static void on_dns(struct sp_device *dev, int result, const uint8_t *data, size_t length, int64_t elapsed_us,
		   void *arg)
{
	(void)dev, (void)data;
	struct sp_anchor *anchor = arg;
	anchor->ask = NULL;
	if (result == 0) {
		sp_reach_count(anchor->path->reach, udp_bytes(anchor, length));
		anchor->ask_misses = 0;
		answered(anchor, anchor->ask_us, elapsed_us, BY_DNS);
	} else if (sp_no_way(result)) {
		if (anchor->path->phase == SP_PATH_SINGLE)
			unmeasured(anchor->path);
	} else if (knows_dns(anchor)) {
		anchor->ask_misses++;
		lost(anchor, anchor->ask_us);
	} // else a handshake was under way beside it
}

/// False: that anchor cannot be asked so.
static bool ask_dns(struct sp_anchor *anchor)
{
	struct sp_reach *reach = anchor->path->reach;
	const struct sockaddr_in *in = (const struct sockaddr_in *)&anchor->endpoint.address;
	uint8_t message[SP_DNS_QUESTION];
	struct sp_dns_question *question = &anchor->question;
	if (anchor->ask)
		return true;
	*question = (struct sp_dns_question){.type = SP_DNS_A};
	// The port stands in the same place in both families.
	bool able = ntohs(in->sin_port) == DNS_PORT && reach->conf->dns_name[0] != '*' &&
		    getrandom(&question->id, sizeof(question->id), 0) == sizeof(question->id);
	snprintf(question->name, sizeof(question->name), "%s", reach->conf->dns_name);
	ssize_t length = able ? sp_dns_encode(message, question) : -1;
	if (length < 0)
		return false;
	anchor->ask_us = sp_device_now_us(reach->dev);
	sp_reach_count(reach, udp_bytes(anchor, (size_t)length));
	anchor->ask = sp_udp_exchange(reach->dev, &anchor->endpoint, message, (size_t)length,
				      reach->conf->timeout_ms, accepts, on_dns, anchor);
	return true;
}

/// A DNS question costs a third of a handshake; anchors often are name servers.
static void ask_cheaply(struct sp_anchor *anchor)
{
	bool knows = knows_dns(anchor);
	bool asked = (knows || ++anchor->knocks % DNS_AGAIN == 0) && ask_dns(anchor);
	if (!knows || !asked)
		knock(anchor);
}

// ---- questions --------------------------------------------------------------------------------

/// Asks every anchor. False when nothing could be sent for want of a route.
static bool ask_all(struct sp_path *path, bool tcp)
{
	bool sent = false;
	for (unsigned i = 0; i < path->scope.anchors; i++) {
		struct sp_anchor *anchor = &path->anchors[i];
		int result = permitted(path) ? echo(anchor) : -EPERM;
		sent |= result != -ENETUNREACH;
		if (tcp || result == -EPERM)
			knock(anchor);
	}
	return sent;
}

static int64_t gap_ms(const struct sp_path *path)
{
	return BURST_MS / (path->tries - 1);
}

static int64_t alarm_ms(const struct sp_path *path)
{
	return ALARM_MS < gap_ms(path) ? ALARM_MS : gap_ms(path);
}

static void step(struct sp_path *path)
{
	const struct sp_reach_conf *conf = path->reach->conf;
	if (path->phase != SP_PATH_BURST || path->steps >= path->tries) {
		silent(path);
		return;
	}
	if (path->alarm && path->steps == 1) {
		// One packet may be lost; now it is more than one. This scope starts over, so that all come
		// to their verdicts together: else one family alone would seem to be down for a moment.
		path->alarm = false;
		path->steps = 0;
		sp_reach_suspect(path->reach, path->scope.first_lost_us);
	}
	// TCP only when the first echoes of all anchors found nothing in half a second.
	bool last = ++path->steps == path->tries;
	if (!ask_all(path, last || uses_tcp(path)))
		unmeasured(path);
	else
		sp_timer_start(path->timer, last          ? conf->timeout_ms
					    : path->alarm ? alarm_ms(path)
							  : gap_ms(path));
}

static void on_timer(struct sp_device *dev, void *arg)
{
	(void)dev;
	struct sp_path *path = arg;
	if (path->phase == SP_PATH_IDLE)
		sp_path_begin(path);
	else
		step(path);
}

void sp_path_burst(struct sp_path *path, int64_t lost_us)
{
	if (path->scope.anchors == 0 || path->phase == SP_PATH_BURST || path->phase == SP_PATH_SWEEP)
		return;
	if (path->scope.status == SP_RUNG_SILENT) {
		sp_path_begin(path);
		return;
	}
	sp_scope_doubt(&path->scope, lost_us, sp_device_now_us(path->reach->dev));
	path->phase = SP_PATH_BURST;
	path->tries = sp_scope_tries(&path->scope);
	path->steps = 0;
	step(path);
}

static void begin_single(struct sp_path *path)
{
	struct sp_anchor *anchor =
	    &path->anchors[sp_scope_pick(&path->scope, sp_device_now_us(path->reach->dev))];
	path->phase = SP_PATH_SINGLE;
	bool echo_too = permitted(path) && (!path->by_tcp || path->begun % ECHO_AGAIN == 0);
	int result = echo_too ? echo(anchor) : 0;
	if (result == -ENETUNREACH) {
		unmeasured(path);
		return;
	}
	// A router may answer DNS in everybody's name: a handshake in between shows it.
	if (uses_tcp(path) && path->begun % TCP_TURN == 0)
		knock(anchor);
	else if (uses_tcp(path))
		ask_cheaply(anchor);
	else if (result < 0)
		lost(anchor, sp_device_now_us(path->reach->dev));
}

void sp_path_begin(struct sp_path *path)
{
	if (path->scope.anchors == 0 || path->phase != SP_PATH_IDLE)
		return;
	path->begun++;
	if (path->scope.status != SP_RUNG_SILENT) {
		begin_single(path);
		return;
	}
	path->phase = SP_PATH_SWEEP;
	if (!ask_all(path, uses_tcp(path) || path->begun % TCP_SWEEP == 0))
		unmeasured(path);
	else
		sp_timer_start(path->timer, path->reach->conf->timeout_ms);
}

void sp_path_again(struct sp_path *path)
{
	if (path->phase == SP_PATH_SWEEP) {
		sp_timer_stop(path->timer);
		path->phase = SP_PATH_IDLE;
	}
	sp_path_begin(path);
}

// ---- set-up -----------------------------------------------------------------------------------

static void add_anchors(struct sp_path *path, const struct sp_strings *list, const char *interface)
{
	int family = path->family == SP_FAMILY_IPV6 ? AF_INET6 : AF_INET;
	struct sp_endpoint endpoints[SP_SCOPE_ANCHORS];
	unsigned count = sp_anchors_of(list, family, interface, endpoints, SP_SCOPE_ANCHORS);
	for (unsigned i = 0; i < count; i++) {
		struct sp_anchor *anchor = &path->anchors[i];
		anchor->endpoint = endpoints[i];
		anchor->path = path;
		anchor->index = i;
		(void)sp_endpoint_host(&anchor->endpoint, anchor->host, sizeof(anchor->host));
	}
	sp_scope_init(&path->scope, count);
}

void sp_path_init(struct sp_reach *reach, struct sp_path *path, enum sp_rung rung, enum sp_family family)
{
	bool home = rung == SP_RUNG_ISP_CORE, v6 = family == SP_FAMILY_IPV6;
	path->reach = reach;
	path->rung = rung;
	path->family = family;
	path->name = home ? "domestic" : "international";
	path->family_name = home ? (v6 ? "domestic/ipv6" : "domestic/ipv4")
				 : (v6 ? "international/ipv6" : "international/ipv4");
	path->timer = sp_timer_new(reach->dev, on_timer, path);
	add_anchors(path, home ? &reach->conf->domestic : &reach->conf->international, reach->interface);
}

void sp_path_free(struct sp_path *path)
{
	for (unsigned i = 0; i < path->scope.anchors; i++) {
		sp_exchange_cancel(path->anchors[i].connect);
		sp_exchange_cancel(path->anchors[i].ask);
	}
	sp_timer_free(path->timer);
}
