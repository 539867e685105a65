# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""The capture driver and its helper on real traffic, in namespaces of their own: bytes and round trips against
what was really sent, rights that were really given up, interfaces that go, and nobody's address in anything that
is told."""
import contextlib
import json
import os
import pathlib
import re
import signal
import sqlite3
import statistics
import subprocess
import zlib

import pytest

import netns
import support

BYTES = 30_000_000
# Of a full segment: payload, and what an Ethernet frame around it weighs.
SEGMENT, FRAME = 1448, 1514
DELAY_MS = 25

AGENT = """\
[agent]
state_dir = {dir}/state
socket = {dir}/agent.sock
shard = test
device = board
summary_window = 1s
samples_interval = 1s

[mqtt]
host = 127.0.0.1
port = 1

[journal]
bulk_commit = 1s

[line "main"]

[capture "mirror"]
interface = {interface}
interval = 2s
{more}
"""

SEND = """
import socket, sys
server = socket.create_server(("", 5001))
print("ready", flush=True)
peer, _ = server.accept()
peer.sendall(bytes(int(sys.argv[1])))
peer.close()
"""

RECEIVE = """
import socket, sys
peer = socket.create_connection((sys.argv[1], 5001))
count = 0
while data := peer.recv(1 << 20):
    count += len(data)
print(count)
"""

ASK = """
import socket, sys
host, name, times = sys.argv[1], sys.argv[2], int(sys.argv[3])
for number in range(times):
    socket.create_connection((host, 443)).close()
    query = number.to_bytes(2, "big") + bytes.fromhex("01000001000000000000")
    query += bytes([len(name)]) + name.encode() + b"\\7example\\0\\0\\1\\0\\1"
    asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    asking.settimeout(10)
    asking.sendto(query, (host, 53))
    asking.recv(512)
"""


@pytest.fixture
def network():
    with netns.Network() as network:
        yield network


def world(network, *command):
    return ["ip", "netns", "exec", network.world, *map(str, command)]


def mac(place, interface):
    return json.loads(netns.ip("-j", "-n", place, "link", "show", interface).stdout)[0]["address"]


def python(*arguments):
    return ["/usr/bin/python3", "-c", *map(str, arguments)]


class Helper:
    """schoolpulse-capture by itself, at the board's own way out."""

    def __init__(self, network, log, *more):
        self.log = log
        gateway = mac(network.world, "isp0")
        self.process = support.Process(network.inside(support.program("schoolpulse-capture"), "--interface", "eth0",
                                                      "--mac", gateway, *more), log)
        self.lines = self.wait(1)

    def wait(self, count):
        """At least so many lines, and none that is not whole."""
        def look():
            assert self.process.running(), self.process.text()
            lines = self.process.text().split("\n")[:-1]
            return lines if len(lines) >= count else None
        return support.wait_until(look, f"{count} lines")

    def later(self):
        """All lines once two more have come."""
        return self.wait(len(self.process.text().split("\n")) + 1)


def numbers(line):
    return {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)(?= )", line)}


def total(lines, name):
    return sum(numbers(line)[name] for line in lines)


def median_ms(lines, name):
    """Of all values in the buckets of that histogram."""
    values = []
    for line in lines:
        for bucket, count in re.findall(r"(\d+):(\d+)", re.search(rf" {name}=(\S*)", line).group(1)):
            octave, step = divmod(int(bucket), 16)
            values += [64 * 2 ** octave * (1 + (step + 0.5) / 16) / 1000] * int(count)
    assert values, lines
    return statistics.median(values)


def transfer(network, count, down):
    """Exactly so many bytes by TCP, towards the board or from it."""
    sender, receiver = (world, lambda network, *command: network.inside(*command))
    address = network.GATEWAY
    if not down:
        sender, receiver, address = receiver, sender, network.BOARD
    sending = subprocess.Popen(sender(network, *python(SEND, count)), stdout=subprocess.PIPE)
    assert sending.stdout.readline() == b"ready\n"
    done = subprocess.run(receiver(network, *python(RECEIVE, address)), capture_output=True, text=True, timeout=60)
    assert sending.wait(60) == 0 and done.stdout == f"{count}\n", done.stderr
    sending.stdout.close()


