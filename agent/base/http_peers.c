// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The connections of an HTTP server: how long each may be at what it does, and who must go when there are too
// many. libmicrohttpd's own timeout starts anew with every byte, so that a peer that drips keeps its place
// for hours; here a request has one deadline as a whole, or a body a pace to keep.
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/base/http_call.h"
#include "agent/base/mem.h"
#include "schoolpulse/clock.h"

enum { LATE_US = 1000 * 1000 };

static void network_of(struct MHD_Connection *connection, struct in6_addr *out)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	memset(out, 0, sizeof(*out));
	if (info && info->client_addr->sa_family == AF_INET) {
		out->s6_addr[10] = out->s6_addr[11] = 0xff;
		memcpy(out->s6_addr + 12, &((struct sockaddr_in *)info->client_addr)->sin_addr, 4);
	} else if (info && info->client_addr->sa_family == AF_INET6) {
		const struct in6_addr *address = &((struct sockaddr_in6 *)info->client_addr)->sin6_addr;
		memcpy(out, address, IN6_IS_ADDR_V4MAPPED(address) ? 16 : 8);
	}
}

// ---- who must go ------------------------------------------------------------------------------------

static bool may_go(const struct sp_http_peer *peer, const struct sp_http_peer *newcomer)
{
	return peer != newcomer && !peer->evicted && !peer->replying;
}

static bool asks_nothing(const struct sp_http_peer *peer)
{
	return !peer->call && !peer->served;
}

/// The higher, the sooner it goes. While those that have asked nothing yet are most of the crowd they have it
/// out among themselves: a kiosk's request is here within milliseconds. Else a newcomer's chance is worth
/// more than an idle kiosk's place, which loses nothing: it connects anew.
static unsigned rank_of(const struct sp_http_peer *peer, bool flood, int64_t now)
{
	bool late = now - peer->since_us >= LATE_US; // a body that keeps its pace is not
	if (asks_nothing(peer))
		return late ? 6 : flood ? 5 : 2;
	if (!peer->call)
		return 4;
	return late ? 3 : 1;
}

static size_t crowd_of(const struct sp_http_server *server, const struct sp_http_peer *of)
{
	size_t count = 0;
	for (const struct sp_http_peer *peer = server->peers; peer; peer = peer->next)
		count +=
		    may_go(peer, NULL) && memcmp(&peer->network, &of->network, sizeof(peer->network)) == 0;
	return count;
}

static void make_room(struct sp_http_server *server, const struct sp_http_peer *newcomer, int64_t now)
{
	struct sp_http_peer *victim = NULL;
	unsigned worst = 0;
	size_t crowd = 0, mute = 0;
	for (const struct sp_http_peer *peer = server->peers; peer; peer = peer->next)
		mute += may_go(peer, newcomer) && asks_nothing(peer);
	for (struct sp_http_peer *peer = server->peers; peer; peer = peer->next) {
		if (!may_go(peer, newcomer))
			continue;
		unsigned rank = rank_of(peer, mute > server->crowd / 2, now);
		if (rank < worst)
			continue;
		size_t same = crowd_of(server, peer);
		if (rank > worst || same > crowd ||
		    (same == crowd && victim && peer->began_us < victim->began_us)) {
			victim = peer;
			worst = rank;
			crowd = same;
		}
	}
	if (!victim)
		return;
	victim->evicted = true;
	shutdown(victim->fd, SHUT_RDWR);
}

// ---- coming and going -------------------------------------------------------------------------------

struct sp_http_peer *sp_http_peer_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	return info ? info->socket_context : NULL;
}

void sp_http_peer_came(struct sp_http_server *server, struct MHD_Connection *connection, void **context)
{
	struct sp_http_peer *peer = sp_alloc(sizeof(*peer));
	peer->fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	peer->since_us = peer->began_us = sp_clock_mono_us();
	network_of(connection, &peer->network);
	peer->next = server->peers;
	if (peer->next)
		peer->next->previous = peer;
	server->peers = peer;
	*context = peer;
	if (++server->peer_count > server->crowd && server->crowd > 0)
		make_room(server, peer, peer->began_us);
}

void sp_http_peer_left(struct sp_http_server *server, struct sp_http_peer *peer)
{
	if (peer->previous)
		peer->previous->next = peer->next;
	else
		server->peers = peer->next;
	if (peer->next)
		peer->next->previous = peer->previous;
	server->peer_count--;
	free(peer);
}

// ---- time -------------------------------------------------------------------------------------------

void sp_http_peer_note(struct sp_http_peer *peer, bool replying)
{
	if (!peer)
		return;
	peer->replying = replying;
	peer->began_us = sp_clock_mono_us();
	if (replying && peer->allowed_us && !peer->bytes_per_second)
		return; // its own deadline is running
	peer->since_us = peer->began_us;
	if (peer->bytes_per_second)
		return;
	peer->allowed_us = peer->stall_us = 0;
}

static bool overdue(const struct sp_http_server *server, struct sp_http_peer *peer, int64_t now)
{
	int64_t allowed = peer->replying ? server->reply_timeout_us : server->request_timeout_us;
	if (peer->allowed_us && !(peer->replying && peer->bytes_per_second))
		allowed = peer->allowed_us;
	return now - peer->since_us >= allowed || sp_http_stream_stalls(peer, now);
}

/// libmicrohttpd sees the end of a socket that was shut down here, and closes it.
void sp_http_peers_sweep(struct sp_http_server *server)
{
	int64_t now = sp_clock_mono_us();
	if (now - server->swept_us < SP_HTTP_SWEEP_US)
		return;
	server->swept_us = now;
	for (struct sp_http_peer *peer = server->peers; peer; peer = peer->next) {
		if (!overdue(server, peer, now))
			continue;
		if (peer->call)
			sp_http_call_cut(peer->call);
		else
			shutdown(peer->fd, SHUT_RDWR);
	}
}
