// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// net-snmp's single-session API without its configuration, its MIB files and its log. The library's own
// blocking calls wait as long as packets keep coming, so the waiting is done here: also for SNMPv3's question
// for the engine's id. What the library keeps for all sessions (users, engines, ids) is behind one lock,
// which is never held while waiting.
#include "snmp_session.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>
#include <net-snmp/library/large_fd_set.h>

enum {
	RESEND_MS = 700,
	RESENDS = 2,
	PACKETS_MAX = 64, ///< that may come before the answer
};

struct sp_snmp {
	struct sp_snmp_login login;
	char *community, *user, *auth_password, *priv_password;
	void *session; ///< NULL while not open
	bool known;    ///< the engine of a v3 peer, and our user there
	// ---- of the question under way
	bool ended;
	int result;
	struct sp_snmp_value *values;
	size_t room, count;
};

static pthread_mutex_t library = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void prepare(void)
{
	// No handler at all would mean stderr.
	snmp_disable_log();
	snmp_enable_calllog();
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_READ_CONFIGS, 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_PERSIST_STATE, 1);
	// Not init_snmp(): it sets the process's locale and reads MIB files.
	netsnmp_ds_set_string(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_APPTYPE, "schoolpulse");
	netsnmp_container_init_list();
	init_callbacks();
	init_snmpv3("schoolpulse");
	snmp_call_callbacks(SNMP_CALLBACK_LIBRARY, SNMP_CALLBACK_POST_PREMIB_READ_CONFIG, NULL);
	snmp_call_callbacks(SNMP_CALLBACK_LIBRARY, SNMP_CALLBACK_POST_READ_CONFIG, NULL);
}

static int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static char *copied(const char *text)
{
	char *copy = strdup(text ? text : "");
	if (!copy)
		abort();
	return copy;
}

static void wiped(char *text)
{
	explicit_bzero(text, strlen(text));
	free(text);
}

struct sp_snmp *sp_snmp_new(const struct sp_snmp_login *login)
{
	struct sp_snmp *snmp = calloc(1, sizeof(*snmp));
	if (!snmp)
		abort();
	snmp->login = *login;
	snmp->community = copied(login->community);
	snmp->user = copied(login->user);
	snmp->auth_password = copied(login->auth_password);
	snmp->priv_password = copied(login->priv_password);
	return snmp;
}

// ---- the session ------------------------------------------------------------------------------

/// The library keeps each engine and each user that it ever met: those of a router that invents a new
/// engine each time must go with the session.
static void forget(netsnmp_session *session)
{
	if (!session || session->securityEngineIDLen == 0)
		return;
	struct usmUser *user =
	    usm_get_user(session->securityEngineID, session->securityEngineIDLen, session->securityName);
	if (user) {
		usm_remove_user(user);
		usm_free_user(user);
	}
	free_enginetime(session->securityEngineID, session->securityEngineIDLen);
}

static void hang_up(struct sp_snmp *snmp)
{
	if (!snmp->session)
		return;
	if (snmp->login.v3)
		forget(snmp_sess_session(snmp->session));
	snmp_sess_close(snmp->session);
	snmp->session = NULL;
	snmp->known = false;
}

void sp_snmp_free(struct sp_snmp *snmp)
{
	if (!snmp)
		return;
	pthread_mutex_lock(&library);
	hang_up(snmp);
	pthread_mutex_unlock(&library);
	wiped(snmp->community);
	wiped(snmp->user);
	wiped(snmp->auth_password);
	wiped(snmp->priv_password);
	free(snmp);
}

