// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// TLS as a client, by OpenSSL.
#include "agent/base/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "agent/base/mem.h"
#include "schoolpulse/clock.h"

struct sp_tls {
	SSL_CTX *context;
	char *host;
	bool literal; ///< host is an address, which has no place in SNI (RFC 6066 §3)
	char problem[160];
	struct sp_tls_trust *trust; ///< NULL: dates always count
	bool provisional;           ///< the connection: they did not
	BIO_METHOD *method;
};

/// A socket as OpenSSL sees it. Its own kind writes with SIGPIPE.
struct wire {
	int fd;
	int error; ///< the last errno, 0: none
	bool end;
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

static struct sp_tls *tls_of(const SSL *ssl)
{
	return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

/// X509_V_OK, or which of the certificate's dates forbids it at that time. Without
/// X509_VERIFY_PARAM_set_time(): on 32-bit ARM the distribution's library takes a time_t of 32 bits there,
/// and ours has 64.
static int check_dates(const X509 *certificate, int64_t t_ms)
{
	time_t seconds = (time_t)(t_ms / 1000);
	struct tm parts;
	char text[32];
	ASN1_TIME *at = ASN1_TIME_new();
	int error = X509_V_ERR_UNSPECIFIED;
	if (at && gmtime_r(&seconds, &parts) && strftime(text, sizeof(text), "%Y%m%d%H%M%SZ", &parts) > 0 &&
	    ASN1_TIME_set_string(at, text) == 1) {
		int begun = ASN1_TIME_compare(at, X509_get0_notBefore(certificate));
		int left = ASN1_TIME_compare(X509_get0_notAfter(certificate), at);
		error = begun == -2   ? X509_V_ERR_ERROR_IN_CERT_NOT_BEFORE_FIELD
			: left == -2  ? X509_V_ERR_ERROR_IN_CERT_NOT_AFTER_FIELD
			: begun == -1 ? X509_V_ERR_CERT_NOT_YET_VALID
			: left == -1  ? X509_V_ERR_CERT_HAS_EXPIRED
				      : X509_V_OK;
	}
	ASN1_TIME_free(at);
	return error;
}

/// In the handshake: once per certificate of a good chain, or with what is wrong.
static int verified(int good, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct sp_tls *tls = tls_of(ssl);
	const X509 *certificate = X509_STORE_CTX_get_current_cert(store);
	int error = X509_STORE_CTX_get_error(store);
	// Where we know the time better than time(2), OpenSSL was told to leave dates to us.
	if (good && tls->trust && !tls->provisional && certificate) {
		error = check_dates(certificate, sp_clock_now().wall_ms);
		X509_STORE_CTX_set_error(store, error);
		good = error == X509_V_OK;
	}
	if (good)
		return 1;
	bool dated = error == X509_V_ERR_CERT_HAS_EXPIRED || error == X509_V_ERR_CERT_NOT_YET_VALID;
	snprintf(tls->problem, sizeof(tls->problem), "%s%s", X509_verify_cert_error_string(error),
		 dated ? ", by this machine's clock" : "");
	return 0;
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
	BIO_meth_free(tls->method);
	free(tls->host);
	free(tls);
}

void sp_tls_undated(struct sp_tls *tls, struct sp_tls_trust *trust)
{
	tls->trust = trust;
}

const char *sp_tls_problem(const struct sp_tls *tls)
{
	return tls->problem;
}

// ---- one connection ---------------------------------------------------------------------------------

static int settled(BIO *bio, struct wire *wire, ssize_t got, bool writing)
{
	int error = got < 0 ? errno : 0;
	BIO_clear_retry_flags(bio);
	if (error == EAGAIN || error == EINTR) {
		if (writing)
			BIO_set_retry_write(bio);
		else
			BIO_set_retry_read(bio);
	} else if (error) {
		wire->error = error;
	}
	return (int)got;
}

static int wire_read(BIO *bio, char *out, int size)
{
	struct wire *wire = BIO_get_data(bio);
	ssize_t got = recv(wire->fd, out, (size_t)size, MSG_DONTWAIT);
	wire->end = wire->end || got == 0;
	return settled(bio, wire, got, false);
}

static int wire_write(BIO *bio, const char *bytes, int length)
{
	struct wire *wire = BIO_get_data(bio);
	return settled(bio, wire, send(wire->fd, bytes, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL), true);
}

static long wire_control(BIO *bio, int command, long number, void *pointer)
{
	(void)bio, (void)number, (void)pointer;
	return command == BIO_CTRL_FLUSH;
}

static int wire_free(BIO *bio)
{
	free(BIO_get_data(bio));
	return 1;
}

static bool make_method(struct sp_tls *tls)
{
	tls->method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "socket without SIGPIPE");
	return tls->method && BIO_meth_set_read(tls->method, wire_read) &&
	       BIO_meth_set_write(tls->method, wire_write) && BIO_meth_set_ctrl(tls->method, wire_control) &&
	       BIO_meth_set_destroy(tls->method, wire_free);
}

static void choose_time(struct sp_tls *tls, SSL *ssl)
{
	tls->provisional = false;
	if (!tls->trust)
		return;
	struct sp_clock_reading now = sp_clock_now();
	tls->provisional = !now.synced;
	X509_VERIFY_PARAM_set_flags(SSL_get0_param(ssl), X509_V_FLAG_NO_CHECK_TIME);
}

struct ssl_st *sp_tls_open(struct sp_tls *tls, int fd)
{
	tls->problem[0] = '\0';
	ERR_clear_error();
	if (!tls->method && !make_method(tls))
		return NULL;
	SSL *ssl = SSL_new(tls->context);
	BIO *bio = BIO_new(tls->method);
	if (!ssl || !bio || (!tls->literal && SSL_set_tlsext_host_name(ssl, tls->host) != 1)) {
		SSL_free(ssl);
		BIO_free(bio);
		return NULL;
	}
	struct wire *wire = sp_alloc(sizeof(*wire));
	wire->fd = fd;
	BIO_set_data(bio, wire);
	BIO_set_init(bio, 1);
	SSL_set_bio(ssl, bio, bio);
	SSL_set_connect_state(ssl);
	choose_time(tls, ssl);
	return ssl;
}

void sp_tls_close(struct ssl_st *ssl)
{
	SSL_free(ssl);
}

void sp_tls_farewell(struct ssl_st *ssl)
{
	ERR_clear_error();
	if (SSL_is_init_finished(ssl))
		SSL_shutdown(ssl);
	ERR_clear_error();
}

/// What the result of an SSL call means; 0 is the end.
static int meaning(SSL *ssl, int result, short *wants)
{
	struct sp_tls *tls = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	const struct wire *wire = BIO_get_data(SSL_get_rbio(ssl));
	switch (SSL_get_error(ssl, result)) {
	case SSL_ERROR_WANT_READ:
		*wants = POLLIN;
		return -EAGAIN;
	case SSL_ERROR_WANT_WRITE:
		*wants = POLLOUT;
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_SSL:
		if (!wire->end && !wire->error) {
			const char *text = reason();
			if (!tls->problem[0])
				snprintf(tls->problem, sizeof(tls->problem), "%s", text);
			return -EPROTO;
		}
		break;
	default:
		break;
	}
	return wire->error ? -wire->error : 0;
}

static bool fingerprint(const SSL *ssl, unsigned char out[32])
{
	X509 *leaf = SSL_get0_peer_certificate(ssl);
	return leaf && X509_digest(leaf, EVP_sha256(), out, NULL) == 1;
}

/// Whoever was once found out of date does not get a second try to be found so: a board would come back every
/// minute, and the time that it learns there would be that of a peer which is not to be trusted.
static int accept_again(SSL *ssl)
{
	struct sp_tls *tls = tls_of(ssl);
	unsigned char leaf[32];
	if (!tls->provisional || !tls->trust->refused)
		return 0;
	if (fingerprint(ssl, leaf) && memcmp(leaf, tls->trust->leaf, sizeof(leaf)) != 0)
		return 0; // it was renewed
	snprintf(
	    tls->problem, sizeof(tls->problem),
	    "the certificate was out of date when time was learnt; refused until the clock is synchronised");
	return -EPROTO;
}

bool sp_tls_provisional(const struct ssl_st *ssl)
{
	return ssl && SSL_is_init_finished(ssl) && tls_of(ssl)->provisional;
}

static int check_chain(STACK_OF(X509) * chain, int64_t t_ms)
{
	for (int i = 0; i < sk_X509_num(chain); i++) {
		int error = check_dates(sk_X509_value(chain, i), t_ms);
		if (error != X509_V_OK)
			return error;
	}
	return X509_V_OK;
}

/// As OpenSSL does it in the handshake, but at that time. The error, X509_V_OK: none.
static int verify_at(SSL *ssl, int64_t t_ms)
{
	X509 *leaf = SSL_get0_peer_certificate(ssl);
	X509_STORE *store = SSL_CTX_get_cert_store(SSL_get_SSL_CTX(ssl));
	X509_STORE_CTX *context = X509_STORE_CTX_new();
	int error = X509_V_ERR_UNSPECIFIED;
	if (context && leaf && X509_STORE_CTX_init(context, store, leaf, SSL_get_peer_cert_chain(ssl)) == 1 &&
	    X509_STORE_CTX_set_default(context, "ssl_server") == 1) {
		X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(context);
		X509_VERIFY_PARAM_set1(param, SSL_get0_param(ssl));
		X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_NO_CHECK_TIME);
		if (X509_verify_cert(context) == 1)
			error = check_chain(X509_STORE_CTX_get0_chain(context), t_ms);
		else if (X509_STORE_CTX_get_error(context) != X509_V_OK)
			error = X509_STORE_CTX_get_error(context);
	}
	X509_STORE_CTX_free(context);
	ERR_clear_error();
	return error;
}

