// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Keeps one byte from a broker from ending the process. libmosquitto (2.0.11) meets a property that MQTT 5
// does not know by logging without a session, and asserts that there is one: log__printf(NULL, ...),
// lib/property_mosq.c. That assertion, and no other, becomes a protocol error of this session.
//
// Nothing is locked when it is raised, and the session is destroyed at once; what is lost is the half-read
// message, some hundred bytes.
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mqtt_session.h"

static _Thread_local jmp_buf *way_out;

/// glibc's; in its header only where asserts are compiled in. Ours comes first for the libraries, too.
_Noreturn void __assert_fail(const char *assertion, const char *file, unsigned line, const char *function);

_Noreturn void __assert_fail(const char *assertion, const char *file, unsigned line, const char *function)
{
	if (way_out && strcmp(assertion, "mosq") == 0 && function && strcmp(function, "log__printf") == 0)
		longjmp(*way_out, 1);
	fprintf(stderr, "%s:%u: %s: assertion `%s' failed\n", file, line, function ? function : "?",
		assertion);
	abort();
}

int sp_mqtt_guarded(struct mosquitto *lib, int (*function)(struct mosquitto *lib, int max_packets))
{
	jmp_buf here;
	int rc;
	if (setjmp(here) == 0) {
		way_out = &here;
		rc = function(lib, 1);
	} else {
		rc = MOSQ_ERR_PROTOCOL;
	}
	way_out = NULL;
	return rc;
}
