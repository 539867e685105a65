// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The page's API, asked over real HTTP.
#include "tests/unit/hub/hub_util.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "agent/base/mem.h"
#include "schoolpulse/clock.h"
#include "tools/hub/time/local_time.h"
#include "tools/hub/serve/page.h"
#include "tools/hub/serve/serve.h"

static struct hub hub;
static struct sp_hub_config config;
static struct sp_serve *serve;
static pthread_t thread;
static int stop_fd;

static void read_clock(void *arg, struct sp_clock_reading *out)
{
	(void)arg;
	*out = (struct sp_clock_reading){
	    .mono_us = 1, .synced = true, .wall_ms = __atomic_load_n(&hub.now_ms, __ATOMIC_SEQ_CST)};
}

static void *run(void *arg)
{
	(void)arg;
	sp_serve_run(serve, stop_fd);
	return NULL;
}

static int set_up(void **state)
{
	char why[256] = "";
	(void)state;
	hub_open(&hub);
	config.hub.db = hub.path;
	config.hub.silence_ms = 15 * 60 * 1000;
	config.evidence.min_samples = 2;
	config.evidence.kept_percent = 80;
	config.http.listen = (char *)(uintptr_t) "127.0.0.1";
	config.http.port = 0;
	serve = sp_serve_new(&config, why);
	assert_string_equal(why, "");
	stop_fd = eventfd(0, EFD_CLOEXEC);
	assert_int_equal(pthread_create(&thread, NULL, run, NULL), 0);
	return 0;
}

static int tear_down(void **state)
{
	uint64_t one = 1;
	(void)state;
	assert_int_equal(write(stop_fd, &one, sizeof(one)), sizeof(one));
	pthread_join(thread, NULL);
	sp_serve_free(serve);
	close(stop_fd);
	hub_close(&hub);
	return 0;
}

// ---- asking -----------------------------------------------------------------------------------------

struct answer {
	int status;
	char head[4096];
	char *body;
	cJSON *json;
};

static struct answer ask(const char *method, const char *path, const char *header)
{
	static char text[1024 * 1024];
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(sp_serve_port(serve))};
	struct answer answer = {0};
	char request[1024];
	size_t used = 0;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	int length =
	    snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%s\r\n",
		     method, path, header);
	assert_int_equal(write(fd, request, (size_t)length), length);
	for (ssize_t n; (n = read(fd, text + used, sizeof(text) - 1 - used)) > 0;)
		used += (size_t)n;
	close(fd);
	text[used] = '\0';
	char *body = strstr(text, "\r\n\r\n");
	assert_non_null(body);
	assert_int_equal(sscanf(text, "HTTP/1.1 %d", &answer.status), 1);
	snprintf(answer.head, sizeof(answer.head), "%.*s", (int)(body - text), text);
	answer.body = sp_strdup(body + 4);
	answer.json = cJSON_Parse(answer.body);
	return answer;
}

static struct answer get(const char *path)
{
	return ask("GET", path, "");
}

static void done(struct answer *answer)
{
	cJSON_Delete(answer->json);
	free(answer->body);
}

static const cJSON *at(const cJSON *json, const char *name)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, name);
	if (!item)
		fail_msg("no member %s", name);
	return item;
}

static void is_text(const cJSON *json, const char *name, const char *expected)
{
	const cJSON *item = at(json, name);
	if (!expected) {
		assert_true(cJSON_IsNull(item));
		return;
	}
	assert_true(cJSON_IsString(item));
	assert_string_equal(item->valuestring, expected);
}

static void is_number(const cJSON *json, const char *name, int64_t expected)
{
	const cJSON *item = at(json, name);
	assert_true(cJSON_IsNumber(item));
	assert_int_equal((int64_t)item->valuedouble, expected);
}

