// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The school's keys: how they are, the page with the recovery code, and back from a back-up. The code is made
// here and shown once; the agent gets its public half, from which nobody comes back to the code.
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <time.h>

#include "agent/base/seal.h"
#include "agent/cli/client.h"
#include "agent/base/language.h"
#include "agent/cli/privacy.h"
#include "agent/cli/show.h"

enum {
	EXIT_DONE = 0,
	EXIT_ANSWER = 1,
	EXIT_USAGE = 2,
	EXIT_ABSENT = 3,
	BLOB_MAX = 16 * 1024,
	CODE_MAX = 256
};

static bool wait_on(void *arg, const cJSON *json)
{
	(void)arg;
	(void)json;
	return true;
}

/// The document is the caller's if this is EXIT_DONE.
static int ask(const struct sp_privacy_arguments *arguments, cJSON *json, cJSON **document)
{
	char why[512], *request = cJSON_PrintUnformatted(json);
	enum sp_client_result result =
	    sp_client_follow(arguments->socket, request, wait_on, NULL, document, why);
	explicit_bzero(request, strlen(request));
	cJSON_free(request);
	cJSON_Delete(json);
	if (result == SP_CLIENT_OK)
		return EXIT_DONE;
	fprintf(stderr, "%s\n", why);
	return result == SP_CLIENT_ABSENT || result == SP_CLIENT_DENIED ? EXIT_ABSENT : EXIT_ANSWER;
}

static cJSON *command(const char *word)
{
	cJSON *json = cJSON_CreateObject();
	cJSON_AddStringToObject(json, "cmd", word);
	return json;
}

// ---- status -----------------------------------------------------------------------------------------------

static void print_status(const cJSON *document)
{
	const cJSON *years = sp_member(document, "school_years"), *year;
	const char *refused = sp_member_text(document, "refused"), *mark = sp_member_text(document, "mark");
	if (refused[0])
		printf("%s\n", refused);
	if (!sp_member_true(document, "attendance")) {
		puts(_("There are no keys: attendance is off."));
		return;
	}
	printf("%s", _("Keys of the school years:"));
	cJSON_ArrayForEach(year, years)
	{
		printf(" %.0f-%.0f", year->valuedouble, year->valuedouble + 1);
	}
	puts(cJSON_GetArraySize(years) ? "" : _(" none yet"));
	printf(_("Persons whose events are dropped: %.0f\n"), sp_member_number(document, "persons_refused"));
	if (mark[0])
		printf(_("Back-up: sealed for the recovery code %s\n"), mark);
	else
		puts(_("Back-up: none. Print the recovery code: schoolpulse keys print"));
}

static int show_status(const struct sp_privacy_arguments *arguments)
{
	cJSON *document;
	int code = ask(arguments, command("keys"), &document);
	if (code != EXIT_DONE)
		return code;
	if (arguments->json) {
		cJSON_DeleteItemFromObjectCaseSensitive(document, "ok");
		char *text = cJSON_Print(document);
		puts(text ? text : "{}");
		cJSON_free(text);
	} else {
		print_status(document);
	}
	cJSON_Delete(document);
	return EXIT_DONE;
}

// ---- print ------------------------------------------------------------------------------------------------

/// Both languages, whatever the user's: the paper outlives him.
static const char page[] =
    "================================================================================\n"
    "  SCHOOLPULSE\n"
    "  MÃ KHÔI PHỤC KHÓA ĐIỂM DANH          RECOVERY CODE OF THE ATTENDANCE KEYS\n"
    "\n"
    "      %s\n"
    "\n"
    "  Ký hiệu / Mark: %s     Bo mạch / Board: %s     Ngày / Date: %s\n"
    "\n"
    "  Mã này mở bản sao lưu khóa của nhà trường. Trung tâm giữ bản sao lưu nhưng không\n"
    "  mở được; bo mạch cũng không giữ mã này. Khi bo mạch hỏng hoặc bị mất, chỉ với mã này\n"
    "  nhà trường mới tiếp tục xuất hoặc xóa được dữ liệu của một người khi có yêu cầu.\n"
    "  - Cất tờ này trong két hoặc tủ có khóa của nhà trường; không chụp ảnh, không gửi thư.\n"
    "  - Sau khi in mã mới, bản sao lưu mới chỉ mở được bằng mã mới; vẫn giữ tờ cũ.\n"
    "  - Trên bo mạch mới: schoolpulse keys restore --blob TỆP\n"
    "\n"
    "  This code opens the back-up of the school's keys. The centre keeps the back-up and\n"
    "  cannot open it; the board does not keep the code. If the board breaks or is lost, only\n"
    "  this code lets the school export and erase a person's data on request.\n"
    "  - Keep this page in the school's safe or a locked cabinet; no photo, no e-mail.\n"
    "  - Once a new code is printed, new back-ups open with it alone; keep the old page, too.\n"
    "  - On a new board: schoolpulse keys restore --blob FILE\n"
    "================================================================================\n";

static bool may_replace(const struct sp_privacy_arguments *arguments, int *code)
{
	cJSON *document;
	*code = ask(arguments, command("keys"), &document);
	if (*code != EXIT_DONE)
		return false;
	bool has = sp_member_text(document, "mark")[0] != '\0';
	cJSON_Delete(document);
	if (!has || arguments->yes ||
	    sp_ask_yes(_("There is a recovery code already. With a new one, new back-ups open with it alone. "
			 "Make a new one? [y/N] ")))
		return true;
	fprintf(stderr, "%s\n", _("No code was made, and the old one stays. Without a terminal: --yes"));
	*code = EXIT_ANSWER;
	return false;
}

