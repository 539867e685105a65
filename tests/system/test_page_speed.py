# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""Speed on the live page: a line's own tests, and the evidence by provider and plan."""
import json
import re
import urllib.parse

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

import feed_contract
import page_fixture
from page_fixture import HOUR, NOW, WEB, evidence_side, excluded, line, speedtest
from support import wait_until
from test_page import driver, hub, page  # noqa: F401  the same hub and browser

SPACE = "\u00a0"


def pool(provider, plan, verdict, down, up, scope="domestic"):
    return {"provider": provider, "plan": plan, "scope": scope, "verdict": verdict, "sites": 67, "days": 22,
            "down": down, "up": up}


EMPTY = {"p10_mbps": None, "p50_mbps": None, "p95_mbps": None, "sites": 0, "days": 0}
EXCLUDED = [excluded("contended", "busy", 165, 61.3, 0.613), excluded("failed", "timeout", 31),
            excluded("skipped", "budget", 1074)]


@pytest.fixture
def speedy(page):  # noqa: F811
    """The line that stands first has a contract and four weeks of tests."""
    fake = page.hub
    fake.lines[1] = line(2, "down", "isp", "provider", contract="Fiber100", bought_down_mbps=100, bought_up_mbps=33.5,
                         down_mbps=93.44, up_mbps=30, speed_ms=NOW - HOUR)
    fake.tests = [
        speedtest(NOW - HOUR, "down", 93.44), speedtest(NOW - HOUR + 15000, "up", 30.0),
        speedtest(NOW - 30 * HOUR, "down", 41.2, validity="contended", reason="busy"),
        speedtest(NOW - 54 * HOUR, "down", None, validity="failed", reason="timeout", idle_rtt=None, loaded_rtt=None),
        speedtest(NOW - 53 * HOUR, "down", 12.0, scope="international", method="ndt7", trigger="hand"),
        speedtest(NOW - HOUR, "down", 7.0, line="other"),
    ]
    fake.pools = [
        pool("Nhà mạng A", "Fiber100", "not_kept", evidence_side(100, 1204, 0.747, "not_kept", EXCLUDED),
             evidence_side(50, 1190, 0.81, "kept")),
        pool("Nhà mạng A", "Fiber100", None, evidence_side(100, 28, 0.2, None), evidence_side(50, 0, None, None, **EMPTY),
             "international"),
        pool("Nhà mạng B", None, "not_rated", evidence_side(100, 240, 0.9, "not_rated"),
             evidence_side(None, 1300, None, "not_rated", mean_mbps=20.0, p10_mbps=15.0, p50_mbps=20.0, p95_mbps=25.0)),
    ]
    page.open()
    wait_until(lambda: page.all("#speed-pools .pool"), "the pools")
    page.click("#table tr.line .expand")
    wait_until(lambda: page.all(".line-speed .dot"), "the line's tests")
    return page


def fold(text):
    return text.replace(SPACE, " ")


def test_a_lines_speed_beside_its_contract(speedy):
    assert "↓ 93,4 ↑ 30 Mbit/s" in fold(speedy.text("#table tr.line"))
    assert fold(speedy.text(".line-speed .contract")) == \
        "Hợp đồng theo sổ đăng ký: Nhà mạng A · Fiber100 · 100 Mbit/s tải xuống, 33,5 Mbit/s tải lên"
    heads = [fold(text) for text in speedy.texts(".line-speed .side-head")]
    assert heads == ["Tải xuống93,4 Mbit/s93,4 % của 100 Mbit/s đã mua · 09:00:00",
                     "Tải lên30 Mbit/s89,6 % của 33,5 Mbit/s đã mua · 09:00:15"]
    assert speedy.texts(".line-speed .counts")[0] == "độ trễ khi rảnh 8,2 ms, khi tải 45,3 ms"
    dots = speedy.js("return [...document.querySelector('.plot').querySelectorAll('.dot')].map((n) => n.className)")
    assert dots == ["dot excluded no-figure", "dot international", "dot excluded", "dot"]
    # The first of its height is what was bought, which is nearer to the top than any test.
    assert speedy.js("""
        const plot = document.querySelector(".plot");
        const top = (n) => parseFloat(n.style.top);
        return [...plot.querySelectorAll(".dot")].every((dot) => top(dot) > top(plot.querySelector(".level.bought")))""")
    asked = [urllib.parse.parse_qs(r.split("?")[1]) for r in speedy.hub.requests if r.startswith("/api/v1/tests")]
    assert asked[-1] == {"school": ["s2"], "site": ["chinh"], "line": ["main"], "limit": ["500"]}
    assert speedy.console() == []


