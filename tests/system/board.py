# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""One agent with a simulated line and kiosk, and one hub, as the tests of bad input use them; or an agent with nothing but
kiosks."""
import json
import sqlite3
import subprocess

import storm_check
import support

AGENT = """\
[agent]
state_dir = {state}
socket = {socket}
shard = test
device = board
summary_window = 1s
samples_interval = 1s

[mqtt]
host = 127.0.0.1
port = {port}
keepalive = 5s
will_delay = 2s
backlog_per_second = 200
resend_min = 1s
resend_max = 2s
reconnect_max = 1s
{mqtt}

[journal]
bulk_commit = 1s
{journal}

[attendance]
legal_basis = a test
publish = events

[board]
interval = 1s
{board}

[line "main"]

[sim_line "weather"]
line = main

[sim_kiosk "gate"]
period = 100ms
log = {list}
{kiosk}
"""

KIOSKS = """\
[agent]
state_dir = {state}
socket = {socket}
shard = test
device = board
summary_window = 1s

[mqtt]
host = 127.0.0.1
port = {port}
resend_min = 1s
resend_max = 2s
reconnect_max = 1s
{mqtt}

[attendance]
legal_basis = Quyết định 12/QĐ-HT
publish = events

{sections}
"""

HUB = """\
[hub]
db = {db}
reconnect_window = 1s

[mqtt]
host = 127.0.0.1
port = {port}
shards = test
{mqtt}

[http]
listen = 127.0.0.1
port = {http}
"""


def status(path):
    """The agent's own word, or None while it does not answer at its socket."""
    done = subprocess.run([support.program("schoolpulse"), "--socket", path, "status", "--json"], capture_output=True,
                          text=True, timeout=30)
    return json.loads(done.stdout) if done.returncode == 0 else None


class Agent:
    def __init__(self, directory, port, state=None, mqtt="", journal="", kiosk="", board="", manager=None):
        self.program, self.environment = support.program("schoolpulsed"), {}
        self.board = board
        self.directory, self.port, self.manager = directory, port, manager
        self.state = state or directory / "state"
        self.list = directory / "committed"
        self.mqtt, self.journal, self.kiosk = mqtt, journal, kiosk
        self.process = None

    def start(self):
        conf = self.directory / "agent.conf"
        conf.write_text(AGENT.format(state=self.state, socket=self.directory / "agent.sock", port=self.port,
                                     list=self.list, mqtt=self.mqtt, journal=self.journal, kiosk=self.kiosk,
                                     board=self.board))
        environment = {**self.environment, **(self.manager.environment() if self.manager else {})}
        self.process = support.Process([self.program, "--config", conf], self.directory / "agent.log", env=environment)

    def status(self):
        return status(self.directory / "agent.sock")

    def wait_for(self, condition, what, timeout=support.PATIENCE):
        """A true value of condition(status)."""
        def look():
            assert self.process.running(), f"the agent ended ({self.process.popen.returncode}):\n{self.process.tail()}"
            status = self.status()
            return status and condition(status)
        try:
            return support.wait_until(look, what, timeout, every=0.1)
        except AssertionError as error:
            status = self.status() or {}
            raise AssertionError(f"{error}\n{status.get('journal')}\n{status.get('publisher')}\n"
                                 f"{self.process.tail()}") from None

    def numbers(self):
        return storm_check.read_list(self.list)

    def stop(self):
        if self.process and self.process.running():
            assert self.process.stop() == 0, self.process.tail()


class KioskBoard:
    """An agent before which peers stand, on a clock that a test sets, with a hub that it may start."""

    def __init__(self, directory, broker, preload):
        self.directory, self.broker = directory, broker
        self.clock = support.Clock(preload, directory / "clock")
        self.clock.set(True, None)
        self.hub = Hub(directory, broker.port)
        self.agent = None

    def launch(self, sections, mqtt=""):
        conf = self.directory / "agent.conf"
        conf.write_text(KIOSKS.format(state=self.directory / "state", socket=self.directory / "agent.sock",
                                      port=self.broker.port, mqtt=mqtt, sections=sections), encoding="utf-8")
        self.agent = support.Process([support.program("schoolpulsed"), "--config", conf], self.directory / "agent.log",
                                     env=self.clock.environment())

    def stop(self):
        if self.agent and self.agent.running():
            assert self.agent.stop() == 0, self.agent.tail()
        if self.hub.process:
            self.hub.stop()


class Hub:
    def __init__(self, directory, port, mqtt=""):
        self.directory, self.port, self.mqtt = directory, port, mqtt
        self.db = directory / "hub.db"
        self.process = self.http = None

    def launch(self):
        self.http = support.free_port()
        conf = self.directory / "hub.conf"
        conf.write_text(HUB.format(db=self.db, port=self.port, http=self.http, mqtt=self.mqtt))
        self.process = support.Process([support.program("schoolpulse-hub"), "--config", conf, "all"],
                                       self.directory / "hub.log")

    def start(self):
        """Until its API answers; on another port when somebody took the first one."""
        for _ in range(20):
            self.launch()
            support.wait_until(lambda: not self.process.running() or self.answers(), "the hub")
            if self.process.running():
                return
        raise AssertionError(self.process.tail())

    def get(self, path):
        return support.http_json(f"http://127.0.0.1:{self.http}{path}")

    def answers(self):
        try:
            return self.get("/healthz")
        except (OSError, ValueError):
            return None

    def query(self, sql, *values):
        with sqlite3.connect(f"file:{self.db}?mode=ro", uri=True, timeout=30) as hub:
            return hub.execute(sql, values).fetchall()

    def kiosk_numbers(self):
        """As a list: what is there twice is there twice."""
        return [number for number, in self.query("SELECT number FROM punch")]

    def stop(self):
        if self.process and self.process.running():
            assert self.process.stop() == 0, self.process.tail()


def assert_all_delivered(agent, hub):
    """What the kiosk was told is at the hub exactly once."""
    told = support.wait_until(agent.numbers, "the kiosk's first numbers")
    support.wait_until(lambda: told <= set(hub.kiosk_numbers()), "everything told as committed to be at the hub")
    there = hub.kiosk_numbers()
    assert len(there) == len(set(there)), "doubled"
