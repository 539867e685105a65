// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What readers send, without readers: the many forms of one number, keys put together, serial frames, and
// which card was there a moment ago.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <linux/input-event-codes.h>

#include "drivers/kiosk/card_reader_frame.h"
#include "drivers/kiosk/card_reader_number.h"
#include "drivers/kiosk/card_reader_seen.h"
#include "drivers/kiosk/card_reader_typed.h"

static const struct sp_card_rules *rules(enum sp_card_form form, int64_t bits, bool drop)
{
	static struct sp_card_rules out;
	out = (struct sp_card_rules){form, bits, drop};
	return &out;
}

static void assert_card(const char *text, const struct sp_card_rules *by, const char *expected)
{
	struct sp_card card;
	int result = sp_card_parse(text, strlen(text), by, &card);
	if (!expected) {
		if (result != -EBADMSG)
			fail_msg("\"%s\" is taken: %d", text, result);
		return;
	}
	if (result != 0 || card.length != strlen(expected) || memcmp(card.text, expected, card.length) != 0)
		fail_msg("\"%s\" is %.*s, not %s (%d)", text, (int)card.length, card.text, expected, result);
	assert_int_equal(card.kind, by->form == SP_CARD_TEXT ? SP_PERSON_CODE : SP_PERSON_CARD);
}

/// 0x0086F444 as it is printed and typed in one place or another.
static void test_one_number(void **state)
{
	(void)state;
	assert_card("0008844356", rules(SP_CARD_DECIMAL, 64, true), "8844356");
	assert_card("8844356", rules(SP_CARD_DECIMAL, 64, true), "8844356");
	assert_card("0086F444", rules(SP_CARD_HEX, 64, true), "8844356");
	assert_card("0086f444", rules(SP_CARD_HEX, 64, true), "8844356");
	assert_card("44F48600", rules(SP_CARD_HEX_REVERSED, 64, true), "8844356");
	assert_card("1156875776", rules(SP_CARD_DECIMAL_REVERSED, 64, true), "8844356");
	assert_card("134,62532", rules(SP_CARD_FACILITY, 64, true), "8844356");
	assert_card("13462532", rules(SP_CARD_FACILITY, 64, true), "8844356");
	// A reader of four bytes and one of three agree on three.
	assert_card("1F86F444", rules(SP_CARD_HEX, 24, true), "8844356");
	assert_card("61,04822", rules(SP_CARD_FACILITY, 64, true), NULL);
	assert_card("061,04822", rules(SP_CARD_FACILITY, 64, true), "4002518");
	// Seven bytes.
	assert_card("04A1B2C3D4E5F6", rules(SP_CARD_HEX, 64, true), "1303689068602870");
	assert_card("F6E5D4C3B2A104", rules(SP_CARD_HEX_REVERSED, 64, true), "1303689068602870");
	assert_card("18446744073709551615", rules(SP_CARD_DECIMAL, 64, true), "18446744073709551615");
}

static void test_no_number(void **state)
{
	(void)state;
	static const char *const decimal[] = {"",
					      "0",
					      "00000000",
					      "12a4",
					      " 1",
					      "1 ",
					      "-1",
					      "+1",
					      "18446744073709551616",
					      "99999999999999999999999"};
	for (size_t i = 0; i < SP_COUNT(decimal); i++)
		assert_card(decimal[i], rules(SP_CARD_DECIMAL, 64, true), NULL);
	static const char *const hex[] = {"", "1", "123", "0x12", "12G4", "00", "112233445566778899"};
	for (size_t i = 0; i < SP_COUNT(hex); i++)
		assert_card(hex[i], rules(SP_CARD_HEX, 64, true), NULL);
	static const char *const places[] = {"256,00001", "001,65536", "001;00001", "1,1",
					     "001,0001x", "000,00000", "001000001"};
	for (size_t i = 0; i < SP_COUNT(places); i++)
		assert_card(places[i], rules(SP_CARD_FACILITY, 64, true), NULL);
	assert_card("4294967296", rules(SP_CARD_DECIMAL_REVERSED, 64, true), NULL);
	assert_card("00FF0000", rules(SP_CARD_HEX, 16, true), NULL); // nothing is left of it
}

