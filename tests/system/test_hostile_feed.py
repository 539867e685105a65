# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""Twenty good boards beside everything that evil.py can say at speed, over a broker that lets everybody in. What the good
ones sent is there, whole and once; what was evil is counted under its own word, in the tables, in the API and by the command;
and what one board can make the hub keep has an end. How memory and latency went is printed beside a quiet run."""
import json
import random
import statistics
import subprocess
import threading
import time
import urllib.request

import pytest

import mqtt5
import stores
import support
from evil import Evil
from wire_board import GoodBoard, Pipe

SHARD, GOOD, BATCHES, PACE = "test", 20, 40, 0.1
DEVICES_AN_HOUR, STREAMS_A_DAY, BOOTS_A_DAY, LINES, INSTANCES = 40, 300, 60, 8, 50

HUB = """\
[hub]
db = {db}
reconnect_window = 1s

[mqtt]
host = 127.0.0.1
port = {port}
shards = test

[http]
listen = 127.0.0.1
port = {http}

[limits]
new_devices = 40
streams = 300
boots = 60
lines = 8
instances = 50
"""

# A queue for the hub that the flood does not overflow: what the broker drops is nobody's fault here.
BROKER = "max_queued_messages 0\nmax_inflight_messages 200\n"


class Hub:
    def __init__(self, directory, port, store):
        self.directory, self.port, self.store = directory, port, store
        self.conf = directory / "hub.conf"
        self.process = self.http = None

    def start(self):
        for _ in range(20):
            self.http = support.free_port()
            self.conf.write_text(HUB.format(db=self.store.where, port=self.port, http=self.http))
            self.process = support.Process([support.program("schoolpulse-hub"), "--config", self.conf, "all"],
                                           self.directory / "hub.log")
            support.wait_until(lambda: not self.process.running() or self.answers(), "the hub")
            if self.process.running():
                return
        raise AssertionError(self.process.tail())

    def answers(self):
        try:
            return self.get("/healthz")
        except (OSError, ValueError):
            return None

    def get(self, path):
        return support.http_json(f"http://127.0.0.1:{self.http}{path}", timeout=60)

    def text(self, path):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://127.0.0.1:{self.http}{path}", timeout=30) as answer:
            return answer.read().decode()

    def command(self, *words):
        return subprocess.run([support.program("schoolpulse-hub"), "--config", self.conf, *map(str, words)],
                              capture_output=True, text=True, timeout=60, check=False)

    def peak_kib(self):
        """Resident, since the last look."""
        status = open(f"/proc/{self.process.pid}/status", encoding="ascii").read()
        peak = int(status.split("VmHWM:")[1].split()[0])
        try:
            with open(f"/proc/{self.process.pid}/clear_refs", "w", encoding="ascii") as out:
                out.write("5")
        except OSError:
            pass
        return peak


class Listener:
    """Hears what good boards say, for those who say it again."""

    def __init__(self, port):
        self.heard = []
        self.pipe = Pipe(port, "eavesdropper", self._keep, f"sp1/up/{SHARD}/+/facts")

    def _keep(self, message):
        if "/good-" in message.topic:
            self.heard.append((message.topic, message.payload, message.properties.get(mqtt5.CONTENT_TYPE)))

    def take(self):
        heard, self.heard = self.heard, []
        return heard


def send(port, name, faults, *kinds):
    """One evil client: everything of its kinds, as fast as the broker takes it."""
    def run():
        try:
            pipe = Pipe(port, name)
            for kind in kinds:
                for topic, payload, content_type in kind:
                    pipe.publish(topic, payload, content_type)
            pipe.drain()
            pipe.close()
        except BaseException as error:  # a thread's failure is the test's
            faults.append(f"{name}: {error!r}")
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def good_boards(port, prefix):
    boards = [GoodBoard(port, SHARD, f"good-{prefix}{i:02}", 6, BATCHES, PACE) for i in range(GOOD)]
    for board in boards:
        board.start()
    return boards


def finish(boards):
    for board in boards:
        board.join(90)
        assert board.fault is None and not board.waiting, (board.wire.device, board.fault, len(board.waiting))
    latencies = sorted(latency for board in boards for latency in board.latencies)
    return statistics.median(latencies), latencies[len(latencies) * 99 // 100]


def assert_whole(store, boards):
    """Each record of each good board exactly once, and as it was said."""
    for board in boards:
        rows = store.query("SELECT s.name, e.seq, e.type, e.instance, e.mono_us, e.t_ms, e.data FROM event e JOIN stream s ON"
                           f" s.id = e.stream JOIN device d ON d.id = s.device WHERE d.name = '{board.wire.device}'")
        stored = {(row[0], int(row[1])): row[2:] for row in rows}
        assert len(rows) == len(stored) == len(board.rows), board.wire.device
        for key, said in board.rows.items():
            kind, instance, mono_us, t_ms, data = stored[key]
            rest = {name: value for name, value in said.items()
                    if name not in ("seq", "type", "device", "mono_us", "t_ms", "err_ms")}
            assert (kind, instance, int(mono_us), int(t_ms)) == (said["type"], said.get("device", ""), said["mono_us"], said["t_ms"])
            assert json.loads(data) == rest


def counted(rows, word, device):
    """`device` "": those that name none; None: whoever."""
    return sum(row["count"] for row in rows if row["fault"] == word and (device is None or device == (row["device"] or "")))


def register(directory):
    path = directory / "register.csv"
    lines = ["area,school,school_name,site,line,device,shard"]
    known = [f"good-{prefix}{i:02}" for prefix in "ab" for i in range(GOOD)]
    known += ["scribbler", "bomber", "giant", "jumper", "liar", "wobbler", "spinner", "rebooter", "namer"]
    for i, device in enumerate(known):
        lines.append(f"Thử nghiệm,990{i:05},Trường Thử Nghiệm {i},chinh,main,{device},{SHARD}")
    lines.append(f"Thử nghiệm,99099999,Trường Ở Nơi Khác,chinh,main,elsewhere,another")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", stores.KINDS)
def test_evil_beside_good(kind, run_dir, capsys):
    with stores.fresh(kind, run_dir) as store:
        broker = support.Broker(run_dir / "broker", extra=BROKER, persistence=False)
        broker.start()
        hub = Hub(run_dir, broker.port, store)
        hub.conf.write_text(HUB.format(db=store.where, port=broker.port, http=1))
        done = hub.command("import", register(run_dir))
        assert done.returncode == 0, done.stderr
        hub.start()
        listener, faults = Listener(broker.port), []

        quiet = good_boards(broker.port, "a")
        quiet_p50, quiet_p99 = finish(quiet)
        quiet_kib, heard, rng = hub.peak_kib(), listener.take(), random.Random(6)
        assert len(heard) > 100

        evil = Evil(SHARD, [board.wire.device for board in quiet], 6)
        # Every statement is a journey to a server, and what is not ordinary takes many.
        part = 4 if kind == "postgres" else 1
        streams, boots, names = STREAMS_A_DAY + 200 // part, BOOTS_A_DAY + 140 // part, 20 // part
        said = len(heard) // part
        heard = rng.sample(heard, said)
        conflicts = list(Evil.conflicts(heard, 200 // part, rng))
        began = time.monotonic()
        loud = good_boards(broker.port, "b")
        clients = [
            send(broker.port, "forger", faults, evil.forged_identity(300), evil.forged_class(100), evil.foreign_topics(200),
                 evil.other_shards_board(100 // part, "elsewhere"), evil.unknown_boards(40 + 160 // part, DEVICES_AN_HOUR)),
            send(broker.port, "vandal", faults, evil.bad_schema(1000), evil.bad_types(200), evil.bad_versions(200),
                 evil.bad_states(200), evil.huge(60), evil.sequence_jumps(200), evil.bombs(200)),
            send(broker.port, "parrot", faults, Evil.replays(heard, rng), conflicts, Evil.replays(heard, rng)),
            send(broker.port, "clockmaker", faults, evil.clock_lies(148 // part), evil.clock_steps(148 // part)),
            send(broker.port, "breeder", faults, evil.many_streams(streams), evil.many_births(20), evil.many_boots(boots),
                 evil.many_names(names)),
        ]
        for client in clients:
            client.join(120)
        assert not faults, faults
        seconds = time.monotonic() - began
        loud_p50, loud_p99 = finish(loud)
        loud_kib = hub.peak_kib()

        def shown():
            return hub.get("/api/v1/overview")["set_aside"]

        def taken():
            """The hub has taken the last word: it takes them in order."""
            rows = shown()
            return all(counted(rows, *key) >= times for key, times in evil.tally.set_aside.items())
        try:
            support.wait_until(taken, "everything evil to be counted")
        except AssertionError:
            pass  # below it says what is missing
        rows = shown()
        wrong = {key: (times, counted(rows, *key)) for key, times in evil.tally.set_aside.items() if counted(rows, *key) != times}
        assert not wrong, (wrong, hub.process.tail(5))
        assert_whole(store, quiet + loud)
        check_anomalies(hub, len(conflicts), 148 // part)
        check_caps(store, rows, streams, boots, names)
        check_metrics(hub, 2 * said, len(conflicts), sum(row["count"] for row in rows))
        check_command(hub)
        evil_sent = sum(evil.tally.set_aside.values()) + 2 * said + len(conflicts)
        with capsys.disabled():
            print(f"\n{kind}: about {evil_sent} evil messages in {seconds:.1f} s beside {GOOD} good boards; publish to"
                  f" acknowledgement p50 {quiet_p50 * 1000:.0f} -> {loud_p50 * 1000:.0f} ms, p99 {quiet_p99 * 1000:.0f} ->"
                  f" {loud_p99 * 1000:.0f} ms ({loud_p99 / quiet_p99:.1f} x); peak resident {quiet_kib} -> {loud_kib} KiB")
        # The queue before the store has 64 MiB; what lies beyond it would be growth without an end.
        assert loud_kib < quiet_kib + 160 * 1024
        listener.pipe.close()
        assert hub.process.stop() == 0, hub.process.tail()
        broker.stop()


def check_anomalies(hub, conflicts, lies):
    anomalies = hub.get("/api/v1/anomalies")["anomalies"]

    def times(kind, device=None):
        return sum(row["count"] for row in anomalies if row["kind"] == kind and device in (None, row["device"]))
    assert times("identity_conflict") == conflicts
    assert times("clock_implausible", "liar") >= lies
    assert times("clock_stepped", "wobbler") >= 1
    assert not [row for row in anomalies if row["device"].startswith("good-b")], "a good board is accused"
    assert not [row for row in anomalies if row["device"].startswith("good-a") and row["kind"] != "identity_conflict"]


def check_caps(store, rows, streams, boots, names):
    """What a board, or a shard's strangers, could make the hub keep."""
    def number(sql):
        return int(store.query(sql)[0][0])

    def of(table, device):
        return number(f"SELECT count(*) FROM {table} t JOIN device d ON d.id = t.device WHERE d.name = '{device}'")
    assert number("SELECT count(*) FROM device WHERE name LIKE 'ghost-%'") == DEVICES_AN_HOUR
    assert of("stream", "spinner") == STREAMS_A_DAY
    assert counted(rows, "too_many_streams", "spinner") == streams - STREAMS_A_DAY + 20
    assert of("boot", "rebooter") == BOOTS_A_DAY
    assert counted(rows, "too_many_boots", "rebooter") == boots - BOOTS_A_DAY
    assert of("line", "namer") == LINES and counted(rows, "too_many_lines", "namer") == names * 20 - LINES
    assert of("instance", "namer") == INSTANCES and counted(rows, "too_many_instances", "namer") == names * 20 - INSTANCES
    for device in ("spinner", "rebooter", "liar", "wobbler"):
        assert of("stream", device) <= STREAMS_A_DAY and of("boot", device) <= BOOTS_A_DAY


def check_metrics(hub, replays, conflicts, set_aside):
    """What is no fault of anybody's, as a replay, is counted, too."""
    text = hub.text("/metrics")

    def counted_by(verdict):
        return int(text.split(f'schoolpulse_ingest_batches_total{{verdict="{verdict}"}} ')[1].split()[0])
    # Good boards may have sent some again themselves.
    assert counted_by("duplicate") >= replays and counted_by("conflict") == conflicts and counted_by("refused") > 0
    assert f"schoolpulse_store_set_aside_messages {set_aside}" in text


def check_command(hub):
    """The same by the command."""
    done = hub.command("anomalies", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert {row["fault"] for row in told["set_aside"]} >= {"foreign", "malformed", "too_large", "unknown_version",
                                                           "not_contiguous", "too_many_devices", "too_many_streams"}
    assert {row["kind"] for row in told["anomalies"]} >= {"identity_conflict", "clock_implausible", "clock_stepped"}
    text = hub.command("anomalies")
    assert text.returncode == 0 and "too_many_streams" in text.stdout and "clock_implausible" in text.stdout
