// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// After a test: what it cost, what others did meanwhile, what each direction is worth; records.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "agent/core/speed/priv.h"
#include "agent/core/speed/record.h"
#include "schoolpulse/log.h"

enum {
	READING_MS = 500,                ///< between looks whether the last reading has come
	REMEMBERED_US = 4 * 1000 * 1000, ///< net-snmp keeps its counters for 3 s
	HEADERS_PART = 20, ///< of what a port counts: headers that it may not, when it cuts segments itself
};

// ---- money ------------------------------------------------------------------------------------------

/// What its kernel sent and the board's own queue dropped never left: no more counts than the port carried.
static int64_t that_left(const struct sp_speed_job *job, int64_t bytes, int64_t carried)
{
	const struct sp_speed_result *results = job->tale.report.results;
	int64_t most = carried + carried / HEADERS_PART;
	bool believed = job->way_known && carried > results[SP_SPEED_DOWN].bytes + results[SP_SPEED_UP].bytes;
	return believed && most < bytes ? most : bytes;
}

/// What the child did not tell before it died is taken from the port's counters: more than it was at worst.
static int64_t cost(const struct sp_speed_job *job, int64_t carried)
{
	int64_t told = job->told_bytes;
	if (job->reported)
		return that_left(job, job->tale.report.wire_bytes > told ? job->tale.report.wire_bytes : told,
				 carried);
	if (job->ended)
		return told;
	int64_t most = carried >= 0 && carried < job->set_aside ? carried : job->set_aside;
	return most > told ? most : told;
}

static void settle(struct sp_speed_job *job)
{
	const struct sp_speed_hooks *hooks = job->run->config.hooks;
	const char *line = job->place->line.name;
	job->wire_bytes = cost(job, sp_speed_carried(job, job->interface));
	if (job->wire_bytes > job->paid_bytes)
		hooks->spent(hooks->arg, line, job->wire_bytes - job->paid_bytes);
	job->paid_bytes = job->wire_bytes;
	sp_speed_unpay(job);
	sp_speed_unmark(job->run);
}

// ---- others -----------------------------------------------------------------------------------------

/// Byte/s that the port carried beside the test, our probes and our telemetry; NAN: not known.
static double beside(const struct sp_speed_job *job)
{
	int64_t carried = sp_speed_carried(job, job->interface), took = job->to.at_us - job->from.at_us;
	if (carried < 0 || took <= 0 || !job->reported)
		return NAN;
	double rest = (double)(carried - job->tale.report.wire_bytes - job->own_bytes);
	return rest > 0 ? rest * 1e6 / (double)took : 0;
}

/// From the first load's begin, or until the last one's end; 0: none was.
static int64_t first_loaded_us(const struct sp_speed_job *job)
{
	int64_t down = job->loads[SP_SPEED_DOWN].from_us, up = job->loads[SP_SPEED_UP].from_us;
	return down == 0 || (up != 0 && up < down) ? up : down;
}

static int64_t last_loaded_us(const struct sp_speed_job *job)
{
	int64_t down = job->loads[SP_SPEED_DOWN].to_us, up = job->loads[SP_SPEED_UP].to_us;
	return up > down ? up : down;
}

/// While that direction was loaded, by the best that saw it.
/// Many routers tell what they remembered some seconds ago: one direction's last bytes are seen in the
/// other's time, as if they were another's, or hide another's as if they were ours. Over the whole test, and
/// a while around it, they do neither. So what a router tells of the whole counts against both directions,
/// and what another source tells of one is no more than that.
static double others_of(struct sp_speed_job *job, enum sp_speed_direction direction, double besides,
			enum sp_traffic_source *source)
{
	const struct sp_speed_load *load = &job->loads[direction];
	const struct sp_guard *guard = job->place->guard;
	int64_t first_us = first_loaded_us(job), last_us = last_loaded_us(job);
	int64_t from_us = first_us - REMEMBERED_US, to_us = last_us + REMEMBERED_US;
	struct sp_guard_rate rate, whole;
	*source = SP_TRAFFIC_INTERFACE;
	if (load->from_us == 0 || load->to_us <= load->from_us)
		return besides;
	bool known = sp_guard_rate(guard, from_us, to_us, &whole);
	double bytes = known ? whole.others * (double)(to_us - from_us) : NAN;
	if (known && whole.source == SP_TRAFFIC_GATEWAY) {
		*source = whole.source;
		return bytes / (double)(last_us - first_us);
	}
	if (!sp_guard_rate(guard, load->from_us, load->to_us, &rate))
		return besides;
	*source = rate.source;
	if (!known || whole.source != rate.source)
		return rate.others;
	return fmin(rate.others, bytes / (double)(load->to_us - load->from_us));
}