static void etag_of(const struct answer *answer, char out[128])
{
	const char *etag = strstr(answer->head, "ETag: ");
	assert_non_null(etag);
	snprintf(out, 128, "If-None-Match: %.*s\r\n", (int)strcspn(etag + 6, "\r\n"), etag + 6);
}

// ---- what is there to be asked ------------------------------------------------------------------------

static void fill(void)
{
	execute(&hub, "INSERT INTO register VALUES('1020', 'chinh', 'main', 'Lào Cai', 'Trường \"A\"', 'Điểm "
		      "chính', 'Mạng A',"
		      " '', 100, 50, '', '', 'board-1', 'north'), ('1021', 's', 'main', '', 'B', '', '', '', "
		      "NULL, NULL, '',"
		      " '', NULL, NULL)");
	DELIVER(
	    &hub, .last = 4, .clk_mono_us = 100 * SEC_US, .synced = true, .clk_t_ms = NOW_MS,
	    .clk_err_ms = 10,
	    .records =
		"[{\"seq\":1,\"type\":\"opened\",\"mono_us\":1000000,\"class\":\"facts\",\"prev\":null},"
		"{\"seq\":2,\"type\":\"line\",\"device\":\"main\",\"mono_us\":10000000,\"state\":\"down\","
		"\"cause\":\"isp\","
		"\"whose\":\"provider\"},"
		"{\"seq\":3,\"type\":\"outage\",\"device\":\"main\",\"mono_us\":10000000,\"outage\":\"o1\","
		"\"phase\":\"open\","
		"\"state\":\"down\",\"cause\":\"isp\",\"whose\":\"provider\",\"start_mono_us\":8000000,"
		"\"start_boot\":\"" BOOT_1
		"\",\"start_uncertainty_seconds\":0.5,\"evidence\":[{\"rung\":\"dns\",\"detail\":\"<b>\"}]},"
		"{\"seq\":4,\"type\":\"device\",\"device\":\"cable\",\"mono_us\":11000000,\"driver\":"
		"\"carrier\",\"state\":\"up\"}]");
	DELIVER(&hub, .device = "board-9", .stream = STREAM_2, .first = 3);
	assert_int_equal(sp_store_begin(hub.store, NOW_MS), 0);
	assert_int_equal(sp_store_pulse(hub.store, "running"), 0);
	assert_int_equal(sp_store_set_aside(hub.store, "malformed", "board-7", "sp1/up/x", "not \"JSON\"", 1),
			 0);
	assert_int_equal(sp_store_commit(hub.store), 0);
}

static void the_overview_shows_every_line(void **state)
{
	(void)state;
	fill();
	struct answer a = get("/api/v1/overview");
	assert_int_equal(a.status, 200);
	assert_non_null(strstr(a.head, "Content-Type: application/json; charset=utf-8"));
	is_number(a.json, "as_of_ms", NOW_MS);
	is_text(at(a.json, "hub"), "ingest", "running");
	is_text(at(a.json, "hub"), "epoch", EPOCH);
	is_text(at(a.json, "hub"), "version", SP_VERSION);
	const cJSON *counts = at(a.json, "counts"), *lines = at(a.json, "lines");
	is_number(counts, "down", 1);
	is_number(counts, "unknown", 1);
	is_number(counts, "up", 0);
	is_number(counts, "degraded", 0);
	assert_int_equal(cJSON_GetArraySize(lines), 3);
	const cJSON *one = cJSON_GetArrayItem(lines, 1), *none = cJSON_GetArrayItem(lines, 0),
		    *stray = cJSON_GetArrayItem(lines, 2);
	is_text(one, "area", "Lào Cai");
	is_text(one, "school", "1020");
	is_text(one, "school_name", "Trường \"A\"");
	is_text(one, "site", "chinh");
	is_text(one, "site_name", "Điểm chính");
	is_text(one, "line", "main");
	is_text(one, "provider", "Mạng A");
	is_text(one, "device", "board-1");
	assert_true(cJSON_IsTrue(at(one, "registered")));
	is_text(one, "state", "down");
	is_text(one, "cause", "isp");
	is_text(one, "whose", "provider");
	is_number(one, "since_ms", NOW_MS - 90000);
	is_number(one, "last_heard_ms", NOW_MS);
	is_text(one, "presence", "unknown");
	is_text(none, "school", "1021");
	is_text(none, "device", NULL);
	is_text(none, "state", "unknown");
	assert_true(cJSON_IsNull(at(none, "last_heard_ms")));
	is_text(stray, "school", NULL);
	is_text(stray, "device", "board-9");
	assert_true(cJSON_IsFalse(at(stray, "registered")));
	const cJSON *aside = cJSON_GetArrayItem(at(a.json, "set_aside"), 0);
	is_text(aside, "fault", "malformed");
	is_text(aside, "last_reason", "not \"JSON\"");
	is_number(aside, "count", 1);
	done(&a);
}

