// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// HMAC-SHA-256 (RFC 2104) by OpenSSL.
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { SP_HMAC_LENGTH = 32 };

/// Aborts only without memory.
void sp_hmac(const uint8_t *key, size_t key_length, const void *data, size_t length,
	     uint8_t out[SP_HMAC_LENGTH]);
