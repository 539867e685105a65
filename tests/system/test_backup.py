# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""A copy taken while boards send, the database lost, the copy put back: boards send again what the copy does not have.
Compared row by row with what was lost: nothing is missing, nothing is there twice, and who was forgotten in between is
forgotten again."""
import json
import sqlite3
import subprocess

import pytest

import board
import postgres
import support

ROWS = ("SELECT d.name, s.name, e.seq, e.type, e.instance, e.mono_us, e.data FROM event e JOIN stream s ON s.id = e.stream"
        " JOIN device d ON d.id = s.device")


class Sqlite:
    def __init__(self, run_dir):
        self.place = self.file = run_dir / "hub.db"
        self.suffix = "db"

    def query(self, sql):
        with sqlite3.connect(f"file:{self.file}?mode=ro", uri=True, timeout=30) as hub:
            return hub.execute(sql).fetchall()

    def lose(self):
        for file in self.file.parent.glob("hub.db*"):
            file.unlink()

    def occupied(self):
        """Something stands where a restore would put its own."""
        stray = self.file.parent / "hub.db-wal"
        stray.touch()
        return stray.unlink

    def empty(self):
        return not self.file.exists()


class Postgres:
    def __init__(self, cluster):
        self.cluster, self.suffix = cluster, "dump"
        self.place = cluster.database("hub")

    def query(self, sql):
        text = self.cluster.sql(f"SELECT to_json(array(SELECT json_array_elements_text((SELECT json_agg(v ORDER BY k)"
                                f" FROM json_each(to_json(r)) WITH ORDINALITY AS j(n, v, k))))) FROM ({sql}) r", "hub")
        return [tuple(json.loads(line)) for line in text.splitlines()]

    def lose(self):
        self.cluster.sql("DROP DATABASE hub WITH (FORCE)")
        self.cluster.database("hub")

    def occupied(self):
        self.cluster.sql("CREATE TABLE stray(a INTEGER)", "hub")
        return lambda: self.cluster.sql("DROP TABLE stray", "hub")

    def empty(self):
        return self.cluster.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", "hub") == "0"


class Site:
    def __init__(self, run_dir, broker, store):
        self.run, self.store = run_dir, store
        self.hub = board.Hub(run_dir, broker.port)
        self.hub.db = store.place
        self.agent = board.Agent(run_dir, broker.port, kiosk="persons = 5")

    def start(self):
        self.hub.start()
        self.agent.start()

    def numbers(self):
        """Of the kiosk's events. One that is there twice is an error of its own."""
        found = [int(number) for number, in self.store.query("SELECT number FROM punch")]
        assert len(found) == len(set(found)), "doubled"
        return set(found)

    def rows(self):
        """Each record by where it stands."""
        found = {}
        for device, stream, seq, *rest in self.store.query(ROWS):
            assert (device, stream, seq) not in found, "doubled"
            found[(device, stream, seq)] = rest
        return found

    def more_events(self, count=25):
        """So many more than are there now."""
        def look():
            assert self.hub.process.running(), self.hub.process.tail()
            return len(self.numbers()) >= goal
        goal = len(self.numbers()) + count if self.hub.answers() else count
        support.wait_until(look, f"{goal} events at the hub", every=0.2)

    def command(self, *words):
        return subprocess.run([support.program("schoolpulse-hub"), "--config", self.run / "hub.conf", *map(str, words)],
                              capture_output=True, text=True, timeout=support.PATIENCE)

    def forget(self, person):
        done = subprocess.run([support.program("schoolpulse"), "--socket", self.run / "agent.sock", "forget", "--person",
                               str(person), "--yes"], capture_output=True, text=True, start_new_session=True)
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def cluster():
    if not postgres.binaries():
        pytest.skip("PostgreSQL's server programs are not installed")
    with postgres.Cluster() as cluster:
        yield cluster


@pytest.fixture(params=["sqlite", "postgres"])
def site(request, run_dir, broker):
    store = Sqlite(run_dir) if request.param == "sqlite" else Postgres(request.getfixturevalue("cluster"))
    site = Site(run_dir, broker, store)
    site.start()
    yield site
    site.agent.stop()
    site.hub.stop()


def test_nothing_is_lost_and_nothing_is_doubled(site):
    site.more_events()
    copy = site.run / f"copy.{site.store.suffix}"
    done = site.command("backup", copy)
    assert done.returncode == 0, done.stderr
    assert site.hub.process.running() and copy.stat().st_mode & 0o77 == 0
    assert site.command("backup", copy).returncode == 1, "it was overwritten"
    there = site.numbers()
    site.more_events()
    # Somebody asks to be forgotten whom the copy still knows.
    site.forget(3)
    support.wait_until(lambda: int(site.store.query("SELECT count(*) FROM subject")[0][0]) == 1, "the request at the hub",
                       every=0.2)
    site.more_events()

    # The machine is gone.
    site.hub.process.kill()
    lost, lost_numbers = site.rows(), site.numbers()
    site.store.lose()

    # Nothing is overwritten, and nothing damaged is taken.
    tidy = site.store.occupied()
    assert site.command("restore", copy).returncode == 1
    tidy()
    torn = site.run / f"torn.{site.store.suffix}"
    torn.write_bytes(copy.read_bytes()[:-20_000])
    assert site.command("restore", torn).returncode == 1 and site.store.empty()
    done = site.command("restore", copy)
    assert done.returncode == 0 and "forgotten" in done.stderr, done.stderr
    assert lost.keys() - site.rows().keys(), "the copy has everything: nothing would be proved"
    forgotten = site.numbers() & there - lost_numbers
    assert forgotten, "the copy holds nobody who was forgotten"

    site.hub.start()
    support.wait_until(lambda: lost.keys() <= site.rows().keys(), "what was lost to be there again", every=0.5)
    site.more_events()
    now = site.rows()

    # Of an erased record nothing is left but that it was there; sent again it has no clock, either.
    def content(row):
        return "forgotten" if row[0] == "forgotten" else row
    differ = {key: (lost[key], now[key]) for key in lost if content(lost[key]) != content(now[key])}
    assert not differ, differ
    support.wait_until(lambda: not forgotten & site.numbers(), "the request to be done again", every=0.5)
    assert lost_numbers <= site.numbers()
