# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""The live page in a real browser, against a scripted hub."""
import json
import re
import shutil

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

import page_fixture
from page_fixture import HOUR, MIDNIGHT, NOW, WEB, line
from support import wait_until


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    profile = tmp_path_factory.mktemp("browser")
    driver = page_fixture.browser(profile)
    yield driver
    driver.quit()
    shutil.rmtree(profile, ignore_errors=True)


@pytest.fixture
def hub():
    hub = page_fixture.FakeHub().start()
    hub.lines = [
        line(1, "up"),
        line(2, "down", "isp", "provider", provider="Viễn thông Xanh", since_ms=NOW - 9 * 60000),
        line(3, "degraded", "dns", "resolver"),
        line(4, "unknown", "power", "school", presence="lost", last_heard_ms=NOW - HOUR),
    ]
    yield hub
    hub.stop()


class Page:
    def __init__(self, driver, hub):
        self.driver, self.hub = driver, hub

    def open(self, fragment=""):
        self.driver.get("about:blank")
        self.driver.get_log("browser")
        self.driver.get(self.hub.url + fragment)
        wait_until(lambda: self.all("#table tr.line") or self.visible("#lines-empty"), "the first rows")
        return self

    def js(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector):
        """As rendered in the tree, whether it is in view or not."""
        return self.js("return document.querySelector(arguments[0])?.textContent ?? null", selector)

    def texts(self, selector):
        return self.js("return [...document.querySelectorAll(arguments[0])].map((n) => n.textContent)", selector)

    def visible(self, selector):
        return any(node.is_displayed() for node in self.all(selector))

    def click(self, selector):
        self.js("document.querySelector(arguments[0]).click()", selector)

    def names(self):
        return self.texts("#table tr.line .expand .strong")

    def badge(self, number):
        return self.js("""
            const row = [...document.querySelectorAll("#table tr.line")]
              .find((r) => r.querySelector(".strong").textContent === arguments[0]);
            return row && [row.querySelector(".badge").textContent, row.querySelector(".badge use").getAttribute("href")];
            """, f"Trường Tiểu học số {number}")

    def console(self):
        return [entry for entry in self.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]


@pytest.fixture
def page(driver, hub):
    page_fixture.viewport(driver, 1400, 1000)
    page = Page(driver, hub)
    page.open()
    page.js("localStorage.clear()")
    page.open()
    yield page
    driver.get("about:blank")


# ---- what is there -------------------------------------------------------------------------------------


def test_first_view(page):
    assert page.js("return document.documentElement.lang") == "vi"
    assert page.names() == [f"Trường Tiểu học số {n}" for n in (2, 3, 4, 1)], "worst first"
    assert page.badge(1) == ["Hoạt động", "#i-up"]
    assert page.badge(2) == ["Mất kết nối", "#i-down"]
    assert page.badge(3) == ["Suy giảm", "#i-degraded"]
    assert page.badge(4) == ["Không đo được", "#i-unknown"]
    assert page.texts(".tile .figure") == ["4", "1", "1", "1", "1"]
    row = page.text("#table tr.line")
    for words in ("Điểm trường chính", "Huyện Thử Nghiệm", "Viễn thông Xanh", "lỗi phía nhà mạng", "phía nhà mạng", "09:51:00",
                  "trực tuyến"):
        assert words in row
    assert re.search(r"đã (9|1\d) phút \d\d giây", row)
    assert re.fullmatch(r"dữ liệu lúc 10:0\d:\d\d", page.text("#as-of"))
    assert page.text("#live-word") == "trực tuyến"
    for panel in ("boards", "anomalies", "gaps", "aside", "banner"):
        assert not page.visible(f"#{panel}"), panel
    assert page.text("#outages-list .empty") == "Chưa ghi nhận sự cố nào."
    assert page.console() == []


def test_table_is_a_table_for_readers(page):
    assert page.texts("#table thead th")[0] == "Tình trạng"
    assert page.js("return document.querySelector('#table thead th').getAttribute('aria-sort')") == "other"
    roles = page.js("return [...document.querySelectorAll('#table [role]')].map((n) => n.getAttribute('role'))")
    assert {"table", "rowgroup", "row", "columnheader", "rowheader", "cell"} <= set(roles)
    unnamed = page.js("""
        return [...document.querySelectorAll("button, input, select, [role=img]")].filter((n) =>
          n.offsetParent && !n.textContent.trim() && !n.getAttribute("aria-label") && !(n.labels && n.labels.length))
          .map((n) => n.outerHTML)""")
    assert unnamed == []


