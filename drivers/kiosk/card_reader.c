// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The `card_reader` driver: card and code readers at the board's own ports. A card is an event, its answer
// the light or the sound that follows the commit. No number is in a log line.
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../drivers.h"
#include "card_reader.h"
#include "card_reader_serial.h"
#include "schoolpulse/board.h"
#include "schoolpulse/log.h"

enum {
	OUTPUTS_MAX = 4,
	DEVICE_MAX = 256,
	AGAIN_US = 1000 * 1000, ///< a card that is held there is answered so often
};

static void answer(struct sp_device *dev, const struct sp_strings *outputs)
{
	const struct card_conf *conf = sp_device_conf(dev);
	for (size_t i = 0; i < outputs->count; i++) {
		int result = sp_answer(dev, outputs->items[i], conf->answer_ms);
		if (result < 0)
			sp_debug("card_reader", "\"%s\": %s: %s", sp_device_name(dev), outputs->items[i],
				 strerror(-result));
	}
}

void card_health(struct sp_device *dev)
{
	struct card_reader *reader = sp_device_state(dev);
	sp_kiosk_health(dev, &(struct sp_kiosk_health){
				 .heard_us = reader->heard_us,
				 .clock_error_s = NAN,
				 .records = -1,
				 .capacity = -1,
				 .users = -1,
				 .backlog = -1,
				 .refused = reader->refused,
				 .model = reader->keys ? sp_card_keys_model(reader->keys) : NULL,
			     });
}

void card_refused(struct sp_device *dev)
{
	const struct card_conf *conf = sp_device_conf(dev);
	struct card_reader *reader = sp_device_state(dev);
	reader->heard_us = sp_device_now_us(dev);
	reader->refused++;
	answer(dev, &conf->refused);
}

static void journal_refused(struct sp_device *dev, int error)
{
	struct card_reader *reader = sp_device_state(dev);
	if (!reader->journal_refused)
		sp_warning("card_reader", "\"%s\": events are not taken: %s", sp_device_name(dev),
			   strerror(-error));
	reader->journal_refused = true;
	card_refused(dev);
}

static void come_again(struct sp_device *dev)
{
	const struct card_conf *conf = sp_device_conf(dev);
	struct card_reader *reader = sp_device_state(dev);
	int64_t now_us = sp_device_now_us(dev);
	int64_t next_us = sp_seen_expire(&reader->secret->seen, now_us, conf->debounce_ms * 1000);
	if (next_us >= 0)
		sp_timer_start(reader->expire, (next_us - now_us) / 1000 + 1);
}

static void on_expire(struct sp_device *dev, void *arg)
{
	(void)arg;
	come_again(dev);
}

static void on_committed(struct sp_device *dev, int result, void *arg)
{
	const struct card_conf *conf = sp_device_conf(dev);
	struct card_reader *reader = sp_device_state(dev);
	struct sp_seen_entry *entry = arg;
	if (result < 0) {
		// Whoever shows the card again is a new event.
		sp_seen_forget(entry);
		journal_refused(dev, result);
		return;
	}
	reader->journal_refused = false;
	entry->state = SP_SEEN_TAKEN;
	entry->answered_us = sp_device_now_us(dev);
	answer(dev, &conf->accepted);
	come_again(dev);
}

static size_t slot_key(const struct card_reader *reader, int64_t slot, uint8_t out[SP_PUNCH_KEY_MAX])
{
	const struct sp_card *card = &reader->secret->card;
	int head = snprintf((char *)out, SP_PUNCH_KEY_MAX, "card1\n%s\n%" PRId64 "\n%d\n", reader->boot, slot,
			    (int)card->kind);
	memcpy(out + head, card->text, card->length);
	return (size_t)head + card->length;
}

/// Readers number nothing. But whoever saw no light because the agent was restarted shows the card again. So
/// a key is that of a slot of time as long as `debounce`, counted since the machine's start; and who has not
/// been running for so long, and cannot know who was there, asks for the slot before as well.
static void add_keys(struct sp_device *dev, struct sp_punch *punch)
{
	const struct card_conf *conf = sp_device_conf(dev);
	struct card_reader *reader = sp_device_state(dev);
	struct card_secret *secret = reader->secret;
	int64_t now_us = sp_device_now_us(dev), slot_us = conf->debounce_ms * 1000;
	if (!reader->boot[0] || !slot_us)
		return;
	punch->key = secret->key;
	punch->key_length = slot_key(reader, now_us / slot_us, secret->key);
	if (now_us - reader->started_us >= slot_us)
		return;
	punch->other_key = secret->other_key;
	punch->other_key_length = slot_key(reader, now_us / slot_us - 1, secret->other_key);
}

