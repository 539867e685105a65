// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The schema and its version. README.md ("Schema") says what each table is for.
#include "tools/hub/store/store_priv.h"

#include <inttypes.h>
#include <stdio.h>

static const char identities[] =
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;"

    "CREATE TABLE device(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, shard TEXT NOT NULL,"
    " first_heard_ms INTEGER NOT NULL, last_heard_ms INTEGER,"
    " presence INTEGER NOT NULL DEFAULT 0, presence_ms INTEGER, session TEXT, boot TEXT, version TEXT,"
    " birth_mono_us INTEGER, events INTEGER NOT NULL DEFAULT 0);"

    "CREATE TABLE boot(id INTEGER PRIMARY KEY, device INTEGER NOT NULL, name TEXT NOT NULL,"
    " arrival_mono_us INTEGER, arrival_ms INTEGER, arrival_err_ms INTEGER, heard_ms INTEGER,"
    " lost_ms INTEGER, disputes INTEGER NOT NULL DEFAULT 0, UNIQUE(device, name));"

    "CREATE TABLE anchor(boot INTEGER NOT NULL, mono_us INTEGER NOT NULL, t_ms INTEGER NOT NULL,"
    " err_ms INTEGER NOT NULL, refuted INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(boot, mono_us)) WITHOUT ROWID;"

    "CREATE TABLE stream(id INTEGER PRIMARY KEY, device INTEGER NOT NULL, name TEXT NOT NULL,"
    " class INTEGER NOT NULL, opened INTEGER NOT NULL DEFAULT 0, prev INTEGER, final INTEGER,"
    " issued INTEGER NOT NULL DEFAULT 0, boot INTEGER, from_ms INTEGER, to_ms INTEGER,"
    " UNIQUE(device, name));"
    "CREATE INDEX stream_prev ON stream(prev) WHERE prev IS NOT NULL;";

static const char records[] =
    "CREATE TABLE batch(stream INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,"
    " digest TEXT NOT NULL, boot INTEGER NOT NULL, arrived_ms INTEGER NOT NULL,"
    " loose INTEGER NOT NULL DEFAULT 0, redacted INTEGER NOT NULL DEFAULT 0,"
    " PRIMARY KEY(stream, first)) WITHOUT ROWID;"
    "CREATE INDEX batch_loose ON batch(boot) WHERE loose > 0;"

    "CREATE TABLE event(id INTEGER PRIMARY KEY, stream INTEGER NOT NULL, seq INTEGER NOT NULL,"
    " type TEXT NOT NULL, instance TEXT NOT NULL, mono_us INTEGER NOT NULL, t_ms INTEGER NOT NULL,"
    " err_ms INTEGER, placed INTEGER NOT NULL, arrived_ms INTEGER NOT NULL, data TEXT NOT NULL,"
    " UNIQUE(stream, seq));"

    "CREATE TABLE gap(stream INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,"
    " kind INTEGER NOT NULL, reason TEXT NOT NULL, at_ms INTEGER NOT NULL,"
    " PRIMARY KEY(stream, first)) WITHOUT ROWID;"
    "CREATE INDEX gap_open ON gap(stream, first) WHERE kind = 0;"

    "CREATE TABLE anomaly(kind TEXT NOT NULL, device INTEGER NOT NULL, stream INTEGER NOT NULL,"
    " detail TEXT NOT NULL, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, count INTEGER NOT NULL,"
    " PRIMARY KEY(kind, device, stream)) WITHOUT ROWID;"

    "CREATE TABLE set_aside(fault TEXT NOT NULL, device TEXT NOT NULL, topic TEXT NOT NULL,"
    " why TEXT NOT NULL, count INTEGER NOT NULL, last_ms INTEGER NOT NULL,"
    " PRIMARY KEY(fault, device)) WITHOUT ROWID;";

