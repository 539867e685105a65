// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The table of probes under way (ping.h): each is known by its sequence number, its cookie and the address it
// went to; a message that does not match all of them is somebody else's.
#include "ping.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "ping_socket.h"
#include "schoolpulse/io.h"
#include "schoolpulse/log.h"

enum {
	PROBES = 64,
	LINGER_US = 4 * 1000 * 1000, ///< how long after its timeout a probe is still recognised
	WAKE_LIMIT = 64,             ///< messages read at one go
	HEADER_V4 = 20,
	HEADER_V6 = 40,
};

struct probe {
	bool open, told;
	struct sockaddr_storage to;
	struct sp_icmp_echo echo;
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
	uint16_t seq;
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

static void tell(struct sp_ping *ping, struct probe *probe, enum sp_ping_outcome outcome, const char *error)
{
	size_t size = header(probe) + SP_ICMP_PROBE;
	struct sp_ping_result result = {
	    .outcome = outcome,
	    .sent_us = probe->sent_us,
	    .rtt_us = outcome == SP_PING_ANSWER ? sp_device_now_us(ping->dev) - probe->sent_us : -1,
	    .error = error,
	    .bytes = outcome == SP_PING_ANSWER ? (probe->told ? size : 2 * size) : size,
	};
	sp_ping_fn fn = probe->fn;
	void *arg = probe->arg;
	probe->told = true;
	if (outcome != SP_PING_LOST)
		probe->open = false;
	fn(ping->dev, &result, arg);
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
			tell(ping, probe, SP_PING_LOST, NULL);
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
		return probe;
	}
	return NULL;
}

static void on_message(struct sp_ping *ping, struct family *family, const struct sp_icmp_message *message,
		       const struct sockaddr_storage *from)
{
	if (message->kind == SP_ICMP_OTHER)
		return;
	struct probe *probe = find(ping, family, message, from);
	if (!probe)
		return;
	if (message->kind == SP_ICMP_REPLY)
		tell(ping, probe, SP_PING_ANSWER, NULL);
	else if (!probe->told)
		tell(ping, probe, SP_PING_REFUSED,
		     sp_icmp_error_text(family->socket.ipv6, message->kind, message->code));
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

int sp_ping_send(struct sp_ping *ping, const struct sockaddr_storage *to, int64_t timeout_ms, sp_ping_fn fn,
		 void *arg)
{
	bool ipv6 = to->ss_family == AF_INET6;
	struct family *family = &ping->families[ipv6];
	int result = open_family(ping, family, ipv6);
	if (result < 0)
		return result;
	struct probe *probe = free_probe(ping);
	if (!probe)
		return -EAGAIN;
	*probe = (struct probe){.to = *to, .fn = fn, .arg = arg};
	probe->echo.seq = ping->seq++;
	if (getrandom(probe->echo.cookie, SP_ICMP_COOKIE, 0) != SP_ICMP_COOKIE)
		return -EIO;
	probe->sent_us = sp_device_now_us(ping->dev);
	probe->lost_us = probe->sent_us + timeout_ms * 1000;
	result = sp_ping_socket_send(&family->socket, to, &probe->echo);
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
