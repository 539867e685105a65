// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What every KPI means, once: `schoolpulse-hub kpi --list`, README.md, the API and the evaluation read this.
#include "tools/hub/kpi/kpi.h"

#include <string.h>

#include "agent/base/language.h"

static const struct sp_kpi table[SP_KPIS] = {
    [SP_KPI_FIBRE_SCHOOLS] = {"fibre_schools_ratio",
			      SP_KPI_RULE_UNITS,
			      "school",
			      false,
			      {"Schools on fibre", "Trường có đường truyền cáp quang"},
			      N_("schools of which a line is fibre by the register with evidence (contract "
				 "or optical reading) and was seen up or degraded in the period"),
			      N_("every school of the register on that date, with a board or not"),
			      N_("a line's medium is not known, or fibre without evidence or never seen up; "
				 "`no` only where the register says another medium of every line"),
			      N_("lines of the register on that date; all day, all of the period")},
    [SP_KPI_HIGH_SPEED_SITES] =
	{"high_speed_sites_ratio",
	 SP_KPI_RULE_UNITS,
	 "site",
	 false,
	 {"School sites on high-speed Internet", "Điểm trường có Internet tốc độ cao"},
	 N_("sites whose median of the period's valid domestic downloads is at least `high_speed_kbps` (with "
	    "`kbps_per_pupil`: so much per pupil above `many_pupils`, if that is more)"),
	 N_("every site of the register on that date, main campuses included, with a board or not"),
	 N_("fewer than `speed_samples` valid domestic downloads"),
	 N_("tests at any time of the period")},
    [SP_KPI_DATA_CONNECTED] = {"data_connected_ratio",
			       SP_KPI_RULE_UNITS,
			       "school",
			       false,
			       {"Schools that report to the hub", "Trường có báo cáo về trung tâm"},
			       N_("schools of which facts are committed on at least `connected_percent` of "
				  "the school days: a proxy for a promise about data platforms"),
			       N_("every school of the register on that date, with a board or not"),
			       N_("there were no school days by the timetable, or days before a board stood "
				  "there could still decide"),
			       N_("school days: days with lessons or examinations that are over; a fact "
				  "counts on the day it happened")},
    [SP_KPI_DATA_COMPLETENESS] =
	{"data_completeness_ratio",
	 SP_KPI_RULE_VALUE,
	 "school",
	 false,
	 {"Completeness of data", "Mức độ đầy đủ của dữ liệu"},
	 N_("records committed: sequence numbers issued less those in open, lost and dropped gaps"),
	 N_("sequence numbers that boards issued"),
	 N_("fewer than `coverage_percent` of all schools had a board that issued any"),
	 N_("records by the day they were made; a gap counts on the day of the record before it")},
    [SP_KPI_DATA_TIMELINESS] = {"data_timeliness_ratio",
				SP_KPI_RULE_VALUE,
				"school",
				false,
				{"Timeliness of data", "Mức độ kịp thời của dữ liệu"},
				N_("facts committed within 15 minutes of happening"),
				N_("facts committed"),
				N_("fewer than `coverage_percent` of all schools had any fact"),
				N_("facts by the day they happened")},
    [SP_KPI_PLATFORM_REACHABLE] = {"platform_reachable_ratio",
				   SP_KPI_RULE_UNITS,
				   "school",
				   false,
				   {"Schools that reach the education platforms",
				    "Trường truy cập được các nền tảng giáo dục"},
				   N_("schools where the listed platforms answered over HTTPS in at least "
				      "`platform_percent` of the checks"),
				   N_("every school of the register on that date, with a board or not"),
				   N_("no check was made in school time"),
				   N_("school time, by the minutes that boards report")},
    [SP_KPI_ASSETS_RECORDED] =
	{"assets_recorded_ratio",
	 SP_KPI_RULE_VALUE,
	 "school",
	 false,
	 {"Facilities and equipment on digital records",
	  "Cơ sở vật chất, thiết bị được quản lý bằng hồ sơ số"},
	 N_("complete register entries, of each school and category at most what it declared"),
	 N_("what schools declared to have"),
	 N_("fewer than `coverage_percent` of all schools declared anything"),
	 N_("the register on that date")},
    [SP_KPI_SMART_CLASSROOM] =
	{"smart_classroom_availability",
	 SP_KPI_RULE_VALUE,
	 "school",
	 false,
	 {"Smart classrooms in working order", "Phòng học thông minh hoạt động tốt"},
	 N_("classroom minutes of lessons in which every device that the room requires worked"),
	 N_("rated classroom minutes of lessons"),
	 N_("less than `coverage_percent` of it was measured; nothing reports classrooms to this hub yet"),
	 N_("lessons by the timetable")},
    [SP_KPI_ATTENDANCE_AUTOMATION] =
	{"attendance_automation_ratio",
	 SP_KPI_RULE_UNITS,
	 "school",
	 false,
	 {"Schools with automatic attendance", "Trường có điểm danh tự động"},
	 N_("schools with a healthy kiosk (up 80 % of the day's school time) on at least "
	    "`automation_percent` of the school days"),
	 N_("every school of the register on that date, with a board or not"),
	 N_("no board stood there; no kiosk is known, or days that were not measured could still decide"),
	 N_("school time of school days that are over")},
    [SP_KPI_ONLINE_READY] = {"online_ready_ratio",
			     SP_KPI_RULE_UNITS,
			     "school",
			     true,
			     {"Schools whose line carries online teaching (line part only)",
			      "Trường có đường truyền đáp ứng dạy học trực tuyến (chỉ phần đường truyền)"},
			     N_("schools whose main site has down, up, loss, round trip under load and "
				"availability all within the `ready_…` thresholds"),
			     N_("every school of the register on that date, with a board or not"),
			     N_("any of the five is not known and none is bad. It never decides a promise "
				"about pupils or teachers"),
			     N_("speed: the period; loss and availability: school time")},
    [SP_KPI_CONTRACT_KEPT] = {"contract_kept_ratio",
			      SP_KPI_RULE_UNITS,
			      "pool",
			      false,
			      {"Plans that deliver what was bought", "Gói cước đạt tốc độ đã mua"},
			      N_("pools of one provider, plan and bought speed with mean down and mean up at "
				 "least `kept_percent` of what was bought (QCVN 34:2022/BTTTT)"),
			      N_("pools with lines in the register on that date or tests in the period"),
			      N_("fewer than `contract_samples` valid domestic tests of a direction, or "
				 "nobody knows what was bought"),
			      N_("tests at any time of the period")},
    [SP_KPI_AVAILABILITY_LESSON] =
	{"availability",
	 SP_KPI_RULE_VALUE,
	 "site",
	 false,
	 {"Sites online in school time", "Điểm trường trực tuyến trong giờ học"},
	 N_("time up or degraded, of the best line of each site"),
	 N_("that and the time in which it was surely offline, whosever the fault"),
	 N_("less than `coverage_percent` of it was measured"),
	 N_("lessons and examinations by the timetable, without holidays and maintenance")},
    [SP_KPI_AVAILABILITY_CLOCK] = {"availability_clock",
				   SP_KPI_RULE_VALUE,
				   "site",
				   false,
				   {"Sites online around the clock", "Điểm trường trực tuyến suốt ngày đêm"},
				   N_("time up or degraded, of the best line of each site"),
				   N_("that and the time in which it was surely offline, whosever the fault"),
				   N_("less than `coverage_percent` of it was measured"),
				   N_("around the clock, without maintenance")},
    [SP_KPI_AVAILABILITY_EXAM] = {"availability_exam",
				  SP_KPI_RULE_VALUE,
				  "site",
				  false,
				  {"Sites online during examinations",
				   "Điểm trường trực tuyến trong giờ thi"},
				  N_("time up or degraded, of the best line of each site"),
				  N_("that and the time in which it was surely offline, whosever the fault"),
				  N_("less than `coverage_percent` of it was measured"),
				  N_("examinations by the timetable")},
    [SP_KPI_AVAILABILITY_PROVIDER] = {"availability_provider",
				      SP_KPI_RULE_VALUE,
				      "site",
				      false,
				      {"Lines available, provider's faults only",
				       "Đường truyền sẵn sàng, chỉ tính lỗi nhà mạng"},
				      N_("time up or degraded, of every line"),
				      N_("that and the time in which it was down by its provider's fault"),
				      N_("less than `coverage_percent` of it was measured"),
				      N_("around the clock, without maintenance")},
    [SP_KPI_CONNECTIVITY_INDEX] =
	{"connectivity_index",
	 SP_KPI_RULE_INDEX,
	 "school",
	 false,
	 {"Connectivity index", "Chỉ số kết nối"},
	 N_("the mean of fibre_schools_ratio, high_speed_sites_ratio, data_connected_ratio, "
	    "data_completeness_ratio and availability, each shown"),
	 N_("the five components, weighted alike"),
	 N_("any component has no unit or no measured part; it is never judged"),
	 N_("as of each component")},
};

const struct sp_kpi *sp_kpi(enum sp_kpi_id id)
{
	return &table[id];
}

int sp_kpi_find(const char *name)
{
	for (int i = 0; i < SP_KPIS; i++) {
		if (strcmp(table[i].name, name) == 0)
			return i;
	}
	return -1;
}
