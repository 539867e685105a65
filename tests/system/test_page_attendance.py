# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""Attendance and kiosks on the live page: counts that may be shown, and why a kiosk was not up."""
import pytest

import page_fixture
from page_fixture import HOUR, MIDNIGHT, NOW, attended, kiosk
from support import wait_until
from test_page import driver, hub, page  # noqa: F401  the same hub and browser

MINUTE = 60000
LATE = NOW - 20 * MINUTE


def fold(text):
    return text.replace("\u00a0", " ")


@pytest.fixture
def schools(page):  # noqa: F811
    page.hub.attended = [
        attended(1), attended(2, None, None, on_time_ratio=None, curve=[], groups=[], withheld=1, unplaced=0, basis="counts"),
        attended(3, 40, None, on_time_ratio=None, lessons=None, groups=[], withheld=0, unplaced=0,
                 curve=[{"until": "07:00", "persons": 40, "ratio": 1}]),
    ]
    page.hub.kiosks = [
        kiosk(1),
        kiosk(2, "down", availability=2 / 3, clock_error_seconds=-75.0, backlog=40, refused=2, total_days=1, counted=820, taken=812,
              gaps=[{"from_ms": MIDNIGHT + 7 * HOUR, "to_ms": MIDNIGHT + 7 * HOUR + 20 * MINUTE, "state": "unknown",
                     "cause": "power", "detail": None},
                    {"from_ms": MIDNIGHT + 8 * HOUR, "to_ms": MIDNIGHT + 8 * HOUR + 20 * MINUTE, "state": "down",
                     "cause": "line", "detail": "isp"},
                    {"from_ms": LATE, "to_ms": NOW, "state": "down", "cause": "kiosk", "detail": "silent"}],
              segments=[{"from_ms": MIDNIGHT, "to_ms": MIDNIGHT + 7 * HOUR, "state": "up", "cause": None},
                        {"from_ms": MIDNIGHT + 7 * HOUR, "to_ms": MIDNIGHT + 7 * HOUR + 20 * MINUTE, "state": "unknown",
                         "cause": "power"},
                        {"from_ms": MIDNIGHT + 7 * HOUR + 20 * MINUTE, "to_ms": LATE, "state": "up", "cause": None},
                        {"from_ms": LATE, "to_ms": NOW, "state": "down", "cause": "silent"}]),
    ]
    page.hub.day = [{"school": "s2", "site": "chinh", "line": "main", "device": "board-2", "registered": True, "segments": [
        {"from_ms": MIDNIGHT, "to_ms": MIDNIGHT + 8 * HOUR, "state": "up", "cause": "none"},
        {"from_ms": MIDNIGHT + 8 * HOUR, "to_ms": MIDNIGHT + 8 * HOUR + 20 * MINUTE, "state": "down", "cause": "isp"},
        {"from_ms": MIDNIGHT + 8 * HOUR + 20 * MINUTE, "to_ms": NOW, "state": "up", "cause": "none"}]}]
    page.open()
    wait_until(lambda: page.all("#kiosks-cards .kiosk"), "the kiosks")
    return page


def test_attendance_is_counts(schools):
    heads = [fold(text) for text in schools.texts("#attendance-cards .side-head")]
    assert heads[0] == "412 người đã đến92,2 % đến trước giờ vào lớp 07:00"
    assert heads[1].startswith("Dưới 5 người")
    assert heads[2] == "40 người đã đếnsổ đăng ký chưa ghi giờ vào lớp"
    assert schools.texts("#attendance-cards .groups")[0] == "cổng chính301cổng sau1042 nhóm không hiển thị"
    # The stairs rise, and end at the whole.
    said = schools.js("return document.querySelector('.stairs').getAttribute('aria-label')")
    assert said.startswith("Số người đã đến: đến 06:30: 9 người, đến 06:35: 31 người") and said.endswith("đến 07:15: 412 người")
    assert schools.js("return [...document.querySelectorAll('.attended')].map((n) => n.querySelectorAll('.stairs .bell').length)") == [1, 0, 0]
    assert schools.text("#attendance-count") == "3 trường có dữ liệu ngày 21/11/2026"


