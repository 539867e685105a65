// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A real broker and the certificates for it.
#include "tests/unit/base/mqtt_peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

static void must(bool good, const char *what)
{
	if (!good) {
		fprintf(stderr, "test set-up: %s: %s\n", what, strerror(errno));
		exit(99);
	}
}

static struct sockaddr_in here(uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return a;
}

int listen_here(int backlog, uint16_t *port)
{
	struct sockaddr_in a = here(0);
	socklen_t size = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(fd >= 0 && bind(fd, (struct sockaddr *)&a, size) == 0 && listen(fd, backlog) == 0, "listen");
	must(getsockname(fd, (struct sockaddr *)&a, &size) == 0, "getsockname");
	*port = ntohs(a.sin_port);
	return fd;
}

static bool answers(uint16_t port)
{
	struct sockaddr_in a = here(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool good = connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0;
	close(fd);
	return good;
}

static pid_t spawn(const char *config, const char *log)
{
	pid_t parent = getpid(), pid = fork();
	must(pid >= 0, "fork");
	if (pid > 0)
		return pid;
	// A test that dies takes its broker with it.
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || !freopen(log, "a", stderr) || !freopen(log, "a", stdout))
		_exit(98);
	execlp("mosquitto", "mosquitto", "-c", config, (char *)NULL);
	execl("/usr/sbin/mosquitto", "mosquitto", "-c", config, (char *)NULL);
	_exit(97);
}

void broker_start(struct broker *broker, const char *dir, const char *more)
{
	char log[160];
	// The port was free a moment ago: another program may take it first, so try others.
	for (int i = 0; i < 5; i++) {
		close(listen_here(1, &broker->port));
		snprintf(broker->config, sizeof(broker->config), "%s/mosquitto-%u.conf", dir, broker->port);
		snprintf(log, sizeof(log), "%s.log", broker->config);
		FILE *file = fopen(broker->config, "w");
		must(file, broker->config);
		fprintf(file,
			"user root\npersistence false\nallow_anonymous true\nset_tcp_nodelay true\n"
			"listener %u 127.0.0.1\n%s",
			broker->port, more);
		fclose(file);
		broker->pid = spawn(broker->config, log);
		for (int j = 0; j < 2000; j++) {
			int status;
			if (answers(broker->port))
				return;
			if (waitpid(broker->pid, &status, WNOHANG) == broker->pid)
				break;
			nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
		}
	}
	errno = 0;
	must(false, "mosquitto does not start");
}

void broker_stop(struct broker *broker)
{
	kill(broker->pid, SIGKILL);
	waitpid(broker->pid, NULL, 0);
}

// ---- certificates -----------------------------------------------------------------------------------

struct identity {
	EVP_PKEY *key;
	X509 *cert;
};

static void extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX context;
	X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	must(extension && X509_add_ext(cert, extension, -1), value);
	X509_EXTENSION_free(extension);
}

static struct identity make(const char *name, const struct identity *issuer, const char *san, long from,
			    long to)
{
	static long serial = 1;
	struct identity id = {EVP_EC_gen("P-256"), X509_new()};
	must(id.key && id.cert, "certificate");
	X509_set_version(id.cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(id.cert), serial++);
	X509_gmtime_adj(X509_getm_notBefore(id.cert), from);
	X509_gmtime_adj(X509_getm_notAfter(id.cert), to);
	X509_set_pubkey(id.cert, id.key);
	X509_NAME *subject = X509_get_subject_name(id.cert);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1, 0);
	const struct identity *by = issuer ? issuer : &id;
	X509_set_issuer_name(id.cert, X509_get_subject_name(by->cert));
	if (!issuer)
		extend(id.cert, id.cert, NID_basic_constraints, "critical,CA:TRUE");
	if (san)
		extend(id.cert, by->cert, NID_subject_alt_name, san);
	must(X509_sign(id.cert, by->key, EVP_sha256()) > 0, "sign");
	return id;
}

static void save(const struct identity *id, const char *dir, const char *name)
{
	char path[200];
	snprintf(path, sizeof(path), "%s/%s.pem", dir, name);
	FILE *file = fopen(path, "w");
	must(file && PEM_write_X509(file, id->cert), path);
	fclose(file);
	snprintf(path, sizeof(path), "%s/%s.key", dir, name);
	file = fopen(path, "w");
	must(file && PEM_write_PrivateKey(file, id->key, NULL, NULL, 0, NULL, NULL), path);
	fclose(file);
}

static void forget(struct identity *id)
{
	EVP_PKEY_free(id->key);
	X509_free(id->cert);
}

static void make_and_save(const char *dir, const char *file, const struct identity *ca, const char *name,
			  const char *san, long from, long to)
{
	struct identity id = make(name, ca, san, from, to);
	save(&id, dir, file);
	forget(&id);
}

void make_certificates(const char *dir)
{
	const long day = 24 * 3600;
	static const char here_san[] = "IP:127.0.0.1,DNS:localhost";
	struct identity ca = make("Test CA", NULL, NULL, -2 * day, day);
	save(&ca, dir, "ca");
	make_and_save(dir, "other-ca", NULL, "Other CA", NULL, -day, day);
	make_and_save(dir, "server", &ca, "broker", here_san, -day, day);
	make_and_save(dir, "expired", &ca, "broker", here_san, -2 * day, -day);
	make_and_save(dir, "early", &ca, "broker", here_san, day / 2, day);
	make_and_save(dir, "named", &ca, "broker", "DNS:broker.example.org,IP:192.0.2.1", -day, day);
	make_and_save(dir, "client", &ca, "hcm/kim-dong-1", NULL, -day, day);
	forget(&ca);
}
