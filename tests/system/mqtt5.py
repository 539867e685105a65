# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""As much of MQTT 5 as the tests need, both ways: a client that sees every reason code, and what a
broker that misbehaves on purpose is made of."""
import collections
import socket
import struct

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, PINGREQ, PINGRESP, DISCONNECT = 1, 2, 3, 4, 8, 9, 12, 13, 14

# Property -> how its value is written (MQTT 5 section 2.2.2.2).
_FORMS = {1: "B", 2: "I", 3: "s", 8: "s", 9: "b", 11: "v", 17: "I", 18: "s", 19: "H", 21: "s", 22: "b", 23: "B",
          24: "I", 25: "B", 26: "s", 28: "s", 31: "s", 33: "H", 34: "H", 35: "H", 36: "B", 37: "B", 38: "p",
          39: "I", 40: "B", 41: "B", 42: "B"}
CONTENT_TYPE, SESSION_EXPIRY, REASON_STRING = 3, 17, 31

Message = collections.namedtuple("Message", "topic payload qos retain mid properties")


def varint(value):
    out = b""
    while True:
        value, low = value >> 7, value & 0x7F
        out += bytes([low | (0x80 if value else 0)])
        if not value:
            return out


def text(value):
    data = value.encode() if isinstance(value, str) else value
    return struct.pack(">H", len(data)) + data


def properties(values):
    body = b""
    for key, value in (values or {}).items():
        body += bytes([key])
        form = _FORMS[key]
        if form in "BHI":
            body += struct.pack(">" + form, value)
        else:
            body += text(value)
    return varint(len(body)) + body


def packet(kind, body, flags=0):
    return bytes([kind << 4 | flags]) + varint(len(body)) + body


def take_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return value, at


def take_text(data, at):
    length = struct.unpack_from(">H", data, at)[0]
    return data[at + 2:at + 2 + length], at + 2 + length


def take_properties(data, at):
    length, at = take_varint(data, at)
    end, values = at + length, {}
    while at < end:
        key, form = data[at], _FORMS[data[at]]
        at += 1
        if form in "BHI":
            value = struct.unpack_from(">" + form, data, at)[0]
            at += struct.calcsize(form)
        elif form == "v":
            value, at = take_varint(data, at)
        elif form == "p":
            _, at = take_text(data, at)
            value, at = take_text(data, at)
        else:
            value, at = take_text(data, at)
        values[key] = value
    return values, end


def publish_packet(topic, payload, mid, retain=False, values=None, qos=1, dup=False):
    body = text(topic) + (struct.pack(">H", mid) if qos else b"") + properties(values) + payload
    return packet(PUBLISH, body, qos << 1 | int(retain) | (8 if dup else 0))


def parse_publish(flags, body):
    topic, at = take_text(body, 0)
    qos, mid = flags >> 1 & 3, 0
    if qos:
        mid = struct.unpack_from(">H", body, at)[0]
        at += 2
    values, at = take_properties(body, at)
    return Message(topic.decode(), body[at:], qos, bool(flags & 1), mid, values)


class Stream:
    """Packets over a socket. None: the peer has closed."""

    def __init__(self, sock):
        self.sock = sock

    def _exactly(self, count):
        data = b""
        while len(data) < count:
            try:
                more = self.sock.recv(count - len(data))
            except ConnectionError:
                return None
            if not more:
                return None
            data += more
        return data

    def read(self):
        head = self._exactly(1)
        if head is None:
            return None
        length = shift = 0
        while True:
            byte = self._exactly(1)
            if byte is None:
                return None
            length |= (byte[0] & 0x7F) << shift
            shift += 7
            if not byte[0] & 0x80:
                break
        body = self._exactly(length)
        return None if body is None else (head[0] >> 4, head[0] & 15, body)

    def write(self, data):
        self.sock.sendall(data)

    def close(self):
        self.sock.close()


class Client:
    """One session; every call waits for the broker's answer and gives its reason code."""

    def __init__(self, port, client_id, tls=None, clean=True, expiry=0, will=None, timeout=20):
        sock = socket.create_connection(("127.0.0.1", port), timeout)
        if tls:
            sock = tls.wrap_socket(sock, server_hostname="localhost")
        self.stream = Stream(sock)
        self.messages = collections.deque()
        self.mid = 0
        flags = (2 if clean else 0) | (0x2C if will else 0)  # will: QoS 1, retained
        body = text("MQTT") + bytes([5, flags]) + struct.pack(">H", 60)
        body += properties({SESSION_EXPIRY: expiry} if expiry else {}) + text(client_id)
        if will:
            body += properties({}) + text(will[0]) + text(will[1])
        self.reason, self.session_present = None, False
        try:
            self.stream.write(packet(CONNECT, body))
            answer = self.stream.read()
        except (OSError, ConnectionError):
            answer = None
        if answer and answer[0] == CONNACK:
            self.session_present, self.reason = bool(answer[2][0]), answer[2][1]

    def _await(self, kind):
        while True:
            got = self.stream.read()
            if got is None:
                return None
            if got[0] == PUBLISH:
                self._keep(got)
            elif got[0] == kind:
                return got[2]
            elif got[0] == DISCONNECT:
                return None

    def _keep(self, got):
        message = parse_publish(got[1], got[2])
        if message.qos:
            self.stream.write(packet(PUBACK, struct.pack(">H", message.mid)))
        self.messages.append(message)

    def publish(self, topic, payload, retain=False, values=None):
        self.mid += 1
        data = payload.encode() if isinstance(payload, str) else payload
        self.stream.write(publish_packet(topic, data, self.mid, retain, values))
        body = self._await(PUBACK)
        return None if body is None else (body[2] if len(body) > 2 else 0)

    def subscribe(self, topic):
        self.mid += 1
        self.stream.write(packet(SUBSCRIBE, struct.pack(">H", self.mid) + properties({}) + text(topic) + b"\1", 2))
        body = self._await(SUBACK)
        return None if body is None else body[-1]

    def alive(self):
        """True when the broker still answers this session."""
        try:
            self.stream.write(packet(PINGREQ, b""))
            return self._await(PINGRESP) is not None
        except (OSError, ConnectionError):
            return False

    def next(self, timeout=20):
        """The next message, or None when none came in time."""
        if not self.messages:
            self.stream.sock.settimeout(timeout)
            try:
                got = self.stream.read()
            except (TimeoutError, socket.timeout):
                return None
            if got is None or got[0] != PUBLISH:
                return None
            self._keep(got)
        return self.messages.popleft()

    def close(self):
        try:
            self.stream.write(packet(DISCONNECT, b"\0\0"))
        except (OSError, ConnectionError):
            pass
        self.stream.close()
