# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""The lab's map: a school, its provider's access, a core with two operators, a far side and a data
centre, as data; and what some scenarios have more of. README.md has the picture. Addresses are private or
reserved for documentation, and there is no way out."""

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
    "alpha": {"net": ("192.0.2.10/26", "192.0.2.11/26", "192.0.2.53/26", "2001:db8:a::10/64",
                      "2001:db8:a::11/64")},
    "beta": {"net": ("192.0.2.74/26", "192.0.2.75/26", "192.0.2.76/26", "192.0.2.77/26", "192.0.2.78/26",
                     "2001:db8:b::10/64", "2001:db8:b::11/64")},
    "abroad": {"net": ("203.0.113.130/25", "203.0.113.131/25", "2001:db8:f::10/64", "2001:db8:f::11/64")},
    "centre": {"net": ("192.0.2.130/26", "192.0.2.131/26", "2001:db8:d::10/64", "2001:db8:d::11/64")},
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

SWITCHES = ("lan",)
FORWARDERS = ("router", "ont", "access", "core")
NAT = {"router": ("wan",), "ont": ("wan",)}  # IPv4 only, out of these
RATE = {("ont", "wan"): "40mbit", ("access", "ont"): "80mbit"}  # what was bought: up, down
SEA_MS = 40

ANCHORS_ALPHA = ("192.0.2.10", "192.0.2.11", "2001:db8:a::10", "2001:db8:a::11")
ANCHORS_BETA = ("192.0.2.74", "192.0.2.75", "2001:db8:b::10", "2001:db8:b::11")
ANCHORS_CENTRE = ("192.0.2.130", "192.0.2.131", "2001:db8:d::10", "2001:db8:d::11")  # beside the hub
ANCHORS_ABROAD = ("203.0.113.130", "203.0.113.131", "2001:db8:f::10", "2001:db8:f::11")
RESOLVER, SECOND_DNS, ROUTER_DNS = "192.0.2.53", "192.0.2.76", "192.168.1.1"
BROKER = "192.0.2.130"
PAGE, WHOAMI = "192.0.2.77", "192.0.2.78"
LESSON = "lesson"  # in the zone: HTTPS at the zone's address, by the lab's own authority
PORTAL = "198.51.100.1"  # on the access; its server listens on another port than 80
PORTAL_PORT = 8080
ZONE, ZONE_ADDRESS, LIE = "probe.test", "192.0.2.10", "198.18.0.1"

# Served inside the namespaces by servers.py.
SERVERS = (
    {"name": "router_dns", "kind": "forwarder", "role": "router", "address": ROUTER_DNS, "upstream": RESOLVER},
    {"name": "resolver", "kind": "dns", "role": "alpha", "address": RESOLVER},
    {"name": "second_dns", "kind": "dns", "role": "beta", "address": SECOND_DNS},
    {"name": "page", "kind": "page", "role": "beta", "address": PAGE, "port": 80},
    {"name": "whoami", "kind": "whoami", "role": "beta", "address": WHOAMI, "port": 80},
    {"name": "lesson", "kind": "lesson", "role": "alpha", "address": ZONE_ADDRESS, "port": 443},
    {"name": "router_page", "kind": "portal", "role": "router", "address": ROUTER_DNS, "port": PORTAL_PORT},
    {"name": "portal", "kind": "portal", "role": "access", "address": PORTAL, "port": PORTAL_PORT},
)


# What a scenario may have beside or instead of that: name → changes.
EXTRAS = {
    # Another machine in the school.
    "pc": {
        "roles": {"pc": "another machine in the school"},
        "cables": (("lan", "pc", "pc", "eth0"),),
        "addresses": {"pc": {"eth0": ("192.168.1.20/24",)}},
        "routes": {"pc": ("default via 192.168.1.1",)},
    },
    # Two first hops side by side; the ONT spreads its flows over both (twin_paths() in faults.py).
    "twin": {
        "roles": {"olt": "the switch before the access", "access2": "the access's twin"},
        "switches": ("olt",), "forwarders": ("access2",),
        "without": (("ont", "wan", "access", "ont"),),
        "cables": (("ont", "wan", "olt", "ont"), ("access", "ont", "olt", "access"), ("access2", "ont", "olt", "access2"),
                   ("access2", "core", "core", "access2")),
        "addresses": {"access2": {"ont": ("198.51.100.3/24", "2001:db8:1:1::3/64"),
                                  "core": ("203.0.113.6/30", "2001:db8:1:3::2/64")},
                      "core": {"access2": ("203.0.113.5/30", "2001:db8:1:3::1/64")}},
        "routes": {"access2": ("default via 203.0.113.5", "default via 2001:db8:1:3::1",
                               "2001:db8:5c::/48 via 2001:db8:1:1::2")},
    },
    # The router has a second uplink, which it takes when told (on_mobile() in faults.py). IPv4 only.
    "mobile": {
        "roles": {"mobile": "a mobile network, with NAT"},
        "forwarders": ("mobile",), "nat": {"mobile": ("core",), "router": ("wan", "mobile")},
        "cables": (("router", "mobile", "mobile", "router"), ("mobile", "core", "core", "mobile")),
        "addresses": {"router": {"mobile": ("100.64.9.2/24",)},
                      "mobile": {"router": ("100.64.9.1/24",), "core": ("203.0.113.66/30",)},
                      "core": {"mobile": ("203.0.113.65/30",)}},
        "routes": {"mobile": ("default via 203.0.113.65",)},
    },
    # The board has a second interface, with a line of its own. IPv4 only.
    "second": {
        "roles": {"router_b": "the second line's router, with NAT", "access_b": "the second line's access"},
        "forwarders": ("router_b", "access_b"), "nat": {"router_b": ("wan",)},
        "cables": (("board", "eth1", "router_b", "lan"), ("router_b", "wan", "access_b", "line"),
                   ("access_b", "core", "core", "access_b")),
        "addresses": {"board": {"eth1": ("192.168.2.10/24",)},
                      "router_b": {"lan": ("192.168.2.1/24",), "wan": ("203.0.113.50/29",)},
                      "access_b": {"line": ("203.0.113.49/29",), "core": ("203.0.113.10/30",)},
                      "core": {"access_b": ("203.0.113.9/30",)}},
        "routes": {"board": ("default via 192.168.2.1 metric 200",), "router_b": ("default via 203.0.113.49",),
                   "access_b": ("default via 203.0.113.9",), "core": ("203.0.113.48/29 via 203.0.113.10",)},
        "servers": ({"name": "router_b_dns", "kind": "forwarder", "role": "router_b", "address": "192.168.2.1",
                     "upstream": RESOLVER},),
    },
    # The board has a second interface, at a mirror port of the switch (speed.py).
    "mirror": {"cables": (("board", "mirror", "lan", "mirror"),)},
    # No IPv6, and the board's address comes from the router by DHCP (building.py).
    "dhcp": {},
    # The same, but the router gives none at first.
    "no lease": {},
}


def is_v6(text):
    return ":" in text


class Plan:
    """The map with a scenario's extras."""

    def __init__(self, extras=()):
        self.extras = tuple(extras)
        self.roles, self.cables = dict(ROLES), list(CABLES)
        self.addresses = {role: dict(interfaces) for role, interfaces in ADDRESSES.items()}
        self.routes, self.rate, self.servers = dict(ROUTES), dict(RATE), list(SERVERS)
        self.switches, self.forwarders, self.nat = list(SWITCHES), list(FORWARDERS), dict(NAT)
        for name in extras:
            self._add(EXTRAS[name])
        if "dhcp" in extras:
            self.addresses["board"], self.routes["board"] = {}, ()

    def _add(self, extra):
        self.roles.update(extra.get("roles", {}))
        self.cables = [cable for cable in self.cables if cable not in extra.get("without", ())]
        self.cables += extra.get("cables", ())
        for role, interfaces in extra.get("addresses", {}).items():
            self.addresses.setdefault(role, {}).update(interfaces)
        for role, routes in extra.get("routes", {}).items():
            self.routes[role] = self.routes.get(role, ()) + routes
        self.servers += extra.get("servers", ())
        self.switches += extra.get("switches", ())
        self.forwarders += extra.get("forwarders", ())
        self.nat.update(extra.get("nat", {}))

    def address_lines(self, role):
        """Lines for `ip -batch` that give a role its addresses and routes."""
        lines = [f"address add {address} dev {interface}" + (" nodad" if is_v6(address) else "")
                 for interface, addresses in self.addresses.get(role, {}).items() for address in addresses]
        return lines + [f"route add {route}" for route in self.routes.get(role, ())]

    @property
    def families(self):
        """In which the board is on the net."""
        return ("ipv4",) if "dhcp" in self.extras else ("ipv4", "ipv6")
