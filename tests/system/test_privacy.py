# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""A person's rights at a running board: to know, to be forgotten, also after the board has died; and its keys, back
by the printed code."""
import json
import os
import re
import sqlite3
import subprocess

import support

CONFIG = """\
[agent]
state_dir = {dir}/{name}
socket = {dir}/{name}.sock
shard = test
device = {name}

[mqtt]
host = 127.0.0.1
port = 1

[attendance]
legal_basis = QĐ 12/2026
publish = {publish}
"""
KIOSK = """
[sim_kiosk "cổng"]
period = 20ms
persons = 20
"""


class Board:
    def __init__(self, run_dir, name, publish="counts", kiosk=True):
        self.dir, self.name = run_dir, name
        self.file = run_dir / f"{name}.conf"
        self.file.write_text(CONFIG.format(dir=run_dir, name=name, publish=publish) + (KIOSK if kiosk else ""))
        self.start()

    def start(self):
        self.process = support.Process([support.program("schoolpulsed"), "--config", self.file],
                                       self.dir / f"{self.name}.log")
        support.wait_until(lambda: self.ask("keys").returncode == 0, "the agent's socket")

    def kill(self):
        self.process.popen.kill()
        self.process.popen.wait()

    def ask(self, *arguments, line=""):
        # In a session of its own there is no terminal to be asked at.
        return subprocess.run([support.program("schoolpulse"), "--lang", "en", "--socket",
                               self.dir / f"{self.name}.sock", *map(str, arguments)], input=line, text=True,
                              capture_output=True, timeout=support.PATIENCE, start_new_session=True)

    def export(self, person):
        done = self.ask("export", "--person", "-", "--json", line=f"{person}\n")
        # Before the first event there is no key by which anybody could be known.
        if done.returncode == 1 and "no event of a kiosk" in done.stderr:
            return {"persons": [], "events": []}
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def bytes(self):
        return b"".join(path.read_bytes() for path in (self.dir / self.name).glob("journal.db*"))


def journalled(board):
    """The texts that the journal of a board that does not run holds."""
    with sqlite3.connect(board.dir / board.name / "journal.db") as database:
        tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            for row in database.execute(f'SELECT * FROM "{table}"'):
                for cell in row:
                    if isinstance(cell, (str, bytes)):
                        yield cell if isinstance(cell, str) else cell.decode("latin-1")


def test_known_forgotten_and_remembered(run_dir):
    for publish in ("counts", "events"):
        board = Board(run_dir, publish, publish)
        support.wait_until(lambda: len(board.export(7)["events"]) >= 3, "three events of a person")
        known = board.export(7)
        person, = known["persons"]
        assert {event["person"] for event in known["events"]} == {person}
        assert board.ask("forget", "--person", "-", line="7\n").returncode == 1, "nobody confirmed"
        assert board.export(7)["events"]
        done = board.ask("forget", "--person", "-", "--yes", "--json", line="7\n")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["erased"] >= len(known["events"])
        # Power fails at once; he stays forgotten, and others' events go on.
        board.kill()
        # His pseudonym stands in the requests' facts, but in no event any more.
        assert not re.search(rb'"person":"%s"' % person.encode(), board.bytes())
        board.start()
        others = len(board.export(8)["events"])
        support.wait_until(lambda: len(board.export(8)["events"]) > others + 1, "others' events")
        assert board.export(7)["events"] == []
        assert board.ask("remember", "--person", "7").returncode == 0
        assert board.ask("remember", "--person", "7").returncode == 1
        support.wait_until(lambda: board.export(7)["events"], "his events")
        board.kill()


def test_a_person_is_forgotten_also_when_nothing_more_may_be_taken(run_dir):
    board = Board(run_dir, "a", "events")
    support.wait_until(lambda: len(board.export(7)["events"]) >= 3, "three events of a person")
    person, = board.export(7)["persons"]
    board.kill()
    board.file.write_text(board.file.read_text().replace("legal_basis", "#legal_basis"))
    board.start()
    held = len(board.export(8)["events"])
    done = board.ask("forget", "--person", "7", "--yes", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["erased"] >= 3
    support.wait_until(lambda: b'"type":"subject_request"' in board.bytes(), "the request for the hub")
    assert len(board.export(8)["events"]) == held, "nothing more is taken"
    board.kill()
    assert not re.search(rb'"person":"%s"' % person.encode(), board.bytes())


def test_wrong_use_is_told(run_dir):
    board = Board(run_dir, "a", kiosk=False)
    for arguments in (("forget", "--kind", "face"), ("status", "--person", "7"), ("keys", "eat"),
                      ("keys", "restore"), ("export", "--once")):
        assert board.ask(*arguments).returncode == 2, arguments
    assert "no event" in board.ask("export", "--person", "7").stderr
    assert "no number of that kind" in board.ask("export", "--person", "7x", "--kind", "card").stderr
    assert board.ask("export").returncode == 2, "without a terminal nobody is asked"


def test_keys_come_back_by_the_printed_code(run_dir):
    old = Board(run_dir, "old")
    support.wait_until(lambda: old.export(7)["events"], "an event of a person")
    person, = old.export(7)["persons"]
    page = old.ask("keys", "print")
    assert page.returncode == 0, page.stderr
    code, = re.findall(r"^ +((?:[0-9A-Z]{5}-){6}[0-9A-Z]{5})$", page.stdout, re.MULTILINE)
    mark, = re.findall(r"Mark: ([0-9A-F-]{9})", page.stdout)
    assert mark in old.ask("keys", "status").stdout
    assert old.ask("forget", "--person", "8", "--yes").returncode == 0
    support.wait_until(lambda: old.bytes().count(b'"type":"key_backup"') >= 2, "the back-up of whom to refuse")
    old.kill()
    assert code.encode() not in old.bytes() and code not in old.process.text()
    blobs = [blob for text in journalled(old) for blob in re.findall(r'"blob":"([^"]+)"', text)]
    file = run_dir / "blob"
    file.write_text(max(blobs, key=len))

    new = Board(run_dir, "new", kiosk=False)
    restore = ("keys", "restore", "--blob", file)
    wrong = code[:7] + ("A" if code[7] != "A" else "B") + code[8:]
    assert "group 2 of 7" in new.ask(*restore, line=wrong).stderr
    other = Board(run_dir, "other").ask("keys", "print").stdout
    foreign, = re.findall(r"^ +((?:[0-9A-Z]{5}-){6}[0-9A-Z]{5})$", other, re.MULTILINE)
    assert mark in new.ask(*restore, line=foreign).stderr
    (run_dir / "cut").write_text(file.read_text()[:-8])
    assert "cut off" in new.ask("keys", "restore", "--blob", run_dir / "cut", line=code).stderr
    done = new.ask(*restore, line=code.lower().replace("-", " "))
    assert done.returncode == 0, done.stderr
    assert new.export(7)["persons"] == [person]
    assert mark in new.ask("keys").stdout
    assert "Persons whose events are dropped: 1" in new.ask("keys").stdout
    # A board with events under keys of its own keeps them.
    used = Board(run_dir, "used")
    support.wait_until(lambda: used.export(7)["events"], "an event of a person")
    refused = used.ask(*restore, line=code)
    assert refused.returncode == 1 and "keys of this board's own" in refused.stderr
    assert os.stat(run_dir / "new" / "attendance.keys").st_mode & 0o777 == 0o600
