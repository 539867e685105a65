// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// schoolpulse-capture: opens one interface, gives up every right, and prints one line of counts per second
// (capture_line.h). Started by the `capture` driver, so that hostile frames never reach the agent's memory.
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "capture_count.h"
#include "capture_filter.h"
#include "capture_rights.h"

enum {
	RING_BYTES = 2 * 1024 * 1024,
	BLOCK_MS = 250,      ///< after so long the kernel hands over a block that is not full
	TURN_FRAMES = 20000, ///< before the clock is looked at again
	SECOND_US = 1000 * 1000,
};

/// What the interface itself could not take in.
static const char *const drop_counters[] = {"rx_missed_errors", "rx_fifo_errors"};
enum { DROP_COUNTERS = sizeof(drop_counters) / sizeof(drop_counters[0]) };

struct capture {
	const char *interface;
	struct sp_capture_sides sides;
	struct sp_flows *flows;
	pcap_t *pcap;
	int fd, drop_fds[DROP_COUNTERS];
	unsigned mtu;
	int64_t dropped; ///< by the interface, so far
	struct sp_capture_second second;
};

static const char help[] =
    "Usage: schoolpulse-capture --interface NAME [--mac MAC]... [--wan] [--inside PREFIX]...\n"
    "\n"
    "Prints one line of counts per second of the frames on an Ethernet interface. Started by\n"
    "schoolpulsed for a [capture \"...\"] section.\n"
    "\n"
    "  --interface NAME  where to look\n"
    "  --mac MAC         of the router: what it sends comes down, what is sent to it goes up\n"
    "  --wan             the frames are those between router and provider: the other way round\n"
    "  --inside PREFIX   tell directions by the school's networks instead\n";

// ---- the command line -------------------------------------------------------------------------------

static bool take_option(struct capture *capture, int option, const char *value)
{
	struct sp_capture_sides *sides = &capture->sides;
	switch (option) {
	case 'i':
		capture->interface = value;
		return true;
	case 'm':
		return sides->mac_count < SP_CAPTURE_MACS &&
		       sp_capture_mac(value, sides->macs[sides->mac_count++]) == 0;
	case 'p':
		return sides->prefix_count < SP_CAPTURE_PREFIXES &&
		       sp_capture_prefix_parse(value, &sides->inside[sides->prefix_count++]) == 0;
	case 'w':
		sides->wan = true;
		return true;
	default:
		return false;
	}
}

static bool take_arguments(struct capture *capture, int argc, char **argv)
{
	static const struct option options[] = {
	    {"interface", required_argument, NULL, 'i'},
	    {"mac", required_argument, NULL, 'm'},
	    {"inside", required_argument, NULL, 'p'},
	    {"wan", no_argument, NULL, 'w'},
	    {0},
	};
	int option;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (!take_option(capture, option, optarg))
			return false;
	return optind == argc && capture->interface &&
	       capture->sides.mac_count + capture->sides.prefix_count > 0;
}

// ---- opening ----------------------------------------------------------------------------------------

static enum sp_capture_exit reason_of(int status)
{
	switch (status) {
	case PCAP_ERROR_PERM_DENIED:
	case PCAP_ERROR_PROMISC_PERM_DENIED:
		return SP_CAPTURE_NO_PERMISSION;
	case PCAP_ERROR_NO_SUCH_DEVICE:
		return SP_CAPTURE_NO_INTERFACE;
	case PCAP_ERROR_IFACE_NOT_UP:
		return SP_CAPTURE_DOWN;
	default:
		return SP_CAPTURE_FAILED;
	}
}

/// The kernel cuts, and nobody can change that any more; or not a byte is read.
static bool set_filter(struct capture *capture)
{
	struct sock_filter program[SP_CAPTURE_FILTER_MAX], there[SP_CAPTURE_FILTER_MAX];
	size_t count = sp_capture_filter(capture->sides.prefix_count > 0, program);
	struct bpf_insn copy[SP_CAPTURE_FILTER_MAX];
	_Static_assert(sizeof(copy) == sizeof(program), "one kind of instructions");
	memcpy(copy, program, sizeof(copy));
	struct bpf_program filter = {.bf_len = (unsigned)count, .bf_insns = copy};
	socklen_t length = SP_CAPTURE_FILTER_MAX; // of instructions
	int one = 1;
	// libpcap is content to filter by itself, behind the kernel: we are not.
	return pcap_setfilter(capture->pcap, &filter) == 0 &&
	       getsockopt(capture->fd, SOL_SOCKET, SO_GET_FILTER, there, &length) == 0 && length == count &&
	       memcmp(there, program, count * sizeof(program[0])) == 0 &&
	       setsockopt(capture->fd, SOL_SOCKET, SO_LOCK_FILTER, &one, sizeof(one)) == 0;
}

static void open_counters(struct capture *capture)
{
	for (size_t i = 0; i < DROP_COUNTERS; i++) {
		char path[128];
		snprintf(path, sizeof(path), "/sys/class/net/%s/statistics/%s", capture->interface,
			 drop_counters[i]);
		capture->drop_fds[i] = open(path, O_RDONLY | O_CLOEXEC);
	}
}

