# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""Speed tests of a real agent in a namespace of its own, over a shaped line, against a real anchor in another: what
they record, what they cost, what they leave behind, and that no kill in the middle forgets a byte."""
import json
import pathlib
import re
import signal
import socket
import subprocess

import feed_sniffer
import netns
import pytest
import support

AGENT = """\
[agent]
state_dir = {run}/state
socket = {run}/agent.sock
shard = s1
device = board
summary_window = 2s

[mqtt]
host = {world}
port = 1883
resend_min = 1s
resend_max = 2s
reconnect_max = 1s
ack_mode = broker

[journal]
bulk_commit = 1s

[speedtests]
enabled = no
busy_bytes = {busy}
busy_cpu = 100

[line "main"]
provider = Nhà mạng A
plan = Cáp quang 20
bought_down = 20
bought_up = 20
budget = {budget}

[gateway "router"]
interface = eth0
interval = 1s

[reach "internet"]
interface = eth0
interval = 500ms
domestic = 203.0.113.1, 203.0.113.2
international = 192.0.2.1, 192.0.2.2
scope_interval = 5s
dns_name = *.test.example
dns_direct = 203.0.113.1
resolv_conf = {run}/resolv.conf
portal_url = http://portal.example/generate_204
portal_resolve = 192.0.2.80

[librespeed "nearby"]
url = http://203.0.113.9:8081/
duration = 5s
warmup = 2s

[librespeed "brief"]
url = http://203.0.113.9:8081/
duration = 4s
warmup = 1s

