# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""LibreSpeed backends that do one thing wrong each, by port: `speed_server.py FOLDER` serves all of MODES and says
"serving". A backend that is not told otherwise is a good one."""
import gzip
import itertools
import os
import pathlib
import re
import select
import socket
import ssl
import struct
import sys
import threading
import time

BLOCK = os.urandom(1 << 20)
ZEROS = gzip.compress(bytes(100 << 20), 9)
MIB = 1 << 20


def head(status, length=0, *more):
    lines = [f"HTTP/1.1 {status} x", *([f"Content-Length: {length}"] if length is not None else []), *more]
    return "\r\n".join(lines + ["", ""]).encode()


class Hangup(Exception):
    """The server has done what it does wrong."""


class Backend:
    """One connection, request after request. The wrong ones change one of the methods."""

    def __init__(self, sock):
        self.sock, self.rest = sock, b""

    def read_head(self):
        while b"\r\n\r\n" not in self.rest:
            piece = self.sock.recv(65536)
            if not piece:
                raise Hangup
            self.rest += piece
        text, self.rest = self.rest.split(b"\r\n\r\n", 1)
        length = re.search(rb"(?i)content-length: *(\d+)", text)
        return text, int(length[1]) if length else 0

    def read_body(self, length):
        left = length - len(self.rest)
        self.rest = b""
        while left > 0:
            piece = self.sock.recv(min(left, 1 << 18))
            if not piece:
                raise Hangup
            left -= len(piece)

    def run(self):
        while True:
            text, length = self.read_head()
            if text.startswith(b"POST"):
                self.upload(length)
            elif b"garbage" in text:
                self.download()
            else:
                self.empty()

    def empty(self):
        self.sock.sendall(head(200))

    def download(self):
        self.sock.sendall(head(200, 100 * MIB))
        for _ in range(100):
            self.sock.sendall(BLOCK)

    def upload(self, length):
        self.read_body(length)
        self.sock.sendall(head(200))

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Hangup


class BreaksOff(Backend):
    def download(self):
        self.sock.sendall(head(200, 100 * MIB) + BLOCK[:300000])
        raw = self.sock.detach() if isinstance(self.sock, ssl.SSLSocket) else None
        if raw is not None:  # no farewell of TLS's
            self.sock = socket.socket(fileno=raw)
        raise Hangup


class HalfClosed(Backend):
    """Says no more, but listens on."""

    def download(self):
        self.sock.sendall(head(200, 100 * MIB) + BLOCK[:300000])
        self.sock.shutdown(socket.SHUT_WR)
        self.read_body(1 << 40)

    def upload(self, length):
        self.sock.shutdown(socket.SHUT_WR)
        self.read_body(1 << 40)


class DeafHalf(Backend):
    """Will hear no more, but does not say so."""

    def upload(self, length):
        self.sock.shutdown(socket.SHUT_RD)
        time.sleep(600)


class Refuses(Backend):
    """In the middle of a larger upload."""
    STATUS = 500

    def upload(self, length):
        if length < 200000:
            Backend.upload(self, length)
        else:
            self.read_body(100000)
            self.sock.sendall(head(self.STATUS, 0, "Retry-After: 30", "Connection: close"))
            raise Hangup


class Refuses413(Refuses):
    STATUS = 413

    def upload(self, length):
        self.read_body(min(length, 20000))
        self.sock.sendall(head(413, 0, "Connection: close"))
        raise Hangup


class Refuses429(Refuses):
    STATUS = 429


class SmallOnly(Backend):
    """Takes 1 MiB at most, as a web server's default is."""

    def upload(self, length):
        if length > MIB:
            self.sock.sendall(head(413, 0, "Connection: close"))
            raise Hangup
        Backend.upload(self, length)


class EndlessBody(Backend):
    def empty(self):
        self.sock.sendall(head(200, None))
        while True:
            self.sock.sendall(BLOCK[:1000])


class EndlessHead(Backend):
    def empty(self):
        self.sock.sendall(b"HTTP/1.1 200 OK\r\n")
        for i in itertools.count():
            self.sock.sendall(b"X-%d: more\r\n" % i)


class Flood(Backend):
    def empty(self):
        while True:
            self.sock.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")


class Unread(Backend):
    """200 at once, and not one byte of the upload read."""

    def upload(self, length):
        self.sock.sendall(head(200))
        raise Hangup


class UnreadReset(Unread):
    def upload(self, length):
        self.sock.sendall(head(200))
        self.reset()


class UnreadKept(Unread):
    def upload(self, length):
        self.sock.sendall(head(200))
        time.sleep(600)


class Early(Backend):
    """200 at once; the upload is read all the same."""

    def upload(self, length):
        self.sock.sendall(head(200))
        self.read_body(length)


class Unfolds(Backend):
    """A thousand times as much as moves, if anybody unfolds it."""

    def download(self):
        self.sock.sendall(head(200, None, "Transfer-Encoding: gzip", "Connection: close"))
        while True:
            self.sock.sendall(ZEROS)


class Zeros(Backend):
    def download(self):
        self.sock.sendall(head(200, len(ZEROS), "Content-Encoding: gzip") + ZEROS)


class TooMuch(Backend):
    def download(self):
        self.sock.sendall(head(200, MIB // 16))
        while True:
            self.sock.sendall(BLOCK)


MODES = {mode.__name__: (9000 + i, mode) for i, mode in enumerate((
    Backend, BreaksOff, HalfClosed, DeafHalf, Refuses, Refuses413, Refuses429, SmallOnly, EndlessBody, EndlessHead, Flood, Unread,
    UnreadReset, UnreadKept, Early, Unfolds, Zeros, TooMuch))}
TLS = {"good": (9100, Backend), "self-signed": (9101, Backend), "expired": (9102, Backend), "broken": (9103, BreaksOff)}


def converse(sock, mode, context):
    try:
        if context:
            sock = context.wrap_socket(sock, server_side=True)
        backend = mode(sock)
        try:
            backend.run()
        finally:
            backend.sock.close()
    except (Hangup, OSError):
        sock.close()


def listen(port, mode, context=None):
    listener = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64)

    def accept():
        while True:
            threading.Thread(target=converse, args=(listener.accept()[0], mode, context), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def serve(folder):
    for port, mode in MODES.values():
        listen(port, mode)
    for name, (port, mode) in TLS.items():
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        file = "good" if name == "broken" else name
        context.load_cert_chain(folder / f"{file}.crt", folder / f"{file}.key")
        listen(port, mode, context)
    print("serving", flush=True)
    select.select([], [], [])


if __name__ == "__main__":
    serve(pathlib.Path(sys.argv[1]))
