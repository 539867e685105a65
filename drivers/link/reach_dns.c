// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The resolver's rung: the system's resolvers are asked in turn, and now and then an anchor directly. One
// question without a good answer starts a burst over all of them, whose findings dns_verdict.c sums up.
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "anchors.h"
#include "no_way.h"
#include "reach.h"

enum {
	PORT = 53,
	QUESTIONS = 6, ///< before a resolver is called silent: 3 % random loss each way fells none that works
	BURST_MS = 3000,
	DIRECT_EVERY = 20, ///< questions to the resolver for one that goes to an anchor
	NOT_OK_US = 4000000,
	RESOLV_MAX = 8192,
};

static void next_wave(struct sp_reach_dns *dns);

// ---- whom to ask --------------------------------------------------------------------------------

static void label(struct sp_dns_server *server)
{
	const struct sockaddr_storage *s = &server->endpoint.address;
	struct sp_dns_address address = {.family = s->ss_family};
	if (s->ss_family == AF_INET6)
		memcpy(address.bytes, &((const struct sockaddr_in6 *)s)->sin6_addr, 16);
	else
		memcpy(address.bytes, &((const struct sockaddr_in *)s)->sin_addr, 4);
	server->local = sp_dns_is_local(&address);
	if (server->local)
		snprintf(server->label, sizeof(server->label), "the local resolver");
	else
		(void)sp_endpoint_host(&server->endpoint, server->label, sizeof(server->label));
}

static void set_interface(struct sp_dns_server *server, const char *interface)
{
	// A resolver on the board itself is not behind any interface.
	const struct sockaddr_in *in = (const struct sockaddr_in *)&server->endpoint.address;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&server->endpoint.address;
	bool here = in->sin_family == AF_INET ? ntohl(in->sin_addr.s_addr) >> 24 == 127
					      : IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
	sp_anchors_leave_by(&server->endpoint, here ? "" : interface);
}

static void set_address(struct sp_dns_server *server, const struct sp_resolver *resolver)
{
	memset(&server->endpoint, 0, sizeof(server->endpoint));
	if (resolver->family == AF_INET6) {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&server->endpoint.address;
		*in6 = (struct sockaddr_in6){
		    .sin6_family = AF_INET6, .sin6_port = htons(PORT), .sin6_addr = resolver->v6};
		in6->sin6_scope_id = resolver->zone[0] ? if_nametoindex(resolver->zone) : 0;
	} else {
		struct sockaddr_in *in = (struct sockaddr_in *)&server->endpoint.address;
		*in = (struct sockaddr_in){
		    .sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr = resolver->v4};
	}
}

static ssize_t read_file(const char *path, char *out, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	ssize_t n = read(fd, out, size);
	close(fd);
	return n < 0 ? -errno : n;
}

/// The system's resolvers, read anew each time: DHCP may have changed them. Only while no question is open.
static void load_resolvers(struct sp_reach_dns *dns)
{
	const struct sp_reach_conf *conf = dns->reach->conf;
	char text[RESOLV_MAX];
	struct sp_resolver resolvers[SP_RESOLVERS];
	ssize_t length = read_file(conf->resolv_conf, text, sizeof(text));
	size_t count = length > 0 ? sp_resolv_parse(text, (size_t)length, resolvers) : 0;
	unsigned direct = dns->count - dns->resolvers;
	memmove(&dns->servers[count], &dns->servers[dns->resolvers], direct * sizeof(dns->servers[0]));
	for (size_t i = 0; i < count; i++) {
		struct sp_dns_server *server = &dns->servers[i];
		*server = (struct sp_dns_server){.dns = dns};
		set_address(server, &resolvers[i]);
		set_interface(server, dns->reach->interface);
		label(server);
	}
	dns->resolvers = (unsigned)count;
	dns->count = (unsigned)count + direct;
}

// ---- one question -------------------------------------------------------------------------------

static bool accepts(const uint8_t *data, size_t length, void *arg)
{
	const struct sp_dns_server *server = arg;
	return sp_dns_belongs(data, length, &server->question);
}

static bool is_random(const struct sp_reach_dns *dns)
{
	return dns->reach->conf->dns_name[0] == '*';
}

