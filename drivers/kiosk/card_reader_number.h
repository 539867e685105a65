// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// One card has many printed and typed numbers: decimal, hexadecimal, facility and id, in either byte order.
// Here they become one: the decimal number of kiosk.h.
#pragma once

#include "schoolpulse/kiosk.h"

/// How a reader tells a number; the order of the option `form`.
enum sp_card_form {
	SP_CARD_DECIMAL,          ///< decimal digits, the card's first byte the most significant
	SP_CARD_DECIMAL_REVERSED, ///< decimal digits of four bytes, the first the least significant
	SP_CARD_HEX,              ///< 2 to 16 hexadecimal digits, the first byte first
	SP_CARD_HEX_REVERSED,     ///< the same, the last byte first
	SP_CARD_FACILITY,         ///< "061,04822" or "06104822": Wiegand-26's facility and id
	SP_CARD_TEXT,             ///< no card, but the text of a QR or bar code
};

/// A person as read. Wipe it after use.
struct sp_card {
	enum sp_person_kind kind;
	size_t length;
	char text[SP_PERSON_MAX];
};

struct sp_card_rules {
	enum sp_card_form form;
	int64_t keep_bits; ///< of the number, the lowest; 64: all
	/// 13.56 MHz: four bytes of which the first is 08 are made up anew at each reading (ISO 14443-3), and
	/// are nobody's.
	bool drop_random;
};

/// What was typed, as a card. 0; -EBADMSG for what is no such number, -EADDRNOTAVAIL for a random one.
int sp_card_parse(const char *text, size_t length, const struct sp_card_rules *rules,
		  struct sp_card *out) SP_MUST_CHECK;
/// The card with this number, of which `bytes` are the card's own: 0, -EBADMSG or -EADDRNOTAVAIL as above.
int sp_card_number(uint64_t number, size_t bytes, const struct sp_card_rules *rules,
		   struct sp_card *out) SP_MUST_CHECK;
