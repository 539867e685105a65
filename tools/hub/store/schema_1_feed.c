// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Schema step 1: what boards say, as it came and projected; the flat register; attendance. README.md says
// what each table is for.
#include "tools/hub/store/store_priv.h"

static const char identities[] =
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) {KEYED};"

    "CREATE TABLE lease(shard TEXT PRIMARY KEY, holder TEXT NOT NULL, token BIGINT NOT NULL,"
    " until_ms BIGINT NOT NULL, state TEXT NOT NULL, state_ms BIGINT NOT NULL) {KEYED};"

    "CREATE TABLE device(id {ID}, name TEXT NOT NULL UNIQUE, shard TEXT NOT NULL,"
    " first_heard_ms BIGINT NOT NULL, last_heard_ms BIGINT,"
    " presence INTEGER NOT NULL DEFAULT 0, presence_ms BIGINT, session TEXT, boot TEXT, version TEXT,"
    " birth_mono_us BIGINT, events BIGINT NOT NULL DEFAULT 0);"

    "CREATE TABLE boot(id {ID}, device BIGINT NOT NULL, name TEXT NOT NULL,"
    " arrival_mono_us BIGINT, arrival_ms BIGINT, arrival_err_ms BIGINT, heard_ms BIGINT,"
    " lost_ms BIGINT, disputes INTEGER NOT NULL DEFAULT 0, UNIQUE(device, name));"

    "CREATE TABLE anchor(boot BIGINT NOT NULL, mono_us BIGINT NOT NULL, t_ms BIGINT NOT NULL,"
    " err_ms BIGINT NOT NULL, refuted INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(boot, mono_us)) {KEYED};"

    "CREATE TABLE stream(id {ID}, device BIGINT NOT NULL, name TEXT NOT NULL,"
    " class INTEGER NOT NULL, opened INTEGER NOT NULL DEFAULT 0, prev BIGINT, final BIGINT,"
    " issued BIGINT NOT NULL DEFAULT 0, boot BIGINT, from_ms BIGINT, to_ms BIGINT,"
    " UNIQUE(device, name));"
    "CREATE INDEX stream_prev ON stream(prev) WHERE prev IS NOT NULL;";

static const char records[] =
    "CREATE TABLE batch(stream BIGINT NOT NULL, first BIGINT NOT NULL, last BIGINT NOT NULL,"
    " digest TEXT NOT NULL, boot BIGINT NOT NULL, arrived_ms BIGINT NOT NULL,"
    " loose INTEGER NOT NULL DEFAULT 0, redacted INTEGER NOT NULL DEFAULT 0,"
    " PRIMARY KEY(stream, first)) {KEYED};"
    "CREATE INDEX batch_loose ON batch(boot) WHERE loose > 0;"

    "CREATE TABLE gap(stream BIGINT NOT NULL, first BIGINT NOT NULL, last BIGINT NOT NULL,"
    " kind INTEGER NOT NULL, reason TEXT NOT NULL, at_ms BIGINT NOT NULL,"
    " PRIMARY KEY(stream, first)) {KEYED};"
    "CREATE INDEX gap_open ON gap(stream, first) WHERE kind = 0;"

    "CREATE TABLE anomaly(kind TEXT NOT NULL, device BIGINT NOT NULL, stream BIGINT NOT NULL,"
    " detail TEXT NOT NULL, first_ms BIGINT NOT NULL, last_ms BIGINT NOT NULL, count BIGINT NOT NULL,"
    " PRIMARY KEY(kind, device, stream)) {KEYED};"

    "CREATE TABLE allowance(kind INTEGER NOT NULL, owner TEXT NOT NULL, from_ms BIGINT NOT NULL,"
    " used BIGINT NOT NULL, PRIMARY KEY(kind, owner)) {KEYED};"

    "CREATE TABLE set_aside(fault TEXT NOT NULL, device TEXT NOT NULL, topic TEXT NOT NULL,"
    " why TEXT NOT NULL, count BIGINT NOT NULL, last_ms BIGINT NOT NULL,"
    " PRIMARY KEY(fault, device)) {KEYED};";

