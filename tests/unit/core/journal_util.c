// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// See the header.
#include "tests/unit/core/journal_util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <cJSON.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/mem.h"

void test_place_make(struct test_place *place)
{
	const char *tmp = getenv("TMPDIR");
	snprintf(place->dir, sizeof(place->dir), "%.90s/sp-journal-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(place->dir));
	snprintf(place->file, sizeof(place->file), "%s/journal.db", place->dir);
}

static size_t each_file(const struct test_place *place, const char *part, bool remove)
{
	size_t count = 0;
	DIR *dir = opendir(place->dir);
	assert_non_null(dir);
	for (struct dirent *entry; (entry = readdir(dir));) {
		const char *wal = strstr(entry->d_name, "-wal");
		if (entry->d_name[0] == '.' || !strstr(entry->d_name, part) || (wal && !remove))
			continue;
		count++;
		if (remove)
			unlinkat(dirfd(dir), entry->d_name, 0);
	}
	closedir(dir);
	return count;
}

size_t test_place_count(const struct test_place *place, const char *part)
{
	return each_file(place, part, false);
}

void test_place_remove(struct test_place *place)
{
	each_file(place, "", true);
	rmdir(place->dir);
}

static void copy_file(const char *from, const char *to)
{
	char buffer[65536];
	FILE *in = fopen(from, "re"), *out;
	unlink(to);
	if (!in)
		return;
	out = fopen(to, "we");
	assert_non_null(out);
	for (size_t n; (n = fread(buffer, 1, sizeof(buffer), in)) > 0;)
		assert_int_equal(fwrite(buffer, 1, n, out), n);
	fclose(in);
	fclose(out);
}

void test_place_copy(const struct test_place *from, const struct test_place *to)
{
	char a[200], b[200];
	copy_file(from->file, to->file);
	snprintf(a, sizeof(a), "%s-wal", from->file);
	snprintf(b, sizeof(b), "%s-wal", to->file);
	copy_file(a, b);
}

struct sp_journal_store_config test_config(const struct test_place *place)
{
	return (struct sp_journal_store_config){.path = place->file,
						.cap_bytes = 64 << 20,
						.keep_acked_ms = 7 * 86400000LL,
						.keep_attendance_ms = 7 * 86400000LL,
						.boot = TEST_BOOT};
}

char *test_record(int64_t n, size_t fill)
{
	struct sp_clock_reading when = {.mono_us = 1};
	struct sp_buf text = SP_BUF(SP_FEED_RECORD_MAX);
	char *filling = sp_alloc(fill + 1);
	uint32_t noise = (uint32_t)n * 2654435761u + 1;
	for (size_t i = 0; i < fill; i++) {
		noise = noise * 1664525u + 1013904223u;
		filling[i] = (char)('0' + (noise >> 24) % 64);
		if (filling[i] == '\\')
			filling[i] = 'x';
	}
	const struct sp_field fields[] = {SP_INT("n", n), SP_TEXT("fill", filling)};
	assert_int_equal(sp_feed_record(&text, "device", NULL, &when, fields, fill ? 2 : 1), 0);
	free(filling);
	return sp_buf_take(&text);
}

int test_commit(struct sp_journal_store *store, enum sp_record_class cls, int64_t n, size_t count,
		size_t fill)
{
	char **records = sp_alloc((count + 1) * sizeof(*records));
	for (size_t i = 0; i < count; i++)
		records[i] = test_record(n + (int64_t)i, fill);
	struct sp_journal_commit what = {0};
	what.records[cls] = (const char *const *)records;
	what.count[cls] = count;
	int result = sp_journal_store_commit(store, &what, 0);
	for (size_t i = 0; i < count; i++)
		free(records[i]);
	free(records);
	return result;
}

// ---- the auditor ----------------------------------------------------------------------------------

struct known_stream {
	char name[SP_ID_LENGTH + 1];
	int64_t next;
};

static int64_t number(const cJSON *object, const char *name, int64_t otherwise)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
	return cJSON_IsNumber(item) ? (int64_t)item->valuedouble : otherwise;
}

