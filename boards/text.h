// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Pure parsers of what the kernel writes into /proc and /sys: bytes in, a value or an error out. Fuzzed
// and tested without a file.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schoolpulse/board.h"
#include "schoolpulse/err.h"

bool sp_text_is_space(char c);

/// The whole text is one decimal number, a sign allowed. 0, -EBADMSG or -ERANGE.
int sp_text_integer(const char *text, int64_t *out) SP_MUST_CHECK;
/// The whole text is one hexadecimal number without sign, with or without 0x. 0, -EBADMSG or -ERANGE.
int sp_text_hex(const char *text, uint64_t *out) SP_MUST_CHECK;
/// The text begins with a decimal fraction without sign ("0.52 0.58 …"), up to 1e15. 0 or -EBADMSG.
int sp_text_fraction(const char *text, double *out) SP_MUST_CHECK;
/// The n-th number (from 1) of a line of numbers (/sys/block/…/stat). 0, -EBADMSG or -ERANGE.
int sp_text_column(const char *text, unsigned column, uint64_t *out) SP_MUST_CHECK;
/// "Key:  123 kB" of /proc/meminfo, in bytes. 0, -ENOENT or -EBADMSG.
int sp_text_meminfo(const char *text, const char *key, uint64_t *out) SP_MUST_CHECK;
/// How many processors "0-3,6" names; 0 when it names none or is no such list.
unsigned sp_text_cpus(const char *text);
/// eMMC life_time, "0x01 0x02": the worse of both areas as a share of its life, counted at the upper end of
/// the step of ten per cent that the card tells. 0 or -EBADMSG (also for 0x00: undefined).
int sp_text_life_time(const char *text, double *out) SP_MUST_CHECK;

/// One line of /proc/self/mountinfo, as much of it as is asked for.
struct sp_text_mount {
	unsigned major, minor;
	bool read_only;  ///< by the mount's options or by the file system's
	char type[32];   ///< "ext4"
	char source[64]; ///< "/dev/mmcblk0p2"; "" when longer
	char upper[256]; ///< overlay's upperdir; "" without one or when longer
};

/// The mount that holds the absolute path: the last of the longest mount points above it. 0 or -ENOENT.
int sp_text_mount_of(const char *mountinfo, const char *path, struct sp_text_mount *out) SP_MUST_CHECK;

/// The interface of the default route of the lowest metric in /proc/net/route (IPv4) or /proc/net/ipv6_route,
/// of at most 15 bytes. 0 or -ENOENT.
int sp_text_way_out(const char *table, char out[SP_BOARD_PORT_NAME]) SP_MUST_CHECK;
int sp_text_way_out6(const char *table, char out[SP_BOARD_PORT_NAME]) SP_MUST_CHECK;
/// The lines "cpu0 …" of /proc/stat, by their numbers.
void sp_text_cores(const char *text, struct sp_board_cores *out);
