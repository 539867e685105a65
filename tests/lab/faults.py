# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""What can break. Each fault is a context: broken inside, mended after. All of them act on real packets,
links and processes of the lab."""
import contextlib
import itertools
import signal

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
        lab.space.ip("board", *places.address_lines("board"))


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


def core(lab):
    return mute(lab.space, "core")


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
