// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The list of classes (classes.h).
#include "agent/core/attendance/classes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/csv.h"
#include "agent/base/mem.h"
#include "agent/base/utf8.h"
#include "agent/core/attendance/number.h"
#include "schoolpulse/log.h"

// ---- reading -------------------------------------------------------------------------------------------

/// Whom a row is about, to see the second one of somebody; wiped.
struct person {
	uint8_t kind, length;
	char number[SP_PERSON_MAX];
	unsigned line;
};

struct reading {
	const char *file;
	struct sp_config_errors *errors;
	sp_class_row_fn row;
	void *arg;
	struct person *people;
	size_t count;
	char (*names)[SP_CLASS_NAME_MAX + 1];
	size_t name_count;
};

static bool heading(const struct sp_csv_row *row)
{
	static const char *const words[] = {"class", "Class", "CLASS", "lớp", "Lớp",
					    "LỚP",   "lop",   "Lop",   "LOP"};
	for (size_t i = 0; i < SP_COUNT(words); i++)
		if (row->count >= 2 && strcmp(row->cells[1], words[i]) == 0)
			return true;
	return false;
}

/// Why a class cannot be called so, or NULL.
static const char *bad_name(const char *name)
{
	size_t length = strlen(name);
	if (length == 0)
		return "there is no class";
	if (length > SP_CLASS_NAME_MAX)
		return "the class has more than 32 bytes";
	for (size_t at = 0; at < length;) {
		uint32_t character;
		size_t bytes = sp_utf8_next(name + at, length - at, &character);
		if (bytes == 0 || sp_utf8_is_control(character))
			return "the class has characters that cannot be shown";
		at += bytes;
	}
	return NULL;
}

static bool know_name(struct reading *reading, const char *name)
{
	for (size_t i = 0; i < reading->name_count; i++)
		if (strcmp(reading->names[i], name) == 0)
			return true;
	if (reading->name_count == SP_CLASSES_MAX)
		return false;
	snprintf(reading->names[reading->name_count++], sizeof(*reading->names), "%s", name);
	return true;
}

static const char *take_row(struct reading *reading, const struct sp_csv_row *row)
{
	char number[SP_PERSON_MAX + 1];
	struct sp_class_row out = {.kind = SP_PERSON_PIN, .person = number, .line = row->line};
	size_t count = row->count;
	while (count > 2 && !row->cells[count - 1][0])
		count--;
	if (count > 3)
		return "more than number, class and kind: nothing else of a person belongs here";
	if (count < 2)
		return "a row is a number and a class";
	if (count == 3 && !sp_number_kind(row->cells[2], &out.kind))
		return "the kind is none of pin, card, code, other";
	out.name = row->cells[1];
	const char *fault = bad_name(out.name);
	if (fault)
		return fault;
	out.person_length = sp_number_read(out.kind, row->cells[0], strlen(row->cells[0]), number);
	if (out.person_length == 0)
		return "this is no number of a person of that kind";
	if (reading->count == SP_CLASSES_ROWS_MAX)
		return "more than 20000 rows";
	if (!know_name(reading, out.name))
		return "more than 400 classes";
	struct person *person = &reading->people[reading->count++];
	person->kind = (uint8_t)out.kind;
	person->length = (uint8_t)out.person_length;
	memcpy(person->number, number, out.person_length);
	person->line = row->line;
	if (reading->row)
		reading->row(reading->arg, &out);
	explicit_bzero(number, sizeof(number));
	return NULL;
}

static int order(const struct person *a, const struct person *b)
{
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->length != b->length)
		return a->length < b->length ? -1 : 1;
	return memcmp(a->number, b->number, a->length);
}

static int compare(const void *a, const void *b)
{
	const struct person *x = a, *y = b;
	int result = order(x, y);
	return result ? result : (x->line > y->line) - (x->line < y->line);
}

