# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""One scenario's run: a school with its programs, and the faults of the scenario with their true times."""
import contextlib
import pathlib
import random
import re
import time

import building
import programs as running
import space as spaces
import truth

SETTLE_S = 60        # patience until all rungs have answered once
SLACK_S = 20         # patience beyond a limit, so that a late answer is seen as late and not as none
DELIVERY_S = 60
HOLD_S = 3           # how long a fault goes on after it was named: the verdict must stand
CALM_S = 5           # how long the line is watched after it came back: nothing may follow
ONCE = {("cable", "any"), ("dns", "any"), ("portal", "any"), ("hub", "any")}
TWICE = ("address", "gateway", "isp_access", "isp_core", "international")  # in each family


class Lab:
    """Use it as a context. Scenario functions call break_(), wait_cause(), wait_up(), hold()."""

    def __init__(self, build, logs, seed, extras=(), agent=None):
        self.logs = pathlib.Path(logs)
        self.random = random.Random(seed)
        self.school = building.School(running.find(build, "lab_relay"), self.logs, extras)
        self.programs = None
        self.build, self.agent = build, agent or {}
        self.faults = []
        self.tolerated = []   # (from, to): a short outage in there is neither asked for nor wrong
        self.extra = {}       # figures of a scenario's own
        self.complaints = []  # what a scenario found wrong itself
        self.began = spaces.now()
        self.store = truth.Store(self.logs / "hub.db")

    @property
    def space(self):
        return self.school.space

    def __enter__(self):
        self.school.__enter__()
        try:
            self.programs = running.Programs(self.school, self.build, self.logs, self.logs, self.agent)
            self.programs.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.programs:
            self.programs.kill()
        self.school.__exit__()

    def say(self, text):
        with open(self.logs / "lab.log", "a", encoding="utf-8") as log:
            print(f"{spaces.now():14.6f} {text}", file=log)

    # ---- for scenario functions ----------------------------------------------------------------

    def wait(self, condition, what, patience, check=True):
        return running.wait_until(condition, what, patience, check=self.programs.check if check else None)

    def settle(self, warm_s=0):
        """Until the line is up in both families, every rung has answered and the hub knows; then some
        random moment later, so that no fault keeps step with the probes."""
        families = self.school.plan.families
        wanted = ONCE | {(rung, family) for rung in TWICE for family in families}

        def settled():
            line = self.programs.line()
            good = line and line["state"] == "up" and all(line[family] == "up" for family in families)
            known = good and {(r["rung"], r["family"]) for r in line["rungs"] if r["status"] == "ok"}
            return good and wanted <= known and self.delivered()
        try:
            self.wait(settled, "the line to be up on every rung", SETTLE_S)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; the agent says {self.programs.line()}") from None
        self.say("settled")
        self.hold(warm_s + self.random.uniform(1, 4))

    @contextlib.contextmanager
    def break_(self, name, fault, line="main"):
        """Breaks, counts as an injected fault of that line, and mends."""
        before = spaces.now()
        with fault:
            began = spaces.now()
            self.faults.append(truth.Injected(name, (before + began) / 2, line))
            self.say(f"{name} broken (took {began - before:.3f} s)")
            yield
            before = spaces.now()
        ended = spaces.now()
        next(f for f in self.faults if (f.name, f.line) == (name, line) and f.ended is None).ended = (before + ended) / 2
        self.say(f"{name} mended (took {ended - before:.3f} s)")

    @contextlib.contextmanager
    def tolerate(self, name, fault, after_s=10):
        """Something short that may be seen as an outage, and need not."""
        began = spaces.now()
        with self.unnoticed(name, fault):
            yield
        self.tolerated.append((began, spaces.now() + after_s))

    def complain(self, text):
        """Something that no outage shows is wrong: the scenario has failed."""
        self.say(f"COMPLAINT: {text}")
        self.complaints.append(text)

    def expect(self, good, text):
        if not good:
            self.complain(text)

    @contextlib.contextmanager
    def unnoticed(self, name, fault):
        """Breaks something that is no outage."""
        with fault:
            self.say(f"{name} begins")
            yield
        self.say(f"{name} is over")

    def hold(self, seconds):
        end = spaces.now() + seconds
        while (left := end - spaces.now()) > 0:
            self.programs.check()
            time.sleep(min(left, 0.5))

    @staticmethod
    def now():
        return spaces.now()

    def rtt_ms(self, address):
        """As a ping of the board's has it, on average."""
        text = self.space.run("board", "ping", "-n", "-c", "10", "-i", "0.2", "-W", "2", address, check=False).stdout
        return float(re.search(r"= [\d.]+/([\d.]+)/", text)[1])

    def wait_fact(self, kind, right, patience):
        """Until the hub has such a fact; else something is wrong."""
        try:
            self.wait(lambda: any(right(fact) for fact in self.store.facts(kind)), f"a fact {kind}", patience)
        except TimeoutError:
            self.complain(f"no such fact {kind}")

    def wait_cause(self, cause, limit, name="main"):
        """Until the agent says so, or has said otherwise for too long; and a little longer."""
        def named():
            line = self.programs.line(name)
            return line and line["cause"] == cause
        with contextlib.suppress(TimeoutError):
            self.wait(named, cause, limit + SLACK_S)
        self.hold(HOLD_S)

    def wait_state(self, state, limit):
        def reached():
            line = self.programs.line()
            return line and line["state"] == state
        with contextlib.suppress(TimeoutError):
            self.wait(reached, f"the line to be {state}", limit)

    def wait_up(self, limit, name="main"):
        def up():
            line = self.programs.line(name)
            return line and line["state"] == "up" and line["cause"] == "none"
        with contextlib.suppress(TimeoutError):
            self.wait(up, "the line to be up", limit + SLACK_S)
        self.hold(CALM_S)

    def delivered(self):
        """Everything that the agent knows by now is at the hub."""
        status = self.programs.ask("status")
        return (status and status["journal"]["unsettled"]["facts"] == 0 and status["journal"]["waiting"] == 0
                and self.store.facts("line"))

    def wait_delivered(self):
        self.wait(self.delivered, "the facts to be at the hub", DELIVERY_S)
