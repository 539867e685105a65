// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Bounded reading below a root: whatever stands in a file, and however long it is, a reader ends at once
// with a value in range or with an error, which the caller turns into "unknown".
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "schoolpulse/board.h"
#include "schoolpulse/err.h"

/// Reads root + path, at most `size` bytes, as they are. Bytes read, -EMSGSIZE when the file holds more,
/// -EINVAL when it is no regular file (a pipe would block), or what open and read say.
ssize_t sp_sysfs_read(const char *root, const char *path, void *out, size_t size) SP_MUST_CHECK;

/// The same as text: ended by NUL, trailing white space and NULs cut off. Length or -errno; -EBADMSG for a
/// NUL inside.
ssize_t sp_sysfs_text(const char *root, const char *path, char *out, size_t size) SP_MUST_CHECK;

/// A whole file that is one decimal number from `min` to `max`. 0, -EBADMSG, -ERANGE, or as above.
int sp_sysfs_number(const char *root, const char *path, int64_t min, int64_t max, int64_t *out) SP_MUST_CHECK;

/// A malloc()ed text of at most `max` bytes, for the long files of /proc; the caller frees it.
int sp_sysfs_slurp(const char *root, const char *path, size_t max, char **out, size_t *length) SP_MUST_CHECK;

/// The first bytes of a file, however long it is: as many as fit. Bytes read, or -errno.
ssize_t sp_sysfs_head(const char *root, const char *path, void *out, size_t size) SP_MUST_CHECK;

/// printf into a path; -ENAMETOOLONG when it does not fit.
int sp_sysfs_path(char *out, size_t size, const char *format, ...) SP_PRINTF(3, 4) SP_MUST_CHECK;

bool sp_sysfs_exists(const char *root, const char *path);

static inline void sp_quantity_set(struct sp_quantity *quantity, double value)
{
	quantity->known = true;
	quantity->value = value;
}
