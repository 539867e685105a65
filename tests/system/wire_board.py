# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""A board that is nothing but its wire: batches made by the feed's contract, sent at speed through MQTT sessions that do
not wait for each answer, sent again until the hub has settled them. What it sent, it remembers."""
import hashlib
import json
import random
import socket
import struct
import threading
import time
import uuid
import zlib

import mqtt5

JSON, DEFLATED = b"application/json", b"application/json+deflate"
ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"


def new_id(rng):
    return "".join(rng.choice(ALPHABET) for _ in range(26))


def now_ms():
    return int(time.time() * 1000)


class Pipe:
    """One session that publishes with a window of unacknowledged messages. Each message ends in exactly one PUBACK."""

    WINDOW = 18  # mosquitto gives 20

    def __init__(self, port, client_id, on_message=None, topic=None):
        self.client = mqtt5.Client(port, client_id)
        assert self.client.reason == 0, f"{client_id}: reason {self.client.reason}"
        if topic:
            assert self.client.subscribe(topic) == 1
        self.stream, self.on_message = self.client.stream, on_message
        self.room, self.lock = threading.Semaphore(self.WINDOW), threading.Lock()
        self.mid, self.sent, self.acknowledged, self.ended = 10, 0, 0, False
        self.stream.sock.settimeout(None)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        while True:
            try:
                got = self.stream.read()
            except OSError:
                got = None
            if got is None:
                self.ended = True
                self.room.release()
                return
            if got[0] == mqtt5.PUBACK:
                self.acknowledged += 1
                self.room.release()
            elif got[0] == mqtt5.PUBLISH:
                message = mqtt5.parse_publish(got[1], got[2])
                if message.qos:
                    self._write(mqtt5.packet(mqtt5.PUBACK, struct.pack(">H", message.mid)))
                if self.on_message:
                    self.on_message(message)

    def _write(self, data):
        with self.lock:
            self.stream.write(data)

    def publish(self, topic, payload, content_type=JSON, retain=False):
        self.room.acquire()
        if self.ended:
            raise ConnectionError("the broker has closed the session")
        with self.lock:
            self.mid = self.mid % 60000 + 1
            values = {mqtt5.CONTENT_TYPE: content_type} if content_type is not None else None
            self.stream.write(mqtt5.publish_packet(topic, payload, self.mid, retain, values))
            self.sent += 1

    def drain(self, timeout=60):
        """Until every message has its PUBACK."""
        end = time.monotonic() + timeout
        while self.acknowledged < self.sent and time.monotonic() < end and not self.ended:
            time.sleep(0.005)
        assert self.acknowledged == self.sent, f"{self.sent - self.acknowledged} messages without a PUBACK"

    def close(self):
        try:
            self.stream.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.reader.join(10)
        self.client.close()


class Wire:
    """The identities of one board, and envelopes under them. Its monotonic clock starts an hour ago."""

    def __init__(self, shard, device, seed):
        self.shard, self.device = shard, device
        self.rng = random.Random(f"{seed}/{device}")
        self.boot = str(uuid.UUID(int=self.rng.getrandbits(128)))
        self.start_ms = now_ms() - 3600 * 1000
        self.streams = {}  # class -> (name, last seq)

    def topic(self, leaf):
        return f"sp1/up/{self.shard}/{self.device}/{leaf}"

    def mono_us(self, at_ms=None):
        return ((at_ms or now_ms()) - self.start_ms) * 1000

    def clk(self):
        at_ms = now_ms()
        return {"boot": self.boot, "mono_us": self.mono_us(at_ms), "synced": True, "t_ms": at_ms, "err_ms": 20}

    def record(self, kind, at_ms=None, device=None, **members):
        at_ms = at_ms or now_ms()
        record = {"type": kind, **({"device": device} if device else {}), "mono_us": self.mono_us(at_ms), "t_ms": at_ms,
                  "err_ms": 20}
        return {**record, **members}

    def envelope(self, cls, records, stream=None, first=None, **members):
        """As the journal would make it: the next seqs of the class's stream, `opened` before its first."""
        if stream is None:
            if cls not in self.streams:
                self.streams[cls] = (new_id(self.rng), 0)
                records = [self.record("opened", **{"class": cls, "prev": None}), *records]
            stream, last = self.streams[cls]
            first = last + 1
            self.streams[cls] = (stream, last + len(records))
        events = [{"seq": first + i, **record} for i, record in enumerate(records)]
        text = json.dumps(events, separators=(",", ":"), ensure_ascii=False)
        return {"v": 1, "dev": self.device, "class": cls, "stream": stream, "boot": self.boot,
                "digest": hashlib.sha256(text.encode()).hexdigest()[:32], "clk": self.clk(), "ev": events, **members}

    @staticmethod
    def payload(envelope, deflate=False):
        data = json.dumps(envelope, separators=(",", ":"), ensure_ascii=False).encode()
        return (zlib.compress(data), DEFLATED) if deflate else (data, JSON)

    def birth(self, **members):
        held = [{"stream": name, "class": cls, "oldest": 1, "newest": last} for cls, (name, last) in self.streams.items()]
        return {"v": 1, "dev": self.device, "session": new_id(self.rng), "presence": "online", "boot": self.boot,
                "version": "0.1.0", "hub_epoch": None, "clk": self.clk(), "held": held, **members}


