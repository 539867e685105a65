// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Reads plan files.
#include "tools/hub/kpi/plan.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/buf.h"
#include "agent/base/mem.h"
#include "tools/hub/time/local_time.h"

enum { PATH_LENGTH = 4096, TEXT_MAX = 600, ID_MAX = 64, IDS_MAX = 4000 };
#define ENDING ".plan"

const char *sp_promise_kind_name(enum sp_promise_kind kind)
{
	static const char *const names[] = {"target", "claim", "task"};
	return names[kind];
}

int sp_percent_parse(const char *text, int64_t *out)
{
	int64_t whole = 0, scale = SP_KPI_ONE / 100;
	size_t digits = 0;
	for (; isdigit((unsigned char)*text) && digits < 3; text++, digits++)
		whole = whole * 10 + (*text - '0');
	if (digits == 0)
		return -EINVAL;
	*out = whole * scale;
	if (*text == '.' || *text == ',') {
		for (text++; isdigit((unsigned char)*text) && scale > 1; text++) {
			scale /= 10;
			*out += (*text - '0') * scale;
		}
	}
	return *text == '\0' && *out <= SP_KPI_ONE ? 0 : -EINVAL;
}

// ---- the file's tables -------------------------------------------------------------------------------

struct head {
	char *id, *source, *source_vi, *issued, *due, *title, *title_vi, *issuer, *issuer_vi;
};
#define AT(member) offsetof(struct head, member)
static const struct sp_option head_options[] = {
    {"id", SP_OPTION_STRING, NULL, 1, ID_MAX, AT(id), NULL, "The plan's name, as the file's"},
    {"title", SP_OPTION_STRING, NULL, 1, TEXT_MAX, AT(title), NULL, "What it is, in English"},
    {"title_vi", SP_OPTION_STRING, NULL, 1, TEXT_MAX, AT(title_vi), NULL, "What it is, in Vietnamese"},
    {"issuer", SP_OPTION_STRING, NULL, 1, TEXT_MAX, AT(issuer), NULL, "Who made it, in English"},
    {"issuer_vi", SP_OPTION_STRING, NULL, 1, TEXT_MAX, AT(issuer_vi), NULL, "Who made it, in Vietnamese"},
    {"source", SP_OPTION_STRING, NULL, 1, TEXT_MAX, AT(source), NULL, "The document"},
    {"source_vi", SP_OPTION_STRING, "", 0, TEXT_MAX, AT(source_vi), NULL, "The same in Vietnamese"},
    {"issued", SP_OPTION_STRING, "", 0, 10, AT(issued), NULL, "Its date, or year"},
    {"due", SP_OPTION_STRING, "", 0, 10, AT(due), NULL, "The day by which targets are to be reached"},
    {.key = NULL},
};
#undef AT

struct promise {
	int kind;
	char *kpi, *target, *text, *text_vi, *answer, *answer_vi;
	struct sp_strings zones, school_kinds;
};
#define AT(member) offsetof(struct promise, member)
static const struct sp_option promise_options[] = {
    {"kind", SP_OPTION_ENUM, NULL, 0, 0, AT(kind), "target claim task",
     "To be reached, reported, or to be done"},
    {"kpi", SP_OPTION_STRING, "", 0, 64, AT(kpi), NULL, "The KPI that measures it; none: not measured"},
    {"target_percent", SP_OPTION_STRING, "", 0, 16, AT(target), NULL,
     "What was promised, up to four decimals"},
    {"zone_targets", SP_OPTION_LIST, "", 0, SP_PLAN_ZONES_MAX, AT(zones), NULL,
     "Other targets in single zones, as 'difficult 35'"},
    {"school_kinds", SP_OPTION_LIST, "", 0, 16, AT(school_kinds), NULL, "Only schools of these kinds count"},
    {"text", SP_OPTION_STRING, NULL, 1, TEXT_MAX, AT(text), NULL, "The promise, in English"},
    {"text_vi", SP_OPTION_STRING, NULL, 1, TEXT_MAX, AT(text_vi), NULL, "The promise, in Vietnamese"},
    {"answer", SP_OPTION_STRING, "", 0, TEXT_MAX, AT(answer), NULL, "What speaks of it besides, in English"},
    {"answer_vi", SP_OPTION_STRING, "", 0, TEXT_MAX, AT(answer_vi), NULL, "The same in Vietnamese"},
    {.key = NULL},
};
#undef AT

