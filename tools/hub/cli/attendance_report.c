// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Attendance as a table for people, and as the API's JSON.
#include "tools/hub/cli/cli.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "schoolpulse/clock.h"
#include "tools/hub/serve/api.h"
#include "tools/hub/serve/api_attendance.h"
#include "tools/hub/figures/automation.h"
#include "tools/hub/text/columns.h"
#include "tools/hub/time/local_time.h"

struct request {
	const char *school;
	struct sp_period period;
	bool json;
};

// ---- tables -------------------------------------------------------------------------------------------

/// "412", or "-" for what is not known or kept back. `out` is returned.
static const char *number(int64_t value, char out[24])
{
	snprintf(out, 24, value < 0 ? "-" : "%" PRId64, value);
	return out;
}

static const char *share(int64_t part, int64_t whole, char out[24])
{
	if (part < 0 || whole <= 0)
		snprintf(out, 24, "-");
	else
		snprintf(out, 24, "%.1f", 100.0 * (double)part / (double)whole);
	return out;
}

static void print_details(const struct sp_attendance_day *day)
{
	char persons[24];
	for (size_t i = 0; i < day->group_count; i++)
		printf("    %-*s %8s\n", sp_columns(40, day->groups[i].name), day->groups[i].name,
		       number(day->groups[i].persons, persons));
	if (day->withheld > 0)
		printf("    %" PRId64 " groups are kept back\n", day->withheld);
	if (day->point_count > 0)
		printf("    came by ");
	for (size_t i = 0; i < day->point_count; i++)
		printf("%s%02d:%02d %" PRId64, i ? ", " : "", day->points[i].minute / 60,
		       day->points[i].minute % 60, day->points[i].persons);
	if (day->point_count > 0)
		puts("");
	if (day->unplaced > 0)
		printf("    %" PRId64 " of %" PRId64 " events have no believable time\n", day->unplaced,
		       day->events);
}

static void day_row(void *arg, const struct sp_attendance_view *view)
{
	const struct request *request = arg;
	const struct sp_attendance_day *day = view->figures;
	char date[SP_LOCAL_TIME_SIZE], begin[8] = "-", persons[24], on_time[24], ratio[24];
	if (day->begin_minute >= 0)
		snprintf(begin, sizeof(begin), "%02d:%02d", day->begin_minute / 60 % 100,
			 day->begin_minute % 60);
	printf("%s  %-12s %-*s %-7s %7s %8s %8s %6s\n", sp_local_date(sp_local_day_ms(view->day), date),
	       view->school, sp_columns(32, view->school_name), view->school_name,
	       sp_attendance_basis_name(day->basis), begin, number(day->persons, persons),
	       number(day->on_time, on_time), share(day->on_time, day->persons, ratio));
	if (request->school)
		print_details(day);
}

static void print_gaps(const struct sp_kiosk_view *view)
{
	char from[SP_LOCAL_TIME_SIZE], to[SP_LOCAL_TIME_SIZE];
	for (size_t i = 0; i < view->gap_count; i++) {
		const struct sp_kiosk_gap *gap = &view->gaps[i];
		printf("    %.16s to %.16s  %-8s %s%s%s\n", sp_local_time(gap->from_ms, from),
		       sp_local_time(gap->to_ms, to), sp_line_state_name(gap->state), gap->cause,
		       gap->detail[0] ? ": " : "", gap->detail);
	}
}

static void kiosk_row(void *arg, const struct sp_kiosk_view *view)
{
	const struct request *request = arg;
	char up[24], counted[24], taken[24], arrived[24];
	bool totals = view->total_days > 0;
	printf("%-12s %-20s %-*s %-11s %-8s %8s %9s %9s %9s\n", view->school, view->device,
	       sp_columns(24, view->kiosk), view->kiosk, view->driver, sp_line_state_name(view->state),
	       share(view->scheduled_ms > 0 ? view->up_ms : -1, view->scheduled_ms, up),
	       number(totals ? view->counted : -1, counted), number(totals ? view->taken : -1, taken),
	       number(totals ? view->arrived : -1, arrived));
	if (request->school)
		print_gaps(view);
}

static int64_t units[3];

