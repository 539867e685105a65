// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What a driver may ask of the core. All calls come from and return to the main thread; a
// callback never runs inside the call that asked for it.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "schoolpulse/driver.h"
#include "schoolpulse/record.h"

// ---- the device ----------------------------------------------------------------------------

const char *sp_device_name(const struct sp_device *dev);
/// Parsed options, `conf_size` bytes, valid until stop has returned.
const void *sp_device_conf(const struct sp_device *dev);
/// `state_size` bytes, zeroed before start.
void *sp_device_state(struct sp_device *dev);
/// Monotonic microseconds: the same clock as timers and records.
int64_t sp_device_now_us(const struct sp_device *dev);

// ---- reports ------------------------------------------------------------------------------

/// Ends the round. The device counts as up (after the hysteresis that the core applies).
void sp_round_ok(struct sp_device *dev);
/// Ends the round: the device did not answer, or not well. `reason` is a short constant word
/// from the feed's vocabulary ("timeout", "refused", "protocol", "no_interface"); the text is
/// for people.
void sp_round_failed(struct sp_device *dev, const char *reason, const char *format, ...) SP_PRINTF(3, 4);

/// Ends the round without a verdict: the device cannot be judged now, for a reason that is not its own (the
/// line is down, the board's clock is not known). It counts as unknown.
void sp_round_unmeasured(struct sp_device *dev, const char *reason, const char *format, ...) SP_PRINTF(3, 4);

/// One measurement of metrics[metric]; `target` tells apart what one device measures at several
/// places (an anchor, a scope), NULL where there is just one. Summarised per window, not sent
/// singly. Text is copied; at most 32 targets per device.
void sp_sample(struct sp_device *dev, unsigned metric, const char *target, double value);
/// The source is missing: shown as unavailable, never as a value.
void sp_sample_unavailable(struct sp_device *dev, unsigned metric, const char *target);

/// Runs on the main thread once the record is on the card (0) or cannot be (-errno). A kiosk
/// is acknowledged here and nowhere else.
typedef void (*sp_committed_fn)(struct sp_device *dev, int result, void *arg);

/// Journals one record. `type` must be in the feed's schemas. 0, or -errno when the journal
/// refuses it (-ENOBUFS: it is full; -EPERM: of class attendance, which is kiosk.h's), in
/// which case `committed` does not run. `committed` may be NULL.
int sp_event(struct sp_device *dev, enum sp_record_class cls, const char *type, const struct sp_field *fields,
	     size_t count, sp_committed_fn committed, void *arg) SP_MUST_CHECK;

// ---- the outage ledger ----------------------------------------------------------------------

/// Rungs of the ladder, near to far; the feed's words are the lower-case names.
enum sp_rung {
	SP_RUNG_CABLE,         ///< carrier of the line's interface
	SP_RUNG_ADDRESS,       ///< an address and a default route
	SP_RUNG_GATEWAY,       ///< the first router, by ARP/NDP or echo
	SP_RUNG_ISP_ACCESS,    ///< first hop beyond all NATs
	SP_RUNG_ISP_CORE,      ///< domestic anchors
	SP_RUNG_INTERNATIONAL, ///< anchors abroad
	SP_RUNG_DNS,
	SP_RUNG_PORTAL,  ///< ok: no captive portal answered in the anchor's place
	SP_RUNG_HUB,     ///< our own broker
	SP_RUNG_SERVICE, ///< listed education platforms over HTTPS: proof of life, never a fault of the line
	SP_RUNG_FULL_SIZE, ///< a packet as large as the link allows, not to be fragmented, and its answer
};
#define SP_RUNGS 11

enum sp_rung_status {
	SP_RUNG_UNKNOWN, ///< not measured, or cannot be
	SP_RUNG_OK,
	SP_RUNG_SILENT, ///< asked often enough, in time, of every anchor: nothing came
	SP_RUNG_WRONG,  ///< an answer came, and it is not the right one (portal, lying DNS)
};

