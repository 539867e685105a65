# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""Marked names, photographs, card numbers, temperatures and persons' numbers go through every protocol, at each level of
publication, well-formed and broken. Then nothing of them is anywhere: journal, logs, core, messages, hub."""
import datetime
import http.client
import json
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

import board
import canary
import kiosk_school
import support
from peers import adms, webhook

API = ("anomalies", "attendance", "day", "devices", "facts", "gaps", "kiosks", "outages", "overview", "silences", "tests")


class Town:
    """One school, its broker, its hub, and somebody who listens to everything."""

    def __init__(self, directory, preload, level):
        self.directory = directory
        clock = support.Clock(preload, directory / "clock")
        clock.set(True, None)
        self.broker = support.Broker(directory / "broker")
        self.broker.start()
        self.hub = board.Hub(directory, self.broker.port)
        self.hub.start()
        self.listener = self.listen("messages")
        self.school = kiosk_school.School(directory, self.broker.port, clock, publish=level,
                                          counts={name: 1 for name in kiosk_school.School.COUNTS} | {"cards": 2})
        self.logs = directory / "logs"
        self.logs.mkdir()

    def listen(self, name, *options):
        listener = support.Process(["stdbuf", "-oL", "mosquitto_sub", "-p", self.broker.port, "-V", "mqttv5", "-t", "#", "-d",
                                    "-F", "MESSAGE %t\t%x", *options], self.directory / f"{name}.heard")
        listener.wait_for("Subscribed")
        return listener

    @staticmethod
    def messages(listener):
        """Topic and payload, as bytes."""
        for line in listener.log.read_bytes().splitlines():
            if line.startswith(b"MESSAGE "):
                topic, _, payload = line[8:].rpartition(b"\t")
                yield topic, bytes.fromhex(payload.decode())

    def status(self):
        return board.status(self.directory / "agent.sock")

    def api(self):
        """Everything that the hub tells, by path."""
        today = datetime.datetime.now(kiosk_school.VIETNAM).date()
        for name in API:
            for query in ("", f"?device={kiosk_school.DEVICE}&shard={kiosk_school.SHARD}", f"?from={today}&to={today}",
                          f"?device={kiosk_school.DEVICE}&date={today}&day={today}"):
                url = f"http://127.0.0.1:{self.hub.http}/api/v1/{name}{query}"
                try:
                    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=10) as answer:
                        yield url, answer.read()
                except urllib.error.HTTPError as error:
                    yield url, error.read()

    def stop(self):
        self.school.stop()
        self.hub.stop()
        self.listener.stop()
        self.broker.stop()


@pytest.fixture
def make(run_dir, preload):
    towns = []

    def town(level):
        towns.append(Town(run_dir, preload, level))
        return towns[-1]
    yield town
    for one in towns:
        one.stop()


def ignore(call):
    """Of what is refused only the refusal is of interest, and that it tells nobody's secrets."""
    try:
        return str(call())
    except (adms.Refused, webhook.Refused, OSError, http.client.HTTPException) as error:
        return str(error)


def push_adms(town):
    terminal, = town.school.adms.values()
    day = datetime.date.today()
    pin, words, broken = canary.PINS["adms"], canary.WORDS, canary.PINS["broken"]
    terminal.extra = f"\t1\t{words['temperature']}\t{canary.CARDS['webhook']}\t{words['employee']}"
    for i in range(20):
        terminal.punch(pin, f"{day} 06:00:{i:02d}", verify=15)
    assert terminal.turn(), town.school.agent.tail()
    said = [terminal.send_users(words["name"], f"{canary.CARDS['reader-0']:X}", words["password"]),
            terminal.send_photo(words["photo"]),
            terminal.request("POST", "cdata", "&table=OPERLOG&OpStamp=1", f"USER PIN={pin}\tName={canary.GB2312_NAME}\n".encode("gb2312")),
            terminal.request("POST", "cdata", "&table=OPERLOG&OpStamp=2",
                             f"FP PIN={pin}\tFID=0\tTMP={words['template']}\nOPLOG 4\t{pin}\t{day} 06:10:00\t{pin}\t0\t0\n".encode())]
    # What nobody can read, a table that nobody knows, a terminal that nobody knows.
    for line in (f"{broken}\tnever\t0\t1\n", f"{broken}\n", f"{broken}\t{day} 25:61:00\t{broken}\t{words['name']}\n",
                 broken * 30 + f"\t{day} 06:00:00\t0\t1\n"):
        said.append(ignore(lambda line=line: terminal.request("POST", "cdata", "&table=ATTLOG&Stamp=1", line.encode())))
    said.append(ignore(lambda: terminal.request("POST", "cdata", f"&table={words['name'].split()[0]}&x={broken}", f"Pin={broken}\n".encode())))
    said.append(ignore(lambda: terminal.request("GET", "getrequest", f"&INFO=Ver 1,{broken},x".replace(" ", "%20"))))
    said.append(ignore(lambda: terminal.request("POST", "devicecmd", body=f"ID=99&Return=-1&CMD={broken}\n".encode())))
    stranger = adms.Terminal(town.school.adms_port, "STRANGER")
    said.append(ignore(lambda: stranger.request("POST", "cdata", "&table=ATTLOG&Stamp=1", f"{broken}\t{day} 06:00:00\t0\t1\n".encode())))
    assert terminal.pending() == 0
    return said


