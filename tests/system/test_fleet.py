# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""The fleet at a real broker and a real hub: three hundred boards with faults keep the feed's contract, and the hub's
database holds exactly what they say they made; months of the past, twice; certificates; ports that run out."""
import collections
import concurrent.futures
import json
import multiprocessing
import os
import shutil
import sqlite3
import subprocess

import pytest

import feed_contract
import feed_sniffer
import support
import test_tls

FAULTS = """\
# Everything at once, within a few seconds.
all at start : rtt international 90ms, dns 20ms
share 20% at +3s for 2s spread 1s : line down isp_core hop 203.0.113.1
board board-0006* at +3s for 3s : power cut
board board-0007* at +3s : reboot 2s
board board-0008* at +2s : restart 1s
board board-0008* at +5s : crash 1s
share 10% at +2s for 4s : speedtest down 94.5 up 40 times 2
share 20% at +4s : kiosk k1 adms down timeout
share 20% at +4s : present 6A 31
share 20% at +4s : fact storage event=full text="đầy, không ghi được"
share 20% at +5s : replay 2
first 10 at +2s for 2s : clock wrong +3h
board board-0002* at +2s for 2s : clock lost
board board-0009* at +2s for 3s : silent
share 50% at +1s for 4s : reorder
share 50% at +2s for 3s : facts late 1s
all at +2s for 4s : platform 4 of 5
"""

HUB = """\
[hub]
db = {db}
reconnect_window = 3s
[mqtt]
host = 127.0.0.1
port = {port}
"""


class Stage:
    """Broker, hub and the fleet's register in one folder."""

    def __init__(self, run_dir, broker, boards):
        self.dir, self.broker = run_dir, broker
        self.db, self.register, self.conf = run_dir / "hub.db", run_dir / "register.csv", run_dir / "hub.conf"
        self.conf.write_text(HUB.format(db=self.db, port=broker.port))
        subprocess.run([support.program("schoolpulse-fleet"), "--boards", str(boards), "--write-register", self.register],
                       check=True)
        subprocess.run([support.program("schoolpulse-hub"), "--config", self.conf, "import", self.register], check=True,
                       stdout=subprocess.DEVNULL)
        self.hub = support.Process([support.program("schoolpulse-hub"), "--config", self.conf, "ingest"],
                                   run_dir / "hub.log")
        self.hub.wait_for("connected to")

    def play(self, name, script, *options):
        """The summary, and what was made: {(device, stream): [(class, first, last, digest), …]}."""
        path, issued = self.dir / f"{name}.fleet", self.dir / f"{name}.issued"
        path.write_text(script)
        done = subprocess.run(
            [support.program("schoolpulse-fleet"), "--register", self.register, "--broker",
             f"127.0.0.1:{self.broker.port}", "--script", path, "--issued", issued, "--json", "--progress", "0",
             "--settle", "30s", "--resend", "3s-6s", *options],
            stdout=subprocess.PIPE, timeout=support.PATIENCE * 2)
        made = collections.defaultdict(list)
        for line in issued.read_text().splitlines():
            device, stream, cls, first, last, digest = line.split()
            made[device, stream].append((cls, int(first), int(last), digest))
        return json.loads(done.stdout), made, done.returncode

    def stored(self):
        """The same, as the hub holds it."""
        base = sqlite3.connect(f"file:{self.db}?mode=ro", uri=True)
        held = collections.defaultdict(list)
        names = {0: "facts", 1: "attendance", 2: "bulk"}
        for device, stream, cls, first, last, digest in base.execute(
                "SELECT d.name, s.name, s.class, b.first, b.last, b.digest FROM batch b JOIN stream s ON s.id = b.stream"
                " JOIN device d ON d.id = s.device ORDER BY s.id, b.first"):
            held[device, stream].append((names[cls], first, last, digest))
        events = base.execute("SELECT count(*) FROM event").fetchone()[0]
        open_gaps = base.execute("SELECT count(*) FROM gap WHERE kind = 0").fetchone()[0]
        anomalies = dict(base.execute("SELECT kind, count(*) FROM anomaly GROUP BY kind"))
        base.close()
        return held, events, open_gaps, anomalies


@pytest.fixture
def broker(run_dir):
    """One that drops nothing of what a slow listener has not taken yet."""
    broker = support.Broker(run_dir / "broker", extra="max_queued_messages 0\nmax_queued_bytes 0", persistence=False)
    broker.start()
    yield broker
    broker.stop()


def check(lines):
    """The findings about some boards' messages, in order, and the kinds that were among them."""
    talk = feed_contract.Conversation()
    for line in lines:
        qos, retain, content_type, payload, topic = line.split("\t", 4)
        talk.observe(topic, bytes.fromhex(payload), content_type, int(qos), retain == "1")
    return talk.findings, {kind for _, kind in talk.kinds}


def check_all(lines):
    """Schemas take their time: each processor takes a part of the boards."""
    parts = [[], []]
    for line in lines:
        board = line.rsplit("/", 2)[-2]  # also of acknowledgements; of others it does not matter
        parts[sum(board.encode()) % len(parts)].append(line)
    with concurrent.futures.ProcessPoolExecutor(len(parts), multiprocessing.get_context("spawn")) as pool:
        findings, kinds = zip(*pool.map(check, parts))
    return sum(findings, []), set().union(*kinds)


