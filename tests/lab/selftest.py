# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""Is the lab itself true? Looks at the topology from the board with ping, DNS and HTTP, injects each
fault, and sees that just that breaks which should, and heals. No program of ours takes part."""
import json
import pathlib
import re
import socket
import sys
import time
import types
from concurrent.futures import ThreadPoolExecutor

import building
import faults
import school as places
import space as spaces

GROUPS = {"alpha": places.ANCHORS_ALPHA, "beta": places.ANCHORS_BETA, "abroad": places.ANCHORS_ABROAD}


class Board:
    """The board's eyes: each look is a command in its namespace."""

    def __init__(self, school):
        self.space, self.ca = school.space, school.logs / "ca.pem"

    def run(self, *command):
        return self.space.run("board", *command, check=False)

    def ping(self, address, *options):
        return self.run("ping", "-n", "-c", "1", "-W", "1", *options, address).returncode == 0

    def rtt_ms(self, address):
        return float(re.search(r"= [\d.]+/([\d.]+)/", self.run("ping", "-n", "-c", "3", "-W", "2", address).stdout)[1])

    def hop(self, address, ttl):
        """Who says that a packet's time ran out there, or answers it; None: nobody."""
        said = re.search(r"(?i)from ([0-9a-f.:]+?):? icmp_seq=1", self.run("ping", "-n", "-c", "1", "-W", "1", "-t",
                                                                          ttl, address).stdout)
        return said and said[1]

    def dns(self, server):
        """What a name in the zone is said to be; "" for nothing, None for silence."""
        question = b"\4some" + b"".join(bytes([len(p)]) + p.encode() for p in places.ZONE.split(".")) + b"\0\0\1\0\1"
        with self.space.socket("board", socket.SOCK_DGRAM) as sock:
            sock.settimeout(1)
            try:
                sock.sendto(b"\x12\x34\1\0\0\1\0\0\0\0\0\0" + question, (server, 53))
                reply = sock.recv(512)
            except OSError:
                return None
        if reply[:2] != b"\x12\x34" or reply[12:12 + len(question)] != question:
            raise AssertionError(f"a broken answer from {server}: {reply.hex()}")
        return socket.inet_ntoa(reply[-4:]) if reply[7] else ""

    def http(self):
        """The status of the portal check's page; 0 for none."""
        return int(self.run("curl", "-s", "-m", "2", "-o", "/dev/null", "-w", "%{http_code}",
                            f"http://{places.PAGE}/generate_204").stdout or 0)

    def whoami(self):
        """The address by which the net knows the board."""
        said = self.run("curl", "-s", "-m", "2", f"http://{places.WHOAMI}/").stdout
        return json.loads(said)["processedString"].split()[0] if said else None

    def lesson(self):
        name = f"{places.LESSON}.{places.ZONE}"
        return self.run("curl", "-s", "-m", "3", "--cacert", self.ca, "--resolve", f"{name}:443:{places.ZONE_ADDRESS}",
                        f"https://{name}/").returncode == 0

    def look(self):
        """All that a fault may change: name → works."""
        looks = {
            "cable": lambda: "NO-CARRIER" not in self.run("ip", "link", "show", "eth0").stdout,
            "router": lambda: self.ping(places.ROUTER_DNS), "ont": lambda: self.ping("192.168.100.1"),
            "hop": lambda: self.ping(places.PORTAL), "centre": lambda: self.ping(places.BROKER),
            "dns": lambda: self.dns(places.ROUTER_DNS) == places.ZONE_ADDRESS,
            "dns_direct": lambda: self.dns(places.SECOND_DNS) == places.ZONE_ADDRESS,
            "page": lambda: self.http() == 204, "lesson": self.lesson,
            "large": lambda: self.ping(places.ANCHORS_ALPHA[0], "-M", "do", "-s", "1472"),
        }
        for name, group in GROUPS.items():
            for suffix, sign in (("", "."), ("6", ":")):
                looks[name + suffix] = lambda g=group, s=sign: any(self.ping(a) for a in g if s in a)
        looks["router6"] = lambda: self.ping("2001:db8:5c:1::1")
        with ThreadPoolExecutor(8) as pool:
            return dict(zip(looks, pool.map(lambda look: look(), looks.values())))