static void find_twins(struct reading *reading)
{
	qsort(reading->people, reading->count, sizeof(*reading->people), compare);
	const struct person *first = reading->people;
	for (size_t i = 1; i < reading->count; i++) {
		if (order(first, &reading->people[i]) == 0)
			sp_config_error(reading->errors, reading->file, reading->people[i].line,
					"the person of this row stands in line %u already", first->line);
		else
			first = &reading->people[i];
	}
}

static void read_rows(struct reading *reading, struct sp_csv *csv)
{
	struct sp_csv_row *row = sp_alloc(sizeof(*row));
	char why[128];
	bool first = true;
	for (int result; (result = sp_csv_next(csv, row, why)) != 0; first = false) {
		const char *fault = NULL;
		if (result < 0)
			fault = why;
		else if (!first || !heading(row))
			fault = take_row(reading, row);
		if (fault)
			sp_config_error(reading->errors, reading->file, row->line, "%s", fault);
		// Whoever goes on for ever is told once.
		if (fault && reading->count == SP_CLASSES_ROWS_MAX)
			break;
	}
	free(row);
}

int sp_classes_parse(const char *file, const char *text, size_t length, sp_class_row_fn row, void *arg,
		     struct sp_config_errors *errors)
{
	struct reading reading = {.file = file, .errors = errors, .row = row, .arg = arg};
	struct sp_csv csv;
	char why[128];
	size_t before = errors->count + errors->more;
	if (length > SP_CLASSES_FILE_MAX) {
		sp_config_error(errors, file, 0, "larger than 4 MiB: not a list of classes");
		return -EINVAL;
	}
	if (sp_csv_start(&csv, text, length, why)) {
		sp_config_error(errors, file, 0, "%s", why);
		return -EINVAL;
	}
	reading.people = sp_alloc(SP_CLASSES_ROWS_MAX * sizeof(*reading.people));
	reading.names = sp_alloc(SP_CLASSES_MAX * sizeof(*reading.names));
	read_rows(&reading, &csv);
	find_twins(&reading);
	sp_csv_end(&csv);
	explicit_bzero(reading.people, reading.count * sizeof(*reading.people));
	free(reading.people);
	free(reading.names);
	return errors->count + errors->more > before ? -EINVAL : 0;
}

static int read_file(const char *file, char **out, size_t *length)
{
	struct stat status;
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	int result = fstat(fd, &status) < 0 ? -errno : 0;
	if (result == 0 && !S_ISREG(status.st_mode))
		result = -EINVAL;
	if (result == 0 && status.st_size > SP_CLASSES_FILE_MAX)
		result = -EFBIG;
	size_t size = result == 0 ? (size_t)status.st_size : 0;
	*out = sp_alloc(size + 1);
	*length = 0;
	while (result == 0 && *length < size) {
		ssize_t got = read(fd, *out + *length, size - *length);
		if (got < 0)
			result = -errno;
		if (got <= 0)
			break;
		*length += (size_t)got;
	}
	close(fd);
	return result;
}

static void give_back(char *text, size_t length)
{
	explicit_bzero(text, length);
	free(text);
}

static int read_and_parse(const char *file, sp_class_row_fn row, void *arg, struct sp_config_errors *errors)
{
	char *text = NULL;
	size_t length = 0;
	int result = read_file(file, &text, &length);
	if (result) {
		sp_config_error(errors, file, 0, "%s",
				result == -EINVAL
				    ? "not a file"
				    : (result == -EFBIG ? "larger than 4 MiB: not a list of classes"
							: strerror(-result)));
		result = -EINVAL;
	} else {
		result = sp_classes_parse(file, text, length, row, arg, errors);
	}
	if (text)
		give_back(text, length);
	return result;
}

int sp_classes_check(const char *file, struct sp_config_errors *errors)
{
	return read_and_parse(file, NULL, NULL, errors);
}

// ---- who is in which -----------------------------------------------------------------------------------

struct member {
	uint8_t person[16];
	uint16_t name;
};

