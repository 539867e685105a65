# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""Simulated ADMS terminals before the real agent, a broker and the hub: what is acknowledged is there once,
however often it is sent; who is not admitted keeps what it has; no clock is set by one that is wrong."""
import datetime
import socket
import sys

import pytest

import board
import support

sys.path.insert(0, str(support.SOURCE / "tests"))
from peers import adms  # noqa: E402

SECTION = """\
[adms "{name}"]
serial = {serial}
address = 127.0.0.1
port = {port}
{extra}

"""


class School(board.KioskBoard):
    def __init__(self, directory, broker, preload):
        super().__init__(directory, broker, preload)
        self.port = support.free_port()

    def start_agent(self, sections):
        self.launch("".join(SECTION.format(name=name, serial=serial, port=self.port, extra=extra)
                            for name, serial, extra in sections))
        support.wait_until(self.listens, "the agent to listen")

    def listens(self):
        assert self.agent.running(), self.agent.tail()
        terminal = adms.Terminal(self.port, "NOBODY")
        try:
            terminal.request("GET", "ping")
        except adms.Refused as refused:
            return "unknown terminal" in str(refused)
        return False

    def times(self, kiosk):
        """Of every punch that the agent sent, by the kiosk's dial; what came twice stands as a blank."""
        return sorted((said or "").replace("T", " ") for said, in self.hub.query(
            "SELECT punch.kiosk_time FROM event LEFT JOIN punch ON punch.id = event.id"
            " WHERE event.type = 'punch' AND event.instance = ?", kiosk))


@pytest.fixture
def school(run_dir, broker, preload):
    school = School(run_dir, broker, preload)
    yield school
    school.stop()


def a_day(terminal, count, day):
    """So many punches, each at a second of its own."""
    start = datetime.datetime.combine(day, datetime.time(6))
    return [terminal.punch(1000 + i % 300, start + datetime.timedelta(seconds=i)) for i in range(count)]


def test_what_is_acknowledged_is_there_once(school):
    school.hub.start()
    terminals = {name: adms.Terminal(school.port, f"SERIAL-{i}", name, extra="\t1\t36.6")
                 for i, name in enumerate(adms.GENERATIONS)}
    school.start_agent([(name, one.serial, "") for name, one in terminals.items()])
    yesterday = datetime.date.today() - datetime.timedelta(days=1)
    for name, terminal in terminals.items():
        a_day(terminal, 250, yesterday)
        terminal.punch("0042", f"{yesterday} 18:00:00", status=255, verify=15)
        assert terminal.turn(), school.agent.tail()
        assert terminal.acknowledged == set(terminal.log) and terminal.batches == 3
        assert terminal.options["TransFlag"] == "TransData AttLog\tOpLog" and terminal.options["TimeZone"] == "7"
        assert terminal.clock_set and abs(terminal.ahead) < 3
    # Twice: as after a reboot, and the whole log in one body.
    for terminal in terminals.values():
        terminal.send_everything_again()
        assert terminal.turn()
        terminal.batch = 10000
        terminal.send_everything_again()
        assert terminal.turn() and terminal.pending() == 0
    for name, terminal in terminals.items():
        expected = sorted(record.time for record in terminal.log)
        support.wait_until(lambda: len(school.times(name)) >= len(expected), f"the punches of {name}")
        assert school.times(name) == expected
        assert terminal.commands and all(command == "INFO" for command in terminal.commands)
    assert "36.6" not in school.agent.text() and "0042" not in school.agent.text()


def test_a_whole_log_of_thousands_twice(school):
    school.hub.start()
    terminal = adms.Terminal(school.port, "BIG1", "2.4.1", batch=100000)
    school.start_agent([("gate", "BIG1", "")])
    a_day(terminal, 5000, datetime.date.today() - datetime.timedelta(days=1))
    assert terminal.turn() and terminal.batches == 1, school.agent.tail()
    terminal.send_everything_again()
    assert terminal.turn() and terminal.batches == 2
    support.wait_until(lambda: len(school.times("gate")) >= 5000, "all punches")
    assert school.times("gate") == sorted(record.time for record in terminal.log)


def test_what_a_wrong_clock_said_is_kept(school):
    school.hub.start()
    terminal = adms.Terminal(school.port, "LATE1", clock_ahead=-3600 * 5 - 100)
    school.start_agent([("gate", "LATE1", "")])
    said = []
    for pin in range(5):
        said.append(terminal.punch(pin, terminal.now() + datetime.timedelta(milliseconds=1000 * pin)).time)
        assert terminal.turn(), school.agent.tail()
    support.wait_until(lambda: len(school.times("gate")) == 5, "the punches")
    assert school.times("gate") == sorted(said)


def test_no_handshake_by_a_clock_that_is_not_synchronised(school):
    school.clock.set(False, 1_000_000_000)
    terminal = adms.Terminal(school.port, "GATE1")
    school.start_agent([("gate", "GATE1", "")])
    record = terminal.punch(7)
    assert not terminal.turn()
    assert terminal.refusals == 1 and not terminal.clock_set and not terminal.acknowledged
    # Events may come all the same, and their answer sets no clock.
    assert terminal.upload() and terminal.acknowledged == {record} and terminal.date is None
    school.clock.set(True, None)
    support.wait_until(terminal.turn, "the handshake")
    assert len(terminal.clock_set) == 1 and abs(terminal.clock_set[0]) < 3