static int print_code(const struct sp_privacy_arguments *arguments)
{
	struct sp_seal_code code;
	uint8_t key[SP_SEAL_KEY];
	char text[SP_SEAL_CODE_TEXT + 1], hex[2 * SP_SEAL_KEY + 1], mark[SP_SEAL_MARK_TEXT + 1], date[16];
	int result;
	if (!may_replace(arguments, &result))
		return result;
	sp_seal_code_new(&code);
	sp_seal_public(&code, key);
	for (size_t i = 0; i < sizeof(key); i++)
		snprintf(hex + 2 * i, 3, "%02x", key[i]);
	cJSON *json = command("keys_code"), *document;
	cJSON_AddStringToObject(json, "key", hex);
	result = ask(arguments, json, &document);
	if (result == EXIT_DONE) {
		time_t now = time(NULL);
		struct tm local;
		strftime(date, sizeof(date), "%d/%m/%Y", localtime_r(&now, &local));
		sp_seal_code_text(&code, text);
		sp_seal_mark(key, mark);
		printf(page, text, mark, sp_member_text(document, "device"), date);
		explicit_bzero(text, sizeof(text));
		cJSON_Delete(document);
		fprintf(stderr, "%s\n", _("It is shown only now: print it, and clear the screen."));
		if (fflush(stdout) != 0 || ferror(stdout))
			result = EXIT_ANSWER;
	}
	explicit_bzero(&code, sizeof(code));
	return result;
}

// ---- restore ----------------------------------------------------------------------------------------------

/// The file holds the blob alone, or a record `key_backup` with it.
static char *read_blob(const char *path)
{
	char *text = calloc(1, BLOB_MAX + 1);
	FILE *file = fopen(path, "r");
	size_t length = file && text ? fread(text, 1, BLOB_MAX, file) : 0;
	if (file)
		fclose(file);
	else
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
	cJSON *json = length && text[strspn(text, " \t\r\n")] == '{' ? cJSON_Parse(text) : NULL;
	const char *blob = sp_member_text(json, "blob");
	if (text && blob[0])
		memmove(text, blob, strlen(blob) + 1);
	cJSON_Delete(json);
	if (!file || !text) {
		free(text);
		return NULL;
	}
	return text;
}

/// False, with a line for people.
static bool check_code(const char *text, struct sp_seal_code *code)
{
	unsigned group;
	int result = sp_seal_code_parse(code, text, &group);
	if (result == 0)
		return true;
	if (result == -EINVAL)
		fprintf(stderr, _("The recovery code is mistyped in group %u of %d.\n"), group,
			SP_SEAL_GROUPS);
	else if (group)
		fprintf(stderr, _("Group %u of the recovery code does not have 5 characters.\n"), group);
	else
		fprintf(stderr, _("The recovery code has %d groups of 5 characters.\n"), SP_SEAL_GROUPS);
	return false;
}

/// What the agent would say, sooner, and with the mark of the page that is needed.
static bool check_blob(const char *blob, const struct sp_seal_code *code)
{
	uint8_t wanted[SP_SEAL_KEY], ours[SP_SEAL_KEY];
	char mark[SP_SEAL_MARK_TEXT + 1];
	if (!sp_seal_recipient(blob, strlen(blob), wanted)) {
		fprintf(stderr, "%s\n", _("This file is no whole key back-up."));
		return false;
	}
	sp_seal_public(code, ours);
	if (memcmp(wanted, ours, sizeof(ours)) == 0)
		return true;
	sp_seal_mark(wanted, mark);
	fprintf(stderr, _("This back-up needs the recovery code with the mark %s.\n"), mark);
	return false;
}

static int send_back(const struct sp_privacy_arguments *arguments, const char *blob, const char *typed)
{
	cJSON *json = command("keys_restore"), *document;
	cJSON_AddStringToObject(json, "code", typed);
	cJSON_AddStringToObject(json, "blob", blob);
	int result = ask(arguments, json, &document);
	if (result == EXIT_DONE) {
		puts(_("The school's keys are back."));
		print_status(document);
		cJSON_Delete(document);
	}
	return result;
}

static int restore(const struct sp_privacy_arguments *arguments)
{
	struct sp_seal_code code;
	char typed[CODE_MAX] = "";
	char *blob = arguments->blob ? read_blob(arguments->blob) : NULL;
	if (!blob)
		return EXIT_USAGE;
	int result = EXIT_ANSWER;
	if (!sp_ask_line(_("Recovery code: "), typed, sizeof(typed)) &&
	    !sp_ask_line(NULL, typed, sizeof(typed)))
		fprintf(stderr, "%s\n", _("No recovery code was given."));
	else if (check_code(typed, &code) && check_blob(blob, &code))
		result = send_back(arguments, blob, typed);
	explicit_bzero(&code, sizeof(code));
	explicit_bzero(typed, sizeof(typed));
	free(blob);
	return result;
}

int sp_keys_run(const struct sp_privacy_arguments *arguments)
{
	if (strcmp(arguments->verb, "print") == 0)
		return print_code(arguments);
	if (strcmp(arguments->verb, "restore") == 0)
		return restore(arguments);
	return show_status(arguments);
}
