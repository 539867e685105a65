// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// io.h: ports on which kiosks push. Devices that name the same one share it.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/buf.h"
#include "agent/base/mem.h"
#include "agent/core/io/listen.h"
#include "schoolpulse/log.h"

enum {
	CONNECTIONS = 256,
	CROWD = 128, ///< far more than a school's kiosks; 8 KiB each
	HEAD_BYTES = 8 * 1024,
	REQUEST_MS = 20 * 1000,
	REPLY_MS = 60 * 1000, ///< a commit takes milliseconds, on a worn card seconds
	BODY_BYTES = 8 * 1024 * 1024,
	STALL_MS = 20 * 1000,
	PEM_BYTES = 64 * 1024,
};

static const struct sp_http_route routes[] = {{"*", "/*", sp_http_inbound_whole}, {0}};

// ---- the port's turn on the loop --------------------------------------------------------------------

static void close_port(struct sp_http_port *port)
{
	struct sp_loop *loop = port->set->config.loop;
	for (struct sp_http_port **at = &port->set->ports; *at; at = &(*at)->next)
		if (*at == port) {
			*at = port->next;
			break;
		}
	sp_http_server_free(port->server);
	sp_loop_watch_free(loop, port->watch);
	sp_loop_timer_free(loop, port->timer);
	free(port->address);
	free(port->cert_file);
	free(port->key_file);
	free(port->certificate);
	if (port->key)
		explicit_bzero(port->key, strlen(port->key));
	free(port->key);
	free(port);
}

void sp_http_port_stir(struct sp_http_port *port)
{
	if (port->depth > 0)
		return; // turn() asks when it ends
	int64_t timeout = sp_http_server_timeout_ms(port->server);
	if (timeout < 0)
		sp_loop_timer_stop(port->set->config.loop, port->timer);
	else
		sp_loop_timer_start(port->set->config.loop, port->timer, timeout);
}

static void turn(struct sp_http_port *port)
{
	port->depth++;
	sp_http_server_run(port->server);
	if (--port->depth == 0 && !port->listeners)
		close_port(port);
	else
		sp_http_port_stir(port);
}

static void on_ready(void *arg, int fd, unsigned events)
{
	(void)fd, (void)events;
	turn(arg);
}

static void on_time(void *arg)
{
	turn(arg);
}

// ---- opening ----------------------------------------------------------------------------------------

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

static int read_pem(const char *path, char **out, char why[256])
{
	struct sp_buf buf = SP_BUF(PEM_BYTES);
	char part[4096];
	FILE *file = fopen(path, "re");
	size_t got;
	if (!file) {
		int error = errno;
		snprintf(why, 256, "%s: %s", path, strerror(error));
		return -error;
	}
	while ((got = fread(part, 1, sizeof(part), file)) > 0)
		sp_buf_add(&buf, part, got);
	explicit_bzero(part, sizeof(part));
	bool bad = ferror(file) || buf.overflowed || buf.length == 0 || memchr(buf.data, '\0', buf.length);
	fclose(file);
	if (!bad)
		*out = sp_strndup(buf.data, buf.length);
	else
		snprintf(why, 256, "%s: not a PEM file", path);
	if (buf.data)
		explicit_bzero(buf.data, buf.length);
	sp_buf_free(&buf);
	return bad ? -EINVAL : 0;
}

