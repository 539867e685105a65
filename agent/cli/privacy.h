// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What a school does for a person and for its keys: export, forget, remember; keys status, print, restore.
#pragma once

#include <stdbool.h>

struct sp_privacy_arguments {
	const char *socket;
	const char *command; ///< "export", "forget", "remember", "keys"
	const char *verb;    ///< of keys: "status", "print", "restore"
	const char *person;  ///< NULL: ask; "-": the first line of standard input
	const char *kind;    ///< "pin", "card", "code", "other"
	const char *output;  ///< a file for export; NULL: standard output
	const char *blob;    ///< a file
	bool json, once, yes;
};

/// The program's exit code.
int sp_privacy_run(const struct sp_privacy_arguments *arguments);
int sp_keys_run(const struct sp_privacy_arguments *arguments);

/// Asks a question at the terminal; true: yes.
bool sp_ask_yes(const char *question);
/// Reads a line, without its break, from the terminal (`prompt` not NULL) or standard input. False: none.
bool sp_ask_line(const char *prompt, char *out, int size);
