// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The client's side of the local socket.
#include "agent/cli/client.h"

#include <cjson/cJSON.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/base/buf.h"
#include "agent/base/language.h"
#include "schoolpulse/clock.h"

enum { WHY = 512, PATIENCE_MS = 5000, ANSWER_MAX = 2 * 1024 * 1024, GLANCE_MS = 200 };

static enum sp_client_result open_socket(const char *path, int *fd, char *why)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(address.sun_path)) {
		snprintf(why, WHY, _("The socket's path is too long: %.400s"), path);
		return SP_CLIENT_ABSENT;
	}
	strcpy(address.sun_path, path);
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*fd >= 0 && connect(*fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return SP_CLIENT_OK;
	int error = errno;
	if (*fd >= 0)
		close(*fd);
	if (error == ENOENT || error == ECONNREFUSED) {
		snprintf(why, WHY,
			 _("The agent is not running: nobody answers at %s.\n"
			   "Start schoolpulsed, or name its socket with --socket."),
			 path);
		return SP_CLIENT_ABSENT;
	}
	if (error == EACCES || error == EPERM) {
		snprintf(why, WHY, _("You may not ask the agent at %s: try as root, or join its group."),
			 path);
		return SP_CLIENT_DENIED;
	}
	snprintf(why, WHY, "%s: %s", path, strerror(error));
	return SP_CLIENT_BROKEN;
}

static int send_all(int fd, const char *text, size_t length)
{
	while (length > 0) {
		ssize_t sent = send(fd, text, length, MSG_NOSIGNAL);
		if (sent < 0 && errno != EINTR)
			return -errno;
		if (sent > 0) {
			text += sent;
			length -= (size_t)sent;
		}
	}
	return 0;
}

static int receive_line(int fd, struct sp_buf *out)
{
	int64_t until = sp_clock_mono_us() + PATIENCE_MS * 1000LL;
	char chunk[16384];
	for (;;) {
		int64_t left = (until - sp_clock_mono_us()) / 1000;
		struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
		int ready = left > 0 ? poll(&poll_fd, 1, (int)left) : 0;
		if (ready < 0 && errno == EINTR)
			return -EINTR;
		if (ready <= 0)
			return -ETIMEDOUT;
		ssize_t got = recv(fd, chunk, sizeof(chunk), 0);
		if (got <= 0)
			return got < 0 ? -errno : -ECONNRESET;
		sp_buf_add(out, chunk, (size_t)got);
		if (out->overflowed)
			return -EMSGSIZE;
		if (memchr(chunk, '\n', (size_t)got))
			return 0;
	}
}

/// What it says to persons who are no technicians, in their language.
static const char *translated(const char *error)
{
	static const char *const errors[] = {
	    N_("attendance is off: [attendance] legal_basis is not set"),
	    N_("the keys of attendance cannot be read"),
	    N_("the list of whom must be forgotten cannot be read"),
	    N_("another such request is under way: try again in a moment"),
	    N_("no event of a kiosk was ever taken here"),
	    N_("events of this person are not refused"),
	    N_("the agent is stopping; what was begun is finished at its next start"),
	    N_("this is no number of that kind"),
	};
	for (size_t i = 0; i < SP_COUNT(errors); i++)
		if (strcmp(errors[i], error) == 0)
			return _(errors[i]);
	return error;
}

/// The document becomes the caller's, or is deleted.
static enum sp_client_result take_answer(cJSON *json, cJSON **out, char *why)
{
	if (!cJSON_IsObject(json)) {
		cJSON_Delete(json);
		snprintf(why, WHY, _("The agent's answer cannot be read."));
		return SP_CLIENT_BROKEN;
	}
	if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(json, "ok"))) {
		*out = json;
		return SP_CLIENT_OK;
	}
	const char *error = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "error"));
	snprintf(why, WHY, _("The agent says: %s"), error ? translated(error) : "no");
	cJSON_Delete(json);
	return SP_CLIENT_REFUSED;
}

static enum sp_client_result read_answer(const struct sp_buf *text, cJSON **out, char *why)
{
	return take_answer(cJSON_ParseWithLength(text->data, text->length), out, why);
}

