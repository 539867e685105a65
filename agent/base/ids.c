// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Identities and digests. Randomness comes straight from the kernel: OpenSSL's generator would
// fetch it from there, too, after spending 140 kB on generators of its own.
#include "agent/base/ids.h"

#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include <openssl/evp.h>

#include "agent/base/mem.h"

enum { DEVICE_MAX = 32 };

static const struct sp_random_source *replaced; ///< NULL: the kernel

void sp_random_set_source(const struct sp_random_source *source)
{
	replaced = source;
}

/// Waits for the kernel's first entropy after boot rather than do without.
void sp_random_bytes(void *out, size_t length)
{
	if (replaced) {
		replaced->fill(replaced->arg, out, length);
		return;
	}
	ssize_t got;
	do
		got = getrandom(out, length, 0);
	while (got < 0 && errno == EINTR);
	if (got != (ssize_t)length) // up to 256 bytes always come whole
		abort();
}

void sp_id_new(char out[SP_ID_LENGTH + 1])
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
	uint8_t bytes[16];
	sp_random_bytes(bytes, sizeof(bytes));
	unsigned pending = 0, bits = 0;
	size_t length = 0;
	for (size_t i = 0; i < sizeof(bytes); i++) {
		pending = (pending << 8 | bytes[i]) & 0xfff;
		for (bits += 8; bits >= 5; bits -= 5)
			out[length++] = alphabet[pending >> (bits - 5) & 31];
	}
	out[length++] = alphabet[pending << (5 - bits) & 31];
	out[length] = '\0';
}

bool sp_id_valid(const char *text)
{
	size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");
	return length >= 1 && length <= DEVICE_MAX && text[length] == '\0';
}

void sp_digest(const void *data, size_t length, char out[SP_DIGEST_LENGTH + 1])
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	if (!EVP_Digest(length ? data : "", length, digest, NULL, EVP_sha256(), NULL))
		abort(); // only without memory or with a broken library
	for (size_t i = 0; i < SP_DIGEST_LENGTH / 2; i++) {
		out[2 * i] = "0123456789abcdef"[digest[i] >> 4];
		out[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
	}
	out[SP_DIGEST_LENGTH] = '\0';
}

double sp_random_unit(void)
{
	uint64_t bits;
	sp_random_bytes(&bits, sizeof(bits));
	return (double)(bits >> 11) * 0x1p-53;
}

/// 8-4-4-4-12 lower-case hex digits.
static bool is_uuid(const char *text)
{
	for (size_t i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		if (dash ? text[i] != '-' : !text[i] || !strchr("0123456789abcdef", text[i]))
			return false;
	}
	return true;
}

static bool read_boot_id(const char *path, char out[37])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return false;
	char text[37] = "";
	bool good = read(fd, text, 36) == 36 && is_uuid(text);
	if (good)
		memcpy(out, text, sizeof(text));
	close(fd);
	return good;
}

void sp_boot_id(const char *root, char out[37])
{
	static const char path[] = "/proc/sys/kernel/random/boot_id";
	out[0] = '\0';
	if (root && root[0]) {
		char *below = sp_asprintf("%s%s", root, path);
		bool found = read_boot_id(below, out);
		free(below);
		if (found)
			return;
	}
	(void)read_boot_id(path, out);
}
