// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What a driver of class SP_DRIVER_KIOSK may ask of the core, beside io.h. A kiosk driver owns its protocol;
// the core owns identity: it turns a person's number into a pseudonym, tells a new event from one sent again,
// judges the kiosk's clock, and keeps or publishes what the school has allowed. One device is one kiosk.
//
// Nothing about a person but its number may leave a driver's parser, and the number only by way of
// sp_punch(): no name, picture, template, temperature, password, position; no log line and no reason text
// holds a number.
#pragma once

#include "schoolpulse/io.h"

/// What kind of number a person was known by. A pseudonym is made of both, so that card 17 is not PIN 17.
enum sp_person_kind {
	SP_PERSON_PIN,  ///< the number under which the terminal knows its user (PIN, employee number)
	SP_PERSON_CARD, ///< the number of a card: decimal, without leading zeros
	SP_PERSON_CODE, ///< the text of a QR or bar code
	SP_PERSON_OTHER ///< the word that another system uses
};

enum sp_punch_direction { SP_PUNCH_UNKNOWN, SP_PUNCH_IN, SP_PUNCH_OUT };

enum sp_punch_method {
	SP_PUNCH_BY_UNKNOWN,
	SP_PUNCH_BY_CARD,
	SP_PUNCH_BY_PIN,
	SP_PUNCH_BY_PASSWORD,
	SP_PUNCH_BY_FINGER,
	SP_PUNCH_BY_FACE,
	SP_PUNCH_BY_PALM,
	SP_PUNCH_BY_VEIN,
	SP_PUNCH_BY_CODE,
	SP_PUNCH_BY_OTHER,
};

enum {
	SP_PERSON_MAX = 64,
	SP_PUNCH_KEY_MAX = 256,
	SP_PUNCH_GATE_MAX = 32,
};
#define SP_PUNCH_NO_TIME INT64_MIN

/// One event of a kiosk. Copied; the core wipes its copies of `person` and `key`.
struct sp_punch {
	/// What tells this event from every other one of this kiosk for ever, and is the same each time the
	/// kiosk sends it: ADMS (serial, PIN, time, status, verification), Hikvision (serial, serialNo).
	/// NULL: the protocol never sends one twice (a card reader).
	const void *key;
	size_t key_length;
	/// Another key that it may have been committed under: then it is known, too, and nothing is kept. For
	/// a reader that has no memory, whose keys are of slots of time: the slot before. NULL: none.
	const void *other_key;
	size_t other_key_length;
	enum sp_person_kind kind;
	const char *person; ///< bytes, not text: `person_length` of them, 1 to SP_PERSON_MAX
	size_t person_length;
	/// When, by the kiosk's clock and zone, as UTC; SP_PUNCH_NO_TIME: it has no clock, or said no date.
	/// One before 1970 or beyond 9999 is none.
	int64_t kiosk_ms;
	/// What the kiosk's own dial is ahead of Vietnam's time, +07:00, by its zone (3600 at +08:00):
	/// kiosk_ms with both is what it said.
	int32_t zone_ahead_s;
	bool live; ///< as far as the protocol tells it has just happened; false: out of the kiosk's memory
	enum sp_punch_direction direction;
	enum sp_punch_method method;
	const char
	    *gate;      ///< which door or reader of this kiosk, no control characters; NULL or "": it has one
	int64_t number; ///< the kiosk's own count of it; -1: it has none
};

/// `committed` ran with 0: it is on the card. With this: it was there already. Both may be acknowledged.
#define SP_PUNCH_KNOWN 1

/// Journals an event. 0; or -errno, and `committed` does not run: -EPERM without a recorded legal basis,
/// -EINVAL for what the limits above do not allow, -ENOKEY when the
/// school's keys cannot be read, -ENOBUFS or -EROFS when the journal cannot take it, or what the card says
/// when a school year's first event needs a key: all but -EINVAL may pass, and the kiosk keeps the event
/// until then. The kiosk is acknowledged in `committed` and nowhere else. An event of a person who must be
/// forgotten is committed as nothing, with 0.
int sp_punch(struct sp_device *dev, const struct sp_punch *punch, sp_committed_fn committed,
	     void *arg) SP_MUST_CHECK;

/// How a kiosk is, as far as it is known.
struct sp_kiosk_health {
	int64_t heard_us;     ///< its last sign of life, monotonic; 0: none yet
	double clock_error_s; ///< its clock less true time; NAN: not known
	int64_t records;      ///< events that it stores; -1: not known, as below
	int64_t capacity;     ///< how many it can store
	int64_t users;
	int64_t backlog; ///< events that it has still to send
	int64_t refused; ///< batches or events that were refused since start, malformed ones included
	const char *model, *firmware; ///< NULL: not known; cleaned of what is not printable, 64 bytes at most
};

/// Report what is known now; a fact is recorded when it has changed in substance, and daily. Copied.
void sp_kiosk_health(struct sp_device *dev, const struct sp_kiosk_health *health);

/// The kiosk says that it has `count` events of this local day (days since 1970-01-01): recorded beside the
/// number that arrived here.
void sp_kiosk_total(struct sp_device *dev, int32_t day, int64_t count);

/// This device and the one of that section (it may be none yet) are one kiosk asked in two ways: an event of
/// one is known to the other, and counted once. To be called in start. NULL or "": only itself.
void sp_kiosk_same(struct sp_device *dev, const char *other);

/// Tells a person at a reader what became of its card: switches an output of the board (board.h: "led:NAME",
/// "gpio:CHIP/LINE[/low]") on for `ms`, or on for so long from now. "Accepted" is shown after `committed` and
/// nowhere else. 0, or -errno when the board has no such output. `ms` 0: off, and it is known whether it is
/// there.
int sp_answer(struct sp_device *dev, const char *output, int64_t ms);

/// UTC in ms and its error bound, if this board's clock is known; false otherwise. A kiosk's clock is set by
/// ours only then.
bool sp_clock_known(const struct sp_device *dev, int64_t *t_ms, int64_t *err_ms);