static void an_unchanged_answer_is_not_sent_again(void **state)
{
	(void)state;
	char header[128];
	fill();
	struct answer a = get("/api/v1/overview");
	etag_of(&a, header);
	done(&a);
	a = ask("GET", "/api/v1/overview", header);
	assert_int_equal(a.status, 304);
	assert_string_equal(a.body, "");
	done(&a);
	DELIVER(&hub, .device = "board-9", .stream = STREAM_2, .first = 4);
	a = ask("GET", "/api/v1/overview", header);
	assert_int_equal(a.status, 200);
	etag_of(&a, header);
	done(&a);
	// A hub that fell silent is news although nothing was written.
	__atomic_add_fetch(&hub.now_ms, 60000, __ATOMIC_SEQ_CST);
	a = ask("GET", "/api/v1/overview", header);
	assert_int_equal(a.status, 200);
	is_text(at(a.json, "hub"), "ingest", "stopped");
	is_number(a.json, "as_of_ms", NOW_MS);
	done(&a);
}

static void outages_can_be_chosen(void **state)
{
	(void)state;
	static const char *const found[] = {"", "?school=1020", "?site=chinh&line=main", "?device=board-1",
					    "?limit=1"};
	static const char *const none[] = {"?school=1021", "?device=board-9", "?line=backup", "?limit=0"};
	fill();
	for (size_t i = 0; i < SP_COUNT(found) + SP_COUNT(none); i++) {
		char path[128];
		snprintf(path, sizeof(path), "/api/v1/outages%s",
			 i < SP_COUNT(found) ? found[i] : none[i - SP_COUNT(found)]);
		struct answer a = get(path);
		assert_int_equal(cJSON_GetArraySize(at(a.json, "outages")), i < SP_COUNT(found) ? 1 : 0);
		done(&a);
	}
	struct answer a = get("/api/v1/outages");
	const cJSON *outage = cJSON_GetArrayItem(at(a.json, "outages"), 0);
	is_text(outage, "id", "o1");
	is_text(outage, "school", "1020");
	is_text(outage, "phase", "open");
	is_text(outage, "cause", "isp");
	is_number(outage, "start_ms", NOW_MS - 92000);
	assert_true(at(outage, "start_uncertainty_seconds")->valuedouble > 0.499);
	assert_true(cJSON_IsNull(at(outage, "end_ms")));
	is_text(cJSON_GetArrayItem(at(outage, "evidence"), 0), "detail", "<b>");
	done(&a);
}