static void test_random(void **state)
{
	(void)state;
	struct sp_card card;
	assert_int_equal(sp_card_parse("08A1B2C3", 8, rules(SP_CARD_HEX, 64, true), &card), -EADDRNOTAVAIL);
	assert_int_equal(sp_card_parse("C3B2A108", 8, rules(SP_CARD_HEX_REVERSED, 64, true), &card),
			 -EADDRNOTAVAIL);
	assert_int_equal(sp_card_parse("0144814787", 10, rules(SP_CARD_DECIMAL, 64, true), &card),
			 -EADDRNOTAVAIL);
	assert_int_equal(card.length, 0);
	// At 125 kHz, and among cards of seven bytes, 08 is a number like any other.
	assert_card("08A1B2C3", rules(SP_CARD_HEX, 64, false), "144814787");
	assert_card("08A1B2C3D4E5F6", rules(SP_CARD_HEX, 64, true), "2429588975445494");
}

static void test_text(void **state)
{
	(void)state;
	assert_card("HS-2026/017", rules(SP_CARD_TEXT, 64, true), "HS-2026/017");
	assert_card("", rules(SP_CARD_TEXT, 64, true), NULL);
	assert_card("a\x1b", rules(SP_CARD_TEXT, 64, true), NULL);
	char longest[SP_PERSON_MAX + 2];
	memset(longest, 'x', sizeof(longest));
	longest[SP_PERSON_MAX + 1] = '\0';
	assert_card(longest, rules(SP_CARD_TEXT, 64, true), NULL);
	longest[SP_PERSON_MAX] = '\0';
	assert_card(longest, rules(SP_CARD_TEXT, 64, true), longest);
}

// ---- keys ---------------------------------------------------------------------------------------

static enum sp_typed_result press(struct sp_typed *typed, unsigned code, int64_t ms)
{
	enum sp_typed_result result = sp_typed_key(typed, code, 1, ms * 1000);
	assert_int_equal(sp_typed_key(typed, code, 2, ms * 1000), SP_TYPED_MORE);
	assert_int_equal(sp_typed_key(typed, code, 0, ms * 1000), SP_TYPED_MORE);
	return result;
}

static void assert_typed(struct sp_typed *typed, const char *expected)
{
	assert_int_equal(typed->length, strlen(expected));
	assert_memory_equal(typed->text, expected, typed->length);
	sp_typed_clear(typed);
	assert_int_equal(typed->length, 0);
}

static void test_keys(void **state)
{
	(void)state;
	struct sp_typed typed = {.gap_us = 100 * 1000};
	static const unsigned digits[] = {KEY_0, KEY_1,   KEY_2,   KEY_3,   KEY_4,
					  KEY_5, KEY_KP6, KEY_KP7, KEY_KP8, KEY_9};
	for (unsigned i = 0; i < SP_COUNT(digits); i++)
		assert_int_equal(press(&typed, digits[i], 4 * i), SP_TYPED_MORE);
	assert_int_equal(press(&typed, KEY_KPENTER, 44), SP_TYPED_SCAN);
	assert_typed(&typed, "0123456789");
	// A second Enter is none of a scan; Tab ends one, too; locks type nothing.
	assert_int_equal(press(&typed, KEY_ENTER, 45), SP_TYPED_MORE);
	press(&typed, KEY_NUMLOCK, 50);
	press(&typed, KEY_7, 60);
	assert_int_equal(press(&typed, KEY_TAB, 61), SP_TYPED_SCAN);
	assert_typed(&typed, "7");
	// Shift holds until it is let go.
	assert_int_equal(sp_typed_key(&typed, KEY_LEFTSHIFT, 1, 70000), SP_TYPED_MORE);
	press(&typed, KEY_H, 71);
	press(&typed, KEY_SEMICOLON, 72);
	assert_int_equal(sp_typed_key(&typed, KEY_LEFTSHIFT, 0, 73000), SP_TYPED_MORE);
	press(&typed, KEY_S, 74);
	press(&typed, KEY_SLASH, 75);
	assert_int_equal(press(&typed, KEY_ENTER, 76), SP_TYPED_SCAN);
	assert_typed(&typed, "H:s/");
}

