// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// LibreSpeed's pages: where they are, what is asked of them, and what an answer that is none means. Pure
// functions. Sources: LibreSpeed's backend (garbage.php, empty.php) and its Go server (/garbage, /empty).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schoolpulse/io.h"

enum {
	SP_LIBRESPEED_BASE = 512,
	SP_LIBRESPEED_URL = 768,
	SP_LIBRESPEED_HOST = 256,
	SP_LIBRESPEED_FORMS = 4, ///< where below a base the pages may be
	SP_LIBRESPEED_TEXT = 192,
};

enum sp_librespeed_page { SP_LIBRESPEED_GARBAGE, SP_LIBRESPEED_EMPTY };

/// Is it an http(s) address of a directory, without name and password, query and fragment? Says why not.
bool sp_librespeed_base_ok(const char *base, char *why, size_t size);
/// Its host, lower case or as it stands; a literal without brackets.
void sp_librespeed_host(const char *base, char out[SP_LIBRESPEED_HOST]);

struct sp_librespeed_ask {
	unsigned form;
	enum sp_librespeed_page page;
	unsigned chunks; ///< MiB that garbage is asked for; 0: none are named
	uint64_t test; ///< the same for all that belongs to one test: a backend may admit tests, not requests
	uint64_t unique; ///< against caches
};
void sp_librespeed_url(const char *base, const struct sp_librespeed_ask *ask, char out[SP_LIBRESPEED_URL]);

/// Why a request brought nothing: a word of the feed's vocabulary and a text for people; NULL: it did bring
/// what was asked (result 0 and status 200).
struct sp_librespeed_verdict {
	const char *reason;
	char text[SP_LIBRESPEED_TEXT];
};

struct sp_librespeed_answer {
	int result;
	const char *error; ///< of the transfer
	long status;
	bool moved;              ///< bytes of body did
	const char *retry_after; ///< NULL or "": none
};
void sp_librespeed_judge(const struct sp_librespeed_answer *answer, struct sp_librespeed_verdict *out);
