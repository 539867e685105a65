// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Any bytes as what a card reader sends: as a number in each form, as keys, as lines, as frames of each kind.
// Whatever comes out as a card is a decimal number within the limits.
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "drivers/kiosk/card_reader_frame.h"
#include "drivers/kiosk/card_reader_number.h"
#include "drivers/kiosk/card_reader_typed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void judge(int result, const struct sp_card *card)
{
	if (result < 0)
		return;
	check(card->length >= 1 && card->length <= SP_PERSON_MAX);
	if (card->kind == SP_PERSON_CODE)
		return;
	check(card->kind == SP_PERSON_CARD && card->length <= 20 && card->text[0] != '0');
	for (size_t i = 0; i < card->length; i++)
		check(card->text[i] >= '0' && card->text[i] <= '9');
}

static void numbers(const uint8_t *data, size_t size)
{
	struct sp_card card;
	for (int form = SP_CARD_DECIMAL; form <= SP_CARD_TEXT; form++)
		for (unsigned by = 0; by < 3; by++) {
			const struct sp_card_rules rules = {(enum sp_card_form)form, by ? 8 << by : 64,
							    by != 1};
			judge(sp_card_parse((const char *)data, size, &rules, &card), &card);
		}
}

/// Two bytes a key: its code, and its value with the time since the last one.
static void keys(const uint8_t *data, size_t size, bool end_by_gap)
{
	struct sp_typed typed = {.gap_us = 100 * 1000, .end_by_gap = end_by_gap};
	int64_t now_us = 0;
	for (size_t i = 0; i + 1 < size; i += 2) {
		now_us += (data[i + 1] >> 2) * 4000;
		enum sp_typed_result result = sp_typed_key(&typed, data[i], data[i + 1] & 3, now_us);
		check(typed.length <= SP_TYPED_MAX && (result != SP_TYPED_SCAN || typed.length));
		if (result == SP_TYPED_SCAN) {
			numbers((const uint8_t *)typed.text, typed.length);
			sp_typed_clear(&typed);
		}
	}
	sp_typed_pause(&typed);
}

static void chars(const uint8_t *data, size_t size)
{
	struct sp_typed typed = {.gap_us = 100 * 1000};
	for (size_t i = 0; i < size; i++) {
		enum sp_typed_result result = sp_typed_char(&typed, data[i], (int64_t)i * 1000);
		check(typed.length <= SP_TYPED_MAX && (result != SP_TYPED_SCAN || typed.length));
		if (result == SP_TYPED_SCAN)
			sp_typed_clear(&typed);
	}
}

static void frames(const uint8_t *data, size_t size, enum sp_frame_kind kind)
{
	struct sp_frame frame = {.kind = kind};
	struct sp_frame_card got;
	for (size_t i = 0; i < size; i++) {
		enum sp_frame_result result = sp_frame_byte(&frame, data[i], (int64_t)i * 1000, &got);
		check(frame.length <= SP_FRAME_MAX);
		check((result == SP_FRAME_CARD) == (got.bytes != 0));
		check(got.bytes <= 4 && got.number <= UINT32_MAX && !(got.hf && got.lf));
		if (result != SP_FRAME_CARD)
			continue;
		struct sp_card card;
		const struct sp_card_rules rules = {SP_CARD_DECIMAL, 64, true};
		judge(sp_card_number(got.number, got.bytes, &rules, &card), &card);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	numbers(data, size);
	keys(data, size, false);
	keys(data, size, true);
	chars(data, size);
	frames(data, size, SP_FRAME_RDM6300);
	frames(data, size, SP_FRAME_DUAL);
	frames(data, size, SP_FRAME_WIEGAND26);
	return 0;
}
