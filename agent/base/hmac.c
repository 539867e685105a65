// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The one call of OpenSSL's HMAC: what it allocates it wipes itself.
#include "agent/base/hmac.h"

#include <stdlib.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

void sp_hmac(const uint8_t *key, size_t key_length, const void *data, size_t length,
	     uint8_t out[SP_HMAC_LENGTH])
{
	unsigned written = 0;
	if (!HMAC(EVP_sha256(), key, (int)key_length, data, length, out, &written) ||
	    written != SP_HMAC_LENGTH)
		abort();
}