def test_every_word_is_translated_in_both_languages():
    words = {name: json.loads((WEB / "i18n" / f"{name}.json").read_text(encoding="utf-8")) for name in ("vi", "en")}
    assert set(words["vi"]) == set(words["en"])
    for key in words["vi"]:
        holes = [set(re.findall(r"\{(\w+)\}", words[name][key])) for name in ("vi", "en")]
        assert holes[0] == holes[1], key
    source = "".join(path.read_text(encoding="utf-8") for path in [*WEB.glob("*.js"), WEB / "index.html"])
    used = set(re.findall(r'\bt\("([a-z_.]+)"', source)) | set(re.findall(r'data-i18n(?:-\w+)?="([a-z_.]+)"', source))
    assert len(used) > 40
    assert used <= set(words["vi"]), used - set(words["vi"])


def test_words_for_the_whole_vocabulary_of_the_feed():
    import feed_contract
    common = json.loads((feed_contract.SCHEMAS / "common.json").read_text(encoding="utf-8"))["$defs"]
    words = json.loads((WEB / "i18n" / "vi.json").read_text(encoding="utf-8"))
    for kind in ("state", "cause", "whose", "class"):
        for value in common[kind]["enum"]:
            assert f"{kind}.{value}" in words, f"{kind}.{value}"
    outage = json.loads((feed_contract.SCHEMAS / "records" / "outage.json").read_text(encoding="utf-8"))
    evidence = outage["properties"]["evidence"]["items"]["properties"]
    for kind in ("rung", "family", "status"):
        for value in evidence[kind]["enum"]:
            assert f"{kind}.{value}" in words, f"{kind}.{value}"


def test_words_for_every_anomaly_that_the_hub_tells_of():
    source = "".join(path.read_text(encoding="utf-8") for path in WEB.parent.rglob("*.c"))
    kinds = set(re.findall(r'sp_anomaly\([^,]+, "(\w+)"', source))
    assert len(kinds) >= 8
    for name in ("vi", "en"):
        words = json.loads((WEB / "i18n" / f"{name}.json").read_text(encoding="utf-8"))
        assert {key[len("anomaly."):] for key in words if re.fullmatch(r"anomaly\.\w+", key)} == kinds
    readme = (WEB.parent / "ops/README.md").read_text(encoding="utf-8").split("## How anomalies read")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", readme, re.MULTILINE)) == kinds


