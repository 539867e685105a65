// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Requests of persons, and sealed keys, on the command line.
#include "tools/hub/cli/cli.h"

#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/mem.h"
#include "tools/hub/serve/api.h"
#include "tools/hub/facts/fact_extract.h"
#include "tools/hub/text/json_out.h"
#include "tools/hub/time/local_time.h"
#include "tools/hub/store/store.h"

static int usage(const char *text)
{
	fprintf(stderr, "schoolpulse-hub: %s\n", text);
	return SP_EXIT_USAGE;
}

// ---- subjects -----------------------------------------------------------------------------------------

struct subjects {
	struct sp_buf out;
	const char *fetch;
	bool csv, json, failed;
	int64_t count;
};

static void list_json(struct sp_buf *out, const struct sp_subject_view *view)
{
	char time[SP_LOCAL_TIME_SIZE];
	sp_out_open(out, NULL, '{');
	sp_out_text(out, "request", view->request);
	sp_out_text(out, "device", view->device);
	sp_out_text_or_null(out, "school", view->school);
	sp_out_text(out, "action", view->action);
	sp_out_text(out, "received", sp_local_time(view->at_ms, time));
	sp_out_int(out, "persons", view->persons);
	sp_out_int(out, "events", view->events);
	sp_out_int(out, "erased_on_board", view->erased_on_board);
	sp_out_bool(out, "extract", view->extracted);
	sp_out_close(out, '}');
}

static void list_row(void *arg, const struct sp_subject_view *view)
{
	struct subjects *subjects = arg;
	char time[SP_LOCAL_TIME_SIZE];
	if (subjects->json)
		list_json(&subjects->out, view);
	else
		printf("%-26s %-7s %.19s %-12s %-20s %8" PRId64 " %8" PRId64 "  %s\n", view->request,
		       view->action, sp_local_time(view->at_ms, time), view->school[0] ? view->school : "-",
		       view->device, view->persons, view->events, view->extracted ? "extract" : "");
	subjects->count++;
}

static void fetch_row(void *arg, const struct sp_subject_view *view)
{
	struct subjects *subjects = arg;
	if (!view->extracted)
		return;
	subjects->count++;
	if (subjects->csv)
		subjects->failed |= !sp_fact_extract_csv(&subjects->out, view->extract);
	else
		sp_buf_printf(&subjects->out, "%s\n", view->extract);
}

static int fetch(struct sp_store *store, struct subjects *subjects)
{
	int result = sp_store_subjects(store, subjects->fetch, fetch_row, subjects);
	if (result == 0 && subjects->count > 0 && !subjects->failed && !subjects->out.overflowed) {
		fputs(subjects->out.data, stdout);
		return EXIT_SUCCESS;
	}
	fprintf(
	    stderr, "schoolpulse-hub: %s\n",
	    result < 0
		? sp_store_error(store)
		: "there is no extract of that request: it was fulfilled otherwise, erased, or is too old");
	return EXIT_FAILURE;
}

static int list(struct sp_store *store, struct subjects *subjects)
{
	if (!subjects->json)
		printf("%-26s %-7s %-19s %-12s %-20s %8s %8s\n", "REQUEST", "ACTION", "RECEIVED (+07:00)",
		       "SCHOOL", "BOARD", "PERSONS", "EVENTS");
	sp_out_open(&subjects->out, NULL, '[');
	int result = sp_store_subjects(store, NULL, list_row, subjects);
	sp_out_close(&subjects->out, ']');
	if (result < 0)
		fprintf(stderr, "schoolpulse-hub: %s\n", sp_store_error(store));
	else if (subjects->json)
		puts(subjects->out.data);
	return result < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int sp_subjects_command(const struct sp_hub_config *config, int argc, char **argv)
{
	static const struct option options[] = {{"fetch", required_argument, NULL, 'f'},
						{"csv", no_argument, NULL, 'c'},
						{"json", no_argument, NULL, 'j'},
						{0}};
	struct subjects subjects = {.out = SP_BUF(SP_API_MAX)};
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (c == 'f')
			subjects.fetch = optarg;
		else if (c == 'c')
			subjects.csv = true;
		else if (c == 'j')
			subjects.json = true;
		else
			return SP_EXIT_USAGE;
	}
	if (optind < argc)
		return usage("subjects takes no more words");
	if (subjects.csv && !subjects.fetch)
		return usage("subjects: --csv is of one request: --fetch");
	struct sp_store *store = sp_cli_open(config);
	int status = !store           ? EXIT_FAILURE
		     : subjects.fetch ? fetch(store, &subjects)
				      : list(store, &subjects);
	sp_store_close(store);
	sp_buf_free(&subjects.out);
	return status;
}

// ---- keys ---------------------------------------------------------------------------------------------

struct keys {
	const char *output;
	int64_t count;
	int error;
};

/// Readable for its owner alone: sealed, and yet a school's keys.
static int write_file(const char *path, const char *blob)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	size_t length = strlen(blob);
	bool good = write(fd, blob, length) == (ssize_t)length && write(fd, "\n", 1) == 1 && fsync(fd) == 0;
	int result = good ? 0 : errno ? -errno : -EIO;
	close(fd);
	if (result < 0)
		unlink(path);
	return result;
}

static void backup_row(void *arg, const struct sp_key_backup_view *view)
{
	struct keys *keys = arg;
	char time[SP_LOCAL_TIME_SIZE];
	keys->count++;
	if (keys->output)
		keys->error = write_file(keys->output, view->blob);
	else
		printf("%-20s %.19s  %-10s %s\n", view->device, sp_local_time(view->t_ms, time), view->mark,
		       view->school_years);
}

int sp_keys_command(const struct sp_hub_config *config, int argc, char **argv)
{
	static const struct option options[] = {
	    {"device", required_argument, NULL, 'd'}, {"output", required_argument, NULL, 'o'}, {0}};
	struct keys keys = {0};
	const char *device = NULL;
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (c == 'd')
			device = optarg;
		else if (c == 'o')
			keys.output = optarg;
		else
			return SP_EXIT_USAGE;
	}
	if (optind < argc)
		return usage("keys takes no more words");
	if (keys.output && !device)
		return usage("keys: of which board? --device");
	struct sp_store *store = sp_cli_open(config);
	if (!store)
		return EXIT_FAILURE;
	if (!keys.output)
		printf("%-20s %-19s  %-10s %s\n", "BOARD", "MADE (+07:00)", "CODE", "SCHOOL YEARS");
	int result = sp_store_key_backups(store, device, backup_row, &keys);
	if (result < 0)
		fprintf(stderr, "schoolpulse-hub: %s\n", sp_store_error(store));
	else if (keys.error < 0)
		fprintf(stderr, "schoolpulse-hub: %s: %s\n", keys.output, strerror(-keys.error));
	else if (device && keys.count == 0)
		fprintf(stderr, "schoolpulse-hub: no key backup of %s has come\n", device);
	sp_store_close(store);
	return result < 0 || keys.error < 0 || (device && keys.count == 0) ? EXIT_FAILURE : EXIT_SUCCESS;
}
