// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The queue between threads. Waiting is measured on the real monotonic clock, never on a
// simulated one: the thread at the other end is real, too.
#include "agent/base/queue.h"

#include <pthread.h>
#include <time.h>

#include "agent/base/mem.h"

struct sp_queue {
	pthread_mutex_t mutex;
	pthread_cond_t arrived;
	struct sp_queue_node *head, **tail;
	size_t length, max;
	void (*wake)(void *arg);
	void *arg;
};

struct sp_queue *sp_queue_new(size_t max, void (*wake)(void *arg), void *arg)
{
	struct sp_queue *queue = sp_alloc(sizeof(*queue));
	queue->tail = &queue->head;
	queue->max = max;
	queue->wake = wake;
	queue->arg = arg;
	pthread_mutex_init(&queue->mutex, NULL);
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&queue->arrived, &attr);
	pthread_condattr_destroy(&attr);
	return queue;
}

void sp_queue_free(struct sp_queue *queue, void (*dispose)(struct sp_queue_node *node))
{
	if (!queue)
		return;
	while (queue->head) {
		struct sp_queue_node *node = queue->head;
		queue->head = node->next;
		if (dispose)
			dispose(node);
	}
	pthread_cond_destroy(&queue->arrived);
	pthread_mutex_destroy(&queue->mutex);
	free(queue);
}

static int push(struct sp_queue *queue, struct sp_queue_node *node, bool always)
{
	int result = 0;
	bool was_empty = false;
	pthread_mutex_lock(&queue->mutex);
	if (queue->length >= queue->max && !always)
		result = -ENOBUFS;
	else {
		was_empty = queue->length == 0;
		node->next = NULL;
		*queue->tail = node;
		queue->tail = &node->next;
		queue->length++;
		pthread_cond_signal(&queue->arrived);
	}
	pthread_mutex_unlock(&queue->mutex);
	// Outside the lock: the woken side may want the queue at once.
	if (was_empty && queue->wake)
		queue->wake(queue->arg);
	return result;
}

int sp_queue_push(struct sp_queue *queue, struct sp_queue_node *node)
{
	return push(queue, node, false);
}

void sp_queue_push_always(struct sp_queue *queue, struct sp_queue_node *node)
{
	(void)push(queue, node, true);
}

static struct timespec after_us(int64_t timeout_us)
{
	struct timespec at;
	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_sec += timeout_us / 1000000;
	at.tv_nsec += (long)(timeout_us % 1000000 * 1000);
	if (at.tv_nsec >= 1000000000) {
		at.tv_sec++;
		at.tv_nsec -= 1000000000;
	}
	return at;
}

struct sp_queue_node *sp_queue_pop(struct sp_queue *queue, int64_t timeout_us)
{
	struct timespec until = {0};
	if (timeout_us > 0)
		until = after_us(timeout_us);
	pthread_mutex_lock(&queue->mutex);
	int waited = 0;
	while (!queue->head && timeout_us != 0 && waited != ETIMEDOUT) {
		if (timeout_us < 0)
			waited = pthread_cond_wait(&queue->arrived, &queue->mutex);
		else
			waited = pthread_cond_timedwait(&queue->arrived, &queue->mutex, &until);
	}
	struct sp_queue_node *node = queue->head;
	if (node) {
		queue->head = node->next;
		if (!queue->head)
			queue->tail = &queue->head;
		queue->length--;
		node->next = NULL;
	}
	pthread_mutex_unlock(&queue->mutex);
	return node;
}

size_t sp_queue_length(struct sp_queue *queue)
{
	pthread_mutex_lock(&queue->mutex);
	size_t length = queue->length;
	pthread_mutex_unlock(&queue->mutex);
	return length;
}
