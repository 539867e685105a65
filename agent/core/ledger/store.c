// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What a ledger keeps across restarts, as JSON in the journal's durable state. The journal may come
// from another card, so the text is checked like any input.
#include "agent/core/ledger/priv.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <string.h>

#include "agent/base/mem.h"

static int get_text(const cJSON *json, const char *name, char *out, size_t size)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, name));
	if (!text || strlen(text) >= size)
		return -EINVAL;
	strcpy(out, text);
	return 0;
}

static int get_int(const cJSON *json, const char *name, int64_t *out)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, name);
	if (!cJSON_IsNumber(item) || !(fabs(item->valuedouble) < 9007199254740992.0))
		return -EINVAL;
	*out = (int64_t)item->valuedouble;
	return 0;
}

static int get_word(const cJSON *json, const char *name, int count, const char *(*word)(int), int *out)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, name));
	for (int i = 0; text && i < count; i++) {
		if (strcmp(word(i), text) == 0) {
			*out = i;
			return 0;
		}
	}
	return -EINVAL;
}

static const char *state_word(int value)
{
	return sp_line_state_name((enum sp_line_state)value);
}

static const char *cause_word(int value)
{
	return sp_cause_name((enum sp_cause)value);
}

static const char *whose_word(int value)
{
	return sp_whose_name((enum sp_whose)value);
}

static void add_parts(cJSON *json, const struct sp_outage *outage)
{
	cJSON *list = cJSON_AddArrayToObject(json, "parts");
	for (size_t i = 0; i < outage->part_count; i++) {
		const struct sp_outage_part *part = &outage->parts[i];
		cJSON *item = cJSON_CreateObject();
		cJSON_AddStringToObject(item, "cause", sp_cause_name(part->cause));
		cJSON_AddStringToObject(item, "whose", sp_whose_name(part->whose));
		cJSON_AddStringToObject(item, "state", sp_line_state_name(part->state));
		if (outage->unmeasured == (int)i)
			cJSON_AddNullToObject(item, "seconds");
		else
			cJSON_AddNumberToObject(item, "seconds", (double)part->us / 1e6);
		cJSON_AddItemToArray(list, item);
	}
}

static int get_part(const cJSON *json, struct sp_outage_part *out, bool *measured)
{
	int state, cause, whose;
	const cJSON *seconds = cJSON_GetObjectItemCaseSensitive(json, "seconds");
	if (get_word(json, "state", SP_LINE_DOWN + 1, state_word, &state) ||
	    get_word(json, "cause", SP_CAUSES, cause_word, &cause) ||
	    get_word(json, "whose", SP_WHOSES, whose_word, &whose))
		return -EINVAL;
	*measured = cJSON_IsNumber(seconds);
	if (*measured && !(seconds->valuedouble >= 0 && seconds->valuedouble < 1e9))
		return -EINVAL;
	*out = (struct sp_outage_part){.state = (enum sp_line_state)state,
				       .cause = (enum sp_cause)cause,
				       .whose = (enum sp_whose)whose,
				       .us = *measured ? llround(seconds->valuedouble * 1e6) : 0};
	return 0;
}

static int get_parts(const cJSON *json, struct sp_outage *out)
{
	const cJSON *item;
	cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(json, "parts"))
	{
		bool measured;
		if (out->part_count >= SP_OUTAGE_PARTS ||
		    get_part(item, &out->parts[out->part_count], &measured))
			return -EINVAL;
		if (!measured)
			out->unmeasured = (int)out->part_count;
		out->part_count++;
	}
	return out->part_count > 0 ? 0 : -EINVAL;
}

cJSON *sp_outage_to_json(const struct sp_outage *outage)
{
	cJSON *json = cJSON_CreateObject();
	cJSON_AddStringToObject(json, "outage", outage->id);
	cJSON_AddStringToObject(json, "state", sp_line_state_name(outage->state));
	cJSON_AddStringToObject(json, "cause", sp_cause_name(outage->cause));
	cJSON_AddStringToObject(json, "whose", sp_whose_name(outage->whose));
	cJSON_AddStringToObject(json, "start_boot", outage->start_boot);
	cJSON_AddNumberToObject(json, "start_mono_us", (double)outage->start_mono_us);
	if (outage->start_placed)
		cJSON_AddNumberToObject(json, "start_t_ms", (double)outage->start_t_ms);
	if (outage->uncertainty_seconds >= 0)
		cJSON_AddNumberToObject(json, "start_uncertainty_seconds", outage->uncertainty_seconds);
	add_parts(json, outage);
	if (outage->closed) {
		if (outage->end_uncertainty_seconds >= 0)
			cJSON_AddNumberToObject(json, "end_uncertainty_seconds",
						outage->end_uncertainty_seconds);
		cJSON_AddStringToObject(json, "end_boot", outage->end_boot);
		cJSON_AddNumberToObject(json, "end_mono_us", (double)outage->end_mono_us);
		if (outage->end_placed)
			cJSON_AddNumberToObject(json, "end_t_ms", (double)outage->end_t_ms);
	}
	return json;
}

