# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""What may come over a broker that lets everybody in: each kind of bad message, made on purpose, with the word under which
the hub has to count it. A kind yields (topic, payload, content type) and notes what it expects in the tally."""
import collections
import json
import random
import zlib

from wire_board import DEFLATED, JSON, Wire, new_id, now_ms


class Tally:
    """How often each word must be counted: (word, device) -> times; device "" for what names none."""

    def __init__(self):
        self.set_aside, self.anomalies = collections.Counter(), collections.Counter()
        self.sent = collections.Counter()


def carrier(wire):
    return wire.record("carrier", device="cable", interface="eth0", carrier=True, speed_mbps=100, duplex="full")


class Evil:
    def __init__(self, shard, victims, seed):
        self.shard, self.victims, self.seed = shard, victims, seed
        self.rng, self.tally = random.Random(seed), Tally()

    def wire(self, device):
        return Wire(self.shard, device, self.seed)

    def aside(self, word, device, message):
        self.tally.set_aside[word, device] += 1
        return message

    # ---- who speaks ----------------------------------------------------------------------------------

    def forged_identity(self, count):
        """Under a board's own topic, but the envelope is another's; of a class that is not the topic's; a state likewise."""
        ghost = self.wire("somebody-else")
        for i in range(count):
            victim = self.victims[i % len(self.victims)]
            topic = f"sp1/up/{self.shard}/{victim}"
            if i % 3 == 2:
                message = (f"{topic}/state", *Wire.payload(ghost.birth()))
            else:
                envelope = ghost.envelope("facts", [carrier(ghost)])
                message = (f"{topic}/{'facts' if i % 3 else 'bulk'}", *Wire.payload(envelope))
            yield self.aside("foreign", victim, message)

    def forged_class(self, count):
        wire = self.wire(self.victims[0])
        for _ in range(count):
            yield self.aside("foreign", wire.device, (wire.topic("bulk"), *Wire.payload(wire.envelope("facts", [carrier(wire)]))))

    def foreign_topics(self, count):
        """Names that no board has. The hub hears what stands at a board's place in its shard."""
        names = ["UPPER", "x" * 33, "ü", "-" * 200, "ố" * 60, "a b", "Robert'); DROP TABLE event;--", "\u202eevil", "$SYS"]
        wire = self.wire("nobody")
        for i in range(count):
            payload, kind = Wire.payload(wire.envelope("facts", [carrier(wire)]))
            yield self.aside("foreign", "", (f"sp1/up/{self.shard}/{names[i % len(names)]}/facts", payload, kind))

    def other_shards_board(self, count, device):
        """The register gives that board to another shard."""
        wire = self.wire(device)
        for _ in range(count):
            yield self.aside("foreign", device, (wire.topic("facts"), *Wire.payload(wire.envelope("facts", [carrier(wire)]))))

    def unknown_boards(self, count, allowed):
        """Each a device that nobody knows; those beyond what a shard may introduce in an hour are refused."""
        for i in range(count):
            wire = self.wire(f"ghost-{i}")
            message = (wire.topic("facts"), *Wire.payload(wire.envelope("facts", [carrier(wire)])))
            if i >= allowed:
                self.tally.set_aside["too_many_devices", None] += 1
            yield message

    # ---- what is said --------------------------------------------------------------------------------

    def bad_schema(self, count, device="scribbler"):
        wire = self.wire(device)
        for i in range(count):
            envelope = wire.envelope("facts", [carrier(wire), carrier(wire)], stream=new_id(self.rng), first=1)
            yield self.aside("malformed", device, (wire.topic("facts"), BAD[i % len(BAD)](envelope), JSON))

    def bad_types(self, count, device="scribbler"):
        wire = self.wire(device)
        for i in range(count):
            envelope = wire.envelope("facts", [carrier(wire)], stream=new_id(self.rng), first=1)
            kind = [b"text/html", b"application/json+gzip", b"x" * 5000][i % 3]
            yield self.aside("malformed", device, (wire.topic("facts"), Wire.payload(envelope)[0], kind))

    def bad_versions(self, count, device="scribbler"):
        wire = self.wire(device)
        for i in range(count):
            envelope = {**wire.envelope("facts", [carrier(wire)], stream=new_id(self.rng), first=1), "v": [2, 0, 9007199254740991][i % 3]}
            yield self.aside("unknown_version", device, (wire.topic("facts"), *Wire.payload(envelope)))

    def bad_states(self, count, device="scribbler"):
        wire = self.wire(device)
        for i in range(count):
            birth = wire.birth(held=[[{"stream": "no", "class": "facts", "oldest": 1, "newest": 2}],
                                     [{"stream": new_id(self.rng), "class": "facts", "oldest": 9, "newest": 2}],
                                     "all", [[]]][i % 4])
            yield self.aside("malformed", device, (wire.topic("state"), *Wire.payload(birth)))

    def bombs(self, count, device="bomber"):
        """64 KiB that become 64 MiB; a stream that is cut off; one with something behind it; noise."""
        wire = self.wire(device)
        zeros = zlib.compress(b" " * 60 * 1024 * 1024, 9)
        assert len(zeros) < 64 * 1024
        true, _ = Wire.payload(wire.envelope("facts", [carrier(wire)], stream=new_id(self.rng), first=1), deflate=True)
        nested = zlib.compress(b"[" * 500000)
        for i in range(count):
            word, payload = [("too_large", zeros), ("malformed", true[:-5]), ("malformed", true + b"more"),
                             ("malformed", self.rng.randbytes(2000)), ("malformed", nested)][i % 5]
            yield self.aside(word, device, (wire.topic("facts"), payload, DEFLATED))

    def huge(self, count, device="giant"):
        """Too long as a whole; names beyond any; more records than a batch has; a record beyond its limit."""
        wire = self.wire(device)
        for i in range(count):
            record = carrier(wire)
            if i % 6 == 0:
                yield self.aside("too_large", device, (wire.topic("facts"), b'{"v":1,"x":"' + b"y" * 66 * 1024 + b'"}', JSON))
            elif i % 6 == 1:
                # The hub told the broker how much it takes at once: this one never comes, and costs nobody anything.
                yield (wire.topic("facts"), b'{"v":1,"x":"' + b"y" * 300 * 1024 + b'"}', JSON)
            else:
                word, records = [("malformed", [{**record, "device": "n" * 15000}]), ("malformed", [{**record, "type": "t" * 15000}]),
                                 ("malformed", [record] * 1001), ("too_large", [{**record, "text": "x" * 20000}])][i % 6 - 2]
                envelope = wire.envelope("facts", records, stream=new_id(self.rng), first=1)
                yield self.aside(word, device, (wire.topic("facts"), *Wire.payload(envelope, deflate=True)))

    def sequence_jumps(self, count, device="jumper"):
        """Seqs that do not follow each other are refused; a jump to the end of all numbers is one open gap."""
        wire = self.wire(device)
        for i in range(count):
            stream = new_id(self.rng)
            if i < 3:
                yield (wire.topic("facts"), *Wire.payload(wire.envelope("facts", [carrier(wire)], stream=stream,
                                                                        first=2**53 - 2 - i)))
                continue
            envelope = wire.envelope("facts", [carrier(wire)] * 3, stream=stream, first=1)
            envelope["ev"][1]["seq"] = [1, 3, 9007199254740991][i % 3]
            yield self.aside("not_contiguous", device, (wire.topic("facts"), *Wire.payload(envelope)))

    # ---- what is said of time and identity --------------------------------------------------------------

    def clock_lies(self, count, device="liar"):
        """Calls itself synchronised and is of the year 2100, or of 1970."""
        wire = self.wire(device)
        for i in range(count):
            at_ms = [4102444800000, 1000, 9007199254740991][i % 3]
            envelope = wire.envelope("facts", [{**carrier(wire), "t_ms": at_ms}])
            envelope["clk"]["t_ms"] = at_ms
            yield (wire.topic("facts"), *Wire.payload(envelope))

    def clock_steps(self, count, device="wobbler"):
        """Synchronised, and an hour to and fro: it contradicts itself without end."""
        wire = self.wire(device)
        for i in range(count):
            at_ms = now_ms() - (i % 2) * 3600 * 1000 - 60000
            envelope = wire.envelope("facts", [{**carrier(wire), "t_ms": at_ms}])
            envelope["clk"]["t_ms"] = at_ms
            yield (wire.topic("facts"), *Wire.payload(envelope))

    @staticmethod
    def replays(heard, rng):
        """Everything that good boards said, again and in any order."""
        again = list(heard)
        rng.shuffle(again)
        yield from again

    @staticmethod
    def conflicts(heard, count, rng):
        """Identities that good boards took, with other content, and with other limits."""
        for message in rng.sample(heard, min(count, len(heard))):
            topic, payload, kind = message
            text = zlib.decompress(payload) if kind == DEFLATED else payload
            envelope = json.loads(text)
            envelope["digest"] = "0" * 32
            if len(envelope["ev"]) > 1 and rng.random() < 0.5:
                envelope["ev"] = envelope["ev"][1:]
            yield (topic, *Wire.payload(envelope))

    # ---- as much as possible -------------------------------------------------------------------------------

    def many_streams(self, count, device="spinner"):
        wire = self.wire(device)
        for _ in range(count):
            envelope = wire.envelope("facts", [wire.record("opened", **{"class": "facts", "prev": None})],
                                     stream=new_id(self.rng), first=1)
            yield (wire.topic("facts"), *Wire.payload(envelope))

    def many_births(self, count, device="spinner"):
        """256 journals held, each time others."""
        wire = self.wire(device)
        for _ in range(count):
            held = [{"stream": new_id(self.rng), "class": "bulk", "oldest": 1, "newest": 9} for _ in range(256)]
            yield (wire.topic("state"), *Wire.payload(wire.birth(held=held)))

    def many_boots(self, count, device="rebooter"):
        wire = self.wire(device)
        for i in range(count):
            wire.boot = f"boot-{i}"
            yield (wire.topic("facts"), *Wire.payload(wire.envelope("facts", [carrier(wire)])))

    def many_names(self, count, device="namer"):
        """A line and an instance by another name in each record."""
        wire = self.wire(device)
        for i in range(count):
            records = []
            for j in range(20):
                records.append(wire.record("line", device=f"line-{i}-{j}", state="up", previous="unknown", cause="none",
                                           whose="nobody", ipv4="up", ipv6="unknown", egress="own", since_mono_us=None))
                records.append(wire.record("device", device=f"=cmd|' /C calc'!A{i}.{j}", driver="reach", state="up",
                                           previous="unknown", reason=None, text=None))
            yield (wire.topic("facts"), *Wire.payload(wire.envelope("facts", records)))