/// Keys of a user, from which those for each engine are made (RFC 3414 §2.6).
static int set_keys(const struct sp_snmp *snmp, netsnmp_session *out)
{
	bool sha256 = snmp->login.auth == SP_SNMP_SHA256;
	const oid *auth = sha256 ? usmHMAC192SHA256AuthProtocol : usmHMACSHA1AuthProtocol;
	size_t size = sha256 ? OID_LENGTH(usmHMAC192SHA256AuthProtocol) : OID_LENGTH(usmHMACSHA1AuthProtocol);
	out->securityAuthProto = snmp_duplicate_objid(auth, size);
	out->securityAuthProtoLen = size;
	out->securityPrivProto = snmp_duplicate_objid(usmAESPrivProtocol, OID_LENGTH(usmAESPrivProtocol));
	out->securityPrivProtoLen = OID_LENGTH(usmAESPrivProtocol);
	out->securityAuthKeyLen = sizeof(out->securityAuthKey);
	out->securityPrivKeyLen = sizeof(out->securityPrivKey);
	bool good = out->securityAuthProto && out->securityPrivProto &&
		    generate_Ku(auth, (unsigned)size, (unsigned char *)snmp->auth_password,
				strlen(snmp->auth_password), out->securityAuthKey,
				&out->securityAuthKeyLen) == SNMPERR_SUCCESS &&
		    generate_Ku(auth, (unsigned)size, (unsigned char *)snmp->priv_password,
				strlen(snmp->priv_password), out->securityPrivKey,
				&out->securityPrivKeyLen) == SNMPERR_SUCCESS;
	return good ? 0 : -EINVAL;
}

static int dial(struct sp_snmp *snmp)
{
	netsnmp_session wish;
	char peer[INET6_ADDRSTRLEN + 16];
	bool v6 = strchr(snmp->login.host, ':') != NULL;
	snprintf(peer, sizeof(peer), v6 ? "udp6:[%s]:%u" : "udp:%s:%u", snmp->login.host, snmp->login.port);
	snmp_sess_init(&wish);
	wish.peername = peer;
	wish.timeout = RESEND_MS * 1000L;
	wish.retries = RESENDS;
	wish.flags |= SNMP_FLAGS_DONT_PROBE;
	int result = 0;
	if (snmp->login.v3) {
		wish.version = SNMP_VERSION_3;
		wish.securityModel = SNMP_SEC_MODEL_USM;
		wish.securityLevel = SNMP_SEC_LEVEL_AUTHPRIV;
		wish.securityName = snmp->user;
		wish.securityNameLen = strlen(snmp->user);
		result = set_keys(snmp, &wish);
	} else {
		wish.version = SNMP_VERSION_2c;
		wish.community = (unsigned char *)snmp->community;
		wish.community_len = strlen(snmp->community);
	}
	if (result == 0) {
		errno = 0;
		snmp->session = snmp_sess_open(&wish);
		if (!snmp->session)
			result = errno ? -errno : -EIO;
	}
	free(wish.securityAuthProto);
	free(wish.securityPrivProto);
	explicit_bzero(&wish, sizeof(wish));
	if (!snmp->session)
		return result;
	// The opening forgets the wish not to be held up by a probe of its own.
	snmp_sess_session(snmp->session)->flags |= SNMP_FLAGS_DONT_PROBE;
	// A datagram with a bad checksum is announced and then not there.
	int fd = snmp_sess_transport(snmp->session)->sock;
	return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0 ? -errno : 0;
}

// ---- one question -----------------------------------------------------------------------------

static void take(const netsnmp_variable_list *from, struct sp_snmp_value *to)
{
	memset(to, 0, sizeof(*to));
	if (from->name_length > SP_SNMP_OID)
		return;
	to->name.length = from->name_length;
	for (size_t i = 0; i < from->name_length; i++)
		to->name.part[i] = (uint32_t)from->name[i];
	switch (from->type) {
	case ASN_INTEGER:
		if (from->val.integer && *from->val.integer >= 0) {
			to->kind = SP_SNMP_NUMBER;
			to->number = (uint64_t)*from->val.integer;
		}
		break;
	case ASN_COUNTER:
	case ASN_GAUGE:
	case ASN_TIMETICKS:
		if (from->val.integer) {
			to->kind = SP_SNMP_NUMBER;
			to->number = (uint32_t)*from->val.integer;
		}
		break;
	case ASN_COUNTER64:
		if (from->val.counter64) {
			to->kind = SP_SNMP_NUMBER;
			to->number = (uint64_t)(uint32_t)from->val.counter64->high << 32 |
				     (uint32_t)from->val.counter64->low;
		}
		break;
	case ASN_OCTET_STR:
		if (!from->val.string)
			break;
		to->kind = SP_SNMP_STRING;
		for (size_t i = 0; i < from->val_len && i < SP_SNMP_TEXT - 1; i++) {
			unsigned char c = from->val.string[i];
			if (c == '\0')
				break;
			to->text[i] = c >= ' ' && c < 0x7F ? (char)c : '?';
		}
		break;
	default: // noSuchObject, noSuchInstance, endOfMibView, and what we never ask for
		break;
	}
}

