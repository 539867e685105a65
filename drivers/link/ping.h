// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Echo probes of one device, both families, over ping sockets or, where those are not permitted, raw ones.
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "schoolpulse/err.h"

struct sp_device;
struct sp_ping;

enum sp_ping_outcome {
	SP_PING_ANSWER,  ///< also after SP_PING_LOST, when it came late
	SP_PING_LOST,    ///< nothing within the timeout
	SP_PING_REFUSED, ///< a router sent it back: `error` says why; nothing more will come
	SP_PING_EXPIRED, ///< its hop limit was used up at `from`
	SP_PING_TOO_BIG, ///< the router `from` cannot pass it on whole
};

struct sp_ping_result {
	enum sp_ping_outcome outcome;
	int64_t sent_us;
	int64_t rtt_us;    ///< of an answer
	const char *error; ///< of a refusal: "host unreachable", …
	size_t bytes;      ///< of IP, both ways
	/// Who sent the answer or the error; ss_family 0 when it is not known (or another one's address, who
	/// knows: errors can be forged by those who see the probe).
	struct sockaddr_storage from;
	uint32_t mtu; ///< of SP_PING_TOO_BIG; 0: the router did not say
};

/// Runs once per probe, and once more for a late answer.
typedef void (*sp_ping_fn)(struct sp_device *dev, const struct sp_ping_result *result, void *arg);

/// `interface` as in sp_endpoint: "" for the kernel's choice; copied. Sockets are opened when first needed.
struct sp_ping *sp_ping_new(struct sp_device *dev, const char *interface);
void sp_ping_free(struct sp_ping *ping); ///< open probes end without their callback; NULL is fine

struct sp_ping_question {
	const struct sockaddr_storage *to;
	int64_t timeout_ms;
	unsigned ttl; ///< hop limit; 0: the kernel's
	size_t size;  ///< of the whole IP packet; 0: as small as can be
};

/// Sends one probe, which is never fragmented. 0, or -errno: -EPERM no socket of either kind is permitted,
/// -ENETUNREACH no route (or no address, or the interface is gone), -EAGAIN too many are under way, -EMSGSIZE
/// more than the route takes, or what send says.
int sp_ping_ask(struct sp_ping *ping, const struct sp_ping_question *question, sp_ping_fn fn,
		void *arg) SP_MUST_CHECK;
/// The plain question.
int sp_ping_send(struct sp_ping *ping, const struct sockaddr_storage *to, int64_t timeout_ms, sp_ping_fn fn,
		 void *arg) SP_MUST_CHECK;

/// Whether echo can be tried at all in this family; false after a refusal for lack of permission.
bool sp_ping_permitted(struct sp_ping *ping, int family);