int sp_tls_verify(struct ssl_st *ssl, int64_t t_ms)
{
	struct sp_tls *tls = tls_of(ssl);
	if (!sp_tls_provisional(ssl))
		return 0;
	int error = verify_at(ssl, t_ms);
	if (error == X509_V_OK) {
		tls->provisional = false;
		return 0;
	}
	tls->trust->refused = fingerprint(ssl, tls->trust->leaf);
	snprintf(tls->problem, sizeof(tls->problem), "%s, by the time that was learnt",
		 X509_verify_cert_error_string(error));
	return -EPROTO;
}

int sp_tls_handshake(struct ssl_st *ssl, short *wants)
{
	ERR_clear_error();
	int result = SSL_do_handshake(ssl);
	if (result == 1)
		return accept_again(ssl);
	result = meaning(ssl, result, wants);
	return result == 0 ? -ECONNRESET : result;
}

ssize_t sp_tls_read(struct ssl_st *ssl, void *out, size_t size, short *wants)
{
	ERR_clear_error();
	int result = SSL_read(ssl, out, size < INT_MAX ? (int)size : INT_MAX);
	return result > 0 ? result : meaning(ssl, result, wants);
}

ssize_t sp_tls_write(struct ssl_st *ssl, const void *bytes, size_t length, short *wants)
{
	ERR_clear_error();
	int result = SSL_write(ssl, bytes, length < INT_MAX ? (int)length : INT_MAX);
	if (result > 0)
		return result;
	result = meaning(ssl, result, wants);
	return result == 0 ? -EPIPE : result;
}

bool sp_tls_pending(struct ssl_st *ssl)
{
	return ssl && SSL_pending(ssl) > 0;
}