static void school_row(void *arg, const struct sp_automation_view *view)
{
	const struct request *request = arg;
	units[view->unit]++;
	if (request->school)
		printf("\nAttendance at %s is automatic: %s%s%s (%" PRId64 " of %" PRId64
		       " school days; %" PRId64 " not, %" PRId64 " unknown)\n",
		       view->school, sp_unit_name(view->unit), view->reason[0] ? ", " : "", view->reason,
		       view->yes, view->days, view->no, view->unknown);
}

static int print_tables(struct sp_store *store, struct request *request)
{
	const struct sp_attendance_filter days = {request->school, sp_local_day(request->period.from_ms),
						  sp_local_day(request->period.to_ms - 1) + 1,
						  request->school != NULL};
	const struct sp_kiosk_filter kiosks = {request->school, request->period.from_ms,
					       request->period.to_ms};
	printf("%-10s  %-12s %-32s %-7s %7s %8s %8s %6s\n", "DAY", "SCHOOL", "NAME", "BY", "LESSONS",
	       "PERSONS", "ON TIME", "%");
	int result = sp_store_attendance(store, &days, day_row, request);
	printf("\n%-12s %-20s %-24s %-11s %-8s %8s %9s %9s %9s\n", "SCHOOL", "BOARD", "KIOSK", "DRIVER",
	       "NOW", "% UP", "COUNTED", "TAKEN", "ARRIVED");
	memset(units, 0, sizeof(units));
	if (result == 0)
		result = sp_store_kiosks(store, &kiosks, kiosk_row, school_row, request);
	if (result == 0) {
		int64_t total = units[SP_UNIT_YES] + units[SP_UNIT_NO] + units[SP_UNIT_UNKNOWN];
		char ratio[24];
		printf("\nattendance_automation_ratio: %s %% (%" PRId64 " yes, %" PRId64 " no, %" PRId64
		       " unknown of %" PRId64 " schools)\n",
		       share(units[SP_UNIT_YES], total, ratio), units[SP_UNIT_YES], units[SP_UNIT_NO],
		       units[SP_UNIT_UNKNOWN], total);
		if (request->school && total == 0)
			fprintf(stderr, "schoolpulse-hub: the register has no school %s\n", request->school);
	}
	return result;
}

// ---- JSON ---------------------------------------------------------------------------------------------

static int print_json(struct sp_store *store, const struct request *request)
{
	struct sp_buf attendance = SP_BUF(SP_API_MAX), kiosks = SP_BUF(SP_API_MAX);
	int result = sp_api_attendance(store, request->school, &request->period, &attendance);
	if (result == 0)
		result = sp_api_kiosks(store, request->school, &request->period, &kiosks);
	if (result == 0 && (attendance.overflowed || kiosks.overflowed))
		result = -EMSGSIZE;
	if (result == 0)
		printf("{\"attendance\":%s,\n\"kiosks\":%s}\n", attendance.data, kiosks.data);
	sp_buf_free(&attendance);
	sp_buf_free(&kiosks);
	return result;
}

// ---- either -------------------------------------------------------------------------------------------

static int report(struct sp_store *store, void *arg)
{
	struct request *request = arg;
	return request->json ? print_json(store, request) : print_tables(store, request);
}

int sp_attendance_report(const struct sp_hub_config *config, int argc, char **argv)
{
	static const struct option options[] = {{"school", required_argument, NULL, 's'},
						{"from", required_argument, NULL, 'f'},
						{"to", required_argument, NULL, 't'},
						{"json", no_argument, NULL, 'j'},
						{0}};
	struct request request = {0};
	const char *from = NULL, *to = NULL;
	char why[SP_PERIOD_WHY];
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (c) {
		case 's':
			request.school = optarg;
			break;
		case 'f':
			from = optarg;
			break;
		case 't':
			to = optarg;
			break;
		case 'j':
			request.json = true;
			break;
		default:
			return SP_EXIT_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "schoolpulse-hub: attendance: what is %s\n", argv[optind]);
		return SP_EXIT_USAGE;
	}
	if (sp_period_parse(&request.period, from, to, sp_clock_now().wall_ms, why) < 0) {
		fprintf(stderr, "schoolpulse-hub: attendance: %s\n", why);
		return SP_EXIT_USAGE;
	}
	return sp_cli_answer(config, report, &request);
}
