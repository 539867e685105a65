// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Digest login, and one pinned certificate.
#include "agent/base/http_login.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <string.h>

#define SET(option, value)                                                     \
	do {                                                                   \
		CURLcode set = curl_easy_setopt(job->easy, (option), (value)); \
		if (set != CURLE_OK)                                           \
			return set;                                            \
	} while (0)

// ---- the certificate ----------------------------------------------------------------------------

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/// "openssl x509 -fingerprint" sets colons between the bytes.
static bool read_pin(const char *text, unsigned char pin[32])
{
	for (size_t i = 0; i < 32; i++) {
		if (i > 0 && *text == ':')
			text++;
		int high = nibble(*text), low = high < 0 ? -1 : nibble(text[1]);
		if (low < 0)
			return false;
		pin[i] = (unsigned char)(high << 4 | low);
		text += 2;
	}
	return *text == '\0';
}

/// In place of OpenSSL's own verification: dates, names and authorities say nothing here.
static int is_pinned(X509_STORE_CTX *context, void *pin)
{
	unsigned char digest[32];
	X509 *leaf = X509_STORE_CTX_get0_cert(context);
	bool same = leaf && X509_digest(leaf, EVP_sha256(), digest, NULL) == 1 &&
		    memcmp(digest, pin, sizeof(digest)) == 0;
	X509_STORE_CTX_set_error(context, same ? X509_V_OK : X509_V_ERR_CERT_REJECTED);
	return same;
}

static CURLcode on_context(CURL *easy, void *context, void *pin)
{
	(void)easy;
	SSL_CTX_set_cert_verify_callback(context, is_pinned, pin);
	return CURLE_OK;
}

static CURLcode set_pin(struct sp_http_job *job, const char *fingerprint)
{
	if (!read_pin(fingerprint, job->client->pin))
		return CURLE_BAD_FUNCTION_ARGUMENT;
	SET(CURLOPT_SSL_CTX_FUNCTION, on_context);
	SET(CURLOPT_SSL_CTX_DATA, (void *)job->client->pin); // curl's check of types, in optimised builds
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 0L);
	SET(CURLOPT_CAINFO, NULL); // nobody looks at them
	SET(CURLOPT_CAPATH, NULL);
	// A resumed session shows no certificate.
	SET(CURLOPT_SSL_SESSIONID_CACHE, 0L);
	return CURLE_OK;
}

// ---- the login ----------------------------------------------------------------------------------

CURLcode sp_http_login_set(struct sp_http_job *job, const struct sp_http_session_config *config)
{
	if (config->user && *config->user) {
		SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_DIGEST);
		SET(CURLOPT_USERNAME, config->user);
		SET(CURLOPT_PASSWORD, config->password ? config->password : "");
	}
	return config->fingerprint && *config->fingerprint ? set_pin(job, config->fingerprint) : CURLE_OK;
}

CURL *sp_http_login_reuse(struct sp_http_client *client)
{
	CURL *known = client->known;
	client->known = NULL;
	return known;
}

void sp_http_login_keep(struct sp_http_job *job)
{
	long status = 0;
	if (!job->easy || job->client->known)
		return;
	curl_easy_getinfo(job->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status == 0 || status == 401)
		return;
	// What points to the job, and what the next request might not set.
	curl_easy_setopt(job->easy, CURLOPT_PRIVATE, NULL);
	curl_easy_setopt(job->easy, CURLOPT_ERRORBUFFER, NULL);
	curl_easy_setopt(job->easy, CURLOPT_HTTPHEADER, NULL);
	curl_easy_setopt(job->easy, CURLOPT_CONNECT_TO, NULL);
	curl_easy_setopt(job->easy, CURLOPT_HTTPGET, 1L);
	job->client->known = job->easy;
	job->easy = NULL;
}
