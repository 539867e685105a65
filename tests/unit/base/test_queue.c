// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The queue between threads, with real threads.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/mem.h"
#include "agent/base/queue.h"

enum { PRODUCERS = 4, EACH = 5000 };

struct message {
	struct sp_queue_node node;
	int producer, number;
};

static struct message *message_new(int producer, int number)
{
	struct message *message = sp_alloc(sizeof(*message));
	message->producer = producer;
	message->number = number;
	return message;
}

static int disposed;

static void dispose(struct sp_queue_node *node)
{
	disposed++;
	free(node);
}

static void first_in_first_out_within_the_maximum(void **state)
{
	(void)state;
	struct sp_queue *queue = sp_queue_new(2, NULL, NULL);
	struct message a = {.number = 1}, b = {.number = 2}, c = {.number = 3};
	assert_null(sp_queue_pop(queue, 0));
	assert_int_equal(sp_queue_push(queue, &a.node), 0);
	assert_int_equal(sp_queue_push(queue, &b.node), 0);
	assert_int_equal(sp_queue_push(queue, &c.node), -ENOBUFS);
	sp_queue_push_always(queue, &c.node);
	assert_int_equal(sp_queue_length(queue), 3);
	assert_ptr_equal(sp_queue_pop(queue, 0), &a.node);
	assert_ptr_equal(sp_queue_pop(queue, -1), &b.node);
	assert_ptr_equal(sp_queue_pop(queue, 1000), &c.node);
	assert_null(sp_queue_pop(queue, 0));
	assert_int_equal(sp_queue_push(queue, &a.node), 0);
	assert_ptr_equal(sp_queue_pop(queue, 0), &a.node);
	sp_queue_free(queue, NULL);
}

static int64_t now_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void a_timeout_is_waited_out(void **state)
{
	(void)state;
	struct sp_queue *queue = sp_queue_new(1, NULL, NULL);
	int64_t before = now_us();
	assert_null(sp_queue_pop(queue, 20000));
	assert_true(now_us() - before >= 20000); // never early; how late is the machine's affair
	sp_queue_free(queue, NULL);
}

static void free_disposes_of_the_rest(void **state)
{
	(void)state;
	struct sp_queue *queue = sp_queue_new(10, NULL, NULL);
	disposed = 0;
	for (int i = 0; i < 3; i++)
		assert_int_equal(sp_queue_push(queue, &message_new(0, i)->node), 0);
	sp_queue_free(queue, dispose);
	assert_int_equal(disposed, 3);
	sp_queue_free(NULL, dispose);
}

static void count_wake(void *arg)
{
	(*(int *)arg)++;
}

static void wakes_once_per_filling(void **state)
{
	(void)state;
	int wakes = 0;
	struct sp_queue *queue = sp_queue_new(2, count_wake, &wakes);
	struct message a = {0}, b = {0}, c = {0};
	assert_int_equal(sp_queue_push(queue, &a.node), 0);
	assert_int_equal(wakes, 1);
	assert_int_equal(sp_queue_push(queue, &b.node), 0);
	assert_int_equal(sp_queue_push(queue, &c.node), -ENOBUFS);
	assert_int_equal(wakes, 1);
	while (sp_queue_pop(queue, 0))
		;
	sp_queue_push_always(queue, &a.node);
	assert_int_equal(wakes, 2);
	sp_queue_pop(queue, 0);
	sp_queue_free(queue, NULL);
}

struct producer {
	struct sp_queue *queue;
	int number;
	int refused;
};

/// Refusals are retried, so that a small maximum is fought over.
static void *produce(void *arg)
{
	struct producer *self = arg;
	for (int i = 0; i < EACH; i++) {
		struct message *message = message_new(self->number, i);
		while (sp_queue_push(self->queue, &message->node) == -ENOBUFS) {
			self->refused++;
			sched_yield();
		}
	}
	return NULL;
}

static void threads_lose_double_and_reorder_nothing(void **state)
{
	(void)state;
	struct sp_queue *queue = sp_queue_new(8, NULL, NULL);
	pthread_t threads[PRODUCERS];
	struct producer producers[PRODUCERS];
	for (int i = 0; i < PRODUCERS; i++) {
		producers[i] = (struct producer){.queue = queue, .number = i};
		assert_int_equal(pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
	}
	int next[PRODUCERS] = {0};
	for (int i = 0; i < PRODUCERS * EACH; i++) {
		struct message *message = (struct message *)sp_queue_pop(queue, -1);
		assert_non_null(message);
		assert_int_equal(message->number, next[message->producer]);
		next[message->producer]++;
		free(message);
	}
	for (int i = 0; i < PRODUCERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(sp_queue_length(queue), 0);
	sp_queue_free(queue, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(first_in_first_out_within_the_maximum),
	    cmocka_unit_test(a_timeout_is_waited_out),
	    cmocka_unit_test(free_disposes_of_the_rest),
	    cmocka_unit_test(wakes_once_per_filling),
	    cmocka_unit_test(threads_lose_double_and_reorder_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