static void test_keys_broken(void **state)
{
	(void)state;
	struct sp_typed typed = {.gap_us = 100 * 1000};
	press(&typed, KEY_1, 0);
	press(&typed, KEY_2, 50);
	// A pause cuts off what was begun, whatever comes then.
	assert_int_equal(press(&typed, KEY_3, 151), SP_TYPED_BAD);
	assert_int_equal(press(&typed, KEY_4, 160), SP_TYPED_MORE);
	assert_int_equal(press(&typed, KEY_ENTER, 161), SP_TYPED_SCAN);
	assert_typed(&typed, "34");
	// A key that no reader types spoils the scan to its end.
	press(&typed, KEY_1, 200);
	press(&typed, KEY_F1, 210);
	press(&typed, KEY_2, 220);
	assert_int_equal(press(&typed, KEY_ENTER, 230), SP_TYPED_BAD);
	assert_int_equal(typed.length, 0);
	// So does one that is too long.
	for (unsigned i = 0; i <= SP_TYPED_MAX; i++)
		press(&typed, KEY_1, 300 + i);
	assert_int_equal(press(&typed, KEY_ENTER, 400), SP_TYPED_BAD);
	press(&typed, KEY_5, 410);
	assert_int_equal(sp_typed_pause(&typed), SP_TYPED_BAD);
	assert_int_equal(sp_typed_pause(&typed), SP_TYPED_MORE);
	// Codes beyond the map.
	press(&typed, KEY_MAX, 420);
	assert_int_equal(press(&typed, KEY_ENTER, 421), SP_TYPED_BAD);
}

static void test_pause_ends(void **state)
{
	(void)state;
	struct sp_typed typed = {.gap_us = 100 * 1000, .end_by_gap = true};
	press(&typed, KEY_1, 0);
	press(&typed, KEY_2, 10);
	assert_int_equal(sp_typed_pause(&typed), SP_TYPED_SCAN);
	assert_typed(&typed, "12");
	assert_int_equal(sp_typed_char(&typed, '9', 1), SP_TYPED_MORE);
	assert_int_equal(sp_typed_char(&typed, '\r', 2), SP_TYPED_SCAN);
	assert_typed(&typed, "9");
	assert_int_equal(sp_typed_char(&typed, '\n', 3), SP_TYPED_MORE);
	assert_int_equal(sp_typed_char(&typed, 0x01, 4), SP_TYPED_MORE);
	assert_int_equal(sp_typed_char(&typed, '\n', 5), SP_TYPED_BAD);
}

// ---- frames -------------------------------------------------------------------------------------

struct heard {
	unsigned cards, bad;
	struct sp_frame_card last;
};

static struct heard hear(struct sp_frame *frame, const void *data, size_t size)
{
	struct heard heard = {0};
	struct sp_frame_card card;
	for (size_t i = 0; i < size; i++) {
		switch (sp_frame_byte(frame, ((const uint8_t *)data)[i], frame->last_us + 1000, &card)) {
		case SP_FRAME_MORE:
			break;
		case SP_FRAME_CARD:
			heard.cards++;
			heard.last = card;
			break;
		case SP_FRAME_BAD:
			heard.bad++;
			break;
		}
	}
	return heard;
}

#define HEAR(frame, text) hear(frame, text, sizeof(text) - 1)

