// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Any bytes as a kiosk's time, text and number: what is accepted survives the way there and back.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/kiosk/civil_time.h"
#include "drivers/kiosk/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void there_and_back(const struct sp_civil *civil, int32_t zone_s)
{
	int64_t t_ms = sp_civil_ms(civil, zone_s);
	struct sp_civil again = sp_civil_of(t_ms, civil->zoned ? civil->zone_s : zone_s);
	bool edge = civil->year == 1 || civil->year == 9999;
	if (!edge && (sp_civil_day(&again) != sp_civil_day(civil) || again.hour != civil->hour ||
		      again.second != civil->second || sp_civil_ms(&again, 0) != t_ms))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size + 1); // so that a sanitizer sees its end
	char text[64], printed[SP_CIVIL_TEXT];
	struct sp_civil civil;
	int32_t zone_s;
	int64_t number;
	memcpy(copy, data, size);
	copy = realloc(copy, size ? size : 1);
	if (sp_civil_parse(copy, size, &civil) == 0) {
		there_and_back(&civil, 7 * 3600);
		if (strncmp(sp_civil_print(&civil, printed), copy, size) != 0)
			abort();
	}
	if (sp_civil_parse_iso(copy, size, &civil) == 0)
		there_and_back(&civil, 7 * 3600);
	if (sp_zone_parse(copy, size, &zone_s) == 0 && abs(zone_s) > 14 * 3600)
		abort();
	if (sp_kiosk_integer(copy, size, -5, 70000, &number) == 0 && (number < -5 || number > 70000))
		abort();
	size_t length = sp_kiosk_text(text, sizeof(text), copy, size);
	if (length >= sizeof(text) || strlen(text) != length)
		abort();
	free(copy);
	return 0;
}
