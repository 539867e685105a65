// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The codec of commands.
#include "agent/base/command.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "agent/base/feed_json.h"
#include "agent/base/feed_read.h"
#include "agent/base/mem.h"

static const char *const directions[] = {
    [SP_COMMAND_BOTH] = "both", [SP_COMMAND_DOWN] = "down", [SP_COMMAND_UP] = "up"};

static bool is_word(const char *text)
{
	size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz_");
	return length >= 1 && length <= SP_COMMAND_WORD_MAX && text[length] == '\0';
}

static bool is_any(const char *text)
{
	return text[0] != '\0';
}

static bool read_args(struct sp_command *out, const cJSON *args)
{
	const cJSON *it;
	if (!cJSON_IsObject(args))
		return false;
	cJSON_ArrayForEach(it, args)
	{
		const char *text = cJSON_GetStringValue(it);
		bool known = false;
		if (strcmp(it->string, "device") == 0)
			known = sp_feed_text(it, is_any, out->device, sizeof(out->device));
		else if (strcmp(it->string, "line") == 0)
			known = sp_feed_text(it, is_any, out->line, sizeof(out->line));
		else if (strcmp(it->string, "direction") == 0)
			for (size_t i = SP_COMMAND_DOWN; text && i < SP_COUNT(directions); i++)
				if (strcmp(text, directions[i]) == 0) {
					out->direction = (enum sp_command_direction)i;
					known = true;
				}
		if (!known)
			return false;
	}
	return true;
}

static bool read_body(struct sp_command *out, const cJSON *root)
{
	return sp_feed_text(sp_feed_member(root, "id"), sp_feed_is_stream, out->id, sizeof(out->id)) &&
	       sp_feed_text(sp_feed_member(root, "shard"), sp_id_valid, out->shard, sizeof(out->shard)) &&
	       sp_feed_text(sp_feed_member(root, "dev"), sp_id_valid, out->dev, sizeof(out->dev)) &&
	       sp_feed_text(sp_feed_member(root, "command"), is_word, out->command, sizeof(out->command)) &&
	       sp_feed_int(sp_feed_member(root, "issued_ms"), 0, &out->issued_ms) &&
	       sp_feed_int(sp_feed_member(root, "expires_ms"), 0, &out->expires_ms);
}

int sp_command_read(struct sp_command *out, const char *body, size_t length)
{
	*out = (struct sp_command){0};
	if (length > SP_COMMAND_BODY_MAX || !sp_json_valid(body, length))
		return -EBADMSG;
	cJSON *root = cJSON_ParseWithLength(body, length);
	bool good = cJSON_IsObject(root) && read_body(out, root);
	struct sp_command told = *out;
	if (good && read_args(&told, sp_feed_member(root, "args")))
		*out = told;
	else
		out->unclear = true;
	cJSON_Delete(root);
	return good ? 0 : -EBADMSG;
}

int sp_command_split(const void *payload, size_t length, char **body, uint8_t signature[SP_SIGNATURE_LENGTH])
{
	char why[128];
	cJSON *root = NULL;
	*body = NULL;
	if (length == 0 || length > SP_COMMAND_MESSAGE_MAX)
		return -EBADMSG;
	char *text = sp_alloc(length + 1);
	memcpy(text, payload, length);
	if (sp_feed_read_root(&root, text, length, why) == SP_FEED_OK) {
		const char *inner = cJSON_GetStringValue(sp_feed_member(root, "body"));
		const char *sig = cJSON_GetStringValue(sp_feed_member(root, "sig"));
		if (inner && sig && strlen(inner) <= SP_COMMAND_BODY_MAX && sp_sign_from_text(sig, signature))
			*body = sp_strdup(inner);
		cJSON_Delete(root);
	}
	free(text);
	return *body ? 0 : -EBADMSG;
}

int sp_command_open(struct sp_command *out, const struct sp_sign_key *key, const void *payload, size_t length)
{
	uint8_t signature[SP_SIGNATURE_LENGTH];
	char *body;
	int result = sp_command_split(payload, length, &body, signature);
	if (result)
		return result;
	// Nothing inside is looked at before its author is known.
	result = sp_sign_good(key, body, strlen(body), signature) ? sp_command_read(out, body, strlen(body))
								  : -EPERM;
	free(body);
	return result;
}

static void member(struct sp_buf *out, const char *name, const char *value)
{
	sp_buf_printf(out, "%s\"%s\":", out->data && out->data[out->length - 1] == '{' ? "" : ",", name);
	sp_json_text(out, value);
}

static int make_body(struct sp_buf *body, const struct sp_command *command)
{
	struct sp_command again;
	sp_buf_text(body, "{");
	member(body, "id", command->id);
	member(body, "shard", command->shard);
	member(body, "dev", command->dev);
	member(body, "command", command->command);
	sp_buf_text(body, ",\"args\":{");
	if (command->device[0])
		member(body, "device", command->device);
	if (command->line[0])
		member(body, "line", command->line);
	if (command->direction != SP_COMMAND_BOTH)
		member(body, "direction", directions[command->direction]);
	sp_buf_printf(body, "},\"issued_ms\":%" PRId64 ",\"expires_ms\":%" PRId64 "}", command->issued_ms,
		      command->expires_ms);
	if (body->overflowed)
		return -EMSGSIZE;
	return sp_command_read(&again, body->data, body->length) || again.unclear ? -EINVAL : 0;
}

int sp_command_seal(struct sp_buf *out, const struct sp_command *command, const struct sp_sign_key *key)
{
	struct sp_buf body = SP_BUF(SP_COMMAND_BODY_MAX);
	uint8_t signature[SP_SIGNATURE_LENGTH];
	char text[89];
	int result = make_body(&body, command);
	if (result == 0)
		result = sp_sign_make(key, body.data, body.length, signature);
	if (result == 0) {
		sp_sign_to_text(signature, text);
		sp_buf_printf(out, "{\"v\":%d", SP_FEED_VERSION);
		member(out, "body", body.data);
		member(out, "sig", text);
		sp_buf_text(out, "}");
		if (out->overflowed || out->length > SP_COMMAND_MESSAGE_MAX)
			result = -EMSGSIZE;
	}
	sp_buf_free(&body);
	return result;
}
