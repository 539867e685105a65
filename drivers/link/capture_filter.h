// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The program by which the kernel cuts each frame before anybody else sees it: of ordinary frames their
// Ethernet header is left, of handshakes and DNS as much as is read of them. Payload stays in the kernel.
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>

enum { SP_CAPTURE_FILTER_MAX = 96 };

/// `addresses`: leave IP's addresses of every frame, too, since directions are told by them. Returns the
/// number of instructions.
size_t sp_capture_filter(bool addresses, struct sock_filter out[SP_CAPTURE_FILTER_MAX]);