static const char projections[] =
    "CREATE TABLE line(id {ID}, device BIGINT NOT NULL, name TEXT NOT NULL,"
    " state INTEGER NOT NULL DEFAULT 0, cause TEXT NOT NULL DEFAULT '', whose TEXT NOT NULL DEFAULT '',"
    " since_ms BIGINT, down_mbps DOUBLE PRECISION, up_mbps DOUBLE PRECISION, speed_ms BIGINT, UNIQUE(device, "
    "name));"

    "CREATE TABLE line_point(line BIGINT NOT NULL, t_ms BIGINT NOT NULL, stream BIGINT NOT NULL,"
    " seq BIGINT NOT NULL, placed INTEGER NOT NULL, state INTEGER NOT NULL, cause TEXT NOT NULL,"
    " whose TEXT NOT NULL, ipv4 INTEGER NOT NULL, ipv6 INTEGER NOT NULL,"
    " retold INTEGER NOT NULL, PRIMARY KEY(line, t_ms, stream, seq)) {KEYED};"
    "CREATE INDEX line_point_said ON line_point(line, stream, seq);"

    "CREATE TABLE outage(device BIGINT NOT NULL, name TEXT NOT NULL, line TEXT NOT NULL,"
    " phase INTEGER NOT NULL, state INTEGER NOT NULL, cause TEXT NOT NULL, whose TEXT NOT NULL,"
    " start_ms BIGINT, start_err_ms BIGINT, start_placed BIGINT, end_ms BIGINT, end_err_ms BIGINT,"
    " evidence TEXT, t_ms BIGINT NOT NULL, parts TEXT, PRIMARY KEY(device, name)) {KEYED};"
    "CREATE INDEX outage_newest ON outage(coalesce(start_ms, end_ms, t_ms));"

    "CREATE TABLE silence(device BIGINT NOT NULL, stream BIGINT NOT NULL, seq BIGINT NOT NULL,"
    " reason TEXT NOT NULL, boot BIGINT, last_ms BIGINT, last_err_ms BIGINT, width_ms BIGINT,"
    " end_ms BIGINT, end_err_ms BIGINT, evidence TEXT NOT NULL,"
    " PRIMARY KEY(device, stream, seq)) {KEYED};"
    "CREATE INDEX silence_end ON silence(device, end_ms);"
    "CREATE INDEX silence_recent ON silence(end_ms);"

    "CREATE TABLE instance(device BIGINT NOT NULL, name TEXT NOT NULL, driver TEXT NOT NULL,"
    " state INTEGER NOT NULL, reason TEXT NOT NULL, text TEXT NOT NULL, since_ms BIGINT NOT NULL,"
    " t_ms BIGINT NOT NULL, PRIMARY KEY(device, name)) {KEYED};"

    "CREATE TABLE register(school TEXT NOT NULL, site TEXT NOT NULL, line TEXT NOT NULL,"
    " area TEXT NOT NULL, school_name TEXT NOT NULL, site_name TEXT NOT NULL, provider TEXT NOT NULL,"
    " contract TEXT NOT NULL, down_mbps DOUBLE PRECISION, up_mbps DOUBLE PRECISION, zone TEXT NOT NULL, "
    "timetable TEXT NOT NULL,"
    " device TEXT, shard TEXT, PRIMARY KEY(school, site, line)) {KEYED};"
    "CREATE UNIQUE INDEX register_device ON register(device, line) WHERE device IS NOT NULL;"

    "CREATE TABLE published(school TEXT NOT NULL, site TEXT NOT NULL, line TEXT NOT NULL,"
    " shard TEXT NOT NULL, state INTEGER NOT NULL, cause TEXT NOT NULL, whose TEXT NOT NULL,"
    " since_ms BIGINT NOT NULL, last_heard_ms BIGINT NOT NULL, presence TEXT NOT NULL,"
    " down_mbps DOUBLE PRECISION, up_mbps DOUBLE PRECISION, speed_ms BIGINT NOT NULL,"
    " PRIMARY KEY(school, site, line)) {KEYED};";

