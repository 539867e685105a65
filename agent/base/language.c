// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Finds the catalogues and tells gettext which to use.
#include "agent/base/language.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "schoolpulse/err.h"

enum { PATH_LENGTH = 4096 };

static const char *wanted(void)
{
	static const char *const names[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
	for (size_t i = 0; i < SP_COUNT(names); i++) {
		const char *value = getenv(names[i]);
		if (value && value[0])
			return value;
	}
	return "en";
}

/// In a build folder the catalogues are the program's neighbours; an installed one has them in its prefix.
static void find_catalogues(char out[PATH_LENGTH])
{
	static const char *const beside[] = {"/locale", "/../share/locale"};
	char program[PATH_LENGTH];
	ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
	const char *slash = length > 0 ? memrchr(program, '/', (size_t)length) : NULL;
	for (size_t i = 0; slash && i < SP_COUNT(beside); i++) {
		snprintf(out, PATH_LENGTH, "%.*s%s", (int)(slash - program), program, beside[i]);
		if (access(out, X_OK) == 0)
			return;
	}
	snprintf(out, PATH_LENGTH, "/usr/share/locale");
}

void sp_language_choose(const char *domain, const char *name)
{
	char path[PATH_LENGTH], language[16];
	snprintf(language, sizeof(language), "%.*s", (int)strcspn(name ? name : wanted(), "_.@"),
		 name ? name : wanted());
	find_catalogues(path);
	// gettext asks LANGUAGE in any locale but plain "C"; and this one every machine has.
	setlocale(LC_MESSAGES, "C.UTF-8");
	setenv("LANGUAGE", language, 1);
	bindtextdomain(domain, path);
	bind_textdomain_codeset(domain, "UTF-8");
	textdomain(domain);
}
