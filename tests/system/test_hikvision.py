# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""A real agent and a simulated DS-K1T: every event once whatever breaks, nothing private anywhere, and no terminal
locked by us."""
import datetime
import subprocess
import sys

import pytest

import board
import feed_sniffer
import support

sys.path.insert(0, str(support.SOURCE / "tests"))
from peers import hikvision  # noqa: E402

SECTION = """\
[hikvision "cổng trước"]
url = {terminal.url}
user = observer
password = {password}
in_readers = 1
out_readers = 2
silence = 5s
{more}
"""


class School(board.KioskBoard):
    def __init__(self, directory, broker, preload):
        super().__init__(directory, broker, preload)
        self.sniffer = feed_sniffer.Sniffer(broker.port).ready()

    def start(self, terminal, password="mật khẩu 1", more=""):
        self.launch(SECTION.format(terminal=terminal, password=password, more=more), mqtt="ack_mode = broker")

    def records(self, kind):
        """By the place in the feed: what is sent again is the same."""
        return {(message["stream"], record["seq"]): record for message in list(self.sniffer.messages) for record in message.get("ev", [])
                if record["type"] == kind}.values()

    def numbers(self):
        return sorted(record["number"] for record in self.records("punch"))

    def until(self, condition, what, terminal):
        try:
            return support.wait_until(condition, what, timeout=40)
        except AssertionError as error:
            missing = sorted(set(terminal.produced()) - set(self.numbers()))
            raise AssertionError(f"{error}: {len(missing)} missing, {missing[:10]}\n{self.agent.tail()}\n"
                                 f"{terminal.requests[-10:]} {self.sniffer.talk.findings[:3]}") from None

    def until_all(self, terminal, what):
        self.until(lambda: set(self.numbers()) >= set(terminal.produced()), what, terminal)


@pytest.fixture
def school(run_dir, broker, preload):
    school = School(run_dir, broker, preload)
    yield school
    school.sniffer.stop()
    if school.agent and school.agent.running():
        school.agent.kill()


def certificate(run):
    """And its fingerprint, as the handbook has it read."""
    key, cert = run / "unit.key", run / "unit.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                    "/CN=unit", "-days", "1", "-keyout", key, "-out", cert], check=True, capture_output=True)
    told = subprocess.run(["openssl", "x509", "-in", cert, "-noout", "-fingerprint", "-sha256"], check=True,
                          capture_output=True, text=True).stdout
    return (str(cert), str(key)), told.strip().split("=")[1]


def spread(terminal, count, first=0):
    """Events of the days before today, by all ways, some of which are nobody's passing."""
    minors = [75, 1, 38, 0xb5, 76, 9, 75, 21, 0x9c, 75]
    now = terminal.now()
    for i in range(count):
        when = now - datetime.timedelta(minutes=10 * (count - i))
        minor = minors[i % len(minors)]
        terminal.punch("" if minor in (9, 21) else f"{(first + i) % 97:05d}", minor, when, reader=1 + i % 2)


def search(directory, words):
    """Where any of these stands in a file."""
    return [(path.name, word) for path in directory.rglob("*") if path.is_file() for word in words
            if word.encode() in path.read_bytes()]


def test_every_event_once(run_dir, school):
    pair, fingerprint = certificate(run_dir)
    terminal = hikvision.Terminal(certificate=pair)
    spread(terminal, 700)
    school.start(terminal, more=f"fingerprint = {fingerprint}")
    school.until_all(terminal, "what it remembered")
    # As it happens, beside a picture.
    for person in ("00042", "07", "Ánh-3"):
        terminal.punch(person)
    school.until_all(terminal, "what just happened")
    live = {r["number"]: r for r in school.records("punch")}[terminal.log[-1]["serial"]]
    assert live["mark"] == "live" and live["direction"] == "in" and live["method"] == "face" and live["gate"] == "1"
    # The stream breaks, and comes back as another firmware's would; meanwhile it misses some, and replays none.
    terminal.replays, terminal.boundary, terminal.style = False, '"other boundary"', "xml"
    terminal.drop()
    for person in range(40):
        terminal.punch(f"{person:05d}", silent=True)
    school.until_all(terminal, "what nobody heard")
    # The terminal is off, and the agent dies in the middle of a burst.
    terminal.stop()
    for person in range(60):
        terminal.punch(f"{person:05d}")
    terminal.style = "json"
    terminal.start()
    for person in range(100):
        terminal.punch(f"{person:05d}")
    school.agent.kill()
    for person in range(50):
        terminal.punch(f"{person:05d}")
    school.start(terminal, more=f"fingerprint = {fingerprint}")
    school.until_all(terminal, "what came while nobody was there")
    assert school.numbers() == terminal.produced()  # and none twice
    assert len({r["event"] for r in school.records("punch")}) == len(terminal.produced())
    assert "bad" not in terminal.asked("") and "basic" not in terminal.asked("")
    kiosk = school.until(lambda: [r for r in school.records("kiosk") if r["model"]], "its health", terminal)[-1]
    assert kiosk["model"] == "DS-K1T671M" and kiosk["firmware"] == "V3.2.3"
    assert not school.sniffer.talk.findings, school.sniffer.talk.findings[:5]
    school.agent.stop()
    private = ["CANARY", "Trần Thị", "Ánh-3", "mật khẩu"]
    (run_dir / "agent.conf").unlink()
    assert search(run_dir, private) == []
    told = b"".join(topic.encode() + payload for topic, payload, _ in school.sniffer.seen)
    assert not [word for word in private if word.encode() in told]
    print(f"{len(terminal.produced())} events, 0 lost, 0 twice; {len(terminal.requests)} requests")


def test_no_terminal_is_locked(school):
    """One wrong login at each start, none after it, and a lock is left alone."""
    terminal = hikvision.Terminal(offers=("sha", "md5"))
    terminal.punch("00001")
    for start in range(1, 4):
        school.start(terminal, password="wrong")
        support.wait_until(lambda: school.agent.text().count("refuses user or password") == start, "the refusal")
        school.agent.stop()
        assert terminal.asked("").count("bad") == start
    assert set(path for _, path, _ in terminal.requests) == {"/ISAPI/System/deviceInfo"}
    terminal.lock_after, terminal.unlock_s = 1, 3600
    school.start(terminal, password="wrong")
    school.agent.wait_for("has locked the account: nothing more is asked of it for 61 min")
    assert terminal.asked("").count("bad") == 4 and len(terminal.requests) == 8
    assert "wrong" not in school.agent.text()
