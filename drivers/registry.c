// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The only file that names drivers.
#include "schoolpulse/driver.h"

const struct sp_driver *const sp_driver_registry[] = {
	NULL,
};
