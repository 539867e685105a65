// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// TLS as a client, by OpenSSL.
#include "agent/base/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "agent/base/mem.h"

struct sp_tls {
	SSL_CTX *context;
	char *host;
	bool literal; ///< host is an address, which has no place in SNI (RFC 6066 §3)
	char problem[160];
};

/// The newest reason in OpenSSL's queue, which is emptied.
static const char *reason(void)
{
	const char *text = ERR_reason_error_string(ERR_peek_last_error());
	ERR_clear_error();
	return text ? text : "unreadable";
}

/// OpenSSL would ask the terminal for a passphrase: a daemon has none.
static int no_passphrase(char *buffer, int size, int writing, void *arg)
{
	(void)buffer, (void)size, (void)writing, (void)arg;
	return -1;
}

static int verified(int good, X509_STORE_CTX *store)
{
	if (good)
		return 1;
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct sp_tls *tls = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	int error = X509_STORE_CTX_get_error(store);
	bool dated = error == X509_V_ERR_CERT_HAS_EXPIRED || error == X509_V_ERR_CERT_NOT_YET_VALID;
	snprintf(tls->problem, sizeof(tls->problem), "%s%s", X509_verify_cert_error_string(error),
		 dated ? ", by this machine's clock" : "");
	return 0;
}

/// libmosquitto puts the address that it dials into SNI; the peer is to see the name that the
/// certificate must bear.
static void name_peer(const SSL *ssl, int where, int ret)
{
	(void)ret;
	if (!(where & SSL_CB_HANDSHAKE_START))
		return;
	struct sp_tls *tls = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	SSL *writable = (SSL *)(uintptr_t)ssl;
	SSL_set_tlsext_host_name(writable, tls->literal ? NULL : tls->host);
}

static int fail(char why[256], int error, const char *what, const char *file, const char *text)
{
	snprintf(why, 256, "%s %s: %s", what, file, text);
	return -error;
}

static int readable(const char *file, const char *what, char why[256])
{
	return access(file, R_OK) == 0 ? 0 : fail(why, errno, what, file, strerror(errno));
}

static int load(struct sp_tls *tls, const char *ca, const char *cert, const char *key, char why[256])
{
	int result = readable(ca, "CA file", why);
	if (result < 0)
		return result;
	if (SSL_CTX_load_verify_file(tls->context, ca) != 1)
		return fail(why, EINVAL, "CA file", ca, reason());
	if (!cert && !key)
		return 0;
	if (!cert || !key)
		return fail(why, EINVAL, "a certificate needs its key,", cert ? cert : key, "stands alone");
	result = readable(cert, "certificate", why);
	if (result == 0)
		result = readable(key, "key", why);
	if (result < 0)
		return result;
	SSL_CTX_set_default_passwd_cb(tls->context, no_passphrase);
	if (SSL_CTX_use_certificate_chain_file(tls->context, cert) != 1)
		return fail(why, EINVAL, "certificate", cert, reason());
	if (SSL_CTX_use_PrivateKey_file(tls->context, key, SSL_FILETYPE_PEM) != 1)
		return fail(why, EINVAL, "key", key, reason());
	return 0;
}

static int expect_host(struct sp_tls *tls, char why[256])
{
	unsigned char address[16];
	X509_VERIFY_PARAM *param = SSL_CTX_get0_param(tls->context);
	tls->literal =
	    inet_pton(AF_INET, tls->host, address) == 1 || inet_pton(AF_INET6, tls->host, address) == 1;
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	int good = tls->literal ? X509_VERIFY_PARAM_set1_ip_asc(param, tls->host)
				: X509_VERIFY_PARAM_set1_host(param, tls->host, 0);
	return good == 1 ? 0 : fail(why, EINVAL, "host", tls->host, "no name to verify");
}

struct sp_tls *sp_tls_new(const char *ca_file, const char *cert_file, const char *key_file, const char *host,
			  char why[256])
{
	struct sp_tls *tls = sp_alloc(sizeof(*tls));
	ERR_clear_error();
	tls->host = sp_strdup(host);
	tls->context = SSL_CTX_new(TLS_client_method());
	int result = tls->context ? 0 : fail(why, ENOMEM, "TLS", "context", reason());
	if (result == 0) {
		SSL_CTX_set_app_data(tls->context, tls);
		SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION);
		// A renegotiation would make reading wait for writing; nobody needs one.
		SSL_CTX_set_options(tls->context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
		SSL_CTX_set_mode(tls->context, SSL_MODE_RELEASE_BUFFERS);
		SSL_CTX_set_verify(tls->context, SSL_VERIFY_PEER, verified);
		SSL_CTX_set_info_callback(tls->context, name_peer);
		result = load(tls, ca_file, cert_file, key_file, why);
	}
	if (result == 0)
		result = expect_host(tls, why);
	if (result < 0) {
		sp_tls_free(tls);
		errno = -result;
		return NULL;
	}
	return tls;
}

void sp_tls_free(struct sp_tls *tls)
{
	if (!tls)
		return;
	SSL_CTX_free(tls->context);
	free(tls->host);
	free(tls);
}

struct ssl_ctx_st *sp_tls_context(struct sp_tls *tls)
{
	return tls->context;
}

const char *sp_tls_problem(const struct sp_tls *tls)
{
	return tls->problem;
}

void sp_tls_forget_problem(struct sp_tls *tls)
{
	tls->problem[0] = '\0';
}

bool sp_tls_handshaking(void *ssl)
{
	return ssl && !SSL_is_init_finished(ssl);
}

bool sp_tls_wants_write(void *ssl)
{
	return ssl && SSL_want_write((SSL *)ssl);
}

bool sp_tls_pending(void *ssl)
{
	return ssl && SSL_pending((SSL *)ssl) > 0;
}