static void test_rdm6300(void **state)
{
	(void)state;
	struct sp_frame frame = {.kind = SP_FRAME_RDM6300};
	struct heard heard = HEAR(&frame, "\x02"
					  "100086F44426\x03"
					  "\x02"
					  "62E3086CED08\x03");
	assert_int_equal(heard.cards, 2);
	assert_int_equal(heard.bad, 0);
	assert_int_equal(heard.last.number, UINT64_C(3808980205));
	assert_int_equal(heard.last.bytes, 4);
	assert_true(heard.last.lf);
	heard = HEAR(&frame, "\x02"
			     "100086F44426\x03");
	assert_int_equal(heard.last.number, 8844356);
	// A wrong checksum, a wrong end, a letter; half a frame before a whole one.
	assert_int_equal(HEAR(&frame, "\x02"
				      "100086F44427\x03")
			     .cards,
			 0);
	assert_int_equal(HEAR(&frame, "\x02"
				      "100086F44426\x04")
			     .bad,
			 1);
	assert_int_equal(HEAR(&frame, "\x02"
				      "10008GF44426\x03")
			     .bad,
			 1);
	heard = HEAR(&frame, "86F44426\x03"
			     "\x02"
			     "1000\x02"
			     "100086F44426\x03");
	assert_int_equal(heard.cards, 1);
	assert_int_equal(heard.bad, 1);
}

/// Each byte flipped: never another card than the one that was meant.
static void test_rdm6300_flipped(void **state)
{
	(void)state;
	static const char good[] = "\x02"
				   "100086F44426\x03";
	for (size_t i = 0; i < sizeof(good) - 1; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			char text[sizeof(good)];
			memcpy(text, good, sizeof(good));
			text[i] = (char)(text[i] ^ 1 << bit);
			struct sp_frame frame = {.kind = SP_FRAME_RDM6300};
			struct heard heard = hear(&frame, text, sizeof(good) - 1);
			// Bit 5 makes a small letter of a large one, and the number stays.
			if (heard.cards && (bit != 5 || heard.last.number != 8844356))
				fail_msg("byte %zu, bit %u: taken", i, bit);
		}
	}
}

static void test_dual(void **state)
{
	(void)state;
	struct sp_frame frame = {.kind = SP_FRAME_DUAL};
	struct heard heard = HEAR(&frame, "\x02\x09\x01\x02\x03\x04\x05\x08\x03");
	assert_int_equal(heard.cards, 1);
	assert_int_equal(heard.last.number, 0x02030405);
	assert_true(heard.last.hf && !heard.last.lf);
	heard = HEAR(&frame, "\x02\x09\x02\x00\x86\xf4\x44\x3d\x03");
	assert_int_equal(heard.last.number, 8844356);
	assert_true(heard.last.lf && !heard.last.hf);
	assert_int_equal(HEAR(&frame, "\x02\x09\x02\x00\x86\xf4\x44\x3c\x03").bad, 1);
	assert_int_equal(HEAR(&frame, "\x02\x08\x02\x00\x86\xf4\x44\x3c\x03").bad, 1);
	// What is left standing is no beginning.
	struct sp_frame_card card;
	HEAR(&frame, "\x02\x09\x02");
	assert_int_equal(sp_frame_byte(&frame, 0x02, frame.last_us + 200 * 1000, &card), SP_FRAME_BAD);
	assert_int_equal(HEAR(&frame, "\x09\x02\x00\x86\xf4\x44\x3d\x03").cards, 1);
}

static void test_wiegand(void **state)
{
	(void)state;
	struct sp_frame frame = {.kind = SP_FRAME_WIEGAND26};
	// 3D12D6, even 0, odd 1: 0 0011 1101 0001 0010 1101 0110 1.
	struct heard heard = HEAR(&frame, "00011110100010010110101101\r\n");
	assert_int_equal(heard.cards, 1);
	assert_int_equal(heard.bad, 0);
	assert_int_equal(heard.last.number, 0x3d12d6);
	assert_int_equal(heard.last.bytes, 3);
	assert_int_equal(HEAR(&frame, "\x02"
				      "07A25AD\x03")
			     .last.number,
			 0x3d12d6);
	assert_int_equal(HEAR(&frame, "007a25ad\n").last.number, 0x3d12d6);
	static const char *const bad[] = {"10011110100010010110101101\n",
					  "00011110100010010110101100\n",
					  "00011110100010010110101111\n",
					  "0001111010001001011010110\n",
					  "000111101000100101101011010\n",
					  "00011110100010010110101102\n",
					  "7A25AD\n",
					  "47A25AD\n",
					  "87A25AD\n",
					  "x\n",
					  "07A25AG\n",
					  "00011110100010010110101101x\n"};
	for (size_t i = 0; i < SP_COUNT(bad); i++) {
		heard = hear(&frame, bad[i], strlen(bad[i]));
		if (heard.cards || heard.bad != 1)
			fail_msg("taken: %s", bad[i]);
	}
	assert_int_equal(HEAR(&frame, "\r\n\x02\x03").bad, 0);
}

