// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Where a terminal's request leads, by path and table, whatever its firmware adds to them (.aspx, a trailing
// slash, another case), and which version of the protocol it speaks. Pure functions over text from outside.
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum sp_adms_path {
	SP_ADMS_ELSEWHERE, ///< not below /iclock/
	SP_ADMS_CDATA,
	SP_ADMS_GETREQUEST,
	SP_ADMS_DEVICECMD,
	SP_ADMS_PING,
	SP_ADMS_TEST,
	SP_ADMS_FDATA,
	SP_ADMS_EXCHANGE, ///< of keys, to encrypt
	SP_ADMS_SECURITY, ///< registry, push, rtdata, querydata: Security PUSH, another protocol
	SP_ADMS_UNKNOWN,  ///< below /iclock/
};

enum sp_adms_table {
	SP_ADMS_NO_TABLE,
	SP_ADMS_ATTLOG,
	SP_ADMS_OPERLOG,
	SP_ADMS_OPTIONS,
	SP_ADMS_SECURITY_TABLE, ///< rtlog, rtstate, tabledata
	SP_ADMS_OTHER_TABLE,    ///< pictures, templates, identity documents, errors: dropped unread
};

enum {
	SP_ADMS_VERSION_OLD = 20214,  ///< 2.2.14: what a terminal speaks that names none
	SP_ADMS_VERSION_OURS = 20401, ///< 2.4.1
};

enum sp_adms_path sp_adms_path(const char *path);
/// `table` as in the query; NULL: none.
enum sp_adms_table sp_adms_table(const char *table);

/// "2.4.1" as 20401: major × 10000, minor × 100. What cannot be read counts as SP_ADMS_VERSION_OLD.
unsigned sp_adms_version(const char *text);

/// The terminal is set to access control, not to attendance: by its DeviceType, or, where it names none, by a
/// version of that protocol (3 and above). Both may be NULL.
bool sp_adms_is_security(const char *version, const char *device_type);
