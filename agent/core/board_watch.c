// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Reads the board at its interval.
#include "agent/core/board_watch.h"

#include <string.h>

#include "agent/base/mem.h"

struct sp_board_watch {
	struct sp_board_watch_config config;
	const struct sp_board *board;
	char model[128];
	struct sp_metric *metrics;
	struct sp_samples *samples;
	struct sp_loop_timer *timer;
	struct sp_board_reading reading;
};

static enum sp_metric_kind kind_of(const struct sp_board_metric *metric)
{
	// What only rises says all by its last value.
	bool rises = metric->offset == offsetof(struct sp_board_reading, uptime_seconds) ||
		     metric->offset == offsetof(struct sp_board_reading, storage_written_bytes);
	return rises ? SP_METRIC_COUNTER : SP_METRIC_GAUGE;
}

static struct sp_metric *make_metrics(void)
{
	size_t count = 0;
	while (sp_board_metrics[count].name)
		count++;
	struct sp_metric *metrics = sp_alloc((count + 1) * sizeof(*metrics));
	for (size_t i = 0; i < count; i++)
		metrics[i] = (struct sp_metric){.name = sp_board_metrics[i].name,
						.unit = sp_board_metrics[i].unit,
						.kind = kind_of(&sp_board_metrics[i]),
						.help = sp_board_metrics[i].help};
	return metrics;
}

static void read_board(void *arg)
{
	struct sp_board_watch *watch = arg;
	watch->reading = (struct sp_board_reading){0};
	watch->board->read(&watch->config.root, &watch->reading);
	for (unsigned i = 0; sp_board_metrics[i].name; i++) {
		struct sp_quantity quantity;
		memcpy(&quantity, (const char *)&watch->reading + sp_board_metrics[i].offset,
		       sizeof(quantity));
		if (quantity.known)
			sp_samples_add(watch->samples, i, NULL, quantity.value);
		else
			sp_samples_unavailable(watch->samples, i, NULL);
	}
	sp_loop_timer_start(watch->config.loop, watch->timer, watch->config.interval_ms);
}

struct sp_board_watch *sp_board_watch_new(const struct sp_board_watch_config *config)
{
	struct sp_board_watch *watch = sp_alloc(sizeof(*watch));
	watch->config = *config;
	watch->board = sp_board_match(&config->root);
	sp_board_model(&config->root, watch->model, sizeof(watch->model));
	watch->metrics = make_metrics();
	watch->samples = sp_samples_new(watch->metrics);
	watch->timer = sp_loop_timer_new(config->loop, read_board, watch);
	read_board(watch);
	return watch;
}

void sp_board_watch_free(struct sp_board_watch *watch)
{
	if (!watch)
		return;
	sp_loop_timer_free(watch->config.loop, watch->timer);
	sp_samples_free(watch->samples);
	free(watch->metrics);
	free(watch);
}

double sp_board_watch_fold(struct sp_board_watch *watch, double seconds)
{
	sp_samples_fold(watch->samples, seconds);
	return sp_samples_folded(watch->samples);
}

void sp_board_watch_flush(struct sp_board_watch *watch)
{
	sp_samples_flush(watch->samples, watch->config.recorder, "board", watch->board->name);
}

const struct sp_board *sp_board_watch_board(const struct sp_board_watch *watch)
{
	return watch->board;
}

const char *sp_board_watch_model(const struct sp_board_watch *watch)
{
	return watch->model;
}

const struct sp_board_reading *sp_board_watch_reading(const struct sp_board_watch *watch)
{
	return &watch->reading;
}
