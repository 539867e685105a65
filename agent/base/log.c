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

#include "agent/base/utf8.h"
#include "schoolpulse/clock.h"

enum {
	LINE_MAX_BYTES = 512, ///< a longer line is cut at a character and ends in "…"
	SLOTS = 16,
};
static const int64_t WINDOW_US = INT64_C(60) * 1000000;

struct slot {
	int64_t since_us; ///< when it was last written
	unsigned repeats; ///< since then, not written
	enum sp_log_level level;
	char line[LINE_MAX_BYTES]; ///< "level module: text"; "" marks a free slot
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct slot slots[SLOTS];
static struct {
	enum sp_log_level most;
	bool sd_prefix;
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

/// Hostile bytes forge no line and move no cursor: a control character or a byte that is no UTF-8
/// is written as "\xNN". False when `to` is full.
static bool add_clean(char to[LINE_MAX_BYTES], size_t *length, size_t room, const char *from)
{
	for (size_t left = strlen(from), step; left > 0; from += step, left -= step) {
		uint32_t character = 0;
		step = sp_utf8_next(from, left, &character);
		bool good = step > 0 && !sp_utf8_is_control(character);
		step = step ? step : 1;
		if (*length + (good ? step : 4 * step) > room)
			return false;
		if (good)
			memcpy(to + *length, from, step);
		for (size_t i = 0; !good && i < step; i++)
			snprintf(to + *length + 4 * i, 5, "\\x%02x", (unsigned char)from[i]);
		*length += good ? step : 4 * step;
	}
	return true;
}

static void build_line(char to[LINE_MAX_BYTES], const char *head, const char *text)
{
	static const char cut[] = "…";
	size_t length = 0, room = LINE_MAX_BYTES - sizeof(cut);
	bool whole = add_clean(to, &length, room, head) && add_clean(to, &length, room, text);
	memcpy(to + length, whole ? "" : cut, whole ? 1 : sizeof(cut));
}

/// One write for one line. `repeats` 0: the line itself.
static void put(enum sp_log_level level, const char *line, unsigned repeats)
{
	char whole[LINE_MAX_BYTES + 64];
	char prefix[8] = "", suffix[40] = "";
	if (settings.sd_prefix)
		snprintf(prefix, sizeof(prefix), "<%d>", (int)level);
	if (repeats > 0)
		snprintf(suffix, sizeof(suffix), " (repeated %u time%s)", repeats, repeats == 1 ? "" : "s");
	int length = snprintf(whole, sizeof(whole), "%s%s%s\n", prefix, line, suffix);
	FILE *to = settings.out ? settings.out : stderr;
	fwrite(whole, 1, (size_t)length, to);
	fflush(to);
}

static void release(struct slot *slot)
{
	if (slot->line[0] && slot->repeats > 0)
		put(slot->level, slot->line, slot->repeats);
	slot->line[0] = '\0';
	slot->repeats = 0;
}

/// A clock that went backwards (a replaced source) ends the window, too.
static bool expired(const struct slot *slot, int64_t now_us, int64_t window_us)
{
	return now_us - slot->since_us >= window_us || now_us < slot->since_us;
}

/// The slot that holds `line`, or a free one made for it. Tells of the others that have ceased: not at
/// once, since a line that goes on tells of itself when it comes next.
static struct slot *slot_for(const char *line, int64_t now_us)
{
	struct slot *same = NULL, *oldest = NULL;
	for (size_t i = 0; i < SLOTS; i++) {
		struct slot *slot = &slots[i];
		if (!same && strcmp(slot->line, line) == 0) {
			same = slot;
			continue;
		}
		if (slot->line[0] && expired(slot, now_us, 2 * WINDOW_US))
			release(slot);
		if (!oldest || !slot->line[0] || (oldest->line[0] && slot->since_us < oldest->since_us))
			oldest = slot;
	}
	if (same)
		return same;
	release(oldest);
	return oldest;
}

static void write_or_count(enum sp_log_level level, const char *line)
{
	int64_t now_us = sp_clock_mono_us();
	struct slot *slot = slot_for(line, now_us);
	bool known = slot->line[0] != '\0';
	if (known && !expired(slot, now_us, WINDOW_US)) {
		if (slot->repeats < UINT32_MAX)
			slot->repeats++;
		return;
	}
	put(level, line, known && slot->repeats > 0 ? slot->repeats + 1 : 0);
	if (!known)
		memcpy(slot->line, line, strlen(line) + 1);
	slot->level = level;
	slot->since_us = now_us;
	slot->repeats = 0;
}

void sp_log(enum sp_log_level level, const char *module, const char *format, ...)
{
	if (level > settings.most)
		return;
	int saved = errno; // a log line between a failure and its handling changes nothing
	char head[64], text[2 * LINE_MAX_BYTES], line[LINE_MAX_BYTES];
	va_list args;
	va_start(args, format);
	if (vsnprintf(text, sizeof(text), format, args) < 0)
		snprintf(text, sizeof(text), "%s", format);
	va_end(args);
	snprintf(head, sizeof(head), "%s %s: ", level_word(level), module);
	build_line(line, head, text);
	pthread_mutex_lock(&mutex);
	write_or_count(level, line);
	pthread_mutex_unlock(&mutex);
	errno = saved;
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
