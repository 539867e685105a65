// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The connection by libcurl's CONNECT_ONLY: it knows how to find the better of two families, to bind to an
// interface and to judge a certificate, and then leaves the bytes to us.
//
// Not by libwebsockets, for two measured reasons (4.1.6, Debian 12; 4.3.5 has the same code). Its client
// looks at each byte that comes by itself: 0.73 CPU seconds per Gbit on a desk where iperf3 takes 0.02 and
// this 0.02. And where it leaves the bytes to us (RAW) it cannot do TLS, but hangs.
#include "ndt7_line.h"

#include <curl/curl.h>
#include <errno.h>
#include <linux/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	// Of one segment: IP, TCP and its time stamps.
	SEGMENT_V4 = 20 + 20 + 12,
	SEGMENT_V6 = 40 + 20 + 12,
	FAREWELL = 3,          ///< segments that come after the last look
	UNSENT = 256 * 1024,   ///< what may wait in the kernel: more makes pongs and the end late
	TLS_PIECE = 16 * 1024, ///< a record; what is refused must be offered again as it was
};

static int segment_of(int fd)
{
	struct sockaddr_storage own = {0};
	socklen_t size = sizeof(own);
	return getsockname(fd, (struct sockaddr *)&own, &size) == 0 && own.ss_family == AF_INET6 ? SEGMENT_V6
												 : SEGMENT_V4;
}

static bool kernel_says(int fd, struct tcp_info *info)
{
	socklen_t size = sizeof(*info);
	*info = (struct tcp_info){0};
	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &size) == 0;
}

static int64_t bytes_of_ip(const struct tcp_info *info, int segment)
{
	int64_t segments = (int64_t)info->tcpi_segs_in + info->tcpi_segs_out;
	return (int64_t)info->tcpi_bytes_sent + (int64_t)info->tcpi_bytes_received + segments * segment;
}

void sp_ndt7_line_tcp(const struct sp_ndt7_line *line, struct sp_ndt7_tcp *out)
{
	struct tcp_info info;
	*out = (struct sp_ndt7_tcp){.rtt_us = -1, .min_rtt_us = -1};
	if (line->fd < 0 || !kernel_says(line->fd, &info))
		return;
	out->wire_bytes = bytes_of_ip(&info, line->segment);
	out->acked = (int64_t)info.tcpi_bytes_acked;
	out->sent = (int64_t)info.tcpi_bytes_sent;
	out->retransmitted = (int64_t)info.tcpi_bytes_retrans;
	out->rtt_us = info.tcpi_rtt > 0 ? (int64_t)info.tcpi_rtt : -1;
	// The kernel's own word for "never measured" is all ones.
	out->min_rtt_us =
	    info.tcpi_min_rtt > 0 && info.tcpi_min_rtt < UINT32_MAX ? (int64_t)info.tcpi_min_rtt : -1;
}

// ---- opening ----------------------------------------------------------------------------------

/// Also of an address that was tried in vain. What waits to be sent goes nowhere: a test that is over must
/// not fill the line any longer.
static int on_close(void *arg, curl_socket_t fd)
{
	struct sp_ndt7_line *line = arg;
	struct tcp_info info;
	int segment = segment_of(fd);
	struct linger at_once = {.l_onoff = 1};
	if (kernel_says(fd, &info))
		line->lost_bytes += bytes_of_ip(&info, segment) + FAREWELL * segment;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	return close(fd);
}

static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	(void)a, (void)b, (void)c, (void)d;
	const struct sp_ndt7_line *line = arg;
	return atomic_load(line->cancel);
}

#define SET(option, value)                                                \
	do {                                                              \
		CURLcode set = curl_easy_setopt(easy, (option), (value)); \
		if (set != CURLE_OK)                                      \
			return set;                                       \
	} while (0)

static CURLcode set_up(CURL *easy, struct sp_ndt7_line *line, const struct sp_ndt7_url *url,
		       const struct sp_ndt7_line_config *config, char *error)
{
	char authority[SP_NDT7_HOST + 16], text[SP_NDT7_HOST + 32];
	sp_ndt7_url_authority(url, authority, sizeof(authority));
	snprintf(text, sizeof(text), "%s://%s/", url->tls ? "https" : "http", authority);
	SET(CURLOPT_URL, text);
	SET(CURLOPT_CONNECT_ONLY, 1L);
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_PROXY, ""); // the environment's proxies are somebody else's
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_QUICK_EXIT, 1L);
	SET(CURLOPT_TIMEOUT_MS, (long)config->timeout_ms);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)config->timeout_ms);
	SET(CURLOPT_DNS_CACHE_TIMEOUT, 0L);
	SET(CURLOPT_SSL_SESSIONID_CACHE, 0L);
	SET(CURLOPT_ERRORBUFFER, error);
	SET(CURLOPT_CLOSESOCKETFUNCTION, on_close);
	SET(CURLOPT_CLOSESOCKETDATA, line);
	SET(CURLOPT_XFERINFOFUNCTION, on_progress);
	SET(CURLOPT_XFERINFODATA, line);
	SET(CURLOPT_NOPROGRESS, 0L);
	if (*config->ca_file) {
		SET(CURLOPT_CAINFO, config->ca_file);
		SET(CURLOPT_CAPATH, NULL);
	}
	if (*config->interface) {
		char interface[32];
		// "if!": an interface, never a host name to look up.
		snprintf(interface, sizeof(interface), "if!%s", config->interface);
		SET(CURLOPT_INTERFACE, interface);
	}
	return CURLE_OK;
}

