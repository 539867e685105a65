# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""What the hub has stored, laid beside what was done. Times are seconds of CLOCK_MONOTONIC_RAW on both
sides: the lab's when it broke and mended, the records' own for what the agent noticed."""
import dataclasses
import json
import sqlite3

EARLY_S = 3.0  # an outage that begins up to so long before its fault may still be meant for it


@dataclasses.dataclass
class Fact:
    at: float  # when the record was made
    seq: int
    type: str
    data: dict
    line: str = "main"

    def __str__(self):
        keys = ("phase", "state", "previous", "cause", "whose", "ipv4", "ipv6", "egress", "event", "hop", "position",
                "prefix", "reason", "outage")
        return f"{self.type} {self.line} " + " ".join(f"{key}={self.data[key]}" for key in keys if self.data.get(key) is not None)


@dataclasses.dataclass
class Outage:
    """One of the hub's outages; its last stored word decides, its facts tell when."""
    name: str
    facts: list
    cause: str
    closed: bool
    line: str = "main"

    @property
    def start(self):
        return self.facts[-1].data["start_mono_us"] / 1e6

    @property
    def start_width(self):
        return self.facts[-1].data.get("start_uncertainty_seconds") or 0

    @property
    def end(self):
        return self.facts[-1].data["end_mono_us"] / 1e6 if self.closed else None

    @property
    def opened_at(self):
        return self.facts[0].at

    @property
    def closed_at(self):
        return self.facts[-1].at if self.closed else None

    @property
    def causes(self):
        """As they were named, each once in a row."""
        found = []
        for fact in self.facts:
            if not found or found[-1] != fact.data["cause"]:
                found.append(fact.data["cause"])
        return found

    def named_at(self, cause):
        return next((fact.at for fact in self.facts if fact.data["cause"] == cause), None)


class Store:
    """The hub's database, read as it stands."""

    def __init__(self, db):
        self.db = db

    def _rows(self, sql):
        try:
            with sqlite3.connect(f"file:{self.db}?mode=ro", uri=True, timeout=30) as hub:
                return hub.execute(sql).fetchall()
        except sqlite3.OperationalError:
            return []  # not made yet

    def facts(self, *types, line="main"):
        """Of one line and of the agent itself, or of all (None)."""
        wanted = ", ".join(f"'{name}'" for name in types)
        of = "" if line is None else f"AND instance IN ('{line}', '') "
        rows = self._rows("SELECT mono_us, seq, type, data, instance FROM event WHERE type IN "
                          f"({wanted}) {of}ORDER BY mono_us, stream, seq")
        return [Fact(mono / 1e6, seq, kind, json.loads(data), name) for mono, seq, kind, data, name in rows]

    def outages(self):
        """As the hub's own table of outages has them, of all lines, oldest first."""
        rows = self._rows("SELECT name, cause, end_ms IS NOT NULL, line FROM outage ORDER BY start_ms")
        by_name = {}
        for fact in self.facts("outage", line=None):
            by_name.setdefault(fact.data["outage"], []).append(fact)
        found = [Outage(name, by_name.get(name, []), cause, bool(closed), line) for name, cause, closed, line in rows]
        unfounded = [outage.name for outage in found if not outage.facts]
        if unfounded:
            raise AssertionError(f"the hub shows outages of which it has no fact: {unfounded}")
        return sorted(found, key=lambda outage: outage.opened_at)


@dataclasses.dataclass
class Injected:
    """One fault as it was done."""
    name: str
    began: float
    line: str = "main"
    ended: float = None


def match(faults, outages, tolerated=(), early=EARLY_S):
    """Pairs (fault, its outage or None), and the outages that are nobody's."""
    left = [outage for outage in outages if not any(
        began - EARLY_S <= outage.start and outage.closed and outage.closed_at <= until for began, until in tolerated)]
    pairs = []
    for fault in faults:
        own = next((outage for outage in left if outage.line == fault.line and fault.began - early <= outage.start
                    and outage.opened_at <= (fault.ended or float("inf")) + EARLY_S
                    and outage.opened_at >= fault.began), None)
        if own:
            left.remove(own)
        pairs.append((fault, own))
    return pairs, left


def worst(values):
    """The one farthest from zero; None when one of them is not known, or there is none."""
    values = list(values)
    return None if not values or None in values else max(values, key=abs)
