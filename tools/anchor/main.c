// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// schoolpulse-anchor: what a province hosts to be measured against.
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "agent/base/buf.h"
#include "agent/base/log.h"
#include "tools/anchor/anchor_config.h"
#include "tools/anchor/serve.h"

enum { EXIT_USAGE = 2 };

static const char usage[] = "usage: schoolpulse-anchor [--config FILE | --KEY VALUE ...]\n"
			    "       schoolpulse-anchor --check-config FILE\n"
			    "\n"
			    "A LibreSpeed backend over HTTP and a STAMP reflector (RFC 8762) over UDP.\n"
			    "Every key of the file's section [anchor] is a flag, too:\n\n";

static void print_usage(FILE *out)
{
	fputs(usage, out);
	for (const struct sp_option *option = sp_anchor_options; option->key; option++)
		fprintf(out, "  --%-18s %s%s%s%s\n", option->key, option->help, option->def[0] ? " (" : "",
			option->def, option->def[0] ? ")" : "");
	fputs("  --version, --help\n", out);
}

static int bad_usage(const char *text, const char *word)
{
	fprintf(stderr, "schoolpulse-anchor: %s%s; --help shows what there is\n", text, word);
	return EXIT_USAGE;
}

static int signal_fd(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	signal(SIGPIPE, SIG_IGN);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static int run(const struct sp_anchor_config *config)
{
	static const char *const levels[] = {"error", "warning", "notice", "info", "debug"};
	char why[256] = "";
	sp_log_setup((enum sp_log_level)sp_log_level_parse(levels[config->log_level]),
		     sp_log_wants_sd_prefix(), NULL);
	int stop = signal_fd();
	if (stop < 0) {
		sp_err("anchor", "signalfd: %s", strerror(errno));
		return EXIT_FAILURE;
	}
	struct sp_anchor *anchor = sp_anchor_new(config, why);
	if (anchor) {
		sp_anchor_run(anchor, stop);
		sp_notice("anchor", "stopping");
	} else {
		sp_err("anchor", "%s", why);
	}
	sp_anchor_free(anchor);
	sp_log_flush();
	close(stop);
	return anchor ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int with_config(const char *file, const char *text, bool check_only)
{
	struct sp_config_errors errors = {0};
	struct sp_anchor_config config;
	int status = EXIT_FAILURE;
	if (sp_anchor_config_read(&config, file, text, &errors) < 0) {
		for (size_t i = 0; i < errors.count; i++)
			fprintf(stderr, "%s\n", errors.lines[i]);
	} else if (check_only) {
		printf("%s: good\n", file);
		status = EXIT_SUCCESS;
	} else {
		status = run(&config);
	}
	sp_config_errors_free(&errors);
	sp_anchor_config_free(&config);
	return status;
}

/// "--stamp-port 862" and "--stamp-port=862" become the file's "stamp_port = 862".
static bool add_flag(struct sp_buf *text, const char *word, const char *next, bool *took_next)
{
	const char *equals = strchr(word, '=');
	const char *value = equals ? equals + 1 : next;
	*took_next = !equals;
	if (!value || strchr(value, '\n'))
		return false;
	for (const char *at = word + 2; *at && at != equals; at++)
		sp_buf_printf(text, "%c", *at == '-' ? '_' : *at);
	sp_buf_printf(text, " = %s\n", value);
	return true;
}

static int with_flags(int argc, char **argv)
{
	struct sp_buf text = SP_BUF(64 * 1024);
	sp_buf_text(&text, "[anchor]\n");
	for (int i = 1; i < argc; i++) {
		bool took_next = false;
		if (strncmp(argv[i], "--", 2) != 0 || !argv[i][2] ||
		    !add_flag(&text, argv[i], argv[i + 1], &took_next)) {
			sp_buf_free(&text);
			return bad_usage("what is ", argv[i]);
		}
		i += took_next;
	}
	int status = with_config("command line", text.data, false);
	sp_buf_free(&text);
	return status;
}

int main(int argc, char **argv)
{
	const char *first = argc > 1 ? argv[1] : "";
	if (strcmp(first, "--version") == 0) {
		puts("schoolpulse-anchor " SP_VERSION);
		return EXIT_SUCCESS;
	}
	if (strcmp(first, "--help") == 0) {
		print_usage(stdout);
		return EXIT_SUCCESS;
	}
	bool check = strcmp(first, "--check-config") == 0;
	if (!check && strcmp(first, "--config") != 0)
		return with_flags(argc, argv);
	if (argc != 3)
		return bad_usage("one file, and nothing else, after ", first);
	return with_config(argv[2], NULL, check);
}
