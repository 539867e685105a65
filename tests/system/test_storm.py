# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""The storm of storm.py, and the proof that its check would find each fault. SP_STORM_ROUNDS and
SP_STORM_SEED choose another storm: a failure prints what repeats it."""
import json
import os
import pathlib
import random
import shutil
import sqlite3
import tempfile

import pytest

import mqtt5
import storm as storm_module
import storm_check
import support


@pytest.fixture(scope="module")
def storm():
    """One storm for all tests of this file; its folder stays when something failed."""
    seed = int(os.environ.get("SP_STORM_SEED", random.SystemRandom().getrandbits(32)))
    rounds = int(os.environ.get("SP_STORM_ROUNDS", 25))
    directory = pathlib.Path(tempfile.mkdtemp(prefix="sp-storm-"))
    storm = storm_module.Storm(directory, seed, rounds)
    try:
        storm.run()
        yield storm
    finally:
        storm.stop()
    shutil.rmtree(directory)


def test_one_row_per_record_and_no_silent_gap(storm, capsys):
    faults, summary = storm_check.check(storm.directory / "hub.db", storm.expectations())
    with capsys.disabled():
        print(f"\nstorm, seed {storm.seed}: {summary}")
        print(", ".join(f"{what} {count}" for what, count in sorted(storm.done.items())))
    assert not faults
    # A storm in which nothing was lost on the way, or nothing came twice, would prove nothing.
    assert storm.done["messages taken after PUBACK"] > 0
    assert storm.done["queue overflows"] > 0
    assert storm.done["messages replayed"] > 0
    assert storm.done["batches forged"] > 0


def test_what_people_see_agrees(storm):
    """The hub's API, not only its tables."""
    devices = support.http_json(f"http://127.0.0.1:{storm.http}/api/v1/devices")
    device = next(device for device in devices["devices"] if device["device"] == storm_module.DEVICE)
    with sqlite3.connect(f"file:{storm.directory}/hub.db?mode=ro", uri=True) as hub:
        rows, missing = hub.execute("SELECT (SELECT count(*) FROM event),"
                                    " (SELECT coalesce(sum(last - first + 1), 0) FROM gap)").fetchone()
    # The board still tells of its own life: a few rows may have come between the two looks.
    assert abs(device["events"] - rows) < 50 and device["missing"] == missing


SABOTAGE = {
    "a row is gone": "DELETE FROM event WHERE id = (SELECT max(id) FROM event WHERE type = 'punch')",
    "a row is there twice": "INSERT INTO event SELECT * FROM event WHERE id = (SELECT max(id) FROM event)",
    "a kiosk event is there twice": "UPDATE punch SET number = (SELECT number FROM punch ORDER BY id LIMIT 1)"
                                    " WHERE id = (SELECT max(id) FROM punch)",
    "a kiosk event is not counted": "DELETE FROM punch WHERE id = (SELECT min(id) FROM punch)",
    "a silent gap": "DELETE FROM event WHERE id = (SELECT max(id) FROM event WHERE type = 'samples')",
    "a gap that stays open": "INSERT INTO gap SELECT id, issued + 1, issued + 5, 0, '', 0 FROM stream WHERE id = 1;"
                             "UPDATE stream SET issued = issued + 5 WHERE id = 1",
    "a gap over what is stored": "INSERT INTO gap SELECT id, issued, issued, 1, 'lost', 0 FROM stream WHERE id = 1",
    "a clone unseen": "DELETE FROM anomaly WHERE kind = 'clone'",
    # A card that was put back while its first life goes on is a clone, too, and either word tells of it.
    "a rollback unseen": "DELETE FROM anomaly WHERE kind IN ('rollback', 'clone')",
    "a forgery unseen": "DELETE FROM anomaly WHERE kind = 'identity_conflict'",
    "a batch unknown to the ledger": "DELETE FROM batch WHERE (stream, first) = (SELECT stream, first FROM batch LIMIT 1)",
    "a message set aside": "INSERT INTO set_aside VALUES('malformed', 'x', 'x', 'x', 1, 0)",
}


@pytest.mark.parametrize("fault", SABOTAGE)
def test_the_check_finds(storm, tmp_path, fault):
    with sqlite3.connect(f"file:{storm.directory}/hub.db?mode=ro", uri=True) as hub, \
            sqlite3.connect(tmp_path / "hub.db") as copy:
        hub.backup(copy)
        # Without the unique index, so that what it forbids can be put in.
        copy.executescript("CREATE TABLE copy AS SELECT * FROM event; DROP TABLE event; ALTER TABLE copy RENAME TO event")
        changes = copy.total_changes
        copy.executescript(SABOTAGE[fault])
        assert copy.total_changes > changes, "the sabotage changed nothing"
    copy.close()
    expected = storm.expectations()
    before, _ = storm_check.check(storm.directory / "hub.db", expected)
    faults, _ = storm_check.check(tmp_path / "hub.db", expected)
    assert len(faults) > len(before)


def test_a_lost_number_is_found(storm):
    expected = storm.expectations()
    kiosk = next(iter(expected.numbers))
    expected.numbers[kiosk].add(10**9)
    faults, _ = storm_check.check(storm.directory / "hub.db", expected)
    assert any("1000000000" in fault for fault in faults)


def test_a_forgery_is_never_acknowledged(storm):
    """The same identity with other content gets no word back; the true batch, sent again, does."""
    storm.card.process.kill()
    message = next(message for message in reversed(storm.listener.envelopes)
                   if message.properties.get(mqtt5.CONTENT_TYPE) == b"application/json")
    envelope = json.loads(message.payload)
    client = mqtt5.Client(storm.broker.port, "watcher")
    assert client.subscribe(f"sp1/down/{storm_module.SHARD}/{storm_module.DEVICE}/ack") == 1
    values = {mqtt5.CONTENT_TYPE: b"application/json"}
    while client.next(timeout=2):
        pass

    def conflicts():
        with sqlite3.connect(f"file:{storm.directory}/hub.db?mode=ro", uri=True) as hub:
            row = hub.execute("SELECT a.count FROM anomaly a JOIN stream s ON s.id = a.stream WHERE s.name = ? AND"
                              " a.kind = 'identity_conflict'", (envelope["stream"],)).fetchone()
            return row[0] if row else 0

    before = conflicts()
    forged = {**envelope, "digest": "0" * 32}
    assert client.publish(message.topic, json.dumps(forged), values=values) == 0
    support.wait_until(lambda: conflicts() > before, "the forgery to be noticed")
    assert client.publish(message.topic, message.payload, values=values) == 0
    answer = json.loads(client.next().payload)
    assert answer["stream"] == envelope["stream"]
    assert client.next(timeout=2) is None, "two answers: one was for the forgery"
    client.close()
    storm.card.start(quiet=True)
