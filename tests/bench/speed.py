# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""How true our speed tests are, and what they cost, beside iperf3 on the same shaped line in the same run: the
agent's own testing process against schoolpulse-anchor (librespeed) and against the lab's ndt7 server.

Without delay and loss the figure must be the shaped goodput ±2 %, which iperf3 witnesses; with either it must be
iperf3's with as many streams and the same congestion control ±10 %. A gigabit must not cost more than 1.5 times the
processor time that iperf3 takes for it, and a long test no more memory than a short one."""
import argparse
import dataclasses
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE / "tests/lab"))
import shaped  # noqa: E402
from shaped import DOWN, SERVER, UP  # noqa: E402

BUILD = pathlib.Path(os.environ.get("SP_BUILD", SOURCE / "build/debug"))
RATES = (10, 50, 100, 300)
CONDITIONS = ((0, 0), (30, 0), (0, 0.01), (30, 0.01))
DELAYED_MBPS = 100  # the relay stands in for netem and carries no more
STREAMS = {("librespeed", DOWN): 6, ("librespeed", UP): 3, ("ndt7", DOWN): 1, ("ndt7", UP): 1}
PLAIN, ROUGH, CPU, FLAT_KB = 0.02, 0.10, 1.5, 512
WARM_UP = 2
WHOLE = 1  # enum sp_speed_outcome


def find(name):
    for directory in ("agent", "tools/anchor", "tests/lab"):
        path = BUILD / directory / name
        if path.is_file():
            return path
    raise SystemExit(f"speed.py: {name} is not built in {BUILD}")


@dataclasses.dataclass
class Outcome:
    """One direction as it was measured."""
    mbps: float = 0.0
    cpu_s: float = 0.0
    gbit: float = 0.0  # that were moved in all, warm-up included, with IP headers
    rss_kb: int = 0
    trouble: str = ""

    @property
    def cpu_per_gbit(self):
        return self.cpu_s / self.gbit if self.gbit else float("nan")


def run(command, patience=120):
    """Output, errors, processor seconds, greatest memory and status of a program."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as error:
        process = subprocess.Popen(["timeout", "-s", "KILL", str(patience)] + [str(part) for part in command],
                                   stdin=subprocess.DEVNULL, stdout=out, stderr=error,
                                   preexec_fn=shaped.spaces.die_with_parent)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        error.seek(0)
        return out.read(), error.read(), usage.ru_utime + usage.ru_stime, usage.ru_maxrss, process.returncode


# ---- the three of them ------------------------------------------------------------------------------

def iperf3(line, direction, streams, seconds):
    command = ["iperf3", "-c", SERVER, "-J", "-t", seconds, "-O", WARM_UP, "-P", streams] + ["-R"] * (direction == DOWN)
    for _ in range(20):
        out, _, cpu, rss, status = run(line.inside("client", *command))
        if status == 0:
            break
        time.sleep(0.3)  # its server ends one test before it takes the next
    try:
        told = json.loads(out)
        moved = sum(interval["sum"]["bytes"] for interval in told["intervals"])
        packets = shaped.PACKET / shaped.MSS
        return Outcome(told["end"]["sum_received"]["bits_per_second"] / 1e6, cpu, moved * packets * 8 / 1e9, rss)
    except (ValueError, KeyError) as error:
        return Outcome(trouble=f"iperf3: {error!r} {out[-200:]}")


def options_of(method, seconds):
    if method == "librespeed":
        return {"url": f"http://{SERVER}:8080/", "scope": "domestic", "duration": f"{seconds}s"}
    return {"server": f"{SERVER}:8088", "scheme": "ws", "scope": "domestic"}


CONFIG = """\
[agent]
state_dir = {dir}/state
socket = {dir}/agent.sock
shard = bench
device = board

[mqtt]
host = 127.0.0.1

[line "main"]

[{method} "it"]
line = main
{options}
"""


