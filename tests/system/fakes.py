# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""Peers that misbehave on purpose: brokers that refuse, lie, flood or never answer, and the service
manager's side of the watchdog."""
import os
import random
import socket
import struct
import threading

import mqtt5


class Broker:
    """Accepts on a loopback port and treats every connection by `manner`:

    refuse     CONNACK with `reason`           silent     takes the connection, says nothing
    hang_up    closes at once                  garbage    answers with random bytes
    liar       PUBACKs all, stores nothing     deaf       takes publishes, never PUBACKs
    flood      sends messages without end      denies     PUBACK with `reason`
    malformed  breaks the protocol once the session stands"""

    def __init__(self, manner, reason=0x87, port=0, seed=1):
        self.manner, self.reason = manner, reason
        self.random = random.Random(seed)
        self.server = socket.socket()
        self.server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.server.bind(("127.0.0.1", port))
        self.server.listen(16)
        self.port = self.server.getsockname()[1]
        self.connections = self.publishes = self.flooded = 0
        self.writing = threading.Lock()  # packets of the flood and answers go out whole
        self.open = []
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.server.accept()
            except OSError:
                return
            self.connections += 1
            self.open.append(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        try:
            if self.manner == "hang_up":
                sock.close()
            elif self.manner == "silent":
                while sock.recv(4096):
                    pass
            elif self.manner == "garbage":
                sock.recv(1)
                sock.sendall(self.random.randbytes(4096))
                sock.close()
            else:
                self._session(sock)
        except OSError:
            pass

    def _session(self, sock):
        stream = mqtt5.Stream(sock)
        while True:
            got = stream.read()
            if got is None:
                return
            kind, flags, body = got
            if kind == mqtt5.CONNECT:
                reason = self.reason if self.manner == "refuse" else 0
                stream.write(mqtt5.packet(mqtt5.CONNACK, bytes([0, reason]) + mqtt5.properties({})))
                if reason:
                    sock.close()
                    return
                if self.manner == "flood":
                    threading.Thread(target=self._flood, args=(stream, body), daemon=True).start()
            elif kind == mqtt5.SUBSCRIBE:
                with self.writing:
                    stream.write(mqtt5.packet(mqtt5.SUBACK, body[:2] + mqtt5.properties({}) + b"\1"))
                if self.manner == "malformed":
                    # A property that MQTT 5 does not know; what the client makes of it is its affair.
                    stream.write(mqtt5.packet(mqtt5.PUBLISH, mqtt5.text("a/b") + b"\2\x7f\0" + b"x"))
            elif kind == mqtt5.PINGREQ:
                with self.writing:
                    stream.write(mqtt5.packet(mqtt5.PINGRESP, b""))
            elif kind == mqtt5.PUBLISH:
                self.publishes += 1
                if self.manner in ("liar", "denies", "flood"):
                    mid = struct.pack(">H", mqtt5.parse_publish(flags, body).mid)
                    reason = self.reason if self.manner == "denies" else 0
                    with self.writing:
                        stream.write(mqtt5.packet(mqtt5.PUBACK, mid + bytes([reason]) + mqtt5.properties({})))

    def _flood(self, stream, connect):
        """Well-formed and malformed acknowledgements, and topics that nobody asked for."""
        _, at = mqtt5.take_text(connect, 0)
        _, at = mqtt5.take_properties(connect, at + 4)
        name, _ = mqtt5.take_text(connect, at)
        topics = [f"sp1/down/{name.decode()}/ack", f"sp1/down/{name.decode()}/cmd", "sp1/hub/x/state", "noise"]
        bodies = [b"{}", b"", b"[" * 2000, b"\xff" * 100, b'{"v":1,"hub_epoch":"' + b"a" * 26 + b'","n":1}',
                  b'{"v":2}', b'{"v":1,"n":1e308,"upto":-1}', self.random.randbytes(500), b"x" * 60000]
        try:
            while True:
                topic, body = self.random.choice(topics), self.random.choice(bodies)
                with self.writing:
                    stream.write(mqtt5.publish_packet(topic, body, 0, qos=0))
                self.flooded += 1
        except OSError:
            pass

    def close(self):
        # shutdown() first: close() alone does not wake accept().
        for sock in [self.server, *self.open]:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()
        self.thread.join(10)


class ServiceManager:
    """systemd's end of NOTIFY_SOCKET: counts what the daemon says."""

    def __init__(self, directory):
        self.path = str(directory / "notify.sock")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.lines = []
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        while True:
            try:
                data = self.socket.recv(4096)
            except OSError:
                return
            if data == b"":
                return
            self.lines += data.decode(errors="replace").splitlines()

    def count(self, word):
        return sum(line.startswith(word) for line in list(self.lines))

    def environment(self, watchdog_seconds=2):
        # No WATCHDOG_PID: the daemon is not our only child.
        return {"NOTIFY_SOCKET": self.path, "WATCHDOG_USEC": str(int(watchdog_seconds * 1e6))}

    def close(self):
        self.socket.close()
        if os.path.exists(self.path):
            os.unlink(self.path)