def test_each_test_tells_why_it_does_not_count(speedy):
    plot = speedy.all(".plot")[0]
    plot.send_keys(Keys.ARROW_LEFT)
    assert fold(speedy.text("#tip")).startswith("09:00:00 · 93,4 Mbit/s · độ trễ khi rảnh")
    plot.send_keys(Keys.ARROW_LEFT)
    tip = fold(speedy.text("#tip"))
    assert "41,2 Mbit/s · có người khác cùng dùng đường truyền: đường truyền đang bận" in tip
    assert speedy.text("#announcer") == speedy.text("#tip")
    plot.send_keys(Keys.ARROW_LEFT)
    assert "quốc tế" in speedy.text("#tip") and "đo tại chỗ · ndt7" in speedy.text("#tip")
    plot.send_keys(Keys.ARROW_LEFT)
    assert speedy.text("#tip").endswith("thất bại: quá thời gian chờ · đo theo lịch · librespeed")
    plot.send_keys(Keys.ESCAPE)
    assert not speedy.visible("#tip")
    dot = speedy.all(".dot.excluded:not(.no-figure)")[0]
    speedy.js("arguments[0].scrollIntoView({ block: 'center' })", dot)
    ActionChains(speedy.driver).move_to_element_with_offset(dot, 9, 9).perform()
    wait_until(lambda: speedy.visible("#tip") and "41,2" in speedy.text("#tip"), "near it is enough")
    ActionChains(speedy.driver).move_to_element(speedy.all(".line-speed h3")[0]).perform()
    wait_until(lambda: not speedy.visible("#tip"), "the pointer has left")


def test_evidence_with_its_counts_and_exclusions(speedy):
    assert speedy.texts(".pool h3") == ["Nhà mạng A · Fiber100trong nước", "Nhà mạng A · Fiber100quốc tế",
                                        "Nhà mạng B · không rõ gói cướctrong nước"]
    assert speedy.texts(".pool .verdict") == ["Chưa đạt cam kết", "Không xét theo hợp đồng", "Chưa đủ dữ liệu"]
    sides = [fold(text) for text in speedy.texts(".pool .side-head")]
    assert sides[0] == "Tải xuống74,7 Mbit/s74,7 % của 100 Mbit/s đã mua"
    assert sides[2] == "Tải xuống20 Mbit/s", "what was bought is no measure of the way abroad"
    assert sides[5] == "Tải lên20 Mbit/skhông rõ tốc độ đã mua"
    counts = [fold(text) for text in speedy.texts(".pool .counts")]
    assert counts[0].startswith("1.204 phép đo hợp lệ · 67 điểm trường · 22 ngày · p10 / p50 / p95: ")
    assert counts[4].startswith("mới có 240 / 1.000 phép đo hợp lệ")
    assert speedy.text(".pool summary") == "Không tính: 1.270 phép đo"
    assert [fold(text) for text in speedy.texts(".pool details li")] == [
        "165 × có người khác cùng dùng đường truyền: đường truyền đang bận · trung bình 61,3 Mbit/s (61,3 %)",
        "31 × thất bại: quá thời gian chờ", "1.074 × bỏ qua: hết dung lượng dành cho tháng này",
        "Nếu tính cả những phép đo có số liệu (1.369): trung bình 74,0 Mbit/s (74 %)"]
    assert len(speedy.all(".pool:first-child .side:first-child .by-hour i")) == 24
    assert "14 h: 193" in speedy.js("return document.querySelector('.by-hour').getAttribute('aria-label')")
    assert len(speedy.all(".pool:nth-child(2) .bought")) == 0
    assert "80 %" in fold(speedy.text("#speed-rule")) and "1.000" in speedy.text("#speed-rule")
    speedy.click('[data-lang="en"]')
    wait_until(lambda: speedy.texts(".pool .verdict")[0] == "Contract not kept", "English")
    assert speedy.console() == []


def test_another_period(speedy):
    def asked():
        return [urllib.parse.parse_qs(r.split("?")[1]) for r in speedy.hub.requests if r.startswith("/api/v1/speed")][-1]
    assert asked() == {"from": ["2026-10-23"], "to": ["2026-11-22"]}
    for name, begin, end in (("last_month", "2026-10-01", "2026-11-01"), ("month", "2026-11-01", "2026-11-22"),
                             ("week", "2026-11-15", "2026-11-22")):
        speedy.js("""const select = document.querySelector("#speed-period"); select.value = arguments[0];
                     select.dispatchEvent(new Event("change"))""", name)
        wait_until(lambda begin=begin, end=end: asked() == {"from": [begin], "to": [end]}, name)
        assert f"period={name}" in speedy.js("return location.hash")
    speedy.hub.pools = []
    speedy.open("#period=month")
    wait_until(lambda: speedy.text("#speed-empty") == "Chưa có phép đo tốc độ nào trong thời gian này.", "nothing to show")
    assert asked()["from"] == ["2026-11-01"]


