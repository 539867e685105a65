# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""Builds the map of school.py: namespaces, cables, shaping, the cable abroad and the servers."""
import json
import pathlib
import subprocess
import time

import school as places
import space as spaces


# busybox's DHCP server and client. Short leases, so that one ends within a scenario; a client that has none
# asks every few seconds.
LEASE_S = 20
DHCP_SERVER = """\
interface lan
start 192.168.1.100
end 192.168.1.120
lease_file {directory}/dhcp.leases
pidfile {directory}/dhcp.pid
min_lease 1
option lease {lease}
option subnet 255.255.255.0
option router 192.168.1.1
"""
DHCP_SCRIPT = """\
#!/bin/sh
case $1 in
deconfig) ip -4 address flush dev "$interface" ;;
bound | renew)
	ip -4 address replace "$ip/24" dev "$interface"
	ip -4 route replace default via "$router" dev "$interface"
	;;
esac
"""


class School:
    """One lab: namespaces, shaping, the cable abroad and the servers. Use it as a context."""

    def __init__(self, relay, logs, extras=()):
        self.space = spaces.Space()
        self.plan = places.Plan(extras)
        self.relay_program = relay
        self.logs = pathlib.Path(logs)
        self.relay = self.servers = self.dhcp_server = self.dhcp_client = None

    def __enter__(self):
        try:
            self._build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in (self.dhcp_client, self.dhcp_server, self.servers, self.relay):
            if process:
                process.kill()
                process.wait()
                process.stdout.close()
                if process.stdin:
                    process.stdin.close()
        self.servers = self.relay = self.dhcp_server = self.dhcp_client = None
        self.space.__exit__()

    # ---- building ------------------------------------------------------------------------------

    def _build(self):
        plan = self.plan
        for role in plan.roles:
            self.space.add(role)
            self._prepare(role)
        for cable in plan.cables:
            self.space.cable(*cable)
        for switch in plan.switches:
            ports = [f"link set {name} master br0" for name in self.space.interfaces(switch) if name != "mirror"]
            self.space.ip(switch, "link add br0 type bridge forward_delay 0", *ports, "link set br0 up")
        for role in plan.roles:
            self._address(role)
        for (role, interface), rate in plan.rate.items():
            self.space.shape(role, interface, rate)
        for role, interfaces in plan.nat.items():
            names = ", ".join(f'"{name}"' for name in interfaces)
            self.space.nft(role, 'table ip nat { chain out { type nat hook postrouting priority 100; '
                                 f'oifname {{ {names} }} masquerade; }}; }}\n')
        self._lay_cable_abroad()
        self._serve()
        if "dhcp" in plan.extras:
            self._dhcp()
        if "no lease" not in plan.extras:
            self._wait_until_connected()

    def _prepare(self, role):
        """Before there are interfaces, so that they inherit it."""
        ends = role in self.plan.switches or role == "sea"
        self.space.sysctl(role, net__ipv6__conf__default__accept_dad=0, net__ipv6__conf__default__accept_ra=0,
                          net__ipv6__conf__default__disable_ipv6=int(ends))
        if role in self.plan.forwarders:
            self.space.sysctl(role, net__ipv4__ip_forward=1, net__ipv6__conf__all__forwarding=1,
                              net__ipv6__conf__default__forwarding=1)
        if role == "board":
            # As systemd has it: echo without privileges.
            self.space.sysctl(role, net__ipv4__ping_group_range="0 2147483647")

    def _address(self, role):
        lines = ["link set lo up"] + [f"link set {name} up" for name in self.space.interfaces(role)]
        self.space.ip(role, *lines, *self.plan.address_lines(role))

    def _spawn(self, arguments, name, **options):
        log = open(self.logs / f"{name}.log", "ab")
        process = subprocess.Popen([str(argument) for argument in arguments], stdout=subprocess.PIPE, stderr=log,
                                   preexec_fn=spaces.die_with_parent, **options)
        log.close()
        return process

    def _lay_cable_abroad(self):
        self.relay = self._spawn(self.space.prefix("sea") + [self.relay_program, "near", "far", places.SEA_MS], "relay")
        if self.relay.stdout.readline() != b"relaying\n":
            raise RuntimeError(f"the relay does not run: {(self.logs / 'relay.log').read_text().strip()}")

    def _certify(self):
        """The lab's own authority, and its word for the page over HTTPS."""
        name = f"{places.LESSON}.{places.ZONE}"
        make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30"]
        ca, key, cert = self.logs / "ca.pem", self.logs / "ca.key", self.logs / "lesson.pem"
        spaces.command(make + ["-subj", "/CN=The lab", "-keyout", key, "-out", ca])
        spaces.command(make + ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-CA", ca, "-CAkey", key,
                               "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", f"{cert}.key", "-out", cert])
        with open(cert, "a") as both:
            both.write(pathlib.Path(f"{cert}.key").read_text())
        return cert

    def _serve(self):
        services = [dict(service, path=self.space.path(service["role"])) for service in self.plan.servers]
        for service in services:
            if service["kind"] == "lesson":
                service["cert"] = str(self._certify())
        here = pathlib.Path(__file__).resolve().parent
        self.servers = self._spawn(["/usr/bin/python3", "-B", here / "servers.py", json.dumps(services)], "servers",
                                   stdin=subprocess.PIPE)
        if self.servers.stdout.readline() != b"serving\n":
            raise RuntimeError(f"the servers do not run: {(self.logs / 'servers.log').read_text().strip()}")

    def _dhcp(self):
        (self.logs / "dhcp.conf").write_text(DHCP_SERVER.format(directory=self.logs, lease=LEASE_S))
        (self.logs / "dhcp.leases").touch()
        script = self.logs / "dhcp.sh"
        script.write_text(DHCP_SCRIPT)
        script.chmod(0o755)
        if "no lease" not in self.plan.extras:
            self.dhcp_start()
        self.dhcp_client = self._spawn(self.space.prefix("board") + [
            "busybox", "udhcpc", "-f", "-i", "eth0", "-s", script, "-t", "3", "-T", "1", "-A", "1"], "dhcp-client")

    def _wait_until_connected(self):
        """A switch forwards a moment after its ports came up."""
        end = spaces.now() + 30
        while "dhcp" in self.plan.extras and not self.has_address():
            if spaces.now() > end:
                raise RuntimeError("the board gets no address")
            time.sleep(0.1)
        near, far = places.ANCHORS_ALPHA, places.ANCHORS_ABROAD
        for address in (near[0], near[2], far[0], far[2], places.BROKER):
            if places.is_v6(address) and "ipv6" not in self.plan.families:
                continue
            done = self.space.run("board", "ping", "-n", "-q", "-c", "1", "-i", "0.2", "-w", "20", address, check=False)
            if done.returncode:
                raise RuntimeError(f"the board does not reach {address}: {done.stdout.strip()}")

    # ---- while it stands -----------------------------------------------------------------------

    def dhcp_start(self):
        self.dhcp_server = self._spawn(self.space.prefix("router") + ["busybox", "udhcpd", "-f", self.logs / "dhcp.conf"],
                                       "dhcp-server")

    def dhcp_stop(self):
        self.dhcp_server.kill()
        self.dhcp_server.wait()
        self.dhcp_server.stdout.close()
        self.dhcp_server = None

    def has_address(self):
        """The board has an IPv4 address and a way out."""
        addresses = self.space.run("board", "ip", "-4", "-o", "address", "show", "dev", "eth0").stdout
        return bool(addresses) and "default" in self.space.run("board", "ip", "-4", "route").stdout

    def server_mode(self, name, mode):
        """One of servers.MODES."""
        self.servers.stdin.write(f"{name} {mode}\n".encode())
        self.servers.stdin.flush()
        if self.servers.stdout.readline() != b"ok\n":
            raise RuntimeError(f"the servers do not take {name} {mode}")
