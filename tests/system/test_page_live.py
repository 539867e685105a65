# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""The live page of the real hub: what a board publishes over a real broker appears by itself."""
import datetime
import hashlib
import json
import shutil
import subprocess
import time
import urllib.request
import zlib

import pytest

import board
import feed_contract
import feed_sniffer
import page_fixture
import support
from support import wait_until
from test_page import Page

REGISTER = """\
area,school,school_name,site,site_name,line,provider,contract,down_mbps,up_mbps,zone,timetable,device,shard
Tỉnh Mẫu/Xã Đồng Xanh,79000501,Trường Thử Nghiệm <b>A</b>,chinh,Điểm trường chính,main,Nhà mạng A,,100,100,,,board,test
Tỉnh Mẫu/Xã Đồng Xanh,79000502,Trường Thử Nghiệm B,chinh,Điểm trường chính,main,Nhà mạng A,,100,100,,{timetable},silent,test
"""
BOOT = "3f0c9a52-6d41-4b7e-9a2c-1e5d8b7f4c60"
SECOND_BOOT = "9d1b7c34-0f5e-4a68-8c3d-2b7e6f9a1c05"
STREAM = "mfrggzdfmztwq2lknnwg23tpoa"


class FakeBoard:
    """Speaks the feed by hand, with this machine's clock."""

    def __init__(self, port, device="board", stream=STREAM):
        self.port, self.device, self.stream = port, device, stream
        self.seq = 0
        self.boot, self.session = BOOT, "ljqxg43fonzws33ogqzdgnbvge"
        self.start = time.time() - 600

    def reboot(self, stream):
        """Power was lost, and is back."""
        self.stream, self.seq = stream, 0
        self.boot, self.session = SECOND_BOOT, "nbswy3dpeb3w64tmmqqho2lsmu"
        self.start = time.time() - 1

    def mono_us(self):
        return int((time.time() - self.start) * 1e6)

    def clk(self):
        return {"boot": self.boot, "mono_us": self.mono_us(), "synced": True, "t_ms": int(time.time() * 1000), "err_ms": 10}

    def publish(self, leaf, payload, *options, content_type=feed_contract.JSON):
        subprocess.run(["mosquitto_pub", "-p", str(self.port), "-V", "mqttv5", "-q", "1", "-s", "-t",
                        f"sp1/up/test/{self.device}/{leaf}", "-D", "publish", "content-type", content_type, *options],
                       input=payload, check=True)

    def birth(self):
        self.publish("state", json.dumps({
            "v": 1, "dev": self.device, "session": self.session, "presence": "online", "boot": self.boot,
            "version": "0.1.0", "hub_epoch": None, "clk": self.clk(), "held": []}).encode(), "-r")

    def facts(self, *records):
        batch = []
        for record in records:
            self.seq += 1
            batch.append({"seq": self.seq, "mono_us": self.mono_us(), "t_ms": int(time.time() * 1000), "err_ms": 10, **record})
        text = json.dumps(batch, ensure_ascii=False)
        head = {"v": 1, "dev": self.device, "class": "facts", "stream": self.stream, "boot": self.boot,
                "digest": hashlib.sha256(text.encode()).hexdigest()[:32], "clk": self.clk()}
        payload = (json.dumps(head)[:-1] + ', "ev": ' + text + "}").encode()
        feed_contract.validate(f"sp1/up/test/{self.device}/facts", payload, feed_contract.JSON)
        self.publish("facts", payload)

    def opened(self, prev=None):
        return {"type": "opened", "class": "facts", "prev": prev}

    def line(self, state, cause="none", whose="nobody"):
        return {"type": "line", "device": "main", "state": state, "previous": "unknown", "cause": cause, "whose": whose,
                "ipv4": state, "ipv6": None}

    def outage(self, phase, **members):
        return {"type": "outage", "device": "main", "outage": "pf2xk6dpnzsxg5dfon2gc3lfmu", "phase": phase, "state": "down",
                "cause": "isp", "whose": "provider", "start_mono_us": self.mono_us() - 2000000,
                "start_t_ms": int(time.time() * 1000) - 2000, "start_boot": BOOT, "start_uncertainty_seconds": 0.5,
                "evidence": [{"rung": "isp_core", "family": "ipv4", "status": "silent", "detail": "2 of 2 anchors silent",
                              "rtt_seconds": None}], **members}


