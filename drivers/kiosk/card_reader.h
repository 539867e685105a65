// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The inside of the card_reader driver: its options, its state, and what its files ask of each other.
#pragma once

#include "card_reader_frame.h"
#include "card_reader_keys.h"
#include "card_reader_seen.h"
#include "card_reader_typed.h"

enum sp_card_protocol {
	SP_CARD_KEYBOARD,
	SP_CARD_LINES,
	SP_CARD_RDM6300,
	SP_CARD_DUAL,
	SP_CARD_WIEGAND26,
};

enum sp_card_band { SP_CARD_HF, SP_CARD_LF };
enum sp_card_end { SP_CARD_BY_ENTER, SP_CARD_BY_PAUSE };

struct card_conf {
	char *device;
	int protocol, form, band, end, direction;
	int64_t keep_bits, length, gap_ms, debounce_ms, baud, answer_ms;
	struct sp_strings accepted, refused;
};

/// All that holds a number, in pages of its own: left out of core files, wiped in the end.
struct card_secret {
	struct sp_typed typed;
	struct sp_frame frame;
	struct sp_seen seen;
	struct sp_card card;
	uint8_t key[SP_PUNCH_KEY_MAX], other_key[SP_PUNCH_KEY_MAX];
};

struct card_reader {
	struct card_secret *secret;
	struct sp_timer *retry, *pause, *expire;
	struct sp_watch *news, *input;
	int notify;                ///< inotify, -1 without
	struct sp_card_keys *keys; ///< a keyboard, while it is there
	int serial;                ///< or a port, -1 without
	unsigned tries;            ///< since the last news of a device
	int error;                 ///< why it is not there, 0 while it is
	char why[SP_CARD_WHY];
	char boot[40]; ///< "": not known
	int64_t started_us, heard_us, refused;
	bool journal_refused; ///< the last event was: said once
};

// ---- card_reader_port.c: is it there? ---------------------------------------------------------

int card_port_start(struct sp_device *dev) SP_MUST_CHECK;
void card_port_stop(struct sp_device *dev);
bool card_port_there(const struct card_reader *reader);
/// It is gone, or sends no more: closed, and looked for again.
void card_port_lost(struct sp_device *dev);
/// Looks for it now, unless it is there.
void card_port_look(struct sp_device *dev);

// ---- card_reader_input.c: what does it say? ---------------------------------------------------

void card_input_start(struct sp_device *dev);
void card_input_stop(struct sp_device *dev);
/// It is there: watched from now on. 0 or -errno.
int card_input_open(struct sp_device *dev) SP_MUST_CHECK;
void card_input_close(struct card_reader *reader);

// ---- card_reader.c: what becomes of it? -------------------------------------------------------

/// A card was read: secret->card.
void card_taken(struct sp_device *dev);
/// Something was read that is no card, or a broken one.
void card_refused(struct sp_device *dev);
void card_health(struct sp_device *dev);
