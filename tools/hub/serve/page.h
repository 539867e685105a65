// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The page's files (web/), put into the program when it is built: embed.cmake writes the array.
#pragma once

#include <stddef.h>

struct sp_page_file {
	const char *path; ///< without a leading slash; NULL ends the list
	const char *content_type;
	const char *etag; ///< quoted
	const unsigned char *data;
	size_t length;
};
extern const struct sp_page_file sp_page_files[];
