// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the hub says on MQTT: acknowledgements, and the people's topics in their flat JSON.
#include "tools/hub/ingest/ingest_priv.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "agent/base/feed_json.h"
#include "agent/base/mem.h"
#include "tools/hub/time/local_time.h"

struct sp_outbound *sp_outbound_ack(const struct sp_store_ack *ack)
{
	struct sp_buf payload = SP_BUF(SP_FEED_PAYLOAD_MAX);
	struct sp_outbound *out = sp_alloc(sizeof(*out));
	if (sp_feed_ack_encode(&payload, &ack->ack) < 0)
		abort(); // 32 ranges always fit
	out->topic = sp_asprintf("sp1/down/%s/%s/ack", ack->shard, ack->device);
	out->length = payload.length;
	out->payload = sp_buf_take(&payload);
	return out;
}

static void moment(struct sp_buf *out, const char *name, int64_t t_ms)
{
	char text[SP_LOCAL_TIME_SIZE];
	if (t_ms < 0)
		sp_buf_printf(out, ",\"%s\":null,\"%s_ms\":null", name, name);
	else
		sp_buf_printf(out, ",\"%s\":\"%s\",\"%s_ms\":%" PRId64, name, sp_local_time(t_ms, text), name,
			      t_ms);
}

/// A tenth of a Mbit/s is what a reader can use.
static void speed(struct sp_buf *out, const char *name, double mbps)
{
	sp_buf_printf(out, ",\"%s\":", name);
	if (mbps < 0)
		sp_buf_text(out, "null");
	else
		sp_json_real(out, round(mbps * 10) / 10);
}

struct sp_outbound *sp_outbound_site(const struct sp_store_site *site)
{
	struct sp_buf payload = SP_BUF(4096);
	struct sp_outbound *out = sp_alloc(sizeof(*out));
	out->topic = sp_asprintf("sp1/site/%s/%s/%s", site->school, site->site, site->line);
	out->retain = true;
	if (site->gone)
		return out;
	sp_buf_printf(&payload, "{\"v\":%d,\"state\":\"%s\"", SP_FEED_VERSION,
		      sp_line_state_name(site->state));
	moment(&payload, "since", site->since_ms);
	sp_buf_text(&payload, ",\"cause\":");
	sp_json_text(&payload, site->cause);
	sp_buf_text(&payload, ",\"whose\":");
	sp_json_text(&payload, site->whose);
	moment(&payload, "last_heard", site->last_heard_ms);
	sp_buf_printf(&payload, ",\"presence\":\"%s\",\"timetable\":", site->presence);
	sp_buf_printf(&payload, "%s%s%s", site->timetable ? "\"" : "",
		      site->timetable ? site->timetable : "null", site->timetable ? "\"" : "");
	speed(&payload, "down_mbps", site->down_mbps);
	speed(&payload, "up_mbps", site->up_mbps);
	if (site->speed_ms < 0)
		sp_buf_text(&payload, ",\"speed_ms\":null}");
	else
		sp_buf_printf(&payload, ",\"speed_ms\":%" PRId64 "}", site->speed_ms);
	out->length = payload.length;
	out->payload = sp_buf_take(&payload);
	return out;
}