struct sp_classes {
	char *file; ///< NULL: a list of nobody
	int32_t year;
	struct member *members;
	size_t count, room;
	char (*names)[SP_CLASS_NAME_MAX + 1];
	size_t name_count;
};

struct filling {
	struct sp_classes *classes;
	const uint8_t *year_key; ///< NULL: only the names
};

/// Names stay for good: a slot that was published goes by their order.
static uint16_t name_index(struct sp_classes *classes, const char *name)
{
	size_t i = 0;
	while (i < classes->name_count && strcmp(classes->names[i], name) != 0)
		i++;
	if (i == classes->name_count && i < SP_CLASSES_MAX)
		snprintf(classes->names[classes->name_count++], sizeof(*classes->names), "%s", name);
	return (uint16_t)i;
}

static uint8_t nibble(char c)
{
	return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static void fill(void *arg, const struct sp_class_row *row)
{
	struct filling *filling = arg;
	struct sp_classes *classes = filling->classes;
	char text[SP_PSEUDONYM_LENGTH + 1];
	uint16_t name = name_index(classes, row->name);
	if (!filling->year_key || name == SP_CLASSES_MAX)
		return;
	if (classes->count == classes->room) {
		classes->room = classes->room ? 2 * classes->room : 512;
		classes->members = sp_realloc(classes->members, classes->room * sizeof(*classes->members));
	}
	struct member *member = &classes->members[classes->count++];
	sp_person_pseudonym(filling->year_key, row->kind, row->person, row->person_length, text);
	for (size_t i = 0; i < sizeof(member->person); i++)
		member->person[i] = (uint8_t)(nibble(text[2 * i]) << 4 | nibble(text[2 * i + 1]));
	member->name = name;
}

static void read_list(struct sp_classes *classes, const uint8_t *year_key)
{
	struct sp_config_errors errors = {0};
	struct filling filling = {classes, year_key};
	if (classes->file && read_and_parse(classes->file, fill, &filling, &errors))
		sp_warning("attendance", "%s: %zu rows of the list of classes are not used: %s",
			   classes->file, errors.count + errors.more, errors.lines[0]);
	sp_config_errors_free(&errors);
}

struct sp_classes *sp_classes_new(const char *file)
{
	struct sp_classes *classes = sp_alloc(sizeof(*classes));
	classes->file = file && file[0] ? sp_strdup(file) : NULL;
	classes->names = sp_alloc(SP_CLASSES_MAX * sizeof(*classes->names));
	classes->year = INT32_MIN;
	read_list(classes, NULL);
	return classes;
}

void sp_classes_free(struct sp_classes *classes)
{
	if (!classes)
		return;
	free(classes->file);
	free(classes->members);
	free(classes->names);
	free(classes);
}

static int by_person(const void *a, const void *b)
{
	const struct member *x = a, *y = b;
	return memcmp(x->person, y->person, sizeof(x->person));
}

void sp_classes_year(struct sp_classes *classes, int32_t year, const uint8_t *year_key)
{
	if (classes->year == year)
		return;
	classes->count = 0;
	classes->year = year;
	read_list(classes, year_key);
	if (classes->count > 0)
		qsort(classes->members, classes->count, sizeof(*classes->members), by_person);
}

void sp_classes_new_keys(struct sp_classes *classes)
{
	classes->count = 0;
	classes->year = INT32_MIN;
}

int sp_classes_find(const struct sp_classes *classes, int32_t year, const uint8_t person[16])
{
	struct member wanted;
	memcpy(wanted.person, person, sizeof(wanted.person));
	if (classes->year != year || classes->count == 0)
		return -1;
	const struct member *found =
	    bsearch(&wanted, classes->members, classes->count, sizeof(wanted), by_person);
	return found ? found->name : -1;
}

size_t sp_classes_count(const struct sp_classes *classes)
{
	return classes->name_count;
}

const char *sp_classes_name(const struct sp_classes *classes, size_t index)
{
	return index < classes->name_count ? classes->names[index] : "";
}
