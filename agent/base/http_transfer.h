// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A transfer whose body is kept and told at its end. Private to http_client.c and http_transfer.c.
#pragma once

#include "agent/base/buf.h"
#include "agent/base/http_job.h"

struct sp_http_transfer {
	struct sp_http_job job;
	sp_http_done_fn done;
	void *arg;
	struct sp_buf body;
	int64_t wire_bytes; ///< of IP, by the kernel's count
};

struct sp_http_transfer *sp_http_transfer_new(const struct sp_http_request *request, sp_http_done_fn done,
					      void *arg);
