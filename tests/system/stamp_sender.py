# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""A STAMP Session-Sender in unauthenticated mode, written from RFC 8762 §4.2.1 and §4.3.1 and RFC 8972 §3, §4
alone, so that the reflector is held against the documents and not against our own reading of them in C."""
import socket
import struct
import time

NTP_TO_UNIX = 2208988800


class Answer:
    """The fields of figure 6 (RFC 8762), with the SSID of figure 2 (RFC 8972)."""

    def __init__(self, data):
        self.data = data
        (self.sequence, self.sent, self.error, self.ssid, self.received, self.sender_sequence, self.sender_time,
         self.sender_error, self.mbz, self.ttl) = struct.unpack_from("!IQHHQIQHHB", data)
        self.tail_mbz = data[41:44]
        self.tlvs = data[44:]

    @property
    def synced(self):
        return bool(self.error & 0x8000)

    @property
    def error_seconds(self):
        return (self.error & 0xff) * 2.0 ** (self.error >> 8 & 0x3f) / 2 ** 32


def ntp_now():
    now = time.time_ns()
    return (now // 10 ** 9 + NTP_TO_UNIX) << 32 | (now % 10 ** 9 << 32) // 10 ** 9


class Sender:
    def __init__(self, address, port, ssid=0x5350, timeout=2.0, source_port=0):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.settimeout(timeout)
        if source_port:
            self.socket.bind(("", source_port))
        self.socket.connect((address, port))
        if family == socket.AF_INET:
            self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)
        else:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 255)
        self.ssid, self.sequence = ssid, 0

    def packet(self, extra=b"", size=44):
        self.time = ntp_now()
        base = struct.pack("!IQHH", self.sequence, self.time, 0x8001, self.ssid) + bytes(28)
        self.sequence += 1
        return base[:size] + extra

    def send(self, packet):
        self.socket.send(packet)

    def receive(self):
        return Answer(self.socket.recv(65536))

    def ask(self, extra=b"", size=44):
        self.send(self.packet(extra, size))
        return self.receive()

    def silent(self):
        """True when nothing comes back."""
        try:
            self.socket.recv(65536)
        except (TimeoutError, socket.timeout):
            return True
        return False

    def close(self):
        self.socket.close()
