// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The feed's words in people's language.
#include <stdio.h>
#include <string.h>

#include "agent/base/language.h"
#include "agent/cli/show.h"

const char *sp_show_word(const struct sp_word *words, size_t count, const char *word)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(words[i].word, word) == 0)
			return _(words[i].text);
	return word;
}

const char *sp_show_cause(const char *cause)
{
	static const struct sp_word words[] = {
	    {"none", N_("nothing decisive is measured")},
	    {"cable", N_("no carrier on the cable")},
	    {"address", N_("no address or no default route")},
	    {"gateway", N_("the router does not answer")},
	    {"isp_access", N_("the provider's first hop is silent")},
	    {"isp_core", N_("the provider's first hop answers, domestic hosts do not")},
	    {"isp", N_("nothing beyond the router answers")},
	    {"international", N_("hosts abroad are silent")},
	    {"dns", N_("names are not resolved")},
	    {"captive_portal", N_("a login page answers in place of the Internet")},
	    {"hub", N_("the line works, our hub does not answer")},
	    {"ipv4", N_("IPv4 does not work")},
	    {"ipv6", N_("IPv6 does not work")},
	    {"mtu", N_("large packets vanish on the way")},
	    {"power", N_("the board had no power")},
	    {"reboot", N_("the board restarted")},
	    {"agent", N_("the agent was not running")},
	};
	return sp_show_word(words, SP_COUNT(words), cause);
}

const char *sp_show_whose(const char *whose)
{
	static const struct sp_word words[] = {
	    {"school", N_("the school's")},
	    {"provider", N_("the provider's")},
	    {"resolver", N_("the resolver's")},
	    {"account", N_("the account's")},
	    {"ours", N_("ours")},
	    {"nobody", N_("nobody's")},
	    {"unresolved", N_("not known whose")},
	};
	return sp_show_word(words, SP_COUNT(words), whose);
}

const char *sp_show_state(const char *state)
{
	static const struct sp_word words[] = {
	    {"up", N_("up")},
	    {"degraded", N_("degraded")},
	    {"down", N_("down")},
	    {"unknown", N_("unknown")},
	    {"ok", N_("ok")},
	    {"silent", N_("silent")},
	    {"wrong", N_("wrong")},
	    {"disabled", N_("disabled")},
	    {"writable", N_("writable")},
	    {"read_only", N_("read-only")},
	    {"full", N_("full")},
	    {"failed", N_("failed")},
	};
	return sp_show_word(words, SP_COUNT(words), state);
}

const char *sp_show_rung(const char *rung)
{
	static const struct sp_word words[] = {
	    {"cable", N_("cable")},
	    {"address", N_("address")},
	    {"gateway", N_("gateway")},
	    {"isp_access", N_("first hop")},
	    {"isp_core", N_("domestic")},
	    {"international", N_("international")},
	    {"dns", N_("DNS")},
	    {"portal", N_("portal check")},
	    {"hub", N_("hub")},
	    {"service", N_("platforms")},
	    {"full_size", N_("full-size packet")},
	};
	return sp_show_word(words, SP_COUNT(words), rung);
}

const char *sp_show_family(const char *family)
{
	static const struct sp_word words[] = {{"any", ""}, {"ipv4", "IPv4"}, {"ipv6", "IPv6"}};
	for (size_t i = 0; i < SP_COUNT(words); i++)
		if (strcmp(words[i].word, family) == 0)
			return words[i].text;
	return family;
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
