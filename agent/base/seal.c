// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Sealing by OpenSSL.
#include "agent/base/seal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include "agent/base/mem.h"

enum {
	HEAD = 5,
	FRONT = HEAD + 2 * SP_SEAL_KEY, ///< what is authenticated and not secret
	TAG = 16,
	NONCE = 12,
	BLOB_MAX = SP_SEAL_DATA_MAX + FRONT + TAG,
};
_Static_assert(FRONT + TAG == SP_SEAL_OVERHEAD, "the header says how much longer a blob is");

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
static const uint8_t head[HEAD] = {'S', 'P', 'K', 'B', 1};
static const char code_salt[] = "schoolpulse recovery code 1";
static const char blob_info[] = "schoolpulse key backup 1";

// ---- the code ------------------------------------------------------------------------------------------

/// x · 2 in GF(32) modulo x^5 + x^2 + 1.
static uint8_t twice(uint8_t value)
{
	unsigned shifted = (unsigned)value << 1;
	return (uint8_t)(shifted & 32 ? shifted ^ 0x25 : shifted);
}

/// One check character per group: Σ αⁱ·dᵢ in GF(32). Any one wrong character and any two exchanged ones
/// within the group change it; the group's number is in it, so that exchanged groups are seen, too.
static uint8_t check_of(const uint8_t *symbols, unsigned group)
{
	uint8_t sum = (uint8_t)group;
	for (unsigned i = 0; i < 4; i++)
		sum = twice(sum ^ symbols[i]);
	return sum;
}

void sp_seal_code_new(struct sp_seal_code *out)
{
	if (RAND_priv_bytes(out->symbols, sizeof(out->symbols)) != 1)
		abort();
	for (size_t i = 0; i < sizeof(out->symbols); i++)
		out->symbols[i] &= 31;
}

void sp_seal_code_text(const struct sp_seal_code *code, char out[SP_SEAL_CODE_TEXT + 1])
{
	char *at = out;
	for (unsigned group = 0; group < SP_SEAL_GROUPS; group++) {
		const uint8_t *symbols = &code->symbols[4 * group];
		if (group > 0)
			*at++ = '-';
		for (unsigned i = 0; i < 4; i++)
			*at++ = alphabet[symbols[i]];
		*at++ = alphabet[check_of(symbols, group + 1)];
	}
	*at = '\0';
}

/// −1: no character of a code.
static int symbol_of(char character)
{
	if (character >= 'a' && character <= 'z')
		character = (char)(character - 'a' + 'A');
	if (character == 'O')
		character = '0';
	if (character == 'I' || character == 'L')
		character = '1';
	const char *found = character ? strchr(alphabet, character) : NULL;
	return found ? (int)(found - alphabet) : -1;
}

static bool separates(char character)
{
	return character == '-' || character == ' ' || character == '\t' || character == '\r' ||
	       character == '\n';
}

/// With separators after every group but one, or with one group of another length, that group is named.
static unsigned odd_group(const char *text)
{
	unsigned group = 0, odd = 0, wrong = 0;
	while (*text) {
		size_t length = 0;
		while (separates(*text))
			text++;
		while (text[length] && !separates(text[length]))
			length++;
		text += length;
		if (length == 0)
			break;
		group++;
		if (length != 5) {
			odd = group;
			wrong++;
		}
	}
	return wrong == 1 && group == SP_SEAL_GROUPS ? odd : 0;
}

int sp_seal_code_parse(struct sp_seal_code *out, const char *text, unsigned *group)
{
	uint8_t all[5 * SP_SEAL_GROUPS];
	size_t count = 0;
	*group = 0;
	int result = 0;
	for (const char *at = text; *at && result == 0; at++) {
		int symbol = separates(*at) ? 0 : symbol_of(*at);
		if (separates(*at))
			continue;
		if (count == sizeof(all)) {
			result = -EMSGSIZE;
		} else if (symbol < 0) {
			*group = (unsigned)(count / 5) + 1;
			result = -EINVAL;
		} else {
			all[count++] = (uint8_t)symbol;
		}
	}
	if (result == 0 && count < sizeof(all))
		result = -EMSGSIZE;
	if (result == -EMSGSIZE)
		*group = odd_group(text);
	for (unsigned i = 0; i < SP_SEAL_GROUPS && result == 0; i++) {
		memcpy(&out->symbols[4 * i], &all[5 * i], 4);
		if (check_of(&all[5 * i], i + 1) != all[5 * i + 4]) {
			*group = i + 1;
			result = -EINVAL;
		}
	}
	if (result)
		explicit_bzero(out, sizeof(*out));
	explicit_bzero(all, sizeof(all));
	return result;
}