class GoodBoard(threading.Thread):
    """Sends its batches at a steady pace, and each again until it is settled. Measures publish to acknowledgement."""

    RESEND_SECONDS = 4

    def __init__(self, port, shard, device, seed, batches, pace_seconds):
        super().__init__(daemon=True)
        self.wire = Wire(shard, device, seed)
        self.pipe = Pipe(port, f"{shard}/{device}", self._on_message, f"sp1/down/{shard}/{device}/ack")
        self.batches, self.pace_seconds = batches, pace_seconds
        self.rows = {}     # (stream, seq) -> the record as it must be stored
        self.waiting = {}  # (stream, last seq) -> [first sent, last sent, topic, payload, content type]
        self.latencies, self.fault = [], None
        self.changed = threading.Condition()

    def _on_message(self, message):
        ack = json.loads(message.payload)
        with self.changed:
            for stream, last in [key for key in self.waiting if key[0] == ack["stream"] and key[1] <= ack["upto"]]:
                self.latencies.append(time.monotonic() - self.waiting.pop((stream, last))[0])
            self.changed.notify_all()

    def _records(self, number, bulk):
        wire = self.wire
        if bulk:
            return [wire.record("samples", device="main", driver="reach", seconds=1,
                                metrics={"rtt_seconds": {"domestic": [5, 0.01, 0.012, 0.02 + number / 1000 + i / 1e6]}})
                    for i in range(20)]
        return [wire.record("carrier", device="cable", interface="eth0", carrier=i % 2 == 0, speed_mbps=1000,
                            duplex="full") for i in range(4)]

    def _send(self, number):
        bulk = number % 2 == 0
        cls = "bulk" if bulk else "facts"
        envelope = self.wire.envelope(cls, self._records(number, bulk))
        for record in envelope["ev"]:
            self.rows[envelope["stream"], record["seq"]] = record
        payload, kind = self.wire.payload(envelope, deflate=bulk)
        now = time.monotonic()
        with self.changed:
            self.waiting[envelope["stream"], envelope["ev"][-1]["seq"]] = [now, now, self.wire.topic(cls), payload, kind]
        self.pipe.publish(self.wire.topic(cls), payload, kind)

    def _again(self):
        now = time.monotonic()
        with self.changed:
            due = [entry for entry in self.waiting.values() if now - entry[1] > self.RESEND_SECONDS]
            for entry in due:
                entry[1] = now
        for entry in due:
            self.pipe.publish(*entry[2:])

    def run(self):
        try:
            for number in range(self.batches):
                self._send(number)
                self._again()
                time.sleep(self.pace_seconds * self.wire.rng.uniform(0.5, 1.5))
            end = time.monotonic() + 60
            while self.waiting and time.monotonic() < end:
                with self.changed:
                    self.changed.wait(0.5)
                self._again()
            self.pipe.close()
        except (OSError, AssertionError) as error:
            self.fault = error