struct thresholds {
	int64_t high, per_pupil, many, samples, contract_samples, ready_down, ready_up, ready_loaded_ms;
	char *connected, *platform, *automation, *availability, *coverage, *kept, *loss, *ready_availability;
};
#define AT(member) offsetof(struct thresholds, member)
static const struct sp_option threshold_options[] = {
    {"high_speed_kbps", SP_OPTION_INT, "20000", 1, 100000000, AT(high), NULL,
     "Download of a high-speed site (ITU/UN target for 2030: 20 Mbit/s a school)"},
    {"kbps_per_pupil", SP_OPTION_INT, "0", 0, 100000, AT(per_pupil), NULL,
     "Download for each pupil of a large school (the same source: 50); 0: not asked"},
    {"many_pupils", SP_OPTION_INT, "400", 0, 100000, AT(many), NULL, "Above it a school is large"},
    {"speed_samples", SP_OPTION_INT, "20", 1, 100000, AT(samples), NULL,
     "Tests from which a site's speed is rated"},
    {"contract_samples", SP_OPTION_INT, "1000", 1, 10000000, AT(contract_samples), NULL,
     "Tests of each direction from which a plan is rated (QCVN 34:2022/BTTTT)"},
    {"kept_percent", SP_OPTION_STRING, "80", 1, 16, AT(kept), NULL,
     "Of the speed that was bought, what the mean has to reach (QCVN 34:2022/BTTTT)"},
    {"connected_percent", SP_OPTION_STRING, "90", 1, 16, AT(connected), NULL, "Of school days, with facts"},
    {"platform_percent", SP_OPTION_STRING, "99", 1, 16, AT(platform), NULL, "Of checks, answered"},
    {"automation_percent", SP_OPTION_STRING, "90", 1, 16, AT(automation), NULL,
     "Of school days, with a healthy kiosk"},
    {"availability_percent", SP_OPTION_STRING, "99.5", 1, 16, AT(availability), NULL,
     "Availability of an available site (QCVN 34:2019/BTTTT, the 2019 edition)"},
    {"coverage_percent", SP_OPTION_STRING, "90", 1, 16, AT(coverage), NULL,
     "Measured share from which a value is rated"},
    {"ready_down_kbps", SP_OPTION_INT, "10000", 1, 100000000, AT(ready_down), NULL,
     "Download for online teaching"},
    {"ready_up_kbps", SP_OPTION_INT, "2000", 1, 100000000, AT(ready_up), NULL, "Upload for online teaching"},
    {"ready_loss_percent", SP_OPTION_STRING, "1", 1, 16, AT(loss), NULL, "Loss that online teaching bears"},
    {"ready_loaded_rtt_ms", SP_OPTION_INT, "150", 1, 100000, AT(ready_loaded_ms), NULL,
     "Round trip under load that online teaching bears"},
    {"ready_availability_percent", SP_OPTION_STRING, "99", 1, 16, AT(ready_availability), NULL,
     "Availability in school time for online teaching"},
    {.key = NULL},
};
#undef AT

// ---- values ------------------------------------------------------------------------------------------

struct reader {
	const struct sp_config *config;
	struct sp_config_errors *errors;
};

static unsigned line_of(const struct sp_config_section *section, const char *key)
{
	for (size_t i = 0; section && i < section->count; i++) {
		if (strcmp(section->entries[i].key, key) == 0)
			return section->entries[i].line;
	}
	return section ? section->line : 0;
}

static void percent(const struct reader *reader, const struct sp_config_section *section, const char *key,
		    const char *text, int64_t *out)
{
	if (sp_percent_parse(text, out) < 0)
		sp_config_error(reader->errors, reader->config->file, line_of(section, key),
				"%s = %.32s: must be a percentage from 0 to 100", key, text);
}

/// Takes the string out of a table's result.
static char *take(char **text)
{
	char *taken = *text ? *text : sp_strdup("");
	*text = NULL;
	return taken;
}

static void check_date(const struct reader *reader, const struct sp_config_section *section, const char *key,
		       const char *text, bool year_too)
{
	int64_t ms;
	bool year = year_too && strlen(text) == 4 && strspn(text, "0123456789") == 4;
	if (text[0] && !year && !sp_local_date_parse(text, &ms))
		sp_config_error(reader->errors, reader->config->file, line_of(section, key),
				"%s = %.32s: must be a day like 2025-12-31", key, text);
}

