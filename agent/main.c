// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// schoolpulsed: command line, configuration, privileges; the rest is agent/core.
#include <cap-ng.h>
#include <getopt.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/log.h"
#include "agent/base/mqtt.h"
#include "agent/core/agent/agent.h"
#include "agent/core/speed/child.h"

static const char help[] =
    "Usage: schoolpulsed --config FILE\n"
    "       schoolpulsed --check-config FILE\n"
    "\n"
    "Watches a school's Internet line and classroom devices and sends what it finds to\n"
    "a hub, over MQTT.\n"
    "\n"
    "  -c, --config FILE        run with this configuration\n"
    "      --check-config FILE  say what is wrong with it, as FILE:LINE, and end\n"
    "      --version            print the version and end\n"
    "  -h, --help               print this and end\n"
    "\n"
    "Exit status: 0 stopped cleanly, or nothing wrong; 1 the configuration has mistakes;\n"
    "2 the command line has; 3 the state folder or a thread could not be had.\n";

struct arguments {
	const char *config, *check;
	const char *speed_child, *speed_order, *speed_config; ///< from the agent to itself: speed/child.h
};

static const struct option long_options[] = {
    {"config", required_argument, NULL, 'c'},
    {"check-config", required_argument, NULL, 'k'},
    {"speed-child", required_argument, NULL, 's'},
    {"speed-config", required_argument, NULL, 'f'},
    {"speed-order", required_argument, NULL, 'o'},
    {"version", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
    {0},
};

/// -1: go on; otherwise the exit code.
static int parse_arguments(int argc, char **argv, struct arguments *out)
{
	int option;
	while ((option = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1) {
		switch (option) {
		case 'c':
			out->config = optarg;
			break;
		case 'k':
			out->check = optarg;
			break;
		case 's':
			out->speed_child = optarg;
			break;
		case 'o':
			out->speed_order = optarg;
			break;
		case 'f':
			out->speed_config = optarg;
			break;
		case 'v':
			puts("schoolpulsed " SP_VERSION);
			return SP_EXIT_CLEAN;
		case 'h':
			fputs(help, stdout);
			return SP_EXIT_CLEAN;
		default:
			fputs("Try schoolpulsed --help.\n", stderr);
			return SP_EXIT_USAGE;
		}
	}
	if (optind < argc || !out->config == !out->check) {
		fputs(optind < argc ? "schoolpulsed: too many arguments\n"
				    : "schoolpulsed: either --config FILE or --check-config FILE\n",
		      stderr);
		fputs("Try schoolpulsed --help.\n", stderr);
		return SP_EXIT_USAGE;
	}
	return -1;
}

/// One speed test, of which the agent has checked the configuration.
static int test_speed(const struct arguments *arguments)
{
	struct sp_config_errors errors = {0}, warnings = {0};
	struct sp_settings settings;
	int code = SP_EXIT_CONFIG;
	sp_log_setup(SP_LOG_WARNING, sp_log_wants_sd_prefix(), NULL);
	int result = sp_settings_read(&settings, arguments->config, sp_driver_registry, &errors, &warnings);
	char fingerprint[17];
	snprintf(fingerprint, sizeof(fingerprint), "%016" PRIx64, settings.config.fingerprint);
	// What was set aside for the test, and what is told of it, is by what the agent read when it started.
	if (arguments->speed_config && strcmp(fingerprint, arguments->speed_config) != 0)
		sp_speed_child_refuse("the configuration was changed since the agent was started");
	else if (result)
		sp_speed_child_refuse("the configuration has mistakes");
	else
		code = (int)sp_speed_child_run(&settings, arguments->speed_child,
					       arguments->speed_order ? arguments->speed_order : "");
	sp_config_errors_free(&errors);
	sp_config_errors_free(&warnings);
	sp_settings_free(&settings);
	return code;
}

static void print_all(const char *kind, const struct sp_config_errors *lines)
{
	for (size_t i = 0; i < lines->count; i++)
		fprintf(stderr, "%s%s\n", kind, lines->lines[i]);
}

static int read_settings(struct sp_settings *settings, const char *file)
{
	struct sp_config_errors errors = {0}, warnings = {0};
	int result = sp_settings_read(settings, file, sp_driver_registry, &errors, &warnings);
	print_all("", &errors);
	print_all("warning: ", &warnings);
	sp_config_errors_free(&errors);
	sp_config_errors_free(&warnings);
	return result;
}

static int check(const char *file)
{
	struct sp_settings settings;
	int result = read_settings(&settings, file);
	if (!result)
		printf("ok: shard %s, broker %s:%lld, %zu line%s, %zu device%s\n", settings.agent.shard,
		       settings.mqtt.host, (long long)settings.mqtt.port, settings.line_count,
		       settings.line_count == 1 ? "" : "s", settings.device_count,
		       settings.device_count == 1 ? "" : "s");
	sp_settings_free(&settings);
	return result ? SP_EXIT_CONFIG : SP_EXIT_CLEAN;
}

/// Raw sockets are all that a driver may need beyond an ordinary process, and only where unprivileged
/// echo is not allowed. Everything else goes, also when started as root.
static void drop_privileges(void)
{
	if (capng_get_caps_process() < 0) {
		sp_warning("agent", "capabilities cannot be read: none dropped");
		return;
	}
	bool raw = capng_have_capability(CAPNG_PERMITTED, CAP_NET_RAW) > 0;
	bool bounding = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) > 0;
	capng_clear(bounding ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS);
	// In the bounding set, too, else no helper program could be given it.
	if (raw &&
	    capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET, CAP_NET_RAW) < 0)
		sp_warning("agent", "CAP_NET_RAW cannot be kept");
	if (capng_apply(bounding ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS) < 0)
		sp_warning("agent", "capabilities cannot be dropped");
}

static void keep_memory_small(void)
{
	// Three threads that hold little do not need an arena each, and what is free goes back.
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_TRIM_THRESHOLD, 64 * 1024);
	mallopt(M_MMAP_THRESHOLD, 64 * 1024);
}

static void block_signals(void)
{
	sigset_t signals;
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	// Inherited as ignored, nobody could tell how a child ended.
	signal(SIGCHLD, SIG_DFL);
}

int main(int argc, char **argv)
{
	struct arguments arguments = {0};
	int code = parse_arguments(argc, argv, &arguments);
	if (code >= 0)
		return code;
	if (arguments.check)
		return check(arguments.check);
	if (arguments.speed_child)
		return test_speed(&arguments);
	keep_memory_small();
	struct sp_settings settings;
	if (read_settings(&settings, arguments.config)) {
		sp_settings_free(&settings);
		return SP_EXIT_CONFIG;
	}
	static const enum sp_log_level levels[] = {SP_LOG_ERR, SP_LOG_WARNING, SP_LOG_NOTICE, SP_LOG_INFO,
						   SP_LOG_DEBUG};
	sp_log_setup(levels[settings.agent.log_level], sp_log_wants_sd_prefix(), NULL);
	block_signals();
	drop_privileges();
	sp_mqtt_library_init();
	code = (int)sp_agent_run(&settings, sp_driver_registry);
	sp_mqtt_library_cleanup();
	sp_settings_free(&settings);
	return code;
}
