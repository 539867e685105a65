// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// io.h on virtual time (fake_io.h).
#include "fake_io.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

#include "agent/base/config.h"

struct sp_timer {
	struct sp_timer *next;
	struct sp_device *dev;
	sp_timer_fn fn;
	void *arg;
	int64_t due_us; ///< -1: stopped
	int64_t order;
	void *owner; ///< the exchange it belongs to, freed with it when the device ends
};

struct sp_watch {
	struct sp_watch *next;
	struct sp_device *dev;
	int fd;
	sp_watch_fn fn;
	void *arg;
};

struct sp_exchange {
	struct sp_device *dev;
	struct sp_timer *timer;
	struct fake_answer answer;
	int64_t began_us;
	sp_accept_fn accept;
	sp_exchange_fn done;
	void *arg;
};

struct sp_http {
	struct sp_device *dev;
	struct sp_timer *timer;
	struct fake_page page;
	int64_t began_us;
	sp_http_fn done;
	void *arg;
};

/// A worker's job: works and comes back when time next passes.
struct fake_work {
	struct fake_work *next;
	struct sp_device *dev;
	struct sp_timer *timer;
	void (*work)(void *arg);
	void (*done)(struct sp_device *dev, void *arg);
	void *arg;
};

static int64_t orders;

// ---- the device -----------------------------------------------------------------------------

const char *sp_device_name(const struct sp_device *dev)
{
	return dev->name;
}

const void *sp_device_conf(const struct sp_device *dev)
{
	return dev->conf;
}

void *sp_device_state(struct sp_device *dev)
{
	return dev->state;
}

int64_t sp_device_now_us(const struct sp_device *dev)
{
	return dev->now_us;
}

static void end_round(struct sp_device *dev)
{
	dev->suspected = false;
	dev->round = false;
}

void sp_round_ok(struct sp_device *dev)
{
	dev->rounds_ok++;
	end_round(dev);
}

void sp_round_failed(struct sp_device *dev, const char *reason, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(dev->text, sizeof(dev->text), format, args);
	va_end(args);
	snprintf(dev->reason, sizeof(dev->reason), "%s", reason);
	dev->rounds_failed++;
	end_round(dev);
}

void sp_round_unmeasured(struct sp_device *dev, const char *reason, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(dev->text, sizeof(dev->text), format, args);
	va_end(args);
	snprintf(dev->reason, sizeof(dev->reason), "%s", reason);
	dev->rounds_unmeasured++;
	end_round(dev);
}

static struct fake_sample *sample_of(struct sp_device *dev, unsigned metric, const char *target)
{
	for (size_t i = 0; i < dev->sample_count; i++)
		if (dev->samples[i].metric == metric &&
		    strcmp(dev->samples[i].target, target ? target : "") == 0)
			return &dev->samples[i];
	assert_true(dev->sample_count < SP_COUNT(dev->samples));
	struct fake_sample *sample = &dev->samples[dev->sample_count++];
	sample->metric = metric;
	snprintf(sample->target, sizeof(sample->target), "%s", target ? target : "");
	return sample;
}

void sp_sample(struct sp_device *dev, unsigned metric, const char *target, double value)
{
	struct fake_sample *sample = sample_of(dev, metric, target);
	sample->count++;
	sample->last = value;
	sample->sum += value;
	sample->unavailable = false;
}

void sp_sample_unavailable(struct sp_device *dev, unsigned metric, const char *target)
{
	sample_of(dev, metric, target)->unavailable = true;
}