/// Of the 26 bits each single one that is wrong is found.
static void test_wiegand_parity(void **state)
{
	(void)state;
	uint32_t number, bits = 0x3d12d6 << 1 | 1;
	assert_true(sp_wiegand26(bits, &number));
	assert_int_equal(number, 0x3d12d6);
	for (unsigned i = 0; i < 32; i++)
		assert_false(sp_wiegand26(bits ^ UINT32_C(1) << i, &number));
}

// ---- a moment ago -------------------------------------------------------------------------------

static struct sp_card card_of(unsigned number)
{
	struct sp_card card = {.kind = SP_PERSON_CARD};
	card.length = (size_t)snprintf(card.text, sizeof(card.text), "%u", number);
	return card;
}

static void test_seen(void **state)
{
	(void)state;
	static struct sp_seen seen;
	struct sp_card one = card_of(1), code = one;
	code.kind = SP_PERSON_CODE;
	assert_null(sp_seen_again(&seen, &one, 0, 1000));
	struct sp_seen_entry *entry = sp_seen_add(&seen, &one, 0);
	assert_ptr_equal(sp_seen_again(&seen, &one, 5000, 1000), entry); // on its way, however long
	assert_null(sp_seen_again(&seen, &code, 5000, 1000));
	entry->state = SP_SEEN_TAKEN;
	assert_ptr_equal(sp_seen_again(&seen, &one, 5999, 1000), entry);
	assert_ptr_equal(sp_seen_again(&seen, &one, 6998, 1000), entry); // held there, the window goes on
	assert_int_equal(sp_seen_expire(&seen, 7000, 1000), 7998);
	assert_null(sp_seen_again(&seen, &one, 7998, 1000));
	assert_int_equal(sp_seen_expire(&seen, 8000, 1000), -1);
	static const struct sp_seen none;
	assert_memory_equal(&seen, &none, sizeof(seen));
}

static void test_seen_full(void **state)
{
	(void)state;
	static struct sp_seen seen;
	struct sp_seen_entry *entries[SP_SEEN_MAX];
	for (unsigned i = 0; i < SP_SEEN_MAX; i++) {
		struct sp_card card = card_of(i + 1);
		entries[i] = sp_seen_add(&seen, &card, i);
		assert_non_null(entries[i]);
	}
	struct sp_card next = card_of(1000);
	assert_null(sp_seen_add(&seen, &next, 100)); // no place while all are on their way
	entries[7]->state = entries[3]->state = SP_SEEN_TAKEN;
	assert_ptr_equal(sp_seen_add(&seen, &next, 100), entries[3]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_one_number),
	    cmocka_unit_test(test_no_number),
	    cmocka_unit_test(test_random),
	    cmocka_unit_test(test_text),
	    cmocka_unit_test(test_keys),
	    cmocka_unit_test(test_keys_broken),
	    cmocka_unit_test(test_pause_ends),
	    cmocka_unit_test(test_rdm6300),
	    cmocka_unit_test(test_rdm6300_flipped),
	    cmocka_unit_test(test_dual),
	    cmocka_unit_test(test_wiegand),
	    cmocka_unit_test(test_wiegand_parity),
	    cmocka_unit_test(test_seen),
	    cmocka_unit_test(test_seen_full),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
