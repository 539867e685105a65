// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A program that a test starts as a child: it says what it finds itself to be, or misbehaves as asked.
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/// The lines of /proc/self/status that tell of rights and signals.
static void print_status(void)
{
	char line[256];
	FILE *file = fopen("/proc/self/status", "r");
	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, "Cap", 3) == 0 || strncmp(line, "Sig", 3) == 0 ||
		    strncmp(line, "NoNewPrivs", 10) == 0)
			fputs(line, stdout);
	if (file)
		fclose(file);
}

static void print_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	for (struct dirent *entry; dir && (entry = readdir(dir));)
		if (entry->d_name[0] != '.' && atoi(entry->d_name) != dirfd(dir))
			printf("fd:%s\n", entry->d_name);
	if (dir)
		closedir(dir);
}

static void print_self(void)
{
	print_status();
	print_descriptors();
	printf("stdin:%d\n", getchar());
	printf("notify:%s\n", getenv("NOTIFY_SOCKET") ? "inherited" : "none");
	printf("path:%s\n", getenv("PATH") ? "inherited" : "none");
}

static void print_endless(void)
{
	for (;;)
		if (putchar('x') == EOF)
			exit(1);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";
	if (strcmp(mode, "self") == 0) {
		print_self();
	} else if (strcmp(mode, "count") == 0) {
		for (int i = 0; i < atoi(argv[2]); i++)
			printf("%d of %s\n", i, argv[2]);
		printf("no end of line");
	} else if (strcmp(mode, "width") == 0) {
		for (int i = 0; i < atoi(argv[2]); i++)
			putchar('w');
		putchar('\n');
	} else if (strcmp(mode, "endless") == 0) {
		print_endless();
	} else if (strcmp(mode, "deaf") == 0) {
		signal(SIGTERM, SIG_IGN);
		puts("ready");
		fflush(stdout);
		for (;;)
			pause();
	} else if (strcmp(mode, "wait") == 0) {
		printf("%d\n", (int)getpid());
		fflush(stdout);
		for (;;)
			pause();
	} else if (strcmp(mode, "silent") == 0) {
		fclose(stdout);
		for (;;)
			pause();
	}
	return argc > 3 ? atoi(argv[3]) : 0;
}