@pytest.mark.parametrize("down", [True, False])
def test_known_bytes_are_counted(network, run_dir, down):
    """Within 3 % of what a wire would have carried, although the kernel hands over joined segments."""
    helper = Helper(network, run_dir / "helper.log")
    transfer(network, BYTES, down)
    lines = helper.later()
    wire = BYTES / SEGMENT * FRAME
    counted = total(lines, "down" if down else "up")
    assert abs(counted - wire) < 0.03 * wire, (counted, wire)
    assert total(lines, "up" if down else "down") < 0.05 * wire  # acknowledgements
    assert total(lines, "kernel_drops") == 0
    assert abs(total(lines, "frames") - 1.5 * BYTES / SEGMENT) < 0.6 * BYTES / SEGMENT


def test_round_trips_are_told_apart(network, run_dir):
    """The world is some way off, the board at hand."""
    sea = network.world[:-1] + "s"
    netns.ip("netns", "add", sea)
    try:
        netns.ip("-n", network.board, "link", "del", "eth0")
        for place, device, middle in ((network.board, "eth0", "near"), (network.world, "isp0", "far")):
            netns.ip("link", "add", device, "netns", place, "type", "veth", "peer", "name", middle, "netns", sea)
            netns.ip("-n", sea, "link", "set", middle, "up")
            address = network.BOARD if device == "eth0" else network.GATEWAY
            netns.ip("-n", place, "address", "add", f"{address}/{network.PREFIX}", "dev", device)
            netns.ip("-n", place, "link", "set", device, "up")
        netns.ip("-n", network.board, "route", "add", "default", "via", network.GATEWAY)
        relay = support.Process(["ip", "netns", "exec", sea, support.BUILD / "tests/lab/lab_relay", "near", "far",
                                 DELAY_MS], run_dir / "relay.log")
        support.wait_until(lambda: "relaying" in relay.text(), "the relay")
        helper = Helper(network, run_dir / "helper.log")
        subprocess.run(network.inside(*python(ASK, "203.0.113.9", "probe", 20)), check=True, timeout=60)
        lines = helper.later()
        outside, inside, dns = (median_ms(lines, name) for name in ("outside", "inside", "dns"))
        # No sooner than the way there and back; the machine may be busy.
        assert 2 * DELAY_MS * 0.96 < outside < 2 * DELAY_MS * 1.4, lines
        assert 2 * DELAY_MS * 0.96 < dns < 2 * DELAY_MS * 1.4, lines
        assert inside < DELAY_MS / 2, lines
        assert total(lines, "dns_unanswered") == 0
    finally:
        netns.ip("netns", "del", sea, check=False)


def test_the_helper_keeps_no_rights(network, run_dir):
    helper = Helper(network, run_dir / "helper.log")
    # `ip netns exec` has become its command.
    folder = pathlib.Path(f"/proc/{helper.process.pid}")
    assert os.readlink(folder / "exe").endswith("/schoolpulse-capture")
    status = dict(line.split(":\t", 1) for line in (folder / "status").read_text().splitlines() if ":\t" in line)
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    limits = (folder / "limits").read_text()
    assert re.search(r"Max open files\s+3\s+3", limits) and re.search(r"Max core file size\s+0\s+0", limits)


# ---- the agent ---------------------------------------------------------------------------------------


class Agent:
    def __init__(self, network, directory, interface="eth0", more="", prefix=()):
        self.directory = directory
        conf = directory / "agent.conf"
        conf.write_text(AGENT.format(dir=directory, interface=interface, more=more))
        self.process = support.Process(network.inside(*prefix, support.program("schoolpulsed"), "--config", conf),
                                       directory / "agent.log")

    def device(self):
        done = subprocess.run([support.program("schoolpulse"), "--socket", self.directory / "agent.sock", "status",
                               "--json"], capture_output=True, text=True, timeout=30)
        if done.returncode:
            return None
        return next(device for device in json.loads(done.stdout)["devices"] if device["name"] == "mirror")

    def wait_for(self, state, reason=None):
        def look():
            assert self.process.running(), self.process.tail()
            device = self.device()
            return device if device and device["state"] == state and (not reason or device["reason"] == reason) else None
        try:
            return support.wait_until(look, f"{state} {reason or ''}", every=0.1)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.device()}\n{self.process.tail()}") from None

    def helpers(self):
        children = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        return [int(pid) for pid in open(children, encoding="ascii").read().split()]