def by_child(line, directory, method, direction, seconds):
    """The way of the agent's own tests: `schoolpulsed --speed-child`."""
    options = "\n".join(f"{key} = {value}" for key, value in options_of(method, seconds).items())
    config = directory / f"{method}-{seconds}.conf"
    config.write_text(CONFIG.format(dir=directory, method=method, options=options))
    order = {"down": direction == DOWN, "up": direction == UP, "max_bytes": 0, "unattended": False}
    out, error, cpu, rss, status = run(line.inside("client", find("schoolpulsed"), "--config", config, "--speed-child", "it",
                                                   "--speed-order", json.dumps(order)))
    report = next((told for told in map(json.loads, out.splitlines()) if told["is"] == "report"), None)
    if not report:
        return Outcome(trouble=f"no report, status {status}: {error[-300:]}")
    own = report[direction]
    trouble = "" if own["outcome"] == WHOLE else f"outcome {own['outcome']}: {own['reason']} {own['text']}"
    mbps = own["bytes"] * 8 / own["duration_us"] if own["duration_us"] else 0.0
    return Outcome(mbps, cpu, report["wire_bytes"] * 8 / 1e9, rss, trouble)


def middle(outcomes):
    """Of several: the median goodput, and the least processor time, since what else the machine does only adds to it."""
    bad = next((one for one in outcomes if one.trouble), None)
    if bad:
        return bad
    cheapest = min(outcomes, key=lambda one: one.cpu_per_gbit)
    return dataclasses.replace(cheapest, mbps=statistics.median(one.mbps for one in outcomes))


# ---- rows ---------------------------------------------------------------------------------------------

class Table:
    def __init__(self):
        self.bad = 0
        self.count = 0
        print(f"{'method':11}{'way':5}{'Mbit/s':>7}{'delay':>6}{'loss':>5}  {'what':24}{'ours':>9}{'beside':>9}{'ratio':>8}"
              f"{'limit':>15}")

    def row(self, case, what, ours, beside, ratio, low, high, judged=True):
        good = low <= ratio <= high
        self.count += judged
        self.bad += judged and not good
        method, direction, mbps, delay, loss = case
        limit = f"{low:.2f}–{high:.2f}" if low else f"≤ {high:.2f}"
        print(f"{method:11}{direction:5}{mbps:>7}{delay:>6}{loss * 100:>4.0f}%  {what:24}{ours:>9.3f}{beside:>9.3f}{ratio:>8.3f}"
              f"{limit:>15}  {'ok' if good else 'NO' if judged else '(no)'}", flush=True)

    def failed(self, case, what, trouble):
        self.count += 1
        self.bad += 1
        print(f"{case[0]:11}{case[1]:5}{case[2]:>7}{case[3]:>6}{case[4] * 100:>4.0f}%  {what}: {trouble}", flush=True)


def witness(table, case, theirs, cache):
    """iperf3 must see the shaped goodput itself, or the line is not what we think."""
    method, direction, mbps, delay, loss = case
    key = (direction, mbps)
    if delay or loss or key in cache:
        return
    cache.add(key)
    true = shaped.goodput(mbps)
    table.row(("iperf3", direction, mbps, 0, 0), "goodput of the shaper", theirs.mbps, true, theirs.mbps / true,
              1 - PLAIN, 1 + PLAIN)


def measure(line, directory, table, cases, seconds, repeat):
    seen = set()
    shaped_as = None
    for case in cases:
        method, direction, mbps, delay, loss = case
        if shaped_as != (mbps, delay, loss):
            line.shape(mbps, delay, loss)
            shaped_as = (mbps, delay, loss)
        streams = STREAMS[(method, direction)]
        # Chance decides with loss: longer.
        long = seconds * (2 if loss else 1)
        tries = [(by_child(line, directory, method, direction, long), iperf3(line, direction, streams, long))
                 for _ in range(repeat)]
        ours, theirs = (middle(outcomes) for outcomes in zip(*tries))
        if ours.trouble or theirs.trouble:
            table.failed(case, "not measured", ours.trouble or theirs.trouble)
            continue
        witness(table, case, theirs, seen)
        if delay or loss:
            table.row(case, "goodput, iperf3's", ours.mbps, theirs.mbps, ours.mbps / theirs.mbps, 1 - ROUGH, 1 + ROUGH)
        else:
            true = shaped.goodput(mbps)
            table.row(case, "goodput, the shaper's", ours.mbps, true, ours.mbps / true, 1 - PLAIN, 1 + PLAIN)
        table.row(case, "CPU s per Gbit, iperf3's", ours.cpu_per_gbit, theirs.cpu_per_gbit,
                  ours.cpu_per_gbit / theirs.cpu_per_gbit, 0, CPU)


