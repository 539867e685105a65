# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""Starts, watches and ends the programs under test: only what was started here, by pid."""
import ctypes
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SP_BUILD", SOURCE / "build/debug"))

# How long anything may take on a busy machine before the test says that it never came.
PATIENCE = 60


def program(name):
    for directory in ("agent", "agent/cli", "tools/hub", "tools/anchor", "tools/fleet"):
        path = BUILD / directory / name
        if path.is_file():
            return str(path)
    raise FileNotFoundError(f"{name} is not built in {BUILD}")


def free_port():
    """A loopback port that nobody had a moment ago; start_on_free_port() handles the race."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, what, timeout=PATIENCE, every=0.05):
    """The first true value of condition(); fails with `what` otherwise."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {timeout} s in vain for {what}")
        time.sleep(every)


def _die_with_us():
    """Runs in the child before exec: should pytest itself be killed, nothing is left running."""
    pr_set_pdeathsig = 1
    _libc.prctl(pr_set_pdeathsig, signal.SIGKILL)


_libc = ctypes.CDLL(None)


class Process:
    """A program with its log in a file. Ends with its test at the latest: see conftest.py."""

    started = []

    def __init__(self, arguments, log, env=None, **options):
        self.arguments = [str(argument) for argument in arguments]
        self.log = pathlib.Path(log)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with open(self.log, "ab") as out:
            self.popen = subprocess.Popen(self.arguments, stdin=subprocess.DEVNULL, stdout=out,
                                          stderr=subprocess.STDOUT, env={**os.environ, **(env or {})},
                                          preexec_fn=_die_with_us, **options)
        Process.started.append(self)

    @property
    def pid(self):
        return self.popen.pid

    def running(self):
        return self.popen.poll() is None

    def text(self):
        return self.log.read_text(encoding="utf-8", errors="replace")

    def tail(self, lines=25):
        return "\n".join(self.text().splitlines()[-lines:])

    def wait_for(self, pattern, timeout=PATIENCE):
        def seen():
            match = re.search(pattern, self.text())
            if not match and not self.running():
                raise AssertionError(f"{self.arguments[0]} ended ({self.popen.returncode}) before "
                                     f"/{pattern}/:\n{self.tail()}")
            return match
        try:
            return wait_until(seen, f"/{pattern}/", timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.tail()}") from None

    def kill(self):
        """As a power cut would."""
        if self.running():
            self.popen.kill()
        self.popen.wait()

    def stop(self, timeout=30):
        """SIGTERM; the exit status. A program that does not end in time has failed."""
        if self.running():
            self.popen.send_signal(signal.SIGTERM)
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            raise AssertionError(f"{self.arguments[0]} did not stop in {timeout} s:\n{self.tail()}") from None


class Broker:
    """mosquitto with a configuration of our own. The port stays the same over restarts."""

    LISTENER = "listener {port} 127.0.0.1\nallow_anonymous true\n"

    def __init__(self, directory, extra="", listener=LISTENER, persistence=True):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.extra, self.listener, self.persistence = extra, listener, persistence
        self.port = None
        self.process = None

    def write_config(self):
        lines = [f"user {'root' if os.geteuid() == 0 else ''}".rstrip(), "log_dest stderr",
                 "log_type error", "log_type warning", "log_type notice", "log_type information",
                 "set_tcp_nodelay true"]
        if self.persistence:
            lines += ["persistence true", f"persistence_location {self.directory}/"]
        text = "\n".join(line for line in lines if line != "user") + "\n"
        text += self.extra + "\n" + self.listener.format(port=self.port, dir=self.directory)
        (self.directory / "mosquitto.conf").write_text(text)

    def start(self):
        """On the port of the last start, or on a free one: taken by another in between, try again."""
        fixed = self.port is not None
        for _ in range(20):
            if not fixed:
                self.port = free_port()
            self.write_config()
            log = self.directory / "broker.log"
            before = log.stat().st_size if log.exists() else 0
            self.process = Process(["/usr/sbin/mosquitto", "-c", self.directory / "mosquitto.conf"], log)
            if self._up(before):
                return
            self.process.kill()
        raise AssertionError(f"mosquitto did not start:\n{self.process.tail()}")

    def _up(self, before):
        def up():
            new = self.process.text()[before:]
            return "running" in new or not self.process.running()
        wait_until(up, "mosquitto")
        return self.process.running()

    def stop(self):
        if self.process:
            self.process.stop()

    def kill(self):
        self.process.kill()


def http_json(url, timeout=10):
    import json
    import urllib.request
    # No proxy of the environment may come between us and loopback.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=timeout) as answer:
        return json.load(answer)


class Clock:
    """What the kernel says to the programs that run by it."""

    def __init__(self, preload, path):
        self.preload, self.path = preload, path

    def set(self, synced, stands_at):
        ahead = 0 if stands_at is None else int((stands_at - time.time()) * 1000)
        new = self.path.with_suffix(".new")
        new.write_text(f"{int(synced)} {ahead}\n")
        new.rename(self.path)

    def environment(self):
        return {"LD_PRELOAD": str(self.preload), "SP_TEST_CLOCK": str(self.path)}