static void audit_record(struct audit *a, const cJSON *record, int64_t seq, const struct sp_feed_envelope *e)
{
	const char *type = cJSON_GetStringValue(cJSON_GetObjectItem(record, "type"));
	assert_non_null(type);
	assert_int_equal(number(record, "seq", -1), seq);
	a->records++;
	if (strcmp(type, "opened") == 0) {
		const cJSON *prev = cJSON_GetObjectItem(record, "prev");
		assert_int_equal(seq, 1);
		assert_non_null(prev);
		assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(record, "class")),
				    sp_record_class_name(e->cls));
		a->opened++;
		if (e->cls == SP_RECORD_FACTS)
			a->last_prev = cJSON_IsNull(prev) ? -1 : number(prev, "last", -2);
		a->set_aside = a->set_aside || cJSON_IsTrue(cJSON_GetObjectItem(record, "set_aside"));
		return;
	}
	assert_int_not_equal(seq, 1);
	if (strcmp(type, "dropped") == 0) {
		a->dropped++;
		if (number(record, "from", -1) > 0)
			a->dropped_records += number(record, "to", 0) - number(record, "from", 0) + 1;
		a->memory_records += number(record, "count", 0);
		return;
	}
	if (strcmp(type, "forgotten") == 0)
		return;
	int64_t n = number(record, "n", -1);
	assert_true(n >= 0 && n < AUDIT_MAX);
	a->seen[n]++;
}

static void audit_batch(struct audit *a, const struct sp_journal_batch *batch)
{
	char digest[SP_DIGEST_LENGTH + 1];
	struct sp_feed_envelope e = batch->envelope;
	sp_digest(batch->text, strlen(batch->text), digest);
	assert_string_equal(digest, e.digest);
	assert_string_equal(e.boot, TEST_BOOT);
	cJSON *array = cJSON_Parse(batch->text);
	assert_true(cJSON_IsArray(array));
	assert_int_equal(cJSON_GetArraySize(array), e.last - e.first + 1);
	int64_t seq = e.first;
	const cJSON *record;
	cJSON_ArrayForEach(record, array) audit_record(a, record, seq++, &e);
	cJSON_Delete(array);
	struct sp_buf wire = SP_BUF(1 << 20);
	strcpy(e.device, "board");
	strcpy(e.clk_boot, TEST_BOOT);
	assert_int_equal(sp_feed_envelope_encode(&wire, &e, batch->text, batch->deflate), 0);
	assert_true(wire.length <= SP_FEED_PAYLOAD_MAX);
	sp_buf_free(&wire);
}

static void audit_place(struct known_stream *streams, size_t *count, const struct sp_journal_batch *batch,
			bool whole)
{
	struct known_stream *s = NULL;
	for (size_t i = 0; i < *count && !s; i++)
		s = strcmp(streams[i].name, batch->envelope.stream) == 0 ? &streams[i] : NULL;
	if (!s) {
		assert_true(*count < 1024);
		s = &streams[(*count)++];
		strcpy(s->name, batch->envelope.stream);
		s->next = whole ? 1 : batch->envelope.first;
	}
	if (whole)
		assert_int_equal(batch->envelope.first, s->next);
	else
		assert_true(batch->envelope.first >= s->next);
	s->next = batch->envelope.last + 1;
}

static void audit_lane(struct audit *a, struct sp_journal_store *store, enum sp_lane lane, bool whole)
{
	struct known_stream *streams = sp_alloc(1024 * sizeof(*streams));
	struct sp_journal_batch *batches[8];
	size_t count, known = 0;
	int64_t after = 0;
	do {
		assert_int_equal(sp_journal_store_fetch(store, lane, after, 8, batches, &count, 0), 0);
		for (size_t i = 0; i < count; i++) {
			assert_true(batches[i]->id > after);
			after = batches[i]->id;
			audit_batch(a, batches[i]);
			audit_place(streams, &known, batches[i], whole);
			sp_journal_batch_free(batches[i]);
			a->batches++;
		}
	} while (count > 0);
	a->streams += known;
	free(streams);
}

void audit(struct audit *out, struct sp_journal_store *store, bool whole)
{
	*out = (struct audit){.seen = sp_alloc(AUDIT_MAX), .last_prev = -3};
	audit_lane(out, store, SP_LANE_BACKLOG, whole);
	audit_lane(out, store, SP_LANE_LIVE, whole);
	int64_t unsettled = 0;
	for (int cls = 0; cls < SP_RECORD_CLASSES; cls++)
		unsettled += store->now.unsettled[cls];
	assert_int_equal(unsettled, out->records);
}

void audit_free(struct audit *audit)
{
	free(audit->seen);
	audit->seen = NULL;
}