def test_states_follow_the_interface(network, run_dir):
    gateway = f"router_mac = {mac(network.world, 'isp0')}"
    agent = Agent(network, run_dir, interface="mirror0", more=gateway)
    assert "no such interface" in agent.wait_for("down", "no_interface")["text"]
    netns.ip("-n", network.board, "link", "add", "mirror0", "type", "veth", "peer", "name", "switch0")
    netns.ip("-n", network.board, "link", "set", "switch0", "up")
    agent.wait_for("down", "interface_gone")  # there, but switched off
    netns.ip("-n", network.board, "link", "set", "mirror0", "up")
    agent.wait_for("up")
    netns.ip("-n", network.board, "link", "del", "mirror0")
    agent.wait_for("down")
    netns.ip("-n", network.board, "link", "add", "mirror0", "type", "veth", "peer", "name", "switch0")
    netns.ip("-n", network.board, "link", "set", "switch0", "up")
    netns.ip("-n", network.board, "link", "set", "mirror0", "up")
    agent.wait_for("up")
    assert agent.process.stop() == 0


def test_a_killed_helper_is_replaced_and_none_is_left(network, run_dir):
    agent = Agent(network, run_dir, more=f"router_mac = {mac(network.world, 'isp0')}")
    agent.wait_for("up")
    (first,) = agent.helpers()
    os.kill(first, signal.SIGKILL)
    (second,) = support.wait_until(lambda: [pid for pid in agent.helpers() if pid != first], "another helper")
    agent.wait_for("up")
    agent.process.kill()
    support.wait_until(lambda: not os.path.exists(f"/proc/{second}"), "the helper to end with the agent")


def test_without_permission(network, run_dir):
    agent = Agent(network, run_dir, more=f"router_mac = {mac(network.world, 'isp0')}",
                  prefix=("setpriv", "--bounding-set=-net_raw", "--inh-caps=-all"))
    assert "CAP_NET_RAW" in agent.wait_for("down", "no_permission")["text"]


def test_nothing_of_anybody_is_told(network, run_dir):
    """What a device did stands in no form in what the helper says, in the agent's folder or in its log."""
    name, target = "a-pupil-reads-this", "203.0.113.77"
    helper = Helper(network, run_dir / "helper.log")
    # `auto`: the agent finds the gateway by itself, once the kernel knows it.
    subprocess.run(network.inside("ping", "-c1", "-q", network.GATEWAY), check=True, capture_output=True)
    agent = Agent(network, run_dir)
    agent.wait_for("up")
    subprocess.run(network.inside(*python(ASK, target, name, 5)), check=True, timeout=60)
    subprocess.run(network.inside("curl", "-s", f"http://{target}/{name}"), check=True, timeout=60)
    lines = helper.later()

    def journalled():
        device = agent.device()
        return any(sample["metric"] == "handshakes_total" and sample.get("last", 0) >= 5
                   for sample in device.get("samples", [])) or None
    support.wait_until(journalled, "the handshakes in the agent's samples")
    assert agent.process.stop() == 0

    told = b"".join(path.read_bytes() for path in run_dir.rglob("*") if path.is_file() and path.name != "agent.conf")
    # What would be sent: the journal holds measurements deflated.
    with contextlib.closing(sqlite3.connect(run_dir / "state/journal.db")) as journal:
        told += b"".join(zlib.decompress(body) for body, in journal.execute(
            "SELECT b.body FROM batch b JOIN stream s ON s.id = b.stream WHERE s.class = 2"))
    macs = [mac(network.board, "eth0"), mac(network.world, "isp0")]
    addresses = [network.BOARD, network.GATEWAY, target, network.BOARD6, network.GATEWAY6]
    raw = [bytes.fromhex(one.replace(":", "")) for one in macs] + [bytes(map(int, target.split(".")))]
    words = [name, *macs, *addresses, *(one.replace(":", "") for one in macs)]
    for needle in [*(word.encode() for word in words), *raw, *(one.hex().encode() for one in raw)]:
        assert needle not in told, needle
    assert b"handshakes_total" in told and b"down_bytes_per_second" in told  # it was all there
    shape = re.compile(r"us=\d+( \w+=\d+){9} outside=[\d:,]* inside=[\d:,]* dns=[\d:,]*")
    assert all(shape.fullmatch(line) for line in lines), lines