static void judge(struct sp_dns_server *server, int result, const uint8_t *data, size_t length)
{
	struct sp_dns_finding *finding = &server->finding;
	const struct sp_reach_dns *dns = server->dns;
	struct sp_dns_answer answer;
	if (sp_no_way(result)) {
		finding->result = SP_DNS_UNASKED;
	} else if (result == -ECONNREFUSED) {
		finding->result = SP_DNS_WRONG;
		finding->why = "no DNS server there";
	} else if (result < 0) {
		finding->result = SP_DNS_SILENT;
	} else if (sp_dns_parse(data, length, &server->question, &answer) < 0) {
		finding->result = SP_DNS_WRONG;
		finding->why = "a broken answer";
	} else {
		sp_dns_judge(&answer, &dns->reach->conf->dns_expect, is_random(dns), finding);
	}
}

static void hear_witnesses(const struct sp_reach_dns *dns, struct sp_dns_witness out[SP_DNS_SERVERS])
{
	for (unsigned i = 0; i < dns->count; i++) {
		const struct sp_dns_server *server = &dns->servers[i];
		out[i] =
		    (struct sp_dns_witness){server->label, server->direct, server->local, &server->finding};
	}
}

static void conclude(struct sp_reach_dns *dns)
{
	struct sp_dns_witness witnesses[SP_DNS_SERVERS];
	struct sp_dns_verdict verdict;
	hear_witnesses(dns, witnesses);
	sp_dns_conclude(witnesses, dns->count, sp_reach_all_silent(dns->reach), &verdict);
	int64_t now = sp_device_now_us(dns->reach->dev);
	bool broken = verdict.status == SP_RUNG_SILENT || verdict.status == SP_RUNG_WRONG;
	bool news = verdict.status != dns->status || dns->since_us == 0;
	if (!broken || !news || dns->doubt_us == 0)
		dns->doubt_us = broken && news ? dns->began_us : 0;
	if (broken && news && !sp_reach_alive_since(dns->reach, dns->doubt_us)) {
		dns->due_us = now; // it may be the line: the sentinel is about to say so
		return;
	}
	if (news) {
		dns->status = verdict.status;
		dns->since_us = dns->doubt_us ? dns->doubt_us : dns->began_us;
		dns->doubt_us = 0;
	}
	int64_t wait_us = dns->reach->conf->scope_interval_ms * 1000;
	dns->due_us = now + (broken && wait_us > NOT_OK_US ? NOT_OK_US : wait_us);
	struct sp_rung_report report = {.rung = SP_RUNG_DNS,
					.family = SP_FAMILY_ANY,
					.status = verdict.status,
					.since_us = dns->since_us,
					.rtt_us = verdict.rtt_us,
					.detail = verdict.detail,
					.reason = verdict.reason,
					.host = verdict.host};
	sp_rung_report(dns->reach->dev, &report);
}

/// Of a burst: as many as it takes, each of all servers. The single question before counts as one.
static unsigned waves(const struct sp_reach_dns *dns)
{
	unsigned count = dns->resolvers ? (QUESTIONS - 1 + dns->resolvers - 1) / dns->resolvers : 2;
	return count < 2 ? 2 : count;
}

static bool resolver_good(const struct sp_reach_dns *dns)
{
	struct sp_dns_witness witnesses[SP_DNS_SERVERS];
	hear_witnesses(dns, witnesses);
	if (sp_dns_contradicted(witnesses, dns->count))
		return false;
	for (unsigned i = 0; i < dns->resolvers; i++)
		if (dns->servers[i].finding.result == SP_DNS_GOOD)
			return true;
	return false;
}

static void on_answer(struct sp_device *dev, int result, const uint8_t *data, size_t length,
		      int64_t elapsed_us, void *arg)
{
	struct sp_dns_server *server = arg;
	struct sp_reach_dns *dns = server->dns;
	server->exchange = NULL;
	judge(server, result, data, length);
	if (result == 0) {
		bool v6 = server->endpoint.address.ss_family == AF_INET6;
		sp_reach_count(dns->reach, length + (v6 ? 48 : 28));
		server->finding.rtt_us = elapsed_us;
		sp_sample(dev, SP_REACH_DNS, server->direct ? "direct" : "resolver",
			  (double)elapsed_us / 1e6);
	}
	if (--dns->open > 0)
		return;
	if (resolver_good(dns) || dns->resolvers == 0 || dns->wave >= waves(dns))
		conclude(dns);
	else
		next_wave(dns);
}

