// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// KPIs over HTTP: their answers, and that everything else is answered while they are read.
#include "tests/unit/hub/hub_util.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "agent/base/mem.h"
#include "tools/hub/serve/serve.h"
#include "tools/hub/time/local_time.h"

static struct hub hub;
static struct sp_hub_config config;
static struct sp_serve *serve;
static pthread_t thread;
static int stop_fd;

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
	register_csv(&hub, "school,school_name,site,line,area,device,shard\n"
			   "A,A,chinh,main,Lào Cai/Sa Pa,board-1,north\n"
			   "B,B,chinh,main,Lai Châu,,\n");
	execute(&hub, "INSERT INTO site_day VALUES('A', 20759, 'chinh', 'lesson', 100, 90, 0, 10, 0, 0, 0)");
	config = (struct sp_hub_config){0};
	config.hub.db = hub.path;
	config.hub.silence_ms = 15 * 60 * 1000;
	config.hub.plans = (char *)(uintptr_t)PLANS;
	config.http.listen = (char *)(uintptr_t) "127.0.0.1";
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

// ---- asking ------------------------------------------------------------------------------------------

static int begin(const char *path)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(sp_serve_port(serve))};
	char request[512];
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	int length = snprintf(request, sizeof(request),
			      "GET %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", path);
	assert_int_equal(write(fd, request, (size_t)length), length);
	return fd;
}

/// The status; *json, if it is one, is the caller's.
static int finish(int fd, cJSON **json)
{
	static char text[512 * 1024];
	size_t used = 0;
	int status = 0;
	for (ssize_t n; (n = read(fd, text + used, sizeof(text) - 1 - used)) > 0;)
		used += (size_t)n;
	close(fd);
	text[used] = '\0';
	const char *body = strstr(text, "\r\n\r\n");
	assert_non_null(body);
	assert_int_equal(sscanf(text, "HTTP/1.1 %d", &status), 1);
	*json = cJSON_Parse(body + 4);
	return status;
}

static cJSON *get(const char *path, int expected)
{
	cJSON *json;
	assert_int_equal(finish(begin(path), &json), expected);
	assert_non_null(json);
	return json;
}

static double figure(const cJSON *json, const char *name)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, name);
	assert_true(cJSON_IsNumber(item));
	return item->valuedouble;
}

static const cJSON *named(const cJSON *list, const char *member, const char *name)
{
	const cJSON *item;
	cJSON_ArrayForEach(item, list)
	{
		const cJSON *text = cJSON_GetObjectItemCaseSensitive(item, member);
		if (cJSON_IsString(text) && strcmp(text->valuestring, name) == 0)
			return item;
	}
	fail_msg("no %s %s", member, name);
	return NULL;
}

// ---- tests -------------------------------------------------------------------------------------------

static void a_plan_and_every_kpi_are_answered(void **state)
{
	(void)state;
	cJSON *all = get("/api/v1/kpi?from=2026-11-02&to=2026-11-03", 200);
	assert_true(figure(all, "schools") == 2);
	const cJSON *one = named(cJSON_GetObjectItemCaseSensitive(all, "kpis"), "kpi", "availability");
	assert_true(figure(one, "numerator") == 90);
	assert_true(figure(one, "denominator") == 100);
	assert_true(figure(one, "unknown") == 1);
	cJSON_Delete(all);
	cJSON *plan = get("/api/v1/kpi?plan=lethuy-2024&from=2026-11-02&to=2026-11-03", 200);
	assert_true(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(plan, "promises")) > 0);
	cJSON_Delete(plan);
	cJSON *list = get("/api/v1/kpi/list", 200);
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(list, "kpis")), 16);
	cJSON_Delete(list);
}

static void mistakes_are_told(void **state)
{
	(void)state;
	cJSON_Delete(get("/api/v1/kpi?from=soon", 400));
	cJSON_Delete(get("/api/v1/kpi?plan=none", 404));
	cJSON_Delete(get("/api/v1/kpi?plan=../plans/lethuy-2024", 404));
	cJSON *error = get("/api/v1/kpi?area=nowhere", 404);
	assert_string_equal(cJSON_GetObjectItemCaseSensitive(error, "error")->valuestring,
			    "the register has no such area");
	cJSON_Delete(error);
}

/// The database is a pipe that nobody writes to: whoever opens it waits.
static void others_are_answered_while_kpis_are_read(void **state)
{
	(void)state;
	char *pipe_path = sp_asprintf("%s/pipe.db", hub.dir), *real = config.hub.db;
	assert_int_equal(mkfifo(pipe_path, 0600), 0);
	config.hub.db = pipe_path;
	int first = begin("/api/v1/kpi");
	cJSON_Delete(get("/api/v1/kpi/list", 200));
	cJSON *json;
	assert_int_equal(finish(begin("/"), &json), 200);
	cJSON_Delete(json);
	// Returns as soon as the thread waits there, too.
	close(open(pipe_path, O_WRONLY | O_CLOEXEC));
	assert_int_equal(finish(first, &json), 503);
	cJSON_Delete(json);
	config.hub.db = real;
	cJSON_Delete(get("/api/v1/kpi", 200));
	free(pipe_path);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    T(a_plan_and_every_kpi_are_answered),
	    T(mistakes_are_told),
	    T(others_are_answered_while_kpis_are_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
