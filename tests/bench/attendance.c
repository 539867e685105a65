// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What kiosks' events cost the journal: how long a kiosk waits for its acknowledgement, how many commits and
// how many bytes that is on the card, and whether memory stays flat. Three times: a school's morning alone,
// the same while a terminal uploads 100,000 stored records at once, and while it uploads them all again.
//
// Usage: bench_attendance FOLDER [SECONDS]
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/core/journal/journal.h"
#include "schoolpulse/clock.h"

enum {
	TERMINALS = 10,
	PER_MINUTE = 150, ///< 1,500 punches in ten minutes
	STORED = 100000,
	WINDOW = 200, ///< of the upload: a terminal's batch
	WAITS_MAX = 400000,
	DAY = 20780,
};

struct scene {
	int64_t *waits_us; ///< of the morning's punches
	_Atomic size_t count;
	_Atomic int64_t stored, known, flying, refused, commits, busy;
	int64_t begin_us, end_us;
};
static struct scene scene;

/// One punch or stored record under way.
struct flight {
	int64_t at_us;
	bool morning;
};

static void arrived(void *arg, int result)
{
	struct flight *flight = arg;
	if (result < 0)
		atomic_fetch_add(&scene.refused, 1);
	if (result == SP_JOURNAL_KNOWN)
		atomic_fetch_add(&scene.known, 1);
	if (flight->morning) {
		size_t i = atomic_fetch_add(&scene.count, 1);
		if (i < WAITS_MAX)
			scene.waits_us[i] = sp_clock_mono_us() - flight->at_us;
	} else {
		atomic_fetch_add(&scene.stored, 1);
		atomic_fetch_sub(&scene.flying, 1);
	}
	free(flight);
}

static void post(void *arg, sp_journal_done_fn done, void *done_arg, int result)
{
	(void)arg;
	done(done_arg, result);
}

static void news(void *arg)
{
	(void)arg;
	atomic_fetch_add(&scene.commits, 1);
}

/// As a kiosk's event is journalled, with what it has of members.
static int send_event(struct sp_journal *journal, const char *kiosk, int64_t n, bool morning)
{
	struct sp_clock_reading when = sp_clock_now();
	struct sp_buf text = SP_BUF(SP_FEED_RECORD_MAX);
	char id[40], person[40];
	snprintf(id, sizeof(id), "%016" PRIx64 "%016" PRIx64, (uint64_t)n * UINT64_C(0x9e3779b97f4a7c15),
		 (uint64_t)n * UINT64_C(0xd6e8feb86659fd93));
	snprintf(person, sizeof(person), "%016" PRIx64 "%016" PRIx64,
		 (uint64_t)(n % 1500) * UINT64_C(0x9e3779b97f4a7c15), (uint64_t)(n % 1500));
	const struct sp_field fields[] = {
	    SP_TEXT("event", id),
	    SP_TEXT("person", person),
	    SP_TEXT("person_kind", "pin"),
	    SP_TEXT("direction", "in"),
	    SP_TEXT("method", "face"),
	    SP_TEXT("gate", ""),
	    SP_NULL("number"),
	    SP_TEXT("kiosk_time", "2026-11-23T06:58:41"),
	    SP_INT("kiosk_t_ms", 1795391921000),
	    SP_INT("corrected_t_ms", 1795391921000),
	    SP_TEXT("correction", "kiosk_clock"),
	    SP_REAL("correction_seconds", 12.5),
	    SP_TEXT("mark", "live"),
	};
	if (sp_feed_record(&text, "punch", kiosk, &when, fields, SP_COUNT(fields)) != 0)
		abort();
	struct sp_journal_event event = {.record = text.data,
					 .kiosk = kiosk,
					 .day = morning ? DAY : DAY - 100 + (int32_t)(n / 1000),
					 .has_key = true,
					 .publish = true};
	uint64_t key[2] = {(uint64_t)n * UINT64_C(0xbf58476d1ce4e5b9), (uint64_t)n};
	memcpy(event.key, key, sizeof(event.key));
	struct flight *flight = sp_alloc(sizeof(*flight));
	*flight = (struct flight){.at_us = sp_clock_mono_us(), .morning = morning};
	int result = sp_journal_append_event(journal, &event, arrived, flight);
	if (result < 0)
		free(flight);
	sp_buf_free(&text);
	return result;
}

static void *upload(void *arg)
{
	for (int64_t n = 0; n < STORED;) {
		if (atomic_load(&scene.flying) >= WINDOW) {
			poll(NULL, 0, 1);
			continue;
		}
		atomic_fetch_add(&scene.flying, 1);
		if (send_event(arg, "cổng sau", n, false) == 0) {
			n++;
			continue;
		}
		atomic_fetch_sub(&scene.flying, 1);
		atomic_fetch_add(&scene.busy, 1);
		poll(NULL, 0, 1);
	}
	while (atomic_load(&scene.flying) > 0)
		poll(NULL, 0, 1);
	return NULL;
}

static int64_t proc_number(const char *file, const char *name)
{
	char line[256];
	int64_t value = -1;
	FILE *in = fopen(file, "re");
	while (in && fgets(line, sizeof(line), in)) {
		if (strncmp(line, name, strlen(name)) == 0)
			value = strtoll(line + strlen(name), NULL, 10);
	}
	if (in)
		fclose(in);
	return value;
}

