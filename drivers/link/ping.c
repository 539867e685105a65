// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The table of probes under way (ping.h): each is known by its random sequence number, its cookie and the
// address it went to; a message that does not match all of them is somebody else's.
#include "ping.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "ping_socket.h"
#include "schoolpulse/io.h"
#include "schoolpulse/log.h"

enum {
	PROBES = 64,
	ERROR_HEADER = 8,
	ERROR_MOST_V4 = 576,  ///< RFC 1812 §4.3.2.3
	ERROR_MOST_V6 = 1280, ///< RFC 4443 §2.4
	SEQ_TRIES = 16,
	LINGER_US = 4 * 1000 * 1000, ///< how long after its timeout a probe is still recognised
	WAKE_LIMIT = 64,             ///< messages read at one go
	HEADER_V4 = 20,
	HEADER_V6 = 40,
};

struct probe {
	bool open, told;
	struct sockaddr_storage to;
	struct sp_icmp_echo echo;
	size_t size;              ///< of ICMP
	int64_t sent_us, lost_us; ///< lost_us: when it is given up
	sp_ping_fn fn;
	void *arg;
};

struct family {
	struct sp_ping_socket socket;
	struct sp_watch *watch;
	bool forbidden;
};

struct sp_ping {
	struct sp_device *dev;
	char interface[16];
	struct family families[2]; ///< IPv4, IPv6
	struct sp_timer *timer;
	struct probe probes[PROBES];
};

static size_t header(const struct probe *probe)
{
	return probe->to.ss_family == AF_INET6 ? HEADER_V6 : HEADER_V4;
}

// ---- the clockwork --------------------------------------------------------------------------

static int64_t next_us(const struct probe *probe)
{
	return probe->told ? probe->lost_us + LINGER_US : probe->lost_us;
}

static void arm(struct sp_ping *ping)
{
	int64_t next = INT64_MAX;
	for (size_t i = 0; i < PROBES; i++)
		if (ping->probes[i].open && next_us(&ping->probes[i]) < next)
			next = next_us(&ping->probes[i]);
	if (next == INT64_MAX) {
		sp_timer_stop(ping->timer);
		return;
	}
	int64_t delay = next - sp_device_now_us(ping->dev);
	sp_timer_start(ping->timer, delay > 0 ? (delay + 999) / 1000 : 0);
}

/// What came back, with its IP header. Of an error: two IP headers, the error's and as much of the probe as
/// most routers quote.
static size_t returned(const struct probe *probe, enum sp_ping_outcome outcome)
{
	size_t whole = header(probe) + probe->size;
	if (outcome == SP_PING_LOST)
		return 0;
	if (outcome == SP_PING_ANSWER)
		return whole;
	size_t most = probe->to.ss_family == AF_INET6 ? ERROR_MOST_V6 : ERROR_MOST_V4;
	size_t error = header(probe) + ERROR_HEADER + whole;
	return error < most ? error : most;
}

static void tell(struct sp_ping *ping, struct probe *probe, struct sp_ping_result *result)
{
	bool back = result->outcome == SP_PING_ANSWER || result->outcome == SP_PING_EXPIRED;
	result->sent_us = probe->sent_us;
	result->rtt_us = back ? sp_device_now_us(ping->dev) - probe->sent_us : -1;
	result->bytes = (probe->told ? 0 : header(probe) + probe->size) + returned(probe, result->outcome);
	sp_ping_fn fn = probe->fn;
	void *arg = probe->arg;
	probe->told = true;
	if (result->outcome != SP_PING_LOST)
		probe->open = false;
	fn(ping->dev, result, arg);
}

static void on_timer(struct sp_device *dev, void *arg)
{
	struct sp_ping *ping = arg;
	int64_t now = sp_device_now_us(dev);
	for (size_t i = 0; i < PROBES; i++) {
		struct probe *probe = &ping->probes[i];
		if (!probe->open || next_us(probe) > now)
			continue;
		if (probe->told)
			probe->open = false;
		else
			tell(ping, probe, &(struct sp_ping_result){.outcome = SP_PING_LOST});
	}
	arm(ping);
}

// ---- what comes back ------------------------------------------------------------------------

