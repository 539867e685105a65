# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""What can break. Each fault is a context: broken inside, mended after. All of them act on real packets,
links and processes of the lab."""
import contextlib
import itertools
import re
import signal
import socket
import threading

import school as places

_numbers = itertools.count()


@contextlib.contextmanager
def rules(space, role, family, body):
    """nftables rules for as long as the fault lasts."""
    table = f"{family} fault{next(_numbers)}"
    space.nft(role, f"table {table} {{\n{body}\n}}\n")
    try:
        yield
    finally:
        space.nft(role, f"delete table {table}\n")


def mute(space, role, *interfaces):
    """Nothing comes in or goes out there, ARP and NDP included, while the cable stays plugged."""
    devices = ", ".join(f'"{name}"' for name in interfaces or space.interfaces(role))
    return rules(space, role, "netdev", "\n".join(
        f"chain {way} {{ type filter hook {way} devices = {{ {devices} }} priority -500; drop; }}"
        for way in ("ingress", "egress")))


def crossing(space, role, rule):
    """A rule for each packet that comes to the role, whether for itself or to be handed on."""
    return rules(space, role, "inet", f"chain c {{ type filter hook prerouting priority -400; {rule}; }}")


# ---- in the school -------------------------------------------------------------------------------

@contextlib.contextmanager
def cable(lab):
    """The board's cable is pulled at the switch."""
    lab.space.ip("lan", "link set board down")
    try:
        yield
    finally:
        lab.space.ip("lan", "link set board up")


@contextlib.contextmanager
def address(lab):
    """The lease ends: no address and no default route in either family."""
    lab.space.ip("board", "address flush dev eth0 scope global", "route del default via fe80::1")
    try:
        yield
    finally:
        lab.space.ip("board", *lab.school.plan.address_lines("board"))


def router_pingless(lab):
    """The router answers no echo: some never do."""
    return rules(lab.space, "router", "inet", "chain c { type filter hook input priority -400; "
                                              "icmp type echo-request drop; icmpv6 type echo-request drop; }")


def router_hijacks(lab):
    """Without a way out the router answers every name and every page itself, to show what is wrong with it."""
    return together(
        _server(lab, "router_dns", "hijack"),
        rules(lab.space, "router", "ip", 'chain d { type nat hook prerouting priority -100; '
              f'iifname "lan" udp dport 53 dnat to {places.ROUTER_DNS}; '
              f'iifname "lan" tcp dport 80 dnat to {places.ROUTER_DNS}:{places.PORTAL_PORT}; }}'))


def router(lab):
    """The router hangs; the switch before it works on."""
    return mute(lab.space, "router")


@contextlib.contextmanager
def router_wan(lab):
    """The cable between router and ONT is out: the router lives, has no default route, and says so."""
    lab.space.ip("router", *(f"route del {route}" for route in places.ROUTES["router"]))
    try:
        with mute(lab.space, "router", "wan"):
            yield
    finally:
        lab.space.ip("router", *(f"route add {route}" for route in places.ROUTES["router"]))


# ---- the provider --------------------------------------------------------------------------------

def ont(lab):
    return mute(lab.space, "ont")


def access(lab):
    return mute(lab.space, "access")


def hop_deaf(lab):
    """The access hands everything on and says nothing itself."""
    silent = "icmp type { time-exceeded, echo-reply } drop; icmpv6 type { time-exceeded, echo-reply } drop;"
    return rules(lab.space, "access", "inet", f"chain c {{ type filter hook output priority -400; {silent} }}")


@contextlib.contextmanager
def redial(lab, address, hop):
    """The ONT dials in anew: some seconds of nothing, then another address, and maybe another next hop, for good."""
    with mute(lab.space, "ont", "wan"):
        lab.space.ip("access", *([] if hop == places.PORTAL else [f"address add {hop}/32 dev ont"]),
                     f"route replace {address}/32 dev ont src {hop}")
        lab.space.ip("core", f"route replace {address}/32 via 203.0.113.2")
        lab.space.ip("ont", "address flush dev wan to 0.0.0.0/0",
                     f"address add {address}/32 dev wan", f"route replace default via {hop} dev wan onlink")
        lab.hold(6)
    yield


TWINS = {"access": ("198.51.100.1", "2001:db8:1:1::1"), "access2": ("198.51.100.3", "2001:db8:1:1::3")}


def twin_paths(lab):
    """The ONT spreads its flows over both first hops, so that both carry some anchors of each kind; resolver, broker
    and page go by the first."""
    for family in (0, 1):
        hops = " ".join(f"nexthop via {addresses[family]}" for addresses in TWINS.values())
        lab.space.ip("ont", f"route replace default {hops}")
    kinds = [[a for a in group if places.is_v6(a) == six] for six in (False, True)
             for group in (places.ANCHORS_ALPHA + places.ANCHORS_BETA, places.ANCHORS_ABROAD)]
    # By source and destination alone, so that `ip route get` can tell (IPv6 adds random flow labels of its own).
    lab.space.sysctl("ont", net__ipv4__fib_multipath_hash_policy=3, net__ipv4__fib_multipath_hash_fields=3,
                     net__ipv6__fib_multipath_hash_policy=3, net__ipv6__fib_multipath_hash_fields=3)
    for seed in range(1, 200):
        lab.space.sysctl("ont", net__ipv4__fib_multipath_hash_seed=seed)
        shared = all({_twin(lab, address) for address in kind} == set(TWINS) for kind in kinds)
        if shared and all(_twin(lab, address) == "access" for address in (places.RESOLVER, places.BROKER, places.PAGE)):
            return
    raise RuntimeError("no way to spread the flows over both first hops")


