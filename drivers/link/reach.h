// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The parts of the `reach` driver: paths (anchors of one scope in one family), the resolver, the portal
// check; and the frame around them that keeps time and passes a suspicion on.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dns.h"
#include "dns_verdict.h"
#include "ping.h"
#include "resolv.h"
#include "schoolpulse/driver.h"
#include "schoolpulse/io.h"
#include "scope.h"

struct sp_reach;

struct sp_reach_conf {
	char *interface;
	struct sp_strings domestic, international;
	int64_t timeout_ms, scope_interval_ms;
	char *dns_name, *resolv_conf;
	struct sp_strings dns_direct, dns_expect;
	char *portal_url, *portal_resolve, *portal_body;
	int64_t portal_status, portal_interval_ms, full_interval_ms;
};

enum {
	SP_REACH_RTT,
	SP_REACH_LOSS,
	SP_REACH_DNS,
	SP_REACH_HTTP,
	SP_REACH_BYTES,
};

// ---- paths: reach_path.c ----------------------------------------------------------------------

struct sp_path;

struct sp_anchor {
	struct sp_path *path;
	unsigned index;
	struct sp_endpoint endpoint; ///< the port is for TCP
	char host[INET6_ADDRSTRLEN];
	struct sp_exchange *connect;
	int64_t connect_us; ///< when it began
	// ---- a DNS question, where echo is filtered: cheaper than a handshake
	struct sp_exchange *ask;
	struct sp_dns_question question;
	int64_t ask_us;
	unsigned ask_misses; ///< in a row; then it is hardly a DNS server
	unsigned knocks;     ///< handshakes instead of questions
};

enum sp_path_phase {
	SP_PATH_IDLE,
	SP_PATH_SINGLE, ///< one probe is out
	SP_PATH_BURST,  ///< all anchors, until one answers or time is up
	SP_PATH_SWEEP,  ///< known to be silent: all anchors, once
};

struct sp_path {
	struct sp_reach *reach;
	enum sp_rung rung;
	enum sp_family family;
	const char *name;        ///< "domestic"
	const char *family_name; ///< "domestic/ipv4"
	struct sp_anchor anchors[SP_SCOPE_ANCHORS];
	struct sp_scope scope;
	enum sp_path_phase phase;
	struct sp_timer *timer;
	unsigned tries, steps; ///< of the burst: to do, done
	int64_t due_us;
	bool by_tcp;         ///< echo goes unanswered here; TCP, or DNS, does not
	unsigned tcp_streak; ///< bursts in a row that only TCP cleared
	unsigned begun;      ///< probes and sweeps since start
	bool alarm;          ///< the burst's first step has yet to fail before everything is asked
	const char *refusal; ///< what a router said while suspected; NULL
};

void sp_path_init(struct sp_reach *reach, struct sp_path *path, enum sp_rung rung, enum sp_family family);
void sp_path_free(struct sp_path *path);
/// Asks one anchor, or while the path is silent all of them; nothing while a question is open.
void sp_path_begin(struct sp_path *path);
/// The same at once, also in the middle of a sweep: something nearer has come back.
void sp_path_again(struct sp_path *path);
/// Asks all of them now, because something is wrong somewhere.
/// `lost_us`: when the probe was sent whose loss says so.
void sp_path_burst(struct sp_path *path, int64_t lost_us);

// ---- the resolver: reach_dns.c ------------------------------------------------------------------

enum { SP_DNS_SERVERS = SP_RESOLVERS + 8 };

struct sp_reach_dns;

struct sp_dns_server {
	struct sp_reach_dns *dns;
	struct sp_endpoint endpoint;
	char label[INET6_ADDRSTRLEN]; ///< for people; a private address is not named
	bool direct;                  ///< not the system's resolver, but an anchor
	bool local;                   ///< in the school: may answer out of its memory
	struct sp_dns_question question;
	struct sp_exchange *exchange;
	struct sp_dns_finding finding;
};