enum sp_family { SP_FAMILY_ANY, SP_FAMILY_IPV4, SP_FAMILY_IPV6 };
#define SP_FAMILIES 3

struct sp_rung_report {
	enum sp_rung rung;
	enum sp_family family;
	enum sp_rung_status status;
	int64_t since_us;   ///< when this status began, as measured: the first lost or first answered probe's
			    ///< sending time
	int64_t rtt_us;     ///< of the answer; -1 without one
	const char *detail; ///< evidence for people: "203.0.113.1 answered", "4 of 4 anchors silent"; copied
	/// The same for translators: a word from the feed's vocabulary (feed/README.md, evidence), and what
	/// it is about, an address or a name; NULL without. Copied.
	const char *reason, *host;
};

/// What this device just saw of the line it is configured for (option `line`). Report every
/// finding, not only changes: the ledger also judges by age.
void sp_rung_report(struct sp_device *dev, const struct sp_rung_report *report);

/// By which door the line leaves. Behind a router with two uplinks nothing else tells them apart.
struct sp_egress {
	enum sp_family family;
	const char *hop;     ///< address of the first ISP hop; NULL: it gave none
	unsigned position;   ///< of that hop: its TTL; 0 without one
	const char *address; ///< our public address as an anchor saw it; NULL: nobody was asked, or none said
	int64_t asked_us;    ///< when the question was sent
};

/// Report every finding, not only changes: what the line was before an outage must be confirmed after it.
/// Copied.
void sp_egress_report(struct sp_device *dev, const struct sp_egress *egress);

/// This device fills the line by itself (a speed test) from now on, or does so no longer: no loss meanwhile
/// is an outage, and the minutes are marked `self_loaded`. Ends with the device's stop, too.
void sp_line_load(struct sp_device *dev, bool loading);

enum sp_spending { SP_SPENT_PROBES, SP_SPENT_TESTS };
#define SP_SPENDINGS 2
/// Bytes of IP that this device sent and received over the line, for the line's budget.
void sp_line_spent(struct sp_device *dev, enum sp_spending what, int64_t bytes);

/// The line is metered and frugal: ask every 300 s at most, and nothing that is optional.
bool sp_line_frugal(const struct sp_device *dev);

/// The line is up or degraded, by all that its ledger knows: who now fails to answer fails by himself.
bool sp_line_usable(const struct sp_device *dev);

enum sp_traffic_source {
	SP_TRAFFIC_INTERFACE, ///< the board's own interface: our own share at least
	SP_TRAFFIC_CAPTURE,   ///< what passes a mirror port, or the board itself
	SP_TRAFFIC_GATEWAY,   ///< the router's own counters of its outer interface: all of it
};

/// What moved on the line, ours included, over a time that has just ended.
struct sp_traffic {
	enum sp_traffic_source source;
	int64_t from_us, to_us;       ///< monotonic, as counted
	int64_t down_bytes, up_bytes; ///< as the line saw them: down is towards the school
};

/// A source better than the board's own counters. Report every reading: who wants to test the line waits
/// while it is in use. Copied.
void sp_line_traffic(struct sp_device *dev, const struct sp_traffic *traffic);

/// A probe was lost: every device of the same line begins a round now instead of at its next
/// time, so that the loss is either cleared or given its cause. Rate-limited by the core.
void sp_line_suspect(struct sp_device *dev);
/// This round was begun by a suspicion, not because its time had come.
bool sp_line_suspected(const struct sp_device *dev);

// ---- timers and descriptors -----------------------------------------------------------------

struct sp_timer;
struct sp_watch;
typedef void (*sp_timer_fn)(struct sp_device *dev, void *arg);
typedef void (*sp_watch_fn)(struct sp_device *dev, int fd, unsigned events, void *arg);

