// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A keyboard-wedge reader: found among the machine's input devices, grabbed so that its digits are typed
// nowhere else, and read. The only file that knows libevdev.
#pragma once

#include "schoolpulse/kiosk.h"

struct sp_card_keys;

enum { SP_CARD_WHY = 160 };

/// Whether `which` is a way to name one: "/dev/input/by-path/…", "usb:1-1.4" (the port, or "usb:1-1.4:1.0"
/// with the interface), "phys:…", "id:ffff:0035" (only where one such reader is plugged in).
bool sp_card_keys_named(const char *which);
/// Finds and grabs it. 0; -ENODEV: it is not there; -ENOTUNIQ: several are; -EBUSY: somebody else holds it;
/// -EACCES and the like. `why` is for people.
int sp_card_keys_open(const char *which, struct sp_card_keys **out, char why[SP_CARD_WHY]) SP_MUST_CHECK;
void sp_card_keys_close(struct sp_card_keys *keys); ///< lets it go; NULL is fine
int sp_card_keys_fd(const struct sp_card_keys *keys);
const char *sp_card_keys_model(const struct sp_card_keys *keys);

struct sp_card_key {
	unsigned code;
	int value;
	int64_t time_us; ///< the kernel's, monotonic where it can be; -1: it has none that goes with ours
};

/// 1: a key; 0: no more for now; -EPIPE: some were lost, drop what was begun; -ENODEV: unplugged.
int sp_card_keys_next(struct sp_card_keys *keys, struct sp_card_key *out) SP_MUST_CHECK;
