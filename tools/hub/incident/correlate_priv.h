// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the files of the correlator share. Private to the incident/ room.
#pragma once

#include "tools/hub/incident/correlate.h"

/// Something that many boards stand behind, with how many of them are what at the moment of the sweep.
struct sp_inc_key {
	enum sp_incident_scope scope;
	int32_t provider, place;         ///< area or hop, -1 of a provider alone
	int64_t up, untold, line, power; ///< `up` with those that are freshly lost
};

struct sp_inc_loss {
	size_t index; ///< in the scene
	size_t line;
	enum sp_loss_kind kind;
	int64_t lo_ms, hi_ms, on_ms, to_ms;
	bool seed;  ///< sharp enough to found an incident
	bool wide;  ///< it may only join one
	bool taken; ///< by an incident, or it is none of ours
};

struct sp_inc_work {
	const struct sp_incident_scene *scene;
	struct sp_inc_key *keys;
	size_t key_count;
	size_t *key_of, *key_at;    ///< the keys of line i: key_of[key_at[i]] … key_of[key_at[i + 1]]
	struct sp_inc_loss *losses; ///< in order of their beginning
	size_t loss_count;
	double least_weight;
};

/// The best explanation at one moment.
struct sp_inc_find {
	size_t key;
	enum sp_incident_cause cause;
	int64_t at_ms, lost, up;
	double weight;
};

// ---- keys (keys.c) -----------------------------------------------------------------------------

void sp_inc_keys_make(struct sp_inc_work *work);
bool sp_inc_behind(const struct sp_incident_line *line, const struct sp_inc_key *key);

// ---- the sweep (sweep.c) -----------------------------------------------------------------------

/// By what more boards are lost than by chance: ln of how much less likely chance is.
double sp_inc_weight(const struct sp_incident_rules *rules, int64_t lost, int64_t up);
/// False: what is left is no incident.
bool sp_inc_sweep(struct sp_inc_work *work, struct sp_inc_find *out);

// ---- members (members.c) -------------------------------------------------------------------------

/// Takes the members of what was found.
void sp_inc_members(struct sp_inc_work *work, const struct sp_inc_find *find, struct sp_incident *out);
/// How many have to be lost at once.
int64_t sp_inc_needed(const struct sp_incident_rules *rules, int64_t up);