struct sp_reach_dns {
	struct sp_reach *reach;
	struct sp_dns_server servers[SP_DNS_SERVERS];
	unsigned count, resolvers; ///< the resolvers come first
	unsigned open;             ///< questions
	unsigned wave;             ///< 0: a single question, then those of the burst
	unsigned begun;
	enum sp_rung_status status;
	int64_t since_us, began_us, due_us;
	int64_t doubt_us; ///< since when the findings are bad, not yet believed; 0: they are not
};

void sp_reach_dns_init(struct sp_reach *reach, struct sp_reach_dns *dns);
void sp_reach_dns_begin(struct sp_reach_dns *dns); ///< nothing while a question is open
/// Asks anew: an answer to what was asked before the path's last edge says nothing of now.
void sp_reach_dns_again(struct sp_reach_dns *dns);

// ---- the portal check: reach_portal.c ------------------------------------------------------------

struct sp_reach_portal {
	struct sp_reach *reach;
	struct sp_http *http;
	unsigned doubts; ///< bad findings in a row, not yet believed
	int64_t asked_us, first_us;
	enum sp_rung_status status;
	int64_t since_us, due_us;
	bool told[SP_FAMILIES]; ///< families that something was said of
};

void sp_reach_portal_begin(struct sp_reach_portal *portal);
void sp_reach_portal_again(struct sp_reach_portal *portal); ///< as sp_reach_dns_again()

// ---- packets of full size: reach_full.c -------------------------------------------------------------

struct sp_reach_full;

struct sp_full_anchor {
	struct sp_reach_full *full;
	unsigned index; ///< of the path's anchor
	bool ever;      ///< it has answered a full-size packet
	unsigned misses;
	unsigned size; ///< of the last try
	unsigned mtu;  ///< by a router's word
	int64_t mtu_us;
};

struct sp_reach_full {
	struct sp_reach *reach;
	struct sp_path *path; ///< whose anchors are asked
	struct sp_full_anchor anchors[SP_SCOPE_ANCHORS];
	unsigned families; ///< that take turns
	unsigned turn, begun;
	enum sp_rung_status status;
	int64_t since_us, due_us;
	// ---- the series
	bool busy;
	unsigned attempts, losses, by, shrinks;
	int64_t first_lost_us;
	// ---- the try
	struct sp_full_anchor *asked;
	int64_t sent_us;
	unsigned open; ///< what has not come back
	bool small, shrunk, refused;
};

void sp_reach_full_init(struct sp_reach *reach, struct sp_reach_full *full, struct sp_path *path,
			unsigned families, int64_t due_us);
/// Nothing while a series is under way, or while small packets are silent as well.
void sp_reach_full_begin(struct sp_reach_full *full);

// ---- the frame: reach.c -------------------------------------------------------------------------

enum {
	SP_REACH_DOMESTIC4,
	SP_REACH_DOMESTIC6,
	SP_REACH_INTERNATIONAL4,
	SP_REACH_INTERNATIONAL6,
	SP_REACH_PATHS
};

struct sp_reach {
	struct sp_device *dev;
	const struct sp_reach_conf *conf;
	char interface[16]; ///< "": the kernel's choice
	struct sp_ping *ping;
	struct sp_path paths[SP_REACH_PATHS];
	struct sp_reach_dns dns;
	struct sp_reach_portal portal;
	struct sp_reach_full full[2]; ///< IPv4, IPv6
	double bytes;                 ///< of IP, both ways
	int64_t full_us;              ///< when a suspicion last sent full-size packets
	bool round;
};

/// A path is in doubt: bursts on every other one.
void sp_reach_suspect(struct sp_reach *reach, int64_t lost_us);
/// A path came to rest; `changed`: with another status than before.
void sp_reach_settled(struct sp_reach *reach, struct sp_path *path, bool changed);
/// A domestic anchor has answered what was asked after that moment; or none does, and all is said already.
bool sp_reach_alive_since(const struct sp_reach *reach, int64_t since_us);
/// No path answers that could.
bool sp_reach_all_silent(const struct sp_reach *reach);
void sp_reach_count(struct sp_reach *reach, size_t bytes);
/// How long a path that is at rest is left alone.
int64_t sp_reach_wait_us(const struct sp_reach *reach, const struct sp_path *path);
