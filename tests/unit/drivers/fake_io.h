// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// io.h played on virtual time: a driver runs against answers that a test scripts, and what it reports is kept
// to be looked at. Time stands still except in fake_run(); timers then fire in their order.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fake_kiosk.h"
#include "schoolpulse/driver.h"
#include "schoolpulse/io.h"

enum { FAKE_REPORTS = 4096, FAKE_EVENTS = 1024, FAKE_DETAIL = 192 };

struct fake_report {
	struct sp_rung_report report; ///< its texts point into the copies
	char detail[FAKE_DETAIL];
	char reason[64], host[256];
	int64_t at_us;
};

/// An event as text: "carrier interface=eth0 carrier=true speed_mbps=null".
struct fake_event {
	char text[256];
	enum sp_record_class cls;
	int64_t at_us;
	sp_committed_fn committed;
	void *arg;
};

/// What comes back of an exchange: `result` -ETIMEDOUT: nothing, whatever the delay.
struct fake_answer {
	int result;
	uint8_t data[512];
	size_t length;
	int64_t delay_ms;
};
typedef void (*fake_exchange_fn)(const struct sp_endpoint *peer, const uint8_t *data, size_t length,
				 struct fake_answer *out);

struct fake_page {
	struct sp_http_answer answer;
	int64_t delay_ms;
};
typedef void (*fake_http_fn)(const struct sp_http_request *request, struct fake_page *out);

struct sp_device {
	const struct sp_driver *driver;
	const char *name;
	void *conf, *state;
	int64_t now_us; ///< begins at 1000 s
	// ---- scripts
	fake_exchange_fn udp, tcp;
	fake_http_fn http;
	int event_result;    ///< of sp_event()
	bool usable, frugal; ///< what the core says of the line; usable at first
	bool suspected;      ///< the round was begun by fake_suspect()
	struct fake_kiosk kiosk;
	// ---- what the driver said
	unsigned rounds_ok, rounds_failed, rounds_unmeasured, suspects;
	int64_t spent[SP_SPENDINGS];
	bool loading;
	struct sp_traffic traffic; ///< the last that was told
	unsigned traffics;
	struct fake_egress {
		struct sp_egress egress; ///< texts point to those below
		char hop[INET6_ADDRSTRLEN], address[INET6_ADDRSTRLEN];
	} egress[SP_FAMILIES]; ///< the last of each family
	unsigned egress_count;
	char reason[64], text[256];
	struct fake_report reports[FAKE_REPORTS];
	size_t report_count;
	struct fake_event events[FAKE_EVENTS];
	size_t event_count;
	struct fake_sample {
		unsigned metric;
		char target[65];
		size_t count;
		double last, sum;
		bool unavailable;
	} samples[64];
	size_t sample_count;
	struct sp_timer *timers;
	struct sp_watch *watches;
	struct fake_work *works;
	bool round; ///< under way
	int64_t round_us;
};

/// A device of this driver with options as in a configuration file, "key = value\n…", read by the agent's own
/// reader; fails the test on a mistake.
struct sp_device *fake_new(const struct sp_driver *driver, const char *name, const char *options);
void fake_free(struct sp_device *dev); ///< stops the driver and closes what it left open, as the core does

int fake_start(struct sp_device *dev);
void fake_poll(struct sp_device *dev);
/// The core begins a round because something was lost, unless one is under way.
void fake_suspect(struct sp_device *dev);
/// Lets time pass, polling at the driver's interval when `poll`; a round that is late for its deadline fails
/// the test.
void fake_run(struct sp_device *dev, int64_t ms, bool poll);

/// Every watched descriptor is readable.
void fake_ready(struct sp_device *dev);

/// The last report of a rung and family, NULL when there is none.
const struct fake_report *fake_last(const struct sp_device *dev, enum sp_rung rung, enum sp_family family);
/// How many reports of that status came since `from_us`.
size_t fake_count(const struct sp_device *dev, enum sp_rung rung, enum sp_family family,
		  enum sp_rung_status status, int64_t from_us);
const struct fake_sample *fake_sample(const struct sp_device *dev, unsigned metric, const char *target);
