// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The board's lights and buzzers. One output may serve several readers, so they belong to all
// devices together, and are opened when first asked for.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "agent/core/device_priv.h"
#include "schoolpulse/board.h"
#include "schoolpulse/log.h"

struct sp_outputs {
	struct sp_outputs *next;
	struct sp_loop *loop;
	struct sp_loop_timer *timer; ///< until it goes off
	struct sp_board_output *output;
	char *name;
};

static void switch_off(void *arg)
{
	struct sp_outputs *item = arg;
	int result = sp_board_output_set(item->output, false);
	if (result < 0)
		sp_warning("board", "%s cannot be switched off: %s", item->name, strerror(-result));
}

static void free_item(struct sp_outputs *item)
{
	sp_loop_timer_free(item->loop, item->timer);
	sp_board_output_close(item->output);
	free(item->name);
	free(item);
}

void sp_outputs_free(struct sp_outputs *outputs)
{
	while (outputs) {
		struct sp_outputs *next = outputs->next;
		free_item(outputs);
		outputs = next;
	}
}

static int find(struct sp_devices *devices, const char *name, struct sp_outputs **out)
{
	for (struct sp_outputs *item = devices->outputs; item; item = item->next) {
		*out = item;
		if (strcmp(item->name, name) == 0)
			return 0;
	}
	const char *root = devices->config.board_root;
	const struct sp_board_root where = {.root = root ? root : "", .data_path = ""};
	struct sp_board_output *output;
	int result = sp_board_output_open(&where, name, &output);
	if (result < 0)
		return result;
	struct sp_outputs *item = sp_alloc(sizeof(*item));
	item->loop = devices->config.loop;
	item->output = output;
	item->name = sp_strdup(name);
	item->timer = sp_loop_timer_new(item->loop, switch_off, item);
	item->next = devices->outputs;
	devices->outputs = item;
	*out = item;
	return 0;
}

int sp_outputs_show(struct sp_devices *devices, const char *output, int64_t ms)
{
	struct sp_outputs *item;
	int result = find(devices, output, &item);
	if (result < 0)
		return result;
	result = sp_board_output_set(item->output, ms > 0);
	if (result == 0 && ms > 0)
		sp_loop_timer_start(item->loop, item->timer, ms);
	else
		sp_loop_timer_stop(item->loop, item->timer);
	return result;
}
