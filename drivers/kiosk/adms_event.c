// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What a line of ADMS means: an event for the core, or something that was done to the terminal.
#include <string.h>

#include "adms.h"
#include "kiosk_key.h"
#include "schoolpulse/log.h"

enum { VIETNAM_S = 7 * 3600, VERSION_5 = 20400 };

static int64_t local_s(const struct adms_conf *conf, const struct sp_adms_punch *punch)
{
	return punch->local_s + (punch->epoch ? adms_zone_s(conf) : 0);
}

int32_t adms_event_day(const struct adms_conf *conf, const struct sp_adms_punch *punch)
{
	int64_t at = local_s(conf, punch);
	return (int32_t)(at / ADMS_DAY_S - (at % ADMS_DAY_S < 0));
}

static enum sp_punch_direction direction(const struct adms_conf *conf, unsigned status)
{
	switch ((enum adms_direction)conf->direction) {
	case ADMS_IN:
		return SP_PUNCH_IN;
	case ADMS_OUT:
		return SP_PUNCH_OUT;
	case ADMS_UNKNOWN:
		return SP_PUNCH_UNKNOWN;
	case ADMS_AUTO:
		break;
	}
	// In, break-in, overtime-in; out, break-out, overtime-out.
	if (conf->status_is_direction && (status == 0 || status == 3 || status == 4))
		return SP_PUNCH_IN;
	if (conf->status_is_direction && (status == 1 || status == 2 || status == 5))
		return SP_PUNCH_OUT;
	return SP_PUNCH_UNKNOWN;
}

/// What newer and older units number alike.
static enum sp_punch_method common_method(unsigned verify)
{
	switch (verify) {
	case 1:
		return SP_PUNCH_BY_FINGER;
	case 15:
		return SP_PUNCH_BY_FACE;
	case 21:
		return SP_PUNCH_BY_VEIN;
	case 25:
		return SP_PUNCH_BY_PALM;
	case 200:
		return SP_PUNCH_BY_OTHER;
	default:
		return SP_PUNCH_BY_UNKNOWN;
	}
}

static enum sp_punch_method method(const struct adms_conf *conf, unsigned version, unsigned verify)
{
	static const enum sp_punch_method
	    v5[] = {[2] = SP_PUNCH_BY_PIN, [3] = SP_PUNCH_BY_PASSWORD, [4] = SP_PUNCH_BY_CARD},
	    old[] = {[0] = SP_PUNCH_BY_PASSWORD, [2] = SP_PUNCH_BY_CARD, [3] = SP_PUNCH_BY_PIN};
	enum sp_punch_method common = common_method(verify);
	bool is_v5 = conf->verify_codes == ADMS_VERIFY_V5, is_old = conf->verify_codes == ADMS_VERIFY_OLD;
	if (common != SP_PUNCH_BY_UNKNOWN)
		return common;
	if (conf->verify_codes == ADMS_VERIFY_AUTO && version > 0) {
		is_v5 = version >= VERSION_5;
		is_old = !is_v5;
	}
	if (is_v5 && verify < SP_COUNT(v5))
		return v5[verify];
	if (is_old && verify < SP_COUNT(old))
		return old[verify];
	return SP_PUNCH_BY_UNKNOWN;
}

int adms_event_punch(struct sp_device *dev, const struct sp_adms_punch *from, bool live, sp_committed_fn done,
		     void *arg)
{
	const struct adms_conf *conf = sp_device_conf(dev);
	struct adms *a = sp_device_state(dev);
	uint8_t key[SP_PUNCH_KEY_MAX];
	int32_t zone_s = adms_zone_s(conf);
	int64_t dial_s = local_s(conf, from);
	struct sp_punch punch = {
	    .key = key,
	    .key_length = sp_zk_punch_key(key, conf->serial, from->pin, from->pin_length, dial_s,
					  from->status, from->verify),
	    .kind = SP_PERSON_PIN,
	    .person = from->pin,
	    .person_length = from->pin_length,
	    .kiosk_ms = (dial_s - zone_s) * 1000,
	    .zone_ahead_s = zone_s - VIETNAM_S,
	    .live = live,
	    .direction = direction(conf, from->status),
	    .method = method(conf, a->version, from->verify),
	    .number = -1,
	};
	int result = punch.key_length ? sp_punch(dev, &punch, done, arg) : -EINVAL;
	explicit_bzero(key, sizeof(key));
	return result;
}

void adms_event_operation(struct sp_device *dev, const struct sp_adms_operation *operation)
{
	(void)dev;
	(void)operation;
}
