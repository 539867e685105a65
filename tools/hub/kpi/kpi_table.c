// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What every KPI means, once: `schoolpulse-hub kpi --list`, README.md, the API and the evaluation read this.
#include "tools/hub/kpi/kpi.h"

#include <string.h>

#define COVERED   "less than `coverage_percent` of it was measured"
#define SCHOOLS   "every school of the register on that date, with a board or not"
#define UNBOARDED "no board stood there; "

static const struct sp_kpi table[SP_KPIS] = {
    [SP_KPI_FIBRE_SCHOOLS] = {"fibre_schools_ratio",
			      SP_KPI_RULE_UNITS,
			      "school",
			      false,
			      {"Schools on fibre", "Trường có đường truyền cáp quang"},
			      "schools of which a line is fibre by the register with evidence (contract or "
			      "optical reading) and was seen "
			      "up or degraded in the period",
			      SCHOOLS,
			      "a line's medium is not known, or fibre without evidence or never seen up; "
			      "`no` only where the register "
			      "says another medium of every line",
			      "lines of the register on that date; all day, all of the period"},
    [SP_KPI_HIGH_SPEED_SITES] =
	{"high_speed_sites_ratio",
	 SP_KPI_RULE_UNITS,
	 "site",
	 false,
	 {"School sites on high-speed Internet", "Điểm trường có Internet tốc độ cao"},
	 "sites whose median of the period's valid domestic downloads is at least `high_speed_kbps` (with "
	 "`kbps_per_pupil`: so much per pupil above `many_pupils`, if that is more)",
	 "every site of the register on that date, main campuses included, with a board or not",
	 "fewer than `speed_samples` valid domestic downloads",
	 "tests at any time of the period"},
    [SP_KPI_DATA_CONNECTED] =
	{"data_connected_ratio",
	 SP_KPI_RULE_UNITS,
	 "school",
	 false,
	 {"Schools that report to the hub", "Trường có báo cáo về trung tâm"},
	 "schools of which facts are committed on at least `connected_percent` of the school days: a proxy "
	 "for a "
	 "promise about data platforms",
	 SCHOOLS,
	 "there were no school days by the timetable, or days before a board stood there could still decide",
	 "school days: days with lessons or examinations that are over; a fact counts on the day it "
	 "happened"},
    [SP_KPI_DATA_COMPLETENESS] =
	{"data_completeness_ratio",
	 SP_KPI_RULE_VALUE,
	 "school",
	 false,
	 {"Completeness of data", "Mức độ đầy đủ của dữ liệu"},
	 "records committed: sequence numbers issued less those in open, lost and dropped gaps",
	 "sequence numbers that boards issued",
	 "fewer than `coverage_percent` of all schools had a board that issued any",
	 "records by the day they were made; a gap counts on the day of the record before it"},
    [SP_KPI_DATA_TIMELINESS] = {"data_timeliness_ratio",
				SP_KPI_RULE_VALUE,
				"school",
				false,
				{"Timeliness of data", "Mức độ kịp thời của dữ liệu"},
				"facts committed within 15 minutes of happening",
				"facts committed",
				"fewer than `coverage_percent` of all schools had any fact",
				"facts by the day they happened"},
    [SP_KPI_PLATFORM_REACHABLE] = {"platform_reachable_ratio",
				   SP_KPI_RULE_UNITS,
				   "school",
				   false,
				   {"Schools that reach the education platforms",
				    "Trường truy cập được các nền tảng giáo dục"},
				   "schools where the listed platforms answered over HTTPS in at least "
				   "`platform_percent` of the checks",
				   SCHOOLS,
				   "no check was made in school time",
				   "school time, by the minutes that boards report"},
    [SP_KPI_ASSETS_RECORDED] =
	{"assets_recorded_ratio",
	 SP_KPI_RULE_VALUE,
	 "school",
	 false,
	 {"Facilities and equipment on digital records",
	  "Cơ sở vật chất, thiết bị được quản lý bằng hồ sơ số"},
	 "complete register entries, of each school and category at most what it declared",
	 "what schools declared to have",
	 "fewer than `coverage_percent` of all schools declared anything",
	 "the register on that date"},
    [SP_KPI_SMART_CLASSROOM] =
	{"smart_classroom_availability",
	 SP_KPI_RULE_VALUE,
	 "school",
	 false,
	 {"Smart classrooms in working order", "Phòng học thông minh hoạt động tốt"},
	 "classroom minutes of lessons in which every device that the room requires worked",
	 "rated classroom minutes of lessons",
	 COVERED "; nothing reports classrooms to this hub yet",
	 "lessons by the timetable"},
    [SP_KPI_ATTENDANCE_AUTOMATION] = {"attendance_automation_ratio",
				      SP_KPI_RULE_UNITS,
				      "school",
				      false,
				      {"Schools with automatic attendance", "Trường có điểm danh tự động"},
				      "schools with a healthy kiosk (up 80 % of the day's school time) on at "
				      "least `automation_percent` of the "
				      "school days",
				      SCHOOLS,
				      UNBOARDED
				      "no kiosk is known, or days that were not measured could still decide",
				      "school time of school days that are over"},
    [SP_KPI_ONLINE_READY] =
	{"online_ready_ratio",
	 SP_KPI_RULE_UNITS,
	 "school",
	 true,
	 {"Schools whose line carries online teaching (line part only)",
	  "Trường có đường truyền đáp ứng dạy học trực tuyến (chỉ phần đường truyền)"},
	 "schools whose main site has down, up, loss, round trip under load and availability all within the "
	 "`ready_…` thresholds",
	 SCHOOLS,
	 "any of the five is not known and none is bad. It never decides a promise about pupils or teachers",
	 "speed: the period; loss and availability: school time"},
    [SP_KPI_CONTRACT_KEPT] =
	{"contract_kept_ratio",
	 SP_KPI_RULE_UNITS,
	 "pool",
	 false,
	 {"Plans that deliver what was bought", "Gói cước đạt tốc độ đã mua"},
	 "pools of one provider, plan and bought speed with mean down and mean up at least `kept_percent` of "
	 "what was "
	 "bought (QCVN 34:2022/BTTTT)",
	 "pools with lines in the register on that date or tests in the period",
	 "fewer than `contract_samples` valid domestic tests of a direction, or nobody knows what was bought",
	 "tests at any time of the period"},
    [SP_KPI_AVAILABILITY_LESSON] =
	{"availability",
	 SP_KPI_RULE_VALUE,
	 "site",
	 false,
	 {"Sites online in school time", "Điểm trường trực tuyến trong giờ học"},
	 "time up or degraded, of the best line of each site",
	 "that and the time in which it was surely offline, whosever the fault",
	 COVERED,
	 "lessons and examinations by the timetable, without holidays and maintenance"},
    [SP_KPI_AVAILABILITY_CLOCK] = {"availability_clock",
				   SP_KPI_RULE_VALUE,
				   "site",
				   false,
				   {"Sites online around the clock", "Điểm trường trực tuyến suốt ngày đêm"},
				   "time up or degraded, of the best line of each site",
				   "that and the time in which it was surely offline, whosever the fault",
				   COVERED,
				   "around the clock, without maintenance"},
    [SP_KPI_AVAILABILITY_EXAM] = {"availability_exam",
				  SP_KPI_RULE_VALUE,
				  "site",
				  false,
				  {"Sites online during examinations",
				   "Điểm trường trực tuyến trong giờ thi"},
				  "time up or degraded, of the best line of each site",
				  "that and the time in which it was surely offline, whosever the fault",
				  COVERED,
				  "examinations by the timetable"},
    [SP_KPI_AVAILABILITY_PROVIDER] = {"availability_provider",
				      SP_KPI_RULE_VALUE,
				      "site",
				      false,
				      {"Lines available, provider's faults only",
				       "Đường truyền sẵn sàng, chỉ tính lỗi nhà mạng"},
				      "time up or degraded, of every line",
				      "that and the time in which it was down by its provider's fault",
				      COVERED,
				      "around the clock, without maintenance"},
    [SP_KPI_CONNECTIVITY_INDEX] = {"connectivity_index",
				   SP_KPI_RULE_INDEX,
				   "school",
				   false,
				   {"Connectivity index", "Chỉ số kết nối"},
				   "the mean of fibre_schools_ratio, high_speed_sites_ratio, "
				   "data_connected_ratio, data_completeness_ratio and "
				   "availability, each shown",
				   "the five components, weighted alike",
				   "any component has no unit or no measured part; it is never judged",
				   "as of each component"},
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