def test_a_kiosks_day_stands_above_its_lines(schools):
    cards = schools.texts("#kiosks-cards .kiosk")
    # The worst first.
    assert "Ngừng chạy" in cards[0] and "Đang chạy" in cards[1]
    assert "chạy 66,7 % giờ học" in fold(cards[0])
    assert "đồng hồ chạy chậm 1 phút 15 giây" in cards[0] and "máy đếm 820 lượt, đã nhận 812" in cards[0]
    assert "còn 40 lượt chưa gửi" in cards[0] and "bộ nhớ 12.345 / 100.000 lượt" in cards[0]
    assert schools.texts("#kiosks-cards .gap-list li") == [
        "07:00–07:20 (20 phút 00 giây) · mất điện",
        "08:00–08:20 (20 phút 00 giây) · sự cố đường truyền: lỗi phía nhà mạng",
        "09:40–10:00 (20 phút 00 giây) · do máy điểm danh: máy ngừng kết nối về bo mạch"]
    pieces = schools.js("""
        const strips = document.querySelector("#kiosks-cards .kiosk").querySelectorAll(".strip");
        return [...strips].map((strip) => [...strip.children].map((piece) => piece.className));""")
    assert pieces == [["seg up", "seg unknown board", "seg up", "seg down"], ["seg up", "seg down provider", "seg up"]]
    # Eight o'clock is at the same place in both.
    left = schools.js("""
        const strips = document.querySelector("#kiosks-cards .kiosk").querySelectorAll(".strip");
        return [...strips].map((strip) => strip.getBoundingClientRect().left)""")
    assert left[0] == left[1]
    assert "1 trường có máy chạy tốt (từ 80 % giờ học trở lên), 0 trường không đạt, 3 trường chưa rõ" in fold(schools.text("#kiosks-ratio"))


def test_it_follows_language_and_date(schools):
    schools.click("[data-lang=en]")
    wait_until(lambda: "persons came" in schools.text("#attendance-cards"), "English")
    assert "07:00–07:20 (20 min 00 s) · power was lost" in schools.texts("#kiosks-cards .gap-list li")
    schools.click("#day-before")
    wait_until(lambda: "No attendance of this day yet." in schools.text("#attendance"), "the day before")
    schools.click("[data-lang=vi]")
    assert not schools.console()


def test_what_is_the_boards_is_not_called_the_kiosks(schools):
    gap = {"from_ms": LATE, "to_ms": NOW, "state": "unknown", "cause": "kiosk"}
    schools.hub.kiosks = [kiosk(1, "unknown", gaps=[{**gap, "detail": "clock"}, {**gap, "detail": "wrong_key"}])]
    schools.open()
    wait_until(lambda: len(schools.texts("#kiosks-cards .gap-list li")) == 2, "the new reasons")
    assert [text.split(" · ")[1] for text in schools.texts("#kiosks-cards .gap-list li")] == [
        "bo mạch chưa biết giờ", "do máy điểm danh: sai khóa kết nối"]


def test_without_kiosks_there_is_no_panel(page):  # noqa: F811
    page.open()
    assert not page.visible("#attendance") and not page.visible("#kiosks")


@pytest.mark.parametrize("width", [1400, 900, 380])
def test_it_fits(schools, width):
    page_fixture.viewport(schools.driver, width, 1000)
    try:
        assert schools.js("return document.documentElement.scrollWidth <= innerWidth")
        assert schools.js("""
            return [...document.querySelectorAll("#attendance *, #kiosks *")].filter((n) => !n.closest("svg") &&
              n.getBoundingClientRect().right > innerWidth + 1).map((n) => n.className)""") == []
    finally:
        page_fixture.viewport(schools.driver, 1400, 1000)