static void add_field(char *out, size_t size, const struct sp_field *field)
{
	size_t used = strlen(out);
	out += used;
	size -= used;
	switch (field->type) {
	case SP_FIELD_BOOL:
		snprintf(out, size, " %s=%s", field->name, field->boolean ? "true" : "false");
		break;
	case SP_FIELD_INT:
		snprintf(out, size, " %s=%" PRId64, field->name, field->integer);
		break;
	case SP_FIELD_REAL:
		snprintf(out, size, " %s=%g", field->name, field->real);
		break;
	case SP_FIELD_TEXT:
		snprintf(out, size, " %s=%s", field->name, field->text);
		break;
	case SP_FIELD_NULL:
		snprintf(out, size, " %s=null", field->name);
		break;
	case SP_FIELD_OBJECT:
	case SP_FIELD_LIST:
		snprintf(out, size, " %s=[%zu]", field->name, field->count);
		break;
	}
}

int sp_event(struct sp_device *dev, enum sp_record_class cls, const char *type, const struct sp_field *fields,
	     size_t count, sp_committed_fn committed, void *arg)
{
	if (dev->event_result < 0)
		return dev->event_result;
	assert_true(dev->event_count < FAKE_EVENTS);
	struct fake_event *event = &dev->events[dev->event_count++];
	*event = (struct fake_event){.cls = cls, .at_us = dev->now_us, .committed = committed, .arg = arg};
	snprintf(event->text, sizeof(event->text), "%s", type);
	for (size_t i = 0; i < count; i++)
		add_field(event->text, sizeof(event->text), &fields[i]);
	return 0;
}

void sp_rung_report(struct sp_device *dev, const struct sp_rung_report *report)
{
	assert_true(dev->report_count < FAKE_REPORTS);
	assert_true(report->since_us <= dev->now_us);
	struct fake_report *kept = &dev->reports[dev->report_count++];
	kept->report = *report;
	kept->at_us = dev->now_us;
	snprintf(kept->detail, sizeof(kept->detail), "%s", report->detail ? report->detail : "");
	kept->report.detail = kept->detail;
	snprintf(kept->reason, sizeof(kept->reason), "%s", report->reason ? report->reason : "");
	snprintf(kept->host, sizeof(kept->host), "%s", report->host ? report->host : "");
	kept->report.reason = report->reason ? kept->reason : NULL;
	kept->report.host = report->host ? kept->host : NULL;
}

void sp_line_suspect(struct sp_device *dev)
{
	dev->suspects++;
}

void sp_line_spent(struct sp_device *dev, enum sp_spending what, int64_t bytes)
{
	assert_true(bytes >= 0);
	dev->spent[what] += bytes;
}

void sp_line_load(struct sp_device *dev, bool loading)
{
	dev->loading = loading;
}

bool sp_line_suspected(const struct sp_device *dev)
{
	return dev->suspected;
}

void sp_egress_report(struct sp_device *dev, const struct sp_egress *egress)
{
	assert_true(egress->family == SP_FAMILY_IPV4 || egress->family == SP_FAMILY_IPV6);
	assert_true(egress->asked_us <= dev->now_us);
	struct fake_egress *kept = &dev->egress[egress->family];
	kept->egress = *egress;
	snprintf(kept->hop, sizeof(kept->hop), "%s", egress->hop ? egress->hop : "");
	snprintf(kept->address, sizeof(kept->address), "%s", egress->address ? egress->address : "");
	kept->egress.hop = egress->hop ? kept->hop : NULL;
	kept->egress.address = egress->address ? kept->address : NULL;
	dev->egress_count++;
}

bool sp_line_usable(const struct sp_device *dev)
{
	return dev->usable;
}

void sp_line_traffic(struct sp_device *dev, const struct sp_traffic *traffic)
{
	dev->traffic = *traffic;
	dev->traffics++;
}

bool sp_line_frugal(const struct sp_device *dev)
{
	return dev->frugal;
}

// ---- timers and watches ---------------------------------------------------------------------

struct sp_timer *sp_timer_new(struct sp_device *dev, sp_timer_fn fn, void *arg)
{
	struct sp_timer *timer = calloc(1, sizeof(*timer));
	*timer = (struct sp_timer){.next = dev->timers, .dev = dev, .fn = fn, .arg = arg, .due_us = -1};
	dev->timers = timer;
	return timer;
}

