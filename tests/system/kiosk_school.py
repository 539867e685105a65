# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""A school with simulated terminals of every protocol before one board. What is said of an event here is what its
terminal holds; who stands behind it is reckoned anew from the board's key file, with no code of ours."""
import collections
import datetime
import hashlib
import hmac
import pathlib
import random
import socket
import sys

import support

sys.path.insert(0, str(support.SOURCE / "tests"))
from peers import adms, cards, hikvision, webhook, zk4370  # noqa: E402

SHARD, DEVICE = "test", "board"
VIETNAM = datetime.timezone(datetime.timedelta(hours=7))
SECRET = "a-secret-of-this-school"

AGENT = """\
[agent]
state_dir = {state}
socket = {socket}
shard = {shard}
device = {device}
{agent}

[mqtt]
host = 127.0.0.1
port = {port}
keepalive = 5s
will_delay = 2s
backlog_per_second = 1000
resend_min = 1s
resend_max = 2s
reconnect_max = 1s

[attendance]
legal_basis = a test
publish = {publish}

[board]
root = {root}

"""

# What a hub holds of one event: `kiosk` names the terminal, `person` is the board's pseudonym, `said` its own number of it,
# or the time of its dial where it numbers nothing, or None where it has neither: a reader.
Event = collections.namedtuple("Event", "kiosk person said")