BEYOND = {"alpha", "alpha6", "beta", "beta6", "abroad", "abroad6", "dns", "dns_direct", "page", "lesson", "centre", "large"}
FAR = BEYOND | {"hop"}
ALL = FAR | {"ont", "router", "router6"}
V6 = {"alpha6", "beta6", "abroad6"}

# Fault: what it takes away, seen from the board.
BREAKS = (
    ("cable", faults.cable, ALL | {"cable"}),
    ("address", faults.address, ALL),
    ("router", faults.router, ALL),
    ("router_wan", faults.router_wan, FAR | {"ont"}),
    ("router_pingless", faults.router_pingless, {"router", "router6"}),
    ("router_hijack", lambda lab: faults.together(faults.router_wan(lab), faults.router_hijacks(lab)), FAR | {"ont"}),
    ("ont", faults.ont, FAR | {"ont"}),
    ("access", faults.access, FAR),
    ("hop_deaf", faults.hop_deaf, {"hop"}),
    ("core", faults.core, BEYOND),
    ("centre", faults.centre, {"centre"}),
    ("international", faults.international, {"abroad", "abroad6"}),
    ("operator_beta", faults.operator_beta, {"beta", "beta6", "dns_direct", "page"}),
    ("anchors", lambda lab: faults.together(faults.anchors(lab, "alpha", *places.ANCHORS_ALPHA)),
     {"alpha", "alpha6", "large", "lesson"}),
    ("ipv4", faults.ipv4, FAR - V6),
    ("ipv6", faults.ipv6, V6),
    ("small_packets_only", faults.small_packets_only, {"large"}),
    ("captive_http", faults.captive_http, {"page"}),
    ("captive_portal", faults.captive_portal, BEYOND - {"dns"}),
    ("dns_silent", faults.dns_silent, {"dns"}),
    ("dns_refuses", faults.dns_refuses, {"dns"}),
    ("dns_lies", faults.dns_lies, {"dns"}),
)


class Report:
    def __init__(self):
        self.failed = 0

    def say(self, good, text, why=""):
        self.failed += not good
        print(("ok    " if good else "FAILED") + f"  {text}" + ("" if good or not why else f": {why}"), flush=True)

    def expect(self, text, found, expected):
        self.say(found == expected, text, f"{found!r} instead of {expected!r}")


def look_at_map(report, board, school):
    broken = sorted(name for name, works in board.look().items() if not works)
    report.expect("everything answers the board", broken, [])
    for role, space in ((role, school.space) for role in places.ROLES):
        links = space.run(role, "ip", "-o", "link").stdout.splitlines()
        outside = [line for line in links if "@" in line and f"link-netns {space.base}" not in line]
        report.expect(f"no cable leads out of {role}", outside, [])
    path = ["192.168.1.1", "192.168.100.1", "198.51.100.1", "203.0.113.1", "192.0.2.10"]
    report.expect("hops to alpha", [board.hop("192.0.2.10", ttl) for ttl in range(1, 6)], path)
    path6 = ["2001:db8:5c:1::1", "2001:db8:5c:2::1", "2001:db8:1:1::1", "2001:db8:1:2::1", "2001:db8:b::10"]
    report.expect("hops to beta by IPv6", [board.hop("2001:db8:b::10", ttl) for ttl in range(1, 6)], path6)
    near, far = board.rtt_ms("192.0.2.74"), board.rtt_ms("203.0.113.130")
    report.say(near < 20, "the core is near", f"{near} ms")
    report.say(2 * places.SEA_MS <= far < 2 * places.SEA_MS + 40, "abroad is far", f"{far} ms")
    report.expect("the net knows the ONT's address", board.whoami(), "198.51.100.2")
    report.expect("the resolver knows no foreign zone", board.run(
        "getent", "ahostsv4", "no-such.invalid").returncode != 0, True)
    report.expect("no way out of the lab", board.ping("198.18.0.1"), False)


def look_at_faults(report, board, lab):
    for name, fault, expected in BREAKS:
        with fault(lab):
            broken = {key for key, works in board.look().items() if not works}
        report.expect(f"{name} breaks what it should", sorted(broken), sorted(expected))
        # A neighbour that was given up is asked again at the next packet.
        board.look()
        broken = sorted(key for key, works in board.look().items() if not works)
        report.expect(f"{name} heals", broken, [])


