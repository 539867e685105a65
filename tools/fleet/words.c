// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The table of words, and of the names that they share.
#include "tools/fleet/words.h"

#include <string.h>

const char *const sp_scope_names[SP_SCOPES] = {"domestic", "international", "dns", "gateway", "service"};
const char *const sp_line_is_names[4] = {"up", "unknown", "degraded", "down"};

const struct sp_line_cause sp_line_causes[] = {
    [SP_CAUSE_NO_CAUSE] = {"none", "unresolved", NULL},
    [SP_CAUSE_BY_POWER] = {"power", "school", NULL},
    [SP_CAUSE_BY_REBOOT] = {"reboot", "ours", NULL},
    [SP_CAUSE_BY_AGENT] = {"agent", "ours", NULL},
    {"cable", "school", "cable"},
    {"address", "school", "address"},
    {"gateway", "school", "gateway"},
    {"isp_access", "provider", "isp_access"},
    {"isp_core", "provider", "isp_core"},
    {"isp", "provider", "isp_access"},
    {"international", "provider", "international"},
    {"dns", "resolver", "dns"},
    {"captive_portal", "account", "portal"},
    {"hub", "ours", "hub"},
    {"ipv4", "provider", "isp_core"},
    {"ipv6", "provider", "isp_core"},
    {"mtu", "provider", "full_size"},
    {NULL, NULL, NULL},
};

static const struct sp_word words[] = {
    {"line", SP_LASTS, sp_read_line, sp_do_line, sp_do_line},
    {"power", SP_LASTS, sp_read_cut, sp_do_away, sp_do_back},
    {"reboot", SP_LASTS_ITSELF, sp_read_reboot, sp_do_away, sp_do_back},
    {"restart", SP_LASTS_ITSELF, sp_read_restart, sp_do_away, sp_do_back},
    {"crash", SP_LASTS_ITSELF, sp_read_crash, sp_do_away, sp_do_back},
    {"renew", SP_LASTS_ITSELF, sp_read_restart, sp_do_away, sp_do_back},
    {"silent", SP_LASTS, sp_read_nothing, NULL, NULL},
    {"clock", SP_LASTS, sp_read_clock, sp_do_clock, sp_do_clock},
    {"facts", SP_LASTS, sp_read_late, sp_do_late, sp_do_late},
    {"reorder", SP_LASTS, sp_read_nothing, NULL, NULL},
    {"drop", SP_LASTS_NOT, sp_read_drop, sp_do_drop, NULL},
    {"replay", SP_LASTS_NOT, sp_read_replay, sp_do_replay, NULL},
    {"speedtest", SP_LASTS_MAYBE, sp_read_speedtest, sp_do_speedtest, NULL},
    {"rtt", SP_LASTS_MAYBE, sp_read_rtt, sp_do_values, NULL},
    {"loss", SP_LASTS_MAYBE, sp_read_loss, sp_do_values, NULL},
    {"platform", SP_LASTS_MAYBE, sp_read_platform, sp_do_values, NULL},
    {"device", SP_LASTS_MAYBE, sp_read_device, sp_do_device, sp_do_device_up},
    {"kiosk", SP_LASTS_MAYBE, sp_read_device, sp_do_kiosk, sp_do_kiosk_up},
    {"kiosk-total", SP_LASTS_NOT, sp_read_kiosk_total, sp_do_kiosk_total, NULL},
    {"present", SP_LASTS_NOT, sp_read_present, sp_do_present, NULL},
    {"fact", SP_LASTS_NOT, sp_read_fact, sp_do_fact, NULL},
    {"bulk", SP_LASTS, sp_read_off, NULL, NULL},
};

const struct sp_word *sp_word_find(const char *name)
{
	for (size_t i = 0; i < SP_COUNT(words); i++)
		if (strcmp(words[i].name, name) == 0)
			return &words[i];
	return NULL;
}

static bool unknown(struct sp_tokens *t, const char *name)
{
	const char *names[SP_COUNT(words)];
	for (size_t i = 0; i < SP_COUNT(words); i++)
		names[i] = words[i].name;
	const char *meant = sp_config_suggest(name, names, SP_COUNT(words));
	if (meant)
		return sp_tokens_fail(t, "\"%.40s\" is no word; \"%s\"?", name, meant);
	return sp_tokens_fail(t, "\"%.40s\" is no word", name);
}

bool sp_words_read(struct sp_tokens *tokens, struct sp_statement *statement)
{
	const char *name = sp_tokens_take(tokens, "what happens");
	if (!name)
		return false;
	const struct sp_word *word = statement->word = sp_word_find(name);
	bool lasts = statement->when.until != SP_UNTIL_NOW;
	if (!word)
		return unknown(tokens, name);
	statement->args = (struct sp_args){.real = {-1, -1}, .times = 1};
	if (!word->read(tokens, &statement->args))
		return false;
	if (word->lasting == SP_LASTS && !lasts)
		return sp_tokens_fail(tokens, "\"%s\" lasts: it needs for or until", name);
	if ((word->lasting == SP_LASTS_NOT || word->lasting == SP_LASTS_ITSELF) && lasts)
		return sp_tokens_fail(tokens, "\"%s\" has no for and no until", name);
	if (statement->args.times > 1 && !lasts)
		return sp_tokens_fail(tokens, "several times need for or until");
	return true;
}