def test_files_to_embed_are_exactly_the_files():
    listed = (WEB / "files.txt").read_text().split()
    there = {path.relative_to(WEB).as_posix() for path in WEB.rglob("*") if path.is_file()} - {"files.txt", "README.md"}
    assert sorted(listed) == sorted(there)
    for name in listed:
        text = (WEB / name).read_text(encoding="utf-8")
        assert not re.search(r"https?://(?!www\.w3\.org/)", text), f"{name} names another host"
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", text), name
    html = (WEB / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<style|\bstyle=|\bon\w+=|<script(?![^>]*\bsrc=)", html)


# ---- it lives ------------------------------------------------------------------------------------------


def test_updates_by_itself_and_keeps_what_the_reader_holds(page):
    page.click("#table tr.line .expand")
    wait_until(lambda: page.text(".detail .empty") == "Chưa ghi nhận sự cố nào.", "the detail's answer")
    page.js("""document.querySelector("#search").focus(); window.row = document.querySelector("#table tr.line");
               window.scrollTo(0, 120); window.held = scrollY""")
    page.hub.lines[0] = line(1, "down", "cable", "school", since_ms=NOW)
    page.hub.changed()
    wait_until(lambda: page.badge(1) == ["Mất kết nối", "#i-down"], "the change on the page")
    assert page.texts(".tile .figure") == ["4", "0", "1", "2", "1"]
    assert page.text("#announcer") == "Trường Tiểu học số 1, Điểm trường chính · Huyện Thử Nghiệm: Mất kết nối"
    assert page.js("return document.activeElement.id") == "search"
    assert page.js("return window.row.isConnected && window.row.querySelector('.strong').textContent") == \
        "Trường Tiểu học số 2"
    assert len(page.all("tr.detail")) == 1
    assert page.js("return window.held > 0 && scrollY >= window.held")


def test_focus_survives_a_row_that_moves(page):
    page.js("[...document.querySelectorAll('#table .expand')].at(-1).focus()")
    assert page.js("return document.activeElement.textContent").startswith("Trường Tiểu học số 1")
    page.hub.lines[0] = line(1, "down", "isp", "provider", since_ms=NOW)
    page.hub.changed()
    wait_until(lambda: page.names()[0] == "Trường Tiểu học số 1", "the row on top")
    assert page.js("return document.activeElement.textContent").startswith("Trường Tiểu học số 1")


def test_an_unchanged_overview_costs_a_304(page):
    wait_until(lambda: page.hub.not_modified >= 2, "two polls without news")
    asked = [path for path in page.hub.requests if path != "/api/v1/overview"]
    wait_until(lambda: page.hub.not_modified >= 4, "two more")
    assert [path for path in page.hub.requests if path != "/api/v1/overview"] == asked, "nothing else is asked"
    assert page.text("#live-word") == "trực tuyến"


def test_hub_gone_and_back(page):
    page.hub.stop()
    wait_until(lambda: page.visible("#banner"), "the banner")
    assert page.text("#banner").startswith("Mất kết nối với trung tâm. Đang hiển thị dữ liệu lúc 10:0")
    assert page.text("#live-word") == "mất kết nối"
    shown = page.text("#as-of")
    assert len(page.names()) == 4, "what was known stays"
    page.driver.get_log("browser")  # failed polls are logged by the browser itself
    page.hub.lines[1] = line(2, "up")
    page.hub.changed()
    page.hub.as_of_ms += 60000
    page.hub.start()
    wait_until(lambda: page.badge(2) == ["Hoạt động", "#i-up"], "the news after the return")
    wait_until(lambda: not page.visible("#banner"), "the banner to go")
    assert page.text("#live-word") == "trực tuyến"
    assert page.text("#as-of") != shown


def test_ingest_that_stands_still_is_said(page):
    page.hub.ingest = "disconnected"
    page.hub.changed()
    wait_until(lambda: page.visible("#banner"), "the banner")
    assert page.text("#banner") == "Trang vẫn hoạt động, nhưng trung tâm hiện không nhận dữ liệu: mất kết nối với máy chủ MQTT."


# ---- choosing ------------------------------------------------------------------------------------------


def test_tiles_filter(page):
    page.click('.tile[data-state="down"]')
    assert page.names() == ["Trường Tiểu học số 2"]
    assert page.text("#lines-count") == "1 / 4 đường truyền"
    assert page.js("return document.querySelector('.tile.down').getAttribute('aria-pressed')") == "true"
    page.hub.lines[0] = line(1, "down", "isp", "provider", since_ms=NOW)
    page.hub.changed()
    wait_until(lambda: len(page.names()) == 2, "the filter to apply to news")
    page.click('.tile[data-state="down"]')
    assert len(page.names()) == 4
    page.open("#state=unknown")
    assert page.names() == ["Trường Tiểu học số 4"], "a filter in the address"


def test_search_without_diacritics(page):
    field = page.all("#search")[0]
    for text, expected in [("xanh vien thong", [2]), ("tiểu HỌC số 3", [3]), ("dien TRUONG", []), ("so 4 chinh", [4])]:
        field.clear()
        field.send_keys(text)
        wait_until(lambda: page.names() == [f"Trường Tiểu học số {n}" for n in expected], f"the rows for {text!r}")
    field.clear()
    field.send_keys("không có trường này")
    wait_until(lambda: page.visible("#lines-empty"), "the empty message")
    assert page.text("#lines-empty") == "Không có đường truyền nào khớp với bộ lọc."


def test_sort(page):
    page.click("#table thead th.c-place button")
    assert page.names() == [f"Trường Tiểu học số {n}" for n in (1, 2, 3, 4)]
    assert page.js("return document.querySelector('#sort').value") == "place"
    page.js("""const s = document.querySelector("#sort"); s.value = "heard"; s.dispatchEvent(new Event("change"))""")
    assert page.names()[0] == "Trường Tiểu học số 4"


def test_language(page):
    page.click('[data-lang="en"]')
    wait_until(lambda: page.badge(2) == ["Down", "#i-down"], "English")
    assert page.text("#lines-title") == "Lines"
    assert "the provider's" in page.text("#table tr.line")
    assert page.js("return document.documentElement.lang") == "en"
    vietnamese = "[ăâđêôơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ]"
    left = [text for text in page.texts("main h2, main label, th, .tile .label, .tile .sub, .badge, footer, #fresh")
            if re.search(vietnamese, text)]
    assert left == ["Trường Tiểu học số %d" % n + "Điểm trường chính · Huyện Thử Nghiệm" for n in (2, 3, 4, 1)]
    page.open()
    assert page.badge(2)[0] == "Down", "the choice is kept"
    page.click('[data-lang="vi"]')
    wait_until(lambda: page.badge(2)[0] == "Mất kết nối", "Vietnamese")


# ---- details, strips, outages ---------------------------------------------------------------------------


def segments(*pieces):
    return [dict(zip(("from_ms", "to_ms", "state", "cause"), piece)) for piece in pieces]


def with_a_day(page):
    two = page.hub.lines[1]
    page.hub.day = [{**{k: two[k] for k in ("device", "school", "site", "line")}, "segments": segments(
        (MIDNIGHT, MIDNIGHT + 6 * HOUR, "up", "none"), (MIDNIGHT + 6 * HOUR, MIDNIGHT + 9 * HOUR, "unknown", "power"),
        (MIDNIGHT + 9 * HOUR, NOW, "down", "isp"))}]
    page.hub.outages = [{
        "id": "o1", "device": two["device"], "school": two["school"], "site": two["site"], "line": two["line"], "state": "down",
        "cause": "isp", "whose": "provider", "start_ms": MIDNIGHT + 9 * HOUR, "start_uncertainty_seconds": 0.5, "end_ms": None,
        "parts": [{"cause": "isp", "whose": "provider", "state": "down", "seconds": 3300},
                  {"cause": "cable", "whose": "school", "state": "unknown", "seconds": 300},
                  {"cause": "power", "whose": "school", "state": "unknown", "seconds": None}],
        "evidence": [{"rung": "isp_core", "family": "ipv4", "status": "silent", "detail": "4 of 4", "rtt_seconds": None},
                     {"rung": "isp_access", "family": "ipv4", "status": "silent", "reason": "hop_silent", "host": "198.51.100.1",
                      "detail": "silent", "rtt_seconds": None},
                     {"rung": "gateway", "family": "ipv4", "status": "ok", "detail": "", "rtt_seconds": 0.0004}],
    }, {
        "id": "o2", "device": two["device"], "school": two["school"], "site": two["site"], "line": two["line"],
        "state": "degraded", "cause": "dns", "whose": "resolver", "start_ms": MIDNIGHT - HOUR, "start_uncertainty_seconds": 300,
        "end_ms": MIDNIGHT - HOUR + 90000, "end_uncertainty_seconds": 2, "evidence": [],
    }]
    page.open()
    wait_until(lambda: page.all("#table tr.line .seg"), "the strip")


def test_day_strip(page):
    with_a_day(page)
    pieces = page.js("""return [...document.querySelectorAll("#table tr.line:first-child .seg")]
        .map((n) => [n.className, n.style.left, n.style.width])""")
    assert pieces == [["seg up", "0%", "25%"], ["seg unknown board", "25%", "12.5%"],
                      ["seg down provider", "37.5%", pieces[2][2]]]
    assert pieces[2][2].startswith("4.16")
    strip = page.all("#table tr.line .strip")[0]
    assert "Mất kết nối 1 giờ 00 phút, Không rõ 3 giờ 00 phút, Hoạt động 6 giờ 00 phút" in strip.get_attribute("aria-label")
    strip.send_keys(Keys.ARROW_RIGHT)
    strip.send_keys(Keys.ARROW_RIGHT)
    assert page.text("#tip") == "06:00–09:00 Không đo được (3 giờ 00 phút) · mất điện"
    assert page.visible("#tip")
    page.click("#day-before")
    wait_until(lambda: not page.all("#table tr.line .seg"), "the day before, which is empty")
    assert "/api/v1/day?date=2026-11-20" in page.hub.requests
    assert page.js("return document.querySelector('#date').value") == "2026-11-20"
    page.click("#day-after")
    wait_until(lambda: page.all("#table tr.line .seg"), "today again")
    assert page.js("return document.querySelector('#day-after').disabled"), "there is no tomorrow yet"


def test_details_and_outages(page):
    with_a_day(page)
    wait_until(lambda: len(page.all("#outages-list tbody tr")) == 2, "the outages")
    first, second = page.texts("#outages-list tbody tr")
    for words in ("Mất kết nối", "Trường Tiểu học số 2", "lỗi phía nhà mạng", "09:00:00", "± 0,5 giây", "đang diễn ra",
                  "1 giờ 0", "Bằng chứng (3)", "mạng truy nhập IPv4: không trả lời · trước đây có trả lời, nay thì không (198.51.100.1)", "điểm đo trong nước IPv4: không trả lời · 4 of 4",
                  "bộ định tuyến IPv4: có trả lời (0,4 ms)",
                  "Gồm: lỗi phía nhà mạng 55 phút 00 giây, đứt/tuột cáp tại trường 5 phút 00 giây, mất điện không rõ"):
        assert words in first
    assert "nhiều nguyên nhânphía nhà mạng 55 phút 00 giây, phía trường ít nhất 5 phút 00 giâyGồm:" in first
    assert "nhiều nguyên nhân" not in second
    for words in ("Suy giảm", "23:00:00 20/11", "± 5 phút 00 giây", "23:01:30 20/11", "± 2 giây", "1 phút 30 giây"):
        assert words in second
    page.click("#table tr.line .expand")
    wait_until(lambda: len(page.all("tr.detail .outages tbody tr")) == 2, "the line's outages")
    shown = page.texts("#outages-list tbody tr td:last-child")[0]
    now = page.js("return document.querySelector('tr.detail .outages td:last-child').textContent")
    for text in (shown, now):  # it grows while we look
        assert re.fullmatch(r"1 giờ 0\d phút", text)
    assert any(path.startswith("/api/v1/outages?school=s2&site=chinh&line=main") for path in page.hub.requests)
    page.js("document.querySelector('tr.detail details').open = true")
    page.hub.outages[0]["end_ms"] = NOW
    page.hub.changed()
    wait_until(lambda: "10:00:00" in page.texts("tr.detail .outages tbody tr")[0], "the outage's end")
    assert page.js("return document.querySelector('tr.detail details').open"), "open evidence stays open"
    page.click("#table tr.line .expand")
    assert not page.all("tr.detail")


def test_regional_incidents(page):
    assert not page.open().visible("#incidents")
    page.hub.incidents = [
        page_fixture.incident(1, members=(2, 4)),
        page_fixture.incident(2, "power", scope="area", provider=None, area="Tỉnh Thử/Xã Bình An", to_ms=NOW - HOUR, from_ms=NOW - 2 * HOUR,
                              boards=12, of_boards=12, away=0, told_power=9),
        page_fixture.incident(3, "line", to_ms=NOW - 40 * HOUR, from_ms=NOW - 50 * HOUR),  # long over
    ]
    page.hub.changed()
    wait_until(lambda: len(page.all("#incidents tbody tr")) == 2, "the incidents")
    first, second = page.texts("#incidents tbody tr")
    assert "Chưa rõ nguyên nhân" in first and "Nhà mạng A" in first and "200 / 204" in first and "25 phút" in first
    assert "Mất điện" in second and "Xã Bình An, Tỉnh Thử" in second and "9 trường" in second and "1 giờ" in second
    assert page.text("#incidents-count") == "1 sự cố chưa kết thúc"
    page.all("#incidents details summary")[0].click()
    wait_until(lambda: len(page.all("#incidents details li")) == 2, "its schools")
    assert page.texts("#incidents details li") == ["Trường Tiểu học số 2", "Trường Tiểu học số 4"]


def test_strangers_and_notices(page):
    page.hub.lines.append(line(9, "up", registered=False, school="", school_name="", site="", site_name="", area="",
                               provider="", device="k7m2q5xv3hd4"))
    page.hub.set_aside = [{"fault": "malformed", "count": 1234, "last_ms": NOW, "last_topic": "sp1/up/s1/x/facts",
                           "last_reason": '"ev" is missing'}]
    page.hub.anomalies = [{"at_ms": NOW, "kind": "clone", "device": "board-2", "text": "two streams"}]
    page.hub.gaps = [{"device": "board-2", "stream": "a", "class": "facts", "from": 3, "to": 9, "status": "open",
                      "reason": ""}]
    page.hub.changed()
    wait_until(lambda: all(page.visible(f"#{panel}") for panel in ("boards", "anomalies", "gaps", "aside")), "the panels")
    assert page.texts("#boards-table .strong") == ["k7m2q5xv3hd4"]
    assert len(page.names()) == 4, "strangers are not in the table of lines"
    assert page.texts("#aside-list td")[:2] == ["sai định dạng", "1.234"]
    assert page.texts("#anomaly-counts li") == ["thẻ nhớ bị sao chép: 1"]
    wait_until(lambda: page.texts("#gap-list td")[:3] == ["board-2", "sự kiện 3…9", "đang chờ gửi lại"], "the gap")
    page.hub.set_aside, page.hub.anomalies, page.hub.gaps = [], [], []
    page.hub.lines.pop()
    page.hub.changed()
    wait_until(lambda: not any(page.visible(f"#{panel}") for panel in ("boards", "anomalies", "gaps", "aside")),
               "the panels to go")


# ---- hostile, huge, small --------------------------------------------------------------------------------


def test_markup_in_names_stays_text(page):
    evil = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'
    page.hub.lines = [line(1, "down", evil, evil, school_name=evil, site_name=evil, area=evil, provider=evil, line=evil,
                           device=evil, presence=evil),
                      line(2, evil, school_name="x", since_ms=None, last_heard_ms=None)]
    page.hub.overview = lambda: {"as_of_ms": NOW, "rev": 2, "counts": {}, "lines": page.hub.lines, "hub": {"version": evil},
                                 "set_aside": [{"fault": evil, "count": 1, "last_ms": NOW, "last_topic": evil,
                                                "last_reason": evil}], "anomalies": {evil: 1}}
    page.hub.changed()
    wait_until(lambda: page.names() and evil in page.names(), "the hostile names")
    page.click("#table tr.line .expand")
    for selector in ("#table tr.line", "#aside-list td", "#anomaly-counts li", "#foot"):
        assert evil in page.text(selector)
    assert page.js("return document.querySelectorAll('main img, main script').length") == 0
    assert page.js("return window.hacked") is None
    assert page.console() == []


def test_thousands_of_rows(page):
    page.hub.lines = [line(n, ["up", "down", "degraded", "unknown"][n % 4]) for n in range(5000)]
    page.hub.changed()
    wait_until(lambda: page.text("#lines-count") == "5.000 / 5.000 đường truyền", "5,000 lines")
    assert len(page.names()) == 200
    page.click("#lines-more")
    assert len(page.names()) == 400
    field = page.all("#search")[0]
    field.send_keys("số 4321")
    wait_until(lambda: page.names() == ["Trường Tiểu học số 4321"], "the one among thousands")


@pytest.mark.parametrize("width", [360, 700, 900, 1180, 1400])
def test_fits(page, width):
    with_a_day(page)
    page_fixture.viewport(page.driver, width, 900)
    page.click("#table tr.line .expand")
    wait_until(lambda: page.all("tr.detail .outages tbody tr"), "the details")
    for name in ("vi", "en"):
        page.click(f'[data-lang="{name}"]')
        wait_until(lambda: page.js("return document.documentElement.lang") == name, name)
        assert page.js("return document.documentElement.scrollWidth <= innerWidth"), f"{name} at {width} px scrolls sideways"
        outside = page.js("""
            const box = document.querySelector("#lines").getBoundingClientRect();
            return [...document.querySelectorAll("#lines *")].filter((n) => n.offsetParent && !n.matches("option"))
              .filter((n) => n.getBoundingClientRect().right > box.right + 1).map((n) => n.className || n.tagName)""")
        assert outside == []
    assert page.console() == []


def test_contrast_of_states(page):
    """WCAG AA for the words of the badges, light and dark."""
    for scheme in ("light", "dark"):
        page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia",
                                    {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
        colours = page.js("""return [...document.querySelectorAll("#table .badge")].map((n) =>
            [n.textContent, getComputedStyle(n).color, getComputedStyle(n).backgroundColor])""")
        assert len(colours) == 4
        for word, front, back in colours:
            assert contrast(front, back) >= 4.5, (scheme, word)
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def contrast(front, back):
    def luminance(colour):
        channels = [int(n) / 255 for n in re.findall(r"\d+", colour)[:3]]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    light, dark = sorted((luminance(front), luminance(back)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
