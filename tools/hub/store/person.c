// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Persons in the store. A pseudonym goes no further than this file: what is kept are two hashes of it under a
// random key of this database, one for the rows of those who are known, one for those who must not be.
// Neither tells the pseudonym, and the second does not tell which rows there were.
#include <stdio.h>
#include <string.h>

#include "tools/hub/facts/fact_attendance.h"
#include "tools/hub/store/store_priv.h"

static int digit(char c)
{
	return c <= '9' ? c - '0' : c - 'a' + 10;
}

void sp_code_bytes(const char *hex, uint8_t out[SP_CODE_BYTES])
{
	for (int i = 0; i < SP_CODE_BYTES; i++)
		out[i] = (uint8_t)(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
}

static int read_secret(struct sp_store *store)
{
	if (store->person_secret[0])
		return 0;
	struct sp_rows *rows =
	    SQL_QUERY(store->db, "SELECT value FROM meta WHERE key = ?", T("person_secret"));
	int result = sp_rows_next(store->db, rows);
	if (result != 1)
		return result < 0 ? result : -EUCLEAN;
	snprintf(store->person_secret, sizeof(store->person_secret), "%s", sp_row_text(rows, 0));
	sp_rows_leave(rows);
	return 0;
}

/// Of fixed lengths, and cut: nothing can be added to what was hashed.
static int code(struct sp_store *store, const char *purpose, const char *pseudonym,
		uint8_t out[SP_CODE_BYTES])
{
	char text[sizeof(store->person_secret) + 16 + SP_PSEUDONYM_LENGTH], digest[SP_DIGEST_LENGTH + 1];
	int result = read_secret(store);
	snprintf(text, sizeof(text), "%s%-8.8s%.32s", store->person_secret, purpose, pseudonym);
	sp_digest(text, strlen(text), digest);
	sp_code_bytes(digest, out);
	explicit_bzero(text, sizeof(text));
	return result;
}

int sp_person_row(struct sp_store *store, const char *pseudonym, bool make, int64_t *id)
{
	uint8_t bytes[SP_CODE_BYTES];
	int result = code(store, "person", pseudonym, bytes);
	if (result == 0)
		result =
		    SQL_GET(store->db, id, "SELECT id FROM person WHERE code = ?", B(bytes, sizeof(bytes)));
	if (result != 0 || !make)
		return result;
	result = SQL_GET(store->db, id, "INSERT INTO person(code) VALUES(?) RETURNING id",
			 B(bytes, sizeof(bytes)));
	return result < 0 ? result : 1;
}

/// To the month: a day would be a write for each event.
int sp_person_seen(struct sp_store *store, int64_t id, int64_t day)
{
	return SQL_DO(store->db, "UPDATE person SET seen_day = ?2 WHERE id = ?1 AND seen_day + ?3 <= ?2",
		      I(id), I(day), I(SP_PERSON_SEEN_DAYS));
}

int sp_device_school(struct sp_store *store, int64_t device, char out[65])
{
	struct sp_rows *rows = SQL_QUERY(
	    store->db,
	    "SELECT r.school FROM device d JOIN register r ON r.device = d.name WHERE d.id = ? LIMIT 1",
	    I(device));
	int result = sp_rows_next(store->db, rows);
	out[0] = '\0';
	if (result != 1)
		return result;
	snprintf(out, 65, "%s", sp_row_text(rows, 0));
	sp_rows_leave(rows);
	return 0;
}

int sp_person_refuse(struct sp_store *store, const char *pseudonym, int64_t device)
{
	uint8_t bytes[SP_CODE_BYTES];
	char school[65];
	int result = code(store, "refused", pseudonym, bytes);
	if (result == 0)
		result = sp_device_school(store, device, school);
	store->refusals = -1;
	if (result == 0)
		result = SQL_DO(store->db,
				"INSERT INTO refusal VALUES(?1, ?2, nullif(?3, '')) ON CONFLICT (code,"
				" device) DO UPDATE SET school = coalesce(excluded.school, refusal.school)",
				B(bytes, sizeof(bytes)), I(device), T(school));
	return result;
}

/// By the board that asked, by the school that it stood in then, or by the one that it stands in now.
int sp_person_refused(struct sp_store *store, const char *pseudonym, int64_t device)
{
	uint8_t bytes[SP_CODE_BYTES];
	char school[65];
	int64_t refused = 0;
	int result = 0;
	if (store->refusals < 0)
		result = SQL_GET(store->db, &store->refusals, "SELECT EXISTS(SELECT 1 FROM refusal)");
	if (result < 0 || store->refusals == 0)
		return result < 0 ? result : 0;
	result = code(store, "refused", pseudonym, bytes);
	if (result == 0)
		result = sp_device_school(store, device, school);
	if (result == 0)
		result =
		    SQL_GET(store->db, &refused,
			    "SELECT EXISTS(SELECT 1 FROM refusal f WHERE f.code = ?1 AND (f.device = ?2 OR"
			    " f.school = nullif(?3, '') OR EXISTS(SELECT 1 FROM device d JOIN register r ON"
			    " r.device = d.name WHERE d.id = f.device AND r.school = nullif(?3, ''))))",
			    B(bytes, sizeof(bytes)), I(device), T(school));
	return result < 0 ? result : (int)refused;
}