/// The busiest of a core and of the process, whose one thread may wander from core to core.
static double cpu_of(const struct sp_speed_load *load)
{
	double cores = load->watched_us > 0 ? load->busy_us / load->watched_us : NAN;
	double child = load->to_us > load->from_us ? (double)(load->child_last - load->child_from) /
							 (double)(load->to_us - load->from_us)
						   : NAN;
	double most = fmax(cores, child);
	return most > 1 ? 1 : most; // NAN stays: not known
}

// ---- records ----------------------------------------------------------------------------------------

static struct sp_speed_fact fact_of(struct sp_speed_job *job, enum sp_speed_direction direction)
{
	const struct sp_board_port *port = sp_speed_port(&job->to, job->interface);
	return (struct sp_speed_fact){
	    .test = job->test,
	    .device = job->entry->device->name,
	    .line = job->place->line.name,
	    .method = job->entry->device->driver->name,
	    .scope = job->entry->device->scope,
	    .direction = direction,
	    .trigger = job->request.trigger,
	    .report = job->reported ? &job->tale.report : NULL,
	    .wire_bytes = job->started_us > 0 ? job->wire_bytes : -1,
	    .interface = job->interface,
	    .link_mbps = port ? port->link_mbps : 0,
	    .duplex = port ? port->duplex : SP_DUPLEX_UNKNOWN,
	    .cpu_ratio = NAN,
	    .watched = job->watched,
	    .source = job->source,
	    .before = job->before,
	    .during = NAN,
	    .bought = &job->place->line,
	    .deferrals = job->deferrals,
	    .start_us = job->started_us > 0 ? job->started_us : job->asked_us,
	};
}

static void judge(struct sp_speed_job *job, struct sp_speed_fact *fact)
{
	static const struct sp_speed_result none = {.outcome = SP_SPEED_NOT_DONE};
	enum sp_speed_direction direction = fact->direction;
	const struct sp_speed_result *result = fact->report ? &fact->report->results[direction] : &none;
	enum sp_traffic_source source;
	double besides = beside(job), others = others_of(job, direction, besides, &source);
	bool told = result->reason && result->reason[0];
	fact->during = others;
	// The figures of before and during are of one source, or the worse one's alone.
	if (fact->watched && source != fact->source)
		fact->before = NAN;
	fact->watched = fact->watched || isfinite(others);
	fact->source = source;
	fact->cpu_ratio = cpu_of(&job->loads[direction]);
	struct sp_speed_evidence evidence = {
	    .outcome = result->outcome,
	    .reason = told ? result->reason : job->reason,
	    .goodput_bps = sp_speed_goodput(fact->report, direction),
	    .family = fact->report ? fact->report->family : SP_FAMILY_ANY,
	    .others_bytes_per_second = fmax(others, besides),
	    .busy_bytes_per_second = job->run->config.rules.busy_bytes_per_second,
	    .cpu_ratio = fact->cpu_ratio,
	    .link_mbps = fact->link_mbps,
	    .half_duplex = fact->duplex == SP_DUPLEX_HALF,
	    .bought_mbps = job->place->line.bought_mbps[direction],
	};
	fact->verdict = sp_speed_label(&evidence);
	fact->text = told && result->text ? result->text : result->outcome == SP_SPEED_WHOLE ? "" : job->text;
}

static void remember(struct sp_speed_job *job, const struct sp_speed_fact *fact, struct sp_speed_end *end)
{
	enum sp_speed_direction direction = fact->direction;
	struct sp_speed_end_direction *out = &end->directions[direction];
	struct sp_speed_last_direction *last = &job->entry->directions[direction];
	out->wanted = true;
	out->validity = fact->verdict.validity;
	out->reason = fact->verdict.reason;
	out->text = fact->text ? fact->text : "";
	out->goodput_bps = sp_speed_goodput(fact->report, direction);
	last->wanted = true;
	last->validity = out->validity;
	snprintf(last->reason, sizeof(last->reason), "%s", out->reason);
	last->goodput_bps = out->goodput_bps;
	if (fact->report && fact->report->results[direction].loaded.count > 0)
		end->loaded_seconds[direction] = fact->report->results[direction].loaded.median;
	sp_notice("speed", "\"%s\" %s: %s%s%s", job->entry->device->name, sp_speed_direction_name(direction),
		  sp_speed_validity_name(out->validity), out->reason[0] ? " " : "", out->reason);
}

