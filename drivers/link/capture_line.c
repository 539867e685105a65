// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// "us=1000000 down=…": names in a fixed order, whole decimal numbers; histograms as bucket:count, …
#include "capture_line.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { FIRST_OCTAVE = 6, STEPS = 16, STEP_BITS = 4 };

/// No counter of one second is larger, nor of the minutes that a stopped helper may have slept.
static const int64_t number_max = INT64_C(1000000000000000);

// ---- histograms -----------------------------------------------------------------------------------

static size_t bucket_of(int64_t value_us)
{
	if (value_us < (1 << FIRST_OCTAVE))
		return 0;
	if (value_us >= INT64_C(1) << (FIRST_OCTAVE + SP_HISTOGRAM_BUCKETS / STEPS))
		return SP_HISTOGRAM_BUCKETS - 1;
	int octave = 63 - __builtin_clzll((unsigned long long)value_us);
	size_t step = (size_t)(value_us >> (octave - STEP_BITS)) & (STEPS - 1);
	return (size_t)(octave - FIRST_OCTAVE) * STEPS + step;
}

/// The least value of a bucket; of the first, which also holds what is shorter, too.
static double floor_us(size_t bucket)
{
	double octave = ldexp(1, FIRST_OCTAVE + (int)(bucket / STEPS));
	return octave * (1 + (double)(bucket % STEPS) / STEPS);
}

void sp_histogram_add(struct sp_histogram *histogram, int64_t value_us)
{
	if (histogram->count >= SP_HISTOGRAM_MOST)
		return;
	histogram->buckets[bucket_of(value_us)]++;
	histogram->count++;
}

void sp_histogram_merge(struct sp_histogram *into, const struct sp_histogram *from)
{
	// A count of 32 bits holds two days of full seconds.
	if (into->count > UINT32_MAX - SP_HISTOGRAM_MOST)
		return;
	for (size_t i = 0; i < SP_HISTOGRAM_BUCKETS; i++)
		into->buckets[i] += from->buckets[i];
	into->count += from->count;
}

double sp_histogram_seconds(const struct sp_histogram *histogram, double share)
{
	double wanted = share * (double)histogram->count, below = 0;
	for (size_t i = 0; i < SP_HISTOGRAM_BUCKETS && histogram->count > 0; i++) {
		double here = histogram->buckets[i];
		if (here > 0 && below + here >= wanted) {
			double part = (wanted - below) / here;
			return (floor_us(i) + part * (floor_us(i + 1) - floor_us(i))) / 1e6;
		}
		below += here;
	}
	return NAN;
}

// ---- the table of numbers -------------------------------------------------------------------------

static const struct {
	const char *name;
	size_t offset;
} numbers[] = {
    {"us", offsetof(struct sp_capture_second, duration_us)},
    {"down", offsetof(struct sp_capture_second, down_bytes)},
    {"up", offsetof(struct sp_capture_second, up_bytes)},
    {"other", offsetof(struct sp_capture_second, other_bytes)},
    {"frames", offsetof(struct sp_capture_second, frames)},
    {"broadcast", offsetof(struct sp_capture_second, broadcast_frames)},
    {"multicast", offsetof(struct sp_capture_second, multicast_frames)},
    {"kernel_drops", offsetof(struct sp_capture_second, kernel_drops)},
    {"interface_drops", offsetof(struct sp_capture_second, interface_drops)},
    {"dns_unanswered", offsetof(struct sp_capture_second, dns_unanswered)},
};

static const struct {
	const char *name;
	size_t offset;
} histograms[] = {
    {"outside", offsetof(struct sp_capture_second, outside)},
    {"inside", offsetof(struct sp_capture_second, inside)},
    {"dns", offsetof(struct sp_capture_second, dns)},
};

enum {
	NUMBERS = sizeof(numbers) / sizeof(numbers[0]),
	HISTOGRAMS = sizeof(histograms) / sizeof(histograms[0])
};

static int64_t number_of(const struct sp_capture_second *second, size_t index)
{
	int64_t value;
	memcpy(&value, (const char *)second + numbers[index].offset, sizeof(value));
	return value;
}

// ---- printing -------------------------------------------------------------------------------------

