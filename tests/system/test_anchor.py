# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""The real anchor: curl as LibreSpeed's client, a thousand clients at once, the clients that hold on to what they
get, and a STAMP sender written from the RFC."""
import json
import re
import resource
import signal
import socket
import struct
import subprocess
import time
import urllib.request
import zlib

import pytest

import anchor_load
import stamp_sender
import support


class Anchor(support.Process):
    def __init__(self, run_dir, **options):
        for _ in range(5):  # somebody else may take a port in between
            self.begin(run_dir, options)
            if support.wait_until(lambda: self.popen.poll() is not None or self.listens(), "the anchor") and \
                    self.popen.poll() is None:
                return
            text = self.log.read_text()
            assert "Address already in use" in text, text
            self.log.unlink()
        raise AssertionError("no port is free")

    def begin(self, run_dir, options):
        self.port, self.status_port = support.free_port(), support.free_port()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            self.stamp_port = probe.getsockname()[1]
        flags = {"port": self.port, "status_port": self.status_port, "stamp_port": self.stamp_port, **options}
        arguments = [support.program("schoolpulse-anchor")]
        for key, value in flags.items():
            arguments += [f"--{key.replace('_', '-')}", str(value)]
        super().__init__(arguments, run_dir / "anchor.log")

    def listens(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.status_port)) == 0

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def status(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.status_port}/status", timeout=20) as answer:
            return json.load(answer)

    def memory(self, what):
        text = open(f"/proc/{self.pid}/status", encoding="ascii").read()
        return int(re.search(rf"^{what}:\s+(\d+) kB", text, re.M)[1]) * 1024

    def end(self):
        self.popen.send_signal(signal.SIGTERM)
        assert self.popen.wait(20) == 0, self.log.read_text()


@pytest.fixture
def anchor(run_dir):
    anchor = Anchor(run_dir)
    yield anchor
    anchor.end()


def curl(*arguments):
    done = subprocess.run(["curl", "-s", "-i", "--max-time", "60", *arguments], check=True, capture_output=True)
    head, body = done.stdout.split(b"\r\n\r\n", 1)
    return int(head.split()[1]), head.decode(), body


# ---- pages ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", ["", "/backend"])
@pytest.mark.parametrize("ending", ["", ".php"])
def test_pages_are_librespeeds(anchor, folder, ending):
    status, head, body = curl(anchor.url(f"{folder}/garbage{ending}?ckSize=2&cors=true&r=0.123"))
    assert status == 200 and len(body) == 2 * 1024 * 1024
    assert "application/octet-stream" in head and "Access-Control-Allow-Origin: *" in head and "no-store" in head
    half = len(body) // 2
    assert body[:half] == body[half:], "one block over and over"
    assert len(zlib.compress(body[:half])) > half, "incompressible"
    status, head, body = curl(anchor.url(f"{folder}/empty{ending}"))
    assert status == 200 and body == b"" and "Access-Control-Allow-Origin: *" in head
    status, _, body = curl("--data-binary", "x" * 100000, anchor.url(f"{folder}/empty{ending}"))
    assert status == 200 and body == b""
    status, head, _ = curl("-X", "OPTIONS", anchor.url(f"{folder}/empty{ending}"))
    assert status == 204 and "Content-Encoding, Content-Type" in head
    status, _, body = curl(anchor.url(f"{folder}/getIP{ending}?isp=true"))
    assert status == 200
    assert json.loads(body) == {"processedString": "127.0.0.1 - localhost IPv4 access", "rawIspInfo": ""}
    assert curl(anchor.url(f"{folder}/getIP{ending}?format=text"))[2] == b"127.0.0.1\n"


def test_odd_requests_are_answered(anchor):
    assert len(curl(anchor.url("/garbage"))[2]) == 4 * 1024 * 1024
    assert len(curl(anchor.url("/garbage?ckSize=-1"))[2]) == 4 * 1024 * 1024
    assert curl(anchor.url("/"))[0] == 404
    assert curl(anchor.url("/garbage/../etc/passwd"), "--path-as-is")[0] == 404
    assert curl("-d", "x", anchor.url("/garbage"))[0] == 405
    assert curl("-H", "Content-Length: 2000000000", "-d", "x", anchor.url("/empty"))[0] == 413
    assert curl("-H", "X-Long: " + "x" * 100000, anchor.url("/empty"))[0] >= 400
    for size in (20000, 40000, 60000, 64000, 65000, 65400):  # what is left of a connection's memory then
        subprocess.run(["curl", "-s", "-o", "/dev/null", "-H", "X-Long: " + "x" * size,
                        anchor.url("/garbage?ckSize=1024"), "--max-time", "1"], check=False)
        assert curl(anchor.url("/empty"))[0] == 200
    # Nobody's word about himself is believed.
    assert b"127.0.0.1" in curl("-H", "X-Forwarded-For: 192.0.2.9", anchor.url("/getIP"))[2]


def test_a_connection_is_kept(anchor):
    done = subprocess.run(["curl", "-sv", anchor.url("/garbage?ckSize=1"), anchor.url("/empty"), "-o", "/dev/null",
                           "-o", "/dev/null"], check=True, capture_output=True, text=True)
    assert "Re-using existing connection" in done.stderr


def test_a_proxy_on_this_machine_may_speak_for_others(run_dir):
    anchor = Anchor(run_dir, behind_proxy="yes")
    assert b"198.51.100.7" in curl("-H", "X-Forwarded-For: 10.0.0.1, 198.51.100.7", anchor.url("/getIP"))[2]
    anchor.end()


def test_tls(run_dir):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", run_dir / "key.pem", "-out", run_dir / "cert.pem", "-days", "2", "-subj", "/CN=anchor",
                    "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    tls_port = support.free_port()
    anchor = Anchor(run_dir, tls_port=tls_port, cert_file=run_dir / "cert.pem", key_file=run_dir / "key.pem")
    url = f"https://127.0.0.1:{tls_port}/backend"
    trust = ["--cacert", run_dir / "cert.pem"]
    assert len(curl(*trust, f"{url}/garbage.php?ckSize=3")[2]) == 3 * 1024 * 1024
    (run_dir / "body").write_bytes(bytes(3000000))
    assert curl(*trust, "-H", "Expect:", "--data-binary", f"@{run_dir}/body", f"{url}/empty.php")[0] == 200
    anchor.end()


# ---- the door ------------------------------------------------------------------------------------------------


def test_a_storm_of_a_thousand(run_dir):
    """The admitted ones keep their rate, the others hear 503 at once, and nothing grows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    anchor = Anchor(run_dir, tests=3, stamp_source_rate=1000)
    rate, seconds = 4 * 1024 * 1024, 8
    admitted = [subprocess.Popen(
        ["curl", "-s", "-o", "/dev/null", "--interface", f"127.0.0.{10 + i}", "--limit-rate", str(rate), "--max-time",
         str(seconds), "-w", "%{http_code} %{size_download}", anchor.url("/garbage?ckSize=1024")],
        stdout=subprocess.PIPE, text=True) for i in range(3)]
    support.wait_until(lambda: anchor.status()["tests"]["active"] == 3, "three tests")
    before = anchor.memory("VmRSS")
    sender = stamp_sender.Sender("127.0.0.1", anchor.stamp_port, timeout=5)
    for wave in range(2):
        replies = anchor_load.storm(anchor.port, 1000)
        assert {reply.status for reply in replies} == {503}
        waits = [reply.retry_after for reply in replies]
        assert min(waits) >= 1 and max(waits) <= 1800 and len(set(waits)) > 300, "returns are spread"
        slowest = sorted(reply.seconds for reply in replies)
        print(f"wave {wave}: 1000 clients refused; half within {slowest[500] * 1000:.0f} ms, "
              f"99 of 100 within {slowest[990] * 1000:.0f} ms")
        for i in range(50):
            assert sender.ask().sequence == wave * 50 + i
    state = anchor.status()
    assert state["tests"]["active"] == 3 and state["tests"]["waiting"] == 1000
    assert state["tests"]["refused_total"]["full"] == 2000
    assert state["stamp"]["reflected_total"] == 100
    for process in admitted:
        code, size = process.communicate()[0].split()
        assert code == "200" and int(size) >= 0.9 * rate * (seconds - 1), "an admitted test lost its rate"
    grown = anchor.memory("VmHWM") - before
    print(f"memory grew by {grown / 1e6:.1f} MB at most, to {anchor.memory('VmHWM') / 1e6:.1f} MB")
    assert grown < 64 * 1024 * 1024
    sender.close()
    anchor.end()


