// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Reading `speedtest` records. A figure that is out of all bounds makes the record unreadable, not zero: it
// would be taken for a measurement.
#include "tools/hub/facts/fact_speed.h"

#include <string.h>

#include "tools/hub/facts/fact_json.h"

#define MAX_BPS     1e13
#define MAX_MBPS    1e7
#define MAX_SECONDS 86400.0
#define MAX_BYTES   1e15

static const char *const directions[SP_TEST_DIRECTIONS] = {"down", "up"};
static const char *const triggers[SP_TEST_TRIGGERS] = {"schedule", "hand", "command"};
static const char *const validities[SP_TEST_VALIDITIES] = {
    "valid", "contended", "device_limited", "link_limited", "partial", "failed", "skipped"};
static const char *const scopes[SP_TEST_SCOPES] = {NULL, "domestic", "international"};

const char *sp_test_direction_name(enum sp_test_direction direction)
{
	return directions[direction];
}

const char *sp_test_trigger_name(enum sp_test_trigger trigger)
{
	return triggers[trigger];
}

const char *sp_test_validity_name(enum sp_test_validity validity)
{
	return validities[validity];
}

const char *sp_test_scope_name(enum sp_test_scope scope)
{
	return scopes[scope];
}

/// 128 random bits in base32, as streams have.
static bool identity(struct sp_fact_speedtest *out, const cJSON *root)
{
	const cJSON *item = sp_fact_member(root, "test");
	if (!cJSON_IsString(item) || strlen(item->valuestring) != SP_ID_LENGTH ||
	    strspn(item->valuestring, "abcdefghijklmnopqrstuvwxyz234567") != SP_ID_LENGTH)
		return false;
	strcpy(out->test, item->valuestring);
	sp_fact_text(root, "line", out->line, sizeof(out->line));
	sp_fact_word(root, "method", out->method);
	return out->line[0] && out->method[0];
}

static bool words(struct sp_fact_speedtest *out, const cJSON *root)
{
	int direction, trigger, validity, scope = 0;
	if (!sp_fact_one_of(root, "direction", directions, SP_TEST_DIRECTIONS, &direction) ||
	    !sp_fact_one_of(root, "trigger", triggers, SP_TEST_TRIGGERS, &trigger) ||
	    !sp_fact_one_of(root, "validity", validities, SP_TEST_VALIDITIES, &validity))
		return false;
	if (sp_fact_one_of(root, "scope", scopes + 1, SP_TEST_SCOPES - 1, &scope))
		scope++;
	out->direction = (enum sp_test_direction)direction;
	out->trigger = (enum sp_test_trigger)trigger;
	out->validity = (enum sp_test_validity)validity;
	out->scope = (enum sp_test_scope)scope;
	sp_fact_word(root, "reason", out->reason);
	sp_fact_word(root, "family", out->family);
	sp_fact_word(root, "duplex", out->duplex);
	sp_fact_text(root, "text", out->text, sizeof(out->text));
	sp_fact_text(root, "server", out->server, sizeof(out->server));
	sp_fact_text(root, "interface", out->interface, sizeof(out->interface));
	return true;
}

static double real(const cJSON *object, const char *name, double max)
{
	double value = -1;
	(void)sp_fact_real(object, name, max, &value);
	return value;
}

static int64_t integer(const cJSON *object, const char *name, double max)
{
	return (int64_t)real(object, name, max);
}

static void latency(struct sp_test_latency *out, const cJSON *object)
{
	int64_t count = integer(object, "count", 1e9);
	out->count = count > 0 ? count : 0;
	out->min = out->count ? real(object, "min_seconds", MAX_SECONDS) : -1;
	out->median = out->count ? real(object, "median_seconds", MAX_SECONDS) : -1;
	out->p95 = out->count ? real(object, "p95_seconds", MAX_SECONDS) : -1;
	out->jitter = out->count ? real(object, "jitter_seconds", MAX_SECONDS) : -1;
}

static void bought(struct sp_fact_speedtest *out, const cJSON *contract)
{
	sp_fact_text(contract, "provider", out->provider, sizeof(out->provider));
	sp_fact_text(contract, "plan", out->plan, sizeof(out->plan));
	(void)sp_fact_real(contract, "down_mbps", MAX_MBPS, &out->down_mbps);
	(void)sp_fact_real(contract, "up_mbps", MAX_MBPS, &out->up_mbps);
}

static bool figures(struct sp_fact_speedtest *out, const cJSON *root)
{
	const cJSON *cross = sp_fact_member(root, "cross_traffic"),
		    *goodput = sp_fact_member(root, "goodput_bps");
	bool absent = !goodput || cJSON_IsNull(goodput);
	out->goodput_bps = real(root, "goodput_bps", MAX_BPS);
	// Neither a figure that cannot be, nor a label that wants one and has none.
	if (out->goodput_bps < 0 && (!absent || out->validity < SP_TEST_PARTIAL))
		return false;
	out->duration_seconds = real(root, "duration_seconds", MAX_SECONDS);
	out->retransmit_ratio = real(root, "retransmit_ratio", 1);
	out->cpu_ratio = real(root, "cpu_ratio", 1);
	out->bytes = integer(root, "bytes", MAX_BYTES);
	out->wire_bytes = integer(root, "wire_bytes", MAX_BYTES);
	out->streams = integer(root, "streams", 1e6);
	out->link_mbps = integer(root, "link_mbps", MAX_MBPS);
	out->deferrals = integer(root, "deferrals", 1e9);
	latency(&out->idle, sp_fact_member(root, "idle_rtt"));
	latency(&out->loaded, sp_fact_member(root, "loaded_rtt"));
	sp_fact_word(cross, "source", out->cross_source);
	out->cross_before = real(cross, "before_bytes_per_second", MAX_BYTES);
	out->cross_during = real(cross, "during_bytes_per_second", MAX_BYTES);
	bought(out, sp_fact_member(root, "contract"));
	return true;
}

bool sp_fact_speedtest(struct sp_fact_speedtest *out, const char *data)
{
	cJSON *root = cJSON_Parse(data);
	*out = (struct sp_fact_speedtest){.test = ""};
	bool good = identity(out, root) && words(out, root) && figures(out, root);
	cJSON_Delete(root);
	return good;
}
