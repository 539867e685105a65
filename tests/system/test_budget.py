# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""A line whose bytes are counted: when they are used up, facts still go and measurements wait on the card; when more
are bought, what waited goes, too. The real programs, with the line between them."""
import contextlib
import json
import sqlite3
import subprocess
import zlib

import netns
import support

AGENT = """\
[agent]
state_dir = {run}/state
socket = {run}/agent.sock
shard = s1
device = board
summary_window = 1s
samples_interval = 1s

[mqtt]
host = {world}
port = 1883
resend_min = 1s
resend_max = 2s
reconnect_max = 1s

[journal]
bulk_commit = 1s

[line "main"]
budget = {budget}

[gateway "router"]
interface = eth0
interval = 1s
"""

HUB = """\
[hub]
db = {run}/hub.db
reconnect_window = 1s

[mqtt]
host = 127.0.0.1
port = 1883
shards = s1

[http]
listen = 127.0.0.1
port = 8080
"""

BROKER = "user root\nlistener 1883 0.0.0.0\nallow_anonymous true\nlog_dest stderr\npersistence false\n"


class Board:
    def __init__(self, run, network, environment):
        self.run, self.network, self.environment = run, network, environment
        self.agent = None

    def start(self, budget):
        conf = self.run / "agent.conf"
        conf.write_text(AGENT.format(run=self.run, world=self.network.GATEWAY, budget=budget), encoding="utf-8")
        self.agent = support.Process(self.network.inside(support.program("schoolpulsed"), "--config", conf),
                                     self.run / "agent.log", env=self.environment)

    def ask(self, what):
        done = subprocess.run([support.program("schoolpulse"), "--socket", self.run / "agent.sock", what, "--json"],
                              capture_output=True, text=True, check=False, timeout=30)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def budget(self):
        answer = self.ask("budget")
        return answer and answer["budgets"][0]

    def unsettled(self, cls):
        answer = self.ask("status")
        return answer["journal"]["unsettled"][cls] if answer else -1

    def held(self):
        """When the samples were made that nobody has settled."""
        with contextlib.closing(sqlite3.connect(self.run / "state/journal.db", timeout=30)) as journal:
            batches = journal.execute("SELECT b.body FROM batch b JOIN stream s ON s.id = b.stream"
                                      " WHERE s.class = 2 AND b.settled = 0").fetchall()
        records = [record for body, in batches for record in json.loads(zlib.decompress(body))]
        return {record["mono_us"] for record in records if record["type"] == "samples"}

    def stored(self, kind):
        with contextlib.closing(sqlite3.connect(f"file:{self.run}/hub.db?mode=ro", uri=True, timeout=30)) as hub:
            rows = hub.execute("SELECT mono_us, data FROM event WHERE type = ?", (kind,)).fetchall()
        return [{"mono_us": mono_us, **json.loads(data)} for mono_us, data in rows]


def test_what_is_used_up_waits_until_more_is_bought(run_dir):
    netns.require()
    with netns.Network() as network:
        library, synced = run_dir / "fake_board.so", run_dir / "synced"
        subprocess.run(["cc", "-shared", "-fPIC", "-O", "-Wall", "-Werror", "-o", library,
                        support.SOURCE / "tests/system/fake_board.c"], check=True)
        synced.touch()
        (run_dir / "hub.conf").write_text(HUB.format(run=run_dir))
        (run_dir / "broker.conf").write_text(BROKER)
        world = ["ip", "netns", "exec", network.world]
        support.Process(world + ["/usr/sbin/mosquitto", "-c", run_dir / "broker.conf"],
                        run_dir / "broker.log").wait_for("running")
        support.Process(world + [support.program("schoolpulse-hub"), "--config", run_dir / "hub.conf", "all"],
                        run_dir / "hub.log")
        board = Board(run_dir, network, {"LD_PRELOAD": str(library), "SP_TEST_SYNCED": str(synced)})
        board.start("16k")

        def until(condition, what):
            try:
                return support.wait_until(condition, what, every=0.2)
            except AssertionError as error:
                raise AssertionError(f"{error}\n{board.budget()}\n{board.agent.tail()}") from None

        until(lambda: (board.budget() or {}).get("exhausted"), "the budget to be used up")
        assert board.budget()["suspended"] == ["tests", "bulk"]
        assert board.budget()["spent"]["telemetry"] > 0
        until(lambda: any(fact["event"] == "exhausted" for fact in board.stored("budget")), "the hub to hear of it")
        # They are frugal now: the board's every 16 s, the line's minute.
        until(lambda: board.unsettled("bulk") >= 2, "measurements to wait")
        before = len(board.stored("samples"))
        # Something happens: a fact, and it goes.
        netns.ip("-n", network.board, "-6", "route", "del", "default", "via", network.GATEWAY6)
        until(lambda: any(fact["family"] == "ipv6" and not fact["present"] for fact in board.stored("gateway")), "a fact")
        assert board.unsettled("bulk") >= 2 and len(board.stored("samples")) == before
        used = board.budget()["used_bytes"]
        assert board.agent.stop() == 0
        held = board.held()
        assert len(held) >= 2

        board.start("64M")
        until(lambda: any(fact["event"] == "raised" for fact in board.stored("budget")), "the hub to hear of more")
        until(lambda: held <= {record["mono_us"] for record in board.stored("samples")}, "what waited to arrive")
        # The count went on where it was: the clean stop gave back what was reserved, but for its own farewell.
        raised = next(fact for fact in board.stored("budget") if fact["event"] == "raised")
        assert used <= raised["used_bytes"] < used + 16384
        assert raised["cap_bytes"] == 64 << 20
        assert board.agent.stop() == 0
