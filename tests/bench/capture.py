# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""What counting the frames of a line costs: schoolpulse-capture beside tcpdump, which only throws them away, both at
once on the same interface with the same room and the same longest piece of a frame. iperf3 sends frames of a real
line's size. The kernel's own work for both is done in the sender's time and is in neither figure."""
import argparse
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
import netns  # noqa: E402
import support  # noqa: E402

# Name, Mbit/s, iperf3's options; the last: small datagrams, as many as may be.
LOADS = (("100 Mbit/s TCP", ["-b", "100M"]), ("300 Mbit/s TCP", ["-b", "300M"]),
         ("300 Mbit/s TCP, upwards", ["-b", "300M", "-R"]),
         ("30,000 datagrams/s of 100 bytes", ["-u", "-l", "100", "-b", "24M"]),
         ("100,000 datagrams/s of 100 bytes", ["-u", "-l", "100", "-b", "80M"]))
LIMIT_RSS = 8 * 1024 * 1024
RING_KIB = 2048
SNAP = 128


def cpu_seconds(pid):
    """To the nanosecond: clock ticks miss who runs for some microseconds at a time."""
    return int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def rss_bytes(pid):
    return int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1)) * 1024


def single_frames(network):
    """No segment leaves larger than a frame: neither end joins or cuts them later."""
    for place, interface in ((network.board, "eth0"), (network.world, "isp0")):
        netns.ip("-n", place, "link", "set", interface, "gso_max_segs", "1")


def measure(network, name, options, seconds, helper, peer):
    before = cpu_seconds(helper.pid), cpu_seconds(peer.pid)
    lines_before = len(helper.text().splitlines())
    server = subprocess.Popen(["ip", "netns", "exec", network.world, "iperf3", "-s", "-1"], stdout=subprocess.DEVNULL)
    support.wait_until(lambda: "5201" in subprocess.run(["ip", "netns", "exec", network.world, "ss", "-ltn"],
                                                        capture_output=True, text=True, check=True).stdout, "iperf3")
    done = subprocess.run(network.inside("iperf3", "-c", network.GATEWAY, "-J", "-t", seconds, *options),
                          capture_output=True, text=True, check=True)
    server.wait(30)
    after = cpu_seconds(helper.pid), cpu_seconds(peer.pid)
    end = json.loads(done.stdout)["end"]
    sent = (end.get("sum_sent") or end["sum"])["bytes"]
    support.wait_until(lambda: len(helper.text().splitlines()) > lines_before + seconds + 1, "the last second")
    lines = helper.text().splitlines()[lines_before:]
    counts = {key: sum(int(re.search(rf"\b{key}=(\d+)", line).group(1)) for line in lines)
              for key in ("frames", "down", "up", "kernel_drops")}
    ours, theirs = (round((b - a) / seconds * 100, 2) for a, b in zip(before, after))
    wire = max(counts["down"], counts["up"])
    print(f"{name:34} {counts['frames'] / seconds:9.0f} frames/s  CPU {ours:5.2f} %  tcpdump {theirs:5.2f} %  "
          f"bytes counted/sent {wire / sent:.3f}  drops {counts['kernel_drops']}", flush=True)
    return ours, theirs, counts["kernel_drops"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=10)
    seconds = parser.parse_args().seconds
    directory = pathlib.Path(tempfile.mkdtemp(prefix="sp-bench-"))
    try:
        with netns.Network(servers=False) as network:
            single_frames(network)
            mac = json.loads(netns.ip("-j", "-n", network.world, "link", "show", "isp0").stdout)[0]["address"]
            helper = support.Process(network.inside(support.program("schoolpulse-capture"), "--interface", "eth0",
                                                    "--mac", mac), directory / "helper.log")
            peer = support.Process(network.inside("tcpdump", "-i", "eth0", "-s", SNAP, "-B", RING_KIB, "-w", "/dev/null"),
                                   directory / "tcpdump.log")
            support.wait_until(lambda: "us=" in helper.text() and "listening" in peer.text(), "both to look")
            results = [measure(network, name, options, seconds, helper, peer) for name, options in LOADS]
            rss, rss_peer = rss_bytes(helper.pid), rss_bytes(peer.pid)
            print(f"most memory: schoolpulse-capture {rss / 2**20:.1f} MiB (ring of 2 MiB included), "
                  f"tcpdump {rss_peer / 2**20:.1f} MiB")
            peer.stop()
    finally:
        for process in support.Process.started:
            process.kill()
        shutil.rmtree(directory, ignore_errors=True)
    lines = [f"{name}: {drops} frames lost" for (name, _), (_, _, drops) in zip(LOADS[:3], results) if drops]
    lines += [f"{rss} bytes are more than {LIMIT_RSS}"] if rss > LIMIT_RSS else []
    lines += [f"{name}: {ours} % where tcpdump takes {theirs} %"
              for (name, _), (ours, theirs, _) in zip(LOADS, results) if ours > 2 * theirs + 1]
    print("\n".join(lines) or "bench capture: as it must be")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