@pytest.fixture
def driver(tmp_path):
    driver = page_fixture.browser(tmp_path / "browser")
    yield driver
    driver.quit()
    shutil.rmtree(tmp_path / "browser", ignore_errors=True)


def closed_today():
    """A timetable of the day after tomorrow alone, in Vietnam."""
    days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    today = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=7)).weekday()
    return f"{days[(today + 2) % 7]} 07:00-17:00"


class RealHub(board.Hub):
    @property
    def url(self):
        return f"http://127.0.0.1:{self.http}/"


@pytest.fixture
def hub(run_dir, broker):
    hub = RealHub(run_dir, broker.port)
    conf = run_dir / "import.conf"
    conf.write_text(board.HUB.format(db=hub.db, port=broker.port, http=support.free_port(), mqtt=""))
    (run_dir / "register.csv").write_text(REGISTER.format(timetable=closed_today()), encoding="utf-8")
    subprocess.run([support.program("schoolpulse-hub"), "--config", conf, "import", run_dir / "register.csv"], check=True,
                   capture_output=True)
    hub.start()
    yield hub
    hub.stop()


def row(page, name):
    return page.js("""return [...document.querySelectorAll("#table tr.line")]
        .find((r) => r.querySelector(".strong").textContent === arguments[0])?.textContent ?? null""", name)


def test_the_page_of_the_real_hub(broker, hub, driver):
    first, second = "Trường Thử Nghiệm <b>A</b>", "Trường Thử Nghiệm B"
    with feed_sniffer.Sniffer(broker.port) as sniffer:
        page = Page(driver, hub).open()
        assert sorted(page.names()) == [first, second]
        assert "chưa nhận được tin từ bo mạch" in row(page, second)

        sender = FakeBoard(broker.port)
        sender.birth()
        sender.facts(sender.opened(), sender.line("up"))
        wait_until(lambda: "Hoạt động" in row(page, first), "up, by itself")
        assert "trực tuyến" in row(page, first)
        wait_until(lambda: page.all("#table tr.line .seg"), "its strip")

        sender.facts(sender.outage("open"), sender.line("down", "isp", "provider"))
        wait_until(lambda: "Mất kết nối" in row(page, first), "down, by itself")
        assert "lỗi phía nhà mạng" in row(page, first)
        assert page.texts(".tile.down .figure") == ["1"]
        wait_until(lambda: page.texts("#outages-list tbody tr"), "the outage")
        said = page.text("#outages-list tbody tr")
        for words in (first, "đang diễn ra", "điểm đo trong nước IPv4: không trả lời · 2 of 2 anchors silent", "±"):
            assert words in said

        sender.facts(sender.outage("close", end_mono_us=sender.mono_us(), end_t_ms=int(time.time() * 1000)),
                     sender.line("up"))
        wait_until(lambda: "Hoạt động" in row(page, first), "up again")
        wait_until(lambda: "đang diễn ra" not in page.text("#outages-list tbody tr"), "the outage's end")

        stranger = FakeBoard(broker.port, "stranger", "orsxg5bamjxw65dtorzgk5dgnq")
        stranger.birth()
        stranger.facts(stranger.opened(), stranger.line("up"))
        wait_until(lambda: page.texts("#boards-table .strong") == ["stranger"], "a board that nobody registered")

        sender.publish("facts", zlib.compress(b"{}"), content_type=feed_contract.DEFLATED)
        sender.publish("facts", b"no JSON at all")
        wait_until(lambda: page.visible("#aside"), "what was set aside")
        assert "sai định dạng" in page.texts("#aside-list td")
        wait_until(lambda: ("ack", "") in sniffer.talk.kinds and ("site", "down") in sniffer.talk.kinds,
                   "acknowledgements and the people's topic")
        assert page.console() == []

        hub.process.kill()
        wait_until(lambda: page.visible("#banner"), "the page to notice")
        assert page.text("#banner").startswith("Mất kết nối với trung tâm")
    ours = [finding for finding in sniffer.talk.findings if "/facts: not zlib" not in finding]
    assert [finding for finding in ours if not finding.startswith("sp1/up/test/board/facts")] == []


