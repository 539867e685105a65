// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The log. A line is built whole and written once, so that threads do not mix. Recent lines are
// remembered in a fixed table: a repeat within the window is counted instead of written, and the
// count is told when the window ends, when the slot is needed, or at the end of the program.
#include "agent/base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/log_format.h"
#include "schoolpulse/clock.h"

enum {
	LINE_MAX_BYTES = SP_LOG_LINE_MAX, ///< a longer line is cut at a character and ends in "…"
	SLOTS = 16,
};
static const int64_t WINDOW_US = INT64_C(60) * 1000000;

struct slot {
	int64_t since_us; ///< when it was last written
	unsigned repeats; ///< since then, not written
	enum sp_log_level level;
	struct sp_log_entry entry; ///< an empty line marks a free slot
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct slot slots[SLOTS];
static struct {
	enum sp_log_level most;
	bool sd_prefix;
	enum sp_log_format format;
	FILE *out;
} settings = {.most = SP_LOG_INFO};

static const struct {
	enum sp_log_level level;
	const char *word;
} levels[] = {
    {SP_LOG_ERR, "error"}, {SP_LOG_WARNING, "warning"}, {SP_LOG_NOTICE, "notice"},
    {SP_LOG_INFO, "info"}, {SP_LOG_DEBUG, "debug"},
};

static const char *level_word(enum sp_log_level level)
{
	for (size_t i = 0; i < SP_COUNT(levels); i++)
		if (levels[i].level == level)
			return levels[i].word;
	return "error";
}

int sp_log_level_parse(const char *word)
{
	for (size_t i = 0; i < SP_COUNT(levels); i++)
		if (strcmp(levels[i].word, word) == 0)
			return (int)levels[i].level;
	return -EINVAL;
}

bool sp_log_wants_sd_prefix(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat where;
	// The variable is inherited by programs whose stderr goes elsewhere: it names the real one.
	return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
	       fstat(STDERR_FILENO, &where) == 0 && where.st_dev == device && where.st_ino == inode;
}

static void build_line(char to[LINE_MAX_BYTES], const char *head, const char *text)
{
	static const char cut[] = "…";
	size_t length = 0, room = LINE_MAX_BYTES - sizeof(cut);
	bool whole = sp_log_clean(to, &length, room, head) && sp_log_clean(to, &length, room, text);
	memcpy(to + length, whole ? "" : cut, whole ? 1 : sizeof(cut));
}

/// One write for one line. `repeats` 0: the line itself.
static void put(const struct slot *slot, unsigned repeats)
{
	char whole[SP_LOG_WRITTEN_MAX];
	size_t length = 0;
	if (settings.sd_prefix)
		length = (size_t)snprintf(whole, sizeof(whole), "<%d>", (int)slot->level);
	length += sp_log_write(whole + length, sizeof(whole) - length, settings.format, &slot->entry,
			       settings.sd_prefix ? -1 : sp_clock_now().wall_ms, repeats);
	FILE *to = settings.out ? settings.out : stderr;
	fwrite(whole, 1, length, to);
	fflush(to);
}

static void release(struct slot *slot)
{
	if (slot->entry.line[0] && slot->repeats > 0)
		put(slot, slot->repeats);
	slot->entry.line[0] = '\0';
	slot->repeats = 0;
}

/// A clock that went backwards (a replaced source) ends the window, too.
static bool expired(const struct slot *slot, int64_t now_us, int64_t window_us)
{
	return now_us - slot->since_us >= window_us || now_us < slot->since_us;
}

static bool same_entry(const struct sp_log_entry *a, const struct sp_log_entry *b)
{
	return strcmp(a->line, b->line) == 0 && strcmp(a->who, b->who) == 0;
}

/// The slot that holds `entry`, or a free one made for it. Tells of the others that have ceased: not at
/// once, since a line that goes on tells of itself when it comes next.
static struct slot *slot_for(const struct sp_log_entry *entry, int64_t now_us)
{
	struct slot *same = NULL, *oldest = NULL;
	for (size_t i = 0; i < SLOTS; i++) {
		struct slot *slot = &slots[i];
		if (!same && slot->entry.line[0] && same_entry(&slot->entry, entry)) {
			same = slot;
			continue;
		}
		if (slot->entry.line[0] && expired(slot, now_us, 2 * WINDOW_US))
			release(slot);
		if (!oldest || !slot->entry.line[0] ||
		    (oldest->entry.line[0] && slot->since_us < oldest->since_us))
			oldest = slot;
	}
	if (same)
		return same;
	release(oldest);
	return oldest;
}

static void write_or_count(enum sp_log_level level, const struct sp_log_entry *entry)
{
	int64_t now_us = sp_clock_mono_us();
	struct slot *slot = slot_for(entry, now_us);
	bool known = slot->entry.line[0] != '\0';
	slot->entry = *entry; // with the newest numbers
	if (known && !expired(slot, now_us, WINDOW_US)) {
		if (slot->repeats < UINT32_MAX)
			slot->repeats++;
		return;
	}
	slot->level = level;
	put(slot, known && slot->repeats > 0 ? slot->repeats + 1 : 0);
	slot->since_us = now_us;
	slot->repeats = 0;
}

static void SP_PRINTF(5, 0)
    write_line(enum sp_log_level level, const char *module, const struct sp_log_field *fields, size_t count,
	       const char *format, va_list args)
{
	int saved = errno; // a log line between a failure and its handling changes nothing
	char head[64], text[2 * LINE_MAX_BYTES];
	struct sp_log_entry entry = {.level = level_word(level), .module = module};
	if (vsnprintf(text, sizeof(text), format, args) < 0)
		snprintf(text, sizeof(text), "%s", format);
	snprintf(head, sizeof(head), "%s %s: ", entry.level, module);
	build_line(entry.line, head, text);
	entry.text = strlen(head);
	sp_log_fields(&entry, settings.format, fields, count);
	pthread_mutex_lock(&mutex);
	write_or_count(level, &entry);
	pthread_mutex_unlock(&mutex);
	errno = saved;
}

void sp_log(enum sp_log_level level, const char *module, const char *format, ...)
{
	va_list args;
	if (level > settings.most)
		return;
	va_start(args, format);
	write_line(level, module, NULL, 0, format, args);
	va_end(args);
}

void sp_log_with(enum sp_log_level level, const char *module, const struct sp_log_field *fields, size_t count,
		 const char *format, ...)
{
	va_list args;
	if (level > settings.most)
		return;
	va_start(args, format);
	write_line(level, module, fields, count, format, args);
	va_end(args);
}

void sp_log_flush(void)
{
	pthread_mutex_lock(&mutex);
	for (size_t i = 0; i < SLOTS; i++)
		release(&slots[i]);
	pthread_mutex_unlock(&mutex);
}

void sp_log_setup(enum sp_log_level most, bool sd_prefix, FILE *out)
{
	sp_log_flush();
	settings.most = most;
	settings.sd_prefix = sd_prefix;
	settings.out = out;
}

void sp_log_setup_format(enum sp_log_format format)
{
	sp_log_flush();
	settings.format = format;
}
