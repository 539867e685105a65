// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Any bytes as a broker's: what passes is a packet that libmosquitto may have, and neither what passes nor
// why it ends depends on how the bytes were cut up. The first byte says how, and whether CONNACK came before.
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "agent/base/mqtt_check.h"

enum { LIMIT = 2048 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
	uint8_t *passed;
	size_t length, packets;
	int error;
	char fault[sizeof(((struct sp_mqtt_check *)0)->fault)];
};

static void must(bool holds)
{
	if (!holds)
		abort();
}

/// What passes is one whole packet of a type that a broker may send, with its own length in its header.
static void passed(struct outcome *out, const struct sp_mqtt_check *check)
{
	size_t rest = 0, at = 1;
	int shift = 0;
	uint8_t *copy = malloc(check->length); // of exactly its size: a read beyond shows
	must(copy && check->length >= 2 && check->length <= LIMIT && check->header < 6);
	memcpy(copy, check->packet, check->length);
	do {
		must(at < check->length);
		rest |= (size_t)(copy[at] & 0x7f) << shift;
		shift += 7;
	} while (copy[at++] & 0x80);
	must(at == check->header && at + rest == check->length);
	must(strchr("\x20\x30\x31\x32\x33\x3a\x3b\x40\x90\xd0\xe0", copy[0]) &&
	     (copy[0] == 0x20) == !out->packets);
	must(sp_mqtt_check_is_disconnect(check) == (copy[0] == 0xe0));
	must(copy[0] != 0x40 || check->length == 5);
	out->passed = sp_realloc(out->passed, out->length + check->length);
	memcpy(out->passed + out->length, copy, check->length);
	out->length += check->length;
	out->packets++;
	free(copy);
}

static void feed(struct sp_mqtt_check *check, struct outcome *out, const uint8_t *bytes, size_t length)
{
	int result = 1;
	while (result == 1) {
		const uint8_t *before = bytes;
		size_t left = length;
		result = sp_mqtt_check_take(check, &bytes, &length);
		must((size_t)(bytes - before) == left - length);
		if (result == 1)
			passed(out, check);
	}
	must(result < 0 || length == 0);
	must((result < 0) == (check->fault[0] != '\0') && result == check->error);
}

static struct outcome run(const uint8_t *data, size_t size, bool greeted, size_t chunk)
{
	struct sp_mqtt_check check;
	struct outcome out = {0};
	sp_mqtt_check_init(&check, LIMIT);
	if (greeted)
		feed(&check, &out, (const uint8_t *)"\x20\x03\x00\x00\x00", 5);
	for (size_t at = 0; at < size && !check.error;) {
		size_t count = size - at < chunk ? size - at : chunk;
		uint8_t *piece = malloc(count);
		must(piece);
		memcpy(piece, data + at, count);
		feed(&check, &out, piece, count);
		free(piece);
		at += count;
	}
	out.error = check.error;
	memcpy(out.fault, check.fault, sizeof(out.fault));
	sp_mqtt_check_free(&check);
	return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	bool greeted = data[0] & 0x80;
	size_t chunks[] = {size, 1, 1 + (data[0] & 0x7f)};
	struct outcome first = run(data + 1, size - 1, greeted, chunks[0]);
	for (size_t i = 1; i < SP_COUNT(chunks); i++) {
		struct outcome other = run(data + 1, size - 1, greeted, chunks[i]);
		must(other.error == first.error && strcmp(other.fault, first.fault) == 0);
		must(other.length == first.length && other.packets == first.packets);
		must(first.length == 0 || memcmp(other.passed, first.passed, first.length) == 0);
		free(other.passed);
	}
	free(first.passed);
	return 0;
}