/// A stopped timer, owned by the caller until sp_timer_free() or the device's stop. Never NULL.
struct sp_timer *sp_timer_new(struct sp_device *dev, sp_timer_fn fn, void *arg);
/// (Re)arms it for one shot.
void sp_timer_start(struct sp_timer *timer, int64_t delay_ms);
void sp_timer_stop(struct sp_timer *timer);
void sp_timer_free(struct sp_timer *timer); ///< NULL is fine

enum { SP_READABLE = 1, SP_WRITABLE = 2 };

/// Watches a non-blocking descriptor that the driver opened and will close, after
/// sp_watch_free(). NULL and errno when the descriptor cannot be watched. An error condition on it
/// (POLLERR: an overrun netlink socket, a queued ICMP error) arrives as SP_READABLE, whatever was asked for,
/// and does not end the watch.
struct sp_watch *sp_watch_new(struct sp_device *dev, int fd, unsigned events, sp_watch_fn fn, void *arg);
void sp_watch_events(struct sp_watch *watch, unsigned events);
void sp_watch_free(struct sp_watch *watch); ///< NULL is fine

// ---- exchanges ------------------------------------------------------------------------------

/// An address literal, a port, and the interface to leave by (empty: the kernel's choice).
struct sp_endpoint {
	struct sockaddr_storage address; ///< AF_INET or AF_INET6, port included
	char interface[16];              ///< SO_BINDTODEVICE
};

/// Parses "192.0.2.1", "192.0.2.1:53", "2001:db8::1", "[2001:db8::1]:53". 0 or -EINVAL.
int sp_endpoint_parse(struct sp_endpoint *out, const char *text, uint16_t default_port) SP_MUST_CHECK;
/// The address without the port; `size` ≥ INET6_ADDRSTRLEN. Returns `out`.
const char *sp_endpoint_host(const struct sp_endpoint *endpoint, char *out, size_t size);

struct sp_exchange; ///< one attempt; frees itself after its callback

/// `result` 0, or -errno (-ETIMEDOUT, -ECONNREFUSED, …). `data` is what came back, valid during
/// the call; `elapsed_us` from sending to arrival.
typedef void (*sp_exchange_fn)(struct sp_device *dev, int result, const uint8_t *data, size_t length,
			       int64_t elapsed_us, void *arg);

/// Sends one datagram from a fresh port and hands over each answer from that peer address:
/// return true from `accept` for the one that belongs to the question. NULL: the first one.
typedef bool (*sp_accept_fn)(const uint8_t *data, size_t length, void *arg);
struct sp_exchange *sp_udp_exchange(struct sp_device *dev, const struct sp_endpoint *peer,
				    const uint8_t *data, size_t length, int64_t timeout_ms,
				    sp_accept_fn accept, sp_exchange_fn done, void *arg);
/// Connects and closes: `elapsed_us` is the handshake. -ECONNREFUSED is an answer, too.
struct sp_exchange *sp_tcp_connect(struct sp_device *dev, const struct sp_endpoint *peer, int64_t timeout_ms,
				   sp_exchange_fn done, void *arg);
/// Ends it without its callback; NULL is fine.
void sp_exchange_cancel(struct sp_exchange *exchange);

// ---- HTTP -----------------------------------------------------------------------------------

struct sp_http_request {
	const char *url;       ///< http or https
	const char *resolve;   ///< "address" to use instead of asking DNS for the host; NULL: DNS
	const char *interface; ///< NULL or "": the kernel's choice
	const char *ca_file;   ///< PEM: the authorities to trust instead of the system's; NULL or "": those
	int64_t timeout_ms;
	size_t max_bytes; ///< a longer body ends the transfer with -EMSGSIZE
};

struct sp_http_answer {
	/// 0, or -errno when no complete answer came; -EKEYREJECTED: a certificate that is not trusted.
	int result;
	const char *error;    ///< for people, "" on success
	long status;          ///< 0 when none came
	const char *location; ///< of a redirect, which is never followed; "" without
	const uint8_t *body;  ///< whole, at most max_bytes
	size_t length;
	int64_t elapsed_us;
	enum sp_family family; ///< of the peer; SP_FAMILY_ANY while none was reached
	int64_t bytes;         ///< of IP, both ways, TLS and TCP included, as near as the kernel tells
};