static void read_head(const struct reader *reader, struct sp_plan *plan)
{
	struct head head = {0};
	const struct sp_config_section *section = sp_config_find(reader->config, "plan", "");
	if (!section)
		sp_config_error(reader->errors, reader->config->file, 0, "there is no section [plan]");
	else if (sp_options_apply(head_options, NULL, reader->config, section, &head, reader->errors) == 0) {
		check_date(reader, section, "issued", head.issued, true);
		check_date(reader, section, "due", head.due, false);
	}
	plan->id = take(&head.id);
	plan->source = take(&head.source);
	plan->source_vi = take(&head.source_vi);
	plan->issued = take(&head.issued);
	plan->due = take(&head.due);
	plan->title[0] = take(&head.title);
	plan->title[1] = take(&head.title_vi);
	plan->issuer[0] = take(&head.issuer);
	plan->issuer[1] = take(&head.issuer_vi);
	sp_options_free(head_options, &head);
}

static void read_thresholds(const struct reader *reader, struct sp_plan_thresholds *out)
{
	struct thresholds t = {0};
	const struct sp_config_section *section = sp_config_find(reader->config, "thresholds", "");
	if (sp_options_apply(threshold_options, NULL, reader->config, section, &t, reader->errors) == 0) {
		out->speed = (struct sp_kpi_speed_rules){t.high, t.per_pupil, t.many, t.samples};
		out->contract_samples = t.contract_samples;
		out->ready.down_kbps = t.ready_down;
		out->ready.up_kbps = t.ready_up;
		out->ready.loaded_us = t.ready_loaded_ms * 1000;
		percent(reader, section, "connected_percent", t.connected, &out->connected);
		percent(reader, section, "platform_percent", t.platform, &out->platform);
		percent(reader, section, "automation_percent", t.automation, &out->automation);
		percent(reader, section, "availability_percent", t.availability, &out->availability);
		percent(reader, section, "coverage_percent", t.coverage, &out->coverage);
		percent(reader, section, "kept_percent", t.kept, &out->kept);
		percent(reader, section, "ready_loss_percent", t.loss, &out->ready.loss);
		percent(reader, section, "ready_availability_percent", t.ready_availability,
			&out->ready.availability);
		out->ready.coverage = out->coverage;
	}
	sp_options_free(threshold_options, &t);
}

/// "difficult 35"
static void zone_target(const struct reader *reader, const struct sp_config_section *section,
			const char *text, struct sp_promise *out)
{
	struct sp_zone_target *zone = &out->zones[out->zone_count];
	const char *space = strrchr(text, ' ');
	size_t length = space ? (size_t)(space - text) : 0;
	while (length > 0 && text[length - 1] == ' ')
		length--;
	if (length == 0 || length > ID_MAX || sp_percent_parse(space + 1, &zone->target) < 0) {
		sp_config_error(reader->errors, reader->config->file, line_of(section, "zone_targets"),
				"zone_targets: '%.64s': must be a zone and a percentage, as 'difficult 35'",
				text);
		return;
	}
	zone->zone = sp_asprintf("%.*s", (int)length, text);
	for (size_t i = 0; i < out->zone_count; i++) {
		if (strcmp(out->zones[i].zone, zone->zone) == 0)
			sp_config_error(reader->errors, reader->config->file,
					line_of(section, "zone_targets"),
					"zone_targets: '%s' stands there twice", zone->zone);
	}
	out->zone_count++;
}

static void read_kpi(const struct reader *reader, const struct sp_config_section *section, const char *name,
		     struct sp_promise *out)
{
	const char *names[SP_KPIS], *meant;
	out->kpi = name[0] ? sp_kpi_find(name) : -1;
	if (!name[0] || out->kpi >= 0)
		return;
	for (int i = 0; i < SP_KPIS; i++)
		names[i] = sp_kpi((enum sp_kpi_id)i)->name;
	meant = sp_config_suggest(name, names, SP_KPIS);
	sp_config_error(reader->errors, reader->config->file, line_of(section, "kpi"),
			"kpi = %.64s: there is no such KPI%s%s%s", name, meant ? "; did you mean " : "",
			meant ? meant : "", meant ? "?" : "");
}