// ---- keys ----------------------------------------------------------------------------------------------

static void derive(uint8_t *out, size_t length, const void *secret, size_t secret_length, const void *salt,
		   size_t salt_length, const char *info)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
	// OpenSSL's parameters take no const; nothing is written there.
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)(uintptr_t) "SHA256", 0),
	    OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)secret, secret_length),
	    OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)(uintptr_t)salt, salt_length),
	    OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)info, strlen(info)),
	    OSSL_PARAM_construct_end(),
	};
	if (!context || EVP_KDF_derive(context, out, length, params) != 1)
		abort();
	EVP_KDF_CTX_free(context);
	EVP_KDF_free(kdf);
}

static EVP_PKEY *private_key(const struct sp_seal_code *code)
{
	uint8_t raw[SP_SEAL_KEY];
	derive(raw, sizeof(raw), code->symbols, sizeof(code->symbols), code_salt, strlen(code_salt),
	       "x25519");
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, raw, sizeof(raw));
	explicit_bzero(raw, sizeof(raw));
	if (!key)
		abort();
	return key;
}

static void public_of(EVP_PKEY *key, uint8_t out[SP_SEAL_KEY])
{
	size_t length = SP_SEAL_KEY;
	if (EVP_PKEY_get_raw_public_key(key, out, &length) != 1 || length != SP_SEAL_KEY)
		abort();
}

void sp_seal_public(const struct sp_seal_code *code, uint8_t out[SP_SEAL_KEY])
{
	EVP_PKEY *key = private_key(code);
	public_of(key, out);
	EVP_PKEY_free(key);
}

void sp_seal_mark(const uint8_t key[SP_SEAL_KEY], char out[SP_SEAL_MARK_TEXT + 1])
{
	uint8_t hash[EVP_MAX_MD_SIZE];
	if (EVP_Digest(key, SP_SEAL_KEY, hash, NULL, EVP_sha256(), NULL) != 1)
		abort();
	snprintf(out, SP_SEAL_MARK_TEXT + 1, "%02X%02X-%02X%02X", hash[0], hash[1], hash[2], hash[3]);
}

/// What both sides of a blob can tell: the AES key and the nonce, which is as unique as the ephemeral key.
/// False: `theirs` is no point that anybody may have made.
static bool agree(EVP_PKEY *ours, const uint8_t theirs[SP_SEAL_KEY], const uint8_t keys[2 * SP_SEAL_KEY],
		  uint8_t out[SP_SEAL_KEY + NONCE])
{
	uint8_t shared[SP_SEAL_KEY];
	size_t length = sizeof(shared);
	EVP_PKEY *peer = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, theirs, SP_SEAL_KEY);
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(ours, NULL);
	bool good = peer && context && EVP_PKEY_derive_init(context) == 1 &&
		    EVP_PKEY_derive_set_peer(context, peer) == 1 &&
		    EVP_PKEY_derive(context, shared, &length) == 1 && length == sizeof(shared);
	if (good)
		derive(out, SP_SEAL_KEY + NONCE, shared, sizeof(shared), keys, (size_t)2 * SP_SEAL_KEY,
		       blob_info);
	explicit_bzero(shared, sizeof(shared));
	EVP_PKEY_CTX_free(context);
	EVP_PKEY_free(peer);
	return good;
}

// ---- blobs ---------------------------------------------------------------------------------------------

static bool encrypt(uint8_t *blob, const uint8_t secret[SP_SEAL_KEY + NONCE], const void *data, size_t length)
{
	int done = 0, last = 0;
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	bool good = context &&
		    EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), NULL, secret, secret + SP_SEAL_KEY) == 1 &&
		    EVP_EncryptUpdate(context, NULL, &done, blob, FRONT) == 1 &&
		    EVP_EncryptUpdate(context, blob + FRONT, &done, data, (int)length) == 1 &&
		    EVP_EncryptFinal_ex(context, blob + FRONT + done, &last) == 1 &&
		    (size_t)done + (size_t)last == length &&
		    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG, blob + FRONT + length) == 1;
	EVP_CIPHER_CTX_free(context);
	return good;
}

