// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A terminal played by hand (adms_bench.h).
#include "adms_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "drivers/drivers.h"

struct sp_device *adms_new(const char *options)
{
	char text[512];
	snprintf(text, sizeof(text), "serial = ABC123\n%s", options);
	struct sp_device *dev = fake_new(&sp_driver_adms, "gate", text);
	assert_int_equal(fake_start(dev), 0);
	return dev;
}

static void answered(struct sp_http_inbound *in, unsigned status, const char *text)
{
	assert_true(in->replied);
	assert_int_equal(in->status, status);
	assert_string_equal(in->body, text);
	assert_string_equal(in->content_type, "text/plain");
	// Terminals take their time from a good answer, and from nothing else.
	assert_int_equal(in->date, status == 200);
	if (status != 200)
		assert_null(strstr(in->body, "OK"));
	fake_gone(in);
}

void adms_says(const char *head, const char *body, unsigned status, const char *text)
{
	answered(fake_ask(0, head, body), status, text);
}

void adms_says_committed(struct sp_device *dev, const char *head, const char *body, unsigned status,
			 const char *text)
{
	struct sp_http_inbound *in = fake_ask(0, head, body);
	assert_false(in->replied);
	assert_true(fake_commit(dev, 0) > 0);
	answered(in, status, text);
}
