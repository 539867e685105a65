// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Signatures by OpenSSL.
#include "agent/base/sign.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "agent/base/mem.h"

enum { TEXT_LENGTH = 88, FILE_MAX = 16 * 1024 };

struct sp_sign_key {
	EVP_PKEY *pkey;
};

/// A key is a small file; anything else is not read to its end.
static BIO *open_file(const char *file, bool secret, char *why)
{
	struct stat status;
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &status) < 0) {
		snprintf(why, SP_SIGN_WHY, "%s", strerror(errno));
	} else if (!S_ISREG(status.st_mode) || status.st_size > FILE_MAX) {
		snprintf(why, SP_SIGN_WHY, "not a key's file");
	} else if (secret && (status.st_mode & (S_IRWXG | S_IRWXO))) {
		snprintf(why, SP_SIGN_WHY, "others may read it: chmod 600");
	} else {
		FILE *stream = fdopen(fd, "r");
		BIO *bio = stream ? BIO_new_fp(stream, BIO_CLOSE) : NULL;
		if (!bio)
			abort();
		return bio;
	}
	if (fd >= 0)
		close(fd);
	return NULL;
}

/// No passphrase is asked for on a terminal.
static int no_passphrase(char *out, int size, int writing, void *arg)
{
	(void)out;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

static struct sp_sign_key *wrap(EVP_PKEY *pkey, const char *wanted, char *why)
{
	if (!pkey || EVP_PKEY_get_id(pkey) != EVP_PKEY_ED25519) {
		snprintf(why, SP_SIGN_WHY, "%s", wanted);
		EVP_PKEY_free(pkey);
		return NULL;
	}
	struct sp_sign_key *key = sp_alloc(sizeof(*key));
	key->pkey = pkey;
	return key;
}

struct sp_sign_key *sp_sign_public(const char *file, char why[SP_SIGN_WHY])
{
	BIO *bio = open_file(file, false, why);
	if (!bio)
		return NULL;
	EVP_PKEY *pkey = PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL);
	BIO_free(bio);
	return wrap(pkey, "not a public Ed25519 key in PEM (BEGIN PUBLIC KEY)", why);
}

struct sp_sign_key *sp_sign_private(const char *file, char why[SP_SIGN_WHY])
{
	BIO *bio = open_file(file, true, why);
	if (!bio)
		return NULL;
	EVP_PKEY *pkey = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	BIO_free(bio);
	return wrap(pkey, "not a private Ed25519 key in PEM without a passphrase", why);
}

void sp_sign_free(struct sp_sign_key *key)
{
	if (!key)
		return;
	EVP_PKEY_free(key->pkey);
	free(key);
}

static int write_private(const char *file, EVP_PKEY *pkey)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	FILE *stream = fdopen(fd, "w");
	bool good = stream && PEM_write_PrivateKey(stream, pkey, NULL, NULL, 0, NULL, NULL) == 1;
	good = stream && fflush(stream) == 0 && fsync(fd) == 0 && good;
	if (stream)
		good = fclose(stream) == 0 && good;
	if (!good)
		unlink(file);
	return good ? 0 : -EIO;
}

int sp_sign_generate(const char *file, struct sp_buf *out, char why[SP_SIGN_WHY])
{
	EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	BIO *text = BIO_new(BIO_s_mem());
	if (!pkey || !text)
		abort();
	int result = write_private(file, pkey);
	if (result < 0)
		snprintf(why, SP_SIGN_WHY, "%s: %s", file, strerror(-result));
	char *data = NULL;
	if (result == 0 && PEM_write_bio_PUBKEY(text, pkey) == 1) {
		long length = BIO_get_mem_data(text, &data);
		sp_buf_add(out, data, (size_t)length);
	}
	BIO_free(text);
	EVP_PKEY_free(pkey);
	return result;
}

int sp_sign_make(const struct sp_sign_key *key, const void *data, size_t length,
		 uint8_t out[SP_SIGNATURE_LENGTH])
{
	size_t size = SP_SIGNATURE_LENGTH;
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good = context && EVP_DigestSignInit(context, NULL, NULL, NULL, key->pkey) == 1 &&
		    EVP_DigestSign(context, out, &size, data, length) == 1 && size == SP_SIGNATURE_LENGTH;
	EVP_MD_CTX_free(context);
	return good ? 0 : -EIO;
}

bool sp_sign_good(const struct sp_sign_key *key, const void *data, size_t length,
		  const uint8_t signature[SP_SIGNATURE_LENGTH])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good = context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key->pkey) == 1 &&
		    EVP_DigestVerify(context, signature, SP_SIGNATURE_LENGTH, data, length) == 1;
	EVP_MD_CTX_free(context);
	return good;
}

void sp_sign_to_text(const uint8_t signature[SP_SIGNATURE_LENGTH], char out[89])
{
	EVP_EncodeBlock((unsigned char *)out, signature, SP_SIGNATURE_LENGTH);
}

bool sp_sign_from_text(const char *text, uint8_t out[SP_SIGNATURE_LENGTH])
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint8_t bytes[SP_SIGNATURE_LENGTH + 2];
	if (strspn(text, alphabet) != TEXT_LENGTH - 2 || strcmp(text + TEXT_LENGTH - 2, "==") != 0)
		return false;
	if (EVP_DecodeBlock(bytes, (const unsigned char *)text, TEXT_LENGTH) != (int)sizeof(bytes))
		return false;
	memcpy(out, bytes, SP_SIGNATURE_LENGTH);
	return true;
}
