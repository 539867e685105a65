// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A long cable for the lab: carries Ethernet frames between two interfaces, each some time after it came.
// It stands in for netem, which not every kernel has. Offloaded checksums and segments stay as they are.
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	FRAME = 70000,    ///< a segment of the largest size before it is cut, and its headers
	UNDER_WAY = 4096, ///< frames; more are lost, as in any queue
	DELAY_MAX_MS = 5000,
};
static const size_t bytes_max = 32u * 1024 * 1024;

struct frame {
	int64_t due_ns;
	size_t length;
	uint8_t *bytes; ///< a virtio header and the frame
};

/// One direction.
struct way {
	int from, to; ///< sockets
	struct frame frames[UNDER_WAY];
	size_t first, count, bytes;
};

static int64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void fail(const char *what)
{
	fprintf(stderr, "lab_relay: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int open_port(const char *interface)
{
	int one = 1;
	struct sockaddr_ll here = {.sll_family = AF_PACKET,
				   .sll_protocol = htons(ETH_P_ALL),
				   .sll_ifindex = (int)if_nametoindex(interface)};
	if (here.sll_ifindex == 0)
		fail(interface);
	// What comes at once while this process does not run must fit: it is a cable, not a bottleneck.
	int room = 16 * 1024 * 1024;
	// Protocol 0: nothing arrives before the socket is bound to its interface.
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) < 0 ||
	    bind(fd, (const struct sockaddr *)&here, sizeof(here)) < 0)
		fail(interface);
	return fd;
}

static void take_in(struct way *way, int64_t delay_ns)
{
	static uint8_t bytes[FRAME];
	for (;;) {
		ssize_t n = recv(way->from, bytes, sizeof(bytes), 0);
		if (n < 0 && errno == ENETDOWN)
			continue; // told once per change
		if (n < 0)
			return;
		if (way->count == UNDER_WAY || way->bytes + (size_t)n > bytes_max)
			continue;
		struct frame *frame = &way->frames[(way->first + way->count) % UNDER_WAY];
		frame->bytes = malloc((size_t)n);
		if (!frame->bytes)
			continue;
		memcpy(frame->bytes, bytes, (size_t)n);
		frame->length = (size_t)n;
		frame->due_ns = now_ns() + delay_ns;
		way->count++;
		way->bytes += frame->length;
	}
}

/// What has been under way for long enough. Returns the time until the next is, or `most_ns`.
static int64_t hand_over(struct way *way, int64_t most_ns)
{
	while (way->count) {
		struct frame *frame = &way->frames[way->first];
		int64_t wait_ns = frame->due_ns - now_ns();
		if (wait_ns > 0)
			return wait_ns < most_ns ? wait_ns : most_ns;
		// What the other side does not take is lost.
		ssize_t n = send(way->to, frame->bytes, frame->length, 0);
		if (n < 0 && errno == EBADF)
			fail("sending");
		way->bytes -= frame->length;
		free(frame->bytes);
		way->first = (way->first + 1) % UNDER_WAY;
		way->count--;
	}
	return most_ns;
}

static void carry(struct way ways[2], int64_t delay_ns)
{
	int64_t wait_ns = INT64_C(1000000000);
	for (;;) {
		struct pollfd ports[2] = {{ways[0].from, POLLIN, 0}, {ways[1].from, POLLIN, 0}};
		struct timespec wait = {wait_ns / 1000000000, (long)(wait_ns % 1000000000)};
		if (ppoll(ports, 2, &wait, NULL) < 0 && errno != EINTR)
			fail("poll");
		wait_ns = INT64_C(1000000000);
		for (int i = 0; i < 2; i++) {
			take_in(&ways[i], delay_ns);
			wait_ns = hand_over(&ways[i], wait_ns);
		}
	}
}

int main(int argc, char **argv)
{
	static struct way ways[2];
	char *end = NULL;
	long delay_ms = argc == 4 ? strtol(argv[3], &end, 10) : -1;
	if (delay_ms < 0 || delay_ms > DELAY_MAX_MS || !end || *end) {
		fprintf(stderr, "usage: lab_relay INTERFACE INTERFACE MILLISECONDS (at most %d)\n",
			DELAY_MAX_MS);
		return 2;
	}
	ways[0].from = ways[1].to = open_port(argv[1]);
	ways[1].from = ways[0].to = open_port(argv[2]);
	puts("relaying");
	fflush(stdout);
	carry(ways, delay_ms * 1000000);
}
