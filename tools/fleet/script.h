// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What befalls the boards, as a script says it (README.md): whom, when, what.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/config.h"
#include "tools/fleet/roster.h"

enum {
	SP_SCRIPT_FILE_MAX = 4 * 1024 * 1024,
	SP_SCRIPT_STATEMENTS_MAX = 20000,
	SP_SCRIPT_CONDITIONS_MAX = 8,
	SP_SCRIPT_PAIRS_MAX = 16,
	SP_SCRIPT_TEXTS_MAX = 4,
};

// ---- who ------------------------------------------------------------------------------------------------

enum sp_who_kind { SP_WHO_ALL, SP_WHO_TEXT, SP_WHO_AREA, SP_WHO_SHARE, SP_WHO_FIRST };

struct sp_who {
	enum sp_who_kind kind;
	bool negated;
	char *pattern; ///< of a text or an area; the name of a share, NULL without
	size_t offset; ///< of the text in a board
	double share;
	int64_t first;
};

// ---- when -----------------------------------------------------------------------------------------------

enum sp_when_kind {
	SP_WHEN_START,
	SP_WHEN_OFFSET, ///< ms since the start
	SP_WHEN_MOMENT, ///< ms since 1970
	SP_WHEN_DAY,    ///< `day`, from 1, at ms since midnight
	SP_WHEN_DAYS,   ///< on each of `weekdays`, at ms since midnight
	SP_WHEN_EVERY,  ///< each ms
};
enum sp_until_kind { SP_UNTIL_NOW, SP_UNTIL_LENGTH, SP_UNTIL_CLOCK, SP_UNTIL_MOMENT, SP_UNTIL_END };

struct sp_when {
	enum sp_when_kind kind;
	int64_t ms, day;
	unsigned weekdays;        ///< bit 0: Monday
	int64_t from_day, to_day; ///< of repeated ones, since 1970
	enum sp_until_kind until;
	int64_t until_ms;
	int64_t spread_ms;
};

/// One time that something happens; `end_ms` = `begin_ms` for what does not last.
struct sp_span {
	int64_t begin_ms, end_ms;
};

/// The first one that is not over at `at_ms`, and begins at or after `after_ms`; `start_ms` is when the
/// boards began to live. `spread`: from 0 to 1. False: there is none any more.
bool sp_when_next(const struct sp_when *when, int64_t start_ms, int64_t at_ms, int64_t after_ms,
		  struct sp_span *out);

// ---- what -----------------------------------------------------------------------------------------------

enum sp_scope { SP_SCOPE_DOMESTIC, SP_SCOPE_INTERNATIONAL, SP_SCOPE_DNS, SP_SCOPE_GATEWAY, SP_SCOPE_SERVICE };
#define SP_SCOPES 5
extern const char *const sp_scope_names[SP_SCOPES];

struct sp_scope_value {
	bool has_rtt, has_loss;
	double rtt_seconds, loss_ratio;
	int64_t probes; ///< 0: as usual
};

enum sp_pair_kind { SP_PAIR_TEXT, SP_PAIR_REAL, SP_PAIR_INT, SP_PAIR_BOOL, SP_PAIR_NULL };

struct sp_pair {
	char *key, *text;
	enum sp_pair_kind kind;
	double real;
	int64_t integer;
};

/// What a statement says after its word; each word's row says which it uses.
struct sp_args {
	int index[3]; ///< into tables of names
	int64_t ms, count[2];
	double real[2];                  ///< < 0: not given
	int64_t times;                   ///< how often within its time
	char *text[SP_SCRIPT_TEXTS_MAX]; ///< NULL: not given
	struct sp_scope_value scope[SP_SCOPES];
	struct sp_pair pair[SP_SCRIPT_PAIRS_MAX];
	size_t pairs;
};

struct sp_word;

struct sp_statement {
	unsigned line;
	size_t number; ///< from 0, over all files
	struct sp_who who[SP_SCRIPT_CONDITIONS_MAX];
	size_t who_count;
	struct sp_when when;
	const struct sp_word *word;
	struct sp_args args;
};

struct sp_script {
	struct sp_statement **statements;
	size_t count;
};

/// Adds a file's statements. Mistakes are lines "file:LINE: …" in `errors`. 0 or -EINVAL.
int sp_script_parse(struct sp_script *script, const char *file, const char *text, size_t length,
		    struct sp_config_errors *errors) SP_MUST_CHECK;
int sp_script_read(struct sp_script *script, const char *file, struct sp_config_errors *errors) SP_MUST_CHECK;
void sp_script_free(struct sp_script *script);

/// Is it said of this board, the `index`-th?
bool sp_statement_meets(const struct sp_statement *statement, const struct sp_roster_board *board,
			size_t index, uint64_t seed);
