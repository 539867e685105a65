// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The only file that names drivers.
#include "drivers.h"

#include <stddef.h>

// clang-format off
const struct sp_driver *const sp_driver_registry[] = {
    &sp_driver_capture,
    &sp_driver_carrier,
    &sp_driver_gateway,
    &sp_driver_isp_hop,
    &sp_driver_reach,
    &sp_driver_service,
    &sp_driver_stamp,
    &sp_driver_gateway_counters,
    &sp_driver_librespeed,
    &sp_driver_ndt7,
    &sp_driver_adms,
    &sp_driver_card_reader,
    &sp_driver_hikvision,
    &sp_driver_webhook,
    &sp_driver_zk4370,
    &sp_driver_sim_line,
    &sp_driver_sim_kiosk,
    NULL,
};
// clang-format on