static void hand_over(struct sp_device *dev, struct sp_seen_entry *entry)
{
	const struct card_conf *conf = sp_device_conf(dev);
	struct card_reader *reader = sp_device_state(dev);
	struct card_secret *secret = reader->secret;
	struct sp_punch punch = {
	    .kind = secret->card.kind,
	    .person = secret->card.text,
	    .person_length = secret->card.length,
	    .kiosk_ms = SP_PUNCH_NO_TIME,
	    .live = true,
	    .direction = (enum sp_punch_direction)conf->direction,
	    .method = secret->card.kind == SP_PERSON_CODE ? SP_PUNCH_BY_CODE : SP_PUNCH_BY_CARD,
	    .number = -1,
	};
	add_keys(dev, &punch);
	int result = sp_punch(dev, &punch, on_committed, entry);
	explicit_bzero(secret->key, sizeof(secret->key));
	explicit_bzero(secret->other_key, sizeof(secret->other_key));
	if (result < 0) {
		sp_seen_forget(entry);
		journal_refused(dev, result);
	}
}

void card_taken(struct sp_device *dev)
{
	const struct card_conf *conf = sp_device_conf(dev);
	struct card_reader *reader = sp_device_state(dev);
	struct card_secret *secret = reader->secret;
	int64_t now_us = sp_device_now_us(dev);
	reader->heard_us = now_us;
	struct sp_seen_entry *entry =
	    sp_seen_again(&secret->seen, &secret->card, now_us, conf->debounce_ms * 1000);
	if (!entry) {
		entry = sp_seen_add(&secret->seen, &secret->card, now_us);
		if (entry)
			hand_over(dev, entry);
		else
			journal_refused(dev, -EAGAIN);
	} else if (entry->state == SP_SEEN_TAKEN && now_us - entry->answered_us >= AGAIN_US) {
		entry->answered_us = now_us;
		answer(dev, &conf->accepted);
	}
	explicit_bzero(&secret->card, sizeof(secret->card));
}

// ---- the driver ---------------------------------------------------------------------------------

/// An output that is missing is no reason to take no cards.
static void try_outputs(struct sp_device *dev, const struct sp_strings *outputs)
{
	for (size_t i = 0; i < outputs->count; i++) {
		int result = sp_answer(dev, outputs->items[i], 0);
		if (result < 0)
			sp_warning("card_reader", "\"%s\": %s gives no answer: %s", sp_device_name(dev),
				   outputs->items[i], strerror(-result));
	}
}

static void read_boot_id(struct card_reader *reader)
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, reader->boot, 36);
	if (fd >= 0)
		close(fd);
	if (n != 36)
		reader->boot[0] = '\0';
}

static int start(struct sp_device *dev)
{
	const struct card_conf *conf = sp_device_conf(dev);
	struct card_reader *reader = sp_device_state(dev);
	reader->serial = reader->notify = -1;
	void *pages =
	    mmap(NULL, sizeof(*reader->secret), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED)
		return -errno;
	// Kernels that know neither leave it as it is.
	(void)madvise(pages, sizeof(*reader->secret), MADV_DONTDUMP);
	(void)madvise(pages, sizeof(*reader->secret), MADV_DONTFORK);
	reader->secret = pages;
	reader->expire = sp_timer_new(dev, on_expire, NULL);
	reader->started_us = sp_device_now_us(dev);
	read_boot_id(reader);
	try_outputs(dev, &conf->accepted);
	try_outputs(dev, &conf->refused);
	card_input_start(dev);
	return card_port_start(dev);
}

static const char *reason_of(int error)
{
	switch (error) {
	case -ENODEV:
		return "unplugged";
	case -EACCES:
	case -EPERM:
		return "no_permission";
	case -EBUSY:
		return "busy";
	default:
		return "protocol";
	}
}

static void poll(struct sp_device *dev)
{
	struct card_reader *reader = sp_device_state(dev);
	card_port_look(dev);
	if (card_port_there(reader))
		reader->heard_us = sp_device_now_us(dev);
	card_health(dev);
	if (card_port_there(reader))
		sp_round_ok(dev);
	else
		sp_round_failed(dev, reason_of(reader->error), "%s", reader->why);
}

static void stop(struct sp_device *dev)
{
	struct card_reader *reader = sp_device_state(dev);
	if (!reader->secret)
		return;
	card_port_stop(dev);
	card_input_stop(dev);
	sp_timer_free(reader->expire);
	explicit_bzero(reader->secret, sizeof(*reader->secret));
	munmap(reader->secret, sizeof(*reader->secret));
	reader->secret = NULL;
}