// By time: evidence reads a period from one end to the other.
static const char speed[] =
    "CREATE TABLE speedtest(t_ms BIGINT NOT NULL, stream BIGINT NOT NULL, seq BIGINT NOT NULL,"
    " err_ms BIGINT, placed INTEGER NOT NULL, device BIGINT NOT NULL, line TEXT NOT NULL,"
    " direction INTEGER NOT NULL, validity INTEGER NOT NULL, reason TEXT NOT NULL, scope INTEGER NOT NULL,"
    " method TEXT NOT NULL, goodput_bps DOUBLE PRECISION, provider TEXT, plan TEXT, down_mbps DOUBLE "
    "PRECISION, up_mbps DOUBLE PRECISION,"
    " instance TEXT NOT NULL, PRIMARY KEY(t_ms, stream, seq)) {KEYED};"
    "CREATE INDEX speedtest_line ON speedtest(device, line, t_ms);"
    "CREATE INDEX speedtest_last ON speedtest(device, line, direction, t_ms) WHERE validity = 0 AND scope = "
    "1;"

    "CREATE INDEX speedtest_scope ON speedtest(device, line, instance, t_ms) WHERE scope > 0;"

    "CREATE TABLE register_history(device TEXT NOT NULL, line TEXT NOT NULL, from_ms BIGINT NOT NULL,"
    " school TEXT, site TEXT, provider TEXT, contract TEXT, down_mbps DOUBLE PRECISION, up_mbps DOUBLE "
    "PRECISION,"
    " PRIMARY KEY(device, line, from_ms)) {KEYED};"
    "CREATE INDEX register_history_place ON register_history(school, site);";

// A punch has the id of its event, whose own row holds nothing of it. A person is a number here: the code
// behind it is made of the pseudonym by a key of this hub, so that no file of ours ever holds a pseudonym.
static const char attendance[] =
    "CREATE TABLE person(id {NEW ID}, code {BLOB} NOT NULL UNIQUE,"
    " seen_day BIGINT NOT NULL DEFAULT 0);"

    "CREATE TABLE punch(id {ID}, event {BLOB} NOT NULL, person BIGINT NOT NULL,"
    " device BIGINT NOT NULL, kiosk BIGINT NOT NULL, day BIGINT NOT NULL, t_ms BIGINT,"
    " received_ms BIGINT NOT NULL, way INTEGER NOT NULL, mark INTEGER NOT NULL, method INTEGER NOT NULL,"
    " person_kind INTEGER NOT NULL, gate TEXT NOT NULL, number BIGINT, kiosk_time TEXT NOT NULL,"
    " kiosk_t_ms BIGINT, correction INTEGER NOT NULL, correction_seconds DOUBLE PRECISION NOT NULL);"
    "CREATE UNIQUE INDEX punch_event ON punch(event);"
    "CREATE INDEX punch_day ON punch(device, day, person, t_ms);"

    "CREATE TABLE arrival(device BIGINT NOT NULL, day BIGINT NOT NULL, kiosk BIGINT NOT NULL,"
    " bin INTEGER NOT NULL, persons BIGINT NOT NULL, PRIMARY KEY(device, day, kiosk, bin)) {KEYED};"

    "CREATE TABLE attendance(device BIGINT NOT NULL, day BIGINT NOT NULL, slot INTEGER NOT NULL,"
    " minutes INTEGER NOT NULL, revision BIGINT NOT NULL, arrived BIGINT NOT NULL,"
    " withheld BIGINT NOT NULL, groups TEXT NOT NULL, PRIMARY KEY(device, day, slot)) {KEYED};"

    "CREATE TABLE kiosk(id {ID}, device BIGINT NOT NULL, name TEXT NOT NULL,"
    " driver TEXT NOT NULL DEFAULT '', first_ms BIGINT NOT NULL, t_ms BIGINT, heard_ms BIGINT,"
    " clock_error_seconds DOUBLE PRECISION, records BIGINT, capacity BIGINT, users BIGINT, backlog BIGINT,"
    " refused BIGINT, accepted BIGINT, known BIGINT, model TEXT NOT NULL DEFAULT '',"
    " firmware TEXT NOT NULL DEFAULT '', UNIQUE(device, name));"

    "CREATE TABLE kiosk_day(kiosk BIGINT NOT NULL, day BIGINT NOT NULL, arrived BIGINT NOT NULL DEFAULT 0,"
    " counted BIGINT, taken BIGINT, t_ms BIGINT, PRIMARY KEY(kiosk, day)) {KEYED};"

    "CREATE TABLE instance_point(device BIGINT NOT NULL, name TEXT NOT NULL, t_ms BIGINT NOT NULL,"
    " stream BIGINT NOT NULL, seq BIGINT NOT NULL, placed INTEGER NOT NULL, state INTEGER NOT NULL,"
    " reason TEXT NOT NULL, PRIMARY KEY(device, name, t_ms, stream, seq)) {KEYED};"

    "CREATE TABLE subject(device BIGINT NOT NULL, request TEXT NOT NULL, action INTEGER NOT NULL,"
    " persons BIGINT NOT NULL, erased_on_board BIGINT NOT NULL, events BIGINT NOT NULL,"
    " at_ms BIGINT NOT NULL, school TEXT, extract TEXT, PRIMARY KEY(device, request)) {KEYED};"
    "CREATE TABLE subject_person(person BIGINT NOT NULL, device BIGINT NOT NULL, request TEXT NOT NULL,"
    " PRIMARY KEY(person, device, request)) {KEYED};"
    "CREATE TABLE refusal(code {BLOB} NOT NULL, device BIGINT NOT NULL, school TEXT,"
    " PRIMARY KEY(code, device)) {KEYED};"

    "CREATE TABLE key_backup(device {ID}, t_ms BIGINT NOT NULL, stream BIGINT NOT NULL,"
    " seq BIGINT NOT NULL, school_years TEXT NOT NULL, mark TEXT NOT NULL, blob TEXT NOT NULL);";

