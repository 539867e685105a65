// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// See the header.
#include "tools/fleet/figures.h"

#include <inttypes.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "tools/fleet/civil.h"

static int bucket_of(int64_t us)
{
	int power = 0;
	if (us < 16)
		return (int)us;
	while (us >> power >= 32)
		power++;
	int bucket = 16 * power + (int)(us >> power);
	return bucket < SP_LATENCY_BUCKETS ? bucket : SP_LATENCY_BUCKETS - 1;
}

static int64_t edge_of(int bucket)
{
	if (bucket < 32)
		return bucket;
	int power = bucket / 16 - 1;
	return (int64_t)(bucket - 16 * power + 1) << power;
}

void sp_latency_add(struct sp_latency *latency, int64_t us)
{
	if (us < 0)
		us = 0;
	latency->count++;
	latency->total_us += us;
	latency->most_us = us > latency->most_us ? us : latency->most_us;
	latency->buckets[bucket_of(us)]++;
}

int64_t sp_latency_at(const struct sp_latency *latency, double share)
{
	int64_t rank = (int64_t)(share * (double)latency->count), seen = 0;
	for (int i = 0; i < SP_LATENCY_BUCKETS && latency->count > 0; i++) {
		seen += latency->buckets[i];
		if (seen > rank || seen == latency->count)
			return edge_of(i) < latency->most_us ? edge_of(i) : latency->most_us;
	}
	return 0;
}

// ---- for people -----------------------------------------------------------------------------------------

static int64_t per_second(int64_t now, int64_t before, double seconds)
{
	return seconds > 0 ? (int64_t)((double)(now - before) / seconds + 0.5) : 0;
}

static struct sp_latency both(const struct sp_figures *f)
{
	struct sp_latency sum = f->facts;
	for (int i = 0; i < SP_LATENCY_BUCKETS; i++)
		sum.buckets[i] += f->bulk.buckets[i] + f->backlog.buckets[i];
	sum.count += f->bulk.count + f->backlog.count;
	sum.most_us = f->bulk.most_us > sum.most_us ? f->bulk.most_us : sum.most_us;
	sum.most_us = f->backlog.most_us > sum.most_us ? f->backlog.most_us : sum.most_us;
	return sum;
}

void sp_figures_progress(const struct sp_figures *now, const struct sp_figures *before,
			 const struct sp_figures_more *more, double seconds, FILE *out)
{
	char at[32];
	struct sp_latency all = both(now), past = both(before);
	for (int i = 0; i < SP_LATENCY_BUCKETS; i++)
		all.buckets[i] -= past.buckets[i];
	all.count -= past.count;
	sp_civil_format((int64_t)time(NULL) * 1000, at);
	fprintf(out,
		"%s  %" PRId64 "/%" PRId64 " boards connected  %" PRId64 " msg/s %" PRId64
		" events/s  acknowledged %" PRId64 " of %" PRId64 "  p50 %.3f s p99 %.3f s  resent %" PRId64
		"\n",
		at + 11, now->connected, more->boards, per_second(now->messages, before->messages, seconds),
		per_second(now->events, before->events, seconds), now->acknowledged, more->made,
		(double)sp_latency_at(&all, 0.5) / 1e6, (double)sp_latency_at(&all, 0.99) / 1e6, now->resent);
}

// ---- for programs ---------------------------------------------------------------------------------------

static void latency_json(const char *name, const struct sp_latency *l, FILE *out)
{
	fprintf(out,
		"\"%s\":{\"count\":%" PRId64
		",\"p50_seconds\":%.6f,\"p99_seconds\":%.6f,\"max_seconds\":%.6f}",
		name, l->count, (double)sp_latency_at(l, 0.5) / 1e6, (double)sp_latency_at(l, 0.99) / 1e6,
		(double)l->most_us / 1e6);
}

void sp_figures_json(const struct sp_figures *f, const struct sp_figures_more *more, FILE *out)
{
	struct rusage usage = {0};
	getrusage(RUSAGE_SELF, &usage);
	double cpu = (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6 +
		     (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec / 1e6;
	double seconds = more->seconds > 0 ? more->seconds : 1;
	fprintf(out,
		"{\"boards\":%" PRId64 ",\"connected_most\":%" PRId64 ",\"seconds\":%.3f,\"made\":%" PRId64
		",\"made_events\":%" PRId64 ",\"made_facts\":%" PRId64 ",\"digest\":\"%016" PRIx64 "\"",
		more->boards, f->connected_most, more->seconds, more->made, more->made_events,
		more->made_facts, more->digest);
	fprintf(out,
		",\"messages\":%" PRId64 ",\"events\":%" PRId64 ",\"acknowledged\":%" PRId64
		",\"waiting\":%" PRId64 ",\"resent\":%" PRId64 ",\"replayed\":%" PRId64
		",\"refused\":%" PRId64,
		f->messages, f->events, f->acknowledged, more->waiting, f->resent, f->replayed, f->refused);
	fprintf(out,
		",\"births\":%" PRId64 ",\"sessions\":%" PRId64 ",\"sessions_refused\":%" PRId64
		",\"sessions_lost\":%" PRId64 ",\"messages_per_second\":%.1f,\"events_per_second\":%.1f",
		f->births, f->sessions, f->refused_sessions, f->lost_sessions, (double)f->messages / seconds,
		(double)f->events / seconds);
	fprintf(out, ",\"sent_bytes\":%" PRId64 ",\"received_bytes\":%" PRId64 ",\"latency\":{",
		f->sent_bytes, f->received_bytes);
	latency_json("facts", &f->facts, out);
	fputc(',', out);
	latency_json("bulk", &f->bulk, out);
	fputc(',', out);
	latency_json("backlog", &f->backlog, out);
	fputc(',', out);
	latency_json("steady", &f->steady, out);
	fprintf(out, "},\"cpu_seconds\":%.2f,\"memory_bytes\":%" PRId64 "}\n", cpu,
		(int64_t)usage.ru_maxrss * 1024);
}