def speedtest(direction, validity="valid", **members):
    return {"type": "speedtest", "device": "lan", "test": "ljqxg43fonzws33ogqzdgnbvgf", "line": "main", "method": "librespeed",
            "direction": direction, "trigger": "schedule", "validity": validity, "scope": "domestic", "server": "anchor.example",
            "address": "203.0.113.7", "family": "ipv4", "streams": 6,
            "idle_rtt": {"count": 20, "min_seconds": 0.004, "median_seconds": 0.0061, "p95_seconds": 0.02,
                         "jitter_seconds": 0.001}, **members}


def test_speed_from_the_board_to_the_page(broker, hub, driver):
    """What a board says of its speed tests is evidence, a dot on the page, and in the people's topic."""
    def get(path):
        return json.load(urllib.request.urlopen(f"{hub.url}api/v1/{path}"))

    with feed_sniffer.Sniffer(broker.port) as sniffer:
        sender = FakeBoard(broker.port)
        sender.birth()
        sender.facts(sender.opened(), sender.line("up"),
                     speedtest("down", goodput_bps=61.52e6, loaded_rtt={"count": 90, "median_seconds": 0.0453}),
                     speedtest("up", goodput_bps=94e6),
                     speedtest("down", "contended", reason="busy", goodput_bps=12e6),
                     speedtest("up", "skipped", reason="budget"),
                     speedtest("down", scope="international", goodput_bps=9e6))
        wait_until(lambda: len(get("tests")["tests"]) == 5, "the tests to be stored")
        wait_until(lambda: any(m.get("down_mbps") for m in site_messages(sniffer)), "the people's topic")
        told = site_messages(sniffer)[-1]
        assert (told["down_mbps"], told["up_mbps"]) == (61.5, 94)
        assert abs(told["speed_ms"] - time.time() * 1000) < 60000
        assert sniffer.talk.findings == []

    pools = get("speed")["pools"]
    assert [(p["provider"], p["scope"], p["verdict"], p["down"]["samples"], p["up"]["samples"]) for p in pools] == [
        ("Nhà mạng A", "domestic", "not_rated", 1, 1), ("Nhà mạng A", "international", None, 1, 0)]
    assert [(e["validity"], e["reason"], e["mean_mbps"]) for e in pools[0]["down"]["excluded"]] == [("contended", "busy", 12)]
    assert pools[0]["up"]["excluded"][0]["reason"] == "budget"
    assert pools[0]["down"]["ratio_of_means"] == pytest.approx(0.6152)

    page = Page(driver, hub).open()
    wait_until(lambda: page.all("#speed-pools .pool"), "the evidence")
    assert page.texts(".pool .verdict") == ["Chưa đủ dữ liệu", "Không xét theo hợp đồng"]
    assert "mới có 1 / 1.000 phép đo hợp lệ" in page.text(".pool .counts")
    page.js("""[...document.querySelectorAll("#table tr.line")].find((r) => r.textContent.includes("Thử Nghiệm <b>A"))
        .querySelector(".expand").click()""")
    wait_until(lambda: page.all(".line-speed .dot"), "the line's tests")
    assert "61,5" in page.text(".line-speed .figure")
    assert "khi tải 45,3 ms" in page.text(".line-speed .counts")
    assert len(page.all(".line-speed .plot .dot")) == 5
    assert page.console() == []


