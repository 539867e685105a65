# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""One scenario's run: a school with its programs, the faults of the scenario with their true times, and
what the hub made of it."""
import contextlib
import dataclasses
import pathlib
import random
import sys
import time

import programs as running
import school as places
import space as spaces
import truth

SETTLE_S = 60        # patience until all rungs have answered once
SLACK_S = 20         # patience beyond a limit, so that a late answer is seen as late and not as none
DELIVERY_S = 60
HOLD_S = 3           # how long a fault goes on after it was named: the verdict must stand
CALM_S = 5           # how long the line is watched after it came back: nothing may follow
RUNGS = {("cable", "any"), ("dns", "any"), ("portal", "any"), ("hub", "any")} | {
    (rung, family) for rung in ("address", "gateway", "isp_core", "international") for family in ("ipv4", "ipv6")}


class Lab:
    """Use it as a context. Scenario functions call break_(), wait_cause(), wait_up(), hold()."""

    def __init__(self, build, logs, seed, reach="", stream=sys.stderr, name=""):
        self.logs = pathlib.Path(logs)
        self.random = random.Random(seed)
        self.stream, self.label = stream, name
        self.school = places.School(running.find(build, "lab_relay"), self.logs)
        self.programs = None
        self.build, self.reach = build, reach
        self.faults = []
        self.began = spaces.now()
        self.store = truth.Store(self.logs / "hub.db")

    @property
    def space(self):
        return self.school.space

    def __enter__(self):
        self.school.__enter__()
        try:
            self.programs = running.Programs(self.school, self.build, self.logs, self.logs, self.reach)
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
        def settled():
            line = self.programs.line()
            good = line and line["state"] == "up" and line["ipv4"] == line["ipv6"] == "up"
            known = good and {(r["rung"], r["family"]) for r in line["rungs"] if r["status"] == "ok"}
            return good and RUNGS <= known and self.delivered()
        try:
            self.wait(settled, "the line to be up on every rung", SETTLE_S)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; the agent says {self.programs.line()}") from None
        self.say("settled")
        self.hold(warm_s + self.random.uniform(1, 4))

    @contextlib.contextmanager
    def break_(self, name, fault):
        """Breaks, counts as an injected fault, and mends."""
        before = spaces.now()
        with fault:
            began = spaces.now()
            self.faults.append(truth.Injected(name, (before + began) / 2))
            self.say(f"{name} broken (took {began - before:.3f} s)")
            yield
            before = spaces.now()
        ended = spaces.now()
        next(f for f in self.faults if f.name == name and f.ended is None).ended = (before + ended) / 2
        self.say(f"{name} mended (took {ended - before:.3f} s)")

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

    def wait_cause(self, cause, limit):
        """Until the agent says so, or has said otherwise for too long; and a little longer."""
        def named():
            line = self.programs.line()
            return line and line["cause"] == cause
        with contextlib.suppress(TimeoutError):
            self.wait(named, cause, limit + SLACK_S)
        self.hold(HOLD_S)

    def wait_up(self, limit):
        def up():
            line = self.programs.line()
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


def timeline(lab):
    """What was done and what was noticed, in order, for people."""
    rows = [(fact.at, str(fact)) for fact in lab.store.facts("line", "outage", "boot", "stop")]
    for fault in lab.faults:
        rows.append((fault.began, f"==== {fault.name} broken"))
        if fault.ended:
            rows.append((fault.ended, f"==== {fault.name} mended"))
    zero = lab.faults[0].began if lab.faults else lab.began
    return [f"{at - zero:9.3f}  {text}" for at, text in sorted(rows)]


@dataclasses.dataclass
class Result:
    """The line of JSON, in the order of its keys; `extra` is for the table."""
    scenario: str
    cause_expected: str
    cause_found: str = "none"
    detect_s: float = None
    detect_limit_s: float = None
    start_error_s: float = None
    end_error_s: float = None
    false_outages: int = 0
    ok: bool = False
    extra: dict = dataclasses.field(default_factory=dict)

    def line(self):
        values = dataclasses.asdict(self)
        values.pop("extra")
        return {key: round(value, 3) if isinstance(value, float) else value for key, value in values.items()}


def judge_outages(result, lab, scenario):
    """Every fault must have its own outage, named right, in time; and there are no others."""
    pairs, others = truth.match(lab.faults, lab.store.outages())
    found = [(fault, outage) for fault, outage in pairs if outage]
    missing = len(pairs) - len(found)
    result.false_outages = len(others)
    causes = sorted({outage.cause for _, outage in found} | ({"none"} if missing else set()))
    if not pairs:
        causes = sorted({outage.cause for outage in others})
    result.cause_found = "+".join(causes) or "none"
    if missing or not pairs:
        result.ok = not pairs and not others
        return
    right = result.cause_expected
    result.detect_s = max((outage.named_at(right) or outage.opened_at) - fault.began for fault, outage in found)
    result.start_error_s = truth.worst(outage.start - fault.began for fault, outage in found)
    result.end_error_s = truth.worst(outage.closed and outage.end - fault.ended for fault, outage in found)
    recover = truth.worst(outage.closed and outage.closed_at - fault.ended for fault, outage in found)
    if not all(outage.closed for _, outage in found):
        result.end_error_s = recover = None
    result.extra.update(opened_s=max(outage.opened_at - fault.began for fault, outage in found), recover_s=recover,
                        named=["→".join(outage.causes) for _, outage in found])
    limit, edge = scenario.detect_limit_s, scenario.edge_limit_s
    result.ok = (result.cause_found == right and not others and result.detect_s <= limit
                 and abs(result.start_error_s) <= edge and result.end_error_s is not None
                 and abs(result.end_error_s) <= edge and recover <= limit)


def judge_line(result, lab, scenario):
    """The line stays up, and its facts name the cause meanwhile; there is no outage."""
    result.false_outages = len(lab.store.outages())
    fault = lab.faults[0]
    facts = lab.store.facts("line")
    named = next((fact for fact in facts if fact.at >= fault.began and fact.data["cause"] == scenario.cause), None)
    others = {fact.data["cause"] for fact in facts if fact.at >= fault.began} - {"none"}
    result.cause_found = "+".join(sorted(others)) or "none"
    if not named:
        return
    over = next((fact for fact in facts if fact.at > named.at and fact.data["cause"] != scenario.cause), None)
    result.detect_s = named.at - fault.began
    recover = over.at - fault.ended if over else None
    result.extra.update(opened_s=result.detect_s, recover_s=recover, named=[scenario.cause])
    result.ok = (result.cause_found == scenario.cause and named.data["state"] == "up" and not result.false_outages
                 and result.detect_s <= scenario.detect_limit_s and over is not None
                 and over.data["cause"] == "none" and recover <= scenario.detect_limit_s)
