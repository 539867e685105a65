// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The boot fact, and the silence before it.
#include "agent/core/boot.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

/// PRETTY_NAME of os-release(5); "" without one.
static void read_os(char *out, size_t size)
{
	out[0] = '\0';
	FILE *file = fopen("/etc/os-release", "re");
	char line[512];
	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, "PRETTY_NAME=", 12) != 0)
			continue;
		const char *name = line + 12 + (line[12] == '"');
		snprintf(out, size, "%.*s", (int)strcspn(name, "\"\n"), name);
		break;
	}
	if (file)
		fclose(file);
}

static void read_kernel(char *out, size_t size)
{
	struct utsname kernel;
	out[0] = '\0';
	if (uname(&kernel) == 0)
		snprintf(out, size, "%s %s %s", kernel.sysname, kernel.release, kernel.machine);
}

// ---- the silence -----------------------------------------------------------------------------------------

int64_t sp_boot_since_us(const struct sp_boot_past *past, const struct sp_boot_report *report)
{
	const struct sp_boot_last *last = &past->last;
	if (strcmp(past->mark->boot, report->boot) == 0)
		return report->now.mono_us - last->mono_us;
	return report->now.synced && last->placed ? (report->now.wall_ms - last->t_ms) * 1000 : -1;
}

double sp_boot_uncertainty(const struct sp_boot_past *past, const struct sp_boot_report *report)
{
	if (!past->mark || !past->last.known)
		return -1;
	if (past->clean)
		return 0;
	int64_t most_us = report->commit_ms * 1000, since_us = sp_boot_since_us(past, report);
	return (double)(since_us >= 0 && since_us < most_us ? since_us : most_us) / 1e6;
}

// ---- the fact --------------------------------------------------------------------------------------------

static struct sp_field text_or_null(const char *name, const char *text)
{
	return text && text[0] ? SP_TEXT(name, text) : SP_NULL(name);
}

enum sp_boot_reason sp_boot_record(struct sp_recorder *recorder, const struct sp_boot_past *past,
				   const struct sp_boot_report *report)
{
	char kernel[3 * SYS_NMLN], os[128], evidence[256];
	enum sp_boot_reason reason = sp_boot_reason(past, report->boot, report->version);
	double uncertainty = sp_boot_uncertainty(past, report);
	const struct sp_boot_last *last = &past->last;
	read_kernel(kernel, sizeof(kernel));
	read_os(os, sizeof(os));
	sp_boot_evidence(past, report->boot, evidence);
	struct sp_field fields[] = {
	    SP_TEXT("reason", sp_boot_reason_name(reason)),
	    SP_BOOL("clean_shutdown", past->clean),
	    text_or_null("previous_boot", past->mark ? past->mark->boot : NULL),
	    last->known ? SP_INT("silence_start_mono_us", last->mono_us) : SP_NULL("silence_start_mono_us"),
	    last->placed ? SP_INT("silence_start_t_ms", last->t_ms) : SP_NULL("silence_start_t_ms"),
	    uncertainty >= 0 ? SP_REAL("uncertainty_seconds", uncertainty) : SP_NULL("uncertainty_seconds"),
	    text_or_null("evidence", evidence),
	    SP_TEXT("version", report->version),
	    text_or_null("board", report->board),
	    text_or_null("model", report->model),
	    text_or_null("kernel", kernel),
	    text_or_null("os", os),
	};
	sp_record_fact(recorder, "boot", NULL, fields, SP_COUNT(fields));
	return reason;
}
