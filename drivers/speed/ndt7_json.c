// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// ndt7's JSON by cJSON.
#include "ndt7_json.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>

/// An object, from a text that another may have made to hurt: the caller has bounded its length.
static cJSON *parse_object(const char *text, size_t length)
{
	cJSON *root = cJSON_ParseWithLength(text, length);
	if (cJSON_IsObject(root))
		return root;
	cJSON_Delete(root);
	return NULL;
}

static bool url_of(const cJSON *urls, bool tls, enum sp_speed_direction direction, struct sp_ndt7_url *out)
{
	static const char *const keys[2][SP_SPEED_DIRECTIONS] = {
	    {"ws:///ndt/v7/download", "ws:///ndt/v7/upload"},
	    {"wss:///ndt/v7/download", "wss:///ndt/v7/upload"},
	};
	const cJSON *url = cJSON_GetObjectItemCaseSensitive(urls, keys[tls][direction]);
	// Who was asked for wss does not go by ws, whatever the locator says.
	return cJSON_IsString(url) && sp_ndt7_url_parse(out, url->valuestring) == 0 && out->tls == tls;
}

int sp_ndt7_locate_parse(const char *text, size_t length, bool tls, struct sp_ndt7_server *servers)
{
	int count = 0;
	cJSON *root = length <= SP_NDT7_JSON ? parse_object(text, length) : NULL;
	const cJSON *results = cJSON_GetObjectItemCaseSensitive(root, "results");
	if (!cJSON_IsArray(results)) {
		cJSON_Delete(root);
		return -EPROTO;
	}
	const cJSON *result;
	cJSON_ArrayForEach(result, results)
	{
		if (count == SP_NDT7_SERVERS)
			break;
		const cJSON *urls = cJSON_GetObjectItemCaseSensitive(result, "urls");
		struct sp_ndt7_server *server = &servers[count];
		if (url_of(urls, tls, SP_SPEED_DOWN, &server->urls[SP_SPEED_DOWN]) &&
		    url_of(urls, tls, SP_SPEED_UP, &server->urls[SP_SPEED_UP]))
			count++;
	}
	cJSON_Delete(root);
	return count;
}

static int64_t number(const cJSON *object, const char *name)
{
	static const double most = 9007199254740992.0; // 2^53: what JSON's numbers hold exactly
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
	if (!cJSON_IsNumber(item) || !isfinite(item->valuedouble) || item->valuedouble < 0 ||
	    item->valuedouble > most)
		return -1;
	return (int64_t)item->valuedouble;
}

int sp_ndt7_measurement_parse(const char *text, size_t length, struct sp_ndt7_measurement *out)
{
	cJSON *root = length <= SP_NDT7_MEASUREMENT ? parse_object(text, length) : NULL;
	if (!root)
		return -EPROTO;
	const cJSON *app = cJSON_GetObjectItemCaseSensitive(root, "AppInfo");
	const cJSON *tcp = cJSON_GetObjectItemCaseSensitive(root, "TCPInfo");
	*out = (struct sp_ndt7_measurement){
	    .app_elapsed_us = number(app, "ElapsedTime"),
	    .app_bytes = number(app, "NumBytes"),
	    .tcp_elapsed_us = number(tcp, "ElapsedTime"),
	    .bytes_received = number(tcp, "BytesReceived"),
	    .bytes_acked = number(tcp, "BytesAcked"),
	    .bytes_sent = number(tcp, "BytesSent"),
	    .bytes_retrans = number(tcp, "BytesRetrans"),
	    .min_rtt_us = number(tcp, "MinRTT"),
	    .rtt_us = number(tcp, "RTT"),
	};
	cJSON_Delete(root);
	return 0;
}