def test_who_holds_on_is_dropped(run_dir):
    """Heads that drip, readers that stall, uploads that stop: gone within their limit, others served meanwhile."""
    anchor = Anchor(run_dir, tests=2, tests_per_address=2)
    clients = []

    def client(number, data):
        out = socket.create_connection(("127.0.0.1", anchor.port), source_address=(anchor_load.address_of(number), 0))
        out.sendall(data)
        clients.append(out)
        return out

    drips = [client(i, b"GET /empty HTTP/1.1\r\nHo") for i in range(200)]
    reader = client(300, b"GET /garbage?ckSize=1024 HTTP/1.1\r\nHost: x\r\n\r\n")
    sender = client(301, b"POST /empty HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nxxx")
    support.wait_until(lambda: anchor.status()["tests"]["streams"] == 2, "both streams")
    began = time.monotonic()
    while anchor.status()["tests"]["streams"] or time.monotonic() - began < 11:
        assert curl(anchor.url("/empty"))[0] == 200
        for drip in drips:
            try:
                drip.send(b"s")
            except OSError:
                pass
        time.sleep(0.5)
        assert time.monotonic() - began < support.PATIENCE, "a stalled stream was kept"
    for drip in drips:
        drip.settimeout(support.PATIENCE)
        try:
            while drip.recv(4096):
                pass
        except ConnectionError:
            pass
    assert sender.recv(100) == b""
    assert reader.recv(100)
    support.wait_until(lambda: anchor.status()["tests"]["active"] == 0, "both places")
    for one in clients:
        one.close()
    anchor.end()


