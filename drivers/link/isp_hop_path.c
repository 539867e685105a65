// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The hop of one family, held by its position: asked by probes whose hop limit ends there, towards the
// domestic anchors in turn. Any "time exceeded" from the provider's side is its sign of life.
#include <stdio.h>
#include <string.h>

#include "anchors.h"
#include "isp_hop.h"

enum {
	CHECK_MOST = 6, ///< of one router: many send no more errors than that in a row
	OCCASION_US = 30 * 1000 * 1000,
	SILENT_EVERY = 3000, ///< ms between the rounds of a silent hop
	BURST_MS = 500,      ///< when the last of a round's probes goes out
};

/// A round: so many probes to the hop, and all the way to a target, after so long without an answer.
static const struct step {
	int64_t at_ms;
	unsigned hops, far;
} steps[] = {{0, 1, 0}, {250, 1, 0}, {400, 2, 1}, {BURST_MS, 2, 1}}, silent_steps[] = {{0, 2, 1}};

static bool is_silent(const struct sp_hop_path *path)
{
	return path->scope.status == SP_RUNG_SILENT;
}

static bool is_held(const struct sp_hop_path *path)
{
	return path->position || path->fixed.ss_family;
}

static int64_t now_us(const struct sp_hop_path *path)
{
	return sp_device_now_us(path->hop->dev);
}

static void print(const struct sockaddr_storage *address, char out[INET6_ADDRSTRLEN])
{
	struct sp_endpoint endpoint = {.address = *address};
	(void)sp_endpoint_host(&endpoint, out, INET6_ADDRSTRLEN);
}

// ---- reports ----------------------------------------------------------------------------------

static void report(struct sp_hop_path *path, int64_t rtt_us, const char *reason, const char *detail)
{
	struct sp_rung_report r = {.rung = SP_RUNG_ISP_ACCESS,
				   .family = path->family,
				   .status = path->scope.status,
				   .since_us = path->scope.since_us,
				   .rtt_us = rtt_us,
				   .detail = detail,
				   .reason = reason,
				   .host = path->host[0] ? path->host : NULL};
	sp_rung_report(path->hop->dev, &r);
}

static void report_silent(struct sp_hop_path *path)
{
	char text[160];
	int used = path->position ? snprintf(text, sizeof(text), "hop %u silent", path->position)
				  : snprintf(text, sizeof(text), "the hop is silent");
	if (path->refusal)
		snprintf(text + used, sizeof(text) - (size_t)used, "; a router says: %s", path->refusal);
	report(path, -1, path->refusal ? "refused_by_router" : "hop_silent", text);
}

void sp_hop_path_egress(struct sp_hop_path *path, int64_t asked_us)
{
	char own[INET6_ADDRSTRLEN] = "", hop[INET6_ADDRSTRLEN];
	const char *address = path->public_address[0] && !path->address_old ? path->public_address : NULL;
	bool global = path->source.ss_family == AF_INET6 &&
		      sp_hop_owner(&path->source, &(struct sockaddr_storage){0}) == SP_HOP_PROVIDER;
	if (!address && global) {
		print(&path->source, own); // there is no NAT to hide it
		address = own;
	}
	const struct sockaddr_storage *door = path->fixed.ss_family ? &path->fixed
					      : path->known.count   ? &path->known.address[0]
								    : NULL;
	if (path->hop_old)
		door = NULL;
	if (door)
		print(door, hop);
	else if (!address)
		return;
	struct sp_egress egress = {.family = path->family,
				   .hop = door ? hop : NULL,
				   .position = door ? path->position : 0,
				   .address = address,
				   .asked_us = asked_us};
	sp_egress_report(path->hop->dev, &egress);
}

// ---- coming to rest ---------------------------------------------------------------------------

static void rest(struct sp_hop_path *path, bool back)
{
	path->phase = SP_HOP_IDLE;
	sp_timer_stop(path->timer);
	if (is_silent(path)) {
		int64_t due_ms = (path->began_us - now_us(path)) / 1000 + SILENT_EVERY;
		sp_timer_start(path->timer, due_ms > 0 ? due_ms : 0);
	} else if (path->relearn && !path->fixed.ss_family && !path->fixed_position) {
		sp_hop_search_begin(path);
	}
	sp_isp_hop_settled(path->hop, back);
}