static char *request_text(const char *command, const char *name)
{
	cJSON *json = cJSON_CreateObject();
	cJSON_AddStringToObject(json, "cmd", command);
	if (name)
		cJSON_AddStringToObject(json, "name", name);
	char *text = cJSON_PrintUnformatted(json);
	cJSON_Delete(json);
	return text;
}

enum sp_client_result sp_client_ask(const char *socket_path, const char *command, const char *name,
				    cJSON **out, char why[512])
{
	*out = NULL;
	int fd = -1;
	enum sp_client_result result = open_socket(socket_path, &fd, why);
	if (result != SP_CLIENT_OK)
		return result;
	char *request = request_text(command, name);
	struct sp_buf answer = SP_BUF(ANSWER_MAX);
	int error = request ? send_all(fd, request, strlen(request)) : -ENOMEM;
	if (!error)
		error = send_all(fd, "\n", 1);
	if (!error)
		error = receive_line(fd, &answer);
	if (error) {
		snprintf(why, WHY, _("The agent does not answer: %s"), strerror(-error));
		result = SP_CLIENT_BROKEN;
	} else {
		result = read_answer(&answer, out, why);
	}
	cJSON_free(request);
	sp_buf_free(&answer);
	close(fd);
	return result;
}

/// Takes the first whole line out of what came so far. False: there is none.
static bool next_line(struct sp_buf *text, cJSON **out)
{
	char *end = text->length ? memchr(text->data, '\n', text->length) : NULL;
	if (!end)
		return false;
	size_t length = (size_t)(end - text->data) + 1;
	*out = cJSON_ParseWithLength(text->data, length - 1);
	text->length -= length;
	memmove(text->data, end + 1, text->length);
	return true;
}

/// Waits for a glance's time for more. 0, also when nothing came; -errno.
static int receive_some(int fd, struct sp_buf *out)
{
	char chunk[4096];
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	int ready = poll(&poll_fd, 1, GLANCE_MS);
	if (ready <= 0)
		return ready < 0 && errno != EINTR ? -errno : 0;
	ssize_t got = recv(fd, chunk, sizeof(chunk), 0);
	if (got <= 0)
		return got < 0 ? -errno : -ECONNRESET;
	sp_buf_add(out, chunk, (size_t)got);
	return out->overflowed ? -EMSGSIZE : 0;
}

static enum sp_client_result follow(int fd, bool (*line)(void *arg, const struct cJSON *json), void *arg,
				    cJSON **out, char *why)
{
	struct sp_buf text = SP_BUF(ANSWER_MAX);
	enum sp_client_result result = SP_CLIENT_CANCELLED;
	cJSON *json = NULL;
	while (line(arg, json)) {
		cJSON_Delete(json);
		json = NULL;
		int error = next_line(&text, &json) ? 0 : receive_some(fd, &text);
		if (error) {
			snprintf(why, WHY, _("The agent does not answer: %s"), strerror(-error));
			result = SP_CLIENT_BROKEN;
			break;
		}
		if (json && cJSON_GetObjectItemCaseSensitive(json, "ok")) {
			result = take_answer(json, out, why);
			json = NULL;
			break;
		}
	}
	cJSON_Delete(json);
	sp_buf_free(&text);
	return result;
}

enum sp_client_result sp_client_follow(const char *socket_path, const char *request,
				       bool (*line)(void *arg, const struct cJSON *json), void *arg,
				       struct cJSON **out, char why[512])
{
	*out = NULL;
	int fd = -1;
	enum sp_client_result result = open_socket(socket_path, &fd, why);
	if (result != SP_CLIENT_OK)
		return result;
	int error = request ? send_all(fd, request, strlen(request)) : -ENOMEM;
	if (!error)
		error = send_all(fd, "\n", 1);
	if (error) {
		snprintf(why, WHY, _("The agent does not answer: %s"), strerror(-error));
		result = SP_CLIENT_BROKEN;
	} else {
		result = follow(fd, line, arg, out, why);
	}
	close(fd);
	return result;
}