/// What single keys do not show.
static void check_promise(const struct reader *reader, const struct sp_config_section *section,
			  const struct sp_promise *promise)
{
	const char *fault = NULL;
	bool index = promise->kpi >= 0 && sp_kpi((enum sp_kpi_id)promise->kpi)->rule == SP_KPI_RULE_INDEX;
	if (promise->kpi < 0 && (promise->target >= 0 || promise->zone_count) && !promise->answer[0][0])
		fault = "a target without a kpi needs an answer: what speaks of it";
	else if (promise->kpi < 0 && !promise->answer[0][0])
		fault = "neither a kpi nor an answer: what speaks of it?";
	else if (promise->kpi >= 0 && promise->kind != SP_PROMISE_TASK && promise->target < 0)
		fault = "target_percent is missing";
	else if (promise->kind == SP_PROMISE_TASK && (promise->target >= 0 || promise->zone_count))
		fault = "a task has no target";
	else if (index && promise->kind != SP_PROMISE_TASK)
		fault = "an index is never judged: it can only be a task";
	else if (!promise->answer[0][0] != !promise->answer[1][0])
		fault = "answer and answer_vi go together";
	if (fault)
		sp_config_error(reader->errors, reader->config->file, section->line, "[promise \"%s\"] %s",
				section->instance, fault);
}

static void read_promise(const struct reader *reader, const struct sp_config_section *section,
			 struct sp_promise *out)
{
	struct promise p = {0};
	*out = (struct sp_promise){.id = sp_strdup(section->instance), .kpi = -1, .target = SP_KPI_UNKNOWN};
	bool good = sp_options_apply(promise_options, NULL, reader->config, section, &p, reader->errors) == 0;
	if (good) {
		out->kind = (enum sp_promise_kind)p.kind;
		read_kpi(reader, section, p.kpi, out);
		if (p.target[0])
			percent(reader, section, "target_percent", p.target, &out->target);
		for (size_t i = 0; i < p.zones.count; i++)
			zone_target(reader, section, p.zones.items[i], out);
		out->school_kinds = p.school_kinds;
		p.school_kinds = (struct sp_strings){0};
	}
	out->text[0] = take(&p.text);
	out->text[1] = take(&p.text_vi);
	out->answer[0] = take(&p.answer);
	out->answer[1] = take(&p.answer_vi);
	sp_options_free(promise_options, &p);
	if (good)
		check_promise(reader, section, out);
}

// ---- the file ----------------------------------------------------------------------------------------

static void read_sections(const struct reader *reader, struct sp_plan *plan)
{
	static const char *const known[] = {"plan", "thresholds", "promise"};
	const struct sp_config *config = reader->config;
	plan->promises = sp_alloc((config->count + 1) * sizeof(*plan->promises));
	for (size_t i = 0; i < config->count; i++) {
		const struct sp_config_section *section = &config->sections[i];
		bool promise = strcmp(section->name, "promise") == 0;
		if (!promise && strcmp(section->name, "plan") != 0 &&
		    strcmp(section->name, "thresholds") != 0)
			sp_config_unknown_section(config, section, known, SP_COUNT(known), reader->errors);
		else if (promise != (section->instance[0] != '\0'))
			sp_config_error(reader->errors, config->file, section->line,
					promise ? "[promise] needs a name" : "[%s] takes no name",
					section->name);
		else if (promise && plan->count == SP_PLAN_PROMISES_MAX)
			sp_config_error(reader->errors, config->file, section->line,
					"a plan has at most %d promises", SP_PLAN_PROMISES_MAX);
		else if (promise)
			read_promise(reader, section, &plan->promises[plan->count++]);
	}
	if (plan->count == 0)
		sp_config_error(reader->errors, config->file, 0, "there is no section [promise \"…\"]");
}

static int interpret(struct sp_plan *plan, const struct sp_config *config, struct sp_config_errors *errors)
{
	const struct reader reader = {config, errors};
	size_t before = errors->count + errors->more;
	read_head(&reader, plan);
	read_thresholds(&reader, &plan->thresholds);
	read_sections(&reader, plan);
	return errors->count + errors->more == before ? 0 : -EINVAL;
}

