# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""The testing process of the agent against servers that lie, refuse, stall and break off, over TLS and over families
that lead nowhere: it ends by itself, with a reason, and never with a figure that the line cannot carry."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import netns
import pytest
import speed_server
import support

SHAPED_MBPS = 20
LINE = SHAPED_MBPS * 1448 / 1514  # payload that it carries
WHOLE, PARTIAL, FAILED, SKIPPED = 1, 2, 3, 4  # enum sp_speed_outcome
FAMILIES = {"ipv4": 1, "ipv6": 2}           # enum sp_family
NAMES = "203.0.113.9 speed.example other.example dual.example\n2001:db8:9::9 dual.example six.example\n127.0.0.1 localhost\n"
CONFIG = """\
[agent]
state_dir = {run}/state
socket = {run}/agent.sock
shard = s1
device = board
[mqtt]
host = 127.0.0.1
[line "main"]
[librespeed "it"]
url = {url}
duration = {duration}
warmup = 1s
timeout = 2s
{options}
"""


def certificates(folder):
    def run(*command):
        subprocess.run([str(part) for part in command], check=True, capture_output=True, timeout=60)

    tool, ca = support.SOURCE / "tools/certs", folder / "ca"
    run(tool, "init", ca)
    for name, dates in (("good", ()), ("expired", ("--from", "20200101000000Z", "--until", "20210101000000Z"))):
        (folder / name).mkdir()
        run(tool, *dates, "broker", ca, folder / name, "speed.example")
        for end in ("crt", "key"):
            shutil.move(folder / name / f"broker.{end}", folder / f"{name}.{end}")
        shutil.move(ca / "index.txt", ca / "index.old")  # the same name twice
        (ca / "index.txt").touch()
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=speed.example",
        "-addext", "subjectAltName=DNS:speed.example", "-keyout", folder / "self-signed.key", "-out", folder / "self-signed.crt")
    return ca / "ca.crt"


class World:
    """A line of SHAPED_MBPS each way to one host with all servers; a resolver that never answers."""

    def __init__(self, run, network):
        self.run, self.network, self.started = run, network, 0
        self.ca = certificates(run)
        (run / "hosts").write_text(NAMES)
        (run / "resolv.conf").write_text("nameserver 192.0.2.53\n")
        for place, device in ((network.board, "eth0"), (network.world, "isp0")):
            subprocess.run(["ip", "netns", "exec", place, "tc", "qdisc", "add", "dev", device, "root", "tbf", "rate",
                            f"{SHAPED_MBPS}mbit", "burst", "32kb", "latency", "300ms"], check=True)
        subprocess.run(["ip", "netns", "exec", network.world, "nft", "-f", "-"], check=True, text=True,
                       input="table inet hole { chain c { type filter hook input priority 0; "
                             "iifname isp0 ip6 daddr 2001:db8:9::9 drop; iifname isp0 udp dport 53 drop; }; }\n")
        self.server = support.Process(["ip", "netns", "exec", network.world, sys.executable, "-B", speed_server.__file__, run],
                                      run / "server.log")
        self.server.wait_for("serving")

    def begin(self, url, direction="both", options="", duration="4s"):
        self.started += 1
        conf = self.run / f"{self.started}.conf"
        conf.write_text(CONFIG.format(run=self.run, url=url, options=options, duration=duration))
        order = {"down": direction != "up", "up": direction != "down", "max_bytes": 0, "unattended": False}
        # /etc as the board would have it, for this process only.
        shell = f"mount --bind {self.run}/hosts /etc/hosts && mount --bind {self.run}/resolv.conf /etc/resolv.conf && exec \"$@\""
        child = self.network.inside("sh", "-c", shell, "-", support.program("schoolpulsed"), "--config", conf, "--speed-child", "it",
                                    "--speed-order", json.dumps(order))
        # What never ends is killed, and then has said no end.
        with open(f"{conf}.log", "wb") as log:
            process = subprocess.Popen(["timeout", "-s", "KILL", "200", *child], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=log, text=True)
        process.log = pathlib.Path(log.name)
        return process

    def finish(self, process):
        out = process.stdout.read()
        process.stdout.close()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        told = [json.loads(line) for line in out.splitlines()]
        reports = [line for line in told if line["is"] == "report"]
        assert len(reports) == 1 and told[-1]["is"] == "end", (out[-500:], process.log.read_text()[-500:])
        for direction in ("down", "up"):
            result = reports[0][direction]
            figure = result["outcome"] in (WHOLE, PARTIAL)
            result["mbps"] = result["bytes"] * 8 / result["duration_us"] if figure else 0
            # What is acknowledged late is acknowledged at once: on a busy machine a figure is unsteady, never twofold.
            assert result["mbps"] <= 1.5 * LINE, (direction, result)
            assert result["outcome"] in (0, WHOLE) or result["reason"], (direction, result)
        reports[0]["rss"] = usage.ru_maxrss
        return reports[0]

    def test(self, *arguments, **options):
        return self.finish(self.begin(*arguments, **options))


