// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// See the header. Times come with the keys: the kernel's, so that a busy main thread parts no scan.
#include "card_reader_typed.h"

#include <linux/input-event-codes.h>
#include <string.h>

/// What a key types, plain and with shift, on the US layout.
static const char keymap[][2] = {
    [KEY_1] = "1!",          [KEY_2] = "2@",          [KEY_3] = "3#",           [KEY_4] = "4$",
    [KEY_5] = "5%",          [KEY_6] = "6^",          [KEY_7] = "7&",           [KEY_8] = "8*",
    [KEY_9] = "9(",          [KEY_0] = "0)",          [KEY_MINUS] = "-_",       [KEY_EQUAL] = "=+",
    [KEY_Q] = "qQ",          [KEY_W] = "wW",          [KEY_E] = "eE",           [KEY_R] = "rR",
    [KEY_T] = "tT",          [KEY_Y] = "yY",          [KEY_U] = "uU",           [KEY_I] = "iI",
    [KEY_O] = "oO",          [KEY_P] = "pP",          [KEY_LEFTBRACE] = "[{",   [KEY_RIGHTBRACE] = "]}",
    [KEY_A] = "aA",          [KEY_S] = "sS",          [KEY_D] = "dD",           [KEY_F] = "fF",
    [KEY_G] = "gG",          [KEY_H] = "hH",          [KEY_J] = "jJ",           [KEY_K] = "kK",
    [KEY_L] = "lL",          [KEY_SEMICOLON] = ";:",  [KEY_APOSTROPHE] = "'\"", [KEY_GRAVE] = "`~",
    [KEY_BACKSLASH] = "\\|", [KEY_Z] = "zZ",          [KEY_X] = "xX",           [KEY_C] = "cC",
    [KEY_V] = "vV",          [KEY_B] = "bB",          [KEY_N] = "nN",           [KEY_M] = "mM",
    [KEY_COMMA] = ",<",      [KEY_DOT] = ".>",        [KEY_SLASH] = "/?",       [KEY_SPACE] = "  ",
    [KEY_KP0] = "00",        [KEY_KP1] = "11",        [KEY_KP2] = "22",         [KEY_KP3] = "33",
    [KEY_KP4] = "44",        [KEY_KP5] = "55",        [KEY_KP6] = "66",         [KEY_KP7] = "77",
    [KEY_KP8] = "88",        [KEY_KP9] = "99",        [KEY_KPMINUS] = "--",     [KEY_KPPLUS] = "++",
    [KEY_KPDOT] = "..",      [KEY_KPASTERISK] = "**", [KEY_KPSLASH] = "//",
};

void sp_typed_clear(struct sp_typed *typed)
{
	explicit_bzero(typed->text, sizeof(typed->text));
	typed->length = 0;
	typed->shift = typed->bad = false;
}

static enum sp_typed_result end(struct sp_typed *typed)
{
	bool shift = typed->shift;
	if (typed->bad) {
		sp_typed_clear(typed);
		typed->shift = shift;
		return SP_TYPED_BAD;
	}
	// CR and LF, or two Enters, end one scan.
	return typed->length ? SP_TYPED_SCAN : SP_TYPED_MORE;
}

static enum sp_typed_result add(struct sp_typed *typed, char c)
{
	if (!c || typed->length == sizeof(typed->text))
		typed->bad = true;
	else
		typed->text[typed->length++] = c;
	return SP_TYPED_MORE;
}

/// True when the pause before this key cut off what was typed before it, and that was dropped.
static bool parted(struct sp_typed *typed, int64_t now_us)
{
	int64_t last_us = typed->last_us;
	typed->last_us = now_us;
	// A clock that is set back parts nothing.
	if ((!typed->length && !typed->bad) || now_us - last_us <= typed->gap_us)
		return false;
	bool shift = typed->shift;
	sp_typed_clear(typed);
	typed->shift = shift;
	return true;
}

enum sp_typed_result sp_typed_key(struct sp_typed *typed, unsigned code, int value, int64_t now_us)
{
	if (code == KEY_LEFTSHIFT || code == KEY_RIGHTSHIFT) {
		typed->shift = value != 0;
		return SP_TYPED_MORE;
	}
	// Locks light up and type nothing.
	if (value != 1 || code == KEY_NUMLOCK || code == KEY_CAPSLOCK || code == KEY_SCROLLLOCK)
		return SP_TYPED_MORE;
	bool cut = parted(typed, now_us);
	enum sp_typed_result result;
	if (code == KEY_ENTER || code == KEY_KPENTER || code == KEY_TAB)
		result = end(typed);
	else
		result = add(typed, code < SP_COUNT(keymap) ? keymap[code][typed->shift] : '\0');
	return cut ? SP_TYPED_BAD : result;
}

enum sp_typed_result sp_typed_char(struct sp_typed *typed, uint8_t c, int64_t now_us)
{
	bool cut = parted(typed, now_us);
	enum sp_typed_result result;
	if (c == '\r' || c == '\n' || c == '\t')
		result = end(typed);
	else
		result = add(typed, c >= ' ' && c != 0x7f ? (char)c : '\0');
	return cut ? SP_TYPED_BAD : result;
}

enum sp_typed_result sp_typed_pause(struct sp_typed *typed)
{
	if (!typed->length && !typed->bad)
		return SP_TYPED_MORE;
	if (typed->end_by_gap)
		return end(typed);
	sp_typed_clear(typed);
	return SP_TYPED_BAD;
}
