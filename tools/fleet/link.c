// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// See the header.
#include "tools/fleet/link.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/mem.h"

enum { PACKET_MAX = 256 * 1024, SPARE_DESCRIPTORS = 64, PORTS_EACH = 20000 };

int64_t sp_link_raise_limit(int64_t boards, bool *enough)
{
	struct rlimit limit = {0};
	getrlimit(RLIMIT_NOFILE, &limit);
	rlim_t need = (rlim_t)(boards + SPARE_DESCRIPTORS);
	if (limit.rlim_cur < need) {
		struct rlimit more = {.rlim_cur = need,
				      .rlim_max = limit.rlim_max > need ? limit.rlim_max : need};
		// Beyond the hard limit only root may, and not everywhere.
		if (setrlimit(RLIMIT_NOFILE, &more) < 0) {
			more = (struct rlimit){.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
			(void)setrlimit(RLIMIT_NOFILE, &more);
		}
		getrlimit(RLIMIT_NOFILE, &limit);
	}
	*enough = limit.rlim_cur >= need;
	return (int64_t)limit.rlim_cur;
}

static void set_loopback(struct sp_link_way *way)
{
	way->loopback = way->to.any.sa_family == AF_INET && ntohl(way->to.v4.sin_addr.s_addr) >> 24 == 127;
	if (way->most == 0)
		way->most = 200;
}

int sp_link_resolve(struct sp_link_way *way, const char *broker, uint16_t port, char why[160])
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
	struct addrinfo *list = NULL;
	char number[8];
	snprintf(number, sizeof(number), "%u", port);
	int result = getaddrinfo(broker, number, &hints, &list);
	if (result != 0) {
		snprintf(why, 160, "%s: %s", broker, gai_strerror(result));
		return -EINVAL;
	}
	// IPv4 first: only there has the loopback more than one address.
	const struct addrinfo *best = list;
	for (const struct addrinfo *one = list; one; one = one->ai_next)
		if (one->ai_family == AF_INET && best->ai_family != AF_INET)
			best = one;
	memcpy(&way->to, best->ai_addr, best->ai_addrlen);
	way->size = best->ai_addrlen;
	freeaddrinfo(list);
	set_loopback(way);
	return 0;
}

// ---- connecting -----------------------------------------------------------------------------------------

void sp_link_init(struct sp_link *link)
{
	*link = (struct sp_link){.fd = -1};
	sp_mqtt_check_init(&link->check, PACKET_MAX);
}

void sp_link_close(struct sp_link *link)
{
	sp_tls_close(link->ssl);
	link->ssl = NULL;
	if (link->fd >= 0)
		close(link->fd);
	link->fd = -1;
	link->phase = SP_LINK_CLOSED;
	link->sent = 0;
	sp_mqtt_check_free(&link->check);
}

void sp_link_free(struct sp_link *link)
{
	sp_link_close(link);
	sp_tls_free(link->tls);
}

static int new_socket(const struct sp_link_way *way)
{
	int one = 1, fd = socket(way->to.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd < 0 ? -errno : fd;
}

/// The port is chosen by connect(), which knows the whole tuple, not by bind().
static int from_source(int fd, unsigned source)
{
	int one = 1;
	struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001u + source)};
	setsockopt(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	return bind(fd, (const struct sockaddr *)&from, sizeof(from)) < 0 ? -errno : 0;
}

static int dial_from(struct sp_link *link, const struct sp_link_way *way, unsigned source)
{
	int fd = new_socket(way);
	if (fd < 0)
		return fd;
	int result = way->sources > 0 ? from_source(fd, source) : 0;
	if (result == 0 && connect(fd, &way->to.any, way->size) < 0 && errno != EINPROGRESS)
		result = -errno;
	if (result < 0) {
		close(fd);
		return result;
	}
	link->fd = fd;
	link->phase = SP_LINK_DIALING;
	link->wants = POLLOUT;
	return 0;
}

int sp_link_dial(struct sp_link *link, struct sp_link_way *way, size_t index)
{
	unsigned first = way->sources > 0 ? (unsigned)(index / PORTS_EACH) % way->sources : 0;
	for (unsigned i = 0; i < (way->sources > 0 ? way->sources : 1); i++) {
		int result = dial_from(link, way, (first + i) % (way->sources ? way->sources : 1));
		if (result != -EADDRNOTAVAIL)
			return result;
	}
	// All ports of these addresses are taken.
	if (!way->loopback || (way->sources ? way->sources : 1) >= way->most) {
		snprintf(way->why, sizeof(way->why), "no port is left: %s",
			 way->loopback ? "all source addresses that were allowed are used up"
				       : "the broker is not on the loopback, so there is one source address");
		return -EADDRNOTAVAIL;
	}
	way->sources = way->sources == 0 ? 2 : way->sources + 1;
	return dial_from(link, way, way->sources - 1);
}

static int tcp_result(const struct sp_link *link)
{
	int error = 0;
	socklen_t size = sizeof(error);
	if (getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		return -errno;
	return -error;
}

int sp_link_advance(struct sp_link *link, char why[160])
{
	if (link->phase == SP_LINK_DIALING) {
		int result = tcp_result(link);
		if (result < 0) {
			snprintf(why, 160, "%s", strerror(-result));
			return result;
		}
		link->phase = link->tls ? SP_LINK_HANDSHAKE : SP_LINK_OPEN;
		if (link->tls && !(link->ssl = sp_tls_open(link->tls, link->fd)))
			return -ENOMEM;
	}
	if (link->phase == SP_LINK_HANDSHAKE) {
		int result = sp_tls_handshake(link->ssl, &link->wants);
		if (result == -EAGAIN)
			return 0;
		if (result < 0) {
			const char *problem = sp_tls_problem(link->tls);
			snprintf(why, 160, "%s", problem[0] ? problem : strerror(-result));
			return result;
		}
		link->phase = SP_LINK_OPEN;
	}
	link->wants = POLLIN;
	return 1;
}

// ---- bytes ----------------------------------------------------------------------------------------------

static ssize_t write_some(struct sp_link *link, const char *bytes, size_t length)
{
	short wants = 0;
	if (link->ssl) {
		ssize_t result = sp_tls_write(link->ssl, bytes, length, &wants);
		return result;
	}
	ssize_t result = send(link->fd, bytes, length, MSG_NOSIGNAL);
	return result < 0 ? (errno == EINTR ? -EAGAIN : -errno) : result;
}

int sp_link_flush(struct sp_link *link, struct sp_buf *out)
{
	link->wants = POLLIN;
	while (link->sent < out->length) {
		ssize_t result = write_some(link, out->data + link->sent, out->length - link->sent);
		if (result == -EAGAIN) {
			link->wants = POLLIN | POLLOUT;
			return 0;
		}
		if (result < 0)
			return (int)result;
		link->sent += (size_t)result;
	}
	link->sent = 0;
	sp_buf_free(out); // most boards are quiet most of the time
	return 0;
}

ssize_t sp_link_read(struct sp_link *link, uint8_t *bytes, size_t size)
{
	short wants = 0;
	ssize_t result;
	if (link->ssl)
		result = sp_tls_read(link->ssl, bytes, size, &wants);
	else if ((result = recv(link->fd, bytes, size, 0)) < 0)
		result = errno == EINTR ? -EAGAIN : -errno;
	if (result == -EAGAIN)
		return 0;
	return result == 0 ? -EPIPE : result;
}
