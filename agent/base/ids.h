// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Random identities and digests (OpenSSL lives here, in hmac.c, seal.c, sign.c and tls.c, nowhere else).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schoolpulse/err.h"

enum {
	SP_ID_LENGTH = 26,     ///< 128 random bits in lower-case base32 (RFC 4648 alphabet, no padding)
	SP_DIGEST_LENGTH = 32, ///< the first 128 bits of a SHA-256, in hex
};

/// A fresh random id; device ids, streams, outages, hub epochs. Aborts without entropy.
void sp_id_new(char out[SP_ID_LENGTH + 1]);
/// For keys. At most 256 bytes; aborts without entropy.
void sp_random_bytes(void *out, size_t length);
/// Device and shard names as they may stand in a topic: [a-z0-9-], 1…32 bytes.
bool sp_id_valid(const char *text);
void sp_digest(const void *data, size_t length, char out[SP_DIGEST_LENGTH + 1]);
/// Uniform in [0, 1): jitter. Not for secrets.
double sp_random_unit(void);

/// Where randomness comes from instead of the kernel; for a simulation that repeats to the byte.
struct sp_random_source {
	void (*fill)(void *arg, void *out, size_t length);
	void *arg;
};
/// Replaces the source for the whole process; NULL restores the kernel's. Call it before any other thread
/// runs. `source` must outlive its use.
void sp_random_set_source(const struct sp_random_source *source);

/// The kernel's boot id, 36 characters, from /proc/sys/kernel/random/boot_id; "" when unreadable. `root`: "";
/// a test's made-up machine may have a boot id of its own.
void sp_boot_id(const char *root, char out[37]);
