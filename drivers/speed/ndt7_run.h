// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// One direction of an ndt7 test on a worker's thread, from the first server that takes us.
#pragma once

#include <stdatomic.h>

#include "ndt7_session.h"
#include "ndt7_upgrade.h"

enum { SP_NDT7_TEXT_FOR_PEOPLE = 256 };

struct sp_ndt7_run {
	// ---- asked; not touched until the work is done
	enum sp_speed_direction direction;
	struct sp_ndt7_times times;
	int64_t max_wire; ///< 0: no limit
	char interface[16];
	char *ca_file; ///< "": the system's; owned
	unsigned count;
	struct sp_ndt7_url urls[SP_NDT7_SERVERS];

	// ---- moves while it runs
	atomic_bool cancel; ///< set by whoever wants it to end
	atomic_bool loading;
	atomic_int permille; ///< of the load's time
	_Atomic int64_t bps;

	// ---- found; only once the work is done
	struct sp_speed_result result; ///< its text is `text`
	char text[SP_NDT7_TEXT_FOR_PEOPLE];
	unsigned server; ///< index of the last that was asked
	char address[INET6_ADDRSTRLEN];
	enum sp_family family;
	int64_t wire_bytes;
	double
	    idle_s[2]; ///< round trips without load, as our kernel and the server's saw them; NAN: not told
};

/// For sp_work(): blocks for setup times the servers, and the test's time, at most.
void sp_ndt7_run_work(void *arg);
void sp_ndt7_run_free(struct sp_ndt7_run *run); ///< NULL is fine
