// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// One SNMP session with one router, for a worker's thread: every call blocks, for no longer than its
// deadline, whatever the router sends. The only user of net-snmp here.
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schoolpulse/err.h"

enum { SP_SNMP_OID = 32, SP_SNMP_TEXT = 64, SP_SNMP_VALUES = 24 };

struct sp_snmp_oid {
	size_t length;
	uint32_t part[SP_SNMP_OID];
};

enum sp_snmp_kind { SP_SNMP_NONE, SP_SNMP_NUMBER, SP_SNMP_STRING };

struct sp_snmp_value {
	struct sp_snmp_oid name;
	enum sp_snmp_kind kind; ///< SP_SNMP_NONE: the router has no such object, or of another type
	uint64_t number;
	char text[SP_SNMP_TEXT]; ///< printable, cut where it is longer
};

enum sp_snmp_auth { SP_SNMP_SHA, SP_SNMP_SHA256 };

struct sp_snmp_login {
	char host[INET6_ADDRSTRLEN]; ///< a literal
	uint16_t port;
	bool v3;
	const char *community;                            ///< v2c
	const char *user, *auth_password, *priv_password; ///< v3, with authentication and AES-128
	enum sp_snmp_auth auth;
};

struct sp_snmp;

/// Copies the login. Nothing is opened yet. Never NULL.
struct sp_snmp *sp_snmp_new(const struct sp_snmp_login *login);
void sp_snmp_free(struct sp_snmp *snmp); ///< NULL is fine; does not block

/// Asks for these objects at once; `out` has `count` values in the order of the question. 0, -ETIMEDOUT,
/// -EACCES (unknown user or wrong password), -EBADMSG (an answer that is none), or the system's -errno.
int sp_snmp_get(struct sp_snmp *snmp, const struct sp_snmp_oid *names, size_t count,
		struct sp_snmp_value *out, int64_t timeout_ms) SP_MUST_CHECK;
/// The next ones behind `after` in the router's own order, at most SP_SNMP_VALUES: their number, 0 at the
/// end, or -errno as above.
int sp_snmp_next(struct sp_snmp *snmp, const struct sp_snmp_oid *after,
		 struct sp_snmp_value out[SP_SNMP_VALUES], int64_t timeout_ms) SP_MUST_CHECK;
