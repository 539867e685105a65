// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Schema step 4: regional incidents and their members; what is heard only for them: how long boards were
// away, and by which hop their lines leave.
#include "tools/hub/store/store_priv.h"

static const char found[] =
    "CREATE TABLE incident(id {NEW ID}, scope INTEGER NOT NULL, provider TEXT NOT NULL, area TEXT NOT NULL,"
    " hop TEXT NOT NULL, cause INTEGER NOT NULL, from_ms BIGINT NOT NULL, to_ms BIGINT,"
    " until_ms BIGINT NOT NULL, boards BIGINT NOT NULL, of_boards BIGINT NOT NULL,"
    " told_line BIGINT NOT NULL, told_power BIGINT NOT NULL, found_ms BIGINT NOT NULL,"
    " changed_ms BIGINT NOT NULL);"
    "CREATE INDEX incident_from ON incident(from_ms);"
    "CREATE INDEX incident_until ON incident(until_ms);"

    "CREATE TABLE incident_member(incident BIGINT NOT NULL, device BIGINT NOT NULL, line TEXT NOT NULL,"
    " from_ms BIGINT NOT NULL, err_ms BIGINT NOT NULL, to_ms BIGINT, kind INTEGER NOT NULL,"
    " joined_ms BIGINT NOT NULL, PRIMARY KEY(incident, device, line, from_ms)) {KEYED};"
    "CREATE INDEX incident_member_device ON incident_member(device, from_ms);";

// Each mark is a row of its own: one that is there already may just be being worked off by another process.
static const char heard[] =
    "CREATE TABLE incident_dirty(id {NEW ID}, from_ms BIGINT NOT NULL, to_ms BIGINT NOT NULL);"
    "CREATE TABLE task_lease(task TEXT PRIMARY KEY, holder TEXT NOT NULL, until_ms BIGINT NOT NULL) {KEYED};"

    "CREATE TABLE absence(device BIGINT NOT NULL, lost_ms BIGINT NOT NULL, heard_ms BIGINT NOT NULL,"
    " back_ms BIGINT, PRIMARY KEY(device, lost_ms)) {KEYED};"
    "CREATE INDEX absence_lost ON absence(lost_ms);"

    "CREATE TABLE line_hop(device BIGINT NOT NULL, line TEXT NOT NULL, t_ms BIGINT NOT NULL,"
    " stream BIGINT NOT NULL, seq BIGINT NOT NULL, hop TEXT NOT NULL,"
    " PRIMARY KEY(device, line, t_ms, stream, seq)) {KEYED};";

static const char *const up[] = {found, heard, NULL};

static const char *const down[] = {
    "DROP TABLE line_hop;"
    "DROP TABLE absence;"
    "DROP TABLE task_lease;"
    "DROP TABLE incident_dirty;"
    "DROP TABLE incident_member;"
    "DROP TABLE incident;",
    NULL,
};

const struct sp_schema_step sp_schema_4_incident = {
    .name = "incident",
    .up = up,
    .down = down,
    .loses = "SELECT count(*) FROM incident",
    .lost = "regional incidents",
};
