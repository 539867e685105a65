# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""What a school's line carries for us, counted by the kernel on the wire: the lab's school with the real agent,
mosquitto and hub, a day made short. Probes run at their own pace. What telemetry consists of comes --speed times
as often as by default (summaries, commits, keepalive; a record's size does not depend on it), and what comes by
itself once an hour or a day (a fact of the clock, a start) is measured apart and added: so --seconds stand for --speed
times as many. IP bytes, both ways, TCP's and TLS's included; what stays in the school (ARP, NDP, echoes of its own router) is none of the line's."""
import argparse
import concurrent.futures
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lab"))
import building  # noqa: E402
import programs  # noqa: E402
import school as places  # noqa: E402
import space as spaces  # noqa: E402

MONTH = 30 * 86400
CERTS = HERE.parents[1] / "tools/certs"

AGENT = """\
[agent]
state_dir = {dir}/agent
socket = {dir}/agent.sock
shard = bench
device = board
summary_window = {window}ms
samples_interval = {samples}ms

[mqtt]
host = {broker}
port = {port}
keepalive = {keepalive}ms
{tls}

[journal]
bulk_commit = {commit}ms

[line "main"]
profile = {profile}

[carrier "cable"]
[gateway "router"]
[reach "internet"]
domestic = {domestic}
international = {international}
dns_name = *.{zone}
dns_expect = {zone_address}
dns_direct = {second_dns}
resolv_conf = {dir}/resolv.conf
portal_url = http://page.{zone}/generate_204
portal_resolve = {page}
"""

HUB = """\
[hub]
db = {dir}/hub.db
[mqtt]
host = {broker}
port = 1883
shards = bench
[http]
listen = 127.0.0.1
port = 8080
"""

BROKER = """\
user root
persistence false
log_dest none
set_tcp_nodelay true
listener 1883 {broker}
allow_anonymous true
"""

BROKER_TLS = """\
listener 8883 {broker}
allow_anonymous true
cafile {dir}/ca/ca.crt
certfile {dir}/broker.crt
keyfile {dir}/broker.key
require_certificate true
"""

COUNTERS = """\
table inet wire {{
	counter telemetry {{ }}
	counter probes {{ }}
	counter school {{ }}
	chain in {{
		type filter hook input priority -300;
		iifname "lo" accept
		icmpv6 type {{ nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert }} accept
		icmpv6 type {{ mld-listener-query, mld-listener-report, mld2-listener-report }} accept
		meta l4proto {{ icmp, ipv6-icmp }} ip saddr {router} counter name school accept
		meta l4proto {{ icmp, ipv6-icmp }} ip6 saddr {{ {router6} }} counter name school accept
		tcp sport {port} counter name telemetry accept
		counter name probes
	}}
	chain out {{
		type filter hook output priority 300;
		oifname "lo" accept
		icmpv6 type {{ nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert }} accept
		icmpv6 type {{ mld-listener-query, mld-listener-report, mld2-listener-report }} accept
		meta l4proto {{ icmp, ipv6-icmp }} ip daddr {router} counter name school accept
		meta l4proto {{ icmp, ipv6-icmp }} ip6 daddr {{ {router6} }} counter name school accept
		tcp dport {port} counter name telemetry accept
		counter name probes
	}}
}}
"""

# By default: summary, gear's and board's samples, commit, keepalive. See agent/core/settings_*.c.
PACE = {"normal": (60, 900, 300, 60), "frugal": (60, 900, 60, 1200)}


class Wire:
    """One agent on one line, and what was counted there."""

    def __init__(self, profile, tls, speed, directory):
        self.profile, self.tls, self.speed, self.directory = profile, tls, speed, directory
        self.port = 8883 if tls else 1883
        self.build = programs.environment_build()
        self.school = building.School(programs.find(self.build, "lab_relay"), directory)

    def configure(self):
        files = {"mosquitto.conf": BROKER + (BROKER_TLS if self.tls else ""), "hub.conf": HUB, "agent.conf": AGENT,
                 "resolv.conf": f"nameserver {places.ROUTER_DNS}\n"}
        tls = ""
        if self.tls:
            for arguments in (("init", "ca"), ("broker", "ca", ".", places.BROKER), ("request", "key", "bench", "board"),
                              ("sign", "ca", "key/board.csr", "key/board.crt", "bench/board")):
                subprocess.run([CERTS, *arguments], cwd=self.directory, check=True, capture_output=True)
            tls = "\n".join(f"{key} = {self.directory}/{name}" for key, name in (
                ("ca_file", "ca/ca.crt"), ("cert_file", "key/board.crt"), ("key_file", "key/board.key")))
        window, samples, commit, keepalive = (max(1, round(s * 1000 / self.speed)) for s in PACE[self.profile])
        for name, text in files.items():
            (self.directory / name).write_text(text.format(
                dir=self.directory, broker=places.BROKER, port=self.port, tls=tls, profile=self.profile, window=window,
                samples=samples, commit=max(1000, commit), keepalive=max(5000, keepalive),
                domestic=", ".join(places.ANCHORS_ALPHA + places.ANCHORS_BETA),
                international=", ".join(places.ANCHORS_ABROAD), zone=places.ZONE, zone_address=places.ZONE_ADDRESS,
                second_dns=places.SECOND_DNS, page=places.PAGE))
        (self.directory / "agent").mkdir(mode=0o700)

    def read(self):
        text = self.school.space.run("board", "nft", "list", "counters").stdout
        return {name: int(count) for name, count in re.findall(r"counter (\w+) \{\s*packets \d+ bytes (\d+)", text)}

    def ask(self, what):
        done = subprocess.run([programs.find(self.build, "schoolpulse"), "--socket", self.directory / "agent.sock", what,
                               "--json"], capture_output=True, text=True, timeout=30, check=False)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def settled(self):
        status = self.ask("status")
        return status and status["lines"][0]["state"] == "up" and status["publisher"]["acknowledged"] > 0 \
            and status["journal"]["unsettled"]["facts"] == 0

    def cost_of_a_fact(self):
        """Takes IPv6 away and gives it back: some facts, each in a batch of its own."""
        route = "default via fe80::1 dev eth0"
        before, sent = self.read()["telemetry"], self.ask("status")["publisher"]["sent"]
        for _ in range(4):
            self.school.space.run("board", "ip", "-6", "route", "del", *route.split())
            time.sleep(4)
            self.school.space.run("board", "ip", "-6", "route", "add", *route.split())
            time.sleep(4)
        status = self.ask("status")["publisher"]
        return (self.read()["telemetry"] - before) / max(1, status["sent"] - sent)

    def measure(self, seconds):
        """Bytes per second of probes and of telemetry, of one start, and what the agent itself counted."""
        with self.school:
            self.configure()
            self.school.space.nft("board", COUNTERS.format(
                port=self.port, router=places.ROUTER_DNS, router6="fe80::1, 2001:db8:5c:1::1"))
            centre, board = self.school.space.prefix("centre"), self.school.space.prefix("board")
            run = [programs.Program(centre, ["/usr/sbin/mosquitto", "-c", self.directory / "mosquitto.conf"],
                                    self.directory / "broker.log"),
                   programs.Program(centre, [programs.find(self.build, "schoolpulse-hub"), "--config",
                                             self.directory / "hub.conf", "all"], self.directory / "hub.log"),
                   programs.Program(board, [programs.find(self.build, "schoolpulsed"), "--config",
                                            self.directory / "agent.conf"], self.directory / "agent.log")]
            try:
                for program in run:
                    program.start()
                return self._measure(seconds)
            finally:
                for program in reversed(run):
                    program.end()

    def _measure(self, seconds):
        programs.wait_until(self.settled, "the line and the hub", 120, every=0.5)
        start = self.read()["telemetry"]
        time.sleep(max(20, 6 * 60 / self.speed))  # a line that has just come up has more to say
        before, own = self.read(), self.ask("budget")["budgets"][0]["spent"]
        began = time.monotonic()
        time.sleep(seconds)
        after, own_after = self.read(), self.ask("budget")["budgets"][0]["spent"]
        took = time.monotonic() - began
        return {
            "probes": (after["probes"] - before["probes"]) / took,
            "school": (after["school"] - before["school"]) / took,
            "steady": (after["telemetry"] - before["telemetry"]) / took / self.speed,
            "start": start,
            "fact": self.cost_of_a_fact(),
            "own_probes": (own_after["probes"] - own["probes"]) / max(1, after["probes"] - before["probes"]),
            "own_telemetry": (own_after["telemetry"] - own["telemetry"]) / max(1, after["telemetry"] - before["telemetry"]),
        }


def one(profile, tls, speed, seconds):
    directory = pathlib.Path(tempfile.mkdtemp(prefix="sp-wire-"))
    try:
        return Wire(profile, tls, speed, directory).measure(seconds)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def clock_facts(profile):
    return MONTH // 3600 // (6 if profile == "frugal" else 1)


def megabytes(profile, result):
    """Of telemetry in a month: what is steady, the clock's facts, a start per day."""
    return (result["steady"] * MONTH + result["fact"] * clock_facts(profile) + result["start"] * MONTH / 86400) / 1e6


def show(results, chosen):
    print(f"{chosen.seconds} s each, for {chosen.seconds * chosen.speed / 3600:.1f} h of telemetry (normal) and "
          f"{chosen.seconds * chosen.frugal_speed / 3600:.1f} h (frugal)\n")
    print(f"{'':44}{'measured':>10}{'limit':>8}{'ratio':>8}")

    def row(what, value, limit, unit):
        print(f"{what:44}{value:>10.2f}{limit:>8g}{value / limit:>8.2f}  {unit}")

    for (profile, tls), result in results.items():
        name, telemetry = f"{profile}, {'TLS' if tls else 'no TLS'}", megabytes(profile, result)
        probes = result["probes"] * MONTH / 1e6
        if profile == "normal":
            row(f"{name}: probes", result["probes"] * 8 / 1000, 1, "kbit/s")
            row(f"{name}: telemetry", telemetry, 30, "MB a month")
        else:
            row(f"{name}: probes and telemetry", probes + telemetry, 5, "MB a month")
        print(f"    telemetry {result['steady'] * MONTH / 1e6:.2f} MB steady, a fact {result['fact']:.0f} B x {clock_facts(profile)}, a start "
              f"{result['start']} B x 30; probes {probes:.2f} MB, echoes of the router "
              f"{result['school'] * MONTH / 1e6:.2f} MB in the school; the agent counted {result['own_telemetry']:.2f} and "
              f"{result['own_probes']:.2f} of it")


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=int, default=600)
    options.add_argument("--speed", type=float, default=12, help="of telemetry; at most 12: no keepalive is below 5 s")
    options.add_argument("--frugal-speed", type=float, default=60)
    options.add_argument("--only", help="profile[,tls]: just this one, as JSON")
    chosen = options.parse_args()
    if chosen.only:
        profile, _, tls = chosen.only.partition(",")
        speed = chosen.speed if profile == "normal" else chosen.frugal_speed
        print(json.dumps(one(profile, tls == "tls", speed, chosen.seconds)))
        return 0
    try:
        spaces.require()
    except spaces.Impossible as error:
        print(f"not measured: {error}")
        return 0
    cases = [("normal", False), ("normal", True), ("frugal", True)]

    def start(case):
        # A process each: a lab is told from another by its pid.
        command = [sys.executable, "-B", __file__, "--seconds", str(chosen.seconds), "--speed", str(chosen.speed),
                   "--frugal-speed", str(chosen.frugal_speed), "--only", case[0] + (",tls" if case[1] else "")]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        return json.loads(done.stdout)

    with concurrent.futures.ThreadPoolExecutor(len(cases)) as pool:
        show(dict(zip(cases, pool.map(start, cases))), chosen)
    return 0


if __name__ == "__main__":
    sys.exit(main())
