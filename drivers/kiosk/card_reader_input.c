// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Reads what the reader sends and puts cards together.
#include <string.h>
#include <unistd.h>

#include "card_reader.h"

enum {
	/// Half a scan is wiped after so long, when no key follows it.
	LEFT_MS = 2000,
	/// Bytes in one turn: the other devices are waiting.
	TURN = 4096,
};

static struct sp_card_rules rules_of(const struct card_conf *conf)
{
	return (struct sp_card_rules){
	    .form = (enum sp_card_form)conf->form,
	    .keep_bits = conf->keep_bits,
	    .drop_random = conf->band == SP_CARD_HF,
	};
}

/// 0: a card is in secret->card. Random ones are refused like broken ones: a person sees the red light.
static void parsed(struct sp_device *dev, int result)
{
	if (result == 0)
		card_taken(dev);
	else
		card_refused(dev);
}

static void scanned(struct sp_device *dev)
{
	const struct card_conf *conf = sp_device_conf(dev);
	struct card_reader *reader = sp_device_state(dev);
	struct card_secret *secret = reader->secret;
	struct sp_card_rules rules = rules_of(conf);
	int result = conf->length && (int64_t)secret->typed.length != conf->length
			 ? -EBADMSG
			 : sp_card_parse(secret->typed.text, secret->typed.length, &rules, &secret->card);
	bool shift = secret->typed.shift;
	sp_typed_clear(&secret->typed);
	secret->typed.shift = shift;
	parsed(dev, result);
}

static void typed(struct sp_device *dev, enum sp_typed_result result)
{
	switch (result) {
	case SP_TYPED_MORE:
		break;
	case SP_TYPED_SCAN:
		scanned(dev);
		break;
	case SP_TYPED_BAD:
		card_refused(dev);
		break;
	}
}

static void framed(struct sp_device *dev, const struct sp_frame_card *card)
{
	const struct card_conf *conf = sp_device_conf(dev);
	struct card_reader *reader = sp_device_state(dev);
	struct sp_card_rules rules = rules_of(conf);
	rules.drop_random = card->hf || (rules.drop_random && !card->lf);
	parsed(dev, sp_card_number(card->number, card->bytes, &rules, &reader->secret->card));
}

static void take_byte(struct sp_device *dev, uint8_t byte, int64_t now_us)
{
	const struct card_conf *conf = sp_device_conf(dev);
	struct card_reader *reader = sp_device_state(dev);
	if (conf->protocol == SP_CARD_LINES) {
		typed(dev, sp_typed_char(&reader->secret->typed, byte, now_us));
		return;
	}
	struct sp_frame_card card;
	switch (sp_frame_byte(&reader->secret->frame, byte, now_us, &card)) {
	case SP_FRAME_MORE:
		break;
	case SP_FRAME_CARD:
		framed(dev, &card);
		break;
	case SP_FRAME_BAD:
		card_refused(dev);
		break;
	}
	explicit_bzero(&card, sizeof(card));
}

/// 0, or -ENODEV when the port is gone.
static int read_serial(struct sp_device *dev)
{
	struct card_reader *reader = sp_device_state(dev);
	uint8_t buffer[256];
	int result = 0;
	for (size_t total = 0; total < TURN && result == 0;) {
		ssize_t n = read(reader->serial, buffer, sizeof(buffer));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n <= 0)
			result = -ENODEV;
		for (ssize_t i = 0; i < n; i++)
			take_byte(dev, buffer[i], sp_device_now_us(dev));
		total += n > 0 ? (size_t)n : 0;
	}
	explicit_bzero(buffer, sizeof(buffer));
	return result;
}

static int read_keys(struct sp_device *dev)
{
	struct card_reader *reader = sp_device_state(dev);
	for (size_t total = 0; total < TURN; total++) {
		struct sp_card_key key;
		int result = sp_card_keys_next(reader->keys, &key);
		if (result == -EPIPE) {
			sp_typed_clear(&reader->secret->typed);
			card_refused(dev);
			continue;
		}
		if (result <= 0)
			return result;
		int64_t now_us = key.time_us < 0 ? sp_device_now_us(dev) : key.time_us;
		typed(dev, sp_typed_key(&reader->secret->typed, key.code, key.value, now_us));
		explicit_bzero(&key, sizeof(key));
	}
	return 0;
}

/// Half a scan waits for its rest, or for its end.
static void wait_for_rest(struct sp_device *dev)
{
	const struct card_conf *conf = sp_device_conf(dev);
	struct card_reader *reader = sp_device_state(dev);
	if (reader->secret->typed.length || reader->secret->typed.bad)
		sp_timer_start(reader->pause, conf->end == SP_CARD_BY_PAUSE ? conf->gap_ms : LEFT_MS);
	else
		sp_timer_stop(reader->pause);
}

static void on_input(struct sp_device *dev, int fd, unsigned events, void *arg)
{
	(void)fd;
	(void)events;
	(void)arg;
	struct card_reader *reader = sp_device_state(dev);
	int result = reader->keys ? read_keys(dev) : read_serial(dev);
	if (result < 0)
		card_port_lost(dev);
	else
		wait_for_rest(dev);
}

static void on_pause(struct sp_device *dev, void *arg)
{
	(void)arg;
	const struct card_conf *conf = sp_device_conf(dev);
	struct card_reader *reader = sp_device_state(dev);
	if (!card_port_there(reader))
		return;
	// After a busy turn of the main thread the rest may be waiting in the kernel.
	int64_t last_us = reader->secret->typed.last_us;
	on_input(dev, -1, SP_READABLE, NULL);
	if (!card_port_there(reader) || reader->secret->typed.last_us != last_us)
		return;
	sp_timer_stop(reader->pause);
	if (conf->end == SP_CARD_BY_PAUSE)
		typed(dev, sp_typed_pause(&reader->secret->typed));
	else if (reader->secret->typed.length || reader->secret->typed.bad) {
		sp_typed_clear(&reader->secret->typed);
		card_refused(dev);
	}
}

void card_input_start(struct sp_device *dev)
{
	const struct card_conf *conf = sp_device_conf(dev);
	struct card_reader *reader = sp_device_state(dev);
	reader->pause = sp_timer_new(dev, on_pause, NULL);
	reader->secret->typed.gap_us = conf->gap_ms * 1000;
	reader->secret->typed.end_by_gap = conf->end == SP_CARD_BY_PAUSE;
	reader->secret->frame.kind = conf->protocol == SP_CARD_WIEGAND26 ? SP_FRAME_WIEGAND26
				     : conf->protocol == SP_CARD_DUAL    ? SP_FRAME_DUAL
									 : SP_FRAME_RDM6300;
}

void card_input_stop(struct sp_device *dev)
{
	struct card_reader *reader = sp_device_state(dev);
	sp_timer_free(reader->pause);
}

int card_input_open(struct sp_device *dev)
{
	struct card_reader *reader = sp_device_state(dev);
	int fd = reader->keys ? sp_card_keys_fd(reader->keys) : reader->serial;
	reader->input = sp_watch_new(dev, fd, SP_READABLE, on_input, NULL);
	return reader->input ? 0 : -errno;
}

void card_input_close(struct card_reader *reader)
{
	sp_watch_free(reader->input);
	reader->input = NULL;
	sp_typed_clear(&reader->secret->typed);
	explicit_bzero(reader->secret->frame.data, sizeof(reader->secret->frame.data));
	reader->secret->frame.open = false;
	reader->secret->frame.length = 0;
	if (reader->pause)
		sp_timer_stop(reader->pause);
}