static const char projections[] =
    "CREATE TABLE line(id INTEGER PRIMARY KEY, device INTEGER NOT NULL, name TEXT NOT NULL,"
    " state INTEGER NOT NULL DEFAULT 0, cause TEXT NOT NULL DEFAULT '', whose TEXT NOT NULL DEFAULT '',"
    " since_ms INTEGER, down_mbps REAL, up_mbps REAL, speed_ms INTEGER, UNIQUE(device, name));"

    "CREATE TABLE line_point(line INTEGER NOT NULL, t_ms INTEGER NOT NULL, stream INTEGER NOT NULL,"
    " seq INTEGER NOT NULL, placed INTEGER NOT NULL, state INTEGER NOT NULL, cause TEXT NOT NULL,"
    " whose TEXT NOT NULL, ipv4 INTEGER NOT NULL, ipv6 INTEGER NOT NULL,"
    " retold INTEGER NOT NULL, PRIMARY KEY(line, t_ms, stream, seq)) WITHOUT ROWID;"
    "CREATE INDEX line_point_said ON line_point(line, stream, seq);"

    "CREATE TABLE outage(device INTEGER NOT NULL, name TEXT NOT NULL, line TEXT NOT NULL,"
    " phase INTEGER NOT NULL, state INTEGER NOT NULL, cause TEXT NOT NULL, whose TEXT NOT NULL,"
    " start_ms INTEGER, start_err_ms INTEGER, start_placed INTEGER, end_ms INTEGER, end_err_ms INTEGER,"
    " evidence TEXT, t_ms INTEGER NOT NULL, parts TEXT, PRIMARY KEY(device, name)) WITHOUT ROWID;"
    "CREATE INDEX outage_newest ON outage(coalesce(start_ms, end_ms, t_ms));"

    "CREATE TABLE silence(device INTEGER NOT NULL, stream INTEGER NOT NULL, seq INTEGER NOT NULL,"
    " reason TEXT NOT NULL, boot INTEGER, last_ms INTEGER, last_err_ms INTEGER, width_ms INTEGER,"
    " end_ms INTEGER, end_err_ms INTEGER, evidence TEXT NOT NULL,"
    " PRIMARY KEY(device, stream, seq)) WITHOUT ROWID;"
    "CREATE INDEX silence_end ON silence(device, end_ms);"
    "CREATE INDEX silence_recent ON silence(end_ms);"

    "CREATE TABLE instance(device INTEGER NOT NULL, name TEXT NOT NULL, driver TEXT NOT NULL,"
    " state INTEGER NOT NULL, reason TEXT NOT NULL, text TEXT NOT NULL, since_ms INTEGER NOT NULL,"
    " t_ms INTEGER NOT NULL, PRIMARY KEY(device, name)) WITHOUT ROWID;"

    "CREATE TABLE register(school TEXT NOT NULL, site TEXT NOT NULL, line TEXT NOT NULL,"
    " area TEXT NOT NULL, school_name TEXT NOT NULL, site_name TEXT NOT NULL, provider TEXT NOT NULL,"
    " contract TEXT NOT NULL, down_mbps REAL, up_mbps REAL, zone TEXT NOT NULL, timetable TEXT NOT NULL,"
    " device TEXT, shard TEXT, PRIMARY KEY(school, site, line)) WITHOUT ROWID;"
    "CREATE UNIQUE INDEX register_device ON register(device, line) WHERE device IS NOT NULL;"

    "CREATE TABLE published(school TEXT NOT NULL, site TEXT NOT NULL, line TEXT NOT NULL,"
    " shard TEXT NOT NULL, state INTEGER NOT NULL, cause TEXT NOT NULL, whose TEXT NOT NULL,"
    " since_ms INTEGER NOT NULL, last_heard_ms INTEGER NOT NULL, presence TEXT NOT NULL,"
    " down_mbps REAL, up_mbps REAL, speed_ms INTEGER NOT NULL,"
    " PRIMARY KEY(school, site, line)) WITHOUT ROWID;";