def look_at_loss(report, board, lab):
    with faults.loss(lab, 0.25):
        text = board.run("ping", "-n", "-q", "-i", "0.005", "-c", "800", "-W", "1", "192.0.2.10").stdout
    lost = float(re.search(r"([\d.]+)% packet loss", text)[1])
    # 1 - 0.75² of 800 is 43.75 %, with a standard deviation of 1.75 %.
    report.say(35 < lost < 52.5, "25 % loss each way is 44 % both ways", f"{lost} %")


def look_at_rate(report, school):
    """The shaped line carries what was bought and not more (TCP through both NATs)."""
    size = 5_000_000
    with school.space.socket("centre") as listener, school.space.socket("board") as client:
        listener.bind((places.BROKER, 5001))
        listener.listen(1)
        client.settimeout(30)
        client.connect((places.BROKER, 5001))
        served, _ = listener.accept()
        with served, ThreadPoolExecutor(1) as pool:
            began = spaces.now()
            sending = pool.submit(served.sendall, bytes(size))
            got = 0
            while got < size:
                got += len(client.recv(1 << 16))
            sending.result()
    mbps = size * 8 / (spaces.now() - began) / 1e6
    report.say(8 < mbps < 84, "the line is shaped to 80 Mbit/s", f"{mbps:.1f} Mbit/s")


def look_at_extras(report, relay, logs):
    with building.School(relay, logs, ("pc", "twin", "mobile", "second")) as school:
        board = Board(school)
        lab = types.SimpleNamespace(space=school.space, school=school, hold=time.sleep)
        there = school.space.run("pc", "ping", "-n", "-c", "1", "-W", "1", places.PAGE, check=False).returncode == 0
        report.expect("another machine in the school is on the net", there, True)
        report.expect("so is the board's second line", board.ping(places.PAGE, "-I", "eth1"), True)
        faults.twin_paths(lab)
        domestic = [a for a in places.ANCHORS_ALPHA + places.ANCHORS_BETA if not places.is_v6(a)]
        hops = {board.hop(address, 3) for address in domestic}
        report.expect("flows take both first hops", hops, {first for first, _ in faults.TWINS.values()})
        with faults.mute(lab.space, "access2"):
            alive = {board.ping(address) for address in domestic}
        report.expect("one dead first hop takes some with it", alive, {True, False})
        report.expect("the fibre's address", board.whoami(), "198.51.100.2")
        with faults.on_mobile(lab):
            report.expect("the mobile uplink's address", board.whoami(), "203.0.113.66")
        report.expect("the fibre's address afterwards", board.whoami(), "198.51.100.2")
        with faults.redial(lab, "203.0.113.34", places.PORTAL):
            report.expect("another address after dialling in anew", board.whoami(), "203.0.113.34")
        with faults.redial(lab, "203.0.113.35", "203.0.113.33"):
            report.expect("another next hop", board.hop(places.PAGE, 3), "203.0.113.33")


def look_at_dhcp(report, relay, logs):
    with building.School(relay, logs, ("dhcp",)) as school:
        board = Board(school)
        report.expect("an address by DHCP, and a way out", school.has_address() and board.ping(places.PAGE), True)
        school.dhcp_stop()
        began = spaces.now()
        while school.has_address() and spaces.now() < began + 2 * building.LEASE_S:
            time.sleep(0.2)
        report.expect("the lease ends", school.has_address(), False)


def run(relay):
    report = Report()
    spaces.sweep()
    with spaces.folder() as logs, building.School(relay, logs) as school:
        board, lab = Board(school), types.SimpleNamespace(space=school.space, school=school)
        look_at_map(report, board, school)
        look_at_faults(report, board, lab)
        look_at_loss(report, board, lab)
        look_at_rate(report, school)
        base = school.space.base
    with spaces.folder() as logs:
        look_at_extras(report, relay, pathlib.Path(logs))
    with spaces.folder() as logs:
        look_at_dhcp(report, relay, pathlib.Path(logs))
    left = [path.name for path in spaces.NETNS.glob(base + "*")]
    report.expect("nothing is left behind", left, [])
    print(f"{report.failed} failed" if report.failed else "the lab is sound", file=sys.stderr)
    return 1 if report.failed else 0
