// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// LibreSpeed's pages and answers.
#include "librespeed_wire.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

// ---- addresses --------------------------------------------------------------------------------

static const char *after_scheme(const char *base)
{
	if (strncmp(base, "http://", 7) == 0)
		return base + 7;
	return strncmp(base, "https://", 8) == 0 ? base + 8 : NULL;
}

bool sp_librespeed_base_ok(const char *base, char *why, size_t size)
{
	const char *rest = after_scheme(base);
	size_t length = strlen(base);
	if (!rest || !*rest || *rest == '/' || *rest == ':') {
		snprintf(why, size, "\"%.100s\" is no http:// or https:// address", base);
		return false;
	}
	if (length >= SP_LIBRESPEED_BASE) {
		snprintf(why, size, "the address is longer than %d bytes", SP_LIBRESPEED_BASE - 1);
		return false;
	}
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)base[i];
		if (c <= ' ' || c >= 0x7f || strchr("@?#\"<>\\^`{|}", c)) {
			snprintf(why, size, "\"%.100s\": %s", base,
				 c == '@'               ? "passwords do not belong here"
				 : c == '?' || c == '#' ? "only the directory of the backend belongs here"
							: "there is a character that no address has");
			return false;
		}
	}
	return true;
}

void sp_librespeed_host(const char *base, char out[SP_LIBRESPEED_HOST])
{
	const char *host = after_scheme(base);
	size_t length;
	if (!host)
		host = "";
	if (*host == '[') {
		host++;
		length = strcspn(host, "]/");
	} else {
		length = strcspn(host, ":/");
	}
	if (length >= SP_LIBRESPEED_HOST)
		length = SP_LIBRESPEED_HOST - 1;
	memcpy(out, host, length);
	out[length] = '\0';
	for (size_t i = 0; i < length; i++)
		out[i] = (char)tolower((unsigned char)out[i]);
}

void sp_librespeed_url(const char *base, const struct sp_librespeed_ask *ask, char out[SP_LIBRESPEED_URL])
{
	static const char *const pages[][SP_LIBRESPEED_FORMS] = {
	    [SP_LIBRESPEED_GARBAGE] = {"garbage.php", "backend/garbage.php", "garbage", "backend/garbage"},
	    [SP_LIBRESPEED_EMPTY] = {"empty.php", "backend/empty.php", "empty", "backend/empty"},
	};
	size_t length = strlen(base);
	char chunks[32] = "";
	if (ask->chunks > 0)
		snprintf(chunks, sizeof(chunks), "ckSize=%u&", ask->chunks);
	snprintf(out, SP_LIBRESPEED_URL, "%s%s%s?%sr=%" PRIx64 "&test=%016" PRIx64, base,
		 length > 0 && base[length - 1] == '/' ? "" : "/", pages[ask->page][ask->form], chunks,
		 ask->unique, ask->test);
}

// ---- answers ------------------------------------------------------------------------------------

static const char *reason_of_result(int result, bool moved)
{
	switch (-result) {
	case ETIMEDOUT:
		return moved ? "stalled" : "timeout";
	case ECONNREFUSED:
		return "refused";
	case ENOENT:
		return "dns";
	case EKEYREJECTED:
		return "certificate";
	case ENETUNREACH:
	case EHOSTUNREACH:
	case ENETDOWN:
	case EHOSTDOWN:
	case EADDRNOTAVAIL:
	case ENODEV:
		return "no_route";
	case ECONNRESET:
	case ECONNABORTED:
	case EPIPE:
		return "closed";
	default:
		return "protocol";
	}
}

/// Seconds that the server asks us to stay away; -1: it does not say, or gives a date.
static long seconds_of(const char *retry_after)
{
	char *end;
	if (!retry_after || !isdigit((unsigned char)*retry_after))
		return -1;
	long seconds = strtol(retry_after, &end, 10);
	return *end == '\0' && seconds <= 7 * 86400 ? seconds : -1;
}

void sp_librespeed_judge(const struct sp_librespeed_answer *answer, struct sp_librespeed_verdict *out)
{
	long status = answer->status, away = seconds_of(answer->retry_after);
	*out = (struct sp_librespeed_verdict){0};
	if (status == 503 || status == 429) {
		out->reason = "no_capacity";
		if (away >= 0)
			snprintf(out->text, sizeof(out->text), "the server answers %ld: come back in %ld s",
				 status, away);
		else
			snprintf(out->text, sizeof(out->text), "the server answers %ld", status);
	} else if (status >= 300 && status < 400) {
		out->reason = "redirected";
		snprintf(out->text, sizeof(out->text), "the server answers %ld: elsewhere", status);
	} else if (status >= 200 && status != 200) {
		out->reason = "http_status";
		snprintf(out->text, sizeof(out->text), "the server answers %ld", status);
	} else if (answer->result < 0) {
		out->reason = reason_of_result(answer->result, answer->moved);
		snprintf(out->text, sizeof(out->text), "%s", answer->error ? answer->error : "");
	} else if (status != 200) {
		out->reason = "protocol"; // what begins with 1 is no answer yet
		snprintf(out->text, sizeof(out->text), "no status");
	}
}