static const void *bytes_of(const struct sockaddr_storage *address)
{
	if (address->ss_family == AF_INET6)
		return &((const struct sockaddr_in6 *)address)->sin6_addr;
	return &((const struct sockaddr_in *)address)->sin_addr;
}

static struct probe *find(struct sp_ping *ping, const struct family *family,
			  const struct sp_icmp_message *message, const struct sockaddr_storage *from)
{
	bool reply = message->kind == SP_ICMP_REPLY;
	if (message->echo.id != family->socket.id)
		return NULL;
	for (size_t i = 0; i < PROBES; i++) {
		struct probe *probe = &ping->probes[i];
		if (!probe->open || probe->echo.seq != message->echo.seq ||
		    (probe->to.ss_family == AF_INET6) != family->socket.ipv6)
			continue;
		size_t size = family->socket.ipv6 ? 16 : 4;
		if (memcmp(bytes_of(&probe->to), reply ? bytes_of(from) : message->target, size) != 0)
			continue;
		// A router may quote less than the cookie; it can only take a probe for lost, never for
		// answered.
		if ((reply || message->has_cookie) &&
		    memcmp(message->echo.cookie, probe->echo.cookie, SP_ICMP_COOKIE) != 0)
			continue;
		if (reply && message->size != probe->size)
			continue;
		return probe;
	}
	return NULL;
}

static enum sp_ping_outcome outcome_of(enum sp_icmp_kind kind)
{
	switch (kind) {
	case SP_ICMP_REPLY:
		return SP_PING_ANSWER;
	case SP_ICMP_EXPIRED:
		return SP_PING_EXPIRED;
	case SP_ICMP_TOO_BIG:
		return SP_PING_TOO_BIG;
	case SP_ICMP_UNREACHABLE:
	case SP_ICMP_OTHER:
		break;
	}
	return SP_PING_REFUSED;
}

static void on_message(struct sp_ping *ping, struct family *family, const struct sp_icmp_message *message,
		       const struct sockaddr_storage *from)
{
	if (message->kind == SP_ICMP_OTHER)
		return;
	struct probe *probe = find(ping, family, message, from);
	if (!probe)
		return;
	enum sp_ping_outcome outcome = outcome_of(message->kind);
	// An error that comes after its time changes nothing; who was at the hop limit is worth knowing late.
	if (probe->told && outcome != SP_PING_ANSWER && outcome != SP_PING_EXPIRED)
		return;
	struct sp_ping_result result = {.outcome = outcome, .from = *from, .mtu = message->mtu};
	if (outcome != SP_PING_ANSWER)
		result.error = sp_icmp_error_text(family->socket.ipv6, message->kind, message->code);
	tell(ping, probe, &result);
}

static void on_readable(struct sp_device *dev, int fd, unsigned events, void *arg)
{
	(void)dev, (void)fd, (void)events;
	struct sp_ping *ping = arg;
	for (size_t f = 0; f < 2; f++) {
		struct family *family = &ping->families[f];
		struct sp_icmp_message message;
		struct sockaddr_storage from;
		for (int i = 0; i < WAKE_LIMIT && family->socket.fd >= 0; i++) {
			int result = sp_ping_socket_receive(&family->socket, &message, &from);
			if (result == 0)
				break;
			if (result > 0)
				on_message(ping, family, &message, &from);
		}
	}
	arm(ping);
}

// ---- sending --------------------------------------------------------------------------------

static void close_family(struct family *family)
{
	sp_watch_free(family->watch);
	family->watch = NULL;
	sp_ping_socket_close(&family->socket);
}

static int open_family(struct sp_ping *ping, struct family *family, bool ipv6)
{
	if (family->socket.fd >= 0)
		return 0;
	int result = sp_ping_socket_open(&family->socket, ipv6, ping->interface);
	if (result == -EPERM && !family->forbidden) {
		family->forbidden = true;
		sp_warning("ping",
			   "neither ping nor raw sockets are permitted for %s: only TCP connects can tell "
			   "whether a host "
			   "answers",
			   ipv6 ? "IPv6" : "IPv4");
	}
	if (result < 0)
		return result == -EAFNOSUPPORT ? -ENETUNREACH : result;
	family->watch = sp_watch_new(ping->dev, family->socket.fd, SP_READABLE, on_readable, ping);
	if (family->watch)
		return 0;
	result = errno ? -errno : -EIO;
	close_family(family);
	return result;
}

