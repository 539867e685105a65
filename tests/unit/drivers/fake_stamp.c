// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A reflector by the figures of RFC 8762 §4.3.1, on fake_io.h's timers.
#include "fake_stamp.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "drivers/link/stamp_socket.h"
#include "fake_io.h"

enum { QUEUE = 64, PACKET = 44 };

struct fake_reflector fake_reflector;
static struct sp_device *device;
static fake_packet_fn script;
static uint32_t reflected; ///< of this session

static struct reply {
	struct sp_timer *timer;
	uint8_t data[128];
	size_t length;
	bool here;
} queue[QUEUE];

void fake_stamp(struct sp_device *dev, fake_packet_fn fn)
{
	memset(&fake_reflector, 0, sizeof(fake_reflector));
	fake_reflector.estimate = 0x8001;
	memset(queue, 0, sizeof(queue));
	device = dev;
	script = fn;
}

/// The test's wall clock: 2026, and the monotonic one on top.
static uint64_t wall(int64_t us)
{
	uint64_t seconds = (uint64_t)us / 1000000, below = (uint64_t)us % 1000000;
	return (UINT64_C(3990000000) + seconds) << 32 | (below << 32) / 1000000;
}

static void put(uint8_t *at, uint64_t value, size_t size)
{
	for (size_t i = size; i-- > 0; value >>= 8)
		at[i] = (uint8_t)value;
}

int sp_stamp_socket_open(struct sp_stamp_socket *out, const struct sp_endpoint *peer)
{
	assert_int_equal(peer->address.ss_family, AF_INET);
	reflected = 0; // another port is another session
	fake_reflector.sessions++;
	out->fd = fake_reflector.open_error ? -1 : 1000;
	return fake_reflector.open_error;
}

void sp_stamp_socket_close(struct sp_stamp_socket *s)
{
	for (size_t i = 0; i < QUEUE; i++) {
		sp_timer_free(queue[i].timer);
		queue[i] = (struct reply){0};
	}
	s->fd = -1;
}

uint64_t sp_stamp_socket_time(const struct sp_stamp_socket *s)
{
	assert_true(s->fd >= 0);
	return wall(device->now_us);
}

static void arrive(struct sp_device *dev, void *arg)
{
	((struct reply *)arg)->here = true;
	fake_ready(dev);
}

static void reply(const uint8_t *data, const struct fake_packet *packet, uint32_t number)
{
	struct reply *free = queue;
	while (free->timer)
		free++;
	int64_t there_us = device->now_us + packet->forward_us + fake_reflector.offset_us;
	put(free->data, number, 4);
	put(free->data + 4, wall(there_us + 50), 8); // it took 50 µs
	put(free->data + 12, fake_reflector.estimate, 2);
	if (!fake_reflector.old)
		memcpy(free->data + 14, data + 14, 2);
	put(free->data + 16, wall(there_us), 8);
	memcpy(free->data + 24, data, 14);
	free->data[40] = 250;
	free->length = PACKET;
	if (fake_reflector.bend)
		fake_reflector.bend(fake_reflector.sent - 1, free->data, &free->length);
	free->timer = sp_timer_new(device, arrive, free);
	sp_timer_start(free->timer, (packet->forward_us + packet->backward_us) / 1000);
}

int sp_stamp_socket_send(struct sp_stamp_socket *s, const uint8_t *data, size_t length)
{
	struct fake_packet packet = {.forward_us = 10000, .backward_us = 10000};
	assert_true(s->fd >= 0);
	assert_int_equal(length, PACKET);
	if (fake_reflector.send_error)
		return fake_reflector.send_error;
	if (script)
		script(fake_reflector.sent, &packet);
	fake_reflector.sent++;
	if (packet.lost_forward || fake_reflector.refuses)
		return 0;
	uint32_t number = reflected++;
	if (fake_reflector.stateless)
		number = (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
	for (unsigned i = 0; !packet.lost_backward && i < (fake_reflector.copies ? fake_reflector.copies : 1);
	     i++)
		reply(data, &packet, number);
	return 0;
}

int sp_stamp_socket_receive(struct sp_stamp_socket *s, uint8_t *data, size_t size,
			    struct sp_stamp_arrival *out)
{
	assert_true(s->fd >= 0);
	for (size_t i = 0; i < QUEUE; i++) {
		if (!queue[i].here)
			continue;
		assert_true(queue[i].length <= size);
		memcpy(data, queue[i].data, queue[i].length);
		*out = (struct sp_stamp_arrival){.time = wall(device->now_us), .length = queue[i].length};
		queue[i].here = false;
		return 1;
	}
	return 0;
}