static int check_outputs(const struct sp_strings *outputs, const char *name, const char **key, char *why,
			 size_t size)
{
	for (size_t i = 0; i < outputs->count; i++) {
		if (sp_board_output_named(outputs->items[i]))
			continue;
		*key = name;
		snprintf(why, size, "\"%.64s\" is no output: led:NAME, gpio:CHIP/LINE or gpio:CHIP/LINE/low",
			 outputs->items[i]);
		return -EINVAL;
	}
	return 0;
}

static int check(const void *arg, const char **key, char *why, size_t size)
{
	const struct card_conf *conf = arg;
	bool keyboard = conf->protocol == SP_CARD_KEYBOARD;
	*key = "device";
	if (keyboard && !sp_card_keys_named(conf->device)) {
		snprintf(why, size,
			 "a keyboard reader is named by usb:PORT, phys:TEXT, id:VENDOR:PRODUCT or a path");
		return -EINVAL;
	}
	if (!keyboard && conf->device[0] != '/') {
		snprintf(why, size, "a serial reader is named by the path of its port");
		return -EINVAL;
	}
	*key = "baud";
	if (!sp_card_baud(conf->baud)) {
		snprintf(why, size, "no such speed: 1200, 2400, 4800, 9600, 19200, 38400, 57600 or 115200");
		return -EINVAL;
	}
	int result = check_outputs(&conf->accepted, "accepted", key, why, size);
	return result < 0 ? result : check_outputs(&conf->refused, "refused", key, why, size);
}

#define AT(member) offsetof(struct card_conf, member)
static const struct sp_option options[] = {
    {"device", SP_OPTION_STRING, NULL, 1, DEVICE_MAX, AT(device), NULL,
     "Which reader: usb:1-1.4 (its USB port), phys:…, id:ffff:0035, or a path as /dev/serial/by-path/…"},
    {"protocol", SP_OPTION_ENUM, "keyboard", 0, 0, AT(protocol), "keyboard lines rdm6300 dual wiegand26",
     "What it sends: keys, or over a serial port lines of text or frames"},
    {"form", SP_OPTION_ENUM, "decimal", 0, 0, AT(form),
     "decimal decimal_reversed hex hex_reversed facility text",
     "How keys or lines tell the number; text: a QR or bar code instead of a card"},
    {"keep_bits", SP_OPTION_INT, "64", 8, 64, AT(keep_bits), NULL,
     "Only so many lowest bits of the number count, so that readers which tell less of it agree with the "
     "others"},
    {"length", SP_OPTION_INT, "0", 0, SP_TYPED_MAX, AT(length), NULL,
     "Keys or characters of a scan, others are refused; 0: any number"},
    {"band", SP_OPTION_ENUM, "hf", 0, 0, AT(band), "hf lf",
     "Which cards: 13.56 MHz (hf), where numbers made up at each reading, four bytes of which the first is "
     "08, are refused; "
     "or 125 kHz (lf)"},
    {"end", SP_OPTION_ENUM, "enter", 0, 0, AT(end), "enter pause",
     "What ends a scan: Enter, Tab or a line's end; or a pause, from readers that send none"},
    {"gap", SP_OPTION_DURATION, "100ms", 20, 2000, AT(gap_ms), NULL,
     "A longer pause between two keys parts two scans"},
    {"debounce", SP_OPTION_DURATION, "30s", 0, 600 * 1000, AT(debounce_ms), NULL,
     "The same card within this time of its last reading is one event"},
    {"direction", SP_OPTION_ENUM, "unknown", 0, 0, AT(direction), "unknown in out",
     "Which way who shows a card here goes"},
    {"baud", SP_OPTION_INT, "9600", 1200, 115200, AT(baud), NULL, "Speed of a serial port"},
    {"accepted", SP_OPTION_LIST, "", 0, OUTPUTS_MAX, AT(accepted), NULL,
     "Lights or buzzers of the board that say \"kept\": led:NAME, gpio:CHIP/LINE, gpio:CHIP/LINE/low"},
    {"refused", SP_OPTION_LIST, "", 0, OUTPUTS_MAX, AT(refused), NULL, "The same for \"not kept\""},
    {"answer", SP_OPTION_DURATION, "600ms", 50, 10000, AT(answer_ms), NULL, "How long they are on"},
    {0},
};
#undef AT

const struct sp_driver sp_driver_card_reader = {
    .name = "card_reader",
    .summary = "Card and code readers at the board's USB and serial ports",
    .cls = SP_DRIVER_KIOSK,
    .maturity = SP_MATURITY_EXPERIMENTAL,
    .options = options,
    .conf_size = sizeof(struct card_conf),
    .state_size = sizeof(struct card_reader),
    .interval_ms = 10 * 1000,
    .deadline_ms = 1000,
    .check = check,
    .start = start,
    .poll = poll,
    .stop = stop,
};
