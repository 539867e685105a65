// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Kinds of files as tables.
#include "tools/hub/register/kinds.h"

#include <string.h>
#include <strings.h>

static const char *const school_kinds[] = {"preschool",       "primary",  "lower_secondary",
					   "upper_secondary", "combined", "continuing_education",
					   "vocational",      "office",   NULL};
static const char *const media[] = {"fibre", "copper", "mobile", "radio", "satellite", NULL};
static const char *const evidence[] = {"contract", "optical", NULL};
static const char *const time_kinds[] = {"lesson", "exam", NULL};
static const char *const day_kinds[] = {"holiday", "summer", "exam", NULL};
static const char *const scopes[] = {"all", "area", "school", "site", NULL};
static const char *const wide_scopes[] = {"all", "area", "school", "site", "provider", "device", NULL};

#define SCHOOL                                                       \
	{                                                            \
		"school", "mã trường", SP_CELL_LEVEL, true, 64, NULL \
	}
#define SITE                                                            \
	{                                                               \
		"site", "mã điểm trường", SP_CELL_LEVEL, true, 64, NULL \
	}
#define LINE                                                          \
	{                                                             \
		"line", "đường truyền", SP_CELL_LEVEL, true, 64, NULL \
	}
#define DEVICE(m)                                             \
	{                                                     \
		"device", "thiết bị", SP_CELL_ID, m, 32, NULL \
	}
#define SHARD(m)                                              \
	{                                                     \
		"shard", "phân mảnh", SP_CELL_ID, m, 32, NULL \
	}
#define FROM(m)                                              \
	{                                                    \
		"from", "từ ngày", SP_CELL_FROM, m, 32, NULL \
	}
#define TO(m)                                             \
	{                                                 \
		"to", "đến ngày", SP_CELL_TO, m, 32, NULL \
	}
#define ZONE                                                  \
	{                                                     \
		"zone", "vùng", SP_CELL_TEXT, false, 64, NULL \
	}
#define PROVIDER                                                       \
	{                                                              \
		"provider", "nhà mạng", SP_CELL_TEXT, false, 128, NULL \
	}
#define DOWN                                                            \
	{                                                               \
		"down_mbps", "tải xuống", SP_CELL_MBPS, false, 16, NULL \
	}
#define UP                                                          \
	{                                                           \
		"up_mbps", "tải lên", SP_CELL_MBPS, false, 16, NULL \
	}
#define USED                                                                  \
	{                                                                     \
		"timetable", "thời khóa biểu", SP_CELL_TEXT, false, 256, NULL \
	}
#define CODE                                                 \
	{                                                    \
		"code", "mã", SP_CELL_TEXT, false, 600, NULL \
	}
#define SCOPED                                                           \
	{                                                                \
		"site", "mã điểm trường", SP_CELL_LEVEL, false, 64, NULL \
	}
#define NONE (-1)

