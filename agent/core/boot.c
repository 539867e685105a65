// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The boot fact.
#include "agent/core/boot.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "agent/base/mem.h"

const char *sp_boot_reason(const struct sp_boot_past *past, const char *boot, const char *version)
{
	if (!past->boot)
		return past->journal_existed ? "unknown" : "first";
	bool same_boot = strcmp(past->boot, boot) == 0;
	if (!past->clean)
		return same_boot ? "crash" : "unknown";
	if (strcmp(past->version, version) != 0)
		return "upgrade";
	return same_boot ? "restart" : "reboot";
}

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

static struct sp_field text_or_null(const char *name, const char *text)
{
	return text && text[0] ? SP_TEXT(name, text) : SP_NULL(name);
}

void sp_boot_record(struct sp_recorder *recorder, const struct sp_boot_past *past,
		    const struct sp_boot_report *report)
{
	struct utsname kernel;
	char release[sizeof(kernel.sysname) + sizeof(kernel.release) + sizeof(kernel.machine)] = "";
	if (uname(&kernel) == 0)
		snprintf(release, sizeof(release), "%s %s %s", kernel.sysname, kernel.release,
			 kernel.machine);
	char os[128];
	read_os(os, sizeof(os));
	bool clean = past->clean != NULL;
	struct sp_field fields[] = {
	    SP_TEXT("reason", sp_boot_reason(past, report->boot, report->version)),
	    SP_BOOL("clean_shutdown", clean),
	    text_or_null("previous_boot", past->boot),
	    clean        ? SP_REAL("uncertainty_seconds", 0)
	    : past->boot ? SP_REAL("uncertainty_seconds", (double)report->commit_ms / 1000.0)
			 : SP_NULL("uncertainty_seconds"),
	    SP_TEXT("version", report->version),
	    text_or_null("board", report->board),
	    text_or_null("model", report->model),
	    text_or_null("kernel", release),
	    text_or_null("os", os),
	};
	sp_record_fact(recorder, "boot", NULL, fields, SP_COUNT(fields));
}

char *sp_boot_mark(const char *boot, const char *version)
{
	return sp_asprintf("%s %s", boot, version);
}

bool sp_boot_unmark(const char *text, char boot[37], char version[32])
{
	return text && sscanf(text, "%36s %31s", boot, version) == 2 && strlen(boot) == 36;
}
