# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""The lab's map: a school, its provider's access, a core with two operators, a far side and a data
centre, as data; and how it is built. README.md has the picture. Addresses are private or reserved for
documentation, and there is no way out."""
import json
import pathlib
import subprocess

import space as spaces

# Role: what stands there. Each is a namespace of its own.
ROLES = {
    "board": "the board",
    "lan": "the school's switch",
    "router": "the school's router, with NAT",
    "ont": "the provider's terminal, with NAT: its inside is a private hop",
    "access": "the provider's access: the first hop beyond all NATs",
    "core": "the domestic core, where operators meet",
    "alpha": "operator alpha: anchors and the provider's resolver",
    "beta": "operator beta: anchors, a second name server, the page of the portal check",
    "sea": "the cable abroad: 40 ms each way",
    "abroad": "anchors abroad",
    "centre": "the data centre of broker and hub",
}

# From, interface, to, interface.
CABLES = (
    ("board", "eth0", "lan", "board"),
    ("lan", "router", "router", "lan"),
    ("router", "wan", "ont", "lan"),
    ("ont", "wan", "access", "ont"),
    ("access", "core", "core", "access"),
    ("core", "alpha", "alpha", "net"),
    ("core", "beta", "beta", "net"),
    ("core", "sea", "sea", "near"),
    ("sea", "far", "abroad", "net"),
    ("core", "centre", "centre", "net"),
)

# Role: interface: its addresses.
ADDRESSES = {
    "board": {"eth0": ("192.168.1.10/24", "2001:db8:5c:1::10/64")},
    "router": {"lan": ("192.168.1.1/24", "2001:db8:5c:1::1/64", "fe80::1/64"),
               "wan": ("192.168.100.2/24", "2001:db8:5c:2::2/64")},
    "ont": {"lan": ("192.168.100.1/24", "2001:db8:5c:2::1/64"), "wan": ("198.51.100.2/24", "2001:db8:1:1::2/64")},
    "access": {"ont": ("198.51.100.1/24", "2001:db8:1:1::1/64"), "core": ("203.0.113.2/30", "2001:db8:1:2::2/64")},
    "core": {"access": ("203.0.113.1/30", "2001:db8:1:2::1/64"), "alpha": ("192.0.2.1/26", "2001:db8:a::1/64"),
             "beta": ("192.0.2.65/26", "2001:db8:b::1/64"), "sea": ("203.0.113.129/25", "2001:db8:f::1/64"),
             "centre": ("192.0.2.129/26", "2001:db8:d::1/64")},
    "alpha": {"net": ("192.0.2.10/26", "192.0.2.11/26", "192.0.2.53/26", "2001:db8:a::10/64", "2001:db8:a::11/64")},
    "beta": {"net": ("192.0.2.74/26", "192.0.2.75/26", "192.0.2.76/26", "192.0.2.77/26", "2001:db8:b::10/64", "2001:db8:b::11/64")},
    "abroad": {"net": ("203.0.113.130/25", "203.0.113.131/25", "2001:db8:f::10/64", "2001:db8:f::11/64")},
    "centre": {"net": ("192.0.2.130/26", "2001:db8:d::10/64")},
}

# Role: routes.
ROUTES = {
    "board": ("default via 192.168.1.1", "default via fe80::1 dev eth0"),
    "router": ("default via 192.168.100.1", "default via 2001:db8:5c:2::1"),
    "ont": ("default via 198.51.100.1", "default via 2001:db8:1:1::1", "2001:db8:5c:1::/64 via 2001:db8:5c:2::2"),
    "access": ("default via 203.0.113.1", "default via 2001:db8:1:2::1", "2001:db8:5c::/48 via 2001:db8:1:1::2"),
    "core": ("198.51.100.0/24 via 203.0.113.2", "2001:db8:5c::/48 via 2001:db8:1:2::2",
             "2001:db8:1:1::/64 via 2001:db8:1:2::2"),
    "alpha": ("default via 192.0.2.1", "default via 2001:db8:a::1"),
    "beta": ("default via 192.0.2.65", "default via 2001:db8:b::1"),
    "abroad": ("default via 203.0.113.129", "default via 2001:db8:f::1"),
    "centre": ("default via 192.0.2.129", "default via 2001:db8:d::1"),
}

NAT = ("router", "ont")  # IPv4 only, out of `wan`
RATE = {("ont", "wan"): "40mbit", ("access", "ont"): "80mbit"}  # what was bought: up, down
SEA_MS = 40

ANCHORS_ALPHA = ("192.0.2.10", "192.0.2.11", "2001:db8:a::10", "2001:db8:a::11")
ANCHORS_BETA = ("192.0.2.74", "192.0.2.75", "2001:db8:b::10", "2001:db8:b::11")
ANCHORS_ABROAD = ("203.0.113.130", "203.0.113.131", "2001:db8:f::10", "2001:db8:f::11")
RESOLVER, SECOND_DNS, ROUTER_DNS = "192.0.2.53", "192.0.2.76", "192.168.1.1"
BROKER = "192.0.2.130"
PAGE = "192.0.2.77"
PORTAL = "198.51.100.1"  # on the access; its server listens on another port than 80
PORTAL_PORT = 8080
ZONE, ZONE_ADDRESS, LIE = "probe.test", "192.0.2.10", "198.18.0.1"

# Served inside the namespaces by servers.py.
SERVERS = (
    {"name": "router_dns", "kind": "forwarder", "role": "router", "address": ROUTER_DNS, "upstream": RESOLVER},
    {"name": "resolver", "kind": "dns", "role": "alpha", "address": RESOLVER},
    {"name": "second_dns", "kind": "dns", "role": "beta", "address": SECOND_DNS},
    {"name": "page", "kind": "page", "role": "beta", "address": PAGE, "port": 80},
    {"name": "portal", "kind": "portal", "role": "access", "address": PORTAL, "port": PORTAL_PORT},
)


def is_v6(text):
    return ":" in text


def address_lines(role):
    """Lines for `ip -batch` that give a role its addresses and routes."""
    lines = [f"address add {address} dev {interface}" + (" nodad" if is_v6(address) else "")
             for interface, addresses in ADDRESSES.get(role, {}).items() for address in addresses]
    return lines + [f"route add {route}" for route in ROUTES.get(role, ())]


class School:
    """One lab: namespaces, shaping, the cable abroad and the servers. Use it as a context."""

    def __init__(self, relay, logs):
        self.space = spaces.Space()
        self.relay_program = relay
        self.logs = pathlib.Path(logs)
        self.relay = self.servers = None

    def __enter__(self):
        try:
            self._build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in (self.servers, self.relay):
            if process:
                process.kill()
                process.wait()
                process.stdout.close()
                if process.stdin:
                    process.stdin.close()
        self.servers = self.relay = None
        self.space.__exit__()

    # ---- building ------------------------------------------------------------------------------

    def _build(self):
        for role in ROLES:
            self.space.add(role)
            self._prepare(role)
        for cable in CABLES:
            self.space.cable(*cable)
        self.space.ip("lan", "link add br0 type bridge forward_delay 0", "link set board master br0",
                      "link set router master br0", "link set br0 up")
        for role in ROLES:
            self._address(role)
        for (role, interface), rate in RATE.items():
            self.space.shape(role, interface, rate)
        for role in NAT:
            self.space.nft(role, 'table ip nat { chain out { type nat hook postrouting priority 100; '
                                 'oifname "wan" masquerade; }; }\n')
        self._lay_cable_abroad()
        self._serve()
        self._wait_until_connected()

    def _prepare(self, role):
        """Before there are interfaces, so that they inherit it."""
        ends = role in ("lan", "sea")
        self.space.sysctl(role, net__ipv6__conf__default__accept_dad=0, net__ipv6__conf__default__accept_ra=0,
                          net__ipv6__conf__default__disable_ipv6=int(ends))
        if role in ("router", "ont", "access", "core"):
            self.space.sysctl(role, net__ipv4__ip_forward=1, net__ipv6__conf__all__forwarding=1,
                              net__ipv6__conf__default__forwarding=1)
        if role == "board":
            # As systemd has it: echo without privileges.
            self.space.sysctl(role, net__ipv4__ping_group_range="0 2147483647")

    def _address(self, role):
        lines = ["link set lo up"] + [f"link set {name} up" for name in self.space.interfaces(role)]
        self.space.ip(role, *lines, *address_lines(role))

    def _spawn(self, arguments, name, **options):
        log = open(self.logs / f"{name}.log", "ab")
        process = subprocess.Popen([str(argument) for argument in arguments], stdout=subprocess.PIPE, stderr=log,
                                   preexec_fn=spaces.die_with_parent, **options)
        log.close()
        return process

    def _lay_cable_abroad(self):
        self.relay = self._spawn(self.space.prefix("sea") + [self.relay_program, "near", "far", SEA_MS], "relay")
        if self.relay.stdout.readline() != b"relaying\n":
            raise RuntimeError(f"the relay does not run: {(self.logs / 'relay.log').read_text().strip()}")

    def _serve(self):
        services = [dict(service, path=self.space.path(service["role"])) for service in SERVERS]
        here = pathlib.Path(__file__).resolve().parent
        self.servers = self._spawn(["/usr/bin/python3", "-B", here / "servers.py", json.dumps(services)], "servers",
                                   stdin=subprocess.PIPE)
        if self.servers.stdout.readline() != b"serving\n":
            raise RuntimeError(f"the servers do not run: {(self.logs / 'servers.log').read_text().strip()}")

    def _wait_until_connected(self):
        """A switch forwards a moment after its ports came up."""
        for address in (ANCHORS_ALPHA[0], ANCHORS_ALPHA[2], ANCHORS_ABROAD[0], ANCHORS_ABROAD[2], BROKER):
            done = self.space.run("board", "ping", "-n", "-q", "-c", "1", "-i", "0.2", "-w", "20", address, check=False)
            if done.returncode:
                raise RuntimeError(f"the board does not reach {address}: {done.stdout.strip()}")

    # ---- while it stands -----------------------------------------------------------------------

    def server_mode(self, name, mode):
        """One of servers.MODES."""
        self.servers.stdin.write(f"{name} {mode}\n".encode())
        self.servers.stdin.flush()
        if self.servers.stdout.readline() != b"ok\n":
            raise RuntimeError(f"the servers do not take {name} {mode}")
