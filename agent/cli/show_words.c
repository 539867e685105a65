// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Words shared by the pages, and access to the documents. Kept apart for translation.
#include <math.h>
#include <string.h>

#include "agent/cli/show.h"

const cJSON *sp_json_member(const cJSON *json, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(json, name);
}

const char *sp_json_text(const cJSON *json, const char *name)
{
	const char *text = cJSON_GetStringValue(sp_json_member(json, name));
	return text ? text : "";
}

double sp_json_number(const cJSON *json, const char *name)
{
	const cJSON *item = sp_json_member(json, name);
	return cJSON_IsNumber(item) ? item->valuedouble : (double)NAN;
}

bool sp_json_true(const cJSON *json, const char *name)
{
	return cJSON_IsTrue(sp_json_member(json, name));
}

struct word {
	const char *word, *text;
};

static const char *look_up(const struct word *words, size_t count, const char *word)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(words[i].word, word) == 0)
			return words[i].text;
	return word;
}

const char *sp_show_cause(const char *cause)
{
	static const struct word words[] = {
	    {"none", "nothing decisive is measured"},
	    {"cable", "no carrier on the cable"},
	    {"address", "no address or no default route"},
	    {"gateway", "the router does not answer"},
	    {"isp_access", "the provider's first hop is silent"},
	    {"isp_core", "the provider's network is reached, domestic hosts are not"},
	    {"isp", "nothing beyond the router answers"},
	    {"international", "hosts abroad are silent"},
	    {"dns", "names are not resolved"},
	    {"captive_portal", "a login page answers in place of the Internet"},
	    {"hub", "the line works, our hub does not answer"},
	    {"ipv4", "IPv4 does not work"},
	    {"ipv6", "IPv6 does not work"},
	};
	return look_up(words, SP_COUNT(words), cause);
}

const char *sp_show_whose(const char *whose)
{
	static const struct word words[] = {
	    {"school", "the school's"},
	    {"provider", "the provider's"},
	    {"resolver", "the resolver's"},
	    {"account", "the account's"},
	    {"ours", "ours"},
	    {"nobody", "nobody's"},
	    {"unresolved", "not known whose"},
	};
	return look_up(words, SP_COUNT(words), whose);
}

enum sp_style sp_show_style(const char *state)
{
	static const char *const good[] = {"up", "ok", "writable", "online"};
	static const char *const bad[] = {"down", "silent", "wrong", "failed", "full", "read_only"};
	for (size_t i = 0; i < SP_COUNT(good); i++)
		if (strcmp(good[i], state) == 0)
			return SP_STYLE_GOOD;
	for (size_t i = 0; i < SP_COUNT(bad); i++)
		if (strcmp(bad[i], state) == 0)
			return SP_STYLE_BAD;
	return SP_STYLE_WARN;
}
