// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The parts of the `isp_hop` driver: one machine per family that finds, holds and asks the provider's first
// hop, the question for our public address, and the frame around them.
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "hop.h"
#include "ping.h"
#include "route.h"
#include "schoolpulse/driver.h"
#include "schoolpulse/io.h"
#include "scope.h"

struct sp_isp_hop;
struct sp_hop_path;

struct sp_isp_hop_conf {
	char *interface;
	struct sp_strings domestic, address;
	int64_t position, position_ipv6, timeout_ms;
	char *egress_url;
	int64_t egress_interval_ms;
};

enum { SP_ISP_HOP_RTT, SP_ISP_HOP_BYTES };

// ---- one family: isp_hop_path.c, isp_hop_search.c -------------------------------------------------

/// What a probe's result is handed to.
struct sp_hop_ask {
	struct sp_hop_path *path;
	unsigned number; ///< a target's, or a hop limit
};

enum sp_hop_phase {
	SP_HOP_IDLE,
	SP_HOP_ASK,    ///< one probe, and more the longer nothing comes
	SP_HOP_CHECK,  ///< the position by way of every target: which addresses stand there?
	SP_HOP_SEARCH, ///< every hop limit
};

struct sp_hop_path {
	struct sp_isp_hop *hop;
	enum sp_family family;
	const char *name; ///< "ipv4"
	enum sp_hop_phase phase;
	struct sp_timer *timer;
	int64_t began_us; ///< of the phase
	struct sockaddr_storage source;
	// ---- by way of whom
	struct sp_endpoint targets[SP_SCOPE_ANCHORS];
	struct sp_hop_ask by_hop[SP_SCOPE_ANCHORS], by_far[SP_SCOPE_ANCHORS];
	struct sp_scope scope; ///< of the hop, whichever target the probes were addressed to
	// ---- the hop
	struct sockaddr_storage fixed; ///< by the configuration; ss_family 0: none
	bool fixed_position;
	unsigned position;       ///< 0: not known
	int64_t position_us;     ///< since when: what was sent before says nothing of it
	struct sp_hop_set known; ///< its addresses
	struct sp_hop_set heard; ///< those of this check
	bool stranger;           ///< an address answered that is not known
	char host[INET6_ADDRSTRLEN];
	// ---- the round
	unsigned step, turn;
	bool off;            ///< somebody else stands at that position now
	bool far_answered;   ///< a target answered meanwhile
	const char *refusal; ///< what a router said
	bool relearn;        ///< look again when there is time
	// ---- the search
	struct sp_hop_ask by_ttl[SP_HOP_MOST + 1];
	struct sp_hop_search search;
	unsigned wave;
	int64_t search_due_us, search_wait_us;
	// ---- our address
	char public_address[INET6_ADDRSTRLEN];
	bool hop_old;     ///< not heard since the last silence
	bool address_old; ///< asked before the last silence, or before another hop was seen: says nothing of
			  ///< now
};

void sp_hop_path_init(struct sp_isp_hop *hop, struct sp_hop_path *path, enum sp_family family);
void sp_hop_path_free(struct sp_hop_path *path);
/// A round: asks the hop, or looks for it. Nothing while that is under way.
void sp_hop_path_begin(struct sp_hop_path *path);
/// A round is not to wait for it.
bool sp_hop_path_rests(const struct sp_hop_path *path);
/// What is known of our way out. `asked_us` as in struct sp_egress.
void sp_hop_path_egress(struct sp_hop_path *path, int64_t asked_us);

void sp_hop_search_begin(struct sp_hop_path *path);
void sp_hop_search_step(struct sp_hop_path *path);
void sp_hop_search_result(struct sp_hop_path *path, unsigned ttl, const struct sp_ping_result *result);
// From the search back to the path.
void sp_hop_path_ask(struct sp_hop_path *path);
void sp_hop_path_check(struct sp_hop_path *path);
void sp_hop_path_unknown(struct sp_hop_path *path, const char *reason, const char *detail);
int sp_hop_path_send(struct sp_hop_path *path, unsigned target, unsigned ttl, struct sp_hop_ask *ask,
		     sp_ping_fn fn);

// ---- the frame: isp_hop.c -------------------------------------------------------------------------

struct sp_isp_hop {
	struct sp_device *dev;
	const struct sp_isp_hop_conf *conf;
	char interface[16];
	struct sp_ping *ping;
	struct sp_hop_path paths[2];
	struct sp_http *http;
	int64_t asked_us, egress_due_us;
	double bytes;
	bool round;
	int64_t asked_last_us; ///< the last round that asked: frugal lines skip most
};

void sp_isp_hop_count(struct sp_isp_hop *hop, size_t bytes);
/// A path came to rest; `back`: the hop answers after a silence.
void sp_isp_hop_settled(struct sp_isp_hop *hop, bool back);
