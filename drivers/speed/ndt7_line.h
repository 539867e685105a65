// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The connection of an ndt7 test: name, address, TCP and TLS, then bytes. It blocks, within its time, and so
// belongs to a worker's thread.
#pragma once

#include <stdatomic.h>
#include <sys/types.h>

#include "ndt7_session.h"
#include "ndt7_upgrade.h"

struct sp_ndt7_line_config {
	const char *interface; ///< "": the kernel's choice
	const char *ca_file;   ///< "": the system's authorities
	int64_t timeout_ms;    ///< for name, connection and TLS together
	const atomic_bool *cancel;
};

struct sp_ndt7_line {
	void *easy;
	int fd;
	int segment; ///< bytes of its headers
	bool tls;
	const atomic_bool *cancel;
	int64_t lost_bytes; ///< of IP, on sockets that are closed already
	enum sp_family family;
	char address[INET6_ADDRSTRLEN];
};

/// Connects to the first of the host's addresses that answers, both families at once. False and a verdict:
/// it cannot; close it all the same.
bool sp_ndt7_line_open(struct sp_ndt7_line *line, const struct sp_ndt7_url *url,
		       const struct sp_ndt7_line_config *config, struct sp_ndt7_verdict *verdict);
/// Waits for bytes to read or, if `write`, for room to write. Whether there is something to read.
bool sp_ndt7_line_wait(const struct sp_ndt7_line *line, bool write, int64_t timeout_us);
/// Bytes; 0: the peer is through; -EAGAIN; -ECONNRESET.
ssize_t sp_ndt7_line_read(struct sp_ndt7_line *line, uint8_t *data, size_t size);
/// Bytes; -EAGAIN: the same again later; -ECONNRESET.
ssize_t sp_ndt7_line_write(struct sp_ndt7_line *line, const uint8_t *data, size_t length);
void sp_ndt7_line_tcp(const struct sp_ndt7_line *line, struct sp_ndt7_tcp *out);
/// At once, whatever is still to be sent. Returns the bytes of IP that it has cost.
int64_t sp_ndt7_line_close(struct sp_ndt7_line *line);
