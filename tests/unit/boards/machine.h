// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A made-up machine: a folder in which a test puts the files and links of /proc and /sys that it wants.
#pragma once

#include <stddef.h>

#include "schoolpulse/board.h"

extern char machine_root[64];

int machine_new(void **state);  ///< cmocka set-up
int machine_free(void **state); ///< removes it

/// Writes a file below the root; the folders are made. `text` ends at its NUL.
void machine_file(const char *path, const char *text);
void machine_bytes(const char *path, const void *bytes, size_t size);
void machine_link(const char *path, const char *target);

/// What the matching board reads; data in /var/lib/schoolpulse.
struct sp_board_reading machine_read(void);

/// Four processors, some memory, a load, an uptime.
void machine_basics(void);
/// A disk with one partition: "mmcblk0", "mmcblk0p2", "179:2", below /sys/devices/<bus>.
void machine_disk(const char *bus, const char *disk, const char *partition, const char *number);
