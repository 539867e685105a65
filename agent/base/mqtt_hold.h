// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// PUBACKs that are kept back: private to mqtt*.c. A broker sends no more than the receive maximum beyond
// those that were acknowledged, and yet everything else goes both ways, PUBACKs for what was published here
// among it.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sp_mqtt_hold {
	bool on;
	enum { SP_HOLD_TYPE, SP_HOLD_LENGTH, SP_HOLD_BODY } at; ///< in the packets that are to be sent
	bool aside;                                             ///< this packet is kept back
	size_t left;                                            ///< bytes of its body
	unsigned shift;
	uint8_t *kept;
	size_t length, room;
};

void sp_mqtt_hold_free(struct sp_mqtt_hold *hold);
/// Bytes on their way to the broker: returns how many of them stay, at the beginning of `bytes`.
size_t sp_mqtt_hold_sort(struct sp_mqtt_hold *hold, uint8_t *bytes, size_t length);
/// Something is kept that may be sent now.
bool sp_mqtt_hold_due(const struct sp_mqtt_hold *hold);
/// Takes of it what `bytes` has room for.
size_t sp_mqtt_hold_take(struct sp_mqtt_hold *hold, uint8_t *bytes, size_t room);