static void a_day_has_segments(void **state)
{
	(void)state;
	char today[SP_LOCAL_TIME_SIZE], path[128];
	fill();
	snprintf(path, sizeof(path), "/api/v1/day?date=%s", sp_local_date(NOW_MS, today));
	assert_string_equal(today, "2026-11-21");
	struct answer a = get(path);
	is_text(a.json, "date", today);
	is_text(a.json, "timezone", "Asia/Ho_Chi_Minh");
	const cJSON *line = cJSON_GetArrayItem(at(a.json, "lines"), 1), *segments = at(line, "segments");
	is_text(line, "school", "1020");
	assert_int_equal(cJSON_GetArraySize(segments), 3);
	const cJSON *first = cJSON_GetArrayItem(segments, 0), *second = cJSON_GetArrayItem(segments, 1);
	is_number(first, "from_ms", NOW_MS - 10 * HOUR_MS); // midnight at +07:00
	is_text(first, "state", "unknown");
	is_text(second, "state", "down");
	is_text(second, "cause", "isp");
	is_number(second, "from_ms", NOW_MS - 90000);
	is_number(second, "to_ms", NOW_MS - 89000);
	is_number(cJSON_GetArrayItem(segments, 2), "to_ms", NOW_MS); // the future has none
	done(&a);
	a = get("/api/v1/day?date=2026-11-22");
	assert_int_equal(cJSON_GetArraySize(at(cJSON_GetArrayItem(at(a.json, "lines"), 1), "segments")), 0);
	done(&a);
}

static void the_other_lists(void **state)
{
	(void)state;
	fill();
	DELIVER(&hub, .device = "board-9", .stream = STREAM_2, .first = 3,
		.digest = "ffffffffffffffffffffffffffffffff");
	struct answer a = get("/api/v1/devices?device=board-1");
	const cJSON *device = cJSON_GetArrayItem(at(a.json, "devices"), 0);
	assert_int_equal(cJSON_GetArraySize(at(a.json, "devices")), 1);
	is_text(device, "device", "board-1");
	is_number(device, "events", 4);
	is_text(cJSON_GetArrayItem(at(a.json, "instances"), 0), "instance", "cable");
	done(&a);
	a = get("/api/v1/facts?device=board-1&after=1&limit=2");
	assert_int_equal(cJSON_GetArraySize(at(a.json, "facts")), 2);
	const cJSON *fact = cJSON_GetArrayItem(at(a.json, "facts"), 0);
	is_text(fact, "type", "line");
	is_number(fact, "seq", 2);
	is_text(fact, "placed", "envelope");
	is_text(at(fact, "data"), "cause", "isp");
	done(&a);
	a = get("/api/v1/anomalies");
	const cJSON *anomaly = cJSON_GetArrayItem(at(a.json, "anomalies"), 0);
	is_text(anomaly, "kind", "identity_conflict");
	is_text(anomaly, "device", "board-9");
	is_number(anomaly, "at_ms", NOW_MS);
	done(&a);
	a = get("/api/v1/gaps");
	const cJSON *gap = cJSON_GetArrayItem(at(a.json, "gaps"), 0);
	is_text(gap, "status", "open");
	is_text(gap, "class", "facts");
	is_number(gap, "from", 1);
	is_number(gap, "to", 2);
	done(&a);
	a = get("/healthz");
	is_text(a.json, "status", "ok");
	done(&a);
}