static bool decrypt(uint8_t *out, const uint8_t secret[SP_SEAL_KEY + NONCE], uint8_t *blob, size_t length)
{
	int done = 0, last = 0;
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	bool good = context &&
		    EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), NULL, secret, secret + SP_SEAL_KEY) == 1 &&
		    EVP_DecryptUpdate(context, NULL, &done, blob, FRONT) == 1 &&
		    EVP_DecryptUpdate(context, out, &done, blob + FRONT, (int)length) == 1 &&
		    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG, blob + FRONT + length) == 1 &&
		    EVP_DecryptFinal_ex(context, out + done, &last) == 1;
	EVP_CIPHER_CTX_free(context);
	return good;
}

static void add_base64(struct sp_buf *out, const uint8_t *data, size_t length)
{
	size_t room = 4 * ((length + 2) / 3) + 1;
	char *text = sp_alloc(room);
	int written = EVP_EncodeBlock((unsigned char *)text, data, (int)length);
	sp_buf_add(out, text, (size_t)written);
	free(text);
}

/// The bytes of a blob's text: its length; 0: it is none.
static size_t read_blob(uint8_t out[BLOB_MAX], const char *text, size_t length)
{
	char packed[4 * ((BLOB_MAX + 2) / 3) + 1];
	uint8_t bytes[BLOB_MAX + 3];
	size_t count = 0, padding = 0;
	for (size_t i = 0; i < length; i++) {
		char c = text[i];
		if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
			continue;
		bool digit = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
			     c == '+' || c == '/';
		if (c == '=')
			padding++;
		if (count == sizeof(packed) - 1 || padding > 2 || (c != '=' && (!digit || padding > 0)))
			return 0;
		packed[count++] = c;
	}
	packed[count] = '\0';
	if (count == 0 || count % 4 != 0)
		return 0;
	int got = EVP_DecodeBlock(bytes, (const unsigned char *)packed, (int)count);
	size_t whole = got < (int)padding ? 0 : (size_t)got - padding;
	if (whole < SP_SEAL_OVERHEAD || whole > BLOB_MAX || memcmp(bytes, head, HEAD) != 0)
		return 0;
	memcpy(out, bytes, whole);
	return whole;
}

int sp_seal_make(struct sp_buf *out, const uint8_t key[SP_SEAL_KEY], const void *data, size_t length)
{
	uint8_t blob[BLOB_MAX], secret[SP_SEAL_KEY + NONCE];
	if (length > SP_SEAL_DATA_MAX)
		return -EMSGSIZE;
	EVP_PKEY *ephemeral = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	if (!ephemeral)
		abort();
	memcpy(blob, head, HEAD);
	memcpy(blob + HEAD, key, SP_SEAL_KEY);
	public_of(ephemeral, blob + HEAD + SP_SEAL_KEY);
	int result = -EINVAL;
	if (agree(ephemeral, key, blob + HEAD, secret)) {
		if (!encrypt(blob, secret, data, length))
			abort();
		add_base64(out, blob, length + SP_SEAL_OVERHEAD);
		result = out->overflowed ? -EMSGSIZE : 0;
	}
	explicit_bzero(secret, sizeof(secret));
	EVP_PKEY_free(ephemeral);
	return result;
}

bool sp_seal_recipient(const char *text, size_t length, uint8_t out[SP_SEAL_KEY])
{
	uint8_t blob[BLOB_MAX];
	if (read_blob(blob, text, length) == 0)
		return false;
	memcpy(out, blob + HEAD, SP_SEAL_KEY);
	return true;
}

int sp_seal_open(uint8_t out[SP_SEAL_DATA_MAX], size_t *size, const struct sp_seal_code *code,
		 const char *text, size_t length)
{
	uint8_t blob[BLOB_MAX], secret[SP_SEAL_KEY + NONCE], ours[SP_SEAL_KEY];
	size_t whole = read_blob(blob, text, length);
	if (whole == 0)
		return -EBADMSG;
	EVP_PKEY *key = private_key(code);
	public_of(key, ours);
	int result = -EBADMSG;
	*size = whole - SP_SEAL_OVERHEAD;
	if (memcmp(ours, blob + HEAD, SP_SEAL_KEY) != 0)
		result = -EKEYREJECTED;
	else if (agree(key, blob + HEAD + SP_SEAL_KEY, blob + HEAD, secret) &&
		 decrypt(out, secret, blob, *size))
		result = 0;
	// GCM tells only at the end that it should not have been believed.
	if (result)
		explicit_bzero(out, SP_SEAL_DATA_MAX);
	explicit_bzero(secret, sizeof(secret));
	EVP_PKEY_free(key);
	return result;
}
