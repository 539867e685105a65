// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The control socket's clients.
#include "agent/core/control.h"

#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/base/mem.h"
#include "schoolpulse/io.h"
#include "schoolpulse/log.h"

enum {
	CLIENTS_MAX = 16,
	ANSWER_MAX = 1024 * 1024,
	PATIENCE_MS = 30 * 1000, ///< without a byte moving, a client is dropped
	BEHIND_MAX = 32 * 1024,  ///< what a client may owe before it misses lines of a stream
};

struct sp_control_stream {
	struct sp_control_stream *next;
	struct sp_control *control;
	int fd;
	struct sp_loop_watch *watch;
	struct sp_loop_timer *timer;
	char in[SP_CONTROL_REQUEST_MAX + 1];
	size_t in_length;
	struct sp_buf out;
	size_t sent;
	bool last;      ///< close once everything is sent
	bool streaming; ///< lines follow: no other request is looked at
};

struct sp_control {
	struct sp_loop *loop;
	char *path;
	int fd;
	struct sp_loop_watch *watch;
	sp_control_answer_fn answer;
	sp_control_gone_fn gone;
	void *arg;
	struct sp_control_stream *clients;
	size_t count;
};

static void drop(struct sp_control_stream *client)
{
	struct sp_control *control = client->control;
	struct sp_control_stream **at = &control->clients;
	while (*at != client)
		at = &(*at)->next;
	*at = client->next;
	control->count--;
	if (client->streaming)
		control->gone(control->arg, client);
	sp_loop_watch_free(control->loop, client->watch);
	sp_loop_timer_free(control->loop, client->timer);
	close(client->fd);
	sp_buf_free(&client->out);
	explicit_bzero(client->in, sizeof(client->in));
	free(client);
}

static void impatient(void *arg)
{
	drop(arg);
}

static void refuse(struct sp_control_stream *client, const char *why)
{
	// Our own words only: nothing in them needs escaping but quotes, and those are ours, too.
	sp_buf_text(&client->out, "{\"ok\":false,\"error\":\"");
	for (; *why; why++) {
		if (*why == '"')
			sp_buf_text(&client->out, "\\");
		sp_buf_add(&client->out, why, 1);
	}
	sp_buf_text(&client->out, "\"}\n");
}

static void answer(struct sp_control_stream *client, const char *line, size_t length)
{
	struct sp_control_request request;
	char why[160];
	if (sp_control_parse(&request, line, length, why)) {
		refuse(client, why);
		return;
	}
	client->streaming = client->control->answer(client->control->arg, &request, &client->out, client);
	explicit_bzero(&request, sizeof(request));
	if (client->streaming)
		return;
	sp_buf_text(&client->out, "\n");
	if (client->out.overflowed) {
		sp_buf_reset(&client->out);
		refuse(client, "the answer is too large");
		client->last = true;
	}
}

/// Answers the first whole line; one at a time, so that a client cannot pile up answers.
static bool answer_next(struct sp_control_stream *client)
{
	if (client->streaming)
		return false;
	char *end = memchr(client->in, '\n', client->in_length);
	if (!end) {
		if (client->in_length > SP_CONTROL_REQUEST_MAX) {
			refuse(client, "a request is at most 24576 bytes");
			client->last = true;
			return true;
		}
		return false;
	}
	size_t length = (size_t)(end - client->in);
	answer(client, client->in, length);
	client->in_length -= length + 1;
	memmove(client->in, end + 1, client->in_length);
	explicit_bzero(client->in + client->in_length, length + 1);
	return true;
}

/// False when the client is gone.
static bool flush(struct sp_control_stream *client)
{
	while (client->sent < client->out.length) {
		ssize_t sent = send(client->fd, client->out.data + client->sent,
				    client->out.length - client->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && errno == EAGAIN) {
			sp_loop_watch_events(client->control->loop, client->watch, SP_WRITABLE);
			return true;
		}
		if (sent < 0) {
			drop(client);
			return false;
		}
		client->sent += (size_t)sent;
		sp_loop_timer_start(client->control->loop, client->timer, PATIENCE_MS);
	}
	if (client->last) {
		drop(client);
		return false;
	}
	sp_buf_reset(&client->out);
	client->sent = 0;
	sp_loop_watch_events(client->control->loop, client->watch, SP_READABLE);
	// Who waits for lines owes nothing.
	if (client->streaming)
		sp_loop_timer_stop(client->control->loop, client->timer);
	return true;
}

static void serve(struct sp_control_stream *client)
{
	sp_loop_timer_start(client->control->loop, client->timer, PATIENCE_MS);
	while (client->out.length == 0 && answer_next(client))
		if (!flush(client))
			return;
}

