# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""A school's line inside the kernel: one namespace is the board, the other is the whole world behind
its default route. The world answers ping, DNS, TCP and HTTP on every address there is, so that no
packet of a test ever leaves this machine."""
import itertools
import os
import pathlib
import signal
import subprocess
import sys

import pytest

_numbers = itertools.count()
HERE = pathlib.Path(__file__).resolve()


def ip(*arguments, check=True):
    return subprocess.run(["ip", *arguments], check=check, capture_output=True, text=True)


def require():
    """Skips where no namespaces may be made (not root, or a container that forbids it)."""
    name = f"sp-{os.getpid()}-probe"
    done = ip("netns", "add", name, check=False)
    if done.returncode:
        pytest.skip(f"network namespaces cannot be made here: {done.stderr.strip()}")
    ip("netns", "del", name)


class Network:
    """`board` and `world` are names for `ip netns exec`. Use it as a context."""

    GATEWAY, BOARD, PREFIX = "198.51.100.1", "198.51.100.2", 24
    GATEWAY6, BOARD6 = "2001:db8:51::1", "2001:db8:51::2"

    def __init__(self, servers=True):
        require()
        base = f"sp-{os.getpid()}-{next(_numbers)}"
        self.board, self.world = base + "b", base + "w"
        self.beyond = None
        self.servers = servers
        self.process = None

    def __enter__(self):
        try:
            self._build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _build(self):
        ip("netns", "add", self.board)
        ip("netns", "add", self.world)
        ip("link", "add", "eth0", "netns", self.board, "type", "veth", "peer", "name", "isp0", "netns", self.world)
        for place, device, address, address6 in ((self.board, "eth0", self.BOARD, self.BOARD6),
                                                 (self.world, "isp0", self.GATEWAY, self.GATEWAY6)):
            ip("-n", place, "link", "set", "lo", "up")
            ip("-n", place, "link", "set", device, "up")
            ip("-n", place, "address", "add", f"{address}/{self.PREFIX}", "dev", device)
            ip("-n", place, "address", "add", f"{address6}/64", "dev", device, "nodad", check=False)
        ip("-n", self.board, "route", "add", "default", "via", self.GATEWAY)
        ip("-n", self.board, "-6", "route", "add", "default", "via", self.GATEWAY6, check=False)
        # Every address is the world's own ("AnyIP"), but those of the link.
        ip("-n", self.world, "route", "add", "local", "0.0.0.0/0", "dev", "lo", "table", "main")
        ip("-n", self.world, "-6", "route", "add", "local", "::/0", "dev", "lo", "table", "main", check=False)
        if self.servers:
            self.process = subprocess.Popen(["ip", "netns", "exec", self.world, sys.executable, "-B", HERE, "serve"],
                                            stdout=subprocess.PIPE)
            assert self.process.stdout.readline() == b"serving\n"

    def __exit__(self, *_):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait()
            self.process.stdout.close()
        for name in filter(None, (self.board, self.world, self.beyond)):
            ip("netns", "del", name, check=False)

    def inside(self, *command):
        """The command, as the board runs it."""
        return ["ip", "netns", "exec", self.board, *map(str, command)]

    def put_beyond(self, address):
        """From now on this address lies one hop behind the world, which forwards to it and so is a hop itself."""
        self.beyond = self.world[:-1] + "y"
        ip("netns", "add", self.beyond)
        ip("link", "add", "far0", "netns", self.world, "type", "veth", "peer", "name", "isp0", "netns", self.beyond)
        for place, device, own in ((self.world, "far0", "100.127.0.1"), (self.beyond, "isp0", "100.127.0.2")):
            ip("-n", place, "link", "set", device, "up")
            ip("-n", place, "address", "add", f"{own}/30", "dev", device)
        ip("-n", self.beyond, "link", "set", "lo", "up")
        ip("-n", self.beyond, "address", "add", f"{address}/32", "dev", "lo")
        ip("-n", self.beyond, "route", "add", "default", "via", "100.127.0.1")
        ip("-n", self.world, "route", "add", address, "via", "100.127.0.2")
        ip("netns", "exec", self.world, "sysctl", "-qw", "net.ipv4.ip_forward=1")

    def cable(self, plugged):
        ip("-n", self.world, "link", "set", "isp0", "up" if plugged else "down")


def _answer_dns(query):
    """A: 1.2.3.4, AAAA: 2a00::80 (public ones, as a resolver's ought to be); anything else: no data. Names
    under .invalid do not exist."""
    end = query.index(b"\0", 12) + 5
    kind = query[end - 4:end - 2]
    address = {b"\0\1": bytes([1, 2, 3, 4]), b"\0\x1c": bytes.fromhex("2a000000000000000000000000000080")}.get(kind)
    exists = b"\7invalid\0" not in query
    code = b"\x81\x80" if exists else b"\x81\x83"
    found = address is not None and exists
    head = query[:2] + code + b"\0\1" + (b"\0\1" if found else b"\0\0") + b"\0\0\0\0"
    body = query[12:end]
    if found:
        body += b"\xc0\x0c" + kind + b"\0\1" + b"\0\0\0\x3c" + len(address).to_bytes(2, "big") + address
    return head + body


def serve():
    """DNS on UDP 53, HTTP 204 (what portal checks expect) on 80, a plain TCP listener on 443 and 53."""
    import http.server
    import socket
    import socketserver
    import threading

    class Dns(socketserver.BaseRequestHandler):
        def handle(self):
            query, sock = self.request
            if len(query) > 16:
                sock.sendto(_answer_dns(query), self.client_address)

    class Http(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(204)
            self.end_headers()

        do_HEAD = do_GET

        def log_message(self, *_):
            pass

    class Tcp(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.settimeout(5)
            try:
                self.request.recv(1)
            except OSError:
                pass

    class Dual(http.server.ThreadingHTTPServer):
        address_family = socket.AF_INET6

    class TcpDual(socketserver.ThreadingTCPServer):
        address_family, allow_reuse_address, daemon_threads = socket.AF_INET6, True, True

    servers = [Dual(("::", 80), Http), TcpDual(("::", 443), Tcp), TcpDual(("::", 53), Tcp)]
    # One UDP socket on the wildcard would answer from the wrong address: answer with the one asked.
    threading.Thread(target=_serve_udp_dns, daemon=True).start()
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    print("serving", flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    os._exit(0)


def _serve_udp_dns():
    import socket
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    freebind = 78  # IPV6_FREEBIND: an AnyIP address is local, but on no interface
    sock.setsockopt(socket.IPPROTO_IPV6, freebind, 1)
    sock.bind(("::", 53))
    while True:
        query, ancillary, _, sender = sock.recvmsg(1500, 256)
        if len(query) > 16:
            info = [item for item in ancillary if item[1] == socket.IPV6_PKTINFO]
            sock.sendmsg([_answer_dns(query)], info, 0, sender)


if __name__ == "__main__" and sys.argv[1:] == ["serve"]:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    serve()
