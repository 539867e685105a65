// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// io.h: HTTP transfers of a driver whose bodies are kept.
#include <stdlib.h>

#include "agent/base/mem.h"
#include "agent/core/device_priv.h"
#include "agent/core/io/http.h"

struct sp_http {
	struct sp_resource open;
	struct sp_http_transfer *transfer;
	bool over;
	sp_http_fn done;
	void *arg;
};

/// One client for all devices: made at the first transfer, so that a board without HTTP pays nothing.
static struct sp_http_pool *pool_of(struct sp_devices *devices)
{
	if (!devices->http)
		devices->http = sp_http_pool_new(devices->config.loop);
	return devices->http;
}

static void close_http(struct sp_resource *resource)
{
	struct sp_http *http = (struct sp_http *)resource;
	sp_http_transfer_cancel(http->transfer);
	sp_resource_unlink(resource);
	free(http);
}

static void finished(void *arg, const struct sp_http_answer *answer)
{
	struct sp_http *http = arg;
	http->over = true;
	sp_resource_unlink(&http->open);
	http->done(http->open.dev, answer, http->arg);
	free(http);
}

struct sp_http *sp_http_get(struct sp_device *dev, const struct sp_http_request *request, sp_http_fn done,
			    void *arg)
{
	struct sp_http *http = sp_alloc(sizeof(*http));
	http->done = done;
	http->arg = arg;
	sp_resource_open(&http->open, dev, close_http);
	http->transfer = sp_http_transfer_get(pool_of(dev->set)->client, request, finished, http);
	return http;
}

void sp_http_cancel(struct sp_http *http)
{
	if (http && !http->over)
		close_http(&http->open);
}
