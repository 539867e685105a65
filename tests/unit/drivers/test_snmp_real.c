// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A router's counters asked of Debian's snmpd, in a namespace of its own; and of peers that are no agents at
// all, which must never hold us for longer than a question may take.
#include <arpa/inet.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "drivers/link/counters_read.h"
#include "schoolpulse/clock.h"

enum { AGENT = 16161, HOSTILE = 16162, LIMIT_US = 30 * 1000 * 1000 };

static char dir[] = "/tmp/sp-snmp-XXXXXX";
static pid_t agent = -1;

// ---- the agent --------------------------------------------------------------------------------

static void raise_loopback(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &request), 0);
	close(fd);
}

static int open_world(void **state)
{
	(void)state;
	if (access("/usr/sbin/snmpd", X_OK) != 0 || unshare(CLONE_NEWNET) != 0) {
		print_message("no snmpd, or no right to a namespace: skipped\n");
		_exit(77);
	}
	raise_loopback();
	assert_non_null(mkdtemp(dir));
	char path[96];
	snprintf(path, sizeof(path), "%s/snmpd.conf", dir);
	FILE *out = fopen(path, "w");
	assert_non_null(out);
	fprintf(out,
		"agentaddress udp:127.0.0.1:%d\nrocommunity teacher\n"
		"createUser school SHA \"authenticate-me-1\" AES \"encrypt-me-1\"\nrouser school priv\n"
		"createUser later SHA-256 \"authenticate-me-2\" AES \"encrypt-me-2\"\nrouser later priv\n",
		AGENT);
	fclose(out);
	agent = fork();
	if (agent == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setenv("SNMP_PERSISTENT_DIR", dir, 1);
		execl("/usr/sbin/snmpd", "snmpd", "-f", "-Ln", "-C", "-c", path, "-I", "-smux", (char *)NULL);
		_exit(127);
	}
	return 0;
}

