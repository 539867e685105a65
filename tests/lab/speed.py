# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""What the scenarios of speed tests need beside the school: an anchor of the province's, somebody who uses the line, a
router that counts, a mirror port; and what the hub has of the tests."""
import contextlib
import json
import socket
import subprocess
import threading
import time

import faults
import programs as running
import school as places
import space as spaces

ANCHOR, ANCHOR_PORT = places.ANCHORS_ALPHA[1], 8090
PORT = 5002  # of the page in whose name somebody downloads

# Sections of the agent's configuration. The lab's machine is busy with the lab: its processor is no reason to wait.
TESTER = """\
[speedtests]
enabled = no
busy_cpu = 100
retry = 2s
patience = {patience}

[librespeed "tester"]
line = {line}
url = http://{anchor}:{anchor_port}/
scope = domestic
duration = {test_length}
"""
GATEWAY = """\
[gateway_counters "router's"]
line = {line}
host = 192.168.1.1
interface = wan
interval = 2s
"""
CAPTURE = """\
[capture "mirror"]
line = {line}
interface = mirror
"""
VALUES = {"anchor": ANCHOR, "anchor_port": ANCHOR_PORT, "patience": "40s", "test_length": "5s"}


def agent(*parts, **values):
    """Values for the configuration of a scenario with these sections more."""
    every = (running.LINE, running.NEAR, running.FAR, running.SERVICE, TESTER, *parts)
    return VALUES | {"parts": every, "line_options": "bought_down = 80\nbought_up = 40"} | values


@contextlib.contextmanager
def program(lab, role, name, arguments):
    running_program = running.Program(lab.space.prefix(role), arguments, lab.logs / f"{name}.log")
    running_program.start()
    try:
        yield running_program
    finally:
        running_program.kill()


def anchor(lab):
    config = lab.logs / "anchor.conf"
    config.write_text(f"[anchor]\nlisten = {ANCHOR}\nport = {ANCHOR_PORT}\nstamp_port = 0\nstatus_port = 0\n")
    return program(lab, "alpha", "anchor", [running.find(lab.build, "schoolpulse-anchor"), "--config", config])


def counting_router(lab):
    """The router answers SNMP."""
    config = lab.logs / "snmpd.conf"
    config.write_text("agentaddress udp:192.168.1.1:161\nrocommunity public 192.168.1.0/24\n")
    return program(lab, "router", "snmpd", ["env", f"SNMP_PERSISTENT_DIR={lab.logs}/snmpd", "/usr/sbin/snmpd", "-f", "-Lo",
                                            "-C", "-c", config, "-I", "-smux"])


@contextlib.contextmanager
def mirror_port(lab):
    """The switch copies what passes the router's port, both ways, to the board's second interface."""
    with faults.rules(lab.space, "lan", "netdev", "\n".join(
            f'chain {way} {{ type filter hook {way} device "router" priority 0; dup to "mirror"; }}' for way in ("ingress", "egress"))):
        yield


@contextlib.contextmanager
def download(lab, bytes_per_second):
    """Another machine of the school downloads at that rate."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(lab.space.socket("beta"))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((places.PAGE, PORT))
        listener.listen(1)
        receiver = stack.enter_context(lab.space.socket("pc"))
        receiver.settimeout(20)
        receiver.connect((places.PAGE, PORT))
        sender = stack.enter_context(listener.accept()[0])
        over = threading.Event()

        def send():
            began, sent = time.monotonic(), 0
            with contextlib.suppress(OSError):
                while not over.wait(0.02):
                    due = int((time.monotonic() - began) * bytes_per_second) - sent
                    sent += sender.send(bytes(max(0, min(due, 1 << 18)))) if due > 0 else 0

        def receive():
            with contextlib.suppress(OSError):
                while receiver.recv(1 << 16):
                    pass
        threads = [threading.Thread(target=work, daemon=True) for work in (send, receive)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for one in (sender, receiver):
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join(10)


class Asked:
    """A test that somebody at the board asked for."""

    def __init__(self, lab, *arguments):
        self.lab, self.arguments = lab, arguments
        self.process = None

    def __enter__(self):
        client = running.find(self.lab.build, "schoolpulse")
        self.out = open(self.lab.logs / f"speedtest-{time.monotonic_ns()}.json", "w+")
        self.process = subprocess.Popen([client, "--socket", self.lab.programs.socket, "speedtest", "--json", *self.arguments],
                                        stdin=subprocess.DEVNULL, stdout=self.out, stderr=self.out,
                                        preexec_fn=spaces.die_with_parent)
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.out.close()

    def over(self):
        return self.process.poll() is not None

    def wait(self, patience):
        """Its records by direction; {} with a complaint when it does not end, or tells none."""
        try:
            self.lab.wait(self.over, "the speed test to end", patience)
            self.out.seek(0)
            text = self.out.read()
            records = {record["direction"]: record for record in json.loads(text)["records"]}
        except (TimeoutError, ValueError, KeyError) as error:
            self.lab.complain(f"no records of the test: {error!r} {self.out.seek(0) or self.out.read()[:300]}")
            return {}
        for record in records.values():
            self.lab.say(f"{record['direction']} {record['validity']} {record.get('reason')} {record.get('goodput_bps')} "
                         f"deferrals {record.get('deferrals')} cross {record.get('cross_traffic')}")
        return records


def view(lab):
    """The test that is not over, as the agent tells it; {} when there is none."""
    told = lab.programs.ask("speedtest", "--list") or {}
    return next(iter(told.get("running", ())), {})


def loads(lab):
    """A test fills the line just now."""
    return view(lab).get("phase") in ("down", "up")


def at_hub(lab, test):
    """The hub's facts of a test."""
    return [fact.data for fact in lab.store.facts("speedtest", line=None) if fact.data["test"] == test]


def ip_bytes(lab):
    """What the board's port carried, both ways, without Ethernet's own."""
    stats = json.loads(lab.space.run("board", "ip", "-j", "-s", "link", "show", "dev", "eth0").stdout)[0]["stats64"]
    return sum(stats[way]["bytes"] - 14 * stats[way]["packets"] for way in ("rx", "tx"))