typedef void (*sp_http_fn)(struct sp_device *dev, const struct sp_http_answer *answer, void *arg);
struct sp_http;
/// One GET, redirects not followed, nothing kept between calls. Freed after its callback.
struct sp_http *sp_http_get(struct sp_device *dev, const struct sp_http_request *request, sp_http_fn done,
			    void *arg);
void sp_http_cancel(struct sp_http *http); ///< NULL is fine

// ---- HTTP, streaming ------------------------------------------------------------------------

/// Many transfers at once whose bodies are made and used up as they move: nothing is held but what the
/// system's buffers hold. Those of one session share its connections.
struct sp_http_session;
struct sp_http_stream;

struct sp_http_session_config {
	const char *resolve, *interface, *ca_file; ///< as in struct sp_http_request
	/// For HTTP digest (never basic; MD5 or SHA-256, whichever the peer names first), from the second
	/// request on without being asked again; NULL: none. Our copies are wiped. A status of 401 says that
	/// the login was tried and refused, or that the peer has no such login: it must not be tried in a
	/// loop, since devices lock an account after a few failures.
	const char *user, *password;
	/// The only certificate that is trusted, by the SHA-256 of its DER form in 64 hexadecimal digits
	/// (colons between bytes are passed over), whoever signed it and whatever its name; NULL or "": by
	/// the authorities.
	const char *fingerprint;
	enum sp_family family; ///< SP_FAMILY_ANY: whichever answers first
	int64_t connect_timeout_ms;
};

struct sp_http_stream_request {
	const char *method;       ///< "GET" or "POST"
	const char *url;          ///< http or https
	const char *content_type; ///< of a POST's body; NULL: application/octet-stream
	int64_t send_bytes;       ///< of a POST's body; its Content-Length
	int64_t max_bytes;        ///< of the answer's body; more ends it with -EMSGSIZE. INT64_MAX: any
	int64_t timeout_ms;       ///< of the whole; it then ends with -ETIMEDOUT. 0: endless
	int64_t stall_ms; ///< connected, and no byte of answer or of acknowledged body moved for so long:
			  ///< -ETIMEDOUT, too. Not while paused. 0: no such limit
	bool fresh;       ///< a connection of its own, not one that was kept alive
};

struct sp_http_head {
	long status;
	int64_t length;                                    ///< of the body as announced; -1: not announced
	const char *location, *retry_after, *content_type; ///< "" without
};

struct sp_http_stream_end {
	int result;        ///< 0, or -errno as in struct sp_http_answer; an HTTP status is no error here
	const char *error; ///< for people, "" on success
	long status;       ///< 0 when none came
	int64_t sent_bytes, received_bytes; ///< of bodies
	/// Of what was sent, what the peer acknowledged until now; -1: not known. A server may answer before
	/// it has all, and what its connection still owes then is the next stream's on it.
	int64_t acked_bytes;
	int64_t bytes;           ///< of IP, both ways, as near as the kernel tells
	double retransmit_ratio; ///< of what we sent, by our kernel; NAN: not known
	int64_t first_byte_us;   ///< from the request's last byte to the answer's first; -1: none came
	enum sp_family family;
	char address[INET6_ADDRSTRLEN]; ///< of the peer; "" while none was reached
};

