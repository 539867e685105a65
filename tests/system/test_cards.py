# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""Card readers at the board's own ports while the agent is killed: whoever saw the green light is on the card, whoever saw
none shows the card again, and nobody is there twice."""
import json
import os
import pathlib
import random
import re
import sqlite3
import subprocess
import sys
import time

import pytest

import support

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from peers import cards  # noqa: E402

KILLS = 8

CONF = """\
[agent]
state_dir = {directory}/state
socket = {directory}/agent.sock
shard = test
device = board

[mqtt]
host = 127.0.0.1
port = 1

[attendance]
legal_basis = a test

[board]
root = {root}

[line "main"]

{readers}
"""


def persons(journal):
    """Of every event that is kept, in the order of the journal."""
    with sqlite3.connect(journal) as database:
        bodies = [row[0] for row in database.execute("SELECT body FROM local ORDER BY id")]
    texts = [body if isinstance(body, str) else bytes(body).decode() for body in bodies]
    return re.findall(r'"person":"([0-9a-f]{32})"', "".join(texts))


def start(directory, root, readers, extra=""):
    conf = directory / "agent.conf"
    conf.write_text(CONF.format(directory=directory, root=root, readers="\n".join(r.section(extra=extra) for r in readers)),
                    encoding="utf-8")
    return support.Process([support.program("schoolpulsed"), "--config", conf], directory / "agent.log")


def taken(directory):
    """By the agent's own count: events that are on the card."""
    done = subprocess.run([support.program("schoolpulse"), "--socket", directory / "agent.sock", "kiosks", "--json"],
                          capture_output=True, text=True, timeout=30, check=False)
    kiosks = json.loads(done.stdout)["kiosks"] if done.returncode == 0 else []
    return sum(kiosk.get("accepted") or 0 for kiosk in kiosks)


@pytest.mark.parametrize("extra, kept", [("", 1), ("debounce = 0s\n", 2)])
def test_killed_before_the_light(run_dir, extra, kept):
    """On the card, but the light did not come: the same card shown again is the same event. Without `debounce` there is
    no telling, which shows that it is this that tells."""
    root = run_dir / "machine"
    reader = cards.Reader(run_dir, root)
    folder = reader.leds["green"].parent
    folder.rename(folder.with_suffix(".off"))
    agent = start(run_dir, root, [reader], extra)
    agent.wait_for("gives no answer")

    def shown():
        os.write(reader.master, cards.rdm6300(1234))
        return taken(run_dir)
    support.wait_until(shown, "the event", every=0.5)
    agent.kill()
    folder.with_suffix(".off").rename(folder)
    agent = start(run_dir, root, [reader], extra)
    assert reader.tap(1234)
    assert agent.stop() == 0, agent.tail()
    reader.close()
    found = persons(run_dir / "state/journal.db")
    assert len(set(found)) == 1
    assert len(found) == kept if kept == 1 else len(found) >= kept


def test_killed_at_any_moment(run_dir):
    root = run_dir / "machine"
    readers = [cards.Reader(run_dir, root, "left", "rdm6300"), cards.Reader(run_dir, root, "right", "wiegand26")]
    chance = random.Random(7)
    agent = start(run_dir, root, readers)
    queues = [reader.queue(range(7001000 * (at + 1), 7001000 * (at + 1) + 500), timeout=60)
              for at, reader in enumerate(readers)]
    for _ in range(KILLS):
        before = sum(len(reader.accepted) for reader in readers)
        support.wait_until(lambda: sum(len(reader.accepted) for reader in readers) > before, "a green light", every=0.001)
        # Most often between a card's frame and its light, where the commit is.
        shown = sum(reader.frames for reader in readers)
        support.wait_until(lambda: sum(reader.frames for reader in readers) > shown, "a card", every=0.0005)
        time.sleep(chance.random() * 0.03)
        agent.kill()
        agent = start(run_dir, root, readers)
    before = [len(reader.accepted) for reader in readers]
    support.wait_until(lambda: all(len(reader.accepted) > before[at] for at, reader in enumerate(readers)), "green lights")
    for reader in readers:
        reader.ended.set()
    for queue in queues:
        queue.join()
    assert agent.stop() == 0, agent.tail()
    kept = persons(run_dir / "state/journal.db")
    accepted = sum(len(reader.accepted) for reader in readers)
    for reader in readers:
        reader.close()
    print(f"{accepted} green lights, {len(kept)} events kept, {sum(reader.frames for reader in readers)} times shown, "
          f"{KILLS} kills")
    assert len(kept) == len(set(kept)), "somebody is there twice"
    # A card whose light was still to come when all ended may be there, too: one at each reader.
    assert accepted <= len(kept) <= accepted + len(readers)
    assert not any(reader.lit("green") or reader.lit("red") for reader in readers)
    log = (run_dir / "agent.log").read_text(encoding="utf-8")
    for reader in readers:
        assert not any(f"{number}" in log for number in reader.accepted[:50]), log
