# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""A storm over a school's terminals: events of every protocol while agent, broker and hub are killed at random. Terminals
send their whole logs again, lose their streams, are switched off. Whatever any of them holds must be
at the hub once: kiosk_check.py. What is random about the plan comes from one seed."""
import collections
import datetime
import pathlib
import random
import threading
import time

import board
import kiosk_check
import kiosk_school
import support

# A queue that overflows while the hub is away, and an autosave that never comes.
BROKER = "max_queued_messages 100\nautosave_interval 1800\n"
SHARES = {"adms": 40, "hikvision": 22, "webhook": 20, "zk4370": 13, "cards": 5}
BETWEEN_S = (0.1, 1.1)  # kills


class Storm:
    def __init__(self, directory, preload, seed, events, kills, say=print):
        self.directory, self.seed, self.events, self.kills, self.say = pathlib.Path(directory), seed, events, kills, say
        self.random = random.Random(seed)
        self.killed, self.happened = collections.Counter(), collections.Counter()
        clock = support.Clock(preload, self.directory / "clock")
        clock.set(True, None)
        self.broker = support.Broker(self.directory / "broker", extra=BROKER)
        self.broker.port = kiosk_school.steady_port()
        self.hub = board.Hub(self.directory, self.broker.port)
        self.school = kiosk_school.School(self.directory, self.broker.port, clock)
        self.queues, self.broken = [], []
        self.first = datetime.datetime.now(kiosk_school.VIETNAM).replace(hour=5, minute=0, second=0, microsecond=0,
                                                                         tzinfo=None) - datetime.timedelta(days=2)

    # ---- what is punched

    def plan(self):
        """Which terminal has an event, in order; readers are apart, as people stand in line there."""
        out = []
        for protocol, share in SHARES.items():
            count = self.events * share // 100
            names = list(getattr(self.school, protocol))
            if protocol == "cards":
                for i in range(count):
                    name = names[i % len(names)]
                    self.school.shown[name].append(kiosk_school.card_number(self.school.cards[name], i))
            else:
                out += [(protocol, self.random.choice(names)) for _ in range(count)]
        for _ in range(self.events - len(out) - sum(map(len, self.school.shown.values()))):
            out.append(("adms", "adms-0"))
        self.random.shuffle(out)
        return out

    def punch(self, protocol, name):
        terminal = getattr(self.school, protocol)[name]
        person = self.random.randint(1000, 1300)
        # A second of its own at each terminal: two identical punches of one second are one by the protocol.
        when = self.first + datetime.timedelta(seconds=len(terminal.log))
        if protocol == "adms":
            terminal.punch(person, when, status=self.random.choice((0, 1, 255)), verify=self.random.choice((1, 4, 15)))
        elif protocol == "zk4370":
            terminal.punch(person, when, verify=self.random.choice((1, 15)), state=self.random.randint(0, 1))
        elif protocol == "hikvision":
            # Now and then somebody is turned away, or the stream misses it.
            minor = self.random.choice((75, 75, 75, 1, 38, 76, 9))
            terminal.punch(f"{person:06d}" if minor != 9 else "", minor, silent=self.random.random() < 0.1)
            return minor not in (76, 9)
        else:
            terminal.punch(person, method=self.random.choice(("card", "face")))
        return True

    def produce(self, plan, pause):
        try:
            for protocol, name in plan:
                while not self.punch(protocol, name):
                    self.happened["nobody's events"] += 1
                time.sleep(pause)
        except Exception as error:  # of a thread: told by run()
            self.broken.append(error)

    # ---- what breaks

    ALWAYS = ("agent", "hub", "broker")  # however short the storm
    VICTIMS = {("agent",): 8, ("broker",): 4, ("hub",): 5, ("agent", "broker"): 1, ("agent", "hub"): 1, ("hub", "broker"): 1,
               ("agent", "broker", "hub"): 1}

    def kill(self, name):
        self.killed[name] += 1
        {"agent": lambda: self.school.agent, "broker": lambda: self.broker.process,
         "hub": lambda: self.hub.process}[name]().kill()

    def start(self, name):
        {"agent": self.school.start_agent, "broker": self.broker.start, "hub": self.hub.start}[name]()

    def strike(self, left):
        """One to three programs, by chance and in any order; how many."""
        victims = list(self.random.choices(list(self.VICTIMS), list(self.VICTIMS.values()))[0][:left])
        if sum(self.killed.values()) < len(self.ALWAYS):
            victims = [self.ALWAYS[sum(self.killed.values())]]
        for name in (self.school.agent, self.hub.process, self.broker.process):
            assert name.running(), f"{name.arguments[0]} ended by itself:\n{name.tail()}"
        for name in victims:
            self.kill(name)
        self.random.shuffle(victims)
        for name in victims:
            time.sleep(self.random.uniform(0, 0.2))
            self.start(name)
        return len(victims)

    def disturb(self):
        """Something that a terminal does of itself."""
        school, chance = self.school, self.random
        what = chance.choice(("whole logs", "posts again", "streams cut", "terminals off", "nothing", "nothing"))
        if what != "nothing":
            self.happened[what] += 1
        if what == "whole logs":
            chance.choice(list(school.adms.values())).send_everything_again()
        elif what == "posts again":
            chance.choice(list(school.webhook.values())).again()
        elif what == "streams cut":
            terminal = chance.choice(list(school.hikvision.values()))
            terminal.replays = chance.random() < 0.5
            terminal.drop()
        elif what == "terminals off":
            terminal = chance.choice(list(school.hikvision.values()))
            terminal.stop()
            time.sleep(chance.uniform(0, 0.2))
            terminal.start()

    # ---- the whole of it

    def run(self):
        self.say(f"kiosk storm: seed {self.seed}, {self.events} events, {self.kills} kills")
        began = time.monotonic()
        self.broker.start()
        self.hub.start()
        self.school.start_agent()
        plan = self.plan()
        self.school.run_terminals()
        for name, reader in self.school.cards.items():
            self.queues.append(reader.queue(self.school.shown[name], timeout=600))
        producer = threading.Thread(target=self.produce, args=(plan, self.kills * 0.7 / max(len(plan), 1)), daemon=True)
        producer.start()
        # The last ones come when nothing new does, the very last is the agent's: zk4370 asks after a start.
        left = self.kills - 1
        while left > 0:
            time.sleep(self.random.uniform(*BETWEEN_S))
            self.disturb()
            left -= self.strike(left)
        producer.join()
        assert not self.broken, self.broken
        for terminal in self.school.zk4370.values():
            terminal.wanted = terminal.goodbyes + 1
        self.kill("agent")
        self.start("agent")
        self.settle()
        # Once more, all of it.
        for terminal in self.school.adms.values():
            terminal.send_everything_again()
        for kiosk in self.school.webhook.values():
            kiosk.again()
        for terminal in self.school.hikvision.values():
            terminal.replays = True
            terminal.drop()
        self.settle()
        self.seconds = time.monotonic() - began

    def settle(self):
        """Until nobody holds anything back: the terminals, their people, the board, the hub."""
        school = self.school
        wait = 120 + self.events / 50
        support.wait_until(lambda: not any(terminal.pending() for terminal in school.adms.values()), "the ADMS terminals", wait)
        support.wait_until(lambda: not any(kiosk.waiting for kiosk in school.webhook.values()), "the webhooks", wait)
        for queue in self.queues:
            queue.join(wait)
            assert not queue.is_alive(), "people still stand before a reader"
        support.wait_until(school.visit_all, "the zk4370 visits", wait)
        expected = school.expected()
        try:
            support.wait_until(lambda: not kiosk_check.compare(self.hub.db, expected).lost, "all events at the hub", wait, every=0.5)
        except AssertionError:
            pass  # the verdict tells which
        support.wait_until(self.settled, "the hub to settle everything", wait, every=0.2)

    def settled(self):
        """Samples and facts of its own life come all the time."""
        status = board.status(self.directory / "agent.sock")
        return status and status["journal"]["waiting"] == 0 and status["journal"]["unsettled"]["attendance"] == 0

    def stop(self):
        self.school.stop()
        self.hub.stop()
        if self.broker.process and self.broker.process.running():
            self.broker.stop()

    def verdict(self):
        return kiosk_check.compare(self.hub.db, self.school.expected())

    def line(self, verdict):
        kinds = collections.Counter(self.school.protocol(event.kiosk) for event in self.school.expected())
        names = lambda counter: ", ".join(f"{name} {count}" for name, count in sorted(counter.items()))
        return (f"{sum(kinds.values())} events ({names(kinds)}), {sum(self.killed.values())} kills ({names(self.killed)}; "
                f"{names(self.happened)}): {len(verdict.lost)} lost, {len(verdict.doubled)} doubled, {self.seconds:.0f} s, "
                f"seed {self.seed}")