[librespeed "nobody"]
url = http://203.0.113.9:9/
scope = international
"""

BROKER = "user root\nlistener 1883 0.0.0.0\nallow_anonymous true\nlog_dest stderr\npersistence false\n"
SHAPED_MBPS = 20


class School:
    """A line of SHAPED_MBPS each way. The world has an anchor and a broker with a strict listener."""

    def __init__(self, run, network):
        self.run, self.network = run, network
        library = run / "fake_board.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O", "-Wall", "-Werror", "-o", library,
                        support.SOURCE / "tests/system/fake_board.c"], check=True)
        synced = run / "synced"
        synced.touch()
        self.environment = {"LD_PRELOAD": str(library), "SP_TEST_SYNCED": str(synced)}
        (run / "broker.conf").write_text(BROKER)
        (run / "resolv.conf").write_text("nameserver 192.0.2.53\n")
        for place, device in ((network.board, "eth0"), (network.world, "isp0")):
            subprocess.run(["ip", "netns", "exec", place, "tc", "qdisc", "add", "dev", device, "root", "tbf", "rate",
                            f"{SHAPED_MBPS}mbit", "burst", "32kb", "latency", "300ms"], check=True)
        self.world = ["ip", "netns", "exec", network.world]
        support.Process(self.world + ["/usr/sbin/mosquitto", "-c", run / "broker.conf"],
                        run / "broker.log").wait_for("running")
        support.Process(self.world + [support.program("schoolpulse-anchor"), "--port", "8081", "--stamp_port", "0", "--status_port", "0"],
                        run / "anchor.log").wait_for("backend")
        self.sniffer = feed_sniffer.Sniffer(1883, prefix=self.world).ready()
        self.agent = None

    def start(self, budget="0", busy=25000, extra=""):
        conf = self.run / "agent.conf"
        text = AGENT.format(run=self.run, world=self.network.GATEWAY, budget=budget, busy=busy) + extra
        conf.write_text(text, encoding="utf-8")
        self.agent = support.Process(self.network.inside(support.program("schoolpulsed"), "--config", conf),
                                     self.run / "agent.log", env=self.environment)
        self.until(lambda: (self.ask("status") or {"lines": [{}]})["lines"][0].get("state") == "up", "the line to be up")
        return self

    def until(self, condition, what, **options):
        try:
            return support.wait_until(condition, what, every=0.1, **options)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.sniffer.talk.findings[:5]}\n{self.agent.tail()}") from None

    def ask(self, what):
        done = subprocess.run([support.program("schoolpulse"), "--socket", self.run / "agent.sock", what, "--json"],
                              capture_output=True, text=True, check=False, timeout=30)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def request(self, device="nearby"):
        """Asks over the local socket; lines until the last."""
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(support.PATIENCE * 3)
            peer.connect(str(self.run / "agent.sock"))
            peer.sendall(json.dumps({"cmd": "speedtest", "name": device}).encode() + b"\n")
            with peer.makefile() as lines:
                for line in lines:
                    message = json.loads(line)
                    yield message
                    if "ok" in message:
                        return

    def test(self, device="nearby"):
        return list(self.request(device))[-1]

    def budget(self):
        return self.ask("budget")["budgets"][0]

    def records(self, kind):
        return [record for message in list(self.sniffer.messages) for record in message.get("ev", [])
                if record["type"] == kind]

    def carried(self):
        """Bytes of IP that the line has carried: the board's port, without Ethernet's headers."""
        values = [int(subprocess.run(self.network.inside("cat", f"/sys/class/net/eth0/statistics/{name}"), check=True,
                                     capture_output=True, text=True).stdout) for name in
                  ("rx_bytes", "tx_bytes", "rx_packets", "tx_packets")]
        return values[0] + values[1] - 14 * (values[2] + values[3])

    def children(self):
        """Processes that test, of this agent."""
        found = []
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes().split(b"\0")
            except OSError:
                continue
            if b"--speed-child" in words and str(self.run / "agent.conf").encode() in words:
                found.append(int(path.parent.name))
        return found

    def memory_kib(self):
        status = pathlib.Path(f"/proc/{self.agent_pid()}/status").read_text()
        return int(re.search(r"^RssAnon:\s+(\d+)", status, re.M)[1])

    def agent_pid(self):
        return self.ask("status")["pid"]

    def kill(self):
        """As a power cut: the agent has no time for anything, and its child goes with it."""
        pid = self.agent_pid()
        subprocess.run(["kill", "-KILL", str(pid)], check=True)
        self.agent.kill()
        support.wait_until(lambda: not self.children(), "the child to die with its agent")


def stage(run_dir):
    netns.require()
    with netns.Network() as network:
        school = School(run_dir, network)
        yield school
        school.sniffer.stop()


@pytest.fixture(name="school")
def school_of_its_own(run_dir):
    yield from stage(run_dir)


def test_a_test_by_hand_is_recorded_whole(school):
    school.start()
    before = school.carried()
    memory = school.memory_kib()
    lines = list(school.request())
    assert lines[-1]["ok"], lines[-1]
    assert [line["stage"] for line in lines if line.get("stage") == "running"], lines[:3]
    took = school.carried() - before
    records = school.until(lambda: (lambda got: len(got) == 2 and got)(school.records("speedtest")), "two records")
    assert [record["direction"] for record in records] == ["down", "up"]
    for record in records:
        # A machine that is busy with other things is told as such; what the line can carry stays the same.
        assert record["validity"] in ("valid", "device_limited", "contended"), record
        assert 0.85 * SHAPED_MBPS * 1e6 < record["goodput_bps"] < SHAPED_MBPS * 1e6, record
        assert record["method"] == "librespeed" and record["trigger"] == "hand" and record["scope"] == "domestic"
        assert record["address"] == "203.0.113.9" and record["family"] == "ipv4" and record["interface"] == "eth0"
        assert record["contract"] == {"provider": "Nhà mạng A", "plan": "Cáp quang 20", "down_mbps": 20, "up_mbps": 20}
        assert record["cross_traffic"]["source"] == "interface"
        assert record["idle_rtt"]["count"] > 0 and record["loaded_rtt"]["count"] > 0
        assert record["loaded_rtt"]["median_seconds"] > record["idle_rtt"]["median_seconds"]
        assert 0 <= record["cpu_ratio"] <= 1 and len(record["curve_bps"]) >= 5
    assert records[0]["test"] == records[1]["test"] == lines[-1].get("test", records[0]["test"])
    # Its cost is what the line carried, but for probes and telemetry meanwhile.
    wire = records[0]["wire_bytes"]
    assert "wire_bytes" not in records[1]
    # What the board's own queue dropped never left. A port may count one header for many segments.
    assert 0.97 * took < wire <= 1.06 * took, (wire, took)
    assert school.budget()["spent"]["tests"] == wire
    # Its minutes are marked, and no loss that it made is an outage.
    school.until(lambda: any(record.get("self_loaded") for record in school.records("minute")), "a marked minute")
    school.until(lambda: school.records("line")[-1]["self_loaded"] is False, "the mark to end")
    assert not school.records("outage")
    # The child took its memory with it.
    assert not school.children()
    first = school.memory_kib()
    assert school.test()["ok"]
    print(f"anonymous memory before, after one test, after two: {memory}, {first}, {school.memory_kib()} KiB")
    assert school.memory_kib() <= first + 64
    assert not school.sniffer.talk.findings
    assert school.agent.stop() == 0


def test_a_busy_line_is_deferred(school):
    """Others fill the line through the board's own port, which is the only source here."""
    school.start()
    flood = support.Process(
        school.network.inside("curl", "-s", "--limit-rate", "200k", "-o", "/dev/null",
                              "http://203.0.113.9:8081/garbage.php?ckSize=1024"), school.run / "flood.log")
    asking = school.request()
    for line in asking:
        if line.get("waits_for") == "busy":
            break
        assert line.get("stage") == "waiting", line
    assert flood.running() and not school.children()
    flood.kill()
    records = school.until(lambda: (lambda got: len(got) == 2 and got)(school.records("speedtest")), "two records",
                           timeout=120)
    assert all(record["deferrals"] >= 1 for record in records)
    assert not school.sniffer.talk.findings


