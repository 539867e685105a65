// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the correlator is given: lines with what they stand behind, and losses, read from the database.
// Private to store/incident*.c.
#pragma once

#include "tools/hub/incident/correlate.h"
#include "tools/hub/incident/words.h"
#include "tools/hub/store/store_priv.h"

/// What a line of the scene is called; as long as its place and its hop are the same.
struct sp_inc_name {
	int64_t device;
	char *line, *provider, *area, *hop; ///< area: a path from the province down; "": not known
};

/// What lines were read from; they are read anew when it differs.
struct sp_inc_state {
	int64_t register_rev, boards, hops;
};

/// All lines at all times, by board, line and time. The store keeps them from look to look.
struct sp_inc_lines {
	struct sp_inc_state state;
	struct sp_inc_name *names; ///< as many as items
	struct sp_incident_line *items;
	size_t count, room;
	int32_t *areas; ///< of all lines
	int32_t *area_depth;
	struct sp_inc_words providers, area_names, hops;
	int64_t boards;
};
struct sp_incident_line *sp_inc_line_add(struct sp_inc_lines *out, const struct sp_inc_name *name);
/// By the history of the register and what boards said of hops; without numbers yet.
int sp_inc_places(struct sp_store *store, struct sp_inc_lines *out) SP_MUST_CHECK;

struct sp_inc_scene {
	struct sp_incident_scene scene;  ///< points into what follows
	const struct sp_inc_name *names; ///< as many as lines
	const struct sp_inc_lines *words;
	struct sp_incident_line *lines; ///< those that the store keeps, to when they are watched
	struct sp_loss *losses;
	size_t loss_room;
};
/// The index of the device's first line, or of what comes behind it.
size_t sp_inc_scene_first(const struct sp_inc_scene *scene, int64_t device);

/// What was known of an incident before a look.
struct sp_incident_row {
	int64_t id, from_ms, to_ms;
	bool claimed; ///< it goes on as one that was found now
};
/// Those that reach into from_ms ≤ t < to_ms, instead of what *out had; free().
int sp_incident_rows(struct sp_store *store, int64_t from_ms, int64_t to_ms, struct sp_incident_row **out,
		     size_t *count) SP_MUST_CHECK;
/// As one of `old`, which it claims, or as a new one.
int sp_incident_write(struct sp_store *store, const struct sp_inc_scene *scene,
		      const struct sp_incident *incident, struct sp_incident_row *old,
		      size_t old_count) SP_MUST_CHECK;
int sp_incident_delete(struct sp_store *store, int64_t id) SP_MUST_CHECK;

/// Lines of the register with their boards, at all times; valid within this transaction.
int sp_inc_scene_lines(struct sp_store *store, const struct sp_incident_rules *rules,
		       struct sp_inc_scene *out) SP_MUST_CHECK;
/// Losses that matter to a look at from_ms ≤ t < to_ms; instead of those read before.
int sp_inc_scene_losses(struct sp_store *store, struct sp_inc_scene *scene, int64_t from_ms,
			int64_t to_ms) SP_MUST_CHECK;
void sp_inc_scene_free(struct sp_inc_scene *scene);
