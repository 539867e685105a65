// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The open connections of a client's flows: a short list.
#include "agent/base/http_socket.h"

#include <stddef.h>
#include <stdlib.h>

#include "agent/base/mem.h"

static struct sp_http_socket *find(struct sp_http_socket *list, int fd)
{
	while (list && list->fd != fd)
		list = list->next;
	return list;
}

static void add_new(struct sp_http_socket *socket, struct sp_wire *sum)
{
	struct sp_wire now;
	if (!sp_wire_read(socket->fd, &now))
		return;
	sum->bytes += now.bytes - socket->counted.bytes;
	sum->sent += now.sent - socket->counted.sent;
	sum->repeated += now.repeated - socket->counted.repeated;
	socket->counted = now;
}

void sp_http_socket_add(struct sp_http_socket **list, int fd, struct sp_http_flow *owner)
{
	struct sp_http_socket *socket = sp_alloc(sizeof(*socket));
	socket->fd = fd;
	socket->owner = owner;
	socket->next = *list;
	*list = socket;
}

void sp_http_socket_claim(struct sp_http_socket **list, int fd, struct sp_http_flow *owner)
{
	struct sp_http_socket *socket = find(*list, fd);
	if (!socket || socket->owner == owner)
		return; // the resolver's descriptors come along, too
	socket->owner = owner;
}

void sp_http_socket_settle(struct sp_http_socket *list, const struct sp_http_flow *owner, struct sp_wire *sum)
{
	for (; list; list = list->next)
		if (list->owner == owner)
			add_new(list, sum);
}

void sp_http_socket_release(struct sp_http_socket *list, const struct sp_http_flow *owner)
{
	for (; list; list = list->next) {
		if (list->owner != owner)
			continue;
		int64_t unacked = sp_wire_unacked(list->fd);
		list->owed = unacked > 0 ? unacked : 0;
		list->owner = NULL;
	}
}

struct sp_http_flow *sp_http_socket_owner(struct sp_http_socket *list, int fd)
{
	const struct sp_http_socket *socket = find(list, fd);
	return socket ? socket->owner : NULL;
}

bool sp_http_socket_news(struct sp_http_socket *list, int fd, int64_t *out)
{
	const struct sp_http_socket *socket = find(list, fd);
	int64_t unacked = socket ? sp_wire_unacked(fd) : -1;
	*out = unacked < 0 ? 0 : socket->owed - unacked;
	return unacked >= 0;
}

int sp_http_socket_of(const struct sp_http_socket *list, const struct sp_http_flow *owner)
{
	while (list && list->owner != owner)
		list = list->next;
	return list ? list->fd : -1;
}

struct sp_http_flow *sp_http_socket_remove(struct sp_http_socket **list, int fd, struct sp_wire *last)
{
	*last = (struct sp_wire){0};
	while (*list && (*list)->fd != fd)
		list = &(*list)->next;
	struct sp_http_socket *socket = *list;
	if (!socket)
		return NULL;
	struct sp_http_flow *owner = socket->owner;
	add_new(socket, last);
	*list = socket->next;
	free(socket);
	return owner;
}