void sp_timer_start(struct sp_timer *timer, int64_t delay_ms)
{
	timer->due_us = timer->dev->now_us + (delay_ms > 0 ? delay_ms : 0) * 1000;
	timer->order = ++orders;
}

void sp_timer_stop(struct sp_timer *timer)
{
	timer->due_us = -1;
}

void sp_timer_free(struct sp_timer *timer)
{
	if (!timer)
		return;
	struct sp_timer **at = &timer->dev->timers;
	while (*at != timer)
		at = &(*at)->next;
	*at = timer->next;
	free(timer);
}

struct sp_watch *sp_watch_new(struct sp_device *dev, int fd, unsigned events, sp_watch_fn fn, void *arg)
{
	(void)events;
	struct sp_watch *watch = calloc(1, sizeof(*watch));
	*watch = (struct sp_watch){dev->watches, dev, fd, fn, arg};
	dev->watches = watch;
	return watch;
}

void sp_watch_events(struct sp_watch *watch, unsigned events)
{
	(void)watch, (void)events;
}

void sp_watch_free(struct sp_watch *watch)
{
	if (!watch)
		return;
	struct sp_watch **at = &watch->dev->watches;
	while (*at != watch)
		at = &(*at)->next;
	*at = watch->next;
	free(watch);
}

void fake_ready(struct sp_device *dev)
{
	for (struct sp_watch *watch = dev->watches, *next; watch; watch = next) {
		next = watch->next; // it may be freed
		watch->fn(dev, watch->fd, SP_READABLE, watch->arg);
	}
}

// ---- exchanges ------------------------------------------------------------------------------

static void exchange_over(struct sp_device *dev, void *arg)
{
	struct sp_exchange *exchange = arg;
	struct fake_answer *answer = &exchange->answer;
	sp_exchange_fn done = exchange->done;
	if (answer->result == 0 && exchange->accept &&
	    !exchange->accept(answer->data, answer->length, exchange->arg))
		answer->result = -ETIMEDOUT;
	bool good = answer->result == 0;
	done(dev, answer->result, good ? answer->data : NULL, good ? answer->length : 0,
	     dev->now_us - exchange->began_us, exchange->arg);
	sp_timer_free(exchange->timer);
	free(exchange);
}

static struct sp_exchange *begin_exchange(struct sp_device *dev, int64_t timeout_ms, sp_exchange_fn done,
					  void *arg)
{
	struct sp_exchange *exchange = calloc(1, sizeof(*exchange));
	exchange->dev = dev;
	exchange->answer.result = -ETIMEDOUT;
	exchange->done = done;
	exchange->arg = arg;
	exchange->began_us = dev->now_us;
	exchange->timer = sp_timer_new(dev, exchange_over, exchange);
	exchange->timer->owner = exchange;
	sp_timer_start(exchange->timer, timeout_ms);
	return exchange;
}

static void set_answer(struct sp_exchange *exchange, int64_t timeout_ms)
{
	if (exchange->answer.result == -ETIMEDOUT || exchange->answer.delay_ms > timeout_ms) {
		exchange->answer.result = -ETIMEDOUT;
		exchange->answer.delay_ms = timeout_ms;
	}
	sp_timer_start(exchange->timer, exchange->answer.delay_ms);
}

struct sp_exchange *sp_udp_exchange(struct sp_device *dev, const struct sp_endpoint *peer,
				    const uint8_t *data, size_t length, int64_t timeout_ms,
				    sp_accept_fn accept, sp_exchange_fn done, void *arg)
{
	struct sp_exchange *exchange = begin_exchange(dev, timeout_ms, done, arg);
	exchange->accept = accept;
	if (dev->udp)
		dev->udp(peer, data, length, &exchange->answer);
	set_answer(exchange, timeout_ms);
	return exchange;
}

