// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What a client's words mean: paths, sizes, names of tests, addresses. Pure functions over text from
// outside.
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum sp_anchor_page {
	SP_ANCHOR_NONE,
	SP_ANCHOR_GARBAGE,
	SP_ANCHOR_EMPTY,
	SP_ANCHOR_ADDRESS,
};

/// "/garbage", "/backend/empty.php", "/getIP.php": with or without the folder and the ending.
enum sp_anchor_page sp_anchor_page_of(const char *path);

enum { SP_ANCHOR_CHUNKS_DEFAULT = 4, SP_ANCHOR_CHUNKS_MOST = 1024 };

/// Blocks of 1 MiB that `ckSize` asks for, as LibreSpeed's own backend reads it: 4 for what is no positive
/// number, 1024 for more. `text` may be NULL.
unsigned sp_anchor_chunks(const char *text);

/// Who asks, as far as fairness goes: an IPv4 address, or the /64 of an IPv6 one (a site has at least that
/// much), and the test that he names himself, so that schools behind one address are told apart.
struct sp_anchor_key {
	uint8_t address[8]; ///< an IPv4 address in the first four
	uint8_t family;     ///< 4 or 6
	uint64_t test;      ///< 0: no name given
};

/// `test` is any text or NULL. False when `address` is no literal.
bool sp_anchor_key_of(const char *address, const char *test, struct sp_anchor_key *out);
bool sp_anchor_same_address(const struct sp_anchor_key *a, const struct sp_anchor_key *b);
bool sp_anchor_same_test(const struct sp_anchor_key *a, const struct sp_anchor_key *b);

/// The last address of an X-Forwarded-For line, which is the proxy's own word: a literal into `out`. False
/// when there is none.
bool sp_anchor_forwarded(const char *line, char out[46]);

/// What LibreSpeed says of an address that is nobody's in public: " - private IPv4 access"; "" otherwise.
const char *sp_anchor_address_note(const char *address);