void sp_hop_path_unknown(struct sp_hop_path *path, const char *reason, const char *detail)
{
	sp_scope_unmeasured(&path->scope, now_us(path));
	report(path, -1, reason, detail);
	rest(path, false);
}

static void silent(struct sp_hop_path *path)
{
	sp_scope_doubt(&path->scope, path->began_us, now_us(path));
	path->scope.last_lost_us = now_us(path) - path->hop->conf->timeout_ms * 1000;
	bool changed = sp_scope_silent(&path->scope, now_us(path));
	path->hop_old = path->address_old = true;
	report_silent(path);
	if (changed)
		sp_line_suspect(path->hop->dev);
	rest(path, false);
}

/// The hop said nothing in time. While a target answered the line lives: the provider's router keeps silent,
/// or stands elsewhere since a new dial-in.
static void unheard(struct sp_hop_path *path)
{
	if (!path->off && !path->far_answered) {
		silent(path);
		return;
	}
	// Somebody else stands there and the line lives: this may be another door.
	bool moved = path->off && !path->hop_old;
	// The line is back and the hop does not say by which door: perhaps our address does.
	bool ask = moved || is_silent(path);
	path->hop_old |= path->off;
	path->address_old |= moved;
	if (!path->fixed.ss_family && !path->fixed_position && now_us(path) >= path->search_due_us) {
		sp_hop_search_begin(path);
		sp_isp_hop_settled(path->hop, ask);
		return;
	}
	sp_hop_path_unknown(path, "hop_deaf", "the hop keeps silent while what lies beyond answers");
	if (ask)
		sp_isp_hop_settled(path->hop, true);
}

// ---- what comes back --------------------------------------------------------------------------

static void conclude_check(struct sp_hop_path *path)
{
	if (path->heard.count == 0) {
		sp_hop_path_ask(path); // it answered a moment ago
		return;
	}
	sp_hop_set_settle(&path->known, &path->heard);
	// Another hop may be another door: whose address the old one was is asked again.
	bool other = path->stranger;
	path->address_old |= other;
	path->hop_old = path->stranger = false;
	sp_hop_path_egress(path, path->began_us);
	rest(path, other);
}

/// The hop's own words, whatever was under way.
static void heard(struct sp_hop_path *path, unsigned target, const struct sp_ping_result *result)
{
	bool was_silent = is_silent(path), asking = path->phase == SP_HOP_ASK;
	bool changed = sp_scope_answered(&path->scope, target, result->sent_us, now_us(path));
	bool known = sp_hop_set_has(&path->known, &result->from);
	path->refusal = NULL;
	path->hop_old &= !known && !path->fixed.ss_family; // a stranger is looked at first
	path->stranger |= !known && path->phase != SP_HOP_CHECK;
	if (path->phase == SP_HOP_CHECK)
		sp_hop_set_add(&path->heard, &result->from);
	if (!asking && !changed)
		return;
	char text[INET6_ADDRSTRLEN + 48];
	print(&result->from, path->host);
	if (path->fixed.ss_family)
		snprintf(text, sizeof(text), "%s answered", path->host);
	else
		snprintf(text, sizeof(text), "%s answered as hop %u", path->host, path->position);
	sp_sample(path->hop->dev, SP_ISP_HOP_RTT, path->name, (double)result->rtt_us / 1e6);
	report(path, result->rtt_us, path->fixed.ss_family ? "answered" : "time_exceeded", text);
	// After a silence the line may have been dialled anew.
	path->relearn |= was_silent;
	if (path->fixed.ss_family || known)
		sp_hop_path_egress(path, result->sent_us);
	else if (asking && path->stranger)
		sp_hop_path_check(path);
	if (path->phase == SP_HOP_ASK || (path->phase == SP_HOP_IDLE && changed))
		rest(path, was_silent);
	else if (was_silent)
		sp_isp_hop_settled(path->hop, true);
}

static bool is_stale(const struct sp_hop_path *path, const struct sp_ping_result *result)
{
	return result->sent_us < path->position_us;
}