def test_an_address_has_its_share_of_bytes(run_dir):
    anchor = Anchor(run_dir, hour_bytes="3M")
    assert curl(anchor.url("/garbage?ckSize=4"))[0] == 200
    status, head, _ = curl(anchor.url("/garbage?ckSize=4"))
    assert status == 429 and 1 <= int(re.search(r"Retry-After: (\d+)", head)[1]) <= 3600
    assert curl("--interface", "127.0.0.2", anchor.url("/garbage?ckSize=1"))[0] == 200
    anchor.end()


def test_it_stops_in_the_middle_of_everything(run_dir):
    anchor = Anchor(run_dir)
    process = subprocess.Popen(["curl", "-s", "-o", "/dev/null", "--limit-rate", "1M", anchor.url("/garbage?ckSize=1000")])
    support.wait_until(lambda: anchor.status()["tests"]["streams"] == 1, "a stream")
    anchor.end()
    assert process.wait(20) != 0


# ---- STAMP ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_stamp_by_the_rfc(anchor, address):
    if address == "::1" and not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    sender = stamp_sender.Sender(address, anchor.stamp_port, ssid=0xabcd)
    for number in range(5):
        answer = sender.ask()
        assert len(answer.data) == 44
        assert (answer.sequence, answer.sender_sequence) == (number, number)
        assert (answer.sender_time, answer.sender_error) == (sender.time, 0x8001)
        assert answer.ssid == 0xabcd and answer.ttl == 255 and answer.mbz == 0 and answer.tail_mbz == bytes(3)
        assert answer.error & 0xff and not answer.error & 0x4000
        assert sender.time - 2 ** 20 <= answer.received <= answer.sent <= stamp_sender.ntp_now() + 2 ** 20
        assert answer.synced or answer.error_seconds > 1
    # Numbers belong to a session: what never arrived is not counted, and another SSID begins anew.
    sender.packet()
    assert sender.ask().sequence == 5
    sender.ssid = 0x1234
    assert sender.ask().sequence == 0
    sender.close()


def test_stamp_beyond_the_base_packet(anchor):
    sender = stamp_sender.Sender("127.0.0.1", anchor.stamp_port)
    padding, unknown = struct.pack("!BBHI", 0xc0, 1, 4, 7), struct.pack("!BBHI", 0xc0, 4, 4, 9)
    answer = sender.ask(padding + unknown)
    assert answer.tlvs == struct.pack("!BBHI", 0, 1, 4, 7) + struct.pack("!BBHI", 0x80, 4, 4, 9)
    assert sender.ask(struct.pack("!BBH", 0xc0, 4, 999)).tlvs == struct.pack("!BBH", 0x40, 4, 999)
    assert len(sender.ask(bytes(1000)).data) == 1044
    # TWAMP Light with as much padding as its answer has bytes; less would be amplification.
    sender.send(sender.packet(size=41))
    assert len(sender.socket.recv(2048)) == 41
    sender.socket.settimeout(0.5)
    sender.send(sender.packet(size=40))
    assert sender.silent()
    sender.send(sender.packet(bytes(3000)))
    assert sender.silent()
    sender.close()
    support.wait_until(lambda: anchor.status()["stamp"]["dropped_total"]["short"] == 1, "a count")


def test_stamp_has_limits(run_dir):
    anchor = Anchor(run_dir, stamp_source_rate=10)
    sender = stamp_sender.Sender("127.0.0.1", anchor.stamp_port, timeout=0.5)
    for _ in range(200):
        sender.send(sender.packet())
    support.wait_until(lambda: anchor.status()["stamp"]["dropped_total"]["source"] >= 150, "a limit")
    assert anchor.status()["stamp"]["reflected_total"] <= 50
    sender.close()
    try:  # another reflector's port: no loop between two of them
        sender = stamp_sender.Sender("127.0.0.1", anchor.stamp_port, timeout=0.5, source_port=862)
    except PermissionError:
        pytest.skip("not root: no low port")
    sender.send(sender.packet())
    assert sender.silent()
    assert anchor.status()["stamp"]["dropped_total"]["origin"] == 1
    sender.close()
    anchor.end()
