# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""A copy taken while boards send, the database lost, the copy put back: boards send again what the copy does not have.
Compared row by row with what was lost: nothing is missing, nothing is there twice, and who was forgotten in between is
forgotten again."""
import sqlite3
import subprocess

import pytest

import board
import support

ROWS = ("SELECT d.name, s.name, e.seq, e.type, e.instance, e.mono_us, e.data FROM event e JOIN stream s ON s.id = e.stream"
        " JOIN device d ON d.id = s.device")


class Site:
    def __init__(self, run_dir, broker):
        self.run = run_dir
        self.hub = board.Hub(run_dir, broker.port)
        self.agent = board.Agent(run_dir, broker.port, kiosk="persons = 5")

    def start(self):
        self.hub.start()
        self.agent.start()

    def more_events(self, count=25):
        """So many more than are there now."""
        goal = len(self.hub.kiosk_numbers()) + count
        support.wait_until(lambda: len(self.hub.kiosk_numbers()) >= goal, f"{goal} events at the hub")

    def command(self, *words):
        return subprocess.run([support.program("schoolpulse-hub"), "--config", self.run / "hub.conf", *map(str, words)],
                              capture_output=True, text=True, timeout=support.PATIENCE)

    def forget(self, person):
        done = subprocess.run([support.program("schoolpulse"), "--socket", self.run / "agent.sock", "forget", "--person",
                               str(person), "--yes"], capture_output=True, text=True, start_new_session=True)
        assert done.returncode == 0, done.stderr

    def lose(self):
        """The machine's disk is gone; what was on it is kept aside for the comparison only."""
        self.hub.process.kill()
        with sqlite3.connect(self.hub.db) as lost, sqlite3.connect(self.run / "lost.db") as kept:
            lost.backup(kept)
        for file in self.run.glob("hub.db*"):
            file.unlink()


def rows(path):
    """Each record by where it stands; a record that is there twice is an error of its own."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30) as hub:
        found = {}
        for device, stream, seq, *rest in hub.execute(ROWS):
            assert (device, stream, seq) not in found, "doubled"
            found[(device, stream, seq)] = rest
        return found


def numbers(path):
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30) as hub:
        return {number for number, in hub.execute("SELECT number FROM punch")}


@pytest.fixture
def site(run_dir, broker):
    site = Site(run_dir, broker)
    site.start()
    yield site
    site.agent.stop()
    site.hub.stop()


def test_nothing_is_lost_and_nothing_is_doubled(site):
    site.more_events()
    copy = site.run / "copy.db"
    done = site.command("backup", copy)
    assert done.returncode == 0, done.stderr
    assert site.hub.process.running() and copy.stat().st_mode & 0o77 == 0
    there = numbers(copy)
    site.more_events()
    # Somebody asks to be forgotten whom the copy still knows.
    site.forget(3)
    support.wait_until(lambda: site.hub.query("SELECT count(*) FROM subject")[0][0] == 1, "the request at the hub")
    site.more_events()
    site.lose()
    lost, lost_numbers = rows(site.run / "lost.db"), numbers(site.run / "lost.db")
    forgotten = there - lost_numbers
    assert forgotten, "the copy holds nobody who was forgotten"
    assert lost.keys() - rows(copy).keys(), "the copy has everything: nothing would be proved"

    # Nothing is overwritten, and nothing damaged is taken.
    (site.run / "hub.db-wal").touch()
    assert site.command("restore", copy).returncode == 1 and not site.hub.db.exists()
    (site.run / "hub.db-wal").unlink()
    (site.run / "torn.db").write_bytes(copy.read_bytes()[:-100_000])
    assert site.command("restore", site.run / "torn.db").returncode == 1 and not site.hub.db.exists()
    done = site.command("restore", copy)
    assert done.returncode == 0 and "forgotten" in done.stderr, done.stderr
    assert numbers(site.hub.db) == there

    site.hub.start()
    support.wait_until(lambda: lost.keys() <= rows(site.hub.db).keys(), "what was lost to be there again")
    site.more_events()
    now = rows(site.hub.db)
    # Of an erased record nothing is left but that it was there; sent again it has no clock, either.
    def content(row):
        return "forgotten" if row[0] == "forgotten" else row
    differ = {key: (lost[key], now[key]) for key in lost if content(lost[key]) != content(now[key])}
    assert not differ, differ
    support.wait_until(lambda: not forgotten & numbers(site.hub.db), "the request to be done again")
    there = site.hub.kiosk_numbers()
    assert len(there) == len(set(there)) and lost_numbers <= set(there)
