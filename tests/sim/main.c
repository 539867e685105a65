// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// sp_sim: months of a school in seconds (README.md).
#include <getopt.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/ids.h"
#include "agent/base/log.h"
#include "tests/sim/board.h"
#include "tests/sim/check.h"
#include "tests/sim/plan.h"
#include "tests/sim/watch.h"

enum { DAY_MS = 24 * 3600 * 1000, JOBS_MAX = 64 };

struct options {
	const char *script, *hub;
	int64_t days, first, last;
	int jobs;
	bool verbose, dump, twice, keep;
};

/// Memory in use at midnights: the heap that is handed out, and what the kernel counts.
struct memory {
	int64_t days, first_heap, last_heap, first_rss, last_rss;
};

static int64_t resident_kib(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	long long size, resident = 0;
	if (file && fscanf(file, "%lld %lld", &size, &resident) != 2)
		resident = 0;
	if (file)
		fclose(file);
	return resident * (int64_t)sysconf(_SC_PAGESIZE) / 1024;
}

static void on_day(void *arg, int64_t true_ms)
{
	struct memory *memory = arg;
	struct mallinfo2 heap = mallinfo2();
	(void)true_ms;
	memory->last_heap = (int64_t)heap.uordblks / 1024;
	memory->last_rss = resident_kib();
	// From the second midnight on everything has happened once.
	if (++memory->days == 2) {
		memory->first_heap = memory->last_heap;
		memory->first_rss = memory->last_rss;
	}
}

static void fill(void *arg, void *out, size_t length)
{
	uint8_t *at = out;
	for (size_t i = 0; i < length; i++)
		at[i] = (uint8_t)sim_rng_next(arg);
}

