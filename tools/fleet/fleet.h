// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// All boards of a process: their connections in one epoll set, their next moments in one heap.
#pragma once

#include <signal.h>

#include "tools/fleet/link.h"
#include "tools/fleet/talk.h"

struct sp_member {
	struct sp_talk talk;
	struct sp_link link;
	struct sp_fleet *fleet;
	int64_t due_us;
	size_t place;    ///< in the heap
	uint32_t events; ///< asked of epoll
};

struct sp_fleet_config {
	struct sp_talk_config talk;
	struct sp_life_config life;
	struct sp_link_way way;
	const char *host; ///< as the broker's certificate bears it
	const char *ca_file, *certs;
	int64_t connect_rate;
	int64_t settle_ms, progress_ms, warm_ms;
	const volatile sig_atomic_t *stop;
};

struct sp_fleet {
	struct sp_fleet_config *config;
	struct sp_member *members;
	struct sp_member **heap;
	size_t count, living; ///< living: not at the end of their lives yet
	int epoll;
	struct sp_figures figures;
	int64_t began_us, frontier_ms, frontier_us;
};

struct sp_talk_now sp_fleet_now(void);
/// 0 or -errno with `why`: a certificate that cannot be read.
int sp_fleet_init(struct sp_fleet *fleet, struct sp_fleet_config *config, const struct sp_roster *roster,
		  char why[256]) SP_MUST_CHECK;
/// Until everything is settled, or the time for it is over.
void sp_fleet_run(struct sp_fleet *fleet);
struct sp_figures_more sp_fleet_more(const struct sp_fleet *fleet);
void sp_fleet_free(struct sp_fleet *fleet);

// heap.c
void sp_heap_fix(struct sp_fleet *fleet, struct sp_member *member);
