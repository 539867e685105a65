// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Boards out of the register's files, flat or of several kinds.
#include "tests/unit/fleet/fleet_util.h"

#include <unistd.h>

static int parse(struct sp_roster *out, const char *text)
{
	struct sp_config_errors errors = {0};
	*out = (struct sp_roster){0};
	int result = sp_roster_parse(out, "r", text, strlen(text), &errors);
	sp_config_errors_free(&errors);
	return result;
}

static void test_flat(void **state)
{
	struct sp_roster roster;
	(void)state;
	assert_int_equal(
	    parse(&roster, "\xef\xbb\xbf"
			   "device;shard;school;line;area;contract;down_mbps\r\n"
			   "b1;s1;T1;main;Lào Cai/Sa Pa;Gói 1;33,5\r\n;;T2;main;;;\r\nb1;s1;T1;phu;;;\r\n"),
	    0);
	assert_int_equal(roster.count, 1);
	assert_string_equal(roster.boards[0].plan, "Gói 1");
	assert_true(roster.boards[0].down_mbps == 33.5);
	sp_roster_free(&roster);
	assert_int_equal(parse(&roster, "device,shard,school\nB_1,s1,T1\n"), -EINVAL);
	sp_roster_free(&roster);
	assert_int_equal(parse(&roster, "school,name\nT1,a\n"), -EINVAL);
	sp_roster_free(&roster);
}

static void put(const char *folder, const char *name, const char *text)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *file = fopen(path, "we");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void test_folder(void **state)
{
	char folder[] = "/tmp/sp-roster-XXXXXX", command[300];
	static const char *const names[] = {"areas.csv", "boards.csv", "schools.csv", "sites.csv",
					    "lines.csv"};
	struct sp_config_errors errors = {0};
	struct sp_roster roster = {0};
	(void)state;
	assert_non_null(mkdtemp(folder));
	put(folder, names[0],
	    "tree,area,area_name,parent\n2025,44,Quảng Trị,\n2025,44.1,Lệ Thủy,44\nold,31,Quảng Bình,\n");
	put(folder, names[1], "device,shard,school,site,line\nb1,s,T1,chinh,main\nb2,s,T1,le,main\n");
	put(folder, names[2],
	    "school,school_name,school_kind,zone,area:2025,area:old\nT1,A,primary,1,44.1,31\n");
	put(folder, names[3], "school,site,zone\nT1,le,3\n");
	put(folder, names[4],
	    "school,site,line,provider,plan,down_mbps\nT1,le,main,B,P,50\nT1,chinh,main,A,Q,100\n");
	assert_int_equal(sp_roster_read(&roster, folder, &errors), 0);
	assert_int_equal(roster.count, 2);
	assert_string_equal(roster.boards[0].area, "Quảng Trị/Lệ Thủy\nQuảng Bình");
	assert_string_equal(roster.boards[0].provider, "A");
	assert_string_equal(roster.boards[0].zone, "1");
	assert_string_equal(roster.boards[0].kind, "primary");
	assert_string_equal(roster.boards[1].zone, "3");
	assert_true(roster.boards[1].down_mbps == 50);
	sp_roster_free(&roster);
	for (size_t i = 0; i < SP_COUNT(names); i++) {
		snprintf(command, sizeof(command), "%s/%s", folder, names[i]);
		unlink(command);
	}
	rmdir(folder);
}

static void test_written_and_read_again(void **state)
{
	struct sp_roster made, read;
	char *text = NULL;
	size_t length = 0;
	(void)state;
	sp_roster_make(&made, 50, 3);
	FILE *file = open_memstream(&text, &length);
	assert_int_equal(sp_roster_write(&made, file), 0);
	fclose(file);
	assert_int_equal(parse(&read, text), 0);
	assert_int_equal(read.count, 50);
	for (size_t i = 0; i < 50; i++) {
		assert_string_equal(read.boards[i].device, made.boards[i].device);
		assert_string_equal(read.boards[i].area, made.boards[i].area);
		assert_string_equal(read.boards[i].plan, made.boards[i].plan);
	}
	sp_roster_keep_shard(&read, "s2");
	assert_in_range(read.count, 16, 17);
	sp_roster_free(&made);
	sp_roster_free(&read);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_flat),
	    cmocka_unit_test(test_folder),
	    cmocka_unit_test(test_written_and_read_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