/// Three downloads and an upload of today, and one test that failed.
static void fill_speed(void)
{
	static const char csv[] =
	    "school,school_name,site,line,device,shard,provider,contract,down_mbps,up_mbps\n"
	    "1020,A,chinh,main,board-1,north,Mạng A,Fiber100,100,50\n";
	static const char *const said[] = {
	    "\"direction\":\"down\",\"validity\":\"valid\",\"goodput_bps\":90e6,\"idle_rtt\":{\"count\":9,"
	    "\"median_"
	    "seconds\":0.008},\"link_mbps\":1000",
	    "\"direction\":\"up\",\"validity\":\"valid\",\"goodput_bps\":45e6",
	    "\"direction\":\"down\",\"validity\":\"valid\",\"goodput_bps\":80e6",
	    "\"direction\":\"down\",\"validity\":\"failed\",\"reason\":\"timeout\"",
	    "\"direction\":\"down\",\"validity\":\"valid\",\"goodput_bps\":60e6"};
	struct sp_config_errors errors = {0};
	struct sp_register reg;
	struct sp_store_import done;
	assert_int_equal(sp_register_parse(&reg, "r.csv", csv, strlen(csv), &errors), 0);
	assert_int_equal(sp_store_import(hub.store, &reg, false, NOW_MS, &done), 0);
	sp_register_free(&reg);
	DELIVER(&hub, .first = 1, .t_ms = NOW_MS - HOUR_MS, .err_ms = 10);
	for (size_t i = 0; i < SP_COUNT(said); i++) {
		int64_t seq = (int64_t)i + 2;
		char record[1024];
		snprintf(record, sizeof(record),
			 "[{\"seq\":%" PRId64 ",\"mono_us\":%" PRId64 ",\"t_ms\":%" PRId64
			 ",\"err_ms\":10,\"type\":\"speedtest\",\"device\":\"lan\",\"test\":\"" STREAM_3
			 "\",\"line\":\"main\",\"method\":\"librespeed\",\"trigger\":\"hand\",\"scope\":"
			 "\"domestic\",%s}]",
			 seq, seq * 60 * SEC_US, NOW_MS - HOUR_MS + seq * 60000, said[i]);
		DELIVER(&hub, .first = seq, .records = record);
	}
}

static void is_real(const cJSON *json, const char *name, double expected)
{
	double value = at(json, name)->valuedouble;
	assert_true(cJSON_IsNumber(at(json, name)));
	if (!(value > expected - 1e-9 && value < expected + 1e-9))
		fail_msg("%s is %.12g, not %.12g", name, value, expected);
}

static void speed_is_evidence_with_its_exclusions(void **state)
{
	(void)state;
	fill_speed();
	struct answer a = get("/api/v1/speed?from=2026-11-21&to=2026-11-22");
	assert_int_equal(a.status, 200);
	is_number(a.json, "from_ms", NOW_MS - 10 * HOUR_MS);
	is_number(a.json, "to_ms", NOW_MS + 14 * HOUR_MS);
	is_number(a.json, "min_samples", 2);
	is_real(a.json, "kept_ratio", 0.8);
	assert_int_equal(cJSON_GetArraySize(at(a.json, "pools")), 1);
	const cJSON *pool = cJSON_GetArrayItem(at(a.json, "pools"), 0), *down = at(pool, "down"),
		    *failed = cJSON_GetArrayItem(at(down, "excluded"), 0);
	is_text(pool, "provider", "Mạng A");
	is_text(pool, "plan", "Fiber100");
	is_text(pool, "scope", "domestic");
	is_text(pool, "verdict", "not_kept"); // 230 / 3 of 100
	is_number(down, "samples", 3);
	is_real(down, "mean_mbps", 230.0 / 3);
	is_real(down, "ratio_of_means", 2.3 / 3);
	is_real(down, "mean_of_ratios", 2.3 / 3);
	is_real(down, "p50_mbps", 80);
	is_number(down, "sites", 1);
	is_number(down, "days", 1);
	assert_int_equal(cJSON_GetArraySize(at(down, "hours")), 24);
	assert_int_equal(cJSON_GetArrayItem(at(down, "hours"), 9)->valueint, 3);
	is_number(at(down, "methods"), "librespeed", 3);
	is_text(failed, "validity", "failed");
	is_text(failed, "reason", "timeout");
	is_number(failed, "count", 1);
	is_number(failed, "samples", 0);
	assert_true(cJSON_IsNull(at(failed, "mean_mbps")));
	is_text(at(pool, "up"), "verdict", "not_rated");
	done(&a);
	a = get("/api/v1/speed?from=2026-11-21&to=2026-11-22&provider=Another");
	assert_int_equal(cJSON_GetArraySize(at(a.json, "pools")), 0);
	done(&a);
	a = get("/api/v1/speed/sites");
	is_number(cJSON_GetArrayItem(at(a.json, "sites"), 0), "samples", 3);
	is_real(cJSON_GetArrayItem(at(a.json, "sites"), 0), "median_down_mbps", 80);
	done(&a);
	a = get("/api/v1/kiosks?from=2026-11-21&to=2026-11-22");
	is_text(cJSON_GetArrayItem(at(a.json, "schools"), 0), "reason", "no_timetable");
	done(&a);
	a = get("/api/v1/attendance");
	is_number(a.json, "least_persons", 5);
	done(&a);
}