static const char *const up[] = {identities, records, projections, speed, attendance, NULL};

static const char *const down[] = {
    "DROP TABLE key_backup;"
    "DROP TABLE refusal;"
    "DROP TABLE subject_person;"
    "DROP TABLE subject;"
    "DROP TABLE instance_point;"
    "DROP TABLE kiosk_day;"
    "DROP TABLE kiosk;"
    "DROP TABLE attendance;"
    "DROP TABLE arrival;"
    "DROP TABLE punch;"
    "DROP TABLE person;"
    "DROP TABLE register_history;"
    "DROP TABLE speedtest;"
    "DROP TABLE published;"
    "DROP TABLE register;"
    "DROP TABLE instance;"
    "DROP TABLE silence;"
    "DROP TABLE outage;"
    "DROP TABLE line_point;"
    "DROP TABLE line;"
    "DROP TABLE set_aside;"
    "DROP TABLE allowance;"
    "DROP TABLE anomaly;"
    "DROP TABLE gap;"
    "DROP TABLE event;"
    "DROP TABLE batch;"
    "DROP TABLE stream;"
    "DROP TABLE anchor;"
    "DROP TABLE boot;"
    "DROP TABLE device;"
    "DROP TABLE lease;"
    "DROP TABLE meta;",
    NULL,
};

/// The table of events, and 256 random bits that stand between a pseudonym and its rows.
static int make_rest(struct sp_store *store)
{
	int result = sp_event_make(store);
	if (result < 0)
		return result;
	char secret[2][SP_ID_LENGTH + 1];
	sp_id_new(secret[0]);
	sp_id_new(secret[1]);
	return SQL_DO(store->db,
		      "INSERT INTO meta VALUES('person_secret', CAST(? AS TEXT) || ?), ('rev', '0')",
		      T(secret[0]), T(secret[1]));
}

const struct sp_schema_step sp_schema_1_feed = {
    .name = "feed",
    .up = up,
    .down = down,
    .fill = make_rest,
};