// By time: evidence reads a period from one end to the other.
static const char speed[] =
    "CREATE TABLE speedtest(t_ms INTEGER NOT NULL, stream INTEGER NOT NULL, seq INTEGER NOT NULL,"
    " err_ms INTEGER, placed INTEGER NOT NULL, device INTEGER NOT NULL, line TEXT NOT NULL,"
    " direction INTEGER NOT NULL, validity INTEGER NOT NULL, reason TEXT NOT NULL, scope INTEGER NOT NULL,"
    " method TEXT NOT NULL, goodput_bps REAL, provider TEXT, plan TEXT, down_mbps REAL, up_mbps REAL,"
    " instance TEXT NOT NULL, PRIMARY KEY(t_ms, stream, seq)) WITHOUT ROWID;"
    "CREATE INDEX speedtest_line ON speedtest(device, line, t_ms);"
    "CREATE INDEX speedtest_last ON speedtest(device, line, direction, t_ms) WHERE validity = 0 AND scope = "
    "1;"

    "CREATE INDEX speedtest_scope ON speedtest(device, line, instance, t_ms) WHERE scope > 0;"

    "CREATE TABLE register_history(device TEXT NOT NULL, line TEXT NOT NULL, from_ms INTEGER NOT NULL,"
    " school TEXT, site TEXT, provider TEXT, contract TEXT, down_mbps REAL, up_mbps REAL,"
    " PRIMARY KEY(device, line, from_ms)) WITHOUT ROWID;"
    "CREATE INDEX register_history_place ON register_history(school, site);";

// A punch has the id of its event, whose own row holds nothing of it. A person is a number here: the code
// behind it is made of the pseudonym by a key of this hub, so that no file of ours ever holds a pseudonym.
static const char attendance[] =
    "CREATE TABLE person(id INTEGER PRIMARY KEY AUTOINCREMENT, code BLOB NOT NULL UNIQUE,"
    " seen_day INTEGER NOT NULL DEFAULT 0);"

    "CREATE TABLE punch(id INTEGER PRIMARY KEY, event BLOB NOT NULL, person INTEGER NOT NULL,"
    " device INTEGER NOT NULL, kiosk INTEGER NOT NULL, day INTEGER NOT NULL, t_ms INTEGER,"
    " received_ms INTEGER NOT NULL, way INTEGER NOT NULL, mark INTEGER NOT NULL, method INTEGER NOT NULL,"
    " person_kind INTEGER NOT NULL, gate TEXT NOT NULL, number INTEGER, kiosk_time TEXT NOT NULL,"
    " kiosk_t_ms INTEGER, correction INTEGER NOT NULL, correction_seconds REAL NOT NULL);"
    "CREATE UNIQUE INDEX punch_event ON punch(event);"
    "CREATE INDEX punch_day ON punch(device, day, person, t_ms);"

    "CREATE TABLE arrival(device INTEGER NOT NULL, day INTEGER NOT NULL, kiosk INTEGER NOT NULL,"
    " bin INTEGER NOT NULL, persons INTEGER NOT NULL, PRIMARY KEY(device, day, kiosk, bin)) WITHOUT ROWID;"

    "CREATE TABLE attendance(device INTEGER NOT NULL, day INTEGER NOT NULL, slot INTEGER NOT NULL,"
    " minutes INTEGER NOT NULL, revision INTEGER NOT NULL, arrived INTEGER NOT NULL,"
    " withheld INTEGER NOT NULL, groups TEXT NOT NULL, PRIMARY KEY(device, day, slot)) WITHOUT ROWID;"

    "CREATE TABLE kiosk(id INTEGER PRIMARY KEY, device INTEGER NOT NULL, name TEXT NOT NULL,"
    " driver TEXT NOT NULL DEFAULT '', first_ms INTEGER NOT NULL, t_ms INTEGER, heard_ms INTEGER,"
    " clock_error_seconds REAL, records INTEGER, capacity INTEGER, users INTEGER, backlog INTEGER,"
    " refused INTEGER, accepted INTEGER, known INTEGER, model TEXT NOT NULL DEFAULT '',"
    " firmware TEXT NOT NULL DEFAULT '', UNIQUE(device, name));"

    "CREATE TABLE kiosk_day(kiosk INTEGER NOT NULL, day INTEGER NOT NULL, arrived INTEGER NOT NULL DEFAULT 0,"
    " counted INTEGER, taken INTEGER, t_ms INTEGER, PRIMARY KEY(kiosk, day)) WITHOUT ROWID;"

    "CREATE TABLE instance_point(device INTEGER NOT NULL, name TEXT NOT NULL, t_ms INTEGER NOT NULL,"
    " stream INTEGER NOT NULL, seq INTEGER NOT NULL, placed INTEGER NOT NULL, state INTEGER NOT NULL,"
    " reason TEXT NOT NULL, PRIMARY KEY(device, name, t_ms, stream, seq)) WITHOUT ROWID;"

    "CREATE TABLE subject(device INTEGER NOT NULL, request TEXT NOT NULL, action INTEGER NOT NULL,"
    " persons INTEGER NOT NULL, erased_on_board INTEGER NOT NULL, events INTEGER NOT NULL,"
    " at_ms INTEGER NOT NULL, school TEXT, extract TEXT, PRIMARY KEY(device, request)) WITHOUT ROWID;"
    "CREATE TABLE subject_person(person INTEGER NOT NULL, device INTEGER NOT NULL, request TEXT NOT NULL,"
    " PRIMARY KEY(person, device, request)) WITHOUT ROWID;"
    "CREATE TABLE refusal(code BLOB NOT NULL, device INTEGER NOT NULL, school TEXT,"
    " PRIMARY KEY(code, device)) WITHOUT ROWID;"

    "CREATE TABLE key_backup(device INTEGER PRIMARY KEY, t_ms INTEGER NOT NULL, stream INTEGER NOT NULL,"
    " seq INTEGER NOT NULL, school_years TEXT NOT NULL, mark TEXT NOT NULL, blob TEXT NOT NULL);";

