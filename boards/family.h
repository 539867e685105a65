// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the board families share: the families themselves, and readings that every Linux machine
// gives in the same place.
#pragma once

#include "schoolpulse/board.h"

extern const struct sp_board sp_board_generic;
extern const struct sp_board sp_board_raspberry_pi;

void sp_linux_read_temperature(const struct sp_board_root *root, struct sp_board_reading *out);
/// Memory, load and uptime.
void sp_linux_read_system(const struct sp_board_root *root, struct sp_board_reading *out);
/// Kind, wear and bytes written of the disk below data_path; whether its file system is read-only.
void sp_linux_read_storage(const struct sp_board_root *root, struct sp_board_reading *out);
/// What the kernel itself has of the boot before: watchdogs, kernel.panic, traces of panics.
void sp_linux_read_past(const struct sp_board_root *root, struct sp_board_past *out);
