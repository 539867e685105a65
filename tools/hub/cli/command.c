// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Commands to boards.
#include "tools/hub/cli/cli.h"

#include <cjson/cJSON.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/command.h"
#include "agent/base/mem.h"
#include "agent/base/member.h"
#include "agent/base/mqtt.h"
#include "schoolpulse/clock.h"
#include "tools/hub/store/store.h"

enum {
	EXIT_WORDS = 2,
	PUBLISH_US = 30 * 1000 * 1000, ///< for the broker to take it
	TURN_US = 200 * 1000,
	POLL_MS = 250,
	PAGE = 500,
	WAIT_MAX_S = 86400,
};

struct request {
	const char *key_file;
	struct sp_command command;
	int64_t expires_ms, wait_seconds;
};

static int bad_words(const char *text, const char *word)
{
	fprintf(stderr, "schoolpulse-hub: command: %s%s\n", text, word);
	return EXIT_WORDS;
}

// ---- publishing ------------------------------------------------------------------------------------------

struct sending {
	struct sp_mqtt *mqtt;
	const struct request *request;
	struct sp_buf wire;
	char topic[96];
	int mid;
	bool over;
	int result;
	char why[256];
};

static void finish(struct sending *sending, int result, const char *why)
{
	sending->over = true;
	sending->result = result;
	snprintf(sending->why, sizeof(sending->why), "%s", why);
}

static void on_connected(void *arg, int reason, const char *text, bool session_present)
{
	struct sending *sending = arg;
	(void)session_present;
	if (reason != 0) {
		finish(sending, -ECONNREFUSED, text);
		return;
	}
	int result =
	    sp_mqtt_publish_for(sending->mqtt, sending->topic, sending->wire.data, sending->wire.length,
				"application/json", sending->request->expires_ms / 1000, &sending->mid);
	if (result < 0)
		finish(sending, result, strerror(-result));
}

static void on_disconnected(void *arg, int reason, const char *text)
{
	(void)reason;
	finish(arg, -ECONNRESET, text);
}

static void on_acknowledged(void *arg, int mid, int reason)
{
	struct sending *sending = arg;
	if (mid != sending->mid)
		return;
	if (reason >= 0x80)
		finish(sending, -EPERM, "the broker refuses it: may this user write to that topic?");
	else if (reason == 0x10)
		finish(sending, 0, "no session of that board is known to the broker: nobody will hear it");
	else
		finish(sending, 0, "");
}

static void on_subscribed(void *arg, const char *topic, int reason)
{
	(void)arg;
	(void)topic;
	(void)reason;
}

static void on_message(void *arg, const struct sp_mqtt_message *message)
{
	(void)arg;
	(void)message;
}

static const char *nonempty(const char *text)
{
	return text && text[0] ? text : NULL;
}

static void turn_until_over(struct sending *sending, const struct sp_hub_config *config)
{
	static const struct sp_mqtt_events events = {.connected = on_connected,
						     .disconnected = on_disconnected,
						     .acknowledged = on_acknowledged,
						     .subscribed = on_subscribed,
						     .message = on_message};
	char *client_id = sp_asprintf("%s-command-%s", config->mqtt.client_id, sending->request->command.id);
	struct sp_mqtt_config mqtt = {.host = config->mqtt.host,
				      .port = (uint16_t)config->mqtt.port,
				      .client_id = client_id,
				      .username = nonempty(config->mqtt.username),
				      .password = nonempty(config->mqtt.password),
				      .ca_file = nonempty(config->mqtt.ca_file),
				      .cert_file = nonempty(config->mqtt.cert_file),
				      .key_file = nonempty(config->mqtt.key_file),
				      .keepalive_seconds = 60,
				      .clean_start = true};
	int64_t until_us = sp_clock_mono_us() + PUBLISH_US;
	sending->mqtt = sp_mqtt_new(&mqtt, &events, sending, sending->why);
	int result = sending->mqtt ? sp_mqtt_connect(sending->mqtt, sending->why) : -errno;
	if (result < 0) {
		sending->over = true;
		sending->result = result;
	}
	while (!sending->over && sp_clock_mono_us() < until_us)
		sp_mqtt_turn(sending->mqtt, TURN_US, -1);
	if (!sending->over)
		finish(sending, -ETIMEDOUT, "no answer");
	if (sending->mqtt && sp_mqtt_connected(sending->mqtt))
		sp_mqtt_disconnect(sending->mqtt, false);
	sp_mqtt_free(sending->mqtt);
	free(client_id);
}