static int report_error(netsnmp_pdu *pdu)
{
	switch (snmpv3_get_report_type(pdu)) {
	case SNMPERR_UNKNOWN_USER_NAME:
	case SNMPERR_AUTHENTICATION_FAILURE:
	case SNMPERR_UNSUPPORTED_SEC_LEVEL:
	case SNMPERR_DECRYPTION_ERR:
		return -EACCES;
	default: // an engine that was replaced, or a clock that does not agree: next time anew
		return -EBADMSG;
	}
}

static int on_answer(int operation, netsnmp_session *session, int id, netsnmp_pdu *pdu, void *arg)
{
	(void)session;
	(void)id;
	struct sp_snmp *snmp = arg;
	if (operation == NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE && pdu->command == SNMP_MSG_REPORT)
		return 1; // the library tries again, or comes back with the operation SEC_ERROR
	// A datagram that could not be sent may be sent at the next attempt.
	if (operation == NETSNMP_CALLBACK_OP_RESEND)
		return 1;
	snmp->ended = true;
	if (operation == NETSNMP_CALLBACK_OP_SEC_ERROR) {
		snmp->result = report_error(pdu);
	} else if (operation != NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE) {
		snmp->result = -ETIMEDOUT;
	} else if (pdu->command != SNMP_MSG_RESPONSE || pdu->errstat != SNMP_ERR_NOERROR) {
		snmp->result = pdu->errstat == SNMP_ERR_AUTHORIZATIONERROR ? -EACCES : -EBADMSG;
	} else {
		const netsnmp_variable_list *at = pdu->variables;
		for (; at && snmp->count < snmp->room; at = at->next_variable)
			take(at, &snmp->values[snmp->count++]);
	}
	return 1;
}

/// Reads what came, under the lock.
static void read_one(struct sp_snmp *snmp, int fd)
{
	netsnmp_large_fd_set set;
	netsnmp_large_fd_set_init(&set, fd + 1);
	NETSNMP_LARGE_FD_ZERO(&set);
	NETSNMP_LARGE_FD_SET(fd, &set);
	(void)snmp_sess_read2(snmp->session, &set);
	netsnmp_large_fd_set_cleanup(&set);
}

static int wait_for_it(struct sp_snmp *snmp, int64_t deadline_ms)
{
	int fd = snmp_sess_transport(snmp->session)->sock;
	for (unsigned packets = 0; !snmp->ended;) {
		int64_t left = deadline_ms - now_ms();
		if (left <= 0)
			return -ETIMEDOUT;
		if (packets == PACKETS_MAX)
			return -EBADMSG;
		struct pollfd look = {.fd = fd, .events = POLLIN};
		pthread_mutex_unlock(&library);
		int ready = poll(&look, 1, left < RESEND_MS / 4 ? (int)left : RESEND_MS / 4);
		pthread_mutex_lock(&library);
		if (ready > 0) {
			packets++;
			read_one(snmp, fd);
		}
		snmp_sess_timeout(snmp->session);
	}
	return snmp->result;
}