/// 0 or how to end.
static int open_interface(struct capture *capture)
{
	char error[PCAP_ERRBUF_SIZE];
	// Neither "any" nor what else libpcap reads by special names.
	if (if_nametoindex(capture->interface) == 0)
		return SP_CAPTURE_NO_INTERFACE;
	capture->pcap = pcap_create(capture->interface, error);
	if (!capture->pcap)
		return SP_CAPTURE_FAILED;
	pcap_set_snaplen(capture->pcap, SP_FRAME_HEADERS);
	pcap_set_promisc(capture->pcap, 1);
	pcap_set_buffer_size(capture->pcap, RING_BYTES);
	pcap_set_timeout(capture->pcap, BLOCK_MS);
	int status = pcap_activate(capture->pcap);
	if (status < 0)
		return (int)reason_of(status);
	if (pcap_datalink(capture->pcap) != DLT_EN10MB)
		return SP_CAPTURE_NOT_ETHERNET;
	capture->fd = pcap_get_selectable_fd(capture->pcap);
	struct ifreq request = {0};
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", capture->interface);
	if (ioctl(capture->fd, SIOCGIFMTU, &request) == 0 && request.ifr_mtu > 0)
		capture->mtu = (unsigned)request.ifr_mtu;
	// An empty ring must not keep us from saying that nothing came.
	if (!set_filter(capture) || pcap_setnonblock(capture->pcap, 1, error) < 0)
		return SP_CAPTURE_NOT_LOCKED;
	open_counters(capture);
	return 0;
}

// ---- reading ----------------------------------------------------------------------------------------

static int64_t now_us(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * SECOND_US + now.tv_nsec / 1000;
}

static void on_frame(u_char *arg, const struct pcap_pkthdr *header, const u_char *data)
{
	struct capture *capture = (void *)arg;
	int64_t time_us = (int64_t)header->ts.tv_sec * SECOND_US + header->ts.tv_usec;
	sp_capture_count(&capture->sides, capture->flows, data, header->caplen, header->len, capture->mtu,
			 time_us, &capture->second);
}

static int64_t interface_drops(const struct capture *capture)
{
	int64_t sum = 0;
	for (size_t i = 0; i < DROP_COUNTERS; i++) {
		char text[32];
		ssize_t length = pread(capture->drop_fds[i], text, sizeof(text) - 1, 0);
		if (length > 0) {
			text[length] = '\0';
			sum += strtoll(text, NULL, 10);
		}
	}
	return sum;
}

/// pcap_stats() would open files, which is not ours to do any more: the same two sources, read by hand.
static void read_drops(struct capture *capture)
{
	struct tpacket_stats_v3 stats = {0};
	socklen_t size = sizeof(stats);
	if (getsockopt(capture->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size) == 0)
		capture->second.kernel_drops = stats.tp_drops;
	int64_t dropped = interface_drops(capture);
	if (dropped > capture->dropped)
		capture->second.interface_drops = dropped - capture->dropped;
	capture->dropped = dropped;
}

static bool print_second(struct capture *capture, int64_t duration_us)
{
	char line[SP_CAPTURE_LINE_MAX + 1];
	sp_flows_sweep(capture->flows, now_us(CLOCK_REALTIME), &capture->second);
	read_drops(capture);
	capture->second.duration_us = duration_us;
	size_t length = sp_capture_print(&capture->second, line, SP_CAPTURE_LINE_MAX);
	line[length++] = '\n';
	capture->second = (struct sp_capture_second){0};
	for (size_t done = 0; done < length;) {
		ssize_t count = write(STDOUT_FILENO, line + done, length - done);
		if (count < 0 && errno != EINTR)
			return false;
		done += count > 0 ? (size_t)count : 0;
	}
	return true;
}

static int run(struct capture *capture)
{
	int64_t begun_us = now_us(CLOCK_MONOTONIC);
	capture->dropped = interface_drops(capture);
	for (;;) {
		int64_t left_us = begun_us + SECOND_US - now_us(CLOCK_MONOTONIC);
		struct pollfd ready = {.fd = capture->fd, .events = POLLIN};
		if (left_us > 0)
			poll(&ready, 1, (int)(left_us / 1000) + 1);
		// Less than nothing: the interface went down or away.
		if (pcap_dispatch(capture->pcap, TURN_FRAMES, on_frame, (void *)capture) < 0)
			return SP_CAPTURE_DOWN;
		int64_t now = now_us(CLOCK_MONOTONIC);
		if (now - begun_us < SECOND_US)
			continue;
		if (!print_second(capture, now - begun_us))
			return SP_CAPTURE_FAILED;
		begun_us = now;
	}
}

int main(int argc, char **argv)
{
	static struct capture capture;
	uint8_t key[16];
	if (!take_arguments(&capture, argc, argv)) {
		fputs(help, stderr);
		return SP_CAPTURE_USAGE;
	}
	if (getrandom(key, sizeof(key), 0) != (ssize_t)sizeof(key) || !(capture.flows = sp_flows_new(key)))
		return SP_CAPTURE_FAILED;
	explicit_bzero(key, sizeof(key));
	int result = open_interface(&capture);
	if (!result && sp_capture_lock())
		result = SP_CAPTURE_NOT_LOCKED;
	// Nothing is tidied up: that would need rights again.
	_exit(result ? result : run(&capture));
}
