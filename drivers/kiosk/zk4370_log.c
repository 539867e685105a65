// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// See the header. Layouts: size 8: u16 id, u8 verify, u32 time, u8 state. 16: u32 id, u32 time, u8 verify, u8
// state, two bytes, u32 work code. 40: u16 internal number, 24 characters of id, u8 verify, u32 time, u8
// state, eight bytes.
#include "zk4370_log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zk4370_wire.h"

enum {
	DAY_S = 86400,
	COUNT_BYTES = 4,
	STATE_MAX = 15, ///< in, out, breaks, overtime, and what a school may name itself
	UNSET = 255,
	ID_16_MAX = 999999999, ///< what a keypad takes
};

/// 2010-01-01. Older terminals are out of service; what says less has lost its clock.
static const int64_t least_s = 1262304000;

static bool in_range(uint8_t verify, uint8_t state)
{
	// Ways of recognising are numbered up to 30, and 200 for others.
	return (verify <= 30 || verify == 200 || verify == UNSET) && (state <= STATE_MAX || state == UNSET);
}

/// Printable without blanks, not empty, then NULs to the end.
static bool text_id(const uint8_t *data, struct sp_zk_record *out)
{
	size_t length = 0;
	while (length < SP_ZK_ID_MAX && data[length] > ' ' && data[length] < 0x7f)
		length++;
	for (size_t i = length; i < SP_ZK_ID_MAX; i++)
		if (data[i])
			return false;
	memcpy(out->id, data, length);
	out->id_length = (uint8_t)length;
	return length > 0;
}

static bool number_id(uint32_t number, struct sp_zk_record *out)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%" PRIu32, number);
	memcpy(out->id, text, (size_t)length);
	out->id_length = (uint8_t)length;
	explicit_bzero(text, sizeof(text));
	return number > 0 && number <= ID_16_MAX;
}

/// False when it makes no sense.
static bool decode(const uint8_t *data, size_t size, struct sp_zk_record *out)
{
	uint32_t time;
	bool good;
	memset(out, 0, sizeof(*out));
	switch (size) {
	case 8:
		good = number_id(sp_zk_u16(data), out);
		out->verify = data[2];
		time = sp_zk_u32(data + 3);
		out->state = data[7];
		break;
	case 16:
		good = number_id(sp_zk_u32(data), out);
		time = sp_zk_u32(data + 4);
		out->verify = data[8];
		out->state = data[9];
		break;
	default:
		good = text_id(data + 2, out);
		out->verify = data[26];
		time = sp_zk_u32(data + 27);
		out->state = data[31];
		break;
	}
	return good && in_range(out->verify, out->state) && time && sp_zk_time(time, &out->local_s) == 0;
}

/// Every record makes sense by itself; most of their dates, too (a terminal that lost its clock counts from
/// 2000, and its events are kept); and the dates go forward but for some (a clock put right, a log that goes
/// round).
static bool fits(const uint8_t *records, size_t size, size_t count, int64_t now_s)
{
	size_t dated = 0, back = 0;
	int64_t last_s = INT64_MIN;
	for (size_t i = 0; i < count; i++) {
		struct sp_zk_record record;
		bool good = decode(records + i * size, size, &record);
		int64_t local_s = record.local_s;
		explicit_bzero(&record, sizeof(record));
		if (!good || local_s > now_s + DAY_S)
			return false;
		dated += local_s >= least_s;
		back += local_s < last_s;
		last_s = local_s;
	}
	return 2 * dated > count && back <= 2 + count / 4;
}

int sp_zk_log_open(const uint8_t *data, size_t length, int64_t now_s, struct sp_zk_log *out)
{
	static const size_t sizes[] = {40, 16, 8};
	unsigned found = 0;
	*out = (struct sp_zk_log){0};
	// Some send nothing at all for an empty log.
	if (length == 0)
		return 0;
	if (length < COUNT_BYTES || sp_zk_u32(data) != length - COUNT_BYTES)
		return -EBADMSG;
	length -= COUNT_BYTES;
	if (length == 0)
		return 0;
	for (size_t i = 0; i < SP_COUNT(sizes); i++) {
		size_t count = length / sizes[i];
		if (length % sizes[i] || !fits(data + COUNT_BYTES, sizes[i], count, now_s))
			continue;
		found++;
		*out = (struct sp_zk_log){data + COUNT_BYTES, sizes[i], count};
	}
	if (found != 1)
		*out = (struct sp_zk_log){0};
	return found == 1 ? 0 : found ? -ENOTUNIQ : -EBADMSG;
}

void sp_zk_log_record(const struct sp_zk_log *log, size_t index, struct sp_zk_record *out)
{
	(void)decode(log->records + index * log->size, log->size, out);
}

static int by_time(const void *a, const void *b)
{
	const struct sp_zk_record *left = a, *right = b;
	if (left->local_s != right->local_s)
		return left->local_s < right->local_s ? -1 : 1;
	if (left->verify != right->verify)
		return left->verify < right->verify ? -1 : 1;
	if (left->state != right->state)
		return left->state < right->state ? -1 : 1;
	return memcmp(left->id, right->id, sizeof(left->id)); // NULs behind it
}

static int32_t day_of(int64_t local_s)
{
	return (int32_t)(local_s / DAY_S);
}

static size_t gather(const struct sp_zk_log *log, int32_t from_day, struct sp_zk_record *out)
{
	size_t count = 0;
	for (size_t i = 0; i < log->count; i++) {
		struct sp_zk_record record;
		sp_zk_log_record(log, i, &record);
		if (day_of(record.local_s) < from_day)
			continue;
		if (out)
			out[count] = record;
		count++;
		explicit_bzero(&record, sizeof(record));
	}
	return count;
}

int sp_zk_log_days(const struct sp_zk_log *log, int32_t from_day, sp_zk_day_fn fn, void *arg)
{
	size_t count = gather(log, from_day, NULL);
	if (!count)
		return 0;
	struct sp_zk_record *records = calloc(count, sizeof(*records));
	if (!records)
		return -ENOMEM;
	gather(log, from_day, records);
	qsort(records, count, sizeof(*records), by_time);
	int64_t of_day = 0;
	for (size_t i = 0; i < count; i++) {
		of_day += i == 0 || by_time(&records[i - 1], &records[i]) != 0;
		if (i + 1 < count && day_of(records[i + 1].local_s) == day_of(records[i].local_s))
			continue;
		fn(arg, day_of(records[i].local_s), of_day);
		of_day = 0;
	}
	explicit_bzero(records, count * sizeof(*records));
	free(records);
	return 0;
}