static void tests_come_page_by_page(void **state)
{
	(void)state;
	char path[256];
	fill_speed();
	struct answer a =
	    get("/api/v1/tests?school=1020&site=chinh&line=main&from=2026-11-21&to=2026-11-22&limit=3");
	assert_int_equal(cJSON_GetArraySize(at(a.json, "tests")), 3);
	const cJSON *newest = cJSON_GetArrayItem(at(a.json, "tests"), 0);
	is_text(newest, "school", "1020");
	is_text(newest, "site", "chinh");
	is_text(newest, "device", "board-1");
	is_text(newest, "instance", "lan");
	is_text(newest, "placed", "anchor"); // its clock told the time in the first record, too
	is_text(newest, "trigger", "hand");
	is_real(newest, "mbps", 60);
	assert_true(cJSON_IsNull(at(newest, "idle_rtt")));
	assert_true(cJSON_IsNull(at(newest, "link_mbps")));
	assert_true(cJSON_IsNull(at(cJSON_GetArrayItem(at(a.json, "tests"), 1), "mbps")));
	snprintf(path, sizeof(path), "/api/v1/tests?limit=3&after=%s", at(a.json, "next")->valuestring);
	done(&a);
	a = get(path);
	assert_int_equal(cJSON_GetArraySize(at(a.json, "tests")), 2);
	assert_true(cJSON_IsNull(at(a.json, "next")));
	const cJSON *oldest = cJSON_GetArrayItem(at(a.json, "tests"), 1);
	is_real(oldest, "mbps", 90);
	is_real(at(oldest, "idle_rtt"), "median_seconds", 0.008);
	is_number(oldest, "link_mbps", 1000);
	done(&a);
	a = get("/api/v1/tests?site=le");
	assert_int_equal(cJSON_GetArraySize(at(a.json, "tests")), 0);
	done(&a);
	a = get("/api/v1/tests?device=board-1&to=2026-11-21"); // up to its beginning
	assert_int_equal(cJSON_GetArraySize(at(a.json, "tests")), 0);
	done(&a);
	a = get("/api/v1/overview");
	const cJSON *line = cJSON_GetArrayItem(at(a.json, "lines"), 0);
	is_text(line, "contract", "Fiber100");
	is_real(line, "bought_down_mbps", 100);
	is_real(line, "bought_up_mbps", 50);
	is_real(line, "down_mbps", 60);
	is_real(line, "up_mbps", 45);
	is_number(line, "speed_ms", NOW_MS - HOUR_MS + 6 * 60000);
	done(&a);
}

