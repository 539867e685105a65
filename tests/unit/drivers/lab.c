// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Two network namespaces and what answers in the far one (lab.h).
#include "lab.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/// Shared with the child.
static struct modes {
	volatile char page, dns;
} * modes;
static pid_t child = -1;

// ---- the far side ---------------------------------------------------------------------------

static int listen_on(int type, uint16_t port)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	int fd = socket(AF_INET6, type | SOCK_CLOEXEC, 0), off = 0, on = 1;
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	// Answers must come from the address that was asked.
	if (type == SOCK_DGRAM) {
		setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
	}
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0 || (type == SOCK_STREAM && listen(fd, 16) < 0))
		_exit(3);
	return fd;
}

static void answer_dns(int fd)
{
	static const uint8_t record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 203, 0, 113, 9};
	uint8_t data[600];
	char control[256];
	struct sockaddr_in6 from;
	struct iovec iov = {data, 500};
	struct msghdr message = {.msg_name = &from,
				 .msg_namelen = sizeof(from),
				 .msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(fd, &message, 0);
	if (n < 12 || modes->dns == 's')
		return;
	bool good = modes->dns != 'f';
	data[2] = 0x81;
	data[3] = good ? 0x80 : 0x82;
	data[7] = good;
	iov.iov_len = (size_t)n;
	if (good) {
		memcpy(data + n, record, sizeof(record));
		iov.iov_len += sizeof(record);
	}
	if (modes->dns == 'l') // its own address, for every name
		memcpy(data + n + 12, (const uint8_t[]){192, 168, 1, 1}, 4);
	if (modes->dns == 'o') {
		// As good an answer as any, but from another port.
		int other = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		(void)!sendmsg(other, &message, 0);
		close(other);
		return;
	}
	if (modes->dns == 'x') {
		// Somebody guesses: another id, another question, no response, rubbish. Then the true answer.
		static const uint8_t rubbish[12] = {0};
		const size_t at[] = {0, 1, 2, 13};
		for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
			data[at[i]] ^= 0x81;
			(void)!sendmsg(fd, &message, 0);
			data[at[i]] ^= 0x81;
		}
		struct iovec true_answer = iov;
		iov = (struct iovec){(void *)(uintptr_t)rubbish, sizeof(rubbish)};
		(void)!sendmsg(fd, &message, 0);
		iov = true_answer;
	}
	(void)!sendmsg(fd, &message, 0); // the control message names the address to answer from
}

static void answer_page(int fd)
{
	int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	if (peer < 0)
		return;
	char request[2048];
	(void)!read(peer, request, sizeof(request));
	const char *text = modes->page == 'p'
			       ? "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nlogin"
			   : modes->page == 'r' ? "HTTP/1.1 302 Found\r\nLocation: http://portal.example/\r\n"
						  "Content-Length: 0\r\nConnection: close\r\n\r\n"
						: "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
	(void)!write(peer, text, strlen(text));
	close(peer);
}

static void far_side(int ready, int go)
{
	char byte = 0;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (unshare(CLONE_NEWNET) < 0 || write(ready, "n", 1) != 1 || read(go, &byte, 1) != 1)
		_exit(2);
	int udp = listen_on(SOCK_DGRAM, 53), tcp = listen_on(SOCK_STREAM, 53),
	    http = listen_on(SOCK_STREAM, 80);
	if (write(ready, "s", 1) != 1)
		_exit(2);
	for (;;) {
		struct pollfd fds[] = {{udp, POLLIN, 0}, {tcp, POLLIN, 0}, {http, POLLIN, 0}};
		if (poll(fds, 3, -1) < 0)
			continue;
		if (fds[0].revents)
			answer_dns(udp);
		if (fds[1].revents)
			close(accept(tcp, NULL, NULL));
		if (fds[2].revents)
			answer_page(http);
	}
}

// ---- the near side --------------------------------------------------------------------------

static __attribute__((format(printf, 2, 0))) bool run(const char *prefix, const char *format, va_list args)
{
	char command[1024];
	int used = snprintf(command, sizeof(command), "%s", prefix);
	vsnprintf(command + used, sizeof(command) - (size_t)used, format, args);
	int status = system(command);
	if (status != 0)
		print_message("failed: %s\n", command);
	return status == 0;
}

void lab_school(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	bool good = run("", format, args);
	va_end(args);
	assert_true(good);
}

void lab_internet(const char *format, ...)
{
	char prefix[64];
	snprintf(prefix, sizeof(prefix), "nsenter -t %d -n ", (int)child);
	va_list args;
	va_start(args, format);
	bool good = run(prefix, format, args);
	va_end(args);
	assert_true(good);
}

static bool sorry(const char *what)
{
	print_message("SKIP: network namespaces cannot be made here (%s: %s); run as root\n", what,
		      strerror(errno));
	return false;
}

bool lab_open(void)
{
	int ready[2], go[2];
	char byte;
	modes = mmap(NULL, sizeof(*modes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (modes == MAP_FAILED || pipe(ready) < 0 || pipe(go) < 0)
		return sorry("set-up");
	if (unshare(CLONE_NEWNET) < 0)
		return sorry("unshare");
	if (system("command -v ip nsenter nft >/dev/null") != 0)
		return sorry("ip, nsenter or nft is missing");
	child = fork();
	if (child == 0)
		far_side(ready[1], go[0]);
	if (child < 0 || read(ready[0], &byte, 1) != 1)
		return sorry("fork");
	lab_school("ip link set lo up");
	lab_internet("ip link set lo up");
	lab_heal();
	if (write(go[1], "g", 1) != 1 || read(ready[0], &byte, 1) != 1)
		return sorry("servers");
	return true;
}

void lab_close(void)
{
	if (child > 0) {
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	child = -1;
}

void lab_heal(void)
{
	modes->page = '2';
	modes->dns = 'g';
	if (system("ip link show line0 >/dev/null 2>&1") == 0)
		lab_school("ip link del line0");
	lab_internet("nft flush ruleset");
	lab_internet(
	    "sh -c 'for a in " LAB_ANCHOR_A "/32 " LAB_ANCHOR_B "/32 " LAB_FOREIGN "/32 " LAB_ANCHOR_V6
	    "/128; do ip addr replace $a dev lo nodad 2>/dev/null || ip addr replace $a dev lo; done'");
	lab_school("ip link add line0 type veth peer name isp0 netns %d", (int)child);
	lab_internet("sysctl -qw net.ipv4.icmp_echo_ignore_all=0 net.ipv6.icmp.echo_ignore_all=0");
	lab_internet("ip link set isp0 up");
	lab_internet("ip addr add " LAB_GATEWAY4 "/24 dev isp0");
	lab_internet("ip addr add " LAB_GATEWAY6 "/64 dev isp0 nodad");
	lab_school("ip link set line0 up");
	lab_school("ip addr add 192.0.2.2/24 dev line0");
	lab_school("ip addr add 2001:db8::2/64 dev line0 nodad");
	lab_school("ip route add default via " LAB_GATEWAY4 " dev line0");
	lab_school("ip -6 route add default via " LAB_GATEWAY6 " dev line0");
}

void lab_page(char mode)
{
	modes->page = mode;
}

void lab_dns(char mode)
{
	modes->dns = mode;
}
