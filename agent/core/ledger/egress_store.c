// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What is known of a line's door across restarts, as JSON in the journal's durable state. It may come from
// another card: what cannot be read is left out, and learnt again.
#include "agent/core/ledger/egress_priv.h"

#include <cjson/cJSON.h>
#include <string.h>

static void add_nets(cJSON *json, const char *name, const struct sp_egress_nets *nets)
{
	char text[64];
	cJSON *list = cJSON_AddArrayToObject(json, name);
	for (size_t i = 0; i < nets->count; i++)
		cJSON_AddItemToArray(
		    list, cJSON_CreateString(sp_egress_book_net_text(&nets->items[i], text, sizeof(text))));
}

void sp_egress_book_save(const struct sp_egress_book *book, struct sp_buf *out)
{
	cJSON *json = cJSON_CreateObject();
	for (int f = SP_FAMILY_IPV4; f <= SP_FAMILY_IPV6; f++) {
		const struct sp_egress_family *family = &book->families[f];
		cJSON *item = cJSON_AddObjectToObject(json, sp_family_name((enum sp_family)f));
		add_nets(item, "hops", &family->hops);
		add_nets(item, "addresses", &family->addresses);
		cJSON_AddBoolToObject(item, "by_hop", family->by_hop);
		cJSON_AddBoolToObject(item, "by_address", family->by_address);
		// What an earlier run counted and this one has not seen yet counts still.
		int64_t foreign_us = family->foreign_us ? family->foreign_us : family->kept_foreign_us;
		if (foreign_us == 0)
			continue;
		add_nets(item, "foreign_hops", &family->foreign_hops);
		add_nets(item, "foreign_addresses", &family->foreign_addresses);
		cJSON_AddNumberToObject(item, "foreign_us", (double)foreign_us);
	}
	char *text = cJSON_PrintUnformatted(json);
	sp_buf_text(out, text ? text : "");
	cJSON_free(text);
	cJSON_Delete(json);
}

static void get_nets(const cJSON *json, const char *name, enum sp_family family, struct sp_egress_nets *out)
{
	const cJSON *item;
	struct sp_egress_net net;
	cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(json, name))
	{
		if (sp_egress_book_parse(&net, cJSON_GetStringValue(item)) && net.family == family)
			sp_egress_book_add(out, &net);
	}
}

void sp_egress_book_load(struct sp_egress_book *book, const char *text)
{
	cJSON *json = cJSON_Parse(text);
	for (int f = SP_FAMILY_IPV4; f <= SP_FAMILY_IPV6; f++) {
		struct sp_egress_family *family = &book->families[f];
		const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, sp_family_name((enum sp_family)f));
		const cJSON *foreign = cJSON_GetObjectItemCaseSensitive(item, "foreign_us");
		get_nets(item, "hops", (enum sp_family)f, &family->hops);
		get_nets(item, "addresses", (enum sp_family)f, &family->addresses);
		family->by_hop = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(item, "by_hop"));
		family->by_address = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(item, "by_address"));
		if (!cJSON_IsNumber(foreign) || !(foreign->valuedouble > 0 && foreign->valuedouble < 9e15))
			continue;
		get_nets(item, "foreign_hops", (enum sp_family)f, &family->foreign_hops);
		get_nets(item, "foreign_addresses", (enum sp_family)f, &family->foreign_addresses);
		// Known, but not confirmed: the first finding of this run says by which door it leaves.
		family->kept_foreign_us = (int64_t)foreign->valuedouble;
	}
	cJSON_Delete(json);
}