def test_faults_of_three_hundred_boards(run_dir, broker):
    stage = Stage(run_dir, broker, 300)
    heard = support.Process(["stdbuf", "-oL", "mosquitto_sub", "-p", broker.port, "-V", "mqttv5", "-q", "1", "-t", "sp1/#",
                             "--retain-as-published", "-F", feed_sniffer.FORMAT], run_dir / "heard")
    support.wait_until(lambda: "sp1/hub/" in heard.text(), "the hub's own state")
    summary, made, status = stage.play("faults", FAULTS, "--for", "8s", "--commit", "4s", "--minute", "4s",
                                       "--events", "2")
    assert status == 0, summary
    # What a session took with it when it was cut may never have reached the broker.
    least = summary["messages"] - summary["resent"]
    support.wait_until(lambda: heard.text().count("/facts\n") + heard.text().count("/bulk\n") >= least, "all that was sent")
    heard.stop()
    findings, kinds = check_all(heard.text().splitlines())
    assert findings == []
    assert summary["waiting"] == 0 and summary["acknowledged"] == summary["made"]
    assert summary["replayed"] > 50 and summary["sessions"] > 300
    held, events, open_gaps, anomalies = stage.stored()
    assert held == made
    assert events == summary["made_events"]
    assert open_gaps == 0
    assert set(anomalies) <= {"clock_implausible", "clock_stepped"}  # ten clocks lied
    # Each kind of record that the script asked for was there, and passed its schema.
    asked = {"opened", "boot", "stop", "clock", "line", "outage", "speedtest", "device", "kiosk", "attendance", "storage",
             "minute", "samples", "online", "stopped"}
    assert not asked - kinds
    assert stage.hub.stop() == 0


MONTHS = """\
all at each day 06:00 for 12h : speedtest down 94 up 47 times 2
share 20% of cut at each day 18:00 for 12h : power cut
first 5 at 2025-09-03 08:10 for 2h : line down isp_access
"""


def test_months_of_the_past_come_once(run_dir, broker):
    """A second run with one seed is a replay, another seed is something else."""
    stage = Stage(run_dir, broker, 20)
    when = ("--from", "2025-09-01", "--to", "2025-09-08", "--minute", "1h", "--commit", "6h")
    summary, made, status = stage.play("one", MONTHS, *when)
    assert status == 0, summary
    assert stage.stored()[0] == made
    again, made_again, status = stage.play("two", MONTHS, *when)
    assert status == 0 and made_again == made and again["digest"] == summary["digest"]
    held, events, open_gaps, anomalies = stage.stored()
    assert held == made and events == summary["made_events"] and open_gaps == 0
    assert anomalies == {}
    base = sqlite3.connect(f"file:{stage.db}?mode=ro", uri=True)
    outages = base.execute("SELECT start_ms, end_ms FROM outage WHERE cause = 'isp_access'").fetchall()
    base.close()
    begin = 1756861800000  # 2025-09-03 08:10 at UTC+7
    assert outages == [(begin, begin + 2 * 3600 * 1000)] * 5
    other, _, status = stage.play("other", MONTHS, *when, "--seed", "2")
    assert status == 0 and other["digest"] != summary["digest"]
    assert stage.hub.stop() == 0


def test_a_certificate_for_each_board(run_dir):
    """Over the province's own broker rules: who the certificate names may speak, and nobody else."""
    centre = test_tls.Centre(run_dir)
    try:
        certs = run_dir / "certs"
        certs.mkdir()
        for number in range(1, 4):
            identity = centre.board(f"board-0000{number}", "default")
            for kind in ("crt", "key"):
                shutil.copy(f"{identity}.{kind}", certs / f"default-board-0000{number}.{kind}")
        command = [support.program("schoolpulse-fleet"), "--boards", "3", "--broker", f"localhost:{centre.broker.port}",
                   "--ca", centre.ca / "ca.crt", "--certs", certs, "--for", "3s", "--settle", "0", "--json",
                   "--progress", "0"]
        done = subprocess.run(command, stdout=subprocess.PIPE, timeout=support.PATIENCE)
        summary = json.loads(done.stdout)
        assert done.returncode == 1  # without a hub nothing is acknowledged
        assert summary["connected_most"] == 3 and summary["births"] == 3 and summary["refused"] == 0
        shutil.copy(certs / "default-board-00001.crt", certs / "default-board-00002.crt")
        shutil.copy(certs / "default-board-00001.key", certs / "default-board-00002.key")
        done = subprocess.run(command, stdout=subprocess.PIPE, timeout=support.PATIENCE)
        assert json.loads(done.stdout)["connected_most"] == 2
    finally:
        centre.broker.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root for a network namespace")
def test_ports_run_out(run_dir):
    """More boards than ports of one address: further ones of 127/8 are used; where that is not allowed, it is said."""
    script = run_dir / "inside"
    script.write_text(f"""#!/bin/sh
ip link set lo up
echo "40000 40049" > /proc/sys/net/ipv4/ip_local_port_range
printf 'listener 1883 127.0.0.1\\nallow_anonymous true\\n' > {run_dir}/mosquitto.conf
/usr/sbin/mosquitto -c {run_dir}/mosquitto.conf 2> {run_dir}/broker.log &
broker=$!
while ! grep -q running {run_dir}/broker.log; do sleep 0.05; done
{support.program("schoolpulse-fleet")} --boards 120 --broker 127.0.0.1:1883 --for 3s --settle 0 --json --progress 0 > {run_dir}/many
{support.program("schoolpulse-fleet")} --boards 120 --broker 127.0.0.1:1883 --for 3s --settle 0 --json --progress 0 --sources 1 > {run_dir}/one 2> {run_dir}/said
kill $broker
wait
""")
    script.chmod(0o755)
    subprocess.run(["unshare", "-n", script], check=True, timeout=support.PATIENCE)
    assert json.loads((run_dir / "many").read_text())["connected_most"] == 120
    assert json.loads((run_dir / "one").read_text())["connected_most"] == 50
    assert "no port is left" in (run_dir / "said").read_text()
