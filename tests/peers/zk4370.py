# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""A simulated ZK terminal at port 4370, TCP or UDP: its log in records of 40, 16 or 8 bytes, read at once or in parts,
frames that are split and merged, wrong counts and checksums, a communication key. It serves one client at a time, as the
real ones do, keeps its log for ever, and remembers every command that it was given. Synthetic persons only.

Written from the facts of the protocol, without a vendor's document."""
import argparse
import datetime
import json
import random
import socket
import struct
import sys
import threading

MAGIC = bytes.fromhex("5050827d")
CONNECT, EXIT, AUTHENTICATE, OPTION, SIZES, TIME, FIRMWARE = 1000, 1001, 1102, 11, 50, 201, 1100
PREPARE_DATA, DATA, FREE, PREPARE_READ, READ = 1500, 1501, 1502, 1503, 1504
OK, ERROR, UNAUTHORISED = 2000, 2001, 2005
READING = {CONNECT, EXIT, AUTHENTICATE, OPTION, SIZES, TIME, FIRMWARE, FREE, PREPARE_READ, READ}


def checksum(packet):
    total = sum(struct.unpack(f"<{len(packet) // 2}H", packet[:len(packet) // 2 * 2]))
    total += packet[-1] if len(packet) % 2 else 0
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def token(key, connection):
    turned = int(f"{key:032b}"[::-1], 2) + connection & 0xffffffff
    mixed = bytes(a ^ b for a, b in zip(struct.pack("<I", turned), b"ZKSO"))
    return bytes([mixed[2] ^ 50, mixed[3] ^ 50, 50, mixed[1] ^ 50])


def encode_time(when):
    days = ((when.year - 2000) * 12 + when.month - 1) * 31 + when.day - 1
    return days * 86400 + when.hour * 3600 + when.minute * 60 + when.second


def record(size, uid, pin, when, verify, state):
    at = encode_time(when)
    if size == 8:
        return struct.pack("<HBIB", int(pin), verify, at, state)
    if size == 16:
        return struct.pack("<IIBB2xI", int(pin), at, verify, state, 0)
    return struct.pack("<H24sBIB8x", uid, pin.encode(), verify, at, state)


class Terminal:
    """Starts at once; `port` is where. Everything may be changed while it runs."""

    def __init__(self, serial="SYN4370000001", size=40, transport="tcp", **options):
        self.serial, self.size, self.transport = serial, size, transport
        self.comm_key = 0
        self.model, self.firmware = "SYN-K40", "Ver 6.60 Apr 28 2017"
        self.zone = datetime.timezone(datetime.timedelta(hours=7))
        self.clock_error = 0.0   # seconds that it is ahead
        self.direct_most = 1024  # a log up to so many bytes comes at once
        self.announces = True    # each part: 1500, 1501 …, 2000; else one 1501
        self.split = 0           # most bytes of a TCP segment; 0: frames go out whole
        self.merged = False      # answers leave in one piece where they can
        self.advertised = None   # what it says of the number of its records
        self.byte_count = None   # what stands at the head of its log
        self.empty = False       # hands over an empty log though it has one
        self.bad_checksum = False
        self.lose, self.double = 0.0, 0.0  # of datagrams, by chance
        self.cut_after = None    # closes after so many answers
        self.chance = random.Random(4370)
        for name, value in options.items():
            if not hasattr(self, name):
                raise TypeError(name)
            setattr(self, name, value)
        self.log = []            # (pin, local time, verify, state), as it happened
        self.commands = []       # every one that it was given
        self.visits = self.goodbyes = 0
        self.session, self.blob = 0, b""
        self.ended = False
        kind = socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM
        self.socket = socket.socket(socket.AF_INET, kind)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        if transport == "tcp":
            self.socket.listen(1)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def close(self):
        self.ended = True
        if self.transport == "tcp":
            try:
                self.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        else:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
                waker.sendto(b"", ("127.0.0.1", self.port))
        self.thread.join(10)
        self.socket.close()

    def now(self):
        ahead = datetime.timedelta(seconds=self.clock_error)
        return (datetime.datetime.now(self.zone) + ahead).replace(tzinfo=None, microsecond=0)

    def punch(self, pin, when=None, verify=1, state=0):
        self.log.append((str(pin), when or self.now(), verify, state))

    def written(self):
        """Commands that would have changed something in it."""
        return [command for command in self.commands if command not in READING]

    # ---- what it says

    def log_bytes(self):
        uids = {pin: uid for uid, pin in enumerate(sorted({entry[0] for entry in self.log}), 1)}
        if self.empty:
            return struct.pack("<I", 0)
        body = b"".join(record(self.size, uids[pin], pin, when, verify, state)
                        for pin, when, verify, state in self.log)
        return struct.pack("<I", len(body) if self.byte_count is None else self.byte_count) + body

    def sizes(self):
        fields = [0] * 20
        fields[4] = len({entry[0] for entry in self.log})
        fields[8] = len(self.log) if self.advertised is None else self.advertised
        fields[15], fields[16] = 1000, 100000
        return struct.pack("<20i", *fields)

    def answers(self, command, connection, data):
        """(command, data) of each packet in turn."""
        if command == CONNECT:
            self.visits += 1
            self.session = 1000 + self.visits
            self.authenticated = self.comm_key == 0
            return [(OK if self.authenticated else UNAUTHORISED, b"")]
        if connection != self.session:
            return [(ERROR, b"")]
        if command == AUTHENTICATE:
            self.authenticated = data[:4] == token(self.comm_key, self.session)
            return [(OK if self.authenticated else UNAUTHORISED, b"")]
        if not self.authenticated:
            return [(UNAUTHORISED, b"")]
        if command == OPTION:
            name = data.split(b"\0")[0].decode()
            values = {"~SerialNumber": self.serial, "~DeviceName": self.model}
            return [(OK, f"{name}={values[name]}\0".encode())] if values.get(name) else [(ERROR, b"")]
        if command == FIRMWARE:
            return [(OK, self.firmware.encode() + b"\0")]
        if command == TIME:
            return [(OK, struct.pack("<I", encode_time(self.now())))]
        if command == SIZES:
            return [(OK, self.sizes())]
        if command == PREPARE_READ and data[1:3] == struct.pack("<H", 13):
            self.blob = self.log_bytes()
            if len(self.blob) <= self.direct_most:
                return [(DATA, self.blob)]
            return [(OK, struct.pack("<BIII", 0, len(self.blob), len(self.blob), 0))]
        if command == READ:
            return self.part(*struct.unpack("<II", data[:8]))
        if command == EXIT:
            self.goodbyes += 1
        return [(OK, b"")]

    def part(self, start, size):
        piece = self.blob[start:start + size]
        if not self.announces:
            return [(DATA, piece)]
        step = 65472 if self.transport == "tcp" else 1024
        packets = [(DATA, piece[at:at + step]) for at in range(0, len(piece), step)]
        return [(PREPARE_DATA, struct.pack("<II", len(piece), 0)), *packets, (OK, b"")]

    def packets(self, question):
        command, _, connection, reply = struct.unpack("<4H", question[:8])
        self.commands.append(command)
        for answer, data in self.answers(command, connection, question[8:]):
            head = struct.pack("<4H", answer, 0, self.session, reply)
            check = checksum(head + data) - (reply if self.bad_checksum else 0)
            yield struct.pack("<4H", answer, check & 0xffff, self.session, reply) + data

    # ---- how it says it

    def serve(self):
        while not self.ended:
            try:
                if self.transport == "udp":
                    self.serve_datagram()
                else:
                    client, _ = self.socket.accept()
                    with client:
                        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                        self.serve_client(client)
            except OSError:
                if self.ended:
                    return

    def serve_datagram(self):
        question, peer = self.socket.recvfrom(65536)
        if len(question) < 8 or self.chance.random() < self.lose:
            return
        for packet in self.packets(question):
            for _ in range(2 if self.chance.random() < self.double else 1):
                if self.chance.random() >= self.lose:
                    self.socket.sendto(packet, peer)

    def serve_client(self, client):
        buffer, answered = b"", 0
        while not self.ended:
            piece = client.recv(65536)
            if not piece:
                return
            buffer += piece
            while len(buffer) >= 8 and len(buffer) >= 8 + struct.unpack("<I", buffer[4:8])[0]:
                length = struct.unpack("<I", buffer[4:8])[0]
                question, buffer = buffer[8:8 + length], buffer[8 + length:]
                frames = [MAGIC + struct.pack("<I", len(packet)) + packet for packet in self.packets(question)]
                for text in [b"".join(frames)] if self.merged else frames:
                    self.send(client, text)
                answered += 1
                if answered == self.cut_after or self.commands[-1] == EXIT:
                    return

    def send(self, client, text):
        while text:
            size = self.chance.randint(1, self.split) if self.split else len(text)
            client.sendall(text[:size])
            text = text[size:]


def main():
    """Serves until its input ends: for tests in other languages. Options are JSON, the log is made up: `count` punches of
    `people` persons, one a minute up to an hour ago."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--options", default="{}")
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--people", type=int, default=7)
    arguments = parser.parse_args()
    terminal = Terminal(**json.loads(arguments.options))
    first = terminal.now() - datetime.timedelta(minutes=60 + arguments.count)
    for index in range(arguments.count):
        terminal.punch(1001 + index % arguments.people, first + datetime.timedelta(minutes=index), 1, index % 2)
    print(terminal.port, flush=True)
    sys.stdin.read()
    print(json.dumps({"written": terminal.written(), "visits": terminal.visits, "goodbyes": terminal.goodbyes}),
          flush=True)
    terminal.close()


if __name__ == "__main__":
    main()