/// All but done() run while bytes move: they may look at streams, but not start, cancel or free any.
struct sp_http_stream_events {
	/// The answer's head is here. False ends the transfer (-ECANCELED). May be NULL.
	bool (*head)(struct sp_device *dev, struct sp_http_stream *stream, const struct sp_http_head *head,
		     void *arg);
	/// A piece of the answer's body. False ends the transfer. May be NULL: thrown away.
	bool (*received)(struct sp_device *dev, struct sp_http_stream *stream, const uint8_t *data,
			 size_t length, void *arg);
	/// Fills the body's next piece; it must fill `size` bytes.
	void (*fill)(struct sp_device *dev, struct sp_http_stream *stream, uint8_t *data, size_t size,
		     void *arg);
	/// Always, and last.
	void (*done)(struct sp_device *dev, struct sp_http_stream *stream,
		     const struct sp_http_stream_end *end, void *arg);
};

/// Copies the config. Never NULL.
struct sp_http_session *sp_http_session_new(struct sp_device *dev,
					    const struct sp_http_session_config *config);
/// Ends its streams without their callbacks and closes its connections; NULL is fine.
void sp_http_session_free(struct sp_http_session *session);
/// Copies the request; `events` must outlive the stream. Never NULL: what is wrong comes with done().
struct sp_http_stream *sp_http_stream_start(struct sp_http_session *session,
					    const struct sp_http_stream_request *request,
					    const struct sp_http_stream_events *events, void *arg);
/// How it stands now: as in its end, with `result` 0 and no `error`.
void sp_http_stream_look(struct sp_http_stream *stream, struct sp_http_stream_end *out);
/// Ends it without done(), once its bytes were counted; NULL is fine. Returns its bytes of IP.
int64_t sp_http_stream_cancel(struct sp_http_stream *stream);
/// No further piece until resumed, but for one that is under way: what the driver cannot take yet waits in
/// the peer. Both may be called any time before done(), also while bytes move.
void sp_http_stream_pause(struct sp_http_stream *stream);
void sp_http_stream_resume(struct sp_http_stream *stream);
/// Bytes of an upload's body that the peer's kernel has acknowledged, not only ours taken; -1: not known, as
/// once the connection is gone.
int64_t sp_http_stream_acked(const struct sp_http_stream *stream);

// ---- HTTP, as a server ----------------------------------------------------------------------------

/// Requests from the school's network. Devices that name the same address and port share one listener: each
/// is asked whose a request is, by its head alone. Bodies come in pieces; the answer may be given any time
/// later (a kiosk's only after the commit).
struct sp_http_listener;
struct sp_http_inbound; ///< one request; lives until gone()

enum sp_http_claim {
	SP_HTTP_NOT_MINE,
	SP_HTTP_IF_NOBODY, ///< mine unless another device says SP_HTTP_MINE
	SP_HTTP_MINE,
};

struct sp_http_reply {
	unsigned status;
	const char *content_type; ///< NULL: none
	const void *body;         ///< copied
	size_t length;
	/// With a Date:, if this board's clock is known. Terminals set their clock by it; without this there
	/// is none.
	bool date;
	int64_t retry_after_s; ///< Retry-After:, if > 0
};

/// All but gone() run while the request waits; a reply, a cut or a pause within them is fine.
struct sp_http_service {
	/// Whose it is, by method, path, query and header alone. May reply or cut at once: the request is
	/// then this device's, its body is not read, and only gone() comes. May not free a listener.
	enum sp_http_claim (*claim)(struct sp_device *dev, const struct sp_http_inbound *in);
	/// It is this device's now. NULL: nothing to do.
	void (*begin)(struct sp_device *dev, struct sp_http_inbound *in);
	/// A piece of the body, of any length. NULL: thrown away.
	void (*piece)(struct sp_device *dev, struct sp_http_inbound *in, const uint8_t *data, size_t length);
	/// The body is over: sp_http_inbound_reply(), now or later.
	void (*whole)(struct sp_device *dev, struct sp_http_inbound *in);
	/// Always last, in whatever way it ended; `in` is freed then. Not after sp_http_listener_free(). A
	/// request that was not answered within a minute of its end, or is paused for so long, is cut.
	void (*gone)(struct sp_device *dev, struct sp_http_inbound *in);
};