def memory(line, directory, table, directions, short, long):
    """ndt7 has its length from its protocol; librespeed's is ours to set."""
    line.shape(100)
    for direction in directions:
        found = [by_child(line, directory, "librespeed", direction, seconds) for seconds in (short, long)]
        case = ("librespeed", direction, 100, 0, 0)
        if any(one.trouble for one in found):
            table.failed(case, "memory", found[0].trouble or found[1].trouble)
            continue
        before, after = (one.rss_kb / 1024 for one in found)
        table.row(case, f"MB after {long} s, {short} s", after, before, after / before, 0, 1 + FLAT_KB / 1024 / before)


# ---- the command line ---------------------------------------------------------------------------------

ANCHOR = "[anchor]\nlisten = 0.0.0.0\nport = 8080\nstamp_port = 0\nstatus_port = 0\nuplink_mbps = 10000\nper_test_mbps = 1000\n"


def servers(line, directory, methods):
    (directory / "anchor.conf").write_text(ANCHOR)
    wanted = [("iperf3", ["iperf3", "-s"])]
    if "librespeed" in methods:
        wanted.append(("anchor", [find("schoolpulse-anchor"), "--config", directory / "anchor.conf"]))
    if "ndt7" in methods:
        wanted.append(("ndt7", [find("lab_ndt7"), "--port", 8088]))
    started = []
    for name, command in wanted:
        with open(directory / f"{name}.log", "wb") as log:
            started.append(subprocess.Popen(line.inside("server", *command), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            preexec_fn=shaped.spaces.die_with_parent))
    time.sleep(1)
    for (name, _), process in zip(wanted, started):
        if process.poll() is not None:
            raise SystemExit(f"speed.py: {name} ended: {(directory / (name + '.log')).read_text()[-500:]}")
    return started


def choose(options):
    conditions = [(delay, loss) for delay, loss in CONDITIONS
                  if f"{delay}/{loss * 100:g}" in options.conditions.split(",") or options.conditions == "all"]
    if options.quick:
        return [case for case in (("librespeed", DOWN, 100, 0, 0), ("librespeed", UP, 100, 0, 0), ("ndt7", DOWN, 100, 0, 0),
                                  ("librespeed", DOWN, 50, 30, 0)) if case[0] in options.methods]
    return [(method, direction, mbps, delay, loss) for mbps in options.rates for delay, loss in conditions
            if not (delay and mbps > DELAYED_MBPS) for direction in options.directions for method in options.methods]


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few rows, in two minutes")
    parser.add_argument("--methods", type=lambda text: text.split(","), default=["librespeed", "ndt7"])
    parser.add_argument("--rates", type=lambda text: [int(part) for part in text.split(",")], default=list(RATES))
    parser.add_argument("--directions", type=lambda text: text.split(","), default=[DOWN, UP])
    parser.add_argument("--conditions", default="all", help="delay in ms / loss in %%: 0/0,30/0,0/1,30/1 (default all)")
    parser.add_argument("--seconds", type=int, default=10, help="of each test (default %(default)s)")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each, in turns (default %(default)s)")
    parser.add_argument("--congestion", default="cubic", help="control of both ends (default %(default)s)")
    parser.add_argument("--no-memory", action="store_true")
    return parser.parse_args()


def main():
    options = parse()
    try:
        shaped.spaces.require()
    except shaped.spaces.Impossible as reason:
        print(f"skipped: {reason}", file=sys.stderr)
        return 0
    shaped.spaces.sweep()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="sp-bench-"))
    started = []
    try:
        with shaped.Line(find("lab_relay"), options.congestion) as line:
            started = servers(line, directory, options.methods)
            print(f"the agent's testing process from {BUILD}, "
                  f"{5 if options.quick else options.seconds} s each, {options.congestion}; delay in ms of round trip; loss each way\n")
            table = Table()
            measure(line, directory, table, choose(options), 5 if options.quick else options.seconds,
                    2 if options.quick else options.repeat)
            if not options.no_memory and "librespeed" in options.methods:
                memory(line, directory, table, [DOWN] if options.quick else options.directions, 5,
                       15 if options.quick else 30)
    finally:
        for process in started:
            process.kill()
            process.wait()
        shutil.rmtree(directory, ignore_errors=True)
    print(f"\n{table.count - table.bad} of {table.count} within their limits: {'yes' if not table.bad else 'NO'}")
    return 1 if table.bad else 0


if __name__ == "__main__":
    sys.exit(main())