static void make_name(const struct sp_reach_dns *dns, char out[SP_DNS_NAME])
{
	const char *name = dns->reach->conf->dns_name;
	uint8_t random[8] = {0};
	if (is_random(dns) && getrandom(random, sizeof(random), 0) == sizeof(random)) {
		for (size_t i = 0; i < sizeof(random); i++)
			out[i] = (char)('a' + random[i] % 26);
		snprintf(out + sizeof(random), SP_DNS_NAME - sizeof(random), "%s", name + 1);
	} else {
		snprintf(out, SP_DNS_NAME, "%s", name);
	}
}

static void ask(struct sp_dns_server *server, int64_t timeout_ms)
{
	struct sp_reach_dns *dns = server->dns;
	uint8_t message[SP_DNS_QUESTION];
	server->finding = (struct sp_dns_finding){.sent_us = sp_device_now_us(dns->reach->dev), .rtt_us = -1};
	server->question.type = SP_DNS_A;
	make_name(dns, server->question.name);
	if (getrandom(&server->question.id, sizeof(server->question.id), 0) != sizeof(server->question.id))
		return;
	ssize_t length = sp_dns_encode(message, &server->question);
	if (length < 0)
		return; // start() has looked at the name
	bool v6 = server->endpoint.address.ss_family == AF_INET6;
	sp_reach_count(dns->reach, (size_t)length + (v6 ? 48 : 28));
	dns->open++;
	server->exchange = sp_udp_exchange(dns->reach->dev, &server->endpoint, message, (size_t)length,
					   timeout_ms, accepts, on_answer, server);
}

// ---- whole rounds -------------------------------------------------------------------------------

static void next_wave(struct sp_reach_dns *dns)
{
	dns->wave++;
	for (unsigned i = 0; i < dns->count; i++)
		ask(&dns->servers[i], BURST_MS / waves(dns));
	if (dns->open == 0)
		conclude(dns);
}

void sp_reach_dns_begin(struct sp_reach_dns *dns)
{
	if (dns->open)
		return;
	load_resolvers(dns);
	dns->began_us = sp_device_now_us(dns->reach->dev);
	dns->wave = 0;
	dns->begun++;
	for (unsigned i = 0; i < dns->count; i++)
		dns->servers[i].finding = (struct sp_dns_finding){.result = SP_DNS_UNASKED, .rtt_us = -1};
	unsigned direct = dns->count - dns->resolvers;
	if (dns->status == SP_RUNG_SILENT || dns->status == SP_RUNG_WRONG) {
		dns->wave = waves(dns) - 1;
		next_wave(dns);
		return;
	}
	if (dns->resolvers)
		ask(&dns->servers[dns->begun % dns->resolvers], dns->reach->conf->timeout_ms);
	if (direct && (dns->begun % DIRECT_EVERY == 0 || dns->resolvers == 0))
		ask(&dns->servers[dns->resolvers + dns->begun / DIRECT_EVERY % direct],
		    dns->reach->conf->timeout_ms);
	if (dns->open == 0)
		conclude(dns);
}

void sp_reach_dns_again(struct sp_reach_dns *dns)
{
	for (unsigned i = 0; i < dns->count; i++) {
		sp_exchange_cancel(dns->servers[i].exchange);
		dns->servers[i].exchange = NULL;
	}
	dns->open = 0;
	sp_reach_dns_begin(dns);
}

void sp_reach_dns_init(struct sp_reach *reach, struct sp_reach_dns *dns)
{
	const struct sp_strings *list = &reach->conf->dns_direct;
	dns->reach = reach;
	for (size_t i = 0; i < list->count && dns->count < SP_DNS_SERVERS - SP_RESOLVERS; i++) {
		struct sp_dns_server *server = &dns->servers[dns->count];
		*server = (struct sp_dns_server){.dns = dns, .direct = true};
		if (sp_endpoint_parse(&server->endpoint, list->items[i], PORT) < 0)
			continue;
		set_interface(server, reach->interface);
		label(server);
		dns->count++;
	}
}