/// Tells on stderr what is wrong. 0 or -errno.
static int publish(const struct sp_hub_config *config, const struct request *request,
		   const struct sp_sign_key *key)
{
	struct sending sending = {.request = request, .wire = SP_BUF(SP_COMMAND_MESSAGE_MAX)};
	const struct sp_command *command = &request->command;
	snprintf(sending.topic, sizeof(sending.topic), "sp1/down/%s/%s/cmd", command->shard, command->dev);
	sending.result = sp_command_seal(&sending.wire, command, key);
	if (sending.result == 0)
		turn_until_over(&sending, config);
	else
		snprintf(sending.why, sizeof(sending.why), "%s", strerror(-sending.result));
	if (sending.why[0])
		fprintf(stderr, "schoolpulse-hub: %s:%u: %s\n", config->mqtt.host,
			(unsigned)config->mqtt.port, sending.why);
	sp_buf_free(&sending.wire);
	return sending.result;
}

// ---- waiting ---------------------------------------------------------------------------------------------

struct answers {
	const char *id;
	int64_t after, count;
	bool over, done;
};

static void on_fact(void *arg, const struct sp_fact_view *fact)
{
	struct answers *answers = arg;
	answers->after = fact->id;
	answers->count++;
	cJSON *json = strcmp(fact->type, "command") == 0 ? cJSON_Parse(fact->data) : NULL;
	if (json && strcmp(sp_member_text(json, "id"), answers->id) == 0) {
		const char *outcome = sp_member_text(json, "outcome"),
			   *reason = sp_member_text(json, "reason");
		const char *text = sp_member_text(json, "text");
		printf("%s%s%s%s%s%s\n", outcome, reason[0] ? ": " : "", reason, text[0] ? " (" : "", text,
		       text[0] ? ")" : "");
		fflush(stdout);
		answers->over = strcmp(outcome, "accepted") != 0;
		answers->done = strcmp(outcome, "done") == 0;
	}
	cJSON_Delete(json);
}

/// What is committed so far. 0 or -errno, told on stderr.
static int read_on(struct sp_store *store, const char *device, struct answers *answers)
{
	int64_t before;
	do {
		before = answers->count;
		if (sp_store_facts(store, device, false, answers->after, PAGE, on_fact, answers) < 0) {
			fprintf(stderr, "schoolpulse-hub: %s\n", sp_store_error(store));
			return -EIO;
		}
	} while (answers->count - before == PAGE);
	return 0;
}

static int wait_for_answer(const struct sp_hub_config *config, const struct request *request)
{
	struct answers answers = {.id = request->command.id};
	int64_t until_us = sp_clock_mono_us() + request->wait_seconds * 1000000;
	struct sp_store *store = sp_cli_open(config);
	int result = store ? 0 : -EIO;
	while (result == 0 && !answers.over) {
		result = read_on(store, request->command.dev, &answers);
		if (result == 0 && !answers.over && sp_clock_mono_us() >= until_us) {
			fprintf(stderr,
				"schoolpulse-hub: the board has not said in time what became of it\n");
			result = -ETIMEDOUT;
		}
		if (result == 0 && !answers.over)
			poll(NULL, 0, POLL_MS);
	}
	sp_store_close(store);
	return answers.done ? EXIT_SUCCESS : EXIT_FAILURE;
}

// ---- words -----------------------------------------------------------------------------------------------

static bool copy(char *out, size_t size, const char *text)
{
	snprintf(out, size, "%s", text);
	return strlen(text) < size;
}

static bool read_direction(struct sp_command *command, const char *word)
{
	if (strcmp(word, "down") == 0)
		command->direction = SP_COMMAND_DOWN;
	else if (strcmp(word, "up") == 0)
		command->direction = SP_COMMAND_UP;
	return command->direction != SP_COMMAND_BOTH;
}

static bool read_wait(struct request *request, const char *word)
{
	char *end = NULL;
	request->wait_seconds = strtol(word, &end, 10);
	return *word && !*end && request->wait_seconds >= 1 && request->wait_seconds <= WAIT_MAX_S;
}

