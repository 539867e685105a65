// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A webhook's two headers and its body: "TIMESTAMP\nSIGNATURE\nBODY". What is read once must be read the same
// again, within the limits that a punch has.
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/kiosk/webhook_json.h"
#include "drivers/kiosk/webhook_sign.h"

static void must(bool true_here)
{
	if (!true_here)
		abort();
}

static bool look(void *arg, const struct webhook_event *event)
{
	size_t *count = arg;
	must(event->id_length > 0 && event->id_length <= sizeof(event->id));
	must(event->person_length > 0 && event->person_length <= sizeof(event->person));
	must(strlen(event->gate) <= SP_PUNCH_GATE_MAX);
	must(event->number >= -1 && event->live >= -1 && event->live <= 1);
	++*count;
	return true;
}

static const char *line(const uint8_t **data, size_t *size, char out[512])
{
	const uint8_t *end = memchr(*data, '\n', *size);
	size_t length = end ? (size_t)(end - *data) : *size, kept = length < 511 ? length : 511;
	memcpy(out, *data, kept);
	out[kept] = '\0';
	*data += end ? length + 1 : length;
	*size -= end ? length + 1 : length;
	return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct webhook_secrets secrets = {.count = 1, .items = {{16, "0123456789abcdef"}}};
	struct webhook_batch batch, again;
	struct webhook_error error;
	char text[512];
	int64_t seconds;
	size_t first = 0, second = 0;
	if (webhook_timestamp(line(&data, &size, text), &seconds) == 0)
		must(seconds >= 0);
	line(&data, &size, text);
	(void)webhook_signed(&secrets, text, data, size);
	char *body = malloc(size ? size : 1);
	if (!body)
		return 0;
	if (size)
		memcpy(body, data, size);
	int result = webhook_read(body, size, 7 * 3600, &batch, look, &first, &error);
	must(result == webhook_read(body, size, 7 * 3600, &again, look, &second, &error));
	must(first == second && batch.event_count == again.event_count);
	must(batch.event_count <= WEBHOOK_EVENTS + 1 && batch.total_count <= WEBHOOK_TOTALS);
	if (result == 0)
		must(first == batch.event_count);
	else
		must(error.what && strlen(error.what) < 100);
	free(body);
	return 0;
}
