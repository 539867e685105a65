// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A page of text and how it reaches the terminal.
#include "agent/cli/page.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "agent/base/utf8.h"

enum { LINE_MAX_BYTES = 4096 };

bool sp_page_wants_colours(int fd)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
	return isatty(fd) && !(no && no[0]) && term && strcmp(term, "dumb") != 0;
}

void sp_page_free(struct sp_page *page)
{
	sp_buf_free(&page->text);
}

static size_t columns_of(uint32_t character)
{
	int columns = wcwidth((wchar_t)character);
	return columns < 0 ? 1 : (size_t)columns;
}

/// Bytes of the next character, at least one; *columns it takes.
static size_t next_character(const char *text, size_t *columns, bool *printable)
{
	uint32_t character = 0;
	size_t bytes = sp_utf8_next(text, strlen(text), &character);
	*printable = bytes > 0 && !sp_utf8_is_control(character);
	*columns = *printable ? columns_of(character) : 1;
	return bytes > 0 ? bytes : 1;
}

size_t sp_page_width(const char *text)
{
	size_t width = 0, columns;
	bool printable;
	while (*text) {
		text += next_character(text, &columns, &printable);
		width += columns;
	}
	return width;
}

static const char *const codes[] = {
    [SP_STYLE_PLAIN] = "",        [SP_STYLE_BOLD] = "\033[1m",  [SP_STYLE_DIM] = "\033[2m",
    [SP_STYLE_GOOD] = "\033[32m", [SP_STYLE_WARN] = "\033[33m", [SP_STYLE_BAD] = "\033[31m",
};

void sp_page_add(struct sp_page *page, enum sp_style style, const char *text)
{
	bool coloured = page->colours && style != SP_STYLE_PLAIN;
	if (coloured)
		sp_buf_text(&page->text, codes[style]);
	while (*text) {
		size_t columns;
		bool printable;
		size_t bytes = next_character(text, &columns, &printable);
		sp_buf_add(&page->text, printable ? text : "?", printable ? bytes : 1);
		text += bytes;
	}
	if (coloured)
		sp_buf_text(&page->text, "\033[0m");
}

void sp_page_printf(struct sp_page *page, enum sp_style style, const char *format, ...)
{
	char text[LINE_MAX_BYTES];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	sp_page_add(page, style, text);
}

void sp_page_end(struct sp_page *page)
{
	sp_buf_text(&page->text, "\n");
}

void sp_page_print(const struct sp_page *page)
{
	fputs(page->text.data ? page->text.data : "", stdout);
	fflush(stdout);
}

/// One line, cut to `most` columns; escape sequences take none.
static void print_cut(const char *line, size_t length, size_t most)
{
	size_t used = 0;
	while (length > 0) {
		if (*line == '\033') {
			size_t escape = strcspn(line, "m") + 1;
			fwrite(line, 1, escape, stdout);
			line += escape;
			length -= escape;
			continue;
		}
		uint32_t character = 0;
		size_t bytes = sp_utf8_next(line, length, &character);
		size_t columns = bytes ? columns_of(character) : 1;
		bytes = bytes ? bytes : 1;
		// Beyond the edge only the escapes go on, so that no colour leaks.
		if (used + columns <= most)
			fwrite(line, 1, bytes, stdout);
		used += columns;
		line += bytes;
		length -= bytes;
	}
}

size_t sp_page_redraw(const struct sp_page *page, size_t previous)
{
	struct winsize size = {0};
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0 || size.ws_row == 0)
		size = (struct winsize){.ws_col = 80, .ws_row = 24};
	if (previous > 0)
		printf("\033[%zuA\r", previous);
	size_t drawn = 0;
	const char *line = page->text.data ? page->text.data : "";
	while (*line && drawn + 1 < size.ws_row) {
		size_t length = strcspn(line, "\n");
		print_cut(line, length, size.ws_col);
		fputs("\033[K\n", stdout);
		line += length + (line[length] == '\n');
		drawn++;
	}
	fputs("\033[J", stdout);
	fflush(stdout);
	return drawn;
}