static int close_world(void **state)
{
	(void)state;
	kill(agent, SIGKILL);
	waitpid(agent, NULL, 0);
	char command[96];
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static struct sp_snmp_login login_of(uint16_t port)
{
	struct sp_snmp_login login = {.host = "127.0.0.1",
				      .port = port,
				      .community = "teacher",
				      .user = "school",
				      .auth_password = "authenticate-me-1",
				      .priv_password = "encrypt-me-1"};
	return login;
}

static int read_once(struct sp_snmp *snmp, const char *interface, struct sp_counters_reading *out)
{
	struct sp_counters_wish wish = {.interface = interface};
	char why[160];
	return sp_counters_read(snmp, &wish, out, why, sizeof(why));
}

/// The agent may still be starting.
static struct sp_snmp *reach(const struct sp_snmp_login *login, struct sp_counters_reading *out)
{
	struct sp_snmp *snmp = sp_snmp_new(login);
	int result;
	int64_t end_us = sp_clock_mono_us() + LIMIT_US;
	do {
		assert_int_equal(waitpid(agent, NULL, WNOHANG), 0);
		result = read_once(snmp, "lo", out);
	} while (result == -ETIMEDOUT && sp_clock_mono_us() < end_us);
	assert_int_equal(result, 0);
	return snmp;
}

static void send_bytes(size_t bytes)
{
	static const char piece[1000];
	struct sockaddr_in there = {
	    .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int sink = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0); // or each would be answered with an error
	assert_int_equal(bind(sink, (struct sockaddr *)&there, sizeof(there)), 0);
	for (size_t sent = 0; sent < bytes; sent += sizeof(piece))
		(void)sendto(fd, piece, sizeof(piece), 0, (struct sockaddr *)&there, sizeof(there));
	close(fd);
	close(sink);
}

/// What the agent counts is what was sent, once it looks anew: it remembers its table for a while.
static void counts(const struct sp_snmp_login *login)
{
	enum { BYTES = 3 * 1000 * 1000 };
	struct sp_counters_reading now, first;
	struct sp_snmp *snmp = reach(login, &first);
	struct sp_counters counters = {0};
	struct sp_counters_moved moved;
	assert_int_equal(first.index, 1);
	sp_counters_step(&counters, &first, &moved);
	send_bytes(BYTES);
	uint64_t in = 0, out = 0;
	for (int64_t end_us = sp_clock_mono_us() + LIMIT_US; in < BYTES && sp_clock_mono_us() < end_us;) {
		assert_int_equal(read_once(snmp, "lo", &now), 0);
		now.at_us = sp_clock_mono_us();
		if (sp_counters_step(&counters, &now, &moved) == SP_COUNTERS_MOVED) {
			in += moved.in;
			out += moved.out;
		}
		usleep(100 * 1000);
	}
	assert_in_range(in, BYTES, BYTES + BYTES / 5);
	assert_in_range(out, BYTES, BYTES + BYTES / 5);
	sp_snmp_free(snmp);
}

static void counts_by_v2c(void **state)
{
	(void)state;
	struct sp_snmp_login login = login_of(AGENT);
	counts(&login);
}

static void counts_by_v3(void **state)
{
	(void)state;
	struct sp_snmp_login login = login_of(AGENT);
	login.v3 = true;
	counts(&login);
	login.user = "later";
	login.auth = SP_SNMP_SHA256;
	login.auth_password = "authenticate-me-2";
	login.priv_password = "encrypt-me-2";
	counts(&login);
}

static void is_refused(void **state)
{
	(void)state;
	struct sp_counters_reading reading;
	struct sp_snmp_login good = login_of(AGENT), login = good;
	sp_snmp_free(reach(&good, &reading));
	login.v3 = true;
	login.auth_password = "wrong-password";
	struct sp_snmp *snmp = sp_snmp_new(&login);
	assert_int_equal(read_once(snmp, "lo", &reading), -EACCES);
	sp_snmp_free(snmp);
	login = good;
	login.v3 = true;
	login.user = "nobody";
	snmp = sp_snmp_new(&login);
	assert_int_equal(read_once(snmp, "lo", &reading), -EACCES);
	sp_snmp_free(snmp);
	// A wrong community is not answered at all.
	login = good;
	login.community = "pupil";
	snmp = sp_snmp_new(&login);
	assert_int_equal(read_once(snmp, "lo", &reading), -ETIMEDOUT);
	sp_snmp_free(snmp);
	snmp = sp_snmp_new(&good);
	assert_int_equal(read_once(snmp, "no such", &reading), -ENODEV);
	assert_int_equal(read_once(snmp, "999", &reading), -ENODEV);
	sp_snmp_free(snmp);
}

// ---- hostile peers ----------------------------------------------------------------------------

enum manner { SILENT, ECHO, RUBBISH, FLOOD, CUT, FLIP };

static struct hostile {
	enum manner manner;
	int fd;
	atomic_bool stop;
	unsigned seed;
} hostile;

/// One answer of this manner to the question in `data`.
static size_t distort(uint8_t *data, size_t length)
{
	switch (hostile.manner) {
	case SILENT:
		return 0;
	case ECHO:
		return length;
	case RUBBISH:
	case FLOOD:
		for (size_t i = 0; i < length; i++)
			data[i] = (uint8_t)rand_r(&hostile.seed);
		return length;
	case CUT:
		return length ? (size_t)rand_r(&hostile.seed) % length : 0;
	case FLIP: { // the question as a response, with some bytes changed
		for (size_t i = 0; i + 1 < length; i++)
			if ((data[i] == 0xA0 || data[i] == 0xA5) && data[i + 1] < 0x80) {
				data[i] = 0xA2;
				break;
			}
		unsigned flips = (unsigned)rand_r(&hostile.seed) % 4;
		for (unsigned i = 0; i < flips; i++)
			data[(size_t)rand_r(&hostile.seed) % length] = (uint8_t)rand_r(&hostile.seed);
		return length;
	}
	}
	return 0;
}

static void *be_hostile(void *arg)
{
	(void)arg;
	uint8_t data[2048];
	struct sockaddr_in from = {0};
	socklen_t size = sizeof(from);
	bool known = false;
	while (!atomic_load(&hostile.stop)) {
		bool flood = known && hostile.manner == FLOOD;
		ssize_t got = recvfrom(hostile.fd, data, sizeof(data), flood ? MSG_DONTWAIT : 0,
				       (struct sockaddr *)&from, &size);
		if (got <= 0 && !flood)
			continue; // its time limit: look whether to stop
		known = true;
		size_t length = distort(data, got > 0 ? (size_t)got : 64);
		if (length)
			(void)sendto(hostile.fd, data, length, 0, (struct sockaddr *)&from, size);
	}
	return NULL;
}

static void meet(enum manner manner, bool v3, unsigned times)
{
	struct sockaddr_in here = {
	    .sin_family = AF_INET, .sin_port = htons(HOSTILE), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval limit = {.tv_usec = 50 * 1000};
	pthread_t thread;
	hostile = (struct hostile){.manner = manner, .seed = 42};
	hostile.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	setsockopt(hostile.fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	assert_int_equal(bind(hostile.fd, (struct sockaddr *)&here, sizeof(here)), 0);
	assert_int_equal(pthread_create(&thread, NULL, be_hostile, NULL), 0);
	struct sp_snmp_login login = login_of(HOSTILE);
	login.v3 = v3;
	struct sp_snmp *snmp = sp_snmp_new(&login);
	for (unsigned i = 0; i < times; i++) {
		static const struct sp_snmp_oid uptime = {9, {1, 3, 6, 1, 2, 1, 1, 3, 0}};
		struct sp_snmp_value values[SP_SNMP_VALUES];
		// A flipped answer may be a good one still: what counts is that it comes back.
		int result = sp_snmp_get(snmp, &uptime, 1, values, manner == SILENT ? 2000 : 150);
		if (manner == SILENT || manner == FLOOD || manner == RUBBISH)
			assert_true(result < 0);
		int count = sp_snmp_next(snmp, &uptime, values, manner == SILENT ? 2000 : 150);
		assert_true(count <= SP_SNMP_VALUES);
	}
	sp_snmp_free(snmp);
	atomic_store(&hostile.stop, true);
	pthread_join(thread, NULL);
	close(hostile.fd);
}

static void comes_back_from_everything(void **state)
{
	(void)state;
	for (int v3 = 0; v3 < 2; v3++) {
		meet(SILENT, v3, 1);
		meet(FLOOD, v3, 3);
		meet(ECHO, v3, 3);
		meet(RUBBISH, v3, 3);
		meet(CUT, v3, 5);
		meet(FLIP, v3, 12);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(counts_by_v2c),
	    cmocka_unit_test(counts_by_v3),
	    cmocka_unit_test(is_refused),
	    cmocka_unit_test(comes_back_from_everything),
	};
	return cmocka_run_group_tests_name("drivers.snmp_real", tests, open_world, close_world);
}
