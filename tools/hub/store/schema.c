// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The schema as a list of steps, and which of them a database has. README.md says what each table is for.
#include <inttypes.h>
#include <stdio.h>

#include "tools/hub/store/store_priv.h"

static const struct sp_schema_step *const steps[] = {&sp_schema_1_feed, &sp_schema_2_register,
						     &sp_schema_3_rollup, &sp_schema_4_incident,
						     &sp_schema_5_summary};

int sp_schema_version(void)
{
	return (int)SP_COUNT(steps);
}

static int step_up(struct sp_store *store, const struct sp_schema_step *step)
{
	int result = 0;
	for (size_t i = 0; result == 0 && step->up[i]; i++)
		result = sp_sql_script(store->db, step->up[i]);
	return result == 0 && step->fill ? step->fill(store) : result;
}

int sp_schema_step_up(struct sp_store *store, int number)
{
	return step_up(store, steps[number - 1]);
}

int sp_schema_step_down(struct sp_store *store, int number)
{
	const struct sp_schema_step *step = steps[number - 1];
	int result = step->empty ? step->empty(store) : 0;
	for (size_t i = 0; result == 0 && step->down[i]; i++)
		result = sp_sql_script(store->db, step->down[i]);
	return result;
}

const struct sp_schema_step *sp_schema_step(int number)
{
	return steps[number - 1];
}

static int create(struct sp_store *store)
{
	int result = 0;
	for (size_t i = 0; result == 0 && i < SP_COUNT(steps); i++)
		result = step_up(store, steps[i]);
	return result < 0 ? result : sp_store_meta_set(store, "schema_version", sp_schema_version());
}

int sp_schema_ours(struct sp_store *store)
{
	int meta = sp_db_table(store->db, "meta");
	if (meta != 0)
		return meta;
	int any = sp_db_table(store->db, NULL);
	return any == 1 ? -EUCLEAN : any;
}

static int judge(int64_t version, char why[256])
{
	if (version > sp_schema_version()) {
		snprintf(why, 256,
			 "the database has schema %" PRId64
			 ", this program knows %d: it was written by a newer schoolpulse-hub; it is left as "
			 "it is",
			 version, sp_schema_version());
		return -EPROTO;
	}
	if (version < 1) {
		snprintf(why, 256, "the database has no readable schema version");
		return -EUCLEAN;
	}
	if (version < sp_schema_version()) {
		snprintf(why, 256,
			 "the database has schema %" PRId64
			 ", this program needs %d: it was written by an older schoolpulse-hub; it is left as "
			 "it is: run schoolpulse-hub migrate",
			 version, sp_schema_version());
		return -EPROTO;
	}
	return 0;
}

int sp_schema_check(struct sp_store *store, char why[256])
{
	int64_t version = 0;
	int found = sp_schema_ours(store);
	if (found < 0) {
		snprintf(why, 256, "this is not a hub's database (%.200s)",
			 found == -EUCLEAN ? "it holds other tables" : sp_store_error(store));
		return found;
	}
	if (found == 0 && !store->writing) {
		snprintf(why, 256, "the database is still empty: no ingest or import has run");
		return -ENOENT;
	}
	int result = found == 0 ? create(store) : 0;
	if (result < 0)
		snprintf(why, 256, "the tables cannot be made: %.200s", sp_store_error(store));
	if (result == 0)
		result = sp_store_meta_get(store, "schema_version", &version);
	if (result < 0 && !why[0])
		snprintf(why, 256, "the schema's version cannot be read: %.200s", sp_store_error(store));
	return result < 0 ? result : judge(version, why);
}
