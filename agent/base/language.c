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

/// In a build folder the catalogues are the program's neighbours.
static void find_catalogues(char out[PATH_LENGTH])
{
	static const char beside[] = "/locale";
	ssize_t length = readlink("/proc/self/exe", out, PATH_LENGTH - sizeof(beside));
	char *slash = length > 0 ? memrchr(out, '/', (size_t)length) : NULL;
	if (slash)
		memcpy(slash, beside, sizeof(beside));
	if (!slash || access(out, X_OK) != 0)
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