int sp_outage_from_json(const cJSON *json, struct sp_outage *out)
{
	int state, cause, whose;
	struct sp_outage outage = {
	    .uncertainty_seconds = -1, .end_uncertainty_seconds = -1, .unmeasured = -1};
	if (get_text(json, "outage", outage.id, sizeof(outage.id)) || strlen(outage.id) != SP_ID_LENGTH ||
	    get_text(json, "start_boot", outage.start_boot, sizeof(outage.start_boot)) ||
	    get_int(json, "start_mono_us", &outage.start_mono_us) ||
	    get_word(json, "state", SP_LINE_DOWN + 1, state_word, &state) ||
	    get_word(json, "cause", SP_CAUSES, cause_word, &cause) ||
	    get_word(json, "whose", SP_WHOSES, whose_word, &whose))
		return -EINVAL;
	outage.state = (enum sp_line_state)state;
	outage.cause = (enum sp_cause)cause;
	outage.whose = (enum sp_whose)whose;
	outage.start_placed = get_int(json, "start_t_ms", &outage.start_t_ms) == 0;
	const cJSON *uncertainty = cJSON_GetObjectItemCaseSensitive(json, "start_uncertainty_seconds");
	if (cJSON_IsNumber(uncertainty) && uncertainty->valuedouble >= 0)
		outage.uncertainty_seconds = uncertainty->valuedouble;
	if (get_int(json, "end_mono_us", &outage.end_mono_us) == 0) {
		if (get_text(json, "end_boot", outage.end_boot, sizeof(outage.end_boot)))
			return -EINVAL;
		outage.closed = true;
		outage.end_placed = get_int(json, "end_t_ms", &outage.end_t_ms) == 0;
	}
	uncertainty = cJSON_GetObjectItemCaseSensitive(json, "end_uncertainty_seconds");
	if (cJSON_IsNumber(uncertainty) && uncertainty->valuedouble >= 0)
		outage.end_uncertainty_seconds = uncertainty->valuedouble;
	if (get_parts(json, &outage))
		return -EINVAL;
	*out = outage;
	return 0;
}

static cJSON *outage_now(const struct sp_ledger *ledger)
{
	// What holds has held until the latest reading.
	struct sp_outage outage = ledger->outage;
	struct sp_ledger_moment counted = sp_ledger_moment(ledger, &ledger->clock, ledger->counted_us);
	if (ledger->clock.mono_us > ledger->counted_us) {
		counted = sp_ledger_moment(ledger, &ledger->clock, ledger->clock.mono_us);
		outage.parts[ledger->part].us += counted.mono_us - ledger->counted_us;
	}
	cJSON *json = sp_outage_to_json(&outage);
	cJSON_AddNumberToObject(json, "part", (double)ledger->part);
	cJSON_AddStringToObject(json, "counted_boot", counted.boot);
	cJSON_AddNumberToObject(json, "counted_mono_us", (double)counted.mono_us);
	if (counted.placed)
		cJSON_AddNumberToObject(json, "counted_t_ms", (double)counted.t_ms);
	return json;
}

void sp_ledger_save(const struct sp_ledger *ledger, struct sp_buf *out)
{
	bool any = ledger->worked[SP_FAMILY_IPV4] || ledger->worked[SP_FAMILY_IPV6];
	if (!ledger->has_outage && !any)
		return;
	cJSON *json = ledger->has_outage ? outage_now(ledger) : cJSON_CreateObject();
	cJSON *offered = cJSON_AddArrayToObject(json, "offered");
	for (int family = SP_FAMILY_IPV4; family <= SP_FAMILY_IPV6; family++)
		if (ledger->worked[family])
			cJSON_AddItemToArray(offered,
					     cJSON_CreateString(sp_family_name((enum sp_family)family)));
	char *text = cJSON_PrintUnformatted(json);
	sp_buf_text(out, text ? text : "");
	cJSON_free(text);
	cJSON_Delete(json);
}

/// Until when the last run had counted, and for which part.
static void get_counted(const cJSON *json, struct sp_ledger *ledger)
{
	struct sp_ledger_moment *kept = &ledger->kept;
	int64_t part = 0;
	if (get_text(json, "counted_boot", kept->boot, sizeof(kept->boot)) ||
	    get_int(json, "counted_mono_us", &kept->mono_us)) {
		kept->mono_us = ledger->outage.start_mono_us;
		memcpy(kept->boot, ledger->outage.start_boot, sizeof(kept->boot));
		kept->placed = ledger->outage.start_placed;
		kept->t_ms = ledger->outage.start_t_ms;
	} else {
		kept->placed = get_int(json, "counted_t_ms", &kept->t_ms) == 0;
	}
	if (get_int(json, "part", &part) == 0 && part >= 0 && part < (int64_t)ledger->outage.part_count)
		ledger->part = (size_t)part;
	ledger->resumed = true;
}

static int get_outage(const cJSON *json, struct sp_ledger *ledger)
{
	struct sp_outage outage;
	if (!cJSON_HasObjectItem(json, "outage"))
		return 0;
	if (sp_outage_from_json(json, &outage) || outage.closed)
		return -EINVAL;
	ledger->outage = outage;
	ledger->has_outage = true;
	get_counted(json, ledger);
	ledger->remembered = sp_ledger_symptoms(&outage);
	return 0;
}

int sp_ledger_load(struct sp_ledger *ledger, const char *text)
{
	cJSON *json = cJSON_Parse(text);
	const cJSON *word, *offered = cJSON_GetObjectItemCaseSensitive(json, "offered");
	if (!cJSON_IsObject(json) || !cJSON_IsArray(offered) || get_outage(json, ledger)) {
		cJSON_Delete(json);
		return -EINVAL;
	}
	cJSON_ArrayForEach(word, offered)
	{
		const char *name = cJSON_GetStringValue(word);
		for (int family = SP_FAMILY_IPV4; name && family <= SP_FAMILY_IPV6; family++)
			if (strcmp(name, sp_family_name((enum sp_family)family)) == 0)
				ledger->worked[family] = true;
	}
	cJSON_Delete(json);
	return 0;
}
