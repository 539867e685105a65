# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""A storm over one board, one broker and one hub: kills, power cuts, old copies put back, a card that is
copied, messages that come twice and in another order, and the broker's own traps. What must hold
afterwards is in storm_check.py. Everything random comes from one seed."""
import argparse
import collections
import json
import os
import pathlib
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

import mqtt5
import storm_check
import support

SHARD, DEVICE = "storm", "board"
HUB_SESSION = f"schoolpulse-hub-{SHARD}"

AGENT = """\
[agent]
state_dir = {state}
socket = {socket}
shard = {shard}
device = {device}
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

[journal]
bulk_commit = 1s

[attendance]
legal_basis = a storm in a test
publish = events

[board]

"""

SOURCES = """[line "main"]

[sim_line "weather"]
line = main
{sim_line}

[sim_kiosk "{kiosk}"]
{sim_kiosk}
"""

HUB = """\
[hub]
db = {db}
reconnect_window = 1s

[mqtt]
host = 127.0.0.1
port = {port}
shards = {shard}

[http]
listen = 127.0.0.1
port = {http}
"""

# A queue that overflows within a second, and an autosave that never comes: what mosquitto has acknowledged
# is lost by each kill -9, and silently dropped while the hub is away.
BROKER = "max_queued_messages 25\nmax_inflight_messages 5\nautosave_interval 1800\n"


class Card:
    """A board's state folder with its kiosk's list, and the agent that runs on it."""

    def __init__(self, storm, name, kiosk="gate"):
        self.storm, self.name, self.kiosk = storm, name, kiosk
        self.directory = storm.directory / name
        self.directory.mkdir()
        self.state = self.directory / "state"
        self.list = storm.directory / f"{kiosk}.committed"
        self.process = None

    def start(self, quiet=False):
        """`quiet`: nothing new is measured but the agent's own life."""
        text = AGENT.format(state=self.state, socket=self.directory / "agent.sock", shard=SHARD, device=DEVICE,
                            port=self.storm.broker.port)
        if not quiet:
            text += SOURCES.format(kiosk=self.kiosk, sim_line="faults = isp_core@3, ok@5\nrepeat = 8s",
                                   sim_kiosk=f"period = 40ms\ncount = 3\nlog = {self.list}")
        (self.directory / "agent.conf").write_text(text)
        self.process = support.Process([support.program("schoolpulsed"), "--config", self.directory / "agent.conf"],
                                       self.directory / "agent.log")

    def status(self):
        """The agent's own word, or None while it does not answer."""
        done = subprocess.run([support.program("schoolpulse"), "--socket", self.directory / "agent.sock", "status",
                               "--json"], capture_output=True, text=True, timeout=30)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def numbers(self):
        return storm_check.read_list(self.list)