def _without(name):
    return lambda envelope: json.dumps({key: value for key, value in envelope.items() if key != name}).encode()


def _with(**members):
    return lambda envelope: json.dumps({**envelope, **members}).encode()


def _record(**members):
    def make(envelope):
        envelope["ev"][0].update(members)
        return json.dumps(envelope).encode()
    return make


def _text(old, new):
    return lambda envelope: json.dumps(envelope, separators=(",", ":")).encode().replace(old, new, 1)


BAD = [
    *[_without(name) for name in ("v", "dev", "class", "stream", "boot", "digest", "clk", "ev")],
    _with(v="1"), _with(dev=7), _with(dev="X" * 40), _with(stream="short"), _with(stream=None), _with(digest="Z" * 32),
    _with(boot="B" * 60), _with(clk=[]), _with(clk={"boot": "b", "mono_us": -1, "synced": True}), _with(ev=[]), _with(ev={}),
    _with(ev=[1, 2]), _with(ev=None), _with(redacted=-1), _with(**{"class": "secrets"}),
    _record(seq=0), _record(seq=-5), _record(seq=1.5), _record(seq="1"), _record(type="Ca rrier"), _record(type=None),
    _record(mono_us=-1), _record(t_ms="now"), _record(err_ms=None), _record(device="line\nfeed"), _record(device=["a"]),
    _text(b'"seq":1', b'"seq":1e999'), _text(b'"seq":1', b'"seq":01'), _text(b'"seq":1', b'"seq":NaN'),
    _text(b'"seq":1,', b'"seq":1,"seq":1,'), _text(b"eth0", b"\xff\xfe\x00"), _text(b"eth0", b"\\u0000"),
    _text(b'"ev":[', b'"ev":' + b"[" * 40000), lambda envelope: b"\x00" * 100, lambda envelope: b"\xef\xbb\xbf{}",
    lambda envelope: b"null", lambda envelope: b"[]", lambda envelope: b"{" * 60000, lambda envelope: b"",
    lambda envelope: json.dumps(envelope).encode("utf-16"), lambda envelope: json.dumps(envelope).encode()[:-1],
]
