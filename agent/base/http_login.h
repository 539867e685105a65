// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Whom a session's flows log in as and whose certificate they take. libcurl answers digest challenges, of MD5
// and SHA-256, and keeps the nonce in its handle: so a handle that has logged in is kept for the session's
// next request, which then need not be challenged. Private to http_*.c.
#pragma once

#include "agent/base/http_job.h"

/// For the job's own handle.
CURLcode sp_http_login_set(struct sp_http_job *job, const struct sp_http_session_config *config);
/// One that has logged in; NULL: none. The caller's.
CURL *sp_http_login_reuse(struct sp_http_client *client);
/// Keeps the handle of a job that ends, if its login held.
void sp_http_login_keep(struct sp_http_job *job);
