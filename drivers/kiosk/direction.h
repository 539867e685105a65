// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What kiosks' sections have in common about which way people go and what the dial shows: the option
// `direction` of a gate that leads one way only, and the zone in which the core wants dials told.
#pragma once

#include "schoolpulse/kiosk.h"

enum sp_direction_option { SP_DIRECTION_AUTO, SP_DIRECTION_IN, SP_DIRECTION_OUT, SP_DIRECTION_UNKNOWN };
#define SP_DIRECTION_CHOICES "auto in out unknown"

/// Vietnam's, from which sp_punch's zone_ahead_s counts.
enum { SP_VIETNAM_S = 7 * 3600 };

/// What the section says; with AUTO what the event `said`.
enum sp_punch_direction sp_direction(enum sp_direction_option option, enum sp_punch_direction said);