def push_hikvision(town):
    terminal, = town.school.hikvision.values()
    for i in range(20):  # names, cards, faces, pictures are the peer's own canaries
        terminal.punch(canary.PINS["hikvision"], minor=(75, 1, 38, 76)[i % 4])
    terminal.style = "xml"
    for i in range(5):
        terminal.punch(canary.PINS["hikvision"])
    terminal.punch(canary.PINS["hikvision, broken"] * 8)  # longer than any number may be
    return [json.dumps(terminal.requests)]


def push_webhook(town):
    kiosk, = town.school.webhook.values()
    words, broken = canary.WORDS, canary.PINS["broken"]
    kiosk.extra = {"name": words["name"], "photo": words["photo"], "temperature": float(words["temperature"]),
                   "password": words["password"], "employee": {"id": [words["employee"]]}, words["template"]: True}
    for i in range(20):
        kiosk.punch(canary.PINS["webhook"])
        kiosk.punch(canary.CARDS["webhook"], kind="card")
    while kiosk.waiting:
        kiosk.turn()
    good = {"id": "x1", "time": None, "person": broken}
    said = [ignore(lambda body=body: kiosk.post(body)) for body in (
        {"events": [{**good, "time": broken}]}, {"events": [{**good, "kind": words["name"]}]},
        {"events": [{**good, "person": broken * 8}]}, {"events": [{**good, "gate": words["name"] * 3}]},
        {"events": [{**good, "kind": "card", "person": "x" + broken}]}, json.dumps({"events": [good]}).encode()[:-3])]
    body = json.dumps({"events": [good]}).encode()
    said.append(ignore(lambda: kiosk.post(body, {"X-SchoolPulse-Timestamp": broken, "X-SchoolPulse-Signature": broken})))
    said.append(ignore(lambda: kiosk.post(body, {})))
    return said


def push_cards(town):
    for name, reader in town.school.cards.items():
        assert reader.tap(canary.CARDS[name], 30), "no light"
        town.school.shown[name].append(canary.CARDS[name])
        reader._send(f"\x02{canary.CARDS[name]:X}FF\x03{canary.CARDS[name]}\r\n".encode())  # a broken frame
    return []


def push_zk4370(town):
    terminal, = town.school.zk4370.values()
    for i in range(10):  # before the agent's start: it asks then
        terminal.punch(canary.PINS["zk4370"], datetime.datetime.combine(datetime.date.today(), datetime.time(6, 0, i)))
    return []


def run(town):
    """All of it; what the board answered to those who sent it."""
    said = push_zk4370(town)
    town.school.start_agent()
    support.wait_until(town.status, "the agent")
    for port in (town.school.adms_port, town.school.webhook_port):
        support.wait_until(lambda port=port: socket.socket().connect_ex(("127.0.0.1", port)) == 0, "its ports")
    for push in (push_adms, push_hikvision, push_webhook, push_cards):
        said += push(town)
    support.wait_until(town.school.visit_all, "the visit")
    terminal, = town.school.zk4370.values()
    support.wait_until(lambda: terminal.goodbyes, "the visit's end")
    socket_path = town.directory / "agent.sock"
    for word in (["kiosks"], ["kiosks", "--json"], ["status", "--json"], ["forget", "--person", canary.PINS["cli"], "--kind", "pin", "--yes"],
                 ["devices"]):
        done = subprocess.run([support.program("schoolpulse"), "--socket", socket_path, *word], capture_output=True, text=True, timeout=60)
        said.append((done.stdout + done.stderr).replace(canary.PINS["cli"], "…") if word[0] == "forget" else done.stdout + done.stderr)
    return said


def taken(town, level):
    """So that what is not found was there: 20 of ADMS, 15 + 5 of Hikvision, 40 posted, 2 cards, 10 read."""
    if level == "events":
        def arrived():
            return town.hub.query("SELECT count(*) FROM punch")[0][0] >= 92
        support.wait_until(arrived, "92 events at the hub")
    else:
        def known():
            done = subprocess.run([support.program("schoolpulse"), "--socket", town.directory / "agent.sock", "kiosks", "--json"],
                                  capture_output=True, text=True, timeout=30)
            return done.returncode == 0 and sum(kiosk.get("accepted") or 0 for kiosk in json.loads(done.stdout)["kiosks"]) >= 92
        support.wait_until(known, "92 events on the card")


