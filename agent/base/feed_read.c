// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Members of a message, read by type, range and alphabet. The text is checked strictly before
// cJSON builds a tree of it, which bounds depth and numbers.
#include "agent/base/feed_read.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/feed_json.h"
#include "agent/base/utf8.h"

const char *sp_feed_fault_name(enum sp_feed_fault fault)
{
	switch (fault) {
	case SP_FEED_OK:
		return "ok";
	case SP_FEED_TOO_LARGE:
		return "too_large";
	case SP_FEED_MALFORMED:
		return "malformed";
	case SP_FEED_UNKNOWN_VERSION:
		return "unknown_version";
	case SP_FEED_FOREIGN:
		return "foreign";
	case SP_FEED_NOT_CONTIGUOUS:
		return "not_contiguous";
	}
	return "unknown";
}

enum sp_feed_fault sp_feed_fail(char why[128], enum sp_feed_fault fault, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(why, 128, format, args);
	va_end(args);
	return fault;
}

enum sp_feed_fault sp_feed_read_root(cJSON **root, const char *text, size_t length, char why[128])
{
	if (!sp_json_valid(text, length))
		return sp_feed_fail(why, SP_FEED_MALFORMED, "not JSON, or deeper than %d levels",
				    SP_JSON_DEPTH_MAX);
	return sp_feed_read_tree(root, text, length, why);
}

enum sp_feed_fault sp_feed_read_tree(cJSON **root, const char *text, size_t length, char why[128])
{
	int64_t version;
	cJSON *tree = cJSON_ParseWithLength(text, length);
	if (!tree)
		return sp_feed_fail(why, SP_FEED_MALFORMED, "no memory for the message");
	if (!cJSON_IsObject(tree) || !sp_feed_int(sp_feed_member(tree, "v"), 0, &version)) {
		cJSON_Delete(tree);
		return sp_feed_fail(why, SP_FEED_MALFORMED, "no object with a version \"v\"");
	}
	if (version != SP_FEED_VERSION) {
		cJSON_Delete(tree);
		return sp_feed_fail(why, SP_FEED_UNKNOWN_VERSION,
				    "version %" PRId64 "; this program reads version %d", version,
				    SP_FEED_VERSION);
	}
	*root = tree;
	return SP_FEED_OK;
}

const cJSON *sp_feed_member(const cJSON *object, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(object, name);
}

bool sp_feed_unknown(const cJSON *item)
{
	return !item || cJSON_IsNull(item);
}

bool sp_feed_int(const cJSON *item, int64_t min, int64_t *out)
{
	if (!cJSON_IsNumber(item) || fabs(item->valuedouble) > (double)SP_JSON_INT_MAX)
		return false;
	int64_t value = (int64_t)item->valuedouble;
	double back = (double)value;
	if (value < min || back < item->valuedouble || back > item->valuedouble)
		return false;
	*out = value;
	return true;
}

bool sp_feed_text(const cJSON *item, bool (*fits)(const char *text), char *out, size_t size)
{
	if (!cJSON_IsString(item) || !fits(item->valuestring))
		return false;
	size_t length = strlen(item->valuestring);
	if (length >= size)
		return false;
	memcpy(out, item->valuestring, length + 1);
	return true;
}

static bool made_of(const char *text, const char *alphabet, size_t min, size_t max)
{
	size_t length = strspn(text, alphabet);
	return text[length] == '\0' && length >= min && length <= max;
}

bool sp_feed_is_stream(const char *text)
{
	return made_of(text, "abcdefghijklmnopqrstuvwxyz234567", SP_ID_LENGTH, SP_ID_LENGTH);
}

bool sp_feed_is_digest(const char *text)
{
	return made_of(text, "0123456789abcdef", SP_DIGEST_LENGTH, SP_DIGEST_LENGTH);
}

bool sp_feed_is_boot(const char *text)
{
	return made_of(text, "0123456789abcdefghijklmnopqrstuvwxyz-", 1, SP_FEED_BOOT_LENGTH);
}

bool sp_feed_is_version(const char *text)
{
	return made_of(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.+~:-", 1, 31);
}

bool sp_feed_class(const cJSON *item, enum sp_record_class *out)
{
	if (!cJSON_IsString(item))
		return false;
	for (int i = 0; i < SP_RECORD_CLASSES; i++) {
		if (strcmp(item->valuestring, sp_record_class_name((enum sp_record_class)i)) == 0) {
			*out = (enum sp_record_class)i;
			return true;
		}
	}
	return false;
}

bool sp_feed_clk(const cJSON *item, struct sp_clock_reading *out, char boot[SP_FEED_BOOT_LENGTH + 1])
{
	const cJSON *synced = sp_feed_member(item, "synced");
	if (!cJSON_IsBool(synced) || !sp_feed_int(sp_feed_member(item, "mono_us"), 0, &out->mono_us))
		return false;
	if (boot &&
	    !sp_feed_text(sp_feed_member(item, "boot"), sp_feed_is_boot, boot, SP_FEED_BOOT_LENGTH + 1))
		return false;
	out->synced = cJSON_IsTrue(synced);
	out->wall_ms = out->err_ms = 0;
	return !out->synced || (sp_feed_int(sp_feed_member(item, "t_ms"), 0, &out->wall_ms) &&
				sp_feed_int(sp_feed_member(item, "err_ms"), 0, &out->err_ms));
}

void sp_feed_clk_write(struct sp_buf *out, const struct sp_clock_reading *clk, const char *boot)
{
	sp_buf_text(out, "\"clk\":{\"boot\":");
	sp_json_text(out, boot);
	sp_buf_printf(out, ",\"mono_us\":%" PRId64 ",\"synced\":%s", clk->mono_us,
		      clk->synced ? "true" : "false");
	if (clk->synced)
		sp_buf_printf(out, ",\"t_ms\":%" PRId64 ",\"err_ms\":%" PRId64, clk->wall_ms, clk->err_ms);
	sp_buf_text(out, "}");
}