/// Fills in what a new port needs; whatever comes of it, close_port() frees it.
static int open_port(struct sp_http_port *port, const struct sp_http_listener_config *config, char why[256])
{
	struct sp_loop *loop = port->set->config.loop;
	if (*port->cert_file || *port->key_file) {
		int result = read_pem(port->cert_file, &port->certificate, why);
		if (!result)
			result = read_pem(port->key_file, &port->key, why);
		if (result)
			return result;
	}
	struct sp_http_server_config server = {
	    .address = port->address,
	    .port = config->port,
	    .max_connections = CONNECTIONS,
	    .max_per_address = CONNECTIONS, // a whole school may stand behind one
	    .crowd = CROWD,
	    .max_head = HEAD_BYTES,
	    .max_body = 1, // nothing is held here
	    .request_timeout_ms = REQUEST_MS,
	    .reply_timeout_ms = REPLY_MS,
	    .no_date = true,
	    .certificate = port->certificate,
	    .key = port->key,
	    .begin = sp_http_inbound_came,
	};
	port->server = sp_http_server_new(&server, routes, port, why);
	if (!port->server)
		return -errno;
	port->timer = sp_loop_timer_new(loop, on_time, port);
	port->watch = sp_loop_watch_new(loop, sp_http_server_fd(port->server), SP_READABLE, on_ready, port);
	if (!port->watch) {
		snprintf(why, 256, "port %u cannot be watched: %s", config->port, strerror(errno));
		return -errno;
	}
	return 0;
}

static struct sp_http_port *find_port(struct sp_devices *set, const struct sp_http_listener_config *config)
{
	for (struct sp_http_port *port = set->ports; port; port = port->next)
		if (config->port != 0 && sp_http_server_port(port->server) == config->port &&
		    port->listeners && strcmp(port->address, or_empty(config->address)) == 0)
			return port;
	return NULL;
}

static struct sp_http_port *new_port(struct sp_devices *set, const struct sp_http_listener_config *config,
				     char why[256])
{
	struct sp_http_port *port = sp_alloc(sizeof(*port));
	port->set = set;
	port->address = sp_strdup(or_empty(config->address));
	port->cert_file = sp_strdup(or_empty(config->cert_file));
	port->key_file = sp_strdup(or_empty(config->key_file));
	int result = open_port(port, config, why);
	if (result) {
		close_port(port);
		errno = -result;
		return NULL;
	}
	port->next = set->ports;
	set->ports = port;
	return port;
}

static bool same_certificate(const struct sp_http_port *port, const struct sp_http_listener_config *config)
{
	return strcmp(port->cert_file, or_empty(config->cert_file)) == 0 &&
	       strcmp(port->key_file, or_empty(config->key_file)) == 0;
}

// ---- listeners --------------------------------------------------------------------------------------

static void close_listener(struct sp_resource *resource)
{
	struct sp_http_listener *listener = (struct sp_http_listener *)resource;
	struct sp_http_port *port = listener->port;
	for (struct sp_http_listener **at = &port->listeners; *at; at = &(*at)->next)
		if (*at == listener) {
			*at = listener->next;
			break;
		}
	while (listener->inbounds)
		sp_http_inbound_leave(listener->inbounds);
	sp_resource_unlink(resource);
	free(listener);
	if (port->listeners)
		sp_http_port_stir(port);
	else if (port->depth == 0)
		close_port(port);
}

struct sp_http_listener *sp_http_listen(struct sp_device *dev, const struct sp_http_listener_config *config,
					const struct sp_http_service *service, char why[256])
{
	why[0] = '\0';
	struct sp_http_port *port = find_port(dev->set, config);
	if (port && !same_certificate(port, config)) {
		snprintf(why, 256, "another device listens on port %u with another certificate",
			 config->port);
		errno = EADDRINUSE;
		return NULL;
	}
	if (!port)
		port = new_port(dev->set, config, why);
	if (!port)
		return NULL;
	struct sp_http_listener *listener = sp_alloc(sizeof(*listener));
	listener->port = port;
	listener->service = service;
	listener->max_body = config->max_body > 0 ? config->max_body : BODY_BYTES;
	listener->stall_ms = config->stall_ms > 0 ? config->stall_ms : STALL_MS;
	struct sp_http_listener **at = &port->listeners;
	while (*at)
		at = &(*at)->next;
	*at = listener;
	sp_resource_open(&listener->open, dev, close_listener);
	return listener;
}

void sp_http_listener_free(struct sp_http_listener *listener)
{
	if (listener)
		close_listener(&listener->open);
}

uint16_t sp_http_listener_port(const struct sp_http_listener *listener)
{
	return sp_http_server_port(listener->port->server);
}
