# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""The storm of kiosk_storm.py, and the proof that its check would find one event that is lost or doubled among all.
SP_KIOSK_EVENTS, SP_KIOSK_KILLS and SP_KIOSK_SEED choose another storm."""
import os
import pathlib
import random
import shutil
import sqlite3
import tempfile

import pytest

import kiosk_check
import kiosk_storm


@pytest.fixture(scope="module")
def storm(preload):
    """One for all tests of this file; its folder stays when something failed."""
    seed = int(os.environ.get("SP_KIOSK_SEED", random.SystemRandom().getrandbits(32)))
    events, kills = int(os.environ.get("SP_KIOSK_EVENTS", 1000)), int(os.environ.get("SP_KIOSK_KILLS", 20))
    directory = pathlib.Path(tempfile.mkdtemp(prefix="sp-kiosks-"))
    storm = kiosk_storm.Storm(directory, preload, seed, events, kills)
    try:
        storm.run()
        yield storm
    finally:
        storm.stop()
    shutil.rmtree(directory)


def test_every_event_is_at_the_hub_once(storm, capsys):
    verdict = storm.verdict()
    with capsys.disabled():
        print("\nkiosk storm: " + storm.line(verdict))
    assert sum(storm.killed.values()) == storm.kills
    assert verdict.lost == [] and verdict.doubled == [] and verdict.strange == []
    assert sum(verdict.arrived.values()) == storm.events
    # What was acknowledged is all that those hold that are acknowledged anything.
    for terminal in storm.school.adms.values():
        assert terminal.acknowledged == set(terminal.log)
    for kiosk in storm.school.webhook.values():
        assert len(kiosk.acknowledged) == len(kiosk.log)
        # Nothing would be proved if nothing had come twice.
        assert kiosk.known > 0
    for name, reader in storm.school.cards.items():
        assert sorted(reader.accepted) == sorted(storm.school.shown[name])
    for terminal in storm.school.zk4370.values():
        assert terminal.written() == []


def again(table):
    """The row a second time, under another id."""
    return (f"CREATE TABLE one AS SELECT * FROM {table} WHERE id = {{id}}; UPDATE one SET id = id + 1000000;"
            f"INSERT INTO {table} SELECT * FROM one; DROP TABLE one;")


SABOTAGE = {
    "one is gone": ("lost", "DELETE FROM punch WHERE id = {id}; DELETE FROM event WHERE id = {id}"),
    "one is another's": ("lost", "UPDATE punch SET person = (SELECT max(id) FROM person WHERE id <> {person}) WHERE id = {id}"),
    "one is there twice": ("doubled", again("punch")),
    "one was sent twice": ("doubled", again("event")),
}


@pytest.mark.parametrize("protocol", kiosk_storm.SHARES)
@pytest.mark.parametrize("fault", SABOTAGE)
def test_the_check_finds(storm, tmp_path, fault, protocol):
    """One among all, whichever terminal's."""
    what, sql = SABOTAGE[fault]
    with sqlite3.connect(f"file:{storm.hub.db}?mode=ro", uri=True) as hub, sqlite3.connect(tmp_path / "hub.db") as copy:
        hub.backup(copy)
        for table in ("event", "punch"):  # without the indexes that forbid it
            copy.executescript(f"CREATE TABLE copy AS SELECT * FROM {table}; DROP TABLE {table}; ALTER TABLE copy RENAME TO {table}")
        name = next(iter(getattr(storm.school, protocol)))
        row, person = copy.execute("SELECT punch.id, person FROM punch JOIN kiosk ON kiosk.id = punch.kiosk WHERE kiosk.name = ?"
                                   " ORDER BY random() LIMIT 1", (name,)).fetchone()
        copy.executescript(sql.format(id=row, person=person))
    copy.close()
    verdict = kiosk_check.compare(tmp_path / "hub.db", storm.school.expected())
    assert len(getattr(verdict, what)) == 1 and len(verdict.lost) + len(verdict.doubled) == 1