def test_open_exclusions_stay_open_when_evidence_is_renewed(speedy):
    speedy.click(".pool summary")
    wait_until(lambda: speedy.js("return document.querySelector('.pool details').open"), "open")
    speedy.click('[data-lang="en"]')
    wait_until(lambda: speedy.text(".pool summary").startswith("Not counted"), "English")
    assert speedy.js("return document.querySelector('.pool details').open")


def test_words_for_all_that_a_test_can_say():
    schema = json.loads((feed_contract.SCHEMAS / "records" / "speedtest.json").read_text(encoding="utf-8"))["properties"]
    readme = (feed_contract.FEED / "README.md").read_text(encoding="utf-8").split("## Speed tests")[1].split("\n## ")[0]
    reasons = set(re.findall(r"^\| `(\w+)` \|", readme, re.MULTILINE)) - {"reason"}
    assert len(reasons) >= 20
    ours = set(re.findall(r'#define SP_EVIDENCE_\w+\s+"(\w+)"', (WEB.parent / "figures/evidence.h").read_text(encoding="utf-8")))
    assert ours == {"unplaced", "unregistered"}
    for name in ("vi", "en"):
        words = json.loads((WEB / "i18n" / f"{name}.json").read_text(encoding="utf-8"))
        for kind in ("validity", "trigger", "scope", "direction"):
            for value in schema[kind]["enum"]:
                assert f"{kind}.{value}" in words, f"{name}: {kind}.{value}"
        told = {key[len("speed_reason."):] for key in words if key.startswith("speed_reason.")}
        assert told == reasons | ours | {"other"}, name


def test_hostile_names_stay_text(speedy):
    evil = '<img src=x onerror="window.hacked=1">'
    speedy.hub.pools = [pool(evil, evil, evil, evidence_side(100, 5, 0.5, "x y", [excluded(evil, evil, 3)]),
                             evidence_side(50, 5, 0.5, None), evil)]
    speedy.hub.tests = [speedtest(NOW - HOUR, "down", 5.0, validity=evil, reason=evil, method=evil, scope=evil)]
    speedy.open()
    wait_until(lambda: speedy.all("#speed-pools .pool"), "the pool")
    assert evil in speedy.text(".pool h3") and evil in speedy.text(".pool li")
    speedy.click("#table tr.line .expand")
    wait_until(lambda: speedy.all(".line-speed .dot"), "the test")
    speedy.all(".plot")[0].send_keys(Keys.ARROW_LEFT)
    assert evil in speedy.text("#tip")
    assert speedy.js("return document.querySelectorAll('main img, .tip img').length") == 0
    assert speedy.js("return window.hacked") is None
    assert speedy.console() == []


def test_no_tests_yet(page):  # noqa: F811
    wait_until(lambda: page.text("#speed-empty") == "Chưa có phép đo tốc độ nào trong thời gian này.", "the empty panel")
    page.click("#table tr.line .expand")
    wait_until(lambda: page.text(".line-speed .none") == "Chưa có phép đo tốc độ nào trong 30 ngày qua.", "no tests")
    assert fold(page.text(".line-speed .contract")) == "Hợp đồng theo sổ đăng ký: Viễn thông Xanh"
    assert not page.visible(".line-speed .charts")


@pytest.mark.parametrize("width", [390, 900, 1400])
def test_fits(speedy, width):
    page_fixture.viewport(speedy.driver, width, 900)
    speedy.click(".pool summary")
    for name in ("vi", "en"):
        speedy.click(f'[data-lang="{name}"]')
        wait_until(lambda: speedy.js("return document.documentElement.lang") == name, name)  # noqa: B023
        assert speedy.js("return document.documentElement.scrollWidth <= innerWidth"), f"{name} at {width} px"
        outside = speedy.js("""
            return [...document.querySelectorAll(".pool, tr.detail")].flatMap((box) => [...box.querySelectorAll("*")]
              .filter((n) => n.offsetParent && n.getBoundingClientRect().right > box.getBoundingClientRect().right + 1)
              .map((n) => n.className || n.tagName))""")
        assert outside == []


def test_verdicts_can_be_read(speedy):
    """WCAG AA, light and dark."""
    from test_page import contrast
    for scheme in ("light", "dark"):
        speedy.driver.execute_cdp_cmd("Emulation.setEmulatedMedia",
                                      {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
        for node in speedy.driver.find_elements(By.CSS_SELECTOR, ".pool .verdict"):
            style = [node.value_of_css_property(name) for name in ("color", "background-color")]
            assert contrast(*(re.sub(r"rgba\((.*), 1\)", r"rgb(\1)", colour) for colour in style)) >= 4.5, (scheme, node.text)
    speedy.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