def test_who_is_not_admitted_keeps_what_it_has(school):
    stranger = adms.Terminal(school.port, "STRANGER")
    keyed = adms.Terminal(school.port, "KEYED1", comm_key="right")
    other = adms.Terminal(school.port, "KEYED1", comm_key="wrong")
    school.start_agent([("gate", "KEYED1", "comm_key = right")])
    for terminal in (stranger, other):
        terminal.punch(7)
        assert not terminal.turn() and not terminal.connected
        with pytest.raises(adms.Refused):
            terminal.upload()
        assert terminal.pending() == 1
    text = school.agent.wait_for("STRANGER") and school.agent.text()
    assert text.count("STRANGER") == 1
    keyed.punch(8)
    assert keyed.turn() and keyed.pending() == 0, school.agent.tail()
    assert keyed.send_users("CANARY-NAME", "0badcafe", "CANARY-PASSWORD") == "OK: 3"
    assert keyed.send_photo("CANARY-PHOTO") == "OK"
    assert keyed.send_operation(0) == "OK: 1"
    assert "CANARY" not in school.agent.text()


def raw(port, head, body, length=None):
    """What comes back when a client says `length` and sends `body`; None: nothing whole."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as peer:
        length = len(body) if length is None else length
        peer.sendall(f"POST {head} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n".encode() + body)
        peer.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: peer.recv(65536), b""))
    return answer.decode("utf-8", "replace") if b"\r\n\r\n" in answer else None


def test_what_is_cut_or_broken_harms_nobody(school):
    school.hub.start()
    school.start_agent([("gate", "GATE1", ""), ("back", "BACK1", "")])
    path = "/iclock/cdata?SN=GATE1&table=ATTLOG&Stamp=1"
    lines = b"1\t2026-11-20 06:00:00\t0\t1\n2\t2026-11-20 06:00:01\t0\t1\n"
    # Less than it announced: no answer that could be read as success, and no guess at the torn line.
    answer = raw(school.port, path, lines + b"3\t2026-11-20 06:00:02\t0\t1", length=5000)
    assert answer is None or " 200 " not in answer.splitlines()[0]
    # More than it announced, binary, a line without an end, GB2312 and NUL.
    assert raw(school.port, path, lines + b"rest", length=len(lines)).endswith("OK: 2")
    assert raw(school.port, path, bytes(range(256)) * 50 + b"\n" + lines).endswith("OK: 53")
    assert raw(school.port, path, b"9" * 300_000).endswith("OK: 1")
    assert raw(school.port, "/iclock/cdata?SN=GATE1&table=OPERLOG",
               "USER PIN=1\tName=张三\n".encode("gb2312")).endswith("OK: 1")
    for odd in ("/iclock/%00cdata?SN=GATE1", "/iclock/../cdata?SN=GATE1", "/iclock/cdata/x?SN=GATE1&table=ATTLOG"):
        answer = raw(school.port, odd, lines)
        assert answer is None or (" 200 " not in answer.splitlines()[0] and "OK" not in answer)
    terminal = adms.Terminal(school.port, "BACK1", batch=1000)
    a_day(terminal, 100, datetime.date.today())
    assert terminal.turn(), school.agent.tail()
    support.wait_until(lambda: len(school.times("back")) == 100, "the other terminal's punches")
    support.wait_until(lambda: len(school.times("gate")) >= 2, "this one's")
    assert school.times("gate") == ["2026-11-20 06:00:00", "2026-11-20 06:00:01"]


def test_a_killed_agent_loses_and_doubles_nothing(school):
    school.hub.start()
    terminals = [adms.Terminal(school.port, f"GATE{i}", name, batch=7, timeout=10)
                 for i, name in enumerate(adms.GENERATIONS)]
    sections = [(terminal.serial, terminal.serial, "") for terminal in terminals]
    school.start_agent(sections)
    start, count = datetime.datetime.combine(datetime.date.today(), datetime.time(6)), 0
    for terminal in terminals:
        terminal.start(pace=0.02, after_failure=0.05)
    for kill in range(4):
        for terminal in terminals:
            for i in range(60):
                terminal.punch(i, start + datetime.timedelta(seconds=count + i))
        count += 60
        support.wait_until(lambda: terminals[kill].batches > 3 * kill, "some of it to be sent")
        terminals[kill].send_everything_again()
        school.agent.kill()
        school.start_agent(sections)
    for terminal in terminals:
        support.wait_until(lambda: terminal.pending() == 0, f"{terminal.serial} to be empty")
        terminal.stop()
        assert terminal.acknowledged == set(terminal.log)
        support.wait_until(lambda: len(school.times(terminal.serial)) >= count, "its punches")
        assert school.times(terminal.serial) == sorted(record.time for record in terminal.log)
