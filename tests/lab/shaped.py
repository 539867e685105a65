# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""A shaped line between two hosts, in namespaces of this run: what the figures of tests/bench/speed.py are taken on.

    client ── mid ──(delay: user space)── mid2 ── server
              tbf ▼ towards the client    tbf ▼ towards the server

Each direction is shaped on a hop of its own, loss is random there, and frames are those of a real line: no
super-frames that a shaper would take for one."""
import subprocess

import space as spaces

CLIENT, SERVER = "10.77.0.2", "10.77.3.2"
MSS = 1448    # payload of a full frame with timestamps, IPv4
FRAME = 1514  # as a shaper counts it: with the Ethernet header
PACKET = 1500
DOWN, UP = "down", "up"
CABLES = (("client", "eth0", "mid", "client"), ("mid", "far", "long", "near"), ("long", "far", "mid2", "near"),
          ("mid2", "server", "server", "eth0"))
ADDRESSES = {
    "client": (("eth0", CLIENT + "/24"),),
    "mid": (("client", "10.77.0.1/24"), ("far", "10.77.1.1/24")),
    "mid2": (("near", "10.77.1.2/24"), ("server", "10.77.3.1/24")),
    "server": (("eth0", SERVER + "/24"),),
}
ROUTES = {"client": "10.77.0.1", "mid": "10.77.1.2", "mid2": "10.77.1.1", "server": "10.77.3.1"}


def goodput(mbps):
    """Payload that a line shaped to `mbps` carries: full frames, nothing else."""
    return mbps * MSS / FRAME


class Line:
    """Use it as a context. One shape at a time: shape()."""

    def __init__(self, relay, congestion="cubic"):
        """`congestion`: of both ends, cubic as Debian has it; a machine may have been given another."""
        self.relay_program = relay
        self.congestion = congestion
        self.space = spaces.Space()
        self.relay = None

    def __enter__(self):
        try:
            self._build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self._stop_relay()
        self.space.__exit__()

    def _stop_relay(self):
        if self.relay:
            self.relay.kill()
            self.relay.wait()
            self.relay.stdout.close()
            self.relay = None

    def _build(self):
        space = self.space
        for role in ("client", "mid", "long", "mid2", "server"):
            space.add(role)
            space.sysctl(role, net__ipv6__conf__default__disable_ipv6=1, net__ipv4__ip_forward=1)
        for cable in CABLES:
            space.cable(*cable)
        space.ip("long", "link add br0 type bridge forward_delay 0", "link set br0 up")
        for role, addresses in ADDRESSES.items():
            space.ip(role, "link set lo up", *(f"address add {address} dev {name}" for name, address in addresses))
        for role in ("client", "mid", "long", "mid2", "server"):
            for name in space.interfaces(role):
                if name == "br0":
                    continue
                space.run(role, "ethtool", "-K", name, "tso", "off", "gso", "off", "gro", "off")
                space.ip(role, f"link set {name} up")
        for role, via in ROUTES.items():
            # By route: a namespace may not choose one that the machine does not allow everybody.
            space.ip(role, f"route add default via {via} congctl {self.congestion}")

    def shape(self, mbps, delay_ms=0, loss=0):
        """`delay_ms` is added to the round trip. `loss`: so many packets of each way are dropped before the bottleneck, every
        hundredth for 1 %: by chance two runs of one program differ by more than two programs may."""
        space = self.space
        # A queue of 100 ms, as an access router's; tokens for 2 ms of line rate, at least some frames.
        burst = max(8 * FRAME, int(mbps * 1e6 / 8 * 0.002))
        for role, interface in (("mid", "client"), ("mid2", "server")):
            space.run(role, "tc", "qdisc", "replace", "dev", interface, "root", "tbf", "rate", f"{mbps}mbit", "burst",
                      str(burst), "latency", "100ms")
            space.run(role, "nft", "flush", "ruleset")
            if loss:
                space.nft(role, "table inet loss { chain c { type filter hook postrouting priority 0; "
                                f'oifname "{interface}" numgen inc mod {round(1 / loss)} 0 drop; }}; }}\n')
        self._stop_relay()
        if delay_ms:
            space.ip("long", "link set near nomaster", "link set far nomaster")
            self.relay = subprocess.Popen(space.prefix("long") + [str(self.relay_program), "near", "far", str(delay_ms // 2)],
                                          stdout=subprocess.PIPE, preexec_fn=spaces.die_with_parent)
            if self.relay.stdout.readline() != b"relaying\n":
                raise RuntimeError("the relay does not run")
        else:
            space.ip("long", "link set near master br0", "link set far master br0")
        for _ in range(100):
            if space.run("client", "ping", "-n", "-c", "1", "-W", "1", SERVER, check=False).returncode == 0:
                return
        raise RuntimeError("the line carries nothing")

    def inside(self, role, *command):
        return self.space.prefix(role) + [str(part) for part in command]