def steady_port():
    """One that no outgoing connection gets by chance while its owner is away."""
    while True:
        port = random.SystemRandom().randint(20000, 32000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class Keys:
    """The board's key file, as a person who restores it would read it."""

    def __init__(self, state):
        self.years = {}
        for line in (pathlib.Path(state) / "attendance.keys").read_text().splitlines()[1:]:
            name, _, value = line.partition(" ")
            if name.isdigit():
                self.years[int(name)] = bytes.fromhex(value)

    def person(self, kind, number, day):
        year = day.year if day.month >= 8 else day.year - 1
        text = bytes([len(kind)]) + kind.encode() + str(number).encode()
        return hmac.new(self.years[year], text, hashlib.sha256).hexdigest()[:32]


class School:
    """`counts`: of each protocol how many terminals. A test drives them by `punch` and the terminals' own methods."""

    COUNTS = {"adms": 4, "hikvision": 2, "webhook": 2, "cards": 2, "zk4370": 2}

    def __init__(self, directory, broker_port, clock, counts=None, publish="events", agent="", timeout=15):
        self.directory, self.broker_port, self.clock = pathlib.Path(directory), broker_port, clock
        self.publish, self.agent_options = publish, agent
        self.state, self.root = self.directory / "state", self.directory / "root"
        self.root.mkdir(exist_ok=True)
        self.agent = None
        self.adms_port, self.webhook_port = steady_port(), steady_port()
        while self.webhook_port == self.adms_port:
            self.webhook_port = steady_port()
        self.secret = self.directory / "secret"
        self.secret.write_text(SECRET + "\n")
        self.secret.chmod(0o600)
        counts = counts or self.COUNTS
        generations = list(adms.GENERATIONS)
        self.adms = {f"adms-{i}": adms.Terminal(self.adms_port, f"SYNADMS{i}", generations[i % len(generations)], batch=50,
                                                extra="\t1\t36.6", timeout=timeout) for i in range(counts.get("adms", 0))}
        self.hikvision = {f"hik-{i}": hikvision.Terminal(f"DS-K1T671MSYN{i}", style=("json", "xml")[i % 2])
                          for i in range(counts.get("hikvision", 0))}
        self.webhook = {f"post-{i}": webhook.Kiosk(self.webhook_port, SECRET, f"post-{i}", path=f"/post-{i}", batch=40,
                                                   timeout=timeout) for i in range(counts.get("webhook", 0))}
        self.cards = {f"reader-{i}": cards.Reader(self.directory, self.root, f"reader-{i}", ("rdm6300", "wiegand26")[i % 2])
                      for i in range(counts.get("cards", 0))}
        self.zk4370 = {f"zk-{i}": zk4370.Terminal(f"SYNZK{i}", size=(40, 16)[i % 2], transport=("tcp", "udp")[i % 2])
                       for i in range(counts.get("zk4370", 0))}
        self.shown = collections.defaultdict(list)  # reader -> numbers that somebody has shown or will

    # ---- the board

    def sections(self):
        for name, terminal in self.adms.items():
            yield f'[adms "{name}"]\nserial = {terminal.serial}\naddress = 127.0.0.1\nport = {self.adms_port}\n'
        for name, terminal in self.hikvision.items():
            yield (f'[hikvision "{name}"]\nurl = {terminal.url}\nuser = observer\npassword = {terminal.password}\n'
                   "silence = 5s\n")
        for name in self.webhook:
            yield (f'[webhook "{name}"]\naddress = 127.0.0.1\nport = {self.webhook_port}\npath = /{name}\n'
                   f"secret_file = {self.secret}\n")
        for reader in self.cards.values():
            yield reader.section()
        for name, terminal in self.zk4370.items():
            yield (f'[zk4370 "{name}"]\nhost = 127.0.0.1\nport = {terminal.port}\nserial = {terminal.serial}\nspread = 0s\n'
                   f"retry = 1min\ntransport = {terminal.transport}\n")

    def start_agent(self):
        conf = self.directory / "agent.conf"
        text = AGENT.format(state=self.state, socket=self.directory / "agent.sock", shard=SHARD, device=DEVICE,
                            port=self.broker_port, publish=self.publish, root=self.root, agent=self.agent_options)
        conf.write_text(text + "\n".join(self.sections()), encoding="utf-8")
        self.agent = support.Process([support.program("schoolpulsed"), "--config", conf], self.directory / "agent.log",
                                     env=self.clock.environment())

    def stop(self):
        for terminal in [*self.adms.values(), *self.webhook.values()]:
            terminal.stop()
        for terminal in self.hikvision.values():
            if terminal.server:
                terminal.stop()
        for terminal in [*self.cards.values(), *self.zk4370.values()]:
            terminal.close()
        if self.agent and self.agent.running():
            self.agent.stop()

    def run_terminals(self):
        """Those that push do so on their own from now on; readers' people are queued by queue()."""
        for terminal in self.adms.values():
            terminal.start(pace=0.1, after_failure=0.1)
        for kiosk in self.webhook.values():
            kiosk.run(pause=0.1)

    # ---- what they hold

    def expected(self):
        """Every event that any terminal holds, once."""
        keys = Keys(self.state)
        today = datetime.datetime.now(VIETNAM).date()
        events = []

        def add(kiosk, kind, number, day, said):
            events.append(Event(kiosk, keys.person(kind, number, day), said))

        for name, terminal in self.adms.items():
            for record in terminal.log:
                add(name, "pin", record.pin, datetime.date.fromisoformat(record.time[:10]), record.time.replace(" ", "T"))
        for name, terminal in self.hikvision.items():
            passed = set(terminal.produced())
            for event in terminal.log:
                if event["serial"] in passed:
                    add(name, "pin", event["person"], datetime.date.fromisoformat(event["time"][:10]), event["serial"])
        for name, kiosk in self.webhook.items():
            for event in kiosk.log:
                add(name, event.get("kind", "pin"), event["person"], datetime.date.fromisoformat(event["time"][:10]),
                    event["number"])
        for name, numbers in self.shown.items():
            for number in numbers:
                add(name, "card", number, today, None)
        for name, terminal in self.zk4370.items():
            for pin, when, _, _ in terminal.log:
                add(name, "pin", pin, when.date(), when.isoformat())
        return events

    def protocol(self, kiosk):
        return next(protocol for protocol in self.COUNTS if kiosk in getattr(self, protocol))

    def visit_all(self):
        """zk4370: asked soon after each start of the agent; True when each has been since its last punch."""
        return all(terminal.goodbyes >= getattr(terminal, "wanted", 0) for terminal in self.zk4370.values())


def card_number(reader, index):
    """26 bits' worth for all, none that a phone would make up."""
    return 100_000 + 7 * index if reader.protocol == "wiegand26" else 0x5A000000 + 11 * index