struct sp_exchange *sp_tcp_connect(struct sp_device *dev, const struct sp_endpoint *peer, int64_t timeout_ms,
				   sp_exchange_fn done, void *arg)
{
	struct sp_exchange *exchange = begin_exchange(dev, timeout_ms, done, arg);
	if (dev->tcp)
		dev->tcp(peer, NULL, 0, &exchange->answer);
	set_answer(exchange, timeout_ms);
	return exchange;
}

void sp_exchange_cancel(struct sp_exchange *exchange)
{
	if (!exchange)
		return;
	sp_timer_free(exchange->timer);
	free(exchange);
}

static void page_over(struct sp_device *dev, void *arg)
{
	struct sp_http *http = arg;
	http->page.answer.elapsed_us = dev->now_us - http->began_us;
	http->done(dev, &http->page.answer, http->arg);
	sp_timer_free(http->timer);
	free(http);
}

struct sp_http *sp_http_get(struct sp_device *dev, const struct sp_http_request *request, sp_http_fn done,
			    void *arg)
{
	struct sp_http *http = calloc(1, sizeof(*http));
	http->dev = dev;
	http->done = done;
	http->arg = arg;
	http->began_us = dev->now_us;
	http->page.answer =
	    (struct sp_http_answer){.result = -ETIMEDOUT, .error = "timed out", .location = ""};
	http->page.delay_ms = request->timeout_ms;
	if (dev->http)
		dev->http(request, &http->page);
	http->timer = sp_timer_new(dev, page_over, http);
	http->timer->owner = http;
	sp_timer_start(http->timer, http->page.delay_ms);
	return http;
}

void sp_http_cancel(struct sp_http *http)
{
	if (!http)
		return;
	sp_timer_free(http->timer);
	free(http);
}

// ---- running --------------------------------------------------------------------------------

static struct sp_timer *next_timer(struct sp_device *dev)
{
	struct sp_timer *best = NULL;
	for (struct sp_timer *t = dev->timers; t; t = t->next)
		if (t->due_us >= 0 && (!best || t->due_us < best->due_us ||
				       (t->due_us == best->due_us && t->order < best->order)))
			best = t;
	return best;
}

void fake_poll(struct sp_device *dev)
{
	assert_false(dev->round);
	dev->round = true;
	dev->round_us = dev->now_us;
	dev->driver->poll(dev);
}

void fake_suspect(struct sp_device *dev)
{
	if (dev->round)
		return;
	dev->suspected = true;
	fake_poll(dev);
}

void fake_run(struct sp_device *dev, int64_t ms, bool poll)
{
	int64_t end = dev->now_us + ms * 1000, interval = dev->driver->interval_ms * 1000;
	bool rounds = poll && interval > 0;
	for (;;) {
		struct sp_timer *timer = next_timer(dev);
		int64_t due = timer ? timer->due_us : INT64_MAX;
		int64_t round = INT64_MAX;
		if (rounds && !dev->round)
			round =
			    dev->round_us + interval > dev->now_us ? dev->round_us + interval : dev->now_us;
		if (dev->round)
			assert_true(dev->now_us <= dev->round_us + dev->driver->deadline_ms * 1000);
		if ((due < round ? due : round) > end)
			break;
		if (due <= round) {
			dev->now_us = due > dev->now_us ? due : dev->now_us;
			timer->due_us = -1;
			timer->fn(dev, timer->arg);
		} else {
			dev->now_us = round;
			fake_poll(dev);
		}
	}
	dev->now_us = end;
}

int fake_start(struct sp_device *dev)
{
	// The first round comes at once.
	dev->round_us = dev->now_us - dev->driver->interval_ms * 1000;
	const char *key = NULL;
	char why[256] = "";
	int result = dev->driver->check ? dev->driver->check(dev->conf, &key, why, sizeof(why)) : 0;
	return result ? result : dev->driver->start(dev);
}

