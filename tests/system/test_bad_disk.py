# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""A card that is full, read-only or damaged, and a hub's database from a newer version: a clear message,
nothing lost that was promised, no end and no crash loop."""
import hashlib
import os
import random
import shutil
import sqlite3
import subprocess

import pytest

import board
import fakes
import support


@pytest.fixture
def manager(run_dir):
    manager = fakes.ServiceManager(run_dir)
    yield manager
    manager.close()


class Card:
    """A file system of its own; skips where none may be mounted."""

    def __init__(self, path, kind):
        self.path = path
        path.mkdir()
        self.image = path.with_suffix(".img")
        if kind == "ext4":
            with open(self.image, "wb") as image:
                image.truncate(24 << 20)
            subprocess.run(["mkfs.ext4", "-q", self.image], check=True)
            command = ["mount", "-o", "loop,errors=continue", self.image, path]
        else:
            command = ["mount", "-t", "tmpfs", "-o", "size=4m", "card", path]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no file system may be mounted here: {done.stderr.strip()}")

    def remount(self, how):
        return subprocess.run(["mount", "-o", f"remount,{how}", self.path], capture_output=True, text=True, check=False)

    def fill(self):
        with open(self.path / "ballast", "wb", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(b"\0" * 4096)
            except OSError:
                pass

    def relieve(self):
        (self.path / "ballast").unlink()

    def close(self):
        subprocess.run(["umount", "-l", self.path], check=False)


@pytest.fixture
def tmpfs(run_dir):
    card = Card(run_dir / "card", "tmpfs")
    yield card
    card.close()


@pytest.fixture
def ext4(run_dir):
    card = Card(run_dir / "card", "ext4")
    yield card
    card.close()


@pytest.fixture
def hub(run_dir, broker):
    hub = board.Hub(run_dir, broker.port)
    hub.start()
    yield hub
    hub.stop()


def fed(manager, times=5):
    before = manager.count("WATCHDOG=1")
    support.wait_until(lambda: manager.count("WATCHDOG=1") >= before + times, "the watchdog to be fed on")


def test_a_full_card(run_dir, broker, hub, manager, tmpfs):
    """Nothing is told as committed while the card is full; when there is room again, all goes on, and
    the time of trouble is a fact. A busy kiosk: what is allocated already is soon used up."""
    agent = board.Agent(run_dir, broker.port, state=tmpfs.path / "state", manager=manager, kiosk="count = 50")
    agent.start()
    try:
        support.wait_until(lambda: len(agent.numbers()) > 5, "numbers")
        tmpfs.fill()
        agent.wait_for(lambda status: status["journal"]["state"] == "full", "the card to be full")
        fed(manager)
        assert agent.process.running()
        before = len(agent.numbers())
        tmpfs.relieve()
        agent.wait_for(lambda status: status["journal"]["state"] == "writable", "room to be noticed")
        support.wait_until(lambda: len(agent.numbers()) > before + 5, "numbers to go on")
        board.assert_all_delivered(agent, hub)
        for word in ("full", "writable"):
            support.wait_until(lambda word=word: hub.query("SELECT 1 FROM event WHERE type = 'storage' AND"
                                                           " json_extract(data, '$.event') = ?", word), f"the fact '{word}'")
    finally:
        agent.stop()


def test_a_card_that_is_full_at_the_start(run_dir, broker, hub, manager, tmpfs):
    tmpfs.fill()
    agent = board.Agent(run_dir, broker.port, state=tmpfs.path / "state", manager=manager)
    agent.start()
    try:
        agent.wait_for(lambda status: status["journal"]["state"] in ("full", "failed"), "the card to be full")
        fed(manager)
        assert not agent.numbers()
        tmpfs.relieve()
        support.wait_until(lambda: len(agent.numbers()) > 5, "numbers once there is room")
        board.assert_all_delivered(agent, hub)
    finally:
        agent.stop()


def test_a_read_only_card_at_the_start(run_dir, broker, hub, manager, tmpfs):
    (tmpfs.path / "state").mkdir()
    assert tmpfs.remount("ro").returncode == 0
    agent = board.Agent(run_dir, broker.port, state=tmpfs.path / "state", manager=manager)
    agent.start()
    try:
        agent.wait_for(lambda status: status["journal"]["state"] == "read_only", "the card to be read-only")
        fed(manager)
        assert not agent.numbers()
        assert tmpfs.remount("rw").returncode == 0
        # It looks again at growing intervals.
        support.wait_until(lambda: len(agent.numbers()) > 5, "numbers once it can be written", timeout=150)
        board.assert_all_delivered(agent, hub)
    finally:
        agent.stop()


def test_a_card_that_turns_read_only(run_dir, broker, hub, manager, ext4):
    """As an SD card does when it is worn: ext4 aborts, and nothing can be written any more."""
    agent = board.Agent(run_dir, broker.port, state=ext4.path / "state", manager=manager)
    agent.start()
    try:
        support.wait_until(lambda: len(agent.numbers()) > 5, "numbers")
        done = ext4.remount("abort")
        if done.returncode:
            pytest.skip(f"this kernel cannot abort a file system: {done.stderr.strip()}")
        agent.wait_for(lambda status: status["journal"]["state"] in ("read_only", "failed"), "the card to be lost")
        told = len(agent.numbers())
        fed(manager)
        assert agent.process.running() and len(agent.numbers()) == told, "nothing is promised that cannot be kept"
        board.assert_all_delivered(agent, hub)
    finally:
        # It cannot write its last mark; it must end all the same.
        agent.process.stop()


DAMAGE = {
    "random bytes": lambda file, noise: file.write_bytes(noise.randbytes(file.stat().st_size)),
    "a torn header": lambda file, noise: file.write_bytes(noise.randbytes(100) + file.read_bytes()[100:]),
    "cut short": lambda file, noise: os.truncate(file, 6000),  # within its second page
    "a text": lambda file, noise: file.write_bytes(b"once upon a time\n" * 500),
    "zeros in the middle": lambda file, noise: file.write_bytes(
        file.read_bytes()[:4096] + bytes(file.stat().st_size - 4096)),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_journal_is_set_aside(run_dir, broker, hub, manager, damage):
    agent = board.Agent(run_dir, broker.port, manager=manager)
    agent.start()
    support.wait_until(lambda: len(agent.numbers()) > 5, "numbers")
    board.assert_all_delivered(agent, hub)
    agent.stop()
    journal = agent.state / "journal.db"
    DAMAGE[damage](journal, random.Random(damage))
    agent.start()
    before = len(agent.numbers())
    support.wait_until(lambda: len(agent.numbers()) > before + 5, "numbers after the damage")
    board.assert_all_delivered(agent, hub)
    fed(manager, 2)
    kept = [file for file in agent.state.iterdir() if file.name.startswith("journal.db.")]
    assert kept, "the damaged file is kept for whoever wants to look"
    said = [line for line in agent.process.text().splitlines() if "aside" in line]
    assert said, agent.process.tail()
    support.wait_until(lambda: hub.query("SELECT 1 FROM anomaly WHERE kind = 'journal_reset'"), "the hub to show it")
    # And only once: the new one is good.
    agent.stop()
    agent.start()
    before = len(agent.numbers())
    support.wait_until(lambda: len(agent.numbers()) > before, "numbers after another start")
    assert len([file for file in agent.state.iterdir() if file.name.startswith("journal.db.")]) == len(kept)
    agent.stop()


def test_two_agents_on_one_card(run_dir, broker):
    agent = board.Agent(run_dir, broker.port)
    agent.start()
    support.wait_until(agent.numbers, "numbers")
    done = subprocess.run([support.program("schoolpulsed"), "--config", run_dir / "agent.conf"], capture_output=True,
                          text=True, timeout=support.PATIENCE)
    assert done.returncode != 0 and "another agent" in done.stderr
    agent.stop()


def test_a_hub_database_of_a_newer_version(run_dir, broker):
    hub = board.Hub(run_dir, broker.port)
    hub.start()
    hub.stop()
    with sqlite3.connect(hub.db) as db:
        db.execute("UPDATE meta SET value = 999 WHERE key = 'schema_version'")
        db.commit()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    before = hashlib.sha256(hub.db.read_bytes()).hexdigest()
    hub.launch()
    assert hub.process.popen.wait(support.PATIENCE) != 0
    assert "newer" in hub.process.text() and "999" in hub.process.text()
    assert hashlib.sha256(hub.db.read_bytes()).hexdigest() == before, "it is left as it is"


@pytest.mark.parametrize("whose", ["nobody's", "another program's"])
def test_a_hub_database_that_is_none(run_dir, broker, whose):
    hub = board.Hub(run_dir, broker.port)
    if whose == "nobody's":
        hub.db.write_bytes(b"once upon a time\n" * 100)
    else:
        with sqlite3.connect(hub.db) as db:
            db.execute("CREATE TABLE recipes(name)")
        db.close()
    before = hub.db.read_bytes()
    hub.launch()
    assert hub.process.popen.wait(support.PATIENCE) != 0
    assert str(hub.db) in hub.process.text()
    assert hub.db.read_bytes() == before


def test_a_hub_whose_disk_is_full(run_dir, broker, tmpfs):
    """It stores nothing, acknowledges nothing, stays up, and goes on when there is room."""
    hub = board.Hub(run_dir, broker.port)
    hub.db = tmpfs.path / "hub.db"
    hub.start()
    agent = board.Agent(run_dir, broker.port)
    agent.start()
    try:
        support.wait_until(lambda: len(hub.kiosk_numbers()) > 5, "numbers at the hub")
        tmpfs.fill()
        before = len(agent.numbers())
        support.wait_until(lambda: len(agent.numbers()) > before + 30, "numbers on the card")
        assert hub.process.running(), hub.process.tail()
        agent.wait_for(lambda status: status["journal"]["unsettled"]["attendance"] > 0, "the board to hold on to them")
        tmpfs.relieve()
        board.assert_all_delivered(agent, hub)
    finally:
        agent.stop()
        hub.stop()


def test_leftovers_do_not_grow(run_dir, broker):
    """A board that is damaged again and again must not fill its card with what was set aside."""
    agent = board.Agent(run_dir, broker.port)
    for _ in range(8):
        agent.start()
        before = len(agent.numbers())
        support.wait_until(lambda: len(agent.numbers()) > before, "numbers")
        agent.process.kill()
        (agent.state / "journal.db").write_bytes(b"damaged" * 3000)
    kept = [file for file in agent.state.iterdir() if file.name.startswith("journal.db.")]
    assert len({file.name.split("-wal")[0].split("-shm")[0] for file in kept}) <= 4, kept
    shutil.rmtree(agent.state)
