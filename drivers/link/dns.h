// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// DNS messages as pure functions over bytes (RFC 1035): one question for an address, and what came back.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "schoolpulse/err.h"

enum {
	SP_DNS_NAME = 256,     ///< text with its NUL
	SP_DNS_QUESTION = 272, ///< header, name, type and class at most
	SP_DNS_ADDRESSES = 8,
};

enum sp_dns_type { SP_DNS_A = 1, SP_DNS_AAAA = 28 };

enum { SP_DNS_OK = 0, SP_DNS_SERVFAIL = 2, SP_DNS_NXDOMAIN = 3, SP_DNS_REFUSED = 5 };

struct sp_dns_question {
	uint16_t id; ///< random
	enum sp_dns_type type;
	char name[SP_DNS_NAME]; ///< "vnnic.vn", no dot at the end needed
};

struct sp_dns_address {
	int family;
	uint8_t bytes[16];
};

struct sp_dns_answer {
	int rcode;
	bool truncated;
	unsigned count; ///< addresses kept, at most SP_DNS_ADDRESSES
	struct sp_dns_address addresses[SP_DNS_ADDRESSES];
};

/// Recursion desired, no EDNS. Length, or -EINVAL for a name that cannot be asked.
ssize_t sp_dns_encode(uint8_t out[SP_DNS_QUESTION], const struct sp_dns_question *question) SP_MUST_CHECK;

/// True when the bytes are a response with our id and our question, whatever it answers.
bool sp_dns_belongs(const uint8_t *data, size_t length, const struct sp_dns_question *question);

/// Everything else in it. 0, -ENOMSG when it does not belong to the question, -EBADMSG when it is broken.
int sp_dns_parse(const uint8_t *data, size_t length, const struct sp_dns_question *question,
		 struct sp_dns_answer *out) SP_MUST_CHECK;

/// An address that no public name should have: private, shared, loopback, link-local, unspecified, multicast.
bool sp_dns_is_local(const struct sp_dns_address *address);

/// "no error", "server failure", … for people.
const char *sp_dns_rcode_text(int rcode);