class Listener(threading.Thread):
    """Keeps what the board publishes and what the hub acknowledges, over all restarts of the broker."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.ending, self.client = port, False, None
        self.envelopes = collections.deque(maxlen=2000)
        self.acks = collections.deque(maxlen=2000)
        self.ignored = set()  # digests of our own forgeries: they must not be replayed as truth

    def run(self):
        while not self.ending:
            try:
                self.client = mqtt5.Client(self.port, f"listener-{random.random()}", timeout=5)
                for topic in ("sp1/up/#", "sp1/down/#"):
                    self.client.subscribe(topic)
                while not self.ending:
                    message = self.client.next(0.5)
                    if message:
                        self._keep(message)
                    elif not self.client.alive():
                        break
            except (OSError, ConnectionError):
                time.sleep(0.1)

    def _keep(self, message):
        if message.topic.startswith("sp1/down/"):
            self.acks.append(json.loads(message.payload))
        elif not message.topic.endswith("/state") and not any(
                digest.encode() in message.payload for digest in self.ignored):
            self.envelopes.append(message)


class Storm:
    def __init__(self, directory, seed, rounds, say=print):
        self.directory, self.seed, self.rounds, self.say = pathlib.Path(directory), seed, rounds, say
        self.random = random.Random(seed)
        self.done = collections.Counter()
        self.forged = set()  # (stream, first, digest) of each forged batch that took a known identity
        self.may_miss = set()  # (kiosk, number) that went with a card that was put back
        self.departed = set()  # the same of copied cards that are gone: the hub alone has them
        self.clones = self.expected_clones = self.expected_rollbacks = 0
        self.cards = [Card(self, "card")]
        self.card = self.cards[0]
        self.broker = support.Broker(self.directory / "broker", extra=BROKER)
        self.hub = None
        self.http = None
        self.old_hub = self.old_card = None
        self.listener = None

    # ---- starting and ending ----------------------------------------------------------------------

    def start_hub(self):
        """On a free port each time: the old one may still be in somebody's hands."""
        for _ in range(20):
            self.http = support.free_port()
            (self.directory / "hub.conf").write_text(HUB.format(db=self.directory / "hub.db", port=self.broker.port,
                                                                http=self.http, shard=SHARD))
            self.hub = support.Process([support.program("schoolpulse-hub"), "--config", self.directory / "hub.conf",
                                        "all"], self.directory / "hub.log")
            up = support.wait_until(lambda: not self.hub.running() and "ended" or self._answers() and "up", "the hub")
            if up == "up":
                return
        raise AssertionError(f"the hub does not start:\n{self.hub.tail()}")

    def _answers(self):
        try:
            return support.http_json(f"http://127.0.0.1:{self.http}/healthz", timeout=5)
        except (OSError, ValueError):
            return None

    def start(self):
        self.broker.start()
        self.start_hub()
        self.card.start()
        self.listener = Listener(self.broker.port)
        self.listener.start()
        support.wait_until(self.card.numbers, "the kiosk's first numbers")

    def stop(self):
        if self.listener:
            self.listener.ending = True
            self.listener.join(10)
        for process in [card.process for card in self.cards] + [self.hub]:
            if process and process.running():
                process.stop()
        if self.broker.process and self.broker.process.running():
            self.broker.stop()

    # ---- what may happen -----------------------------------------------------------------------------

    def wait(self, least=0.2, most=1.8):
        time.sleep(self.random.uniform(least, most))

    def stored(self):
        """Rows that the hub has committed."""
        return self._query("SELECT count(*) FROM event")[0]

    def kill_agent(self):
        self.card.process.kill()
        self.wait(0, 0.3)
        self.card.start()

    def kill_broker(self):
        self.broker.kill()
        self.wait(0, 0.5)
        self.broker.start()

    def kill_hub(self):
        self.hub.kill()
        self.wait(0, 0.5)
        self.start_hub()

    def kill_all(self):
        victims = [self.card.process.kill, self.broker.kill, self.hub.kill]
        self.random.shuffle(victims)
        for kill in victims:
            kill()
        restarts = [self.card.start, self.broker.start]
        self.random.shuffle(restarts)
        for start in restarts:
            start()
        self.start_hub()

    def stop_agent_cleanly(self):
        assert self.card.process.stop() == 0, self.card.process.tail()
        self.card.start()

    def hub_dies_after_puback(self):
        """Somebody with the hub's client id takes what the broker holds for it, acknowledges it and is
        gone: exactly a hub that died between PUBACK and COMMIT, as often as one likes."""
        self.hub.kill()
        taken = 0
        thief = mqtt5.Client(self.broker.port, HUB_SESSION, clean=False, expiry=3600)
        enough, end = self.random.randint(1, 30), time.monotonic() + 10
        while taken < enough and time.monotonic() < end:
            taken += thief.next(0.2) is not None
        assert thief.session_present, "the hub's session has another name"
        thief.stream.close()
        self.done["messages taken after PUBACK"] += taken
        self.start_hub()

    def overflow_the_queue(self):
        """The hub is away until the broker's queue for it has overflowed."""
        self.hub.kill()
        log = self.broker.process.text()
        before = log.count("Outgoing messages are being dropped")
        end = time.monotonic() + 8
        while time.monotonic() < end:
            if self.broker.process.text().count("Outgoing messages are being dropped") > before:
                self.done["queue overflows"] += 1
                break
            time.sleep(0.1)
        self.start_hub()

    def lose_the_queue(self):
        """kill -9 of a broker that holds acknowledged messages for an absent hub."""
        self.hub.kill()
        self.wait(0.5, 1.0)
        self.broker.kill()
        self.broker.start()
        self.start_hub()

    def copy_hub(self):
        self.hub.kill()
        self.old_hub = self.directory / "old-hub"
        shutil.rmtree(self.old_hub, ignore_errors=True)
        self.old_hub.mkdir()
        for file in self.directory.glob("hub.db*"):
            shutil.copy(file, self.old_hub)
        self.start_hub()

    def restore_hub(self):
        if not self.old_hub:
            return self.copy_hub()
        self.hub.kill()
        before = self.stored()
        for file in self.directory.glob("hub.db*"):
            file.unlink()
        for file in self.old_hub.iterdir():
            shutil.copy(file, self.directory)
        self.done["rows taken from the hub"] += before - self.stored()
        # What it knew of forgeries and copies went with it, and what only it had. What the board holds
        # comes again.
        self.forged.clear()
        self.may_miss |= self.departed
        self.expected_clones = self.expected_rollbacks = 0
        self.start_hub()

    def numbers(self):
        return {(card.kiosk, number) for card in self.cards for number in card.numbers()}

    def copy_card(self):
        """An image of the card as it is at one moment, under the running agent."""
        numbers = self.numbers()
        os.kill(self.card.process.pid, signal.SIGSTOP)
        copy = shutil.copytree(self.card.state, self.directory / f"old-{self.done['images']}")
        os.kill(self.card.process.pid, signal.SIGCONT)
        self.done["images"] += 1
        self.old_card = copy, numbers

    def restore_card(self):
        """The card as it was: what was committed on it since then is gone from it, and what of that never
        reached the hub is gone altogether. First it issues more, and the hub hears of some of that."""
        if not self.old_card:
            self.copy_card()
        rows = self.stored()
        support.wait_until(lambda: self.stored() > rows + 5, "rows beyond the image")
        self.card.process.kill()
        copy, numbers_then = self.old_card
        self.may_miss |= self.numbers() - numbers_then
        shutil.rmtree(self.card.state)
        shutil.copytree(copy, self.card.state)
        self.old_card = None
        self.expected_rollbacks += 1
        self.card.start()

    def clone_card(self):
        """A copied card speaks while the first is away. Then either the first comes back, so that two
        journals continue the same one, or it never does."""
        self.card.process.kill()
        clone = Card(self, f"clone-{self.clones}", kiosk=self.random.choice([self.card.kiosk, f"gate-{self.clones}"]))
        self.clones += 1
        shutil.copytree(self.card.state, clone.state)
        before = clone.numbers()
        clone.start()
        self.cards.append(clone)
        support.wait_until(lambda: clone.numbers() - before, "the clone's numbers")
        self.wait(0.5, 1.5)
        if self.clones > 1 and self.random.random() < 0.5:
            self.done["clones that stayed"] += 1
            self.card = clone
            return
        # Its last words must be heard: what it alone holds goes with it otherwise.
        self.settle(clone)
        clone.process.kill()
        self.departed |= {(clone.kiosk, number) for number in clone.numbers() - before}
        self.done["clones beside the first"] += 1
        self.expected_clones += 1
        self.card.start()

    def replay(self):
        """Recorded messages, again and in another order."""
        messages = list(self.listener.envelopes)
        self.random.shuffle(messages)
        self.publish(messages[:200])
        self.done["messages replayed"] += len(messages[:200])

    def publish(self, messages):
        client = mqtt5.Client(self.broker.port, f"relay-{self.random.random()}")
        for message in messages:
            values = {mqtt5.CONTENT_TYPE: message.properties[mqtt5.CONTENT_TYPE]}
            client.publish(message.topic, message.payload, values=values)
        client.close()

    def forge(self):
        """A known identity with other content, as of a second board that calls itself the same."""
        known = [message for message in list(self.listener.envelopes)
                 if message.properties.get(mqtt5.CONTENT_TYPE) == b"application/json"]
        self.random.shuffle(known)
        for message in known:
            envelope = json.loads(message.payload)
            if self._query("SELECT 1 FROM batch JOIN stream ON stream.id = batch.stream WHERE name = ? AND first = ?",
                           envelope["stream"], envelope["ev"][0]["seq"]):
                break
        else:
            return
        envelope["ev"][-1]["mono_us"] += 1
        envelope["digest"] = f"{self.random.getrandbits(128):032x}"
        self.listener.ignored.add(envelope["digest"])
        forged = message._replace(payload=json.dumps(envelope).encode())

        def noticed():
            self.publish([forged])
            time.sleep(0.2)
            return self._query("SELECT 1 FROM anomaly a JOIN stream s ON s.id = a.stream WHERE s.name = ? AND kind ="
                               " 'identity_conflict'", envelope["stream"])
        support.wait_until(noticed, "the forgery to be noticed")
        self.forged.add((envelope["stream"], envelope["ev"][0]["seq"], envelope["digest"]))
        self.done["batches forged"] += 1

    def _query(self, sql, *values):
        with sqlite3.connect(f"file:{self.directory}/hub.db?mode=ro", uri=True, timeout=30) as hub:
            return hub.execute(sql, values).fetchone()

    # ---- the whole of it ---------------------------------------------------------------------------------

    ACTIONS = {kill_agent: 6, kill_broker: 4, kill_hub: 6, kill_all: 3, stop_agent_cleanly: 1,
               hub_dies_after_puback: 3, overflow_the_queue: 1, lose_the_queue: 2, copy_hub: 1, restore_hub: 2,
               copy_card: 1, restore_card: 1, clone_card: 1, replay: 3, forge: 2}
    # However short the storm, these happen, in this order. After the old hub was put back for the last time,
    # what is found about copies must stay known.
    ALWAYS = [kill_agent, kill_broker, kill_hub, copy_hub, hub_dies_after_puback, copy_card, overflow_the_queue,
              restore_hub, lose_the_queue, replay, clone_card, forge, restore_card, kill_all]

    def plan(self):
        drawn = self.random.choices(list(self.ACTIONS), list(self.ACTIONS.values()), k=self.rounds)
        for place, action in zip(sorted(self.random.sample(range(self.rounds), min(self.rounds, len(self.ALWAYS)))),
                                 self.ALWAYS):
            drawn[place] = action
        last = len(drawn) - drawn[::-1].index(Storm.lose_the_queue) if Storm.lose_the_queue in drawn else 0
        return [Storm.kill_hub if action is Storm.restore_hub and place >= last else action
                for place, action in enumerate(drawn)]

    def run(self):
        self.say(f"storm: seed {self.seed}, {self.rounds} rounds")
        self.start()
        for number, action in enumerate(self.plan(), 1):
            self.wait()
            self.say(f"{number:4} {action.__name__.replace('_', ' ')}")
            self.done[action.__name__.replace("_", " ")] += 1
            action(self)
            for process in (self.card.process, self.hub, self.broker.process):
                assert process.running(), f"{process.arguments[0]} ended by itself:\n{process.tail()}"
        self.settle(self.card)

    def settle(self, card):
        """Until the board itself says that the hub has settled all that it holds; nothing new meanwhile."""
        card.process.kill()
        card.start(quiet=True)

        def settled():
            status = card.status()
            return status and storm_check.unsettled(status) == 0
        support.wait_until(settled, "the hub to settle everything", timeout=120, every=0.2)

    def expectations(self):
        kiosks = {card.kiosk: card.numbers() for card in self.cards}
        return storm_check.Expected(device=DEVICE, numbers=kiosks, may_miss=set(self.may_miss),
                                    forged=set(self.forged), rollbacks=self.expected_rollbacks,
                                    clones=self.expected_clones)


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=25)
    options.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(32))
    chosen = options.parse_args()
    directory = tempfile.mkdtemp(prefix="sp-storm-")
    storm = Storm(directory, chosen.seed, chosen.rounds)
    try:
        storm.run()
        faults, summary = storm_check.check(storm.directory / "hub.db", storm.expectations())
    finally:
        storm.stop()
    print("\n".join([*(f"FAULT: {fault}" for fault in faults), summary]))
    print(", ".join(f"{what} {count}" for what, count in sorted(storm.done.items())))
    if faults:
        print(f"everything is left in {directory}")
        return 1
    shutil.rmtree(directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
