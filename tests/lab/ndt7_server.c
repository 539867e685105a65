// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// An ndt7 server for the lab (spec v0.11.0), by libwebsockets: another's WebSocket beside our own, fast
// enough to measure against. Downloads and uploads of --seconds each, and what the kernel says of them four
// times a second. lab_ndt7 --port PORT [--cert FILE --key FILE] [--seconds N]; with a certificate it is wss.
#include <getopt.h>
#include <inttypes.h>
#include <libwebsockets.h>
#include <linux/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>

enum {
	SECOND_US = 1000 * 1000,
	MEASURE_US = SECOND_US / 4,
	FIRST =
	    1 << 13, ///< bytes of the first message; they double while they are a sixteenth of what was sent
	GREATEST = 1 << 20,
	TAKEN = 256 * 1024, ///< at once, of an upload
	TEXT = 1024,
};

static unsigned char message[LWS_PRE + GREATEST];
static int64_t seconds = 10;

/// One test; libwebsockets holds it, zeroed.
struct test {
	bool up, ended, measure_due, ping_due;
	int64_t began_us;
	int64_t bytes; ///< payload that was sent or came
	size_t size;   ///< of the next message
};

static int64_t now_us(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64_t)time.tv_sec * SECOND_US + time.tv_nsec / 1000;
}

static bool asks(struct lws *wsi, const char *path)
{
	char target[128];
	return lws_hdr_copy(wsi, target, sizeof(target), WSI_TOKEN_GET_URI) > 0 && strcmp(target, path) == 0;
}

static bool speaks_ndt7(struct lws *wsi)
{
	char offered[64];
	return lws_hdr_copy(wsi, offered, sizeof(offered), WSI_TOKEN_PROTOCOL) > 0 &&
	       strstr(offered, "net.measurementlab.ndt.v7");
}

static int begin(struct test *test, struct lws *wsi)
{
	*test = (struct test){.up = asks(wsi, "/ndt/v7/upload"), .began_us = now_us(), .size = FIRST};
	lws_set_timer_usecs(wsi, MEASURE_US);
	if (!test->up)
		lws_callback_on_writable(wsi);
	return 0;
}

