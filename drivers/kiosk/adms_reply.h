// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What a terminal is answered: the options of the handshake, acknowledgements, commands. Only commands that
// read can be written here.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SP_ADMS_REPLY_MAX = 1024, SP_ADMS_STAMP_MAX = 33 };

enum sp_adms_zone_form {
	SP_ADMS_ZONE_AUTO,    ///< whole hours as hours, anything else as minutes
	SP_ADMS_ZONE_MINUTES, ///< always minutes
	SP_ADMS_ZONE_OFFSET,  ///< "+07:00"
};

enum sp_adms_flag_form {
	SP_ADMS_FLAG_TRANSDATA, ///< "TransData AttLog\tOpLog"
	SP_ADMS_FLAG_BARE,      ///< the same without the word
};

enum sp_adms_ack_form {
	SP_ADMS_ACK_COUNT, ///< "OK: 3"
	SP_ADMS_ACK_TIGHT, ///< "OK:3"
	SP_ADMS_ACK_BARE,  ///< "OK"
};

/// What the terminal is to do. Texts are ours or checked: no control characters.
struct sp_adms_terms {
	const char *serial;
	const char *attlog_stamp, *operlog_stamp; ///< "": none was heard
	unsigned version;                         ///< the lower of both sides'
	int64_t delay_s, error_delay_s;
	int32_t zone_s;
	enum sp_adms_zone_form zone_form;
	enum sp_adms_flag_form flag_form;
};

/// All that follow return the text's length, without its NUL.
size_t sp_adms_reply_handshake(char out[SP_ADMS_REPLY_MAX], const struct sp_adms_terms *terms);
size_t sp_adms_reply_ack(char out[SP_ADMS_REPLY_MAX], enum sp_adms_ack_form form, int64_t count);
/// To the newer question for the time.
size_t sp_adms_reply_time(char out[SP_ADMS_REPLY_MAX], int64_t t_ms, int32_t zone_s);

enum sp_adms_command {
	SP_ADMS_INFO,
	SP_ADMS_CHECK, ///< reads its options again: a new handshake
	SP_ADMS_SUM,   ///< counts its events of a day
	SP_ADMS_QUERY, ///< sends its events of a day
};

/// `day`: since 1970-01-01, of the last two.
size_t sp_adms_reply_command(char out[SP_ADMS_REPLY_MAX], unsigned id, enum sp_adms_command command,
			     int32_t day);

/// Whether a stamp may be echoed: digits, letters and marks of a time, of at least one and at most
/// SP_ADMS_STAMP_MAX - 1 characters; and not one that makes a terminal send everything anew.
bool sp_adms_stamp_good(const char *stamp);