@pytest.mark.parametrize("level", ["health", "counts", "events"])
def test_nothing_of_a_person_is_anywhere(make, level):
    town = make(level)
    said = run(town)
    taken(town, level)
    in_memory = canary.find_in_memory(town.school.agent.pid)
    api = [(url, what) for url, answer in town.api() for what in canary.find(answer)]
    retained = town.listen("retained", "--retained-only", "-W", "2")
    retained.popen.wait(20)
    people = {event.person.encode() for event in town.school.expected() if event.kiosk.startswith("post")}
    assert town.school.agent.stop() == 0
    town.hub.stop()
    heard = [*town.messages(town.listener), *town.messages(retained)]
    town.broker.stop()
    assert heard and [(topic, what) for topic, payload in heard for what in canary.find(topic + b"\n" + payload)] == []
    assert [what for answer in said for what in canary.find(answer.encode())] == []
    assert api == []
    # Journal with its WAL, what was set aside, logs, the broker's memory, the hub's database.
    town.school.secret.unlink()
    (town.directory / "agent.conf").unlink()
    assert canary.find_in_files(town.directory) == []
    # No core file of this process is written at all (below). Should one be, it would hold this and no more:
    assert {what for _, what in in_memory} <= canary.LEFT_BY_LIBCURL, in_memory
    pseudonyms = sum(person in payload for person in people for _, payload in heard)
    assert (pseudonyms > 0) == (level == "events")
    # A hub holds no pseudonym, only what it made of it.
    for person in people:
        assert [path for path in town.directory.glob("hub.*") if person in path.read_bytes() or bytes.fromhex(person.decode()) in path.read_bytes()] == []


def core_of(run_dir, name, process):
    """The core file that the kernel writes of it; None: none."""
    process.popen.send_signal(signal.SIGABRT)
    process.popen.wait(60)
    assert process.popen.returncode == -signal.SIGABRT
    found = [path for path in (run_dir / name).iterdir() if path.name.startswith("core")]
    return found[0] if found else None


def test_no_core_file_is_written(make, run_dir):
    """A kernel that writes core files writes none of a board that has kiosks, with or without a legal basis; of a board without
    it does."""
    pattern = pathlib.Path("/proc/sys/kernel/core_pattern").read_text().strip()
    if pattern.startswith("|") or "/" in pattern:
        pytest.skip(f"core files go elsewhere: {pattern}")
    town = make("events")
    limit = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (limit[1], limit[1]))
    if limit[1] == 0:
        pytest.skip("core files are forbidden here")
    try:
        run(town)
        cores = {}
        conf = run_dir / "agent.conf"
        legal = conf.read_text()
        illegal = legal.replace("legal_basis = a test", "legal_basis =").replace("publish = events", "publish = health")
        # A board that never had kiosks has no keys, either.
        never = re.sub(r"(?m)^state_dir = .*$", f"state_dir = {run_dir}/never", illegal[:illegal.index("[adms ")])
        for name, text in (("legal", legal), ("illegal", illegal), ("none", never)):
            (run_dir / name).mkdir()
            conf.write_text(text)
            town.school.agent.stop()
            process = support.Process([support.program("schoolpulsed"), "--config", conf], run_dir / "agent.log",
                                      env=town.school.clock.environment(), cwd=run_dir / name)
            support.wait_until(town.status, "the agent")
            cores[name] = core_of(run_dir, name, process)
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, limit)
    assert cores["legal"] is None and cores["illegal"] is None and cores["none"] is not None


@pytest.mark.parametrize("what, needle", canary.needles(), ids=lambda value: value if isinstance(value, str) else "")
def test_each_is_found(tmp_path, what, needle):
    """In a log, in a database, in a name, in a message."""
    (tmp_path / "agent.log").write_bytes(b"info kiosk: somebody wrote " + needle + b" here\n")
    (tmp_path / "journal.db").write_bytes(os.urandom(5000) + needle + os.urandom(5000))
    assert {path for path, found in canary.find_in_files(tmp_path) if found == what} == {
        str(tmp_path / "agent.log"), str(tmp_path / "journal.db")}
    assert what in canary.find(b"sp1/up/x\n" + needle)


def test_memory_is_searched_as_a_core_file_is():
    """What a program has is found, what it has excepted from core files is not."""
    program = """
import mmap, sys
shown, hidden = mmap.mmap(-1, 65536), mmap.mmap(-1, 65536)
hidden.madvise(mmap.MADV_DONTDUMP)
for i in range(4000):
    (shown if sys.argv[1] == "shown" else hidden)[16 * i:16 * i + 16] = b"CANARY-PHOTO-8b1"
print("there", flush=True)
sys.stdin.read()
"""
    found = {}
    for how in ("shown", "hidden"):
        process = subprocess.Popen([sys.executable, "-c", program, how], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            assert process.stdout.readline() == b"there\n"
            found[how] = sum(data.count(b"CANARY-PHOTO-8b1") for _, data in canary.memory(process.pid))
        finally:
            process.kill()
            process.communicate()
    assert found["shown"] >= 4000 > 100 > found["hidden"]