/// Takes the packet.
static int ask(struct sp_snmp *snmp, netsnmp_pdu *pdu, struct sp_snmp_value *values, size_t room,
	       int64_t deadline_ms)
{
	snmp->ended = false;
	snmp->result = 0;
	snmp->values = values;
	snmp->room = room;
	snmp->count = 0;
	errno = 0;
	int result;
	if (snmp_sess_async_send(snmp->session, pdu, on_answer, snmp) == 0) {
		snmp_free_pdu(pdu);
		result = errno ? -errno : -EIO;
	} else {
		result = wait_for_it(snmp, deadline_ms);
	}
	snmp->values = NULL;
	snmp->room = 0;
	return result;
}

/// SNMPv3: an empty question is answered with a report that carries the engine's id (RFC 3414 §4).
static int meet(struct sp_snmp *snmp, int64_t deadline_ms)
{
	netsnmp_session *session = snmp_sess_session(snmp->session);
	netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_GET);
	if (!pdu)
		abort();
	pdu->version = SNMP_VERSION_3;
	pdu->securityName = copied("");
	pdu->securityLevel = SNMP_SEC_LEVEL_NOAUTH;
	pdu->securityModel = SNMP_SEC_MODEL_USM;
	int result = ask(snmp, pdu, NULL, 0, deadline_ms);
	if (session->securityEngineIDLen == 0)
		return result < 0 ? result : -EBADMSG;
	snmp->known = create_user_from_session(session) == SNMPERR_SUCCESS;
	return snmp->known ? 0 : -EBADMSG;
}

/// What every question needs before it. Takes the lock, which finish() gives back.
static int begin(struct sp_snmp *snmp, int64_t deadline_ms)
{
	pthread_mutex_lock(&library);
	pthread_once(&once, prepare);
	int result = snmp->session ? 0 : dial(snmp);
	if (result == 0 && snmp->login.v3 && !snmp->known)
		result = meet(snmp, deadline_ms);
	return result;
}

static int finish(struct sp_snmp *snmp, int result)
{
	// Whatever was wrong, the next question begins with a fresh port and asks for the engine again.
	if (result < 0)
		hang_up(snmp);
	pthread_mutex_unlock(&library);
	return result;
}

static void add(netsnmp_pdu *pdu, const struct sp_snmp_oid *name)
{
	oid parts[SP_SNMP_OID];
	for (size_t i = 0; i < name->length; i++)
		parts[i] = name->part[i];
	if (!snmp_add_null_var(pdu, parts, name->length))
		abort();
}

static bool same(const struct sp_snmp_oid *a, const struct sp_snmp_oid *b)
{
	return a->length == b->length && memcmp(a->part, b->part, a->length * sizeof(a->part[0])) == 0;
}

int sp_snmp_get(struct sp_snmp *snmp, const struct sp_snmp_oid *names, size_t count,
		struct sp_snmp_value *out, int64_t timeout_ms)
{
	int64_t deadline_ms = now_ms() + timeout_ms;
	int result = begin(snmp, deadline_ms);
	if (result == 0) {
		netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_GET);
		if (!pdu)
			abort();
		for (size_t i = 0; i < count; i++)
			add(pdu, &names[i]);
		result = ask(snmp, pdu, out, count, deadline_ms);
	}
	if (result == 0 && snmp->count != count)
		result = -EBADMSG;
	for (size_t i = 0; result == 0 && i < count; i++)
		if (!same(&names[i], &out[i].name))
			result = -EBADMSG;
	return finish(snmp, result);
}

int sp_snmp_next(struct sp_snmp *snmp, const struct sp_snmp_oid *after,
		 struct sp_snmp_value out[SP_SNMP_VALUES], int64_t timeout_ms)
{
	int64_t deadline_ms = now_ms() + timeout_ms;
	int result = begin(snmp, deadline_ms);
	if (result == 0) {
		netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_GETBULK);
		if (!pdu)
			abort();
		pdu->non_repeaters = 0;
		pdu->max_repetitions = SP_SNMP_VALUES;
		add(pdu, after);
		result = ask(snmp, pdu, out, SP_SNMP_VALUES, deadline_ms);
	}
	return finish(snmp, result < 0 ? result : (int)snmp->count);
}