/// From outside of the client's own events: a socket that fails is found out by the next of those.
static void add_line(struct sp_control_stream *client, const char *line)
{
	// One that is behind has its timer running already.
	if (client->out.length == 0)
		sp_loop_timer_start(client->control->loop, client->timer, PATIENCE_MS);
	if (client->sent > BEHIND_MAX) {
		client->out.length -= client->sent;
		memmove(client->out.data, client->out.data + client->sent, client->out.length);
		client->sent = 0;
	}
	sp_buf_text(&client->out, line);
	sp_buf_text(&client->out, "\n");
	sp_loop_watch_events(client->control->loop, client->watch, SP_READABLE | SP_WRITABLE);
}

void sp_control_stream_line(struct sp_control_stream *client, const char *line)
{
	if (client->out.length - client->sent <= BEHIND_MAX)
		add_line(client, line);
}

void sp_control_stream_end(struct sp_control_stream *client, const char *line)
{
	client->streaming = false;
	add_line(client, line);
	client->last = client->last || client->out.overflowed;
}

static void client_ready(void *arg, int fd, unsigned events)
{
	struct sp_control_stream *client = arg;
	if (events & SP_WRITABLE) {
		if (flush(client) && !client->streaming)
			serve(client);
		return;
	}
	// Requests behind the one that is served wait, as far as there is room for them.
	if (client->in_length == sizeof(client->in)) {
		drop(client);
		return;
	}
	ssize_t got =
	    recv(fd, client->in + client->in_length, sizeof(client->in) - client->in_length, MSG_DONTWAIT);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		drop(client);
		return;
	}
	client->in_length += (size_t)got;
	if (!client->streaming)
		serve(client);
}

static void accept_client(void *arg, int fd, unsigned events)
{
	(void)events;
	struct sp_control *control = arg;
	int peer = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (peer < 0)
		return;
	if (control->count >= CLIENTS_MAX) {
		static const char busy[] = "{\"ok\":false,\"error\":\"too many clients\"}\n";
		if (send(peer, busy, sizeof(busy) - 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			sp_debug("control", "a client beyond the limit was not even told");
		close(peer);
		return;
	}
	struct sp_control_stream *client = sp_alloc(sizeof(*client));
	client->control = control;
	client->fd = peer;
	client->out = SP_BUF(ANSWER_MAX);
	client->watch = sp_loop_watch_new(control->loop, peer, SP_READABLE, client_ready, client);
	if (!client->watch) {
		close(peer);
		free(client);
		return;
	}
	client->timer = sp_loop_timer_new(control->loop, impatient, client);
	sp_loop_timer_start(control->loop, client->timer, PATIENCE_MS);
	client->next = control->clients;
	control->clients = client;
	control->count++;
}

static int connect_to(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	int result = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;
	close(fd);
	return result;
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	char *copy = sp_strdup(path);
	// Only the last folder: more would hide a mistyped path.
	if (mkdir(dirname(copy), 0755) == 0)
		sp_info("control", "made the folder of %s", path);
	free(copy);
	int result = connect_to(&address);
	if (result == 0 || result == -EAGAIN)
		return -EADDRINUSE;
	struct stat status;
	if (result == -ECONNREFUSED && lstat(path, &status) == 0 && S_ISSOCK(status.st_mode))
		unlink(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	// Under main's umask the socket is born narrower than this.
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 || chmod(path, 0660) < 0 ||
	    listen(fd, CLIENTS_MAX) < 0) {
		result = -errno;
		close(fd);
		return result;
	}
	return fd;
}

int sp_control_open(struct sp_control **out, struct sp_loop *loop, const char *path,
		    sp_control_answer_fn answer_fn, sp_control_gone_fn gone, void *arg)
{
	int fd = listen_at(path);
	if (fd < 0)
		return fd;
	struct sp_control *control = sp_alloc(sizeof(*control));
	control->loop = loop;
	control->path = sp_strdup(path);
	control->fd = fd;
	control->answer = answer_fn;
	control->gone = gone;
	control->arg = arg;
	control->watch = sp_loop_watch_new(loop, fd, SP_READABLE, accept_client, control);
	*out = control;
	if (control->watch)
		return 0;
	int result = -errno;
	sp_control_close(control);
	return result;
}

void sp_control_close(struct sp_control *control)
{
	if (!control)
		return;
	for (struct sp_control_stream *it = control->clients, *next; it; it = next) {
		next = it->next;
		drop(it);
	}
	sp_loop_watch_free(control->loop, control->watch);
	close(control->fd);
	unlink(control->path);
	free(control->path);
	free(control);
}
