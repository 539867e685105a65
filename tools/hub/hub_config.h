// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The hub's configuration file. hub_config.c has the option tables, README.md documents each key.
#pragma once

#include <stdint.h>

#include "agent/base/config.h"
#include "tools/hub/figures/evidence.h"
#include "tools/hub/incident/correlate.h"
#include "tools/hub/store/store.h"
#include "tools/hub/store/limit.h"

struct sp_hub_config {
	struct {
		char *db;
		char *plans;    ///< folder; "": where the program finds its own
		int log_level;  ///< index into "error warning notice info debug"
		int log_format; ///< enum sp_log_format
		int64_t reconnect_window_ms;
		int64_t attendance_days; ///< how long events of kiosks are held
		int64_t extract_days;    ///< and what was put together for a person's request
		int64_t lease_ms;        ///< a shard whose ingest does not renew it for so long is taken over
		int64_t silence_ms;      ///< a board that says nothing for longer is not watching
	} hub;
	struct {
		char *host, *ca_file, *cert_file, *key_file, *username, *password, *client_id;
		char *bulk_cert_file, *bulk_key_file;
		int64_t port, keepalive_ms, session_expiry_ms;
		int64_t facts_receive_maximum, bulk_receive_maximum;
		struct sp_strings shards;
	} mqtt;
	struct {
		char *listen;
		int64_t port;
	} http;
	struct {
		bool sites;       ///< a line's own gauges, too
		int64_t cache_ms; ///< how long what was read of the store is told
		char *listen;     ///< of an ingest without a page; "": nowhere
		int64_t port;
	} metrics;
	struct {
		int64_t min_samples, kept_percent;
	} evidence;
	struct {
		int64_t boards, share_percent, losses_per_day, rolling_ms, again_ms;
	} incident;
	struct sp_retention retention;
	struct sp_store_limits limits;
};

/// Reads and checks everything; mistakes go to `errors`. 0 or -EINVAL. To be freed in either case.
int sp_hub_config_read(struct sp_hub_config *out, const char *file,
		       struct sp_config_errors *errors) SP_MUST_CHECK;
struct sp_incident_rules sp_hub_incident_rules(const struct sp_hub_config *config);
struct sp_evidence_rules sp_hub_evidence_rules(const struct sp_hub_config *config);
void sp_hub_config_free(struct sp_hub_config *config);