const struct sp_kind sp_kinds[SP_KINDS] = {
    [SP_KIND_AREAS] = {"areas",
		       {{"tree", "cây", SP_CELL_ID, true, 32, NULL},
			{"area", "mã khu vực", SP_CELL_TEXT, true, 512, NULL},
			{"parent", "trực thuộc", SP_CELL_TEXT, false, 512, NULL},
			{"area_name", "tên khu vực", SP_CELL_TEXT, true, 256, NULL},
			{"area_kind", "cấp", SP_CELL_TEXT, false, 64, NULL}},
		       {SP_REL_AREA, {0, 1, 2, 3, 4}}},
    [SP_KIND_SCHOOLS] = {"schools",
			 {SCHOOL,
			  {"school_name", "tên trường", SP_CELL_TEXT, true, 256, NULL},
			  {"school_kind", "loại trường", SP_CELL_WORD, false, 32, school_kinds},
			  ZONE,
			  {"pupils", "số học sinh", SP_CELL_COUNT, false, 16, NULL}},
			 {SP_REL_SCHOOL, {0, 1, 2, 3, 4}}},
    [SP_KIND_SITES] = {"sites",
		       {SCHOOL,
			SITE,
			{"site_name", "tên điểm trường", SP_CELL_TEXT, false, 256, NULL},
			{"main", "điểm chính", SP_CELL_FLAG, false, 16, NULL},
			ZONE,
			USED,
			{"lat", "vĩ độ", SP_CELL_DEGREES, false, 16, NULL},
			{"lon", "kinh độ", SP_CELL_DEGREES, false, 16, NULL}},
		       {SP_REL_SITE, {0, 1, 2, 3, 4, 5, 6, 7}}},
    [SP_KIND_LINES] = {"lines",
		       {SCHOOL,
			SITE,
			LINE,
			PROVIDER,
			{"plan", "gói cước", SP_CELL_TEXT, false, 128, NULL},
			{"contract_no", "số hợp đồng", SP_CELL_TEXT, false, 128, NULL},
			{"medium", "loại đường truyền", SP_CELL_WORD, false, 16, media},
			{"medium_evidence", "bằng chứng", SP_CELL_WORD, false, 16, evidence},
			DOWN,
			UP},
		       {SP_REL_LINE, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}}},
    [SP_KIND_BOARDS] = {"boards",
			{DEVICE(true), SHARD(true), SCHOOL, SITE, LINE},
			{SP_REL_BOARD, {0, 4, 2, 3, 4, 1}}},
    [SP_KIND_TIMETABLES] = {"timetables",
			    {{"timetable", "thời khóa biểu", SP_CELL_TEXT, true, 256, NULL},
			     {"week", "tuần", SP_CELL_WEEK, true, 256, NULL},
			     {"time_kind", "loại giờ", SP_CELL_WORD, false, 16, time_kinds},
			     FROM(false),
			     TO(false)},
			    {SP_REL_TIMETABLE, {0, 2, 1}}},
    [SP_KIND_CALENDAR] = {"calendar",
			  {{"day_kind", "loại ngày", SP_CELL_WORD, true, 16, day_kinds},
			   {"scope", "phạm vi", SP_CELL_WORD, true, 16, scopes},
			   CODE,
			   SCOPED,
			   {"name", "tên", SP_CELL_TEXT, false, 256, NULL},
			   FROM(true),
			   TO(true)},
			  {SP_REL_HOLIDAY, {1, 2, 3, 0, 4}}},
    [SP_KIND_MAINTENANCE] = {"maintenance",
			     {{"scope", "phạm vi", SP_CELL_WORD, true, 16, wide_scopes},
			      CODE,
			      SCOPED,
			      {"reason", "lý do", SP_CELL_TEXT, true, 256, NULL},
			      FROM(true),
			      TO(true)},
			     {SP_REL_MAINTENANCE, {0, 1, 2, 3}}},
    [SP_KIND_DECLARED] = {"declared",
			  {SCHOOL,
			   {"category", "nhóm", SP_CELL_TEXT, true, 64, NULL},
			   {"declared", "số lượng", SP_CELL_COUNT, true, 16, NULL},
			   FROM(false),
			   TO(false)},
			  {SP_REL_DECLARED, {0, 1, 2}}},
    [SP_KIND_ASSETS] = {"assets",
			{SCHOOL,
			 {"asset", "mã tài sản", SP_CELL_TEXT, true, 64, NULL},
			 {"category", "nhóm", SP_CELL_TEXT, false, 64, NULL},
			 {"model", "kiểu", SP_CELL_TEXT, false, 128, NULL},
			 {"serial", "số sê-ri", SP_CELL_TEXT, false, 128, NULL},
			 {"room", "phòng", SP_CELL_TEXT, false, 128, NULL},
			 {"complete", "đầy đủ", SP_CELL_FLAG, false, 16, NULL},
			 FROM(false),
			 TO(false)},
			{SP_REL_ASSET, {0, 1, 2, 3, 4, 5, 6}}},
    // Its rows are made by all_in_one.c.
    [SP_KIND_REGISTER] = {"register",
			  {{"area", "khu vực", SP_CELL_TEXT, false, 256, NULL},
			   SCHOOL,
			   {"school_name", "tên trường", SP_CELL_TEXT, true, 256, NULL},
			   SITE,
			   {"site_name", "tên điểm trường", SP_CELL_TEXT, false, 256, NULL},
			   LINE,
			   PROVIDER,
			   {"contract", "gói cước", SP_CELL_TEXT, false, 128, NULL},
			   DOWN,
			   UP,
			   ZONE,
			   DEVICE(false),
			   SHARD(false),
			   {"timetable", "thời khóa biểu", SP_CELL_WEEK, false, 256, NULL}},
			  {SP_REL_LINE, {1, 3, 5, 6, 7, NONE, NONE, NONE, 8, 9}}},
};

int sp_kind_find(const char *name)
{
	for (int i = 0; i < SP_KINDS; i++) {
		if (strcmp(sp_kinds[i].name, name) == 0)
			return i;
	}
	return -1;
}

unsigned sp_kind_columns(const struct sp_kind *kind)
{
	unsigned count = 0;
	while (count < SP_KIND_COLUMNS && kind->columns[count].name)
		count++;
	return count;
}

/// Equal but for the case of ASCII letters and of Đ, with which many a header begins.
static bool names(const char *cell, const char *name)
{
	if (strncmp(cell, "Đ", 2) == 0 && strncmp(name, "đ", 2) == 0) {
		cell += 2;
		name += 2;
	}
	return strcasecmp(cell, name) == 0;
}

int sp_kind_column(const struct sp_kind *kind, const char *cell, const char **tree)
{
	static const char *const prefixes[] = {"area:", "khu vực:"};
	*tree = NULL;
	if (kind == &sp_kinds[SP_KIND_SCHOOLS]) {
		for (int i = 0; i < 2; i++) {
			size_t length = strlen(prefixes[i]);
			if (strncasecmp(cell, prefixes[i], length) == 0) {
				*tree = cell + length + strspn(cell + length, " ");
				return -1;
			}
		}
	}
	for (int i = 0; i < SP_KIND_COLUMNS && kind->columns[i].name; i++) {
		if (names(cell, kind->columns[i].name) || names(cell, kind->columns[i].vietnamese))
			return i;
	}
	return -1;
}
