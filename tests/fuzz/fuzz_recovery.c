// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What comes back from paper and from the hub: recovery codes, sealed blobs, what was sealed, and the list of
// whom must be forgotten. What is read is written and read again.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "agent/core/attendance/backup.h"

#define CHECK(condition)                                                                \
	do {                                                                            \
		if (!(condition)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                        \
		}                                                                       \
	} while (0)

static void check_code(const char *text)
{
	struct sp_seal_code code, again;
	char written[SP_SEAL_CODE_TEXT + 1];
	unsigned group;
	int result = sp_seal_code_parse(&code, text, &group);
	CHECK(group <= SP_SEAL_GROUPS);
	if (result)
		return;
	sp_seal_code_text(&code, written);
	CHECK(sp_seal_code_parse(&again, written, &group) == 0);
	CHECK(memcmp(&code, &again, sizeof(code)) == 0);
}

static void check_blob(const char *text, size_t size)
{
	static struct sp_seal_code code;
	static uint8_t out[SP_SEAL_DATA_MAX];
	uint8_t key[SP_SEAL_KEY];
	size_t length;
	// Only a blob that names our key is worth the curve's arithmetic.
	if (sp_seal_recipient(text, size, key) && sp_seal_open(out, &length, &code, text, size) == 0)
		CHECK(length <= SP_SEAL_DATA_MAX);
}

static void check_content(const char *text, size_t size)
{
	struct sp_key_set keys, again;
	struct sp_refused refused, list;
	static char written[SP_SEAL_DATA_MAX + 1];
	if (sp_backup_read(&keys, &refused, text, size) == 0) {
		size_t length = sp_backup_write(&keys, &refused, written);
		CHECK(sp_backup_read(&again, &list, written, length) == 0);
		CHECK(again.count == keys.count && list.count <= refused.count);
		sp_refused_free(&list);
	}
	sp_refused_free(&refused);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sp_refused refused;
	char *text = sp_strndup((const char *)data, size);
	check_code(text);
	free(text);
	check_blob((const char *)data, size);
	check_content((const char *)data, size);
	if (sp_refused_parse(&refused, (const char *)data, size) == 0)
		CHECK(refused.count <= SP_REFUSED_MAX);
	sp_refused_free(&refused);
	return 0;
}
