// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// kiosk.h: the answer that a person sees or hears.
#include "schoolpulse/kiosk.h"

#include "agent/core/device_priv.h"

int sp_answer(struct sp_device *dev, const char *output, int64_t ms)
{
	return sp_outputs_show(dev->set, output, ms);
}
