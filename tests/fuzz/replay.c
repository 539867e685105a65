// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A plain main for fuzz targets: replays the files and folders given as arguments, under whatever
// sanitizers the build has. A missing or empty folder is a failure: nothing tested is not passed.
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int complain(const char *path)
{
	fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
	return -1;
}

/// The bytes in memory of exactly their size, so that a sanitizer sees a read beyond.
static int replay_file(const char *path, size_t size)
{
	FILE *file = fopen(path, "rb");
	if (!file)
		return complain(path);
	uint8_t *data = malloc(size ? size : 1);
	bool whole = data && fread(data, 1, size, file) == size;
	fclose(file);
	if (whole)
		LLVMFuzzerTestOneInput(data, size);
	free(data);
	if (!whole)
		return complain(path);
	return 1;
}

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/// How many inputs were replayed, or -1. Folders go one level deep, in order of names.
static int replay(const char *path, int depth)
{
	struct stat status;
	if (stat(path, &status) < 0)
		return complain(path);
	if (S_ISREG(status.st_mode))
		return replay_file(path, (size_t)status.st_size);
	struct dirent **entries;
	int found = depth == 0 ? scandir(path, &entries, is_visible, alphasort) : 0;
	if (found < 0)
		return complain(path);
	int count = 0;
	for (int i = 0; i < found; i++) {
		char *inner = sp_asprintf("%s/%s", path, entries[i]->d_name);
		int replayed = count < 0 ? 0 : replay(inner, depth + 1);
		count = replayed < 0 ? -1 : count + replayed;
		free(inner);
		free(entries[i]);
	}
	if (found > 0)
		free(entries);
	if (count == 0 && depth == 0)
		fprintf(stderr, "replay: %s: no inputs\n", path);
	return count == 0 && depth == 0 ? -1 : count;
}

int main(int argc, char **argv)
{
	int total = 0;
	for (int i = 1; i < argc; i++) {
		int count = replay(argv[i], 0);
		if (count < 0)
			return EXIT_FAILURE;
		total += count;
	}
	printf("replay: %d inputs\n", total);
	return total > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
