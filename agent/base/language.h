// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A command's language: gettext over catalogues that lie beside the program, in the prefix
// that it is installed in, or under /usr/share/locale.
#pragma once

#include <libintl.h>

#define _(text)  gettext(text)
#define N_(text) text ///< marked for translation, translated where it is shown

/// `domain`: the program, as its catalogues are called. `name`: "vi", "en", or NULL for what LC_ALL,
/// LC_MESSAGES or LANG ask for. Works without that locale being generated on the machine, as on most boards.
/// A language without a catalogue is English.
void sp_language_choose(const char *domain, const char *name);
