// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The webhook's signature (webhook_sign.h).
#include "webhook_sign.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "text.h"

enum { HASH = 32, SIGNATURES = 4 };

static int add(struct webhook_secrets *out, const char *path, char *line, char why[256])
{
	size_t length = strcspn(line, "\r\n");
	while (length > 0 && (line[length - 1] == ' ' || line[length - 1] == '\t'))
		length--;
	if (length == 0 || line[0] == '#')
		return 0;
	if (length < WEBHOOK_SECRET_MIN || length > WEBHOOK_SECRET_MAX)
		snprintf(why, 256, "%s: a secret has %d to %d bytes", path, WEBHOOK_SECRET_MIN,
			 WEBHOOK_SECRET_MAX);
	else if (out->count == WEBHOOK_SECRETS)
		snprintf(why, 256, "%s: more than %d secrets", path, WEBHOOK_SECRETS);
	else {
		memcpy(out->items[out->count].text, line, length);
		out->items[out->count++].length = length;
		return 0;
	}
	return -EINVAL;
}

int webhook_secrets_read(const char *path, struct webhook_secrets *out, char why[256])
{
	char line[WEBHOOK_SECRET_MAX * 2];
	struct stat about;
	int result = 0;
	*out = (struct webhook_secrets){0};
	FILE *file = fopen(path, "re");
	if (!file || fstat(fileno(file), &about) != 0) {
		result = -errno;
		snprintf(why, 256, "%s: %s", path, strerror(errno));
	} else if (about.st_mode & S_IRWXO) {
		snprintf(why, 256, "%s: everybody may read it: chmod o= it", path);
		result = -EPERM;
	}
	if (!result)
		setvbuf(file, NULL, _IONBF, 0); // no copy stays
	while (!result && fgets(line, sizeof(line), file))
		result = add(out, path, line, why);
	if (!result && out->count == 0) {
		snprintf(why, 256, "%s: no secret in it", path);
		result = -EINVAL;
	}
	explicit_bzero(line, sizeof(line));
	if (file)
		fclose(file);
	return result;
}

int webhook_timestamp(const char *header, int64_t *seconds)
{
	if (header[0] < '0' || header[0] > '9')
		return -EINVAL;
	return sp_kiosk_integer(header, strlen(header), 0, INT64_C(99999999999), seconds) ? -EINVAL : 0;
}

static int digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

/// "v1=" and 64 digits, up to a comma or the end.
static bool read_one(const char *text, size_t length, unsigned char out[HASH])
{
	if (length != 3 + 2 * HASH || strncasecmp(text, "v1=", 3) != 0)
		return false;
	for (size_t i = 0; i < HASH; i++) {
		int high = digit(text[3 + 2 * i]), low = digit(text[4 + 2 * i]);
		if (high < 0 || low < 0)
			return false;
		out[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}

static bool matches(const struct webhook_secrets *secrets, const unsigned char hashes[][HASH],
		    const unsigned char given[HASH])
{
	bool found = false;
	for (size_t i = 0; i < secrets->count; i++)
		found |= CRYPTO_memcmp(hashes[i], given, HASH) == 0;
	return found;
}

bool webhook_signed(const struct webhook_secrets *secrets, const char *header, const void *data,
		    size_t length)
{
	unsigned char hashes[WEBHOOK_SECRETS][HASH], given[HASH];
	bool found = false;
	for (size_t i = 0; i < secrets->count; i++) {
		size_t made = 0;
		if (!EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, secrets->items[i].text,
			       secrets->items[i].length, data, length, hashes[i], HASH, &made) ||
		    made != HASH)
			return false;
	}
	for (unsigned i = 0; i < SIGNATURES && *header; i++) {
		header += strspn(header, " \t,");
		size_t part = strcspn(header, ", \t");
		if (read_one(header, part, given))
			found |= matches(secrets, (const unsigned char(*)[HASH])hashes, given);
		header += part;
	}
	return found;
}