struct sp_device *fake_new(const struct sp_driver *driver, const char *name, const char *options)
{
	static const struct sp_option none[] = {{0}};
	struct sp_device *dev = calloc(1, sizeof(*dev));
	dev->driver = driver;
	dev->name = name;
	dev->now_us = 1000 * (int64_t)1000000;
	dev->usable = true;
	dev->conf = calloc(1, driver->conf_size + 1);
	dev->state = calloc(1, driver->state_size + 1);
	char text[4096];
	snprintf(text, sizeof(text), "[%s \"%s\"]\n%s", driver->name, name, options);
	struct sp_config config = {0};
	struct sp_config_errors errors = {0};
	int result = sp_config_parse(&config, "test.conf", text, strlen(text), &errors);
	if (result == 0)
		result = sp_options_apply(driver->options ? driver->options : none, NULL, &config,
					  sp_config_find(&config, driver->name, name), dev->conf, &errors);
	for (size_t i = 0; i < errors.count; i++)
		print_message("%s\n", errors.lines[i]);
	assert_int_equal(result, 0);
	sp_config_errors_free(&errors);
	sp_config_free(&config);
	return dev;
}

// ---- workers --------------------------------------------------------------------------------

static void forget_work(struct fake_work *work)
{
	struct fake_work **at = &work->dev->works;
	while (*at != work)
		at = &(*at)->next;
	*at = work->next;
	free(work);
}

static void on_worked(struct sp_device *dev, void *arg)
{
	struct fake_work *work = arg, own = *work;
	sp_timer_free(work->timer);
	forget_work(work);
	own.work(own.arg);
	own.done(dev, own.arg);
}

void sp_work(struct sp_device *dev, void (*work)(void *arg), void (*done)(struct sp_device *dev, void *arg),
	     void *arg)
{
	struct fake_work *job = calloc(1, sizeof(*job));
	assert_non_null(job);
	*job = (struct fake_work){.next = dev->works, .dev = dev, .work = work, .done = done, .arg = arg};
	dev->works = job;
	job->timer = sp_timer_new(dev, on_worked, job);
	sp_timer_start(job->timer, 0);
}

void fake_free(struct sp_device *dev)
{
	dev->driver->stop(dev);
	// What is under way ends after the device.
	while (dev->works) {
		struct fake_work own = *dev->works;
		forget_work(dev->works);
		own.work(own.arg);
		own.done(NULL, own.arg);
	}
	while (dev->timers) {
		free(dev->timers->owner);
		sp_timer_free(dev->timers);
	}
	while (dev->watches)
		sp_watch_free(dev->watches);
	if (dev->driver->options)
		sp_options_free(dev->driver->options, dev->conf);
	fake_kiosk_free(&dev->kiosk);
	free(dev->conf);
	free(dev->state);
	free(dev);
}

const struct fake_report *fake_last(const struct sp_device *dev, enum sp_rung rung, enum sp_family family)
{
	for (size_t i = dev->report_count; i-- > 0;)
		if (dev->reports[i].report.rung == rung && dev->reports[i].report.family == family)
			return &dev->reports[i];
	return NULL;
}

size_t fake_count(const struct sp_device *dev, enum sp_rung rung, enum sp_family family,
		  enum sp_rung_status status, int64_t from_us)
{
	size_t count = 0;
	for (size_t i = 0; i < dev->report_count; i++) {
		const struct fake_report *report = &dev->reports[i];
		count += report->at_us >= from_us && report->report.rung == rung &&
			 report->report.family == family && report->report.status == status;
	}
	return count;
}

const struct fake_sample *fake_sample(const struct sp_device *dev, unsigned metric, const char *target)
{
	for (size_t i = 0; i < dev->sample_count; i++)
		if (dev->samples[i].metric == metric && strcmp(dev->samples[i].target, target) == 0)
			return &dev->samples[i];
	return NULL;
}