struct text {
	char *out;
	size_t size, used;
	bool full;
};

static void append(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void append(struct text *text, const char *format, ...)
{
	if (text->full)
		return;
	va_list args;
	va_start(args, format);
	int length = vsnprintf(text->out + text->used, text->size - text->used, format, args);
	va_end(args);
	text->full = length < 0 || (size_t)length >= text->size - text->used;
	text->used += text->full ? 0 : (size_t)length;
}

size_t sp_capture_print(const struct sp_capture_second *second, char *out, size_t size)
{
	struct text text = {.out = out, .size = size};
	for (size_t i = 0; i < NUMBERS; i++)
		append(&text, "%s%s=%" PRId64, i ? " " : "", numbers[i].name, number_of(second, i));
	for (size_t i = 0; i < HISTOGRAMS; i++) {
		const struct sp_histogram *histogram =
		    (const void *)((const char *)second + histograms[i].offset);
		append(&text, " %s=", histograms[i].name);
		const char *comma = "";
		for (size_t k = 0; k < SP_HISTOGRAM_BUCKETS; k++) {
			if (histogram->buckets[k] == 0)
				continue;
			append(&text, "%s%zu:%" PRIu32, comma, k, histogram->buckets[k]);
			comma = ",";
		}
	}
	return text.full ? 0 : text.used;
}

// ---- reading --------------------------------------------------------------------------------------

struct cursor {
	const char *at, *end;
};

static bool take_char(struct cursor *cursor, char wanted)
{
	if (cursor->at == cursor->end || *cursor->at != wanted)
		return false;
	cursor->at++;
	return true;
}

static bool take_word(struct cursor *cursor, const char *word)
{
	while (*word)
		if (!take_char(cursor, *word++))
			return false;
	return true;
}

static bool take_number(struct cursor *cursor, int64_t most, int64_t *out)
{
	const char *begin = cursor->at;
	int64_t value = 0;
	while (cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9') {
		value = value * 10 + (*cursor->at++ - '0');
		if (value > most)
			return false;
	}
	*out = value;
	// One way to write a number.
	return cursor->at > begin && (*begin != '0' || cursor->at == begin + 1);
}

static bool take_histogram(struct cursor *cursor, struct sp_histogram *out)
{
	int64_t last = -1;
	while (cursor->at < cursor->end && *cursor->at != ' ') {
		int64_t bucket, count;
		if ((last >= 0 && !take_char(cursor, ',')) ||
		    !take_number(cursor, SP_HISTOGRAM_BUCKETS - 1, &bucket) || bucket <= last ||
		    !take_char(cursor, ':') || !take_number(cursor, SP_HISTOGRAM_MOST - out->count, &count) ||
		    count == 0)
			return false;
		out->buckets[bucket] = (uint32_t)count;
		out->count += count;
		last = bucket;
	}
	return true;
}

int sp_capture_read(const char *line, size_t length, struct sp_capture_second *out)
{
	struct cursor cursor = {line, line + length};
	*out = (struct sp_capture_second){0};
	for (size_t i = 0; i < NUMBERS; i++) {
		int64_t value;
		if ((i > 0 && !take_char(&cursor, ' ')) || !take_word(&cursor, numbers[i].name) ||
		    !take_char(&cursor, '=') || !take_number(&cursor, number_max, &value))
			return -EBADMSG;
		memcpy((char *)out + numbers[i].offset, &value, sizeof(value));
	}
	for (size_t i = 0; i < HISTOGRAMS; i++)
		if (!take_char(&cursor, ' ') || !take_word(&cursor, histograms[i].name) ||
		    !take_char(&cursor, '=') ||
		    !take_histogram(&cursor, (void *)((char *)out + histograms[i].offset)))
			return -EBADMSG;
	return cursor.at == cursor.end && out->duration_us > 0 &&
		       out->broadcast_frames + out->multicast_frames <= out->frames
		   ? 0
		   : -EBADMSG;
}

double sp_capture_loss(const struct sp_capture_second *second)
{
	double lost = (double)second->kernel_drops + (double)second->interface_drops;
	return lost > 0 ? lost / (lost + (double)second->frames) : 0;
}