def test_a_test_that_reaches_nobody_is_of_its_scope(school):
    school.start()
    school.test("nobody")
    records = school.until(lambda: (lambda got: len(got) == 2 and got)(school.records("speedtest")), "two records")
    assert {(record["validity"], record["reason"], record["scope"]) for record in records} == {("failed", "refused", "international")}


def test_no_kill_in_the_middle_forgets_a_byte(school):
    """Killed again and again with a test under way, an agent starts no test that its budget forbids."""
    cap = 600 << 20
    moments = [("phase", "down"), ("stage", "paying"), ("phase", "up"), ("phase", "idle")]
    school.start(budget="600M")
    kills, unpaid = 0, 0
    while kills < 20:
        left = school.budget()["left_bytes"]
        asking = school.request()  # who leaves cancels his test
        key, value = moments[kills % len(moments)]
        line = next(line for line in asking if line.get(key) == value or "ok" in line)
        if "ok" in line:
            break
        assert left > 0
        school.kill()
        kills += 1
        unpaid += value == "paying"
        school.start(budget="600M")
        used = school.budget()["used_bytes"]
        assert used >= school.carried() * 0.98, "what the line carried is counted"
        assert used <= cap + (1 << 20)
    # Each cut counted as much as that test might have taken: a few were enough.
    assert 4 <= kills < 20
    records = school.until(
        lambda: [record for record in school.records("speedtest") if record["validity"] == "skipped"], "a skipped test")
    assert {record["reason"] for record in records} == {"budget"}
    assert not school.children()
    assert school.carried() < cap
    killed = [record for record in school.records("speedtest") if record["validity"] == "failed"]
    assert {record["reason"] for record in killed} == {"child"}
    assert 2 * (kills - unpaid) <= len({(record["test"], record["direction"]) for record in killed}) <= 2 * kills
    print(f"{kills} kills; the line carried {school.carried() / 1e6:.0f} MB, {used / 1e6:.0f} MB are counted of {cap / 1e6:.0f}")
    assert not school.sniffer.talk.findings


def test_a_stop_in_the_middle_is_a_record(school):
    school.start()
    asking = school.request()
    for line in asking:
        if line.get("phase") == "down":
            break
    assert school.agent.stop() == 0
    assert not school.children()
    records = school.until(lambda: school.records("speedtest"), "records")
    assert {(record["validity"], record["reason"]) for record in records} == {("failed", "cancelled")}


def test_a_child_that_is_killed_is_a_record(school):
    school.start()
    asking = school.request()
    for line in asking:
        if line.get("phase") == "down":
            child, = school.children()
            subprocess.run(["kill", f"-{signal.SIGKILL}", str(child)], check=True)
            break
    records = school.until(lambda: school.records("speedtest"), "records")
    assert {(record["validity"], record["reason"]) for record in records} == {("failed", "child")}
    assert school.budget()["spent"]["tests"] > 0
    school.until(lambda: school.records("line")[-1]["self_loaded"] is False, "the mark to end")


def test_no_test_by_a_configuration_that_the_agent_has_not_read(school):
    school.start()
    with open(school.run / "agent.conf", "a", encoding="utf-8") as conf:
        conf.write("# edited\n")
    school.test()
    records = school.until(lambda: school.records("speedtest"), "records")
    assert {(record["validity"], record["reason"], record["text"]) for record in records} == {
        ("failed", "child", "the configuration was changed since the agent was started")}
