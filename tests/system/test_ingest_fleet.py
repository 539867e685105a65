# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""Several ingests on disjoint shards over one PostgreSQL, one that stands by for all of them, and boards that keep
what nobody acknowledged, while ingests are killed, shards are handed over and the server falls over. Afterwards each
event is there once. SP_FLEET_SECONDS and SP_FLEET_BOARDS make it larger."""
import json
import os
import pathlib
import random
import string
import threading
import time

import pytest

import mqtt5
import postgres
import support

SHARDS = ["s0", "s1", "s2"]
SECONDS = float(os.environ.get("SP_FLEET_SECONDS", "6"))
BOARDS = int(os.environ.get("SP_FLEET_BOARDS", "5"))  # per shard
LEASE = 2
RECORDS, WINDOW, AGAIN = 10, 4, 1.5

pytestmark = pytest.mark.skipif(postgres.binaries() is None, reason="PostgreSQL's server programs are not installed")


class Stream:
    """What one board says in one class, and what is settled of it."""

    def __init__(self, rng, device, shard, cls):
        self.name = "".join(rng.choice(string.ascii_lowercase) for _ in range(26))
        self.device, self.shard, self.cls = device, shard, cls
        self.boot = f"boot-{device}"
        self.batches, self.sent = [], {}
        self.issued = 0

    def make(self):
        now, mono = int(time.time() * 1000), time.monotonic_ns() // 1000
        records = []
        for seq in range(self.issued + 1, self.issued + 1 + RECORDS):
            record = {"seq": seq, "type": "samples" if self.cls == "bulk" else "clock", "mono_us": mono, "t_ms": now,
                      "err_ms": 20, "event": "hourly"}
            if seq == 1:
                record = {**record, "type": "opened", "class": self.cls, "prev": None}
            records.append(record)
        self.issued += RECORDS
        self.batches.append((self.issued, records))

    def payload(self, last, records):
        clk = {"boot": self.boot, "mono_us": time.monotonic_ns() // 1000, "synced": True,
               "t_ms": int(time.time() * 1000), "err_ms": 20}
        return json.dumps({"v": 1, "dev": self.device, "class": self.cls, "stream": self.name, "boot": self.boot,
                           "digest": f"{last:032x}", "clk": clk, "ev": records})

    def due(self):
        """The oldest ones that nobody settled, unless they were sent a moment ago."""
        now = time.monotonic()
        for last, records in self.batches[:WINDOW]:
            if now - self.sent.get(last, 0) > AGAIN:
                self.sent[last] = now
                yield self.payload(last, records)

    def settle(self, ack):
        def settled(last):
            first = last - RECORDS + 1
            return last <= ack["upto"] or any(a <= first and last <= b for a, b in ack["have"])
        self.batches = [batch for batch in self.batches if not settled(batch[0])]


class Boards(threading.Thread):
    """All boards of a shard, by one connection."""

    def __init__(self, port, shard, seed):
        super().__init__(daemon=True)
        rng = random.Random(seed)
        self.port, self.shard = port, shard
        self.streams = [Stream(rng, f"{shard}-board-{i}", shard, cls) for i in range(BOARDS)
                        for cls in ("facts", "bulk")]
        self.by_name = {stream.name: stream for stream in self.streams}
        self.making, self.error = True, None

    def run(self):
        try:
            client = mqtt5.Client(self.port, f"boards-{self.shard}")
            client.subscribe(f"sp1/down/{self.shard}/+/ack")
            while self.making or any(stream.batches for stream in self.streams):
                for stream in self.streams:
                    if self.making and len(stream.batches) < WINDOW:
                        stream.make()
                    for payload in stream.due():
                        client.publish(f"sp1/up/{self.shard}/{stream.device}/{stream.cls}", payload)
                assert client.alive()
                while client.messages:
                    ack = json.loads(client.messages.popleft().payload)
                    if ack["stream"] in self.by_name:
                        self.by_name[ack["stream"]].settle(ack)
                time.sleep(0.02)
            client.close()
        except Exception as error:  # pylint: disable=broad-except
            self.error = error


class Fleet:
    def __init__(self, folder, broker, uri):
        self.folder, self.broker, self.uri = folder, broker, uri
        self.processes, self.starts, self.lease = {}, 0, LEASE

    def start(self, name, shards):
        config = self.folder / f"{name}.conf"
        config.write_text(f"[hub]\ndb = {self.uri}\nlease = {self.lease}s\nreconnect_window = 1s\n[mqtt]\n"
                          f"host = 127.0.0.1\nport = {self.broker.port}\nshards = {', '.join(shards)}\n")
        self.starts += 1
        self.processes[name] = support.Process([support.program("schoolpulse-hub"), "--config", config, "ingest"],
                                               self.folder / f"{name}.log")

    def shards_of(self, name):
        return SHARDS if name == "standby" else [f"s{name[-1]}"]

    def again(self, name, how):
        getattr(self.processes[name], how)()
        time.sleep(LEASE / 2)
        self.start(name, self.shards_of(name))


@pytest.fixture
def cluster():
    with postgres.Cluster() as made:
        yield made


def disturb(fleet, cluster, rng, until):
    """Each of the three at least once, in an order of their own."""
    deeds = ["kill", "stop", "server"]
    rng.shuffle(deeds)
    while deeds or time.monotonic() < until:
        deed = deeds.pop() if deeds else rng.choice(["kill", "stop", "kill", "server"])
        if deed == "server":
            cluster.stop("immediate")
            time.sleep(rng.uniform(0.2, 1))
            cluster.start()
        else:
            fleet.again(rng.choice(["ingest0", "ingest1", "ingest2", "standby"]), deed)
        time.sleep(rng.uniform(0.2, 1))


def test_nothing_is_lost_and_nothing_doubled(run_dir, broker, cluster):
    seed = int(os.environ.get("SP_FLEET_SEED", random.randrange(1 << 30)))
    print(f"SP_FLEET_SEED={seed}")
    rng = random.Random(seed)
    fleet = Fleet(pathlib.Path(run_dir), broker, cluster.database("hub"))
    fleet.start("ingest0", ["s0"])
    fleet.processes["ingest0"].wait_for("shard s0 is served")  # it makes the tables
    for name in ("ingest1", "ingest2"):
        fleet.start(name, fleet.shards_of(name))
        fleet.processes[name].wait_for("is served")
    fleet.start("standby", SHARDS)
    boards = [Boards(broker.port, shard, seed + i) for i, shard in enumerate(SHARDS)]
    for thread in boards:
        thread.start()
    disturb(fleet, cluster, rng, time.monotonic() + SECONDS)
    for thread in boards:
        thread.making = False
    for thread in boards:
        thread.join(support.PATIENCE)
        assert thread.error is None, thread.error
        assert not thread.is_alive(), [(s.name, s.batches[0][0]) for s in thread.streams if s.batches]
    rows = cluster.sql("SELECT s.name, count(*), min(e.seq), max(e.seq), s.issued FROM stream s JOIN event e ON"
                       " e.stream = s.id GROUP BY s.id, s.name, s.issued", "hub").splitlines()
    found = {row.split("|")[0]: list(map(int, row.split("|")[1:])) for row in rows}
    wanted = {stream.name: [stream.issued, 1, stream.issued, stream.issued] for thread in boards
              for stream in thread.streams}
    assert found == wanted
    total = sum(stream.issued for thread in boards for stream in thread.streams)
    assert total > 100 * RECORDS  # it did flow
    assert int(cluster.sql("SELECT sum(events) FROM device", "hub")) == total
    assert int(cluster.sql("SELECT sum(last - first + 1) FROM batch", "hub")) == total
    assert cluster.sql("SELECT count(*) FROM gap", "hub") == "0"
    assert cluster.sql("SELECT count(*) FROM anomaly", "hub") == "0"
    assert fleet.starts > 4


def test_a_shard_is_handed_over_at_once(run_dir, broker, cluster):
    """What its lease would have lasted is not waited for."""
    fleet = Fleet(pathlib.Path(run_dir), broker, cluster.database("hub"))
    fleet.lease = 600
    fleet.start("ingest0", ["s0"])
    fleet.processes["ingest0"].wait_for("shard s0 is served")
    fleet.start("standby", ["s0"])
    support.wait_until(lambda: cluster.sql("SELECT count(*) FROM pg_stat_activity WHERE datname = 'hub' AND"
                                           " backend_type = 'client backend'", "postgres") == "2", "the other one")
    assert fleet.processes["ingest0"].stop() == 0
    fleet.processes["standby"].wait_for("shard s0 is served from here now: handed over")
    fleet.processes["standby"].wait_for("shard s0: connected")
    assert fleet.processes["standby"].stop() == 0
    assert cluster.sql("SELECT count(*) FROM lease WHERE holder <> ''", "hub") == "0"
