// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A month's misfortune written down (README.md).
#include <stdlib.h>
#include <string.h>

#include "agent/base/config.h"
#include "tests/sim/plan.h"

enum { MINUTE_MS = 60 * 1000, DAY_MINUTES = 24 * 60 };

/// "3 08:15:30": day from 1, and time of day.
static bool read_time(const char *day, const char *clock, int64_t *out_ms)
{
	unsigned hours, minutes, seconds = 0;
	char *end;
	long number = strtol(day, &end, 10);
	int fields = sscanf(clock, "%2u:%2u:%2u", &hours, &minutes, &seconds);
	if (*end || number < 1 || number > 366 || fields < 2 || hours > 23 || minutes > 59 || seconds > 59)
		return false;
	*out_ms = ((number - 1) * DAY_MINUTES + hours * 60 + minutes) * (int64_t)MINUTE_MS + seconds * 1000;
	return true;
}

static bool set_school(struct sim_school *school, const char *word, int64_t value)
{
	if (strcmp(word, "ipv6") == 0)
		school->ipv6 = value != 0;
	else if (strcmp(word, "router_deaf") == 0)
		school->router_deaf = value != 0;
	else if (strcmp(word, "keeps_lease") == 0)
		school->keeps_lease = value != 0;
	else if (strcmp(word, "portal_echo") == 0)
		school->portal_echo = value != 0;
	else if (strcmp(word, "may_ask") == 0)
		school->may_ask = value != 0;
	else if (strcmp(word, "chip") == 0)
		school->chip = value != 0;
	else if (strcmp(word, "hub_time") == 0)
		school->hub_time = value != 0;
	else if (strcmp(word, "loss") == 0)
		school->loss = (unsigned)value;
	else if (strcmp(word, "drift_ppm") == 0)
		school->drift_ppm = value;
	else
		return false;
	return true;
}

static bool add_fault(struct sim_world *world, char *const words[], int count)
{
	struct sim_fault fault;
	int kind = 0;
	int64_t length_ms, value = count > 4 ? strtoll(words[4], NULL, 10) : 0;
	while (kind < SIM_FAULTS && strcmp(sim_fault_names[kind], words[0]) != 0)
		kind++;
	if (kind == SIM_FAULTS || count < 4 || !read_time(words[1], words[2], &fault.from_ms) ||
	    sp_duration_parse(words[3], &length_ms))
		return false;
	fault.kind = (enum sim_fault_kind)kind;
	fault.from_ms += world->from_ms;
	fault.to_ms = fault.from_ms + length_ms;
	fault.value = value;
	sim_world_add(world, fault);
	return true;
}

bool sim_plan_script(struct sim_world *world, FILE *file, const char *name)
{
	char line[256];
	for (unsigned number = 1; fgets(line, sizeof(line), file); number++) {
		char *words[6] = {0}, *rest = line;
		int count = 0;
		line[strcspn(line, "#\n")] = '\0';
		for (char *word; count < 6 && (word = strsep(&rest, " \t"));)
			if (*word)
				words[count++] = word;
		bool good =
		    count == 0 || (count == 3 && strcmp(words[0], "school") == 0
				       ? set_school(&world->school, words[1], strtoll(words[2], NULL, 10))
				       : add_fault(world, words, count));
		if (good || count == 0)
			continue;
		fprintf(stderr,
			"%s:%u: neither \"school WORD NUMBER\" nor \"FAULT DAY HH:MM:SS LENGTH [VALUE]\"\n",
			name, number);
		return false;
	}
	sim_world_ready(world);
	return true;
}
