// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What a driver may say: a class, a type and named fields. The core adds time, device and
// sequence number; the feed's schemas (feed/) say which types exist and what each must hold.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// The three classes of the journal (feed/README.md): each has its own stream, its own
/// patience and its own place in the order of forgetting.
enum sp_record_class {
	SP_RECORD_FACTS,
	SP_RECORD_ATTENDANCE,
	SP_RECORD_BULK,
};
#define SP_RECORD_CLASSES 3

/// "facts", "attendance", "bulk": also the last level of the topic.
const char *sp_record_class_name(enum sp_record_class cls);

enum sp_field_type {
	SP_FIELD_BOOL,
	SP_FIELD_INT,
	SP_FIELD_REAL,
	SP_FIELD_TEXT,   ///< UTF-8; bytes that are not are replaced by U+FFFD
	SP_FIELD_NULL,   ///< known to be unknown
	SP_FIELD_OBJECT, ///< `fields`, `count`
	SP_FIELD_LIST,   ///< `fields`, `count`; the names inside are ignored
};

/// One named value. Nothing is owned: the core copies during the call.
struct sp_field {
	const char *name;
	enum sp_field_type type;
	union {
		bool boolean;
		int64_t integer; ///< |x| < 2^53: the feed is JSON
		double real;     ///< finite; anything else becomes null
		const char *text;
		struct {
			const struct sp_field *fields;
			size_t count;
		};
	};
};

#define SP_BOOL(n, v) ((struct sp_field){.name = (n), .type = SP_FIELD_BOOL, .boolean = (v)})
#define SP_INT(n, v)  ((struct sp_field){.name = (n), .type = SP_FIELD_INT, .integer = (v)})
#define SP_REAL(n, v) ((struct sp_field){.name = (n), .type = SP_FIELD_REAL, .real = (v)})
#define SP_TEXT(n, v) ((struct sp_field){.name = (n), .type = SP_FIELD_TEXT, .text = (v)})
#define SP_NULL(n)    ((struct sp_field){.name = (n), .type = SP_FIELD_NULL})
#define SP_OBJECT(n, f, c) \
	((struct sp_field){.name = (n), .type = SP_FIELD_OBJECT, .fields = (f), .count = (c)})
#define SP_LIST(n, f, c) ((struct sp_field){.name = (n), .type = SP_FIELD_LIST, .fields = (f), .count = (c)})
