# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""Speed tests that somebody asks for: the province by a signed command over a real broker, once and whatever else is sent;
and people at the board. The server is a real anchor on loopback."""
import json
import signal
import subprocess
import time

import pytest

import board
import mqtt5
import support

TESTS = """
[speedtests]
enabled = no
busy_bytes = 1000000000000
busy_cpu = 100

[commands]
key_file = {key}

[librespeed "neo"]
line = main
url = http://127.0.0.1:{port}/
interface = lo
duration = 4s
warmup = 500ms
download_streams = 1
upload_streams = 1
"""
CMD = "sp1/down/test/board/cmd"


class Site:
    """A board with a speed test, its hub, an anchor, and the province's key."""

    def __init__(self, run_dir, broker):
        self.run, self.broker = run_dir, broker
        self.key, self.public = run_dir / "commands.key", run_dir / "commands.pem"
        self.public.write_text(self.make_key(self.key))
        self.anchor_port = support.free_port()
        self.anchor = support.Process([support.program("schoolpulse-anchor"), "--listen", "127.0.0.1", "--port",
                                       str(self.anchor_port), "--stamp_port", "0", "--status_port", "0"],
                                      run_dir / "anchor.log")
        self.hub = board.Hub(run_dir, broker.port)
        self.hub.start()
        self.agent = board.Agent(run_dir, broker.port, board=TESTS.format(key=self.public, port=self.anchor_port))
        library = run_dir / "fake_board.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O", "-Wall", "-Werror", "-o", library,
                        support.SOURCE / "tests/system/fake_board.c"], check=True)
        (run_dir / "synced").touch()
        self.agent.environment = {"LD_PRELOAD": str(library), "SP_TEST_SYNCED": str(run_dir / "synced")}
        self.seen = mqtt5.Client(broker.port, "watcher")
        self.seen.subscribe("sp1/down/+/+/cmd")

    def make_key(self, file):
        return subprocess.run([support.program("schoolpulse-hub"), "command-key", file], check=True,
                              capture_output=True, text=True).stdout

    def start(self):
        self.agent.start()
        self.agent.wait_for(lambda status: status["publisher"]["hub_online"], "the hub")

    def command(self, *words, key=None, device="board"):
        return subprocess.run([support.program("schoolpulse-hub"), "--config", self.run / "hub.conf", "command", "--key",
                               key or self.key, "--device", device, *words, "speedtest"],
                              capture_output=True, text=True, timeout=200)

    def wire(self, done):
        """The command as it crossed the broker, from what the hub said of sending it."""
        while True:
            payload = self.seen.next().payload
            if payload.startswith(b"{") and done.stdout.split()[0] in json.loads(payload)["body"]:
                return payload

    def facts(self, kind):
        return [json.loads(data) for data, in
                self.hub.query("SELECT data FROM event WHERE type = ? ORDER BY id", kind)]

    def outcomes(self, ident):
        return [fact["outcome"] for fact in self.facts("command") if fact["id"] == ident]

    def settle(self):
        """Everything that was sent to the board before is looked at: a command of its own is refused by then."""
        done = self.command("--instance", "nobody", "--wait", "60")
        assert done.returncode == 1 and "failed: arguments" in done.stdout, done.stdout + done.stderr

    def schoolpulse(self, *words):
        return [support.program("schoolpulse"), "--socket", self.run / "agent.sock", *words]

    def stop(self):
        self.agent.stop()
        self.hub.stop()
        self.anchor.stop()
        self.seen.close()


@pytest.fixture
def site(run_dir, broker):
    site = Site(run_dir, broker)
    yield site
    site.stop()


def test_a_signed_command_is_done_once(site):
    site.start()
    assert site.key.stat().st_mode & 0o777 == 0o600
    done = site.command("--instance", "neo", "--direction", "down", "--wait", "120")
    assert done.returncode == 0, done.stdout + done.stderr + site.agent.process.tail()
    ident, *outcomes = done.stdout.split()
    assert outcomes == ["accepted", "done"]
    wire = site.wire(done)
    [test] = site.facts("speedtest")
    assert (test["trigger"], test["direction"]) == ("command", "down")
    assert test["goodput_bps"] > 0
    # Sent again, also to a board that was started anew in between: nothing.
    site.seen.publish(CMD, wire)
    site.settle()
    site.agent.stop()
    site.start()
    site.seen.publish(CMD, wire)
    site.settle()
    assert site.outcomes(ident) == ["accepted", "done"]
    assert len(site.facts("speedtest")) == 1


