// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Boards that nobody has: a country of equal provinces, and its register as the hub imports it.
#include <errno.h>
#include <string.h>

#include "agent/base/mem.h"
#include "tools/fleet/roster.h"

enum { SCHOOLS_A_COMMUNE = 10, COMMUNES_A_PROVINCE = 60 };

static const struct {
	const char *name, *plan;
	double down, up;
} providers[] = {
    {"Nhà mạng A", "Cáp quang 100", 100, 100},
    {"Nhà mạng B", "Cáp quang 200", 200, 100},
    {"Nhà mạng C", "Cáp quang 50", 50, 50},
};
static const struct {
	const char *kind, *name;
} kinds[] = {
    {"preschool", "Trường Mầm non số"},
    {"primary", "Trường Tiểu học số"},
    {"lower_secondary", "Trường THCS số"},
};

void sp_roster_make(struct sp_roster *out, size_t boards, size_t shards)
{
	*out = (struct sp_roster){.boards = sp_alloc((boards + 1) * sizeof(*out->boards)), .count = boards};
	for (size_t i = 0; i < boards; i++) {
		size_t commune = i / SCHOOLS_A_COMMUNE, province = commune / COMMUNES_A_PROVINCE;
		size_t provider = (i / 3) % SP_COUNT(providers), kind = i % SP_COUNT(kinds);
		out->boards[i] = (struct sp_roster_board){
		    .device = sp_asprintf("board-%05zu", i + 1),
		    .shard = shards > 1 ? sp_asprintf("s%zu", i * shards / boards + 1) : sp_strdup("default"),
		    .area = sp_asprintf("Tỉnh %zu/Xã %zu", province + 1, commune % COMMUNES_A_PROVINCE + 1),
		    .school = sp_asprintf("T%05zu", i + 1),
		    .school_name = sp_asprintf("%s %zu", kinds[kind].name, i + 1),
		    .kind = sp_strdup(kinds[kind].kind),
		    .site = sp_strdup("chinh"),
		    .line = sp_strdup("main"),
		    .provider = sp_strdup(providers[provider].name),
		    .plan = sp_strdup(providers[provider].plan),
		    .zone = sp_asprintf("%zu", i % 3 + 1),
		    .down_mbps = providers[provider].down,
		    .up_mbps = providers[provider].up,
		};
	}
}

int sp_roster_write(const struct sp_roster *roster, FILE *file)
{
	fputs("area,school,school_name,site,line,provider,contract,zone,timetable,down_mbps,up_mbps,device,"
	      "shard\n",
	      file);
	for (size_t i = 0; i < roster->count; i++) {
		const struct sp_roster_board *b = &roster->boards[i];
		fprintf(file, "\"%s\",%s,\"%s\",%s,%s,\"%s\",\"%s\",%s,mon-fri 07:00-17:00,%g,%g,%s,%s\n",
			b->area, b->school, b->school_name, b->site, b->line, b->provider, b->plan, b->zone,
			b->down_mbps, b->up_mbps, b->device, b->shard);
	}
	return fflush(file) == 0 && !ferror(file) ? 0 : -EIO;
}
