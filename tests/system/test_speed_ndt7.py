# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""Speed tests by ndt7 of a real agent, asked for with the real command, over a shaped line against a server on another's
WebSocket: what is recorded of whole tests, of a server that dies in the middle, and of none at all."""
import subprocess

import netns
import pytest
import support
from test_speed import SHAPED_MBPS, School

SERVER = support.BUILD / "tests/lab/lab_ndt7"
SECONDS = 5
DEVICES = """
[ndt7 "plain"]
server = 203.0.113.9:8088
scheme = ws
scope = domestic
duration = {seconds}s

[ndt7 "secure"]
server = 203.0.113.9:8443
ca_file = {run}/server.pem
scope = domestic
duration = {seconds}s
"""


class Stage(School):
    def __init__(self, run, network):
        super().__init__(run, network)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
                        run / "server.key", "-out", run / "server.pem", "-days", "2", "-subj", "/CN=lab", "-addext",
                        "subjectAltName=IP:203.0.113.9"], check=True, capture_output=True)
        self.certificate = ("--cert", run / "server.pem", "--key", run / "server.key")

    def serve(self, port, *more, seconds=SECONDS):
        server = support.Process(self.world + [SERVER, "--port", port, "--seconds", seconds, *more], self.run / f"ndt7-{port}.log")
        server.wait_for("listening")
        return server

    def command(self, device):
        """As somebody at the board's console would."""
        return subprocess.Popen([support.program("schoolpulse"), "--socket", self.run / "agent.sock", "speedtest", device],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def two_records(self):
        return self.until(lambda: (lambda got: len(got) == 2 and got)(self.records("speedtest")), "two records")


@pytest.fixture
def stage(run_dir):
    netns.require()
    if not SERVER.is_file():
        pytest.skip("without libwebsockets there is no server")
    with netns.Network() as network:
        school = Stage(run_dir, network)
        yield school.start(extra=DEVICES.format(run=run_dir, seconds=SECONDS))
        school.sniffer.stop()
        # What was recorded is told as the feed's contract has it.
        assert not school.sniffer.talk.findings


@pytest.mark.parametrize("device", ["plain", "secure"])
def test_a_test_is_recorded_whole(stage, device):
    secure = device == "secure"
    stage.serve(8443, *stage.certificate) if secure else stage.serve(8088)
    before = stage.carried()
    command = stage.command(device)
    said, _ = command.communicate(timeout=120)
    assert command.returncode == 0, said
    took = stage.carried() - before
    records = stage.two_records()
    assert [record["direction"] for record in records] == ["down", "up"]
    for record in records:
        # A machine that is busy with other things is told as such; what the line can carry stays the same.
        assert record["validity"] in ("valid", "device_limited", "contended"), record
        assert 0.85 * SHAPED_MBPS * 1e6 < record["goodput_bps"] < SHAPED_MBPS * 1e6, record
        assert record["method"] == "ndt7" and record["trigger"] == "hand" and record["scope"] == "domestic"
        assert record["address"] == "203.0.113.9" and record["streams"] == 1
        assert record["loaded_rtt"]["median_seconds"] > record["idle_rtt"]["median_seconds"]
        assert 0 <= record["retransmit_ratio"] < 0.2
    wire = records[0]["wire_bytes"]
    assert 0.9 * took < wire < 1.5 * took, (wire, took)
    assert stage.budget()["spent"]["tests"] == wire
    assert not stage.children()


@pytest.mark.parametrize("direction", ["down", "up"])
def test_a_server_that_dies_in_the_middle(stage, direction):
    server = stage.serve(8088)
    asking = stage.request("plain")
    for line in asking:
        assert "ok" not in line, line
        # Past the least that gives a figure, well before the end.
        if line.get("phase") == direction and line.get("done", 0) > 0.3:
            break
    server.kill()
    list(asking)
    records = {record["direction"]: record for record in stage.two_records()}
    broken = records[direction]
    assert broken["validity"] == "partial" and broken["reason"] == "closed", broken
    assert 0.5 * SHAPED_MBPS * 1e6 < broken["goodput_bps"] < SHAPED_MBPS * 1e6
    if direction == "down":
        assert records["up"]["validity"] == "failed" and records["up"]["reason"] == "refused", records["up"]
    assert not stage.children()


def test_no_server(stage):
    command = stage.command("plain")
    said, _ = command.communicate(timeout=120)
    assert command.returncode != 0, said
    for record in stage.two_records():
        assert record["validity"] == "failed" and record["reason"] == "refused", record
        assert "goodput_bps" not in record


def test_a_certificate_that_nobody_vouches_for(stage):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
                    stage.run / "other.key", "-out", stage.run / "other.pem", "-days", "2", "-subj", "/CN=lab", "-addext",
                    "subjectAltName=IP:203.0.113.9"], check=True, capture_output=True)
    stage.serve(8443, "--cert", stage.run / "other.pem", "--key", stage.run / "other.key")
    command = stage.command("secure")
    said, _ = command.communicate(timeout=120)
    assert command.returncode != 0, said
    for record in stage.two_records():
        assert record["validity"] == "failed" and record["reason"] == "certificate", record