#undef SET

static const char *reason_of(CURL *easy, CURLcode code)
{
	long os_error = 0;
	switch ((int)code) {
	case CURLE_COULDNT_RESOLVE_HOST:
		return "dns";
	case CURLE_COULDNT_CONNECT:
		curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_error);
		return os_error == ENETUNREACH || os_error == EHOSTUNREACH || os_error == EADDRNOTAVAIL
			   ? "no_route"
		       : os_error == ETIMEDOUT ? "timeout"
					       : "refused";
	case CURLE_INTERFACE_FAILED:
		return "no_route";
	case CURLE_OPERATION_TIMEDOUT:
		return "timeout";
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
		return "certificate";
	case CURLE_ABORTED_BY_CALLBACK:
		return "cancelled";
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
		return "closed";
	default:
		return "protocol";
	}
}

static void take_note(struct sp_ndt7_line *line)
{
	curl_socket_t fd = CURL_SOCKET_BAD;
	char *address = NULL;
	int unsent = UNSENT;
	curl_easy_getinfo(line->easy, CURLINFO_ACTIVESOCKET, &fd);
	line->fd = fd == CURL_SOCKET_BAD ? -1 : fd;
	line->segment = segment_of(line->fd);
	setsockopt(line->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
	curl_easy_getinfo(line->easy, CURLINFO_PRIMARY_IP, &address);
	snprintf(line->address, sizeof(line->address), "%s", address ? address : "");
	line->family = strchr(line->address, ':') ? SP_FAMILY_IPV6 : SP_FAMILY_IPV4;
}

bool sp_ndt7_line_open(struct sp_ndt7_line *line, const struct sp_ndt7_url *url,
		       const struct sp_ndt7_line_config *config, struct sp_ndt7_verdict *verdict)
{
	char error[CURL_ERROR_SIZE] = "";
	CURL *easy = curl_easy_init();
	*line = (struct sp_ndt7_line){.easy = easy, .fd = -1, .tls = url->tls, .cancel = config->cancel};
	CURLcode code = easy ? set_up(easy, line, url, config, error) : CURLE_OUT_OF_MEMORY;
	if (code == CURLE_OK)
		code = curl_easy_perform(easy);
	if (easy)
		curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, NULL);
	if (code == CURLE_OK) {
		take_note(line);
		if (line->fd >= 0)
			return true;
		code = CURLE_RECV_ERROR; // gone already
	}
	verdict->reason = reason_of(easy, code);
	snprintf(verdict->text, sizeof(verdict->text), "%.*s", (int)sizeof(verdict->text) - 1,
		 error[0] ? error : curl_easy_strerror(code));
	return false;
}

int64_t sp_ndt7_line_close(struct sp_ndt7_line *line)
{
	if (line->easy)
		curl_easy_cleanup(line->easy);
	line->easy = NULL;
	line->fd = -1;
	return line->lost_bytes;
}

// ---- bytes ------------------------------------------------------------------------------------

bool sp_ndt7_line_wait(const struct sp_ndt7_line *line, bool write, int64_t timeout_us)
{
	struct pollfd pollfd = {.fd = line->fd, .events = (short)(POLLIN | (write ? POLLOUT : 0))};
	struct timespec timeout = {.tv_sec = (time_t)(timeout_us / 1000000),
				   .tv_nsec = (long)(timeout_us % 1000000 * 1000)};
	// An error and the peer's end are read like bytes.
	return ppoll(&pollfd, 1, &timeout, NULL) > 0 && (pollfd.revents & ~POLLOUT);
}

ssize_t sp_ndt7_line_read(struct sp_ndt7_line *line, uint8_t *data, size_t size)
{
	size_t got = 0;
	CURLcode code = curl_easy_recv(line->easy, data, size, &got);
	return code == CURLE_OK ? (ssize_t)got : code == CURLE_AGAIN ? -EAGAIN : -ECONNRESET;
}

ssize_t sp_ndt7_line_write(struct sp_ndt7_line *line, const uint8_t *data, size_t length)
{
	size_t put = 0;
	if (line->tls && length > TLS_PIECE)
		length = TLS_PIECE;
	CURLcode code = curl_easy_send(line->easy, data, length, &put);
	return code == CURLE_OK && put > 0               ? (ssize_t)put
	       : code == CURLE_OK || code == CURLE_AGAIN ? -EAGAIN
							 : -ECONNRESET;
}