static int tell(const struct test *test, struct lws *wsi)
{
	unsigned char buffer[LWS_PRE + TEXT];
	struct tcp_info info = {0};
	socklen_t size = sizeof(info);
	int64_t elapsed = now_us() - test->began_us;
	if (getsockopt(lws_get_socket_fd(wsi), IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
		return -1;
	int length = snprintf(
	    (char *)buffer + LWS_PRE, TEXT,
	    "{\"AppInfo\":{\"ElapsedTime\":%" PRId64 ",\"NumBytes\":%" PRId64
	    "},\"Origin\":\"server\",\"Test\":\"%s\",\"TCPInfo\":{\"ElapsedTime\":%" PRId64
	    ",\"BytesAcked\":%" PRIu64 ",\"BytesReceived\":%" PRIu64 ",\"BytesSent\":%" PRIu64
	    ",\"BytesRetrans\":%" PRIu64 ",\"MinRTT\":%u,\"RTT\":%u,\"RTTVar\":%u,\"BusyTime\":%" PRIu64
	    ",\"RWndLimited\":%" PRIu64 ",\"SndBufLimited\":%" PRIu64 "}}",
	    elapsed, test->bytes, test->up ? "upload" : "download", elapsed, (uint64_t)info.tcpi_bytes_acked,
	    (uint64_t)info.tcpi_bytes_received, (uint64_t)info.tcpi_bytes_sent,
	    (uint64_t)info.tcpi_bytes_retrans, info.tcpi_min_rtt, info.tcpi_rtt, info.tcpi_rttvar,
	    (uint64_t)info.tcpi_busy_time, (uint64_t)info.tcpi_rwnd_limited,
	    (uint64_t)info.tcpi_sndbuf_limited);
	return lws_write(wsi, buffer + LWS_PRE, (size_t)length, LWS_WRITE_TEXT);
}

static int ping(struct lws *wsi)
{
	unsigned char buffer[LWS_PRE + 8] = {0};
	return lws_write(wsi, buffer + LWS_PRE, 8, LWS_WRITE_PING);
}

static int send_message(struct test *test, struct lws *wsi)
{
	int put = lws_write(wsi, message + LWS_PRE, test->size, LWS_WRITE_BINARY);
	if (put < 0)
		return put;
	test->bytes += (int64_t)test->size;
	if (test->size < GREATEST && (int64_t)test->size <= test->bytes / 16)
		test->size *= 2;
	lws_callback_on_writable(wsi);
	return put;
}

/// One message each time: libwebsockets keeps what the kernel does not take, and calls when that is gone.
static int write_next(struct test *test, struct lws *wsi)
{
	int put = 0;
	if (test->measure_due) {
		test->measure_due = false;
		put = tell(test, wsi);
		lws_callback_on_writable(wsi);
	} else if (now_us() - test->began_us >= seconds * SECOND_US) {
		test->ended = true;
		lws_close_reason(wsi, LWS_CLOSE_STATUS_NORMAL, NULL, 0);
		return -1;
	} else if (test->ping_due) {
		test->ping_due = false;
		put = ping(wsi);
		lws_callback_on_writable(wsi);
	} else if (!test->up) {
		put = send_message(test, wsi);
	}
	return put < 0 ? -1 : 0;
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *state, void *data, size_t length)
{
	struct test *test = state;
	(void)data;
	switch ((int)reason) {
	case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION:
		return speaks_ndt7(wsi) && (asks(wsi, "/ndt/v7/upload") || asks(wsi, "/ndt/v7/download"))
			   ? 0
			   : -1;
	case LWS_CALLBACK_ESTABLISHED:
		return begin(test, wsi);
	case LWS_CALLBACK_TIMER:
		test->measure_due = test->ping_due = true;
		lws_set_timer_usecs(wsi, MEASURE_US);
		lws_callback_on_writable(wsi);
		return 0;
	case LWS_CALLBACK_SERVER_WRITEABLE:
		return write_next(test, wsi);
	case LWS_CALLBACK_RECEIVE:
		test->bytes += test->up ? (int64_t)length : 0;
		return 0;
	case LWS_CALLBACK_CLOSED:
		printf("%s %s: %" PRId64 " bytes in %.3f s\n", test->up ? "upload" : "download",
		       test->ended ? "ended" : "broken off", test->bytes,
		       (double)(now_us() - test->began_us) / SECOND_US);
		fflush(stdout);
		return 0;
	default:
		return 0;
	}
}

static const struct lws_protocols protocols[] = {
    {.name = "net.measurementlab.ndt.v7",
     .callback = on_event,
     .per_session_data_size = sizeof(struct test),
     .rx_buffer_size = TAKEN},
    {0},
};

static bool number(const char *text, int64_t most, int64_t *out)
{
	char *end;
	*out = strtoll(text, &end, 10);
	return end != text && *end == '\0' && *out >= 1 && *out <= most;
}

static int usage(void)
{
	fprintf(stderr, "usage: lab_ndt7 --port PORT [--cert FILE --key FILE] [--seconds N]\n");
	return 2;
}

static bool parse(int argc, char **argv, struct lws_context_creation_info *info)
{
	static const struct option options[] = {{"port", required_argument, NULL, 'p'},
						{"cert", required_argument, NULL, 'c'},
						{"key", required_argument, NULL, 'k'},
						{"seconds", required_argument, NULL, 's'},
						{0}};
	int64_t port = 0;
	bool good = true;
	for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (option == 'p')
			good &= number(optarg, UINT16_MAX, &port);
		else if (option == 's')
			good &= number(optarg, 3600, &seconds);
		else if (option == 'c')
			info->ssl_cert_filepath = optarg;
		else if (option == 'k')
			info->ssl_private_key_filepath = optarg;
		else
			good = false;
	}
	info->port = (int)port;
	return good && optind == argc && port > 0 &&
	       !info->ssl_cert_filepath == !info->ssl_private_key_filepath;
}

int main(int argc, char **argv)
{
	struct lws_context_creation_info info = {.protocols = protocols, .pt_serv_buf_size = TAKEN};
	if (!parse(argc, argv, &info))
		return usage();
	// Nothing on the way shall be able to make it smaller.
	for (size_t filled = 0; filled < GREATEST;) {
		ssize_t got = getrandom(message + LWS_PRE + filled, GREATEST - filled, 0);
		filled += got > 0 ? (size_t)got : 0;
	}
	info.options = LWS_SERVER_OPTION_DISABLE_IPV6 | LWS_SERVER_OPTION_VALIDATE_UTF8;
	if (info.ssl_cert_filepath)
		info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
	lws_set_log_level(LLL_ERR | LLL_WARN, NULL);
	struct lws_context *context = lws_create_context(&info);
	if (!context)
		return 1;
	printf("listening on port %d\n", info.port);
	fflush(stdout);
	while (lws_service(context, 0) >= 0) {
	}
	lws_context_destroy(context);
	return 1;
}