static struct probe *free_probe(struct sp_ping *ping)
{
	struct probe *oldest = NULL;
	for (size_t i = 0; i < PROBES; i++) {
		struct probe *probe = &ping->probes[i];
		if (!probe->open)
			return probe;
		if (probe->told && (!oldest || probe->sent_us < oldest->sent_us))
			oldest = probe;
	}
	return oldest;
}

/// A router may quote no more than id and sequence: the number has to be hard to guess, and ours alone.
static int draw_seq(struct sp_ping *ping, uint16_t *out)
{
	for (int attempt = 0; attempt < SEQ_TRIES; attempt++) {
		bool taken = false;
		if (getrandom(out, sizeof(*out), 0) != sizeof(*out))
			return -EIO;
		for (size_t i = 0; i < PROBES; i++)
			taken |= ping->probes[i].open && ping->probes[i].echo.seq == *out;
		if (!taken)
			return 0;
	}
	return -EAGAIN;
}

static int prepare(struct sp_ping *ping, struct probe *probe, const struct sp_ping_question *question)
{
	size_t ip = question->to->ss_family == AF_INET6 ? HEADER_V6 : HEADER_V4;
	probe->to = *question->to;
	probe->size = SP_ICMP_PROBE;
	if (question->size > ip + SP_ICMP_PROBE)
		probe->size = question->size - ip;
	if (probe->size > SP_ICMP_MOST)
		probe->size = SP_ICMP_MOST;
	if (getrandom(probe->echo.cookie, SP_ICMP_COOKIE, 0) != SP_ICMP_COOKIE)
		return -EIO;
	probe->sent_us = sp_device_now_us(ping->dev);
	probe->lost_us = probe->sent_us + question->timeout_ms * 1000;
	return draw_seq(ping, &probe->echo.seq);
}

int sp_ping_ask(struct sp_ping *ping, const struct sp_ping_question *question, sp_ping_fn fn, void *arg)
{
	bool ipv6 = question->to->ss_family == AF_INET6;
	struct family *family = &ping->families[ipv6];
	int result = open_family(ping, family, ipv6);
	if (result < 0)
		return result;
	struct probe *probe = free_probe(ping);
	if (!probe)
		return -EAGAIN;
	*probe = (struct probe){.fn = fn, .arg = arg};
	result = prepare(ping, probe, question);
	if (result < 0)
		return result;
	result = sp_ping_socket_send(&family->socket, question->to, probe->size, question->ttl, &probe->echo);
	if (result < 0) {
		// A socket bound to an interface stays bound to the one that went away: the next probe opens
		// it anew.
		if (result == -ENETUNREACH && ping->interface[0])
			close_family(family);
		return result;
	}
	probe->open = true;
	arm(ping);
	return 0;
}

int sp_ping_send(struct sp_ping *ping, const struct sockaddr_storage *to, int64_t timeout_ms, sp_ping_fn fn,
		 void *arg)
{
	struct sp_ping_question question = {.to = to, .timeout_ms = timeout_ms};
	return sp_ping_ask(ping, &question, fn, arg);
}

bool sp_ping_permitted(struct sp_ping *ping, int family)
{
	return !ping->families[family == AF_INET6].forbidden;
}

struct sp_ping *sp_ping_new(struct sp_device *dev, const char *interface)
{
	struct sp_ping *ping = calloc(1, sizeof(*ping));
	if (!ping)
		return NULL;
	ping->dev = dev;
	size_t size = strnlen(interface, sizeof(ping->interface) - 1);
	memcpy(ping->interface, interface, size);
	ping->families[0].socket.fd = ping->families[1].socket.fd = -1;
	ping->timer = sp_timer_new(dev, on_timer, ping);
	return ping;
}

void sp_ping_free(struct sp_ping *ping)
{
	if (!ping)
		return;
	close_family(&ping->families[0]);
	close_family(&ping->families[1]);
	sp_timer_free(ping->timer);
	free(ping);
}
