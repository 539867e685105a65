# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""Compares what terminals hold with what a hub's database holds, event by event. Reads tables only, and trusts none of
the hub's constraints or counts."""
import collections
import hashlib
import sqlite3

from kiosk_school import Event

Verdict = collections.namedtuple("Verdict", "lost doubled strange arrived")


def code(secret, pseudonym):
    """A hub keeps no pseudonym, but this of it."""
    return hashlib.sha256(f"{secret}{'person':<8}{pseudonym}".encode()).digest()[:16]


def rows(path):
    """Of each punch that a board has sent: kiosk, code, number, time of the dial. The last three are None for one that the
    hub took for known: the board has sent it under two numbers of its feed."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30) as hub:
        secret, = hub.execute("SELECT value FROM meta WHERE key = 'person_secret'").fetchone()
        found = hub.execute(
            "SELECT event.instance, person.code, punch.number, punch.kiosk_time FROM event"
            " LEFT JOIN punch ON punch.id = event.id LEFT JOIN person ON person.id = punch.person"
            " WHERE event.type = 'punch'"
            " UNION ALL SELECT kiosk.name, person.code, punch.number, punch.kiosk_time FROM punch"
            " JOIN kiosk ON kiosk.id = punch.kiosk JOIN person ON person.id = punch.person"
            " WHERE NOT EXISTS (SELECT 1 FROM event WHERE event.id = punch.id)").fetchall()
    return secret, found


def compare(path, expected):
    secret, found = rows(path)
    wanted = collections.Counter(Event(event.kiosk, code(secret, event.person), event.said) for event in expected)
    numbered = {event.kiosk for event in expected if isinstance(event.said, int)}
    timed = {event.kiosk for event in expected if isinstance(event.said, str)}
    arrived, doubled = collections.Counter(), []
    for kiosk, person, number, when in found:
        if person is None:
            doubled.append(Event(kiosk, None, None))
            continue
        arrived[Event(kiosk, person, number if kiosk in numbered else when if kiosk in timed else None)] += 1
    for event, count in arrived.items():
        if event in wanted:
            doubled += [event] * (count - wanted[event])
    return Verdict(lost=list((wanted - arrived).elements()), doubled=doubled,
                   strange=[event for event in arrived if event not in wanted], arrived=arrived)
