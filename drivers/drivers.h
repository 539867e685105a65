// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The drivers by name, for registry.c alone: a driver is one const object and nothing else.
#pragma once

#include "schoolpulse/driver.h"

extern const struct sp_driver sp_driver_adms;
extern const struct sp_driver sp_driver_capture;
extern const struct sp_driver sp_driver_card_reader;
extern const struct sp_driver sp_driver_carrier;
extern const struct sp_driver sp_driver_gateway;
extern const struct sp_driver sp_driver_gateway_counters;
extern const struct sp_driver sp_driver_hikvision;
extern const struct sp_driver sp_driver_isp_hop;
extern const struct sp_driver sp_driver_ndt7;
extern const struct sp_driver sp_driver_reach;
extern const struct sp_driver sp_driver_service;
extern const struct sp_driver sp_driver_librespeed;
extern const struct sp_driver sp_driver_stamp;
extern const struct sp_driver sp_driver_sim_line;
extern const struct sp_driver sp_driver_sim_kiosk;
extern const struct sp_driver sp_driver_webhook;
extern const struct sp_driver sp_driver_zk4370;
extern const struct sp_driver sp_driver_skeleton; ///< in no build's registry
