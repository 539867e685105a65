// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the probes of one line cost, with everything at its default and both families: by what the drivers say
// they have spent, over hours of virtual time.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "drivers/drivers.h"
#include "drivers/link/cost.h"
#include "fake_io.h"
#include "fake_ping.h"
#include "fake_stamp.h"

enum {
	LIMIT = 1000,                   ///< bit/s of IP, both ways, hourly mean: design.md, section 12
	PAGE = 1450,                    ///< a 204 over IPv6 with the two questions for its name
	SERVICE_BITS = 6000 * 8 / 1800, ///< the `service` driver's page of 6 kB every half hour
	FRUGAL_MONTH = 3000 * 1000,     ///< bytes, of 5 MB with telemetry
	MONTH_S = 30 * 24 * 3600,
	HOURS = 6,
};

/// The core's jitter: rounds come after 0.8 to 1.0 of their interval, here always after all of it.
static const double jitter = 0.9;

static char resolv[] = "/tmp/sp-resolv-XXXXXX";
static bool filtered;
static double loss;

static bool chance(double p)
{
	return (double)random() / ((double)RAND_MAX + 1) < p;
}

static void echo(struct sp_device *dev, const char *to, struct fake_echo *out)
{
	(void)dev;
	bool v6 = strchr(to, ':');
	out->rtt_ms = 20;
	if (filtered || (loss > 0 && (chance(loss) || chance(loss))))
		return;
	if (out->ttl == 3)
		out->expired = v6 ? "2001:db8:99::1" : "198.51.100.5";
	else if (out->ttl == 1 || out->ttl == 2)
		out->expired = v6 ? "2001:db8:77::1" : "192.168.1.1";
	else
		out->answer = true;
}

static void tcp(const struct sp_endpoint *peer, const uint8_t *data, size_t length, struct fake_answer *out)
{
	(void)peer, (void)data, (void)length;
	out->result = 0;
	out->delay_ms = 20;
}

static void dns(const struct sp_endpoint *peer, const uint8_t *data, size_t length, struct fake_answer *out)
{
	static const uint8_t record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 203, 0, 113, 9};
	(void)peer;
	out->result = 0;
	out->delay_ms = 15;
	memcpy(out->data, data, length);
	out->data[2] = 0x81;
	out->data[3] = 0x80;
	out->data[7] = 1;
	memcpy(out->data + length, record, sizeof(record));
	out->length = length + sizeof(record);
}

static void http(const struct sp_http_request *request, struct fake_page *out)
{
	(void)request;
	out->delay_ms = 30;
	out->answer = (struct sp_http_answer){
	    .error = "", .location = "", .status = 204, .family = SP_FAMILY_IPV6, .bytes = PAGE};
}

static void packet(unsigned number, struct fake_packet *out)
{
	(void)number;
	out->lost_forward = loss > 0 && chance(loss);
	out->lost_backward = loss > 0 && chance(loss);
}

static double spend(const struct sp_driver *driver, bool frugal)
{
	char text[128] = "";
	if (driver == &sp_driver_reach)
		snprintf(text, sizeof(text), "resolv_conf = %s\n", resolv);
	if (driver == &sp_driver_stamp)
		snprintf(text, sizeof(text), "host = 192.0.2.1\n");
	struct sp_device *dev = fake_new(driver, "it", text);
	dev->udp = dns;
	dev->tcp = tcp;
	dev->http = http;
	dev->frugal = frugal;
	srandom(1);
	fake_ping(echo, true);
	fake_stamp(dev, packet);
	assert_int_equal(fake_start(dev), 0);
	for (int minute = 0; minute < HOURS * 60; minute++) {
		fake_run(dev, 60 * 1000, true);
		dev->report_count = 0;
	}
	// What is sampled is what is paid for.
	double spent = (double)dev->spent[SP_SPENT_PROBES];
	unsigned bytes = 0;
	while (strcmp(driver->metrics[bytes].name, "probe_bytes") != 0)
		bytes++;
	assert_true(fake_sample(dev, bytes, "")->last == spent);
	assert_int_equal(dev->spent[SP_SPENT_TESTS], 0);
	fake_free(dev);
	return spent / (HOURS * 3600);
}

static double line(bool frugal)
{
	return spend(&sp_driver_reach, frugal) + spend(&sp_driver_isp_hop, frugal) +
	       spend(&sp_driver_stamp, frugal);
}

static void test_defaults(void **state)
{
	(void)state;
	filtered = false;
	loss = 0;
	double bits = line(false) * 8 / jitter + SERVICE_BITS;
	print_message("at defaults, both families: %.0f bit/s\n", bits);
	assert_true(bits > LIMIT / 2);
	assert_true(bits <= LIMIT);
}

static void test_lossy_line(void **state)
{
	(void)state;
	filtered = false;
	loss = 0.03;
	double bits = line(false) * 8 / jitter + SERVICE_BITS;
	print_message("with 3 %% loss each way: %.0f bit/s\n", bits);
	assert_true(bits <= 1.25 * LIMIT);
}

static void test_where_echo_is_filtered(void **state)
{
	(void)state;
	filtered = true;
	double bits = line(false) * 8 / jitter + SERVICE_BITS;
	// Dearer than the limit, as the documentation says: handshakes and searches.
	print_message("where echo is filtered: %.0f bit/s\n", bits);
	assert_true(bits <= 1.65 * LIMIT);
}

static void test_frugal(void **state)
{
	(void)state;
	filtered = false;
	loss = 0;
	double month = line(true) * MONTH_S;
	print_message("a frugal month: %.2f MB\n", month / 1e6);
	assert_true(month > 0 && month <= FRUGAL_MONTH);
}

static void test_connect(void **state)
{
	(void)state;
	// SYN, SYN-ACK, ACK, and FIN, FIN-ACK, ACK.
	assert_int_equal(sp_cost_connect(false, 0), 60 + 60 + 52 + 52 + 52 + 52);
	assert_int_equal(sp_cost_connect(true, 0), 80 + 80 + 72 + 72 + 72 + 72);
	assert_int_equal(sp_cost_connect(false, -ECONNREFUSED), 60 + 40);
	assert_int_equal(sp_cost_connect(false, -ETIMEDOUT), 60);
}

int main(void)
{
	int fd = mkstemp(resolv);
	if (fd < 0 || dprintf(fd, "nameserver 203.0.113.53\n") < 0)
		return 1;
	close(fd);
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_defaults),
	    cmocka_unit_test(test_lossy_line),
	    cmocka_unit_test(test_where_echo_is_filtered),
	    cmocka_unit_test(test_frugal),
	    cmocka_unit_test(test_connect),
	};
	int result = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(resolv);
	return result;
}