/// What a synced page costs here, in µs.
static int64_t sync_us(const char *folder)
{
	char page[4096] = {1}, *path = sp_asprintf("%s/sync", folder);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	int64_t begin = sp_clock_mono_us();
	for (int i = 0; i < 50; i++) {
		if (pwrite(fd, page, sizeof(page), i * 4096) != sizeof(page) || fdatasync(fd) < 0)
			abort();
	}
	int64_t each = (sp_clock_mono_us() - begin) / 50;
	close(fd);
	unlink(path);
	free(path);
	return each;
}

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return x < y ? -1 : x > y;
}

static double percentile_ms(size_t count, double part)
{
	size_t i = (size_t)((double)count * part);
	return count ? (double)scene.waits_us[i < count ? i : count - 1] / 1000 : 0;
}

static void tell(const char *what, int64_t written, int64_t rss_before_kb)
{
	size_t count = atomic_load(&scene.count);
	int64_t stored = atomic_load(&scene.stored), known = atomic_load(&scene.known);
	int64_t fresh = (int64_t)count + stored - known;
	double seconds = (double)(scene.end_us - scene.begin_us) / 1e6;
	qsort(scene.waits_us, count, sizeof(int64_t), by_size);
	printf("%s: %zu punches and %" PRId64 " stored records (%" PRId64
	       " known) in %.1f s, %.0f events/s\n",
	       what, count, stored, known, seconds, (double)((int64_t)count + stored) / seconds);
	printf("  acknowledged after p50 %.1f ms, p99 %.1f ms, at most %.1f ms (limit: p99 200 ms); %" PRId64
	       " refused, back-pressure %" PRId64 " times\n",
	       percentile_ms(count, 0.5), percentile_ms(count, 0.99), percentile_ms(count, 1),
	       atomic_load(&scene.refused), atomic_load(&scene.busy));
	printf("  %" PRId64 " commits; %" PRId64 " bytes written to the disk", atomic_load(&scene.commits),
	       written);
	if (fresh > 0)
		printf(", %.0f for each new event", (double)written / (double)fresh);
	if (fresh > 0 && stored == 0)
		printf("; 500 punches a day: %.1f MB (limit for all: 20 MB)",
		       (double)written / (double)fresh * 500 / 1e6);
	printf("\n  resident memory %" PRId64 " KB before, %" PRId64 " KB after\n", rss_before_kb,
	       proc_number("/proc/self/status", "VmRSS:"));
	fflush(stdout);
}

/// The morning's punches, evenly random, for `seconds` or for as long as the upload lasts.
static void play(struct sp_journal *journal, const char *what, int seconds, bool with_upload, int64_t *next)
{
	pthread_t thread;
	unsigned seed = 1;
	int64_t *waits = scene.waits_us;
	int64_t written = proc_number("/proc/self/io", "write_bytes:");
	int64_t rss = proc_number("/proc/self/status", "VmRSS:");
	scene = (struct scene){.waits_us = waits, .begin_us = sp_clock_mono_us()};
	if (with_upload && pthread_create(&thread, NULL, upload, journal) != 0)
		abort();
	int64_t end = scene.begin_us + seconds * INT64_C(1000000);
	size_t sent = 0;
	while (with_upload ? atomic_load(&scene.stored) < STORED : sp_clock_mono_us() < end) {
		char kiosk[32];
		snprintf(kiosk, sizeof(kiosk), "cổng %d", rand_r(&seed) % TERMINALS);
		sent += send_event(journal, kiosk, (*next)++, true) == 0;
		poll(NULL, 0, rand_r(&seed) % (2 * 60000 / PER_MINUTE));
	}
	if (with_upload)
		pthread_join(thread, NULL);
	while (atomic_load(&scene.count) < sent)
		poll(NULL, 0, 1);
	scene.end_us = sp_clock_mono_us();
	tell(what, proc_number("/proc/self/io", "write_bytes:") - written, rss);
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	int64_t next = INT64_C(1000000000);
	struct sp_deadline deadline = {.thread = "journal"};
	char *path = sp_asprintf("%s/journal.db", argv[1]);
	const struct sp_journal_config config = {.path = path,
						 .cap_bytes = 256 << 20,
						 .bulk_commit_ms = 300000,
						 .group_commit_ms = 50,
						 .keep_acked_ms = 604800000,
						 .keep_attendance_ms = 604800000,
						 .boot = "00000000-0000-4000-8000-000000000000"};
	const struct sp_journal_customers customers = {.post = post, .news = news};
	struct sp_journal *journal;
	sp_log_setup(SP_LOG_ERR, false, stderr);
	scene.waits_us = sp_alloc(WAITS_MAX * sizeof(int64_t));
	memset(scene.waits_us, 0, WAITS_MAX * sizeof(int64_t));
	printf("a synced page costs %" PRId64 " us here\n", sync_us(argv[1]));
	if (sp_journal_open(&journal, &config, &customers, &deadline) != 0)
		return 1;
	// The file's first megabyte is allocated once, and the first pages of each table.
	for (int i = 0; i < 100; i++) {
		if (send_event(journal, "cổng 0", next++, true) != 0)
			return 1;
	}
	while (atomic_load(&scene.count) < 100)
		poll(NULL, 0, 1);
	int seconds = argc > 2 ? atoi(argv[2]) : 60;
	play(journal, "morning", seconds, false, &next);
	play(journal, "morning and an upload", 0, true, &next);
	play(journal, "morning and the same upload again", 0, true, &next);
	int result = sp_journal_close(journal, 60000);
	free(scene.waits_us);
	free(path);
	return result == 0 ? 0 : 1;
}