static double seconds_now(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool plan(const struct options *options, struct sim_world *world, uint64_t seed)
{
	*world = (struct sim_world){.from_ms = SIM_BEGIN_MS, .to_ms = SIM_BEGIN_MS + options->days * DAY_MS};
	if (!options->script) {
		sim_plan_seed(world, seed);
		return true;
	}
	FILE *file = fopen(options->script, "re");
	if (!file) {
		perror(options->script);
		return false;
	}
	bool good = sim_plan_script(world, file, options->script);
	fclose(file);
	return good;
}

static void say(const struct sim_board *board, const struct sim_check *check, const struct memory *memory,
		uint64_t seed, double seconds)
{
	printf("seed %" PRIu64 ": %s sha256 %s\n", seed, check->faults ? "WRONG" : "ok", board->card.digest);
	if (!check->verbose && !check->faults)
		return;
	printf("  %" PRId64 " records in %" PRId64 " commits, %" PRId64 " torn; %" PRId64 " boots, %" PRId64
	       " sessions, %" PRId64 " batches of %" PRId64 " KiB; %" PRId64 " packets\n",
	       board->card.records, board->card.commits, board->card.torn, board->boots, board->wire.births,
	       board->wire.batches, board->wire.bytes / 1024, board->net.packets);
	printf("  %zu troubles to find, %zu found; %zu outages; hub: up %" PRId64 " s, degraded %" PRId64
	       ", down %" PRId64 ", unknown %" PRId64 "\n",
	       check->troubles, check->found, check->watch->outage_count, check->up_ms / 1000,
	       check->degraded_ms / 1000, check->down_ms / 1000, check->unknown_ms / 1000);
	printf("  whole loss: found within %" PRId64 " ms, start ± %" PRId64 ", end ± %" PRId64
	       "; partial: %" PRId64 ", ± %" PRId64 ", ± %" PRId64 "\n",
	       check->worst_detect_ms[0], check->worst_start_ms[0], check->worst_end_ms[0],
	       check->worst_detect_ms[1], check->worst_start_ms[1], check->worst_end_ms[1]);
	printf("  bench: %.1f s; heap %" PRId64 " KiB after 2 days, %" PRId64 " after %" PRId64
	       "; RSS %" PRId64 " KiB, then %" PRId64 "\n",
	       seconds, memory->first_heap, memory->last_heap, memory->days, memory->first_rss,
	       memory->last_rss);
}

/// One run; 0 when everything held. `digest` gets the run's fingerprint.
static int run(const struct options *options, uint64_t seed, char digest[SP_DIGEST_LENGTH + 1])
{
	struct sim_world world;
	struct sim_board board;
	struct memory memory = {0};
	struct sim_watch watch = {0};
	struct sim_check check = {
	    .world = &world, .watch = &watch, .verbose = options->verbose, .dump = options->dump};
	struct sim_rng ids = sim_rng_fork(seed, 'i');
	const struct sp_random_source source = {fill, &ids};
	double begin = seconds_now();
	sp_random_set_source(&source);
	if (!plan(options, &world, seed) || !sim_board_init(&board, &world, options->hub, seed))
		return 2;
	watch.clock = &board.clock;
	watch.boot = board.boot;
	board.card.heard = sim_watch_heard;
	board.card.heard_arg = &watch;
	board.rung = sim_watch_rung;
	board.rung_arg = &watch;
	board.timeless = sim_watch_timeless;
	sim_board_run(&board, on_day, &memory);
	struct sim_stretch *truth = sim_truth(&world, &check.truth_count);
	check.truth = truth;
	if (check.dump)
		sim_check_dump(&check);
	sim_check_outages(&check);
	sim_check_hub(&check, &board.wire, world.to_ms + 1000);
	say(&board, &check, &memory, seed, seconds_now() - begin);
	memcpy(digest, board.card.digest, sizeof(board.card.digest));
	free(truth);
	sim_watch_free(&watch);
	if (options->keep)
		printf("  kept: %s\n", board.card.dir);
	sim_board_free(&board, options->keep);
	sim_world_free(&world);
	return check.faults ? 1 : 0;
}

static int run_seed(const struct options *options, uint64_t seed)
{
	char first[SP_DIGEST_LENGTH + 1] = "", second[SP_DIGEST_LENGTH + 1] = "";
	int result = run(options, seed, first);
	if (!options->twice || result == 2)
		return result;
	result = run(options, seed, second);
	if (strcmp(first, second) == 0)
		return result;
	printf("seed %" PRIu64 ": WRONG, its second run differs from the first\n", seed);
	return 1;
}

/// Each seed in a process of its own: one that dies takes nobody along, and memory is its own.
static int run_all(const struct options *options)
{
	int running = 0, bad = 0, status;
	for (int64_t seed = options->first; seed <= options->last || running > 0;) {
		if (seed <= options->last && running < options->jobs) {
			fflush(stdout);
			pid_t pid = fork();
			if (pid == 0) {
				setvbuf(stdout, NULL, _IOFBF, 1 << 16);
				exit(run_seed(options, (uint64_t)seed));
			}
			if (pid < 0) {
				perror("fork");
				return 2;
			}
			running++;
			seed++;
			continue;
		}
		pid_t pid = wait(&status);
		if (pid < 0)
			break;
		running--;
		if (WIFSIGNALED(status))
			printf("a seed died of signal %d: run them one by one\n", WTERMSIG(status));
		bad += status != 0;
	}
	printf("%" PRId64 " seeds of %" PRId64 " days, %d wrong\n", options->last - options->first + 1,
	       options->days, bad);
	return bad > 0;
}

static void usage(void)
{
	fprintf(stderr, "usage: sp_sim --hub SP_SIM_HUB [--seed N | --seeds N-M] [--script FILE] [--days N] "
			"[--jobs N] [--twice] [--keep] [--verbose] [--dump]\n");
	exit(2);
}

static void read_options(int argc, char **argv, struct options *out)
{
	static const struct option longs[] = {
	    {"hub", required_argument, NULL, 'h'},
	    {"seed", required_argument, NULL, 's'},
	    {"seeds", required_argument, NULL, 'S'},
	    {"script", required_argument, NULL, 'f'},
	    {"days", required_argument, NULL, 'd'},
	    {"jobs", required_argument, NULL, 'j'},
	    {"verbose", no_argument, NULL, 'v'},
	    {"dump", no_argument, NULL, 'D'},
	    {"twice", no_argument, NULL, '2'},
	    {"keep", no_argument, NULL, 'k'},
	    {0},
	};
	*out = (struct options){.days = 30, .first = 1, .last = 1, .jobs = 1};
	const char *more = getenv("SP_SIM_SEEDS");
	for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
		if (c == 'h')
			out->hub = optarg;
		else if (c == 's')
			out->first = out->last = strtoll(optarg, NULL, 10);
		else if (c == 'S' && sscanf(optarg, "%" SCNd64 "-%" SCNd64, &out->first, &out->last) != 2)
			usage();
		else if (c == 'f')
			out->script = optarg;
		else if (c == 'd')
			out->days = strtoll(optarg, NULL, 10);
		else if (c == 'j')
			out->jobs = atoi(optarg);
		else if (c == 'v')
			out->verbose = true;
		else if (c == 'k')
			out->keep = true;
		else if (c == '2')
			out->twice = true;
		else if (c == 'D')
			out->dump = true;
		else if (c != 'S')
			usage();
	}
	// tools/test --sim
	if (more && out->last > out->first)
		out->last = out->first - 1 + strtoll(more, NULL, 10);
	if (!out->hub || optind != argc || out->days < 1 || out->days > 366 || out->jobs < 1 ||
	    out->jobs > JOBS_MAX || out->first > out->last)
		usage();
}

int main(int argc, char **argv)
{
	struct options options;
	read_options(argc, argv, &options);
	sp_log_setup(options.verbose ? SP_LOG_WARNING : SP_LOG_ERR, false, stderr);
	return run_all(&options);
}
