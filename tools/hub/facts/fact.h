// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the hub understands of a record: the members of the types that it projects, read out of the
// record's stored text. Hostile text gives false, never more. cJSON stays in fact*.c.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/feed.h"

enum sp_line_state { SP_LINE_UNKNOWN, SP_LINE_UP, SP_LINE_DEGRADED, SP_LINE_DOWN };
#define SP_LINE_STATES 4
const char *sp_line_state_name(enum sp_line_state state);

enum sp_outage_phase { SP_OUTAGE_OPEN, SP_OUTAGE_UPDATE, SP_OUTAGE_CLOSE };
#define SP_OUTAGE_PHASES 3
const char *sp_outage_phase_name(enum sp_outage_phase phase);

enum {
	SP_WORD_MAX = 32,  ///< causes, reasons, …: [a-z0-9_]; anything else reads as ""
	SP_TEXT_MAX = 256, ///< text for people
};

struct sp_fact_opened {
	bool has_prev, set_aside;
	char prev[SP_ID_LENGTH + 1];
	int64_t prev_last; ///< 0: it issued nothing
};

struct sp_fact_dropped {
	enum sp_record_class cls;
	char stream[SP_ID_LENGTH + 1]; ///< "": lost in memory, before there were seqs
	int64_t from, to;
	int64_t count; ///< of records without a stream
	char reason[SP_WORD_MAX + 1];
};

struct sp_fact_line {
	enum sp_line_state state, ipv4, ipv6;
	char cause[SP_WORD_MAX + 1], whose[SP_WORD_MAX + 1];
	int64_t since_mono_us; ///< in the record's boot; -1: not there
};

struct sp_fact_outage {
	char id[65];
	enum sp_outage_phase phase;
	enum sp_line_state state;
	char cause[SP_WORD_MAX + 1], whose[SP_WORD_MAX + 1];
	int64_t start_mono_us, start_t_ms; ///< -1: not there
	int64_t start_uncertainty_ms;      ///< 0: not there
	char start_boot[SP_FEED_BOOT_LENGTH + 1];
	int64_t end_mono_us, end_t_ms; ///< -1: not there
	int64_t end_uncertainty_ms;    ///< 0: not there
	char *evidence, *parts;        ///< JSON list text or NULL; free()
};

struct sp_fact_boot {
	char reason[SP_WORD_MAX + 1];
	char previous_boot[SP_FEED_BOOT_LENGTH + 1]; ///< "": not known
	int64_t start_mono_us, start_t_ms;           ///< of the silence; -1: not known
	int64_t uncertainty_ms;                      ///< -1: not known
	char evidence[SP_TEXT_MAX];
};

struct sp_fact_device {
	enum sp_line_state state;
	bool kiosk; ///< by the class of its driver
	char driver[65], reason[SP_WORD_MAX + 1], text[SP_TEXT_MAX];
};

struct sp_fact_egress {
	bool own;     ///< the line leaves by its own door
	char hop[65]; ///< the provider's first router; "": not known
};

/// Is it a type of the feed's version 1?
bool sp_fact_known_type(const char *type);

/// The members as one line for people: `state=up cause=none evidence=(6)`.
void sp_fact_summary(struct sp_buf *out, const char *data);

bool sp_fact_opened(struct sp_fact_opened *out, const char *data);
bool sp_fact_dropped(struct sp_fact_dropped *out, const char *data);
bool sp_fact_line(struct sp_fact_line *out, const char *data);
bool sp_fact_outage(struct sp_fact_outage *out, const char *data); ///< both texts are the caller's
bool sp_fact_egress(struct sp_fact_egress *out, const char *data);
bool sp_fact_boot(struct sp_fact_boot *out, const char *data);
bool sp_fact_device(struct sp_fact_device *out, const char *data);