def _twin(lab, address):
    source = "2001:db8:5c:1::10" if places.is_v6(address) else "192.168.100.2"
    route = lab.space.run("ont", "ip", "route", "get", address, "from", source, "iif", "lan").stdout
    return next(role for role, hops in TWINS.items() if any(f"via {hop} " in route for hop in hops))


@contextlib.contextmanager
def on_mobile(lab):
    """The router takes its mobile uplink (IPv4 only), and later its fibre again. An uplink that is put down takes the
    NAT's memory of it along: else old flows would go on under its address."""
    lab.space.ip("router", "link set wan down", "route replace default via 100.64.9.1")
    try:
        yield
    finally:
        lab.space.ip("router", "link set mobile down", "link set mobile up", "link set wan up",
                     "address replace 2001:db8:5c:2::2/64 dev wan nodad",
                     *(f"route replace {route}" for route in places.ROUTES["router"]))


@contextlib.contextmanager
def flood(lab, streams=6):
    """Another machine in the school sends as fast as TCP can."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(lab.space.socket("beta"))
        listener.bind((places.PAGE, 5001))
        listener.listen(streams)
        sockets = []
        for _ in range(streams):
            sender = stack.enter_context(lab.space.socket("pc"))
            sender.settimeout(20)
            sender.connect((places.PAGE, 5001))
            sockets += [(sender, stack.enter_context(listener.accept()[0]))]
        over = threading.Event()
        threads = [threading.Thread(target=_pump, args=(work, over), daemon=True) for pair in sockets for work in (
            lambda s=pair[0]: s.send(bytes(16384)), lambda s=pair[1]: s.recv(1 << 16))]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for pair in sockets:
                for sock in pair:
                    sock.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join(10)


def _pump(work, over):
    while not over.is_set():
        try:
            if not work():
                return
        except OSError:
            return


def core(lab):
    return mute(lab.space, "core")


def centre(lab):
    return mute(lab.space, "centre")


def international(lab):
    return mute(lab.space, "core", "sea")


def operator_beta(lab):
    return mute(lab.space, "beta")


def anchors(lab, role, *addresses):
    """Single hosts of an operator."""
    return crossing(lab.space, role, "\n".join(
        f"{'ip6' if places.is_v6(a) else 'ip'} daddr {a} drop;" for a in addresses).rstrip(";"))


def ipv4(lab):
    return crossing(lab.space, "access", "meta nfproto ipv4 drop")


def ipv6(lab):
    return crossing(lab.space, "access", "meta nfproto ipv6 drop")


def loss(lab, ratio):
    """Random loss on the access line, each way."""
    return crossing(lab.space, "access", f"numgen random mod 10000 < {round(ratio * 10000)} drop")


@contextlib.contextmanager
def counted(lab):
    """Yields a function: how many echoes have been asked of domestic anchors by IPv4."""
    anchors = ", ".join(a for a in places.ANCHORS_ALPHA + places.ANCHORS_BETA if not places.is_v6(a))
    with rules(lab.space, "ont", "ip", "chain c { type filter hook prerouting priority -400; "
               f'iifname "lan" ip daddr {{ {anchors} }} icmp type echo-request counter; }}'):
        yield lambda: int(re.search(r"counter packets (\d+)", lab.space.run("ont", "nft", "list", "ruleset").stdout)[1])


def small_packets_only(lab, largest=1400):
    """An MTU black hole: what is larger vanishes, and nobody says so."""
    return rules(lab.space, "access", "inet", f"chain c {{ type filter hook forward priority -400; "
                                              f"meta length > {largest} drop; }}")


HIJACK = (f'chain d {{ type nat hook prerouting priority -100; iifname "ont" tcp dport 80 '
          f'dnat to {places.PORTAL}:{places.PORTAL_PORT}; }}')


def captive_http(lab):
    """Whatever page is asked for, the provider's login page answers; all else works."""
    return rules(lab.space, "access", "ip", HIJACK)


@contextlib.contextmanager
def captive_portal(lab):
    """The account is closed: only DNS and the login page are left."""
    garden = f'iifname "ont" ip daddr {places.RESOLVER} udp dport 53 accept; iifname "ont" drop'
    with captive_http(lab), rules(lab.space, "access", "inet",
                                  f"chain c {{ type filter hook forward priority -400; {garden}; }}"):
        yield


# ---- servers and programs --------------------------------------------------------------------------

@contextlib.contextmanager
def _server(lab, name, mode):
    lab.school.server_mode(name, mode)
    try:
        yield
    finally:
        lab.school.server_mode(name, "normal")


def dns_silent(lab):
    return _server(lab, "resolver", "silent")


def dns_refuses(lab):
    return _server(lab, "resolver", "refuse")


def dns_lies(lab):
    return _server(lab, "resolver", "lie")


@contextlib.contextmanager
def broker(lab):
    lab.programs.broker.end(signal.SIGKILL)
    try:
        yield
    finally:
        lab.programs.broker.start()


@contextlib.contextmanager
def hub(lab):
    lab.programs.hub.end(signal.SIGKILL)
    try:
        yield
    finally:
        lab.programs.hub.start()


@contextlib.contextmanager
def together(*contexts):
    with contextlib.ExitStack() as stack:
        for context in contexts:
            stack.enter_context(context)
        yield
