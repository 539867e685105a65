# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""Kiosks that post signed JSON to the real agent: the documented examples word for word, what is acknowledged is
at the hub once, nothing is believed without a clock, and those who mean no good hold up nobody."""
import json
import os
import pathlib
import re
import socket
import ssl
import subprocess
import sys
import threading
import time

import pytest

import board
import support

sys.path.insert(0, str(support.SOURCE / "tests"))
from peers import webhook  # noqa: E402

SECRET = "a-secret-of-this-gate+/="
SECTIONS = """\
[webhook "gate"]
port = {port}
secret_file = {secret}
{gate}

[webhook "library"]
port = {port}
path = /library
secret_file = {secret}
{gate}
"""


class School(board.KioskBoard):
    def __init__(self, directory, broker, preload):
        super().__init__(directory, broker, preload)
        self.port = support.free_port()
        self.secret = directory / "secret"
        self.secret.write_text(SECRET + "\n")
        self.secret.chmod(0o600)

    def start_agent(self, gate=""):
        self.launch(SECTIONS.format(port=self.port, secret=self.secret, gate=gate))
        support.wait_until(self.listens, "the agent to listen")

    def listens(self):
        assert self.agent.running(), self.agent.tail()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kiosk(self, name, **more):
        return webhook.Kiosk(self.port, SECRET, name, **more)

    def punches(self, kiosk):
        return [number for number, in self.hub.query(
            "SELECT number FROM punch JOIN kiosk ON kiosk.id = punch.kiosk WHERE kiosk.name = ?", kiosk)]

    def memory_kib(self):
        status = pathlib.Path(f"/proc/{self.agent.popen.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1])

    def connections(self):
        """That the agent has open at this moment, other descriptors included."""
        return len(os.listdir(f"/proc/{self.agent.popen.pid}/fd"))


@pytest.fixture
def school(run_dir, broker, preload):
    school = School(run_dir, broker, preload)
    yield school
    school.stop()


def example(language):
    text = (support.SOURCE / "drivers/kiosk/webhook.md").read_text()
    return re.search(rf"```{language}\n(.*?)```", text, re.S)[1]


def test_the_documented_examples_work(school, run_dir):
    school.start_agent()
    environment = {**os.environ, "URL": f"http://127.0.0.1:{school.port}/events", "SECRET_FILE": str(school.secret)}
    for argv in (["bash", "-eu", "-c", example("sh")], ["/usr/bin/python3", "-c", example("python")]):
        for expected in ({"accepted": 1, "known": 0}, {"accepted": 0, "known": 1}):
            done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout.replace("'", '"')) == expected
    # The document's own request, and its section.
    kiosk = school.kiosk("doc")
    assert kiosk.post(json.loads(example("json"))) == {"accepted": 1, "known": 0}
    conf = run_dir / "doc.conf"
    conf.write_text(example("ini"))
    done = subprocess.run([support.program("schoolpulsed"), "--check-config", "--config", conf], capture_output=True,
                          text=True, timeout=60)
    assert "webhook" not in done.stderr, done.stderr


def test_what_is_acknowledged_is_at_the_hub_once(school):
    school.hub.start()
    school.start_agent()
    canary = {"name": "CANARY Nguyễn", "photo": "CANARYCANARY", "temperature": 36.6, "card": {"CANARY": [1]}}
    gate = school.kiosk("gate", extra=canary)
    library = school.kiosk("library", path="/library", batch=500)
    for i in range(450):
        gate.punch(1000 + i % 90)
        library.punch(1000 + i % 90, method="card", direction="in")
    for kiosk in (gate, library):
        while kiosk.waiting:
            kiosk.turn()
        assert (kiosk.accepted, kiosk.known) == (450, 0)
    gate.again()  # all of it, to an agent that was killed meanwhile
    school.agent.kill()
    school.start_agent()
    gate.close()
    while gate.waiting:
        gate.turn()
    assert (gate.accepted, gate.known) == (450, 450)
    for name in ("gate", "library"):
        support.wait_until(lambda name=name: len(school.punches(name)) >= 450, f"450 punches of {name}")
        assert sorted(school.punches(name)) == list(range(1, 451))
        # Nor was one sent twice by the board.
        assert school.hub.query("SELECT count(*) FROM event WHERE type = 'punch' AND instance = ?", name) == [(450,)]
    for path in [*(school.directory / "state").rglob("*"), *school.directory.glob("hub.db*")]:
        assert not path.is_file() or b"CANARY" not in path.read_bytes(), path
    assert "CANARY" not in school.agent.log.read_text()


def refused(kiosk, body, headers=None):
    with pytest.raises(webhook.Refused) as error:
        kiosk.post(body, headers)
    return error.value


def test_nobody_else_is_believed(school):
    school.clock.set(False, None)
    school.start_agent()
    kiosk = school.kiosk("gate")
    body = json.dumps({"events": [{"id": "x", "time": None, "person": "SECRETPERSON"}]}).encode()
    # While the board does not know the time it cannot tell a request from a recorded one.
    early = refused(kiosk, body)
    assert (early.status, early.retry_after) == (503, "30")
    school.clock.set(True, None)
    support.wait_until(lambda: kiosk_answers(kiosk), "the clock to be believed")
    assert refused(kiosk, body, {}).status == 401
    assert refused(kiosk, body, {**kiosk.headers(b"{}")}).status == 401
    old = refused(kiosk, body, kiosk.headers(body, int(time.time()) - 400))
    assert old.status == 401 and abs(json.loads(old.body)["now"] - time.time()) < 10
    wrong = refused(kiosk, {"events": [{"id": "x", "time": "SECRETPERSON", "person": "SECRETPERSON"}]})
    assert wrong.status == 422 and json.loads(wrong.body)["member"] == "events[0].time"
    assert "SECRETPERSON" not in wrong.body
    assert refused(kiosk, b'{"events":[').status == 400
    assert refused(kiosk, b'{"events":[' + b" " * 200000 + b"]}").status == 413
    kiosk.path = "/elsewhere"
    assert refused(kiosk, body).status == 404
    assert "SECRETPERSON" not in school.agent.log.read_text()


def kiosk_answers(kiosk):
    try:
        return kiosk.turn() == 0
    except webhook.Refused:
        return False


def test_over_tls(school, run_dir):
    key, cert = run_dir / "key.pem", run_dir / "cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=board.test",
                    "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    school.start_agent(f"cert_file = {cert}\nkey_file = {key}")
    kiosk = school.kiosk("gate")
    kiosk.connection = webhook.http.client.HTTPSConnection("127.0.0.1", school.port, timeout=60,
                                                           context=ssl.create_default_context(cafile=cert))
    kiosk.punch(1)
    assert kiosk.turn() == 1 and kiosk.accepted == 1


class Crowd:
    """Connections that mean no good, each in its own way, opened anew as soon as they are cut."""
    HEAD = b"POST /events HTTP/1.1\r\nHost: x\r\n"
    WAYS = (
        ("silent", b"", b""),
        ("slow head", HEAD, b"X-A: b\r\n"),
        ("slow body", HEAD + b"X-SchoolPulse-Timestamp: %d\r\nX-SchoolPulse-Signature: v1=00\r\n"
                             b"Content-Length: 100000\r\n\r\n", b"x"),
        ("endless", HEAD + b"X-SchoolPulse-Timestamp: %d\r\nX-SchoolPulse-Signature: v1=00\r\n"
                           b"Transfer-Encoding: chunked\r\n\r\n", b"4000\r\n" + b"x" * 0x4000 + b"\r\n"),
        ("bomb", HEAD, b"".join(b"X-%d: y\r\n" % i for i in range(2000))),
        ("path", b"GET /%2e%2e/%00//" + b"a" * 5000 + b" HTTP/1.1\r\n\r\n", b"GET /events%00 HTTP/1.1\r\n\r\n"),
        ("garbage", b"\x16\x03\x01\x02\x00\x01\xff\x00", b"\xff" * 100),
    )

    def __init__(self, port, count):
        self.port, self.ending = port, threading.Event()
        self.opened = self.cut = 0
        self.sockets = [None] * count
        self.thread = threading.Thread(target=self.loop, daemon=True)
        self.thread.start()

    def one(self, i):
        name, first, more = self.WAYS[i % len(self.WAYS)]
        if b"%d" in first:
            first = first.replace(b"%d", b"%d" % int(time.time()))
        try:
            if self.sockets[i] is None:
                # From several addresses of loopback: some share one, as behind a router.
                self.sockets[i] = socket.create_connection(("127.0.0.1", self.port), 5,
                                                           (f"127.0.0.{10 + i % 5}", 0))
                self.sockets[i].setblocking(False)
                self.opened += 1
                self.sockets[i].send(first)
            elif self.sockets[i].send(more or b"") == 0 and self.sockets[i].recv(1) == b"":
                raise OSError
        except BlockingIOError:
            pass
        except OSError:
            self.cut += 1
            self.sockets[i].close()
            self.sockets[i] = None

    def loop(self):
        while not self.ending.is_set():
            for i in range(len(self.sockets)):
                self.one(i)
            self.ending.wait(0.02)

    def end(self):
        self.ending.set()
        self.thread.join(30)
        for one in self.sockets:
            if one:
                one.close()


def test_those_who_mean_no_good_hold_up_nobody(school):
    school.start_agent()
    kiosk = school.kiosk("gate", batch=10, timeout=5)
    for i in range(10):
        kiosk.punch(1)
    kiosk.turn()
    before, others = school.memory_kib(), school.connections()
    crowd = Crowd(school.port, 280)  # more than the agent has places for
    support.wait_until(lambda: school.connections() >= others + 100, "100 bad connections")
    times, counts, end = [], [], time.monotonic() + 12
    try:
        while time.monotonic() < end:
            for i in range(10):
                kiosk.punch(1000 + i)
            if len(times) % 2:
                kiosk.close()  # one connection or a new one each time: both are served
            began = time.monotonic()
            assert kiosk.turn() == 10
            times.append(time.monotonic() - began)
            counts.append(school.connections() - others)
            time.sleep(0.05)
    finally:
        crowd.end()
    times.sort()
    after = school.memory_kib()
    print(f"{len(times)} batches beside {min(counts)} to {max(counts)} bad connections ({crowd.opened} opened, {crowd.cut} cut): "
          f"median {times[len(times) // 2] * 1000:.0f} ms, p99 {times[len(times) * 99 // 100] * 1000:.0f} ms, "
          f"{before} KiB before, {after} after")
    assert crowd.cut > 100 and sorted(counts)[len(counts) // 2] >= 100, counts
    assert kiosk.accepted + kiosk.known == 10 * (len(times) + 1)
    assert after - before < 24 * 1024
    kiosk.close()
    kiosk.punch(1)
    assert kiosk.turn() == 1
