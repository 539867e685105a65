// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Paths, tables and versions of ADMS (adms_route.h).
#include "adms_route.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "schoolpulse/err.h"

static const struct {
	const char *stem;
	enum sp_adms_path path;
} stems[] = {
    {"cdata", SP_ADMS_CDATA},         {"getrequest", SP_ADMS_GETREQUEST},
    {"devicecmd", SP_ADMS_DEVICECMD}, {"ping", SP_ADMS_PING},
    {"test", SP_ADMS_TEST},           {"fdata", SP_ADMS_FDATA},
    {"exchange", SP_ADMS_EXCHANGE},   {"registry", SP_ADMS_SECURITY},
    {"push", SP_ADMS_SECURITY},       {"rtdata", SP_ADMS_SECURITY},
    {"querydata", SP_ADMS_SECURITY},
};

static const char *skip_slashes(const char *at)
{
	return at + strspn(at, "/");
}

enum sp_adms_path sp_adms_path(const char *path)
{
	static const char folder[] = "iclock", suffix[] = ".aspx";
	if (*path != '/')
		return SP_ADMS_ELSEWHERE;
	path = skip_slashes(path);
	if (strncasecmp(path, folder, sizeof(folder) - 1) != 0 || path[sizeof(folder) - 1] != '/')
		return SP_ADMS_ELSEWHERE;
	path = skip_slashes(path + sizeof(folder) - 1);
	size_t length = strcspn(path, "/");
	if (*skip_slashes(path + length))
		return SP_ADMS_UNKNOWN;
	if (length >= sizeof(suffix) - 1 &&
	    strncasecmp(path + length - (sizeof(suffix) - 1), suffix, sizeof(suffix) - 1) == 0)
		length -= sizeof(suffix) - 1;
	for (size_t i = 0; i < SP_COUNT(stems); i++)
		if (strlen(stems[i].stem) == length && strncasecmp(path, stems[i].stem, length) == 0)
			return stems[i].path;
	return SP_ADMS_UNKNOWN;
}

enum sp_adms_table sp_adms_table(const char *table)
{
	static const struct {
		const char *name;
		enum sp_adms_table table;
	} tables[] = {
	    {"", SP_ADMS_NO_TABLE},
	    {"ATTLOG", SP_ADMS_ATTLOG},
	    {"OPERLOG", SP_ADMS_OPERLOG},
	    {"options", SP_ADMS_OPTIONS},
	    {"rtlog", SP_ADMS_SECURITY_TABLE},
	    {"rtstate", SP_ADMS_SECURITY_TABLE},
	    {"tabledata", SP_ADMS_SECURITY_TABLE},
	};
	for (size_t i = 0; i < SP_COUNT(tables); i++)
		if (strcasecmp(table ? table : "", tables[i].name) == 0)
			return tables[i].table;
	return SP_ADMS_OTHER_TABLE;
}

unsigned sp_adms_version(const char *text)
{
	static const unsigned weights[] = {10000, 100, 1};
	unsigned version = 0;
	for (size_t part = 0; text && part < SP_COUNT(weights); part++) {
		size_t digits = strspn(text, "0123456789");
		if (digits < 1 || digits > 2)
			return part > 0 ? version : SP_ADMS_VERSION_OLD;
		unsigned number = (unsigned)(text[0] - '0');
		if (digits == 2)
			number = number * 10 + (unsigned)(text[1] - '0');
		version += number * weights[part];
		text += digits;
		if (*text != '.')
			break;
		text++;
	}
	return version ? version : SP_ADMS_VERSION_OLD;
}

bool sp_adms_is_security(const char *version, const char *device_type)
{
	if (device_type && *device_type)
		return strncasecmp(device_type, "acc", 3) == 0;
	return sp_adms_version(version) >= 30000;
}