/// `skipped`: the reason for not beginning, NULL: it was begun.
static struct sp_speed_end record_all(struct sp_speed_job *job, const char *skipped, const char *text)
{
	struct sp_speed_end end = {.test = job->test,
				   .device = job->entry->device->name,
				   .line = job->place->line.name,
				   .method = job->entry->device->driver->name,
				   .command = job->command,
				   .trigger = job->request.trigger,
				   .wire_bytes = job->started_us > 0 ? job->wire_bytes : 0,
				   .idle_seconds = NAN,
				   .loaded_seconds = {NAN, NAN}};
	bool first = true, failed = false;
	if (job->reported && job->tale.report.idle.count > 0)
		end.idle_seconds = job->tale.report.idle.median;
	memset(job->entry->directions, 0, sizeof(job->entry->directions));
	for (int i = 0; i < SP_SPEED_DIRECTIONS; i++) {
		if (!job->request.wanted[i])
			continue;
		struct sp_speed_fact fact = fact_of(job, (enum sp_speed_direction)i);
		fact.first = first;
		first = false;
		if (skipped) {
			fact.verdict = (struct sp_speed_verdict){SP_SPEED_IS_SKIPPED, skipped};
			fact.text = text;
		} else {
			judge(job, &fact);
		}
		failed |= fact.verdict.validity <= SP_SPEED_IS_FAILED;
		sp_speed_record(job->run->config.recorder, &fact);
		remember(job, &fact, &end);
	}
	job->entry->tests++;
	job->entry->failed += failed;
	job->entry->at_us = sp_speed_now(job->run);
	return end;
}

static void record(struct sp_speed_job *job, const char *skipped, const char *text)
{
	struct sp_speed_end end = record_all(job, skipped, text);
	sp_speed_close(job, &end);
}

void sp_speed_record_now(struct sp_speed_job *job)
{
	record(job, NULL, "");
}

void sp_speed_skip_job(struct sp_speed_job *job, const char *reason, const char *text)
{
	record(job, reason, text);
}

void sp_speed_skip_unasked(struct sp_speed_job *job, const char *reason, const char *text)
{
	(void)record_all(job, reason, text);
}

/// The interface by which the server was reached, if its counters were read before and after.
static void follow_way(struct sp_speed_job *job)
{
	const struct sp_speed_hooks *hooks = job->run->config.hooks;
	char name[SP_BOARD_PORT_NAME] = "";
	if (hooks->way && job->reported && job->tale.report.address)
		hooks->way(hooks->arg, job->tale.report.address, name);
	job->way_known = name[0] != '\0';
	if (!name[0] || strcmp(name, job->interface) == 0)
		return;
	job->own_bytes = 0; // which of it went there is not known
	memcpy(job->interface, name, sizeof(name));
	job->watched = false; // what was seen before was another port's
	job->before = NAN;
}

void sp_speed_finish(struct sp_speed_job *job)
{
	const struct sp_speed_hooks *hooks = job->run->config.hooks;
	sp_speed_take(job->run, &job->to);
	job->own_bytes += hooks->own(hooks->arg, job->place->line.name, job->interface);
	hooks->hush(hooks->arg, false);
	follow_way(job);
	settle(job);
	job->stage = SP_SPEED_STAGE_RECORDING;
	int64_t last_us = last_loaded_us(job), now = job->to.at_us;
	job->covered_until_us = last_us > 0 && !job->cancelled
				    ? sp_guard_awaits(job->place->guard, last_us + REMEMBERED_US, now)
				    : 0;
	if (job->cancelled) {
		record(job, NULL, "");
		return;
	}
	// Never inside the child's last word.
	sp_loop_timer_start(job->run->config.loop, job->timer, job->covered_until_us > 0 ? READING_MS : 0);
	sp_speed_tell(job);
}

void sp_speed_record_step(struct sp_speed_job *job)
{
	int64_t seen_us = last_loaded_us(job) + REMEMBERED_US, now = sp_speed_now(job->run);
	if (now < job->covered_until_us && sp_guard_awaits(job->place->guard, seen_us, now) > 0)
		sp_loop_timer_start(job->run->config.loop, job->timer, READING_MS);
	else
		record(job, NULL, "");
}
