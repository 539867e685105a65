# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""What the agent costs in steady state, beside collectd with the plugins that do nearest to the same:
both at once, at one interval, on the same simulated line, publishing to the same broker. The agent's
state stands on a file system of its own, so that the block counter counts it alone."""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
import netns  # noqa: E402
import support  # noqa: E402

PLUGINS = "ping interface cpu df memory thermal mqtt curl dns snmp nut".split()

COLLECTD = """\
Hostname "board"
FQDNLookup false
Interval {interval}
BaseDir "{dir}"
PIDFile "{dir}/collectd.pid"
PluginDir "/usr/lib/collectd"
TypesDB "/usr/share/collectd/types.db"
{load}
<Plugin ping>
  Host "{gateway}"
  Host "203.0.113.1"
  Host "203.0.113.2"
  Host "192.0.2.1"
  Interval {probe_interval}
</Plugin>
<Plugin curl>
  <Page "portal">
    URL "http://203.0.113.80/generate_204"
    MeasureResponseTime true
    MeasureResponseCode true
  </Page>
</Plugin>
<Plugin dns>
  Interface "eth0"
</Plugin>
<Plugin snmp>
  <Data "octets">
    Type "if_octets"
    Table true
    Instance "IF-MIB::ifDescr"
    Values "IF-MIB::ifInOctets" "IF-MIB::ifOutOctets"
  </Data>
  <Host "switch">
    Address "{gateway}"
    Version 2
    Community "public"
    Collect "octets"
  </Host>
</Plugin>
<Plugin nut>
  UPS "ups@127.0.0.1"
</Plugin>
<Plugin mqtt>
  <Publish "broker">
    Host "127.0.0.1"
    Port "{port}"
    Prefix "collectd"
    QoS 1
  </Publish>
</Plugin>
"""

AGENT = """\
[agent]
state_dir = {dir}/state
socket = {dir}/agent.sock
shard = bench
device = board

[mqtt]
host = 127.0.0.1
port = {port}

[line "main"]

[carrier "cable"]
line = main

[gateway "router"]
line = main

[reach "internet"]
line = main

[board]
"""

HUB = """\
[hub]
db = {dir}/hub.db

[mqtt]
host = 127.0.0.1
port = {port}
shards = bench

[http]
listen = 127.0.0.1
port = {http}
"""


class Usage:
    """A reading of one process's accounts."""

    def __init__(self, pid):
        rollup = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        io = dict(line.split(": ") for line in pathlib.Path(f"/proc/{pid}/io").read_text().splitlines())
        self.rss = int(rollup["Rss"].split()[0]) / 1024
        self.pss = int(rollup["Pss"].split()[0]) / 1024
        self.anonymous = int(rollup["Anonymous"].split()[0]) / 1024
        self.cpu = (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")
        self.written = int(io["write_bytes"])
        self.threads = int(stat[17])


class Card:
    """An ext4 image on a loop device; its sectors written are the agent's alone."""

    def __init__(self, directory):
        self.image, self.mount, self.loop = directory / "card.img", directory / "card", None
        self.mount.mkdir()
        with open(self.image, "wb") as image:
            image.truncate(256 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-E", "lazy_itable_init=0", self.image], check=True)
        self.mounted = subprocess.run(["mount", "-o", "loop,noatime", self.image, self.mount],
                                      capture_output=True, check=False).returncode == 0
        if self.mounted:
            source = subprocess.run(["findmnt", "-no", "SOURCE", self.mount], capture_output=True, text=True, check=True)
            self.loop = pathlib.Path(source.stdout.strip()).name

    def sectors(self):
        if not self.loop:
            return None
        os.sync()
        return int(pathlib.Path(f"/sys/block/{self.loop}/stat").read_text().split()[6])

    def close(self):
        if self.mounted:
            subprocess.run(["umount", self.mount], check=False)


def measure(directory, network, seconds, warm_up, interval, probe_interval):
    broker_conf = directory / "mosquitto.conf"
    port, http = 1883, 8080  # the namespace is ours alone
    broker_conf.write_text(f"user root\nlistener {port} 127.0.0.1\nallow_anonymous true\nlog_dest none\n")
    (directory / "hub.conf").write_text(HUB.format(dir=directory, port=port, http=http))
    card = Card(directory)
    (directory / "agent.conf").write_text(AGENT.format(dir=card.mount, port=port))
    load = "\n".join(f"LoadPlugin {name}" for name in PLUGINS)
    (directory / "collectd.conf").write_text(COLLECTD.format(dir=directory, load=load, port=port, interval=interval,
                                                             probe_interval=probe_interval, gateway=network.GATEWAY))
    started = []

    def start(name, *command):
        process = support.Process(network.inside(*command), directory / f"{name}.log")
        started.append(process)
        return process

    try:
        start("broker", "/usr/sbin/mosquitto", "-c", broker_conf)
        start("hub", support.program("schoolpulse-hub"), "--config", directory / "hub.conf", "all")
        agent = start("agent", support.program("schoolpulsed"), "--config", directory / "agent.conf")
        collectd = start("collectd", "/usr/sbin/collectd", "-f", "-C", directory / "collectd.conf")
        time.sleep(warm_up)
        before = {name: Usage(process.pid) for name, process in (("agent", agent), ("collectd", collectd))}
        sectors = card.sectors()
        time.sleep(seconds)
        after = {name: Usage(process.pid) for name, process in (("agent", agent), ("collectd", collectd))}
        written = None if sectors is None else (card.sectors() - sectors) * 512
        for process in started:
            assert process.running(), f"{process.arguments} ended:\n{process.tail()}"
        return before, after, written
    finally:
        for process in reversed(started):
            process.stop()
        card.close()


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=int, default=120)
    options.add_argument("--warm-up", type=int, default=30)
    options.add_argument("--interval", type=int, default=10, help="of collectd's reads")
    options.add_argument("--probe-interval", type=float, default=2, help="of collectd's ping")
    chosen = options.parse_args()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="sp-bench-"))
    try:
        with netns.Network() as network:
            before, after, written = measure(directory, network, chosen.seconds, chosen.warm_up, chosen.interval,
                                             chosen.probe_interval)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print(f"steady state, {chosen.seconds} s after {chosen.warm_up} s; collectd with {' '.join(PLUGINS)}\n")
    print(f"{'':28}{'schoolpulsed':>14}{'collectd':>14}")

    def row(what, form, value):
        print(f"{what:28}" + "".join(f"{form.format(value(name)):>14}" for name in ("agent", "collectd")))

    row("RSS, MB", "{:.1f}", lambda name: after[name].rss)
    row("PSS, MB", "{:.1f}", lambda name: after[name].pss)
    row("anonymous memory, MB", "{:.1f}", lambda name: after[name].anonymous)
    row("its growth in the run, kB", "{:.0f}", lambda name: (after[name].anonymous - before[name].anonymous) * 1024)
    row("CPU, % of a core", "{:.2f}", lambda name: (after[name].cpu - before[name].cpu) / chosen.seconds * 100)
    row("threads", "{}", lambda name: after[name].threads)
    row("written by it, kB", "{:.0f}", lambda name: (after[name].written - before[name].written) / 1024)
    if written is None:
        print("block counter: no loop device may be mounted here")
    else:
        print(f"{'block counter, kB':28}{written / 1024:>14.0f}{'':>14}   = {written * 86400 / chosen.seconds / 1e6:.1f} MB/day")
    ok = after["agent"].rss < after["collectd"].rss and after["agent"].anonymous < after["collectd"].anonymous
    print("\nagent's RSS and anonymous memory are below collectd's:", "yes" if ok else "NO")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
