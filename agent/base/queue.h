// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The one way between threads: a bounded FIFO of intrusive nodes with a wake-up for threads
// that sleep elsewhere (an event loop, a poll on a socket).
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "schoolpulse/err.h"

struct sp_queue;

/// Embed it first or find the message by container_of; a node is in one queue at a time.
struct sp_queue_node {
	struct sp_queue_node *next;
};

/// `wake` (may be NULL) is called by the pushing thread after each push to an empty queue.
struct sp_queue *sp_queue_new(size_t max, void (*wake)(void *arg), void *arg);
/// The queue must be empty, or `dispose` is called for what is left.
void sp_queue_free(struct sp_queue *queue, void (*dispose)(struct sp_queue_node *node));

/// 0, -ENOBUFS when full; the node stays the caller's on failure.
int sp_queue_push(struct sp_queue *queue, struct sp_queue_node *node) SP_MUST_CHECK;
/// Like push, but beyond the maximum: for answers and stop requests that may never be refused.
void sp_queue_push_always(struct sp_queue *queue, struct sp_queue_node *node);
/// The oldest node, or NULL: at once (timeout 0), after `timeout_us`, or never before one comes
/// (negative).
struct sp_queue_node *sp_queue_pop(struct sp_queue *queue, int64_t timeout_us);
size_t sp_queue_length(struct sp_queue *queue);