@pytest.fixture(scope="module")
def world():
    netns.require()
    run = pathlib.Path(tempfile.mkdtemp(prefix="sp-speed-"))
    with netns.Network(servers=False) as network:
        stage = World(run, network)
        yield stage
        stage.server.kill()
    shutil.rmtree(run)


def url(name, host="203.0.113.9"):
    return f"http://{host}:{speed_server.MODES[name][0]}/"


def secure(name, host="speed.example"):
    return f"https://{host}:{speed_server.TLS[name][0]}/"


def all_at_once(world, cases, **options):
    """Reports by case: they share the line, so no figure of theirs can be more than it carries."""
    begun = {case: world.begin(*arguments, **options) for case, arguments in cases.items()}
    return {case: world.finish(process) for case, process in begun.items()}


def said(report, direction):
    return report[direction]["outcome"], report[direction]["reason"]


def whole(report, directions=("down", "up"), low=0.5):
    for direction in directions:
        assert said(report, direction) == (WHOLE, ""), report[direction]
        assert report[direction]["mbps"] >= low * LINE, report[direction]


# ---- certificates ---------------------------------------------------------------------------------------

def test_a_good_certificate(world):
    whole(world.test(secure("good"), options=f"ca_file = {world.ca}"))


def test_bad_certificates(world):
    trust = f"ca_file = {world.ca}"
    found = all_at_once(world, {"self-signed": (secure("self-signed"),), "expired": (secure("expired"),),
                                "wrong host": (secure("good", "other.example"),)}, options=trust)
    found["unknown authority"] = world.test(secure("good"))
    for case, report in found.items():
        for direction in ("down", "up"):
            assert said(report, direction) == (FAILED, "certificate"), (case, report[direction])


def test_tls_breaks_off(world):
    report = world.test(secure("broken"), "down", options=f"ca_file = {world.ca}")
    assert said(report, "down") in ((FAILED, "closed"), (PARTIAL, "closed")), report["down"]


# ---- families and names -----------------------------------------------------------------------------------

def test_ipv6_leads_nowhere_and_ipv4_works(world):
    report = world.test(url("Backend", "dual.example"))
    whole(report)
    assert report["family"] == FAMILIES["ipv4"] and report["address"] == "203.0.113.9"


def test_nothing_leads_anywhere(world):
    found = all_at_once(world, {"IPv6 only": (url("Backend", "six.example"),), "literal": (url("Backend", "[2001:db8:9::9]"),),
                                "no resolver": (url("Backend", "unknown.example"),)})
    for case, report in found.items():
        for direction in ("down", "up"):
            assert said(report, direction) == (FAILED, "timeout"), (case, report[direction])
        assert report["address"] == "", case


# ---- servers that do it wrong -------------------------------------------------------------------------------

def test_wrong_servers(world):
    """Each direction that goes wrong, with every outcome that is true of it."""
    expected = {
        "BreaksOff": ("down", {(FAILED, "closed"), (PARTIAL, "closed")}),
        "HalfClosed": ("both", {(FAILED, "closed"), (PARTIAL, "closed"), (FAILED, "stalled"), (FAILED, "timeout")}),
        "DeafHalf": ("up", {(FAILED, "stalled"), (FAILED, "timeout"), (FAILED, "closed")}),
        "Refuses": ("up", {(FAILED, "http_status")}),
        "Refuses413": ("up", {(FAILED, "http_status")}),
        "Refuses429": ("up", {(SKIPPED, "no_capacity")}),
        "EndlessBody": ("both", {(FAILED, "protocol")}),
        "EndlessHead": ("both", {(FAILED, "protocol")}),
        "Flood": ("both", {(FAILED, "protocol")}),
        "UnreadKept": ("up", {(FAILED, "stalled"), (PARTIAL, "stalled"), (FAILED, "timeout")}),
        "Unfolds": ("down", {(FAILED, "protocol")}),
        "Zeros": ("down", {(FAILED, "protocol")}),
        "TooMuch": ("down", {(FAILED, "protocol")}),
    }
    found = all_at_once(world, {case: (url(case), direction) for case, (direction, _) in expected.items()})
    wrong = {(case, direction): (*said(found[case], direction), found[case][direction]["text"])
             for case, (asked, allowed) in expected.items() for direction in ("down", "up")
             if asked in ("both", direction) and said(found[case], direction) not in allowed}
    assert not wrong, wrong


def test_answers_before_the_upload(world):
    """Only what the line carried counts, whether the server reads it afterwards or never."""
    for case in ("Unread", "UnreadReset", "Early"):
        report = world.test(url(case), "up")
        print(case, report["up"]["outcome"], report["up"]["reason"], report["up"]["mbps"])
        if case == "Early":
            whole(report, ("up",))


def test_a_server_of_small_uploads(world):
    whole(world.test(url("SmallOnly"), "up"), ("up",))


# ---- length -------------------------------------------------------------------------------------------------

def test_memory_does_not_grow_with_the_test(world):
    rss = {}
    for duration in ("4s", "12s"):
        report = world.test(url("Backend"), duration=duration)
        whole(report)
        rss[duration] = report["rss"]
    print("greatest memory in KiB:", rss)
    assert rss["12s"] <= rss["4s"] + 512
