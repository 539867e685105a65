// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// kiosk.h on virtual time (fake_kiosk.h).
#include "fake_kiosk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

#include "fake_io.h"

static bool allowed(const struct sp_punch *punch)
{
	if (!punch->person || punch->person_length < 1 || punch->person_length > SP_PERSON_MAX)
		return false;
	if (punch->key && (punch->key_length < 1 || punch->key_length > SP_PUNCH_KEY_MAX))
		return false;
	return !punch->gate || strlen(punch->gate) <= SP_PUNCH_GATE_MAX;
}

int sp_punch(struct sp_device *dev, const struct sp_punch *punch, sp_committed_fn committed, void *arg)
{
	struct fake_kiosk *kiosk = &dev->kiosk;
	if (!allowed(punch))
		return -EINVAL;
	if (kiosk->result)
		return kiosk->result;
	size_t count = kiosk->punch_count;
	if ((count & (count - 1)) == 0) // full at each power of two
		kiosk->punches = realloc(kiosk->punches, (count ? 2 * count : 1) * sizeof(*kiosk->punches));
	assert_non_null(kiosk->punches);
	struct fake_punch *kept = &kiosk->punches[kiosk->punch_count++];
	*kept =
	    (struct fake_punch){.punch = *punch, .at_us = dev->now_us, .committed = committed, .arg = arg};
	if (punch->key)
		memcpy(kept->key, punch->key, punch->key_length);
	if (punch->other_key)
		memcpy(kept->other_key, punch->other_key, punch->other_key_length);
	memcpy(kept->person, punch->person, punch->person_length);
	snprintf(kept->gate, sizeof(kept->gate), "%s", punch->gate ? punch->gate : "");
	kept->punch.key = kept->punch.other_key = NULL;
	kept->punch.person = kept->punch.gate = NULL;
	return 0;
}

const struct fake_punch *fake_punch(struct sp_device *dev, size_t index)
{
	assert_true(index < dev->kiosk.punch_count);
	struct fake_punch *kept = &dev->kiosk.punches[index];
	kept->punch.key = kept->punch.key_length ? kept->key : NULL;
	kept->punch.person = kept->person;
	kept->punch.gate = kept->gate;
	return kept;
}

static bool known(const struct fake_kiosk *kiosk, size_t index)
{
	const struct fake_punch *punch = &kiosk->punches[index];
	for (size_t i = 0; i < index && punch->punch.key_length; i++) {
		const struct fake_punch *old = &kiosk->punches[i];
		if (!old->done || old->result < 0)
			continue;
		if (old->punch.key_length == punch->punch.key_length &&
		    memcmp(old->key, punch->key, punch->punch.key_length) == 0)
			return true;
		if (punch->punch.other_key_length && old->punch.key_length == punch->punch.other_key_length &&
		    memcmp(old->key, punch->other_key, punch->punch.other_key_length) == 0)
			return true;
	}
	return false;
}

size_t fake_commit(struct sp_device *dev, int result)
{
	struct fake_kiosk *kiosk = &dev->kiosk;
	size_t answered = 0, count = kiosk->punch_count; // an answer may bring further ones
	for (size_t i = 0; i < count; i++) {
		struct fake_punch *punch = &kiosk->punches[i];
		if (punch->done)
			continue;
		int own = result < 0 ? result : known(kiosk, i) ? SP_PUNCH_KNOWN : 0;
		punch->done = true;
		punch->result = own;
		answered++;
		if (punch->committed)
			punch->committed(dev, own, punch->arg);
	}
	return answered;
}

size_t fake_committed(const struct sp_device *dev)
{
	size_t count = 0;
	for (size_t i = 0; i < dev->kiosk.punch_count; i++)
		count += dev->kiosk.punches[i].done && dev->kiosk.punches[i].result == 0;
	return count;
}

void sp_kiosk_health(struct sp_device *dev, const struct sp_kiosk_health *health)
{
	struct fake_kiosk *kiosk = &dev->kiosk;
	kiosk->health = *health;
	snprintf(kiosk->model, sizeof(kiosk->model), "%s", health->model ? health->model : "");
	snprintf(kiosk->firmware, sizeof(kiosk->firmware), "%s", health->firmware ? health->firmware : "");
	kiosk->health.model = health->model ? kiosk->model : NULL;
	kiosk->health.firmware = health->firmware ? kiosk->firmware : NULL;
	kiosk->healths++;
}

void sp_kiosk_total(struct sp_device *dev, int32_t day, int64_t count)
{
	struct fake_kiosk *kiosk = &dev->kiosk;
	if (kiosk->total_count < SP_COUNT(kiosk->totals))
		kiosk->totals[kiosk->total_count] = (struct fake_total){day, count};
	kiosk->total_count++;
}

void sp_kiosk_same(struct sp_device *dev, const char *other)
{
	snprintf(dev->kiosk.same, sizeof(dev->kiosk.same), "%s", other ? other : "");
}

int sp_answer(struct sp_device *dev, const char *output, int64_t ms)
{
	struct fake_kiosk *kiosk = &dev->kiosk;
	if (ms <= 0) {
		kiosk->tried_count++;
		return kiosk->answer_result;
	}
	if (kiosk->shown_count < SP_COUNT(kiosk->shown)) {
		struct fake_shown *shown = &kiosk->shown[kiosk->shown_count];
		shown->ms = ms;
		snprintf(shown->output, sizeof(shown->output), "%s", output);
	}
	kiosk->shown_count++;
	return kiosk->answer_result;
}

bool sp_clock_known(const struct sp_device *dev, int64_t *t_ms, int64_t *err_ms)
{
	const struct fake_kiosk *kiosk = &dev->kiosk;
	if (kiosk->clock_unknown)
		return false;
	int64_t base_ms = kiosk->wall_ms ? kiosk->wall_ms : FAKE_WALL_MS;
	*t_ms = base_ms + dev->now_us / 1000 - 1000 * 1000;
	*err_ms = kiosk->err_ms;
	return true;
}

void fake_kiosk_free(struct fake_kiosk *kiosk)
{
	free(kiosk->punches);
}