static int create(struct sp_store *store)
{
	int result = sp_sql_script(store, identities);
	if (!result)
		result = sp_sql_script(store, records);
	if (!result)
		result = sp_sql_script(store, projections);
	if (!result)
		result = sp_sql_script(store, speed);
	if (!result)
		result = sp_sql_script(store, attendance);
	// 256 random bits.
	char secret[2][SP_ID_LENGTH + 1];
	sp_id_new(secret[0]);
	sp_id_new(secret[1]);
	if (!result)
		result = SQL_DO(store, "INSERT INTO meta VALUES('person_secret', ? || ?)", T(secret[0]),
				T(secret[1]));
	if (!result)
		result = SQL_DO(store, "INSERT INTO meta VALUES('schema_version', ?), ('rev', 0)",
				I(SP_SCHEMA_VERSION));
	return result;
}

/// 1: there is a table of ours, 0: the database is empty, -EUCLEAN: it is somebody else's.
static int ours(struct sp_store *store)
{
	int64_t tables = 0, meta = 0;
	int result = SQL_GET(store, &tables, "SELECT count(*) FROM sqlite_schema WHERE ?", I(1));
	if (result >= 0)
		result =
		    SQL_GET(store, &meta, "SELECT count(*) FROM sqlite_schema WHERE name = ?", T("meta"));
	if (result < 0)
		return result;
	return tables == 0 ? 0 : meta > 0 ? 1 : -EUCLEAN;
}

int sp_schema_check(struct sp_store *store, char why[256])
{
	int64_t version = 0;
	int found = ours(store);
	if (found < 0) {
		snprintf(why, 256, "this is not a hub's database (%.200s)",
			 found == -EUCLEAN ? "it holds other tables" : store->error);
		return found;
	}
	if (found == 0 && !store->writing) {
		snprintf(why, 256, "the database is still empty: no ingest or import has run");
		return -ENOENT;
	}
	int result = found == 0 ? create(store) : 0;
	if (result == 0)
		result = sp_store_meta_get(store, "schema_version", &version);
	if (result < 0) {
		snprintf(why, 256, "%s", store->error);
		return result;
	}
	if (version > SP_SCHEMA_VERSION) {
		snprintf(why, 256,
			 "the database has schema %" PRId64
			 ", this program knows %d: it was written by a newer "
			 "schoolpulse-hub; it is left as it is",
			 version, SP_SCHEMA_VERSION);
		return -EPROTO;
	}
	if (version < 1) {
		snprintf(why, 256, "the database has no readable schema version");
		return -EUCLEAN;
	}
	if (version < SP_SCHEMA_VERSION) {
		snprintf(
		    why, 256,
		    "the database has schema %" PRId64
		    ", this program needs %d: it was written by an older schoolpulse-hub; it is left as it "
		    "is: move it away, and import the register into a new one",
		    version, SP_SCHEMA_VERSION);
		return -EPROTO;
	}
	return 0;
}