static void on_hop(struct sp_device *dev, const struct sp_ping_result *result, void *arg)
{
	(void)dev;
	struct sp_hop_ask *ask = arg;
	struct sp_hop_path *path = ask->path;
	sp_isp_hop_count(path->hop, result->bytes);
	if (is_stale(path, result) || !is_held(path))
		return;
	switch (result->outcome) {
	case SP_PING_EXPIRED:
		if (path->fixed.ss_family)
			break;
		if (sp_hop_owner(&result->from, &path->source) == SP_HOP_PROVIDER)
			heard(path, ask->number, result);
		else
			path->off = true;
		break;
	case SP_PING_ANSWER:
		if (path->fixed.ss_family)
			heard(path, ask->number, result);
		else
			path->off = true; // the target itself stands there
		break;
	case SP_PING_REFUSED:
	case SP_PING_TOO_BIG:
		path->refusal = result->error;
		break;
	case SP_PING_LOST:
		break; // the round's clock judges
	}
}

static void on_far(struct sp_device *dev, const struct sp_ping_result *result, void *arg)
{
	(void)dev;
	struct sp_hop_ask *ask = arg;
	sp_isp_hop_count(ask->path->hop, result->bytes);
	if (result->outcome == SP_PING_ANSWER && result->sent_us >= ask->path->began_us)
		ask->path->far_answered = true;
}

// ---- questions --------------------------------------------------------------------------------

int sp_hop_path_send(struct sp_hop_path *path, unsigned target, unsigned ttl, struct sp_hop_ask *ask,
		     sp_ping_fn fn)
{
	bool direct = fn == on_hop && path->fixed.ss_family;
	struct sp_ping_question question = {
	    .to = direct ? &path->fixed : &path->targets[target].address,
	    .timeout_ms = path->hop->conf->timeout_ms,
	    .ttl = direct ? 0 : ttl,
	};
	return sp_ping_ask(path->hop->ping, &question, fn, ask);
}

static int ask_hop(struct sp_hop_path *path)
{
	unsigned target = sp_scope_pick(&path->scope, now_us(path));
	return sp_hop_path_send(path, target, path->position, &path->by_hop[target], on_hop);
}

static int ask_far(struct sp_hop_path *path)
{
	unsigned target = path->turn++ % path->scope.anchors;
	return sp_hop_path_send(path, target, 0, &path->by_far[target], on_far);
}

static void step(struct sp_hop_path *path)
{
	bool silent = is_silent(path);
	const struct step *all = silent ? silent_steps : steps;
	unsigned count = silent ? SP_COUNT(silent_steps) : SP_COUNT(steps);
	if (path->step >= count) {
		unheard(path);
		return;
	}
	const struct step *now = &all[path->step++];
	int result = 0;
	for (unsigned i = 0; i < now->hops && result == 0; i++)
		result = ask_hop(path);
	for (unsigned i = 0; i < now->far && result == 0; i++)
		result = ask_far(path);
	if (result == -ENETUNREACH || result == -EPERM) {
		bool denied = result == -EPERM;
		sp_hop_path_unknown(path, denied ? "no_echo_permitted" : "no_route",
				    denied ? "echo is not permitted" : "no route");
		return;
	}
	int64_t next_ms =
	    path->step < count ? all[path->step].at_ms : now->at_ms + path->hop->conf->timeout_ms;
	sp_timer_start(path->timer, next_ms - now->at_ms);
}

void sp_hop_path_ask(struct sp_hop_path *path)
{
	path->phase = SP_HOP_ASK;
	path->began_us = now_us(path);
	path->step = 0;
	path->off = path->far_answered = false;
	path->refusal = NULL;
	step(path);
}

void sp_hop_path_check(struct sp_hop_path *path)
{
	path->phase = SP_HOP_CHECK;
	path->began_us = now_us(path);
	memset(&path->heard, 0, sizeof(path->heard));
	unsigned count = path->scope.anchors < CHECK_MOST ? path->scope.anchors : CHECK_MOST;
	for (unsigned i = 0; i < count; i++)
		(void)ask_hop(path);
	sp_timer_start(path->timer, path->hop->conf->timeout_ms);
}