static void mistakes_are_answered_in_json(void **state)
{
	(void)state;
	static const struct {
		const char *method, *path;
		int status;
	} cases[] = {
	    {"GET", "/api/v1/nothing", 404},
	    {"GET", "/nothing.js", 404},
	    {"GET", "/../main.c", 404},
	    {"GET", "/api/v1/day?date=2026-02-31", 400},
	    {"GET", "/api/v1/day?date=tomorrow", 400},
	    {"GET", "/api/v1/facts?after=-1", 400},
	    {"GET", "/api/v1/facts?limit=many", 400},
	    {"GET", "/api/v1/facts?class=secret", 400},
	    {"GET", "/api/v1/speed?from=2026-11-31", 400},
	    {"GET", "/api/v1/speed?from=2026-11-21&to=2026-11-21", 400},
	    {"GET", "/api/v1/speed?from=2020-01-01&to=2026-01-01", 400},
	    {"GET", "/api/v1/speed?from=-5&to=2026-01-01", 400},
	    {"GET", "/api/v1/speed?to=999999999999999999999", 400},
	    {"GET", "/api/v1/speed/sites?from=yesterday", 400},
	    {"GET", "/api/v1/tests?to=2026-13-01", 400},
	    {"GET", "/api/v1/attendance?from=2026-11-31", 400},
	    {"GET", "/api/v1/kiosks?from=2026-11-21&to=2026-11-20", 400},
	    {"GET", "/api/v1/tests?limit=all", 400},
	    {"GET", "/api/v1/tests?after=1-2", 400},
	    {"GET", "/api/v1/tests?after=1-2-3x", 400},
	    {"GET", "/api/v1/tests?after=-1-2-3", 400},
	    {"GET", "/api/v1/tests?after=99999999999999999999-2-3", 400},
	    {"POST", "/api/v1/overview", 405},
	    {"DELETE", "/", 405},
	};
	for (size_t i = 0; i < SP_COUNT(cases); i++) {
		struct answer a = ask(cases[i].method, cases[i].path, "");
		assert_int_equal(a.status, cases[i].status);
		assert_true(cJSON_IsString(at(a.json, "error")));
		done(&a);
	}
}

static void the_page_is_in_the_program(void **state)
{
	(void)state;
	char header[128];
	for (const struct sp_page_file *file = sp_page_files; file->path; file++) {
		char path[256], type[128];
		snprintf(path, sizeof(path), "/%s", file->path);
		snprintf(type, sizeof(type), "Content-Type: %s\r\n", file->content_type);
		struct answer a = get(path);
		assert_int_equal(a.status, 200);
		assert_int_equal(strlen(a.body), file->length);
		assert_memory_equal(a.body, file->data, file->length);
		assert_non_null(strstr(a.head, type));
		done(&a);
	}
	struct answer a = get("/");
	assert_int_equal(a.status, 200);
	assert_non_null(strstr(a.head, "Content-Security-Policy: default-src 'self'"));
	assert_non_null(strstr(a.head, "X-Content-Type-Options: nosniff"));
	assert_non_null(strstr(a.head, "Referrer-Policy: no-referrer"));
	etag_of(&a, header);
	done(&a);
	a = ask("GET", "/index.html", header);
	assert_int_equal(a.status, 304);
	done(&a);
	a = ask("HEAD", "/", "");
	assert_int_equal(a.status, 200);
	assert_string_equal(a.body, "");
	done(&a);
}

static void before_the_first_ingest_it_says_so(void **state)
{
	(void)state;
	char *real = config.hub.db, *none = sp_asprintf("%s/none.db", hub.dir);
	config.hub.db = none;
	struct answer a = get("/api/v1/overview");
	assert_int_equal(a.status, 503);
	assert_true(cJSON_IsString(at(a.json, "error")));
	done(&a);
	config.hub.db = real;
	a = get("/api/v1/overview");
	assert_int_equal(a.status, 200);
	is_text(at(a.json, "hub"), "ingest", "never");
	assert_true(cJSON_IsNull(at(a.json, "as_of_ms")));
	done(&a);
	free(none);
}

int main(void)
{
	static const struct sp_clock_source source = {read_clock, NULL};
	sp_clock_set_source(&source);
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    T(the_overview_shows_every_line),
	    T(an_unchanged_answer_is_not_sent_again),
	    T(outages_can_be_chosen),
	    T(a_day_has_segments),
	    T(the_other_lists),
	    T(speed_is_evidence_with_its_exclusions),
	    T(tests_come_page_by_page),
	    T(mistakes_are_answered_in_json),
	    T(the_page_is_in_the_program),
	    T(before_the_first_ingest_it_says_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