def site_messages(sniffer):
    return [message for message in list(sniffer.messages) if "presence" in message and "last_heard" in message]


def test_an_outage_in_parts_and_a_switch_turned_off(broker, hub, driver):
    """What an outage stood on is read in words; what the main switch made silent after school troubles nobody."""
    first = "Trường Thử Nghiệm <b>A</b>"
    page = Page(driver, hub).open()
    sender = FakeBoard(broker.port)
    sender.birth()
    sender.facts(sender.opened(), sender.line("down", "isp_access", "provider"), sender.outage(
        "close", cause="isp_access", end_mono_us=sender.mono_us(), end_t_ms=int(time.time() * 1000),
        parts=[{"cause": "isp_access", "whose": "provider", "state": "down", "seconds": 1.5},
               {"cause": "power", "whose": "school", "state": "unknown", "seconds": None}],
        evidence=[{"rung": "isp_access", "family": "ipv4", "status": "silent", "reason": "hop_silent", "host": "198.51.100.1",
                   "detail": "silent", "rtt_seconds": None},
                  {"rung": "gateway", "family": "ipv4", "status": "ok", "reason": "echo", "host": "192.168.1.1",
                   "detail": "answers echo", "rtt_seconds": 0.0004}]))
    wait_until(lambda: page.texts("#outages-list tbody tr"), "the outage")
    said = page.text("#outages-list tbody tr")
    for words in (first, "lỗi mạng truy nhập của nhà mạng", "Gồm: lỗi mạng truy nhập của nhà mạng 1,5 giây, mất điện không rõ",
                  "Bằng chứng (2)", "mạng truy nhập IPv4: không trả lời · trước đây có trả lời, nay thì không (198.51.100.1)",
                  "bộ định tuyến IPv4: có trả lời (0,4 ms) · bộ định tuyến trả lời ping (192.168.1.1)"):
        assert words in said

    off = FakeBoard(broker.port, "silent", "orsxg5bamjxw65dtorzgk5dgnq")
    off.birth()
    off.facts(off.opened(), off.line("up"))
    last_mono_us, last_ms, before = off.mono_us(), int(time.time() * 1000), off.stream
    time.sleep(3)  # the silence itself: the strip is to have a piece of it
    off.reboot("pf2xk6dpnzsxg5dfon2gc3lfmq")
    off.birth()
    silence = {"silence_start_mono_us": last_mono_us, "silence_start_t_ms": last_ms, "uncertainty_seconds": 1}
    off.facts(off.opened({"stream": before, "last": 2}),
              {"type": "boot", "reason": "power", "clean_shutdown": False, "previous_boot": BOOT, "version": "0.1.0",
               "evidence": "power-on reset", **silence},
              off.outage("close", outage="mfzwizltoqqgmylmnrsw4ylmnq", state="unknown", cause="power", whose="school",
                         start_mono_us=last_mono_us, start_t_ms=last_ms, evidence=[], end_mono_us=0,
                         end_t_ms=int(time.time() * 1000) - 1000),
              off.line("up"))
    wait_until(lambda: page.all("#table tr.line .seg.off"), "the piece of the strip in which it was switched off")
    answer = json.load(urllib.request.urlopen(hub.url + "api/v1/silences?device=silent"))["silences"]
    assert [(s["reason"], s["cause"], s["whose"], s["evidence"]) for s in answer] == [
        ("power", "switched_off", "school", "power-on reset")]
    assert last_ms - 100 <= answer[0]["start_from_ms"] <= answer[0]["start_to_ms"] <= last_ms + 1200
    assert [first in row for row in page.texts("#outages-list tbody tr")] == [True], "nobody had to care"
    assert page.console() == []
