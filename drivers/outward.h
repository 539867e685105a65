// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Options that several drivers have: by which interface to leave, whose certificates to trust.
#pragma once

#include "schoolpulse/driver.h"

/// A name that an interface can have (or "auto"). 0, or -EINVAL and why.
int sp_outward_check_interface(const char *name, char *why, size_t size) SP_MUST_CHECK;
/// As io.h wants it: "" for "auto".
const char *sp_outward_interface(const char *name);

/// A path, or "" for the system's authorities. 0, or -EINVAL and why.
int sp_outward_check_ca_file(const char *path, char *why, size_t size) SP_MUST_CHECK;
/// For start(): -errno when a file is named that cannot be read.
int sp_outward_see_ca_file(const char *path) SP_MUST_CHECK;
