# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""What must be true of a hub's database after a storm. Reads the tables only, and trusts none of the hub's
own constraints or counters; test_storm.py shows that each of these faults is found."""
import collections
import json
import pathlib
import sqlite3

Expected = collections.namedtuple("Expected", "device numbers may_miss forged clones rollbacks")

# Kinds of gaps, as the hub's schema numbers them.
OPEN, LOST, DROPPED = 0, 1, 2


def read_list(path):
    """The numbers that a simulated kiosk was told are committed. A torn last line was never told."""
    try:
        text = pathlib.Path(path).read_text()
    except FileNotFoundError:
        return set()
    return {int(line.split()[0]) for line in text.split("\n")[:-1] if line.strip()}


def unsettled(status):
    """How many records the agent still holds for the hub, waiting ones included."""
    journal = status["journal"]
    return journal["waiting"] + sum(journal["unsettled"].values())


def _ranges(numbers):
    out = []
    for number in sorted(numbers):
        if out and out[-1][1] == number - 1:
            out[-1][1] = number
        else:
            out.append([number, number])
    return out


def _check_streams(hub, faults):
    """Each of 1…issued is a row or a shown gap, and never both."""
    totals = collections.Counter()
    broken = {row[0] for row in hub.execute("SELECT stream FROM anomaly WHERE kind IN ('clone', 'rollback')")}
    after_break = {row[0] for row in hub.execute(
        "WITH RECURSIVE later(id) AS (SELECT stream FROM anomaly WHERE kind IN ('clone', 'rollback')"
        " UNION SELECT s.id FROM stream s JOIN later ON s.prev = later.id) SELECT id FROM later")}
    for stream, name, issued in hub.execute("SELECT id, name, issued FROM stream").fetchall():
        rows = [row[0] for row in hub.execute("SELECT seq FROM event WHERE stream = ?", (stream,))]
        seqs = set(rows)
        if len(rows) != len(seqs):
            faults.append(f"stream {name}: {len(rows) - len(seqs)} rows stored twice")
        gaps = set()
        for first, last, kind, reason in hub.execute("SELECT first, last, kind, reason FROM gap WHERE stream = ?",
                                                     (stream,)):
            span = set(range(first, last + 1))
            if span & (gaps | seqs):
                faults.append(f"stream {name}: gap {first}…{last} covers what is stored, or another gap")
            gaps |= span
            totals[("open", "lost", "dropped")[kind]] += len(span)
            if kind == OPEN and stream not in broken | after_break:
                faults.append(f"stream {name}: {first}…{last} is still open, and its card was never put back or copied")
            if kind != OPEN and not reason:
                faults.append(f"stream {name}: gap {first}…{last} without a reason")
        silent = set(range(1, issued + 1)) - seqs - gaps
        if silent:
            faults.append(f"stream {name}: {_ranges(silent)} of {issued} neither stored nor shown as missing")
        if max(seqs | gaps, default=0) > issued:
            faults.append(f"stream {name}: holds more than it issued ({issued})")
        batches = [seq for first, last in hub.execute("SELECT first, last FROM batch WHERE stream = ?", (stream,))
                   for seq in range(first, last + 1)]
        if sorted(batches) != sorted(rows):
            faults.append(f"stream {name}: its batches and its rows differ")
        totals["streams"] += 1
        totals["rows"] += len(rows)
    return totals


def _check_chain(hub, faults):
    """What a stream says of its predecessor is what is known of that."""
    for name, issued, final, stream in hub.execute(
            "SELECT p.name, p.issued, s.data, p.id FROM stream n JOIN stream p ON p.id = n.prev"
            " JOIN event s ON s.stream = n.id AND s.seq = 1"):
        said = json.loads(final)["prev"]["last"]
        if said > issued:
            faults.append(f"stream {name}: its successor says {said} were issued, {issued} are known")
        if said < issued and not hub.execute("SELECT 1 FROM anomaly WHERE stream = ? AND kind IN ('rollback', 'clone')",
                                             (stream,)).fetchone():
            faults.append(f"stream {name}: rolled back from {issued} to {said}, and nobody was told")
    for prev, name, count in hub.execute("SELECT p.id, p.name, count(*) FROM stream s JOIN stream p ON p.id = s.prev"
                                         " GROUP BY p.id HAVING count(*) > 1"):
        if not hub.execute("SELECT 1 FROM anomaly WHERE stream = ? AND kind = 'clone'", (prev,)).fetchone():
            faults.append(f"stream {name} is continued by {count} others, and nobody was told")
    for name, in hub.execute("SELECT name FROM stream s WHERE EXISTS(SELECT 1 FROM event WHERE stream = s.id)"
                             " AND NOT EXISTS(SELECT 1 FROM event WHERE stream = s.id AND seq = 1 AND type = 'opened')"
                             " AND NOT EXISTS(SELECT 1 FROM gap WHERE stream = s.id AND first = 1)"):
        faults.append(f"stream {name} does not begin with its link to the one before")


def _check_numbers(hub, expected, faults):
    """What the kiosk was told is there exactly once."""
    counts = collections.Counter()
    for instance, number in hub.execute("SELECT instance, number FROM punch JOIN event ON event.id = punch.id"):
        counts[instance, number] += 1
    missing = 0
    for kiosk, numbers in expected.numbers.items():
        for number in sorted(numbers):
            count = counts[kiosk, number]
            if count > 1:
                faults.append(f"{kiosk} {number} is there {count} times")
            if count == 0 and (kiosk, number) in expected.may_miss:
                missing += 1
            elif count == 0:
                faults.append(f"{kiosk} {number} was committed on the card and is not at the hub")
    return missing, sum(len(numbers) for numbers in expected.numbers.values())


def _check_anomalies(hub, expected, faults):
    kinds = collections.Counter()
    for kind, count in hub.execute("SELECT kind, count(*) FROM anomaly GROUP BY kind"):
        kinds[kind] = count
    if expected.clones and not kinds["clone"]:
        faults.append(f"{expected.clones} copied cards came beside the first, and nobody was told")
    if expected.rollbacks and not kinds["rollback"] + kinds["clone"]:
        faults.append(f"{expected.rollbacks} cards were put back, and nobody was told")
    for stream, first, digest in expected.forged:
        if not hub.execute("SELECT 1 FROM anomaly a JOIN stream s ON s.id = a.stream WHERE s.name = ?"
                           " AND a.kind = 'identity_conflict'", (stream,)).fetchone():
            faults.append(f"a forged batch of {stream} was taken without a word")
        if hub.execute("SELECT 1 FROM batch b JOIN stream s ON s.id = b.stream WHERE s.name = ? AND b.first = ?"
                       " AND b.digest = ?", (stream, first, digest)).fetchone():
            faults.append(f"a forged batch of {stream} was stored")
    if not expected.forged and kinds["identity_conflict"]:
        faults.append("an identity conflict, and nothing was forged")
    for kind in ("chain_missing", "journal_reset"):
        if kinds[kind]:
            faults.append(f"anomaly {kind}, and no journal was begun anew")
    return kinds


def check(path, expected):
    """(faults, a summary for people)."""
    faults = []
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=60) as hub:
        hub.execute("BEGIN")  # one moment for all questions
        if hub.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
            faults.append("the database is damaged")
        totals = _check_streams(hub, faults)
        _check_chain(hub, faults)
        missing, told = _check_numbers(hub, expected, faults)
        kinds = _check_anomalies(hub, expected, faults)
        aside = hub.execute("SELECT coalesce(sum(count), 0) FROM set_aside").fetchone()[0]
        if aside:
            faults.append(f"{aside} messages were set aside, and all were well-formed: "
                          + str(hub.execute("SELECT fault, why FROM set_aside").fetchall()))
    summary = (f"{totals['rows']} rows in {totals['streams']} streams; {told} kiosk events told as committed, {missing} of "
               f"them gone with a card that was put back; shown as missing: {totals['open']} open, {totals['lost']} lost, "
               f"{totals['dropped']} dropped; anomalies: "
               + (", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items())) or "none")
               + f"; {len(faults)} faults")
    return faults, summary
