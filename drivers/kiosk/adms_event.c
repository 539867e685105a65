// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What a line of ADMS means: an event for the core, or something that was done to the terminal.
#include <string.h>

#include "adms.h"
#include "zk_punch.h"
#include "schoolpulse/log.h"

enum { VERSION_5 = 20400 };

static int64_t local_s(const struct adms_conf *conf, const struct sp_adms_punch *punch)
{
	return punch->local_s + (punch->epoch ? adms_zone_s(conf) : 0);
}

int32_t adms_event_day(const struct adms_conf *conf, const struct sp_adms_punch *punch)
{
	int64_t at = local_s(conf, punch);
	return (int32_t)(at / ADMS_DAY_S - (at % ADMS_DAY_S < 0));
}

/// `auto` goes by the protocol's version, as far as the terminal has told one.
static enum sp_zk_verify verify_codes(const struct adms_conf *conf, unsigned version)
{
	if (conf->verify_codes != SP_ZK_VERIFY_AUTO || version == 0)
		return (enum sp_zk_verify)conf->verify_codes;
	return version >= VERSION_5 ? SP_ZK_VERIFY_V5 : SP_ZK_VERIFY_OLD;
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
	    .zone_ahead_s = zone_s - SP_VIETNAM_S,
	    .live = live,
	    .direction = sp_zk_direction((enum sp_direction_option)conf->direction, conf->status_is_direction,
					 from->status),
	    .method = sp_zk_method(verify_codes(conf, a->version), from->verify),
	    .number = -1,
	};
	int result = punch.key_length ? sp_punch(dev, &punch, done, arg) : -EINVAL;
	explicit_bzero(key, sizeof(key));
	return result;
}

// ---- what was done to the terminal ----------------------------------------------------------------------

enum {
	OPERATION_ALARM = 3,
	ALARM_FORCED = 54,
	ALARM_TAMPER = 55,
	ALARM_CLEARED = 65535,
	OLD_S = 7 * ADMS_DAY_S, ///< what is older is no news
};

static const struct {
	const char *name, *text;
	enum sp_log_level level;
} happenings[ADMS_HAPPENINGS] = {
    [ADMS_POWERED_ON] = {"power_on", "it was switched on", SP_LOG_INFO},
    [ADMS_POWERED_OFF] = {"power_off", "it was switched off", SP_LOG_INFO},
    [ADMS_TAMPERED] = {"tamper", "somebody opens or takes it off its wall", SP_LOG_WARNING},
    [ADMS_FORCED] = {"forced", "its door was forced", SP_LOG_WARNING},
    [ADMS_ALARMED] = {"alarm", "it raised an alarm", SP_LOG_INFO},
    [ADMS_CLOCK_SET] = {"clock_set", "its clock was set by hand or by a server", SP_LOG_INFO},
    [ADMS_ERASED] = {"erased", "somebody erased its events or its settings", SP_LOG_WARNING},
    [ADMS_NETWORK_CHANGED] = {"network", "its network settings were changed", SP_LOG_INFO},
};

const char *adms_happening_name(enum adms_happening happening)
{
	return happenings[happening].name;
}

/// ADMS_HAPPENINGS: nothing that is told.
static enum adms_happening happening(const struct sp_adms_operation *operation)
{
	if (operation->code >= 76 && operation->code <= 83)
		return ADMS_NETWORK_CHANGED;
	switch (operation->code) {
	case 0:
		return ADMS_POWERED_ON;
	case 1:
		return ADMS_POWERED_OFF;
	case OPERATION_ALARM:
		break;
	case 13: // data, settings, records
	case 22:
	case 23:
		return ADMS_ERASED;
	case 21:
		return ADMS_CLOCK_SET;
	default:
		return ADMS_HAPPENINGS;
	}
	switch (operation->object) {
	case ALARM_TAMPER:
		return ADMS_TAMPERED;
	case ALARM_FORCED:
		return ADMS_FORCED;
	case ALARM_CLEARED:
	case 50: // a door closes, or opens, or is opened by its button: no alarm
	case 51:
	case 53:
		return ADMS_HAPPENINGS;
	default:
		return ADMS_ALARMED;
	}
}

/// By its own clock, which may be wrong by days; a terminal sends its whole log again now and then.
static bool is_news(struct sp_device *dev, const struct sp_adms_operation *operation)
{
	struct adms *a = sp_device_state(dev);
	int64_t t_ms, err_ms, age_s;
	if (!sp_clock_known(dev, &t_ms, &err_ms))
		return false;
	age_s = t_ms / 1000 + adms_zone_s(sp_device_conf(dev)) - operation->local_s;
	if (age_s > OLD_S || age_s < -OLD_S)
		return false;
	for (unsigned i = 0; i < ADMS_OPERATIONS; i++)
		if (i < a->operation_count && a->operations[i].local_s == operation->local_s &&
		    a->operations[i].code == operation->code && a->operations[i].object == operation->object)
			return false;
	a->operations[a->operation_count++ % ADMS_OPERATIONS] =
	    (struct adms_operation){operation->local_s, operation->code, operation->object};
	if (a->operation_count == 2 * ADMS_OPERATIONS) // so that it never runs over
		a->operation_count = ADMS_OPERATIONS;
	return true;
}

void adms_event_operation(struct sp_device *dev, const struct sp_adms_operation *operation)
{
	struct adms *a = sp_device_state(dev);
	enum adms_happening what = happening(operation);
	if (what == ADMS_HAPPENINGS || !is_news(dev, operation))
		return;
	a->happened[what]++;
	sp_log(happenings[what].level, "adms", "\"%s\": %s", sp_device_name(dev), happenings[what].text);
}