static int read_option(struct request *request, int option)
{
	struct sp_command *command = &request->command;
	switch (option) {
	case 'k':
		request->key_file = optarg;
		return 0;
	case 'd':
		return copy(command->dev, sizeof(command->dev), optarg) && sp_id_valid(command->dev)
			   ? 0
			   : bad_words("not a board's name: ", optarg);
	case 's':
		return copy(command->shard, sizeof(command->shard), optarg) && sp_id_valid(command->shard)
			   ? 0
			   : bad_words("not a shard: ", optarg);
	case 'w':
		return read_wait(request, optarg)
			   ? 0
			   : bad_words("--wait takes 1 to 86400 seconds, not ", optarg);
	case 'e':
		return sp_duration_parse(optarg, &request->expires_ms) == 0 && request->expires_ms >= 1000
			   ? 0
			   : bad_words("--expires takes a time as in 10min, not ", optarg);
	case 'i':
		return copy(command->device, sizeof(command->device), optarg)
			   ? 0
			   : bad_words("too long: ", optarg);
	case 'l':
		return copy(command->line, sizeof(command->line), optarg) ? 0
									  : bad_words("too long: ", optarg);
	case 'r':
		return read_direction(command, optarg) ? 0
						       : bad_words("--direction is down or up, not ", optarg);
	default:
		return EXIT_WORDS;
	}
}

static int read_words(struct request *request, const struct sp_hub_config *config, int argc, char **argv)
{
	static const struct option options[] = {{"key", required_argument, NULL, 'k'},
						{"device", required_argument, NULL, 'd'},
						{"shard", required_argument, NULL, 's'},
						{"wait", required_argument, NULL, 'w'},
						{"expires", required_argument, NULL, 'e'},
						{"instance", required_argument, NULL, 'i'},
						{"line", required_argument, NULL, 'l'},
						{"direction", required_argument, NULL, 'r'},
						{0}};
	const struct sp_strings *shards = &config->mqtt.shards;
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		int result = read_option(request, c);
		if (result)
			return result;
	}
	if (optind >= argc)
		return bad_words("which one? speedtest", "");
	if (strcmp(argv[optind], "speedtest") != 0)
		return bad_words("boards know speedtest, not ", argv[optind]);
	if (optind + 1 < argc)
		return bad_words("what is ", argv[optind + 1]);
	if (!request->key_file)
		return bad_words("whose signature? --key FILE", "");
	if (!request->command.dev[0])
		return bad_words("which board? --device ID", "");
	if (!request->command.shard[0] && shards->count != 1)
		return bad_words("which shard? --shard NAME", "");
	if (!request->command.shard[0] &&
	    !copy(request->command.shard, sizeof(request->command.shard), shards->items[0]))
		return bad_words("not a shard: ", shards->items[0]);
	return 0;
}

int sp_hub_command(const struct sp_hub_config *config, int argc, char **argv)
{
	struct request request = {.expires_ms = 10 * 60 * 1000, .command = {.command = "speedtest"}};
	char why[SP_SIGN_WHY];
	int result = read_words(&request, config, argc, argv);
	if (result)
		return result;
	struct sp_clock_reading now = sp_clock_now();
	sp_id_new(request.command.id);
	request.command.issued_ms = now.wall_ms;
	request.command.expires_ms = now.wall_ms + request.expires_ms;
	struct sp_sign_key *key = sp_sign_private(request.key_file, why);
	if (!key) {
		fprintf(stderr, "schoolpulse-hub: %s: %s\n", request.key_file, why);
		return EXIT_FAILURE;
	}
	result = publish(config, &request, key);
	sp_sign_free(key);
	if (result < 0)
		return EXIT_FAILURE;
	printf("%s\n", request.command.id);
	fflush(stdout);
	return request.wait_seconds > 0 ? wait_for_answer(config, &request) : EXIT_SUCCESS;
}

int sp_hub_command_key(const char *file)
{
	struct sp_buf pem = SP_BUF(4096);
	char why[SP_SIGN_WHY];
	int result = sp_sign_generate(file, &pem, why);
	if (result < 0)
		fprintf(stderr, "schoolpulse-hub: %s\n", why);
	else
		fputs(pem.data, stdout);
	sp_buf_free(&pem);
	return result < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
