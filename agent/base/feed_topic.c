// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// sp1/up/<shard>/<device>/<leaf>: who speaks, as the broker has already checked it.
#include <string.h>

#include "agent/base/feed.h"

/// The next level of the topic into `out`; NULL when it does not fit or is the last but one.
static const char *level(const char *topic, char *out, size_t size)
{
	size_t length = strcspn(topic, "/");
	if (length >= size || topic[length] != '/')
		return NULL;
	memcpy(out, topic, length);
	out[length] = '\0';
	return topic + length + 1;
}

bool sp_feed_topic_parse(struct sp_feed_topic *out, const char *topic)
{
	static const char prefix[] = "sp1/up/";
	static const char *const leaves[] = {"state", "facts", "attendance", "bulk", "reply"};
	*out = (struct sp_feed_topic){0};
	if (strncmp(topic, prefix, sizeof(prefix) - 1) != 0)
		return false;
	const char *at = level(topic + sizeof(prefix) - 1, out->shard, sizeof(out->shard));
	if (at)
		at = level(at, out->device, sizeof(out->device));
	if (!at || !sp_id_valid(out->shard) || !sp_id_valid(out->device))
		return false;
	for (size_t i = 0; i < SP_COUNT(leaves); i++) {
		if (strcmp(at, leaves[i]) == 0) {
			memcpy(out->leaf, at, strlen(at) + 1);
			return true;
		}
	}
	return false;
}