static void on_timer(struct sp_device *dev, void *arg)
{
	(void)dev;
	struct sp_hop_path *path = arg;
	switch (path->phase) {
	case SP_HOP_IDLE:
		sp_hop_path_begin(path);
		break;
	case SP_HOP_ASK:
		step(path);
		break;
	case SP_HOP_CHECK:
		conclude_check(path);
		break;
	case SP_HOP_SEARCH:
		sp_hop_search_step(path);
		break;
	}
}

/// Our own address is another: so may be everything beyond.
static void look_at_source(struct sp_hop_path *path, const struct sockaddr_storage *source)
{
	if (path->source.ss_family && !sp_hop_same(&path->source, source)) {
		path->relearn = true;
		path->search_due_us = path->search_wait_us = 0;
	}
	path->source = *source;
}

void sp_hop_path_begin(struct sp_hop_path *path)
{
	if (path->scope.anchors == 0 || path->phase == SP_HOP_ASK || path->phase == SP_HOP_CHECK)
		return;
	if (path->phase == SP_HOP_SEARCH) {
		if (!is_held(path))
			return;
		path->relearn = true; // what is known comes first: this may be an outage
	}
	struct sp_route route;
	const struct sockaddr_storage *to =
	    path->fixed.ss_family ? &path->fixed : &path->targets[path->turn % path->scope.anchors].address;
	if (sp_route_look(to, path->hop->interface, &route) == -ENETUNREACH) {
		path->began_us = now_us(path);
		sp_hop_path_unknown(path, "no_route", "no route");
		return;
	}
	look_at_source(path, &route.source);
	// Something has changed on the line: a good moment, if the last search was not just now.
	bool occasion = sp_line_suspected(path->hop->dev) && now_us(path) - path->began_us >= OCCASION_US;
	if (is_held(path))
		sp_hop_path_ask(path);
	else if (occasion || now_us(path) >= path->search_due_us)
		sp_hop_search_begin(path);
	else
		sp_hop_path_unknown(path, "hop_not_found", "no hop of the provider's is known");
}

bool sp_hop_path_rests(const struct sp_hop_path *path)
{
	return path->phase == SP_HOP_IDLE || path->phase == SP_HOP_SEARCH;
}

// ---- set-up -----------------------------------------------------------------------------------

static void add_targets(struct sp_hop_path *path)
{
	int family = path->family == SP_FAMILY_IPV6 ? AF_INET6 : AF_INET;
	unsigned count = sp_anchors_of(&path->hop->conf->domestic, family, path->hop->interface,
				       path->targets, SP_SCOPE_ANCHORS);
	for (unsigned i = 0; i < count; i++)
		path->by_hop[i] = path->by_far[i] = (struct sp_hop_ask){path, i};
	sp_scope_init(&path->scope, count);
}

static void set_fixed(struct sp_hop_path *path)
{
	const struct sp_isp_hop_conf *conf = path->hop->conf;
	int family = path->family == SP_FAMILY_IPV6 ? AF_INET6 : AF_INET;
	for (size_t i = 0; i < conf->address.count; i++) {
		struct sp_endpoint endpoint;
		if (sp_endpoint_parse(&endpoint, conf->address.items[i], 0) == 0 &&
		    endpoint.address.ss_family == family)
			path->fixed = endpoint.address;
	}
	path->position = (unsigned)(path->family == SP_FAMILY_IPV6 ? conf->position_ipv6 : conf->position);
	path->fixed_position = path->position > 0;
}

void sp_hop_path_init(struct sp_isp_hop *hop, struct sp_hop_path *path, enum sp_family family)
{
	path->hop = hop;
	path->family = family;
	path->name = family == SP_FAMILY_IPV6 ? "ipv6" : "ipv4";
	path->timer = sp_timer_new(hop->dev, on_timer, path);
	for (unsigned ttl = 0; ttl <= SP_HOP_MOST; ttl++)
		path->by_ttl[ttl] = (struct sp_hop_ask){path, ttl};
	add_targets(path);
	set_fixed(path);
}

void sp_hop_path_free(struct sp_hop_path *path)
{
	sp_timer_free(path->timer);
}
