# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""Network namespaces of one run: made, wired, shaped, broken, and gone afterwards. No link leads out
of them: every cable has both its ends in namespaces of this run."""
import ctypes
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

PREFIX = "splab"
NETNS = pathlib.Path("/run/netns")
PR_SET_PDEATHSIG = 1
CLONE_NEWNET = 0x40000000
CLOCK = time.CLOCK_MONOTONIC_RAW  # the agent's clock
_libc = ctypes.CDLL(None, use_errno=True)


class Impossible(Exception):
    """The lab cannot run on this machine; the text says why."""


def now():
    """Seconds of the clock that the agent's records carry."""
    return time.clock_gettime(CLOCK)


def _set(fd):
    if _libc.setns(fd, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def enter(path):
    """This thread goes there. Sockets stay in the namespace in which they were opened."""
    with open(path) as namespace:
        _set(namespace.fileno())


def die_with_parent(how=signal.SIGKILL):
    """In a child: ended with the lab, also when that is killed itself."""
    _libc.prctl(PR_SET_PDEATHSIG, how)


def command(arguments, text=None, check=True):
    arguments = [str(argument) for argument in arguments]
    done = subprocess.run(arguments, input=text, capture_output=True, text=True, preexec_fn=die_with_parent)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(arguments)}: {done.stderr.strip() or done.stdout.strip()}\n{text or ''}".strip())
    return done


def require():
    """Raises Impossible, with the reason, where namespaces or their filters cannot be made."""
    if os.geteuid() != 0:
        raise Impossible("network namespaces need root")
    for program in ("ip", "nft", "tc", "sysctl"):
        if not any((pathlib.Path(place) / program).exists() for place in os.environ["PATH"].split(":") + ["/usr/sbin"]):
            raise Impossible(f"{program} is not installed (iproute2, nftables, procps)")
    name = f"{PREFIX}-{os.getpid()}-probe"
    made = command(["ip", "netns", "add", name], check=False)
    if made.returncode:
        raise Impossible(f"network namespaces cannot be made here: {made.stderr.strip()}")
    try:
        for what, arguments, text in (
                ("nftables", ["nft", "-f", "-"], "table inet t { chain c { type filter hook prerouting priority -400; "
                                                 "numgen random mod 100 < 3 drop; }; }\n"),
                ("veth", ["ip", "link", "add", "lab0", "type", "veth", "peer", "name", "lab1"], None),
                ("tbf", ["tc", "qdisc", "add", "dev", "lab0", "root", "tbf", "rate", "1mbit", "burst", "16kb",
                         "latency", "50ms"], None)):
            done = command(["ip", "netns", "exec", name, *arguments], text, check=False)
            if done.returncode:
                raise Impossible(f"{what} does not work in a namespace here: {done.stderr.strip()}")
    finally:
        command(["ip", "netns", "del", name], check=False)


def _inside(name):
    """Processes in a namespace of ours."""
    done = command(["ip", "netns", "pids", name], check=False)
    return [int(pid) for pid in done.stdout.split()]


def _remove(names):
    """Ends what runs in them, then takes them away."""
    for name in names:
        for pid in _inside(name):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
    for name in names:
        command(["ip", "netns", "del", name], check=False)


def folder():
    """A short-named directory for one run (a socket's path has 108 bytes); use it as a context."""
    return tempfile.TemporaryDirectory(prefix=f"{PREFIX}-{os.getpid()}-")


def _leftovers(directory):
    """What labs left there whose process is gone."""
    for path in pathlib.Path(directory).glob(f"{PREFIX}-*"):
        owner = re.fullmatch(PREFIX + r"-(\d+)-.+", path.name)
        if owner and not pathlib.Path("/proc", owner[1]).exists():
            yield path


def sweep():
    """After labs that were killed. Those that still run are left alone."""
    _remove([path.name for path in _leftovers(NETNS)])
    for path in _leftovers(tempfile.gettempdir()):
        shutil.rmtree(path, ignore_errors=True)


class Space:
    """The namespaces of one lab, by role ("board", "router", …). Use it as a context."""

    def __init__(self):
        self.base = f"{PREFIX}-{os.getpid()}-"
        self.roles = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        _remove([self.name(role) for role in self.roles])
        self.roles = []

    def name(self, role):
        return self.base + role

    def path(self, role):
        return str(NETNS / self.name(role))

    def add(self, role):
        self.roles.append(role)  # first, so that a half-made one goes as well
        command(["ip", "netns", "add", self.name(role)])

    def prefix(self, role):
        """In front of a command line: it runs in that namespace, with the pid of `ip`."""
        return ["ip", "netns", "exec", self.name(role)]

    def run(self, role, *arguments, check=True):
        return command(self.prefix(role) + list(arguments), check=check)

    def ip(self, role, *lines, check=True):
        """Lines of `ip -batch`, one process for all."""
        arguments = ["ip", "-n", self.name(role)] + ([] if check else ["-force"]) + ["-batch", "-"]
        return command(arguments, "".join(line + "\n" for line in lines), check=check)

    def cable(self, role, interface, other, other_interface):
        command(["ip", "link", "add", interface, "netns", self.name(role), "type", "veth", "peer", "name",
                 other_interface, "netns", self.name(other)])

    def sysctl(self, role, **values):
        """Dots are written as two underscores."""
        self.run(role, "sysctl", "-q", *(f"{key.replace('__', '.')}={value}" for key, value in values.items()))

    def nft(self, role, rules):
        command(self.prefix(role) + ["nft", "-f", "-"], rules)

    def shape(self, role, interface, rate, queue="100ms"):
        self.run(role, "tc", "qdisc", "replace", "dev", interface, "root", "tbf", "rate", rate, "burst", "64kb",
                 "latency", queue)

    def socket(self, role, kind=socket.SOCK_STREAM):
        """An IPv4 socket in that namespace, for as long as it is open."""
        with open("/proc/thread-self/ns/net") as home:
            enter(self.path(role))
            try:
                return socket.socket(socket.AF_INET, kind)
            finally:
                _set(home.fileno())

    def interfaces(self, role):
        lines = self.run(role, "ip", "-o", "link").stdout.splitlines()
        names = [line.split(": ")[1].split("@")[0] for line in lines]
        return [name for name in names if name != "lo"]