/// Zeros mean the defaults, which are for a school's few dozen kiosks.
struct sp_http_listener_config {
	const char *address; ///< a literal; NULL or "": every address, both families
	uint16_t port;
	const char *cert_file, *key_file; ///< PEM; NULL or "": plain HTTP
	int64_t max_body;                 ///< of this device's requests: 413 beyond
	int64_t stall_ms;                 ///< no byte of a body for so long, or less than 100 a second: cut
};

/// The certificate is read when the port is opened, that is with its first device. Beyond 128 connections a
/// new one takes the place of an unused, idle or slow one, whosever it is; a path with control characters,
/// NUL or dots for levels is refused before any device is asked. NULL and errno with a line for people in
/// `why` (the port is taken, its certificate cannot be read, another device wants the same port with another
/// certificate).
struct sp_http_listener *sp_http_listen(struct sp_device *dev, const struct sp_http_listener_config *config,
					const struct sp_http_service *service, char why[256]);
/// Ends this device's requests without gone(); the port is closed with its last device. NULL is fine.
void sp_http_listener_free(struct sp_http_listener *listener);
/// As bound: what port 0 became.
uint16_t sp_http_listener_port(const struct sp_http_listener *listener);

const char *sp_http_inbound_method(const struct sp_http_inbound *in);
const char *sp_http_inbound_path(const struct sp_http_inbound *in); ///< decoded
/// Names in any case; NULL without.
const char *sp_http_inbound_query(const struct sp_http_inbound *in, const char *name); ///< decoded
const char *sp_http_inbound_header(const struct sp_http_inbound *in, const char *name);
const char *sp_http_inbound_peer(const struct sp_http_inbound *in); ///< an address literal
/// The driver's own, NULL at first.
void sp_http_inbound_set(struct sp_http_inbound *in, void *context);
void *sp_http_inbound_get(const struct sp_http_inbound *in);
/// No further piece until resumed: what the driver cannot take yet waits in the peer. Within piece() or
/// later.
void sp_http_inbound_pause(struct sp_http_inbound *in);
void sp_http_inbound_resume(struct sp_http_inbound *in);
/// Once; a second one is ignored. Before the body is over no piece of it comes any more: up to a MiB is
/// thrown away until the answer can be sent.
void sp_http_inbound_reply(struct sp_http_inbound *in, const struct sp_http_reply *reply);
/// Cuts the connection without an answer: the peer keeps what it has.
void sp_http_inbound_cut(struct sp_http_inbound *in);

// ---- helper programs ------------------------------------------------------------------------

/// A program of ours in a process of its own, for what must not share the agent's memory or rights.
struct sp_child;

struct sp_child_events {
	/// A line of its standard output, without the line break, at most 8 KiB: longer ones end the child.
	void (*line)(struct sp_device *dev, const char *line, size_t length, void *arg);
	/// It is gone: exit status, or -signal. Then the child is freed.
	void (*ended)(struct sp_device *dev, int status, void *arg);
};

/// Starts `program` (a name, looked for beside the agent's own) with `argv` (ends with NULL, argv[0] is the
/// program's). Its standard error is ours. It gets no descriptor and no capability of ours, but CAP_NET_RAW
/// if `raw` and we have it, and dies with us. NULL and errno.
struct sp_child *sp_child_start(struct sp_device *dev, const char *program, const char *const *argv, bool raw,
				const struct sp_child_events *events, void *arg);
/// Kills it, without ended(); NULL is fine.
void sp_child_stop(struct sp_child *child);

// ---- workers --------------------------------------------------------------------------------

/// Runs `work` on a thread of a small pool, for a library that blocks, then `done` on the main thread. `work`
/// sees only its `arg`: nothing of io.h. `done` runs always, also after the device's stop, then with `dev`
/// NULL, so that `arg` can be freed: it must not touch anything else then.
void sp_work(struct sp_device *dev, void (*work)(void *arg), void (*done)(struct sp_device *dev, void *arg),
	     void *arg);