int sp_plan_parse(struct sp_plan *out, const char *file, const char *text, size_t length,
		  struct sp_config_errors *errors)
{
	struct sp_config config;
	*out = (struct sp_plan){0};
	int result = sp_config_parse(&config, file, text, length, errors);
	if (interpret(out, &config, errors) < 0)
		result = -EINVAL;
	sp_config_free(&config);
	return result;
}

static void free_promise(struct sp_promise *promise)
{
	for (size_t i = 0; i < promise->zone_count; i++)
		free(promise->zones[i].zone);
	for (size_t i = 0; i < promise->school_kinds.count; i++)
		free(promise->school_kinds.items[i]);
	free(promise->school_kinds.items);
	for (int i = 0; i < SP_PLAN_LANGUAGES; i++) {
		free(promise->text[i]);
		free(promise->answer[i]);
	}
	free(promise->id);
}

void sp_plan_free(struct sp_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		free_promise(&plan->promises[i]);
	free(plan->promises);
	for (int i = 0; i < SP_PLAN_LANGUAGES; i++) {
		free(plan->title[i]);
		free(plan->issuer[i]);
	}
	free(plan->id);
	free(plan->source);
	free(plan->source_vi);
	free(plan->issued);
	free(plan->due);
	*plan = (struct sp_plan){0};
}

struct sp_plan_thresholds sp_plan_defaults(void)
{
	const struct sp_config none = {0};
	struct sp_config_errors errors = {0};
	struct sp_plan_thresholds out = {0};
	const struct reader reader = {&none, &errors};
	read_thresholds(&reader, &out);
	return out;
}

// ---- where it is -------------------------------------------------------------------------------------

const char *sp_plan_folder(const char *folder, char out[PATH_LENGTH])
{
	// In a build folder the plans are the program's neighbours; an installed one has them in its prefix.
	static const char *const beside[] = {"/plans", "/../share/schoolpulse-hub/plans"};
	char program[PATH_LENGTH];
	if (folder && folder[0]) {
		snprintf(out, PATH_LENGTH, "%s", folder);
		return out;
	}
	ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
	const char *slash = length > 0 ? memrchr(program, '/', (size_t)length) : NULL;
	for (size_t i = 0; slash && i < SP_COUNT(beside); i++) {
		snprintf(out, PATH_LENGTH, "%.*s%s", (int)(slash - program), program, beside[i]);
		if (access(out, X_OK) == 0)
			return out;
	}
	snprintf(out, PATH_LENGTH, "/usr/share/schoolpulse-hub/plans");
	return out;
}

int sp_plan_read(struct sp_plan *out, const char *which, const char *folder, struct sp_config_errors *errors)
{
	char where[PATH_LENGTH], path[PATH_LENGTH + 128];
	struct sp_config config;
	*out = (struct sp_plan){0};
	if (strchr(which, '/'))
		snprintf(path, sizeof(path), "%s", which);
	else
		snprintf(path, sizeof(path), "%s/%.64s.plan", sp_plan_folder(folder, where), which);
	// An id is typed by hand: which there are is of more help than that a file is not there.
	if (!strchr(which, '/') && access(path, F_OK) != 0) {
		sp_config_error(errors, path, 0,
				"there is no such plan: ids are the names of the *.plan in this folder");
		return -ENOENT;
	}
	int result = sp_config_read(&config, path, errors);
	if (result == 0)
		result = interpret(out, &config, errors);
	sp_config_free(&config);
	return result;
}

static int is_plan(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);
	return length > sizeof(ENDING) - 1 && entry->d_name[0] != '.' &&
	       strcmp(entry->d_name + length - (sizeof(ENDING) - 1), ENDING) == 0;
}

char *sp_plan_ids(const char *folder)
{
	char where[PATH_LENGTH];
	struct dirent **found = NULL;
	struct sp_buf ids = SP_BUF(IDS_MAX);
	int count = scandir(sp_plan_folder(folder, where), &found, is_plan, alphasort);
	for (int i = 0; i < count; i++) {
		const char *name = found[i]->d_name;
		sp_buf_printf(&ids, "%s%.*s", i ? ", " : "", (int)(strlen(name) - (sizeof(ENDING) - 1)),
			      name);
		free(found[i]);
	}
	free(found);
	sp_buf_text(&ids, "");
	return sp_buf_take(&ids);
}