def test_what_nobody_may_send(site):
    """Forged, for another board, retained, too large, garbage, expired: what is not the key's gets no answer."""
    site.start()
    other = site.run / "other.key"
    site.make_key(other)
    forged = site.wire(site.command("--instance", "neo", key=other))
    site.seen.publish(CMD, site.wire(site.command("--instance", "neo", device="another")))  # good for another board
    good = json.loads(forged)
    good["body"] = good["body"].replace("neo", "gate")
    for payload in (json.dumps(good).encode(), forged + b" " * 4096, b"", b"\0" * 100, b"{}", b'{"v":1,"body":"{}"}'):
        site.seen.publish(CMD, payload)
    site.settle()
    # One that somebody put down as retained is not taken when the board comes. While it is away it hears of none: its
    # session would queue it.
    site.agent.stop()
    site.broker.stop()
    site.broker.persistence = False
    ((site.broker.directory / "mosquitto.db").unlink(missing_ok=True))
    site.broker.start()
    site.seen = mqtt5.Client(site.broker.port, "watcher")
    site.seen.subscribe("sp1/down/+/+/cmd")
    retained = site.wire(site.command("--instance", "neo", "--expires", "10min"))
    site.seen.publish(CMD, retained, retain=True)
    site.start()
    site.settle()
    site.seen.publish(CMD, b"", retain=True)
    settling = {fact["id"] for fact in site.facts("command") if fact.get("reason") == "arguments"}
    assert {fact["id"] for fact in site.facts("command")} == settling
    assert site.facts("speedtest") == []
    # An expired one of the key's is told of, once.
    expired = site.command("--instance", "neo", "--expires", "1s")
    support.wait_until(lambda: site.outcomes(expired.stdout.strip()), "its outcome")


def test_a_kill_between_accepting_and_the_end(site):
    site.start()
    done = site.command("--instance", "neo")
    assert done.returncode == 0
    ident, wire = done.stdout.strip(), site.wire(done)
    support.wait_until(lambda: site.outcomes(ident) == ["accepted"], "the command to be accepted")
    site.agent.process.kill()
    site.start()
    support.wait_until(lambda: site.outcomes(ident) == ["accepted", "failed"], "the interrupted command's end")
    site.seen.publish(CMD, wire)
    site.settle()
    assert site.outcomes(ident) == ["accepted", "failed"]
    assert [fact["reason"] for fact in site.facts("command") if fact["id"] == ident and "reason" in fact] == ["cancelled"]


def test_by_hand(site):
    site.start()
    done = subprocess.run(site.schoolpulse("speedtest", "neo", "--down", "--json"), capture_output=True, text=True,
                          timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    [record] = json.loads(done.stdout)["records"]
    assert (record["trigger"], record["direction"]) == ("hand", "down")
    listed = subprocess.run(site.schoolpulse("speedtest", "--list"), capture_output=True, text=True, check=True).stdout
    assert "by hand" in listed and "Mbit/s" in listed and "neo: tests only when asked" in listed
    # It outlives a start.
    site.agent.stop()
    site.start()
    again = subprocess.run(site.schoolpulse("speedtest", "--list", "--json"), capture_output=True, text=True, check=True)
    assert [test["test"] for test in json.loads(again.stdout)["tests"]] == [record["test"]]
    wrong = subprocess.run(site.schoolpulse("speedtest", "nobody"), capture_output=True, text=True)
    assert wrong.returncode == 1 and "no such device" in wrong.stderr
    assert subprocess.run(site.schoolpulse("speedtest", "--list", "--up"), capture_output=True).returncode == 2


def test_who_leaves_cancels(site):
    site.start()
    watcher = subprocess.Popen(site.schoolpulse("speedtest", "neo", "--lang", "vi"), stdout=subprocess.PIPE, text=True)
    assert watcher.stdout.readline()  # it has begun to wait or to run
    watcher.send_signal(signal.SIGINT)
    assert watcher.wait(timeout=30) == 1
    watcher.stdout.close()
    tests = support.wait_until(lambda: site.facts("speedtest"), "the records")
    assert {test["reason"] for test in tests} == {"cancelled"}
    assert site.agent.process.running()
    # The next one can begin at once.
    started = time.monotonic()
    done = subprocess.run(site.schoolpulse("speedtest", "--up"), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "upload" in done.stdout, done.stdout + done.stderr
    assert time.monotonic() - started < 110
