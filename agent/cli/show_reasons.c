// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Evidence in people's language: the vocabulary of feed/README.md. What has no word here shows the board's
// own English text.
#include <stdio.h>
#include <string.h>

#include "agent/base/language.h"
#include "agent/cli/show.h"

static const struct {
	const char *word, *text;
} reasons[] = {
    {"address_and_route", N_("an address and a default route")},
    {"all_silent", N_("every host asked kept silent")},
    {"another_page", N_("another page came instead")},
    {"answered", N_("answered")},
    {"answered_dns", N_("answered a DNS question, pings go unanswered")},
    {"answered_tcp", N_("answered by TCP, pings go unanswered")},
    {"answers", N_("a platform answered with a trusted certificate")},
    {"arp", N_("the router answers ARP")},
    {"carrier", N_("connected")},
    {"clock", N_("the board does not know the time, so no certificate can be judged")},
    {"cut_off", N_("the answer broke off")},
    {"echo", N_("the router answers pings")},
    {"expected_page", N_("the expected page")},
    {"from_memory", N_("an answer that may be an old one")},
    {"frugal", N_("not asked, to spare the line")},
    {"full_size_lost", N_("full-size packets vanish, small ones are answered")},
    {"full_size_unproven", N_("too few hosts have ever answered a full-size packet")},
    {"hop_deaf", N_("it keeps silent while what lies beyond answers")},
    {"hop_not_found", N_("no hop is surely the provider's")},
    {"hop_silent", N_("it used to answer and does not")},
    {"incoming_bytes", N_("bytes came in while probes were silent")},
    {"interface_gone", N_("the interface is gone")},
    {"line", N_("the line is not usable")},
    {"ndp", N_("the router answers neighbour discovery")},
    {"no_address", N_("no address")},
    {"no_answer", N_("nothing came")},
    {"no_carrier", N_("the cable or its other end is dead")},
    {"no_default_route", N_("an address, but no way out")},
    {"no_dhcp_answer", N_("no DHCP server answers")},
    {"no_echo_permitted", N_("the system does not let the agent send pings")},
    {"no_interface", N_("there is no such interface")},
    {"no_resolver", N_("no resolver can be asked")},
    {"no_route", N_("there is no way to ask")},
    {"no_router", N_("a point-to-point link has no router")},
    {"no_router_advertisement", N_("no router announces itself")},
    {"not_measured", N_("nothing came that could be judged")},
    {"other_family", N_("the page came by the other family")},
    {"redirected", N_("sent to another page")},
    {"refused_by_router", N_("silent, and a router says why")},
    {"resolver_answers", N_("the resolver answers")},
    {"resolver_lies", N_("a false address")},
    {"resolver_silent", N_("the resolver is silent")},
    {"resolver_wrong", N_("an error, or no address in the answer")},
    {"route_changed", N_("the default route is another one")},
    {"server_error", N_("the server speaks of trouble of its own")},
    {"simulated", N_("simulated")},
    {"tcp", N_("the router answers TCP")},
    {"time_exceeded", N_("answered")},
    {"too_big", N_("routers ask for ever smaller packets")},
    {"untrusted", N_("the certificate is not to be trusted")},
};

const char *sp_show_reason(const cJSON *evidence, char out[256])
{
	const char *reason = sp_member_text(evidence, "reason"), *host = sp_member_text(evidence, "host");
	for (size_t i = 0; i < SP_COUNT(reasons); i++) {
		if (strcmp(reasons[i].word, reason) != 0)
			continue;
		if (host[0])
			snprintf(out, 256, "%s (%.100s)", _(reasons[i].text), host);
		else
			snprintf(out, 256, "%s", _(reasons[i].text));
		return out;
	}
	snprintf(out, 256, "%s", sp_member_text(evidence, "detail"));
	return out;
}
