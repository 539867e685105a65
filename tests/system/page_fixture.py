# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""A scripted hub: serves tools/hub/web and API answers that the test sets. And a headless browser."""
import contextlib
import http.server
import json
import socket
import threading
import urllib.parse
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

WEB = Path(__file__).resolve().parents[2] / "tools" / "hub" / "web"
TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
         ".json": "application/json", ".svg": "image/svg+xml"}
HOUR = 3600 * 1000
NOW = 1795230000000  # 2026-11-21 10:00:00 +07:00
MIDNIGHT = NOW - 10 * HOUR
CSP = "default-src 'self'"


def line(number, state="up", cause="none", whose="nobody", **more):
    return {
        "area": "Huyện Thử Nghiệm", "school": f"s{number}", "school_name": f"Trường Tiểu học số {number}", "site": "chinh",
        "site_name": "Điểm trường chính", "line": "main", "provider": "Nhà mạng A", "device": f"board-{number}",
        "registered": True, "state": state, "cause": cause, "whose": whose, "since_ms": NOW - 2 * HOUR,
        "last_heard_ms": NOW - 4000, "presence": "online", **more,
    }


def speedtest(at_ms, direction="down", mbps=90.0, **more):
    return {
        "t_ms": at_ms, "err_ms": 10, "placed": "own", "device": "board-2", "instance": "lan", "school": "s2", "site": "chinh",
        "line": "main", "test": "pf2xk6dpnzsxg5dfon2gc3lfmu", "method": "librespeed", "direction": direction,
        "trigger": "schedule", "validity": "valid", "reason": None, "text": None, "scope": "domestic", "mbps": mbps,
        "idle_rtt": {"count": 10, "min_seconds": 0.007, "median_seconds": 0.0082, "p95_seconds": 0.02, "jitter_seconds": 0.001},
        "loaded_rtt": {"count": 90, "min_seconds": 0.01, "median_seconds": 0.0453, "p95_seconds": 0.1, "jitter_seconds": 0.004},
        "contract": {"provider": None, "plan": None, "down_mbps": None, "up_mbps": None}, **more,
    }


def evidence_side(bought=100, samples=1204, ratio=0.747, verdict="not_kept", excluded=(), **more):
    mean = None if ratio is None else bought * ratio
    hours = [0] * 24
    for hour, part in ((7, 0.2), (8, 0.18), (9, 0.12), (10, 0.2), (13, 0.04), (14, 0.16), (15, 0.1)):
        hours[hour] = round(samples * part)
    return {
        "verdict": verdict, "bought_mbps": bought, "samples": samples, "mean_mbps": mean, "ratio_of_means": ratio,
        "mean_of_ratios": ratio, "p10_mbps": mean and mean * 0.72, "p50_mbps": mean, "p95_mbps": mean and mean * 1.25,
        "sites": 67, "days": 22, "hours": hours, "methods": {"librespeed": samples}, "excluded": list(excluded),
        "with_excluded": {"samples": samples + sum(e["samples"] for e in excluded), "mean_mbps": mean and mean * 0.99,
                          "ratio_of_means": ratio and ratio * 0.99, "mean_of_ratios": ratio and ratio * 0.99}, **more,
    }


def excluded(validity, reason, count, mean=None, ratio=None):
    return {"validity": validity, "reason": reason, "count": count, "samples": 0 if mean is None else count, "mean_mbps": mean,
            "ratio_of_means": ratio, "mean_of_ratios": ratio}


def attended(number, persons=412, on_time=380, **more):
    curve = [{"until": f"{6 + (30 + 5 * i) // 60:02}:{(30 + 5 * i) % 60:02}", "persons": n, "ratio": n / 412}
             for i, n in enumerate((9, 31, 74, 151, 262, 338, 380, 397, 404, 412))]
    return {"area": "Huyện Thử Nghiệm", "school": f"s{number}", "school_name": f"Trường Tiểu học số {number}",
            "date": "2026-11-21", "basis": "events", "lessons": "07:00", "persons": persons, "on_time": on_time,
            "on_time_ratio": on_time and on_time / persons, "withheld": 2, "events": 900, "unplaced": 3,
            "groups": [{"group": "cổng chính", "persons": 301}, {"group": "cổng sau", "persons": 104},
                       {"group": "phòng bảo vệ", "persons": None}, {"group": "thư viện", "persons": None}],
            "curve": curve, **more}


def kiosk(number, state="up", **more):
    return {"school": f"s{number}", "school_name": f"Trường Tiểu học số {number}", "site": "chinh", "device": f"board-{number}",
            "kiosk": "cổng chính", "driver": "adms", "state": state, "reason": None, "text": None, "since_ms": NOW - HOUR,
            "heard_ms": NOW - 8000, "told_ms": NOW - HOUR, "clock_error_seconds": 1.0, "records": 12345, "capacity": 100000,
            "users": 512, "backlog": 0, "refused": 0, "accepted": 812, "known": 3, "model": "M1", "firmware": "V 8.1",
            "school_seconds": 10800, "up_seconds": 10800, "down_seconds": 0, "unknown_seconds": 0, "availability": 1,
            "total_days": 0, "counted": 0, "taken": 0, "arrived": 0, "gaps": [],
            "segments": [{"from_ms": MIDNIGHT, "to_ms": NOW, "state": "up", "cause": None}], **more}


def incident(number, cause="unknown", members=(), **more):
    return {"id": number, "scope": "provider", "provider": "Nhà mạng A", "area": None, "hop": None, "cause": cause,
            "from_ms": NOW - 25 * 60000, "to_ms": None, "boards": 200, "of_boards": 204, "away": 200, "told_line": 0,
            "told_power": 0, "found_ms": NOW - 24 * 60000, "changed_ms": NOW - number, "members": [
                {"device": f"board-{n}", "school": f"s{n}", "school_name": f"Trường Tiểu học số {n}", "site": "chinh", "line": "main",
                 "area": "X", "provider": "Nhà mạng A", "from_ms": NOW - 25 * 60000, "from_uncertainty_seconds": 60,
                 "to_ms": None, "told": "untold", "joined_ms": NOW} for n in members], **more}


class FakeHub:
    """One per test. Change `lines` and the rest, then call changed()."""

    def __init__(self):
        self.lines, self.outages, self.day, self.set_aside, self.anomalies, self.gaps = [], [], [], [], [], []
        self.tests, self.pools = [], []
        self.incidents = []
        self.attended, self.kiosks = [], []
        self.rev = 1
        self.as_of_ms = NOW
        self.ingest = "running"
        self.requests = []
        self.not_modified = 0
        self.connections = set()
        hub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                hub.connections.add(self.request)
                super().setup()

            def finish(self):
                hub.connections.discard(self.request)
                super().finish()

            def do_GET(self):
                hub.answer(self)

            def log_message(self, *_):
                pass

        self.handler = Handler
        self.server = None
        self.port = 0

    def start(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), self.handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            for connection in list(self.connections):  # kept alive, they would answer on
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self.server = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/"

    def changed(self):
        self.rev += 1
        self.as_of_ms += 1000

    def answer(self, request):
        url = urllib.parse.urlsplit(request.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        self.requests.append(request.path)
        if url.path.startswith("/api/v1/"):
            return self.api(request, url.path[len("/api/v1/"):], query)
        name = url.path.lstrip("/") or "index.html"
        if name not in (WEB / "files.txt").read_text().split():
            return self.send(request, 404, "text/plain", b"not here")
        return self.send(request, 200, TYPES[Path(name).suffix], (WEB / name).read_bytes())

    def api(self, request, what, query):
        if what == "overview":
            etag = f'"{self.rev}"'
            if request.headers.get("If-None-Match") == etag:
                self.not_modified += 1
                return self.send(request, 304, None, b"", etag)
            return self.send(request, 200, "application/json", json.dumps(self.overview()).encode(), etag)
        answers = {
            "outages": lambda: {"outages": [
                o for o in self.outages
                if all(query.get(k) in (None, o[k]) for k in ("school", "site", "line", "device"))
            ][:int(query.get("limit", 100))]},
            "incidents": lambda: {"incidents": [
                i if query.get("members") else {k: v for k, v in i.items() if k != "members"}
                for i in self.incidents if query.get("incident") in (None, str(i["id"]))]},
            "day": lambda: {"date": query["date"], "lines": self.day if query["date"] == "2026-11-21" else []},
            "tests": lambda: {"from_ms": MIDNIGHT - 29 * 24 * HOUR, "to_ms": MIDNIGHT + 24 * HOUR, "next": None, "tests": [
                one for one in self.tests if all(query.get(k) in (None, one[k]) for k in ("school", "site", "line", "device"))]},
            "speed": lambda: {"from_ms": MIDNIGHT, "to_ms": NOW, "min_samples": 1000, "kept_ratio": 0.8, "pools": self.pools},
            "attendance": lambda: {"least_persons": 5, "bin_minutes": 5,
                                   "days": self.attended if query["from"] == "2026-11-21" else []},
            "kiosks": lambda: {"kiosks": self.kiosks, "schools": [], "attendance_automation_ratio": {
                "yes": 1, "no": 0, "unknown": 3, "ratio": 0.25, "healthy_share": 0.8, "days_share": 0.9}},
            "anomalies": lambda: {"anomalies": self.anomalies},
            "gaps": lambda: {"gaps": self.gaps},
        }
        if what not in answers:
            return self.send(request, 404, "application/json", b"{}")
        return self.send(request, 200, "application/json", json.dumps(answers[what]()).encode())

    def overview(self):
        counts = {"up": 0, "degraded": 0, "down": 0, "unknown": 0}
        for entry in self.lines:
            counts[entry["state"]] += entry["registered"]
        kinds = {}
        for anomaly in self.anomalies:
            kinds[anomaly["kind"]] = kinds.get(anomaly["kind"], 0) + 1
        return {"as_of_ms": self.as_of_ms, "rev": self.rev, "counts": counts, "lines": self.lines,
                "hub": {"epoch": "obwgczldon2gs3lfnzrg65lumr", "version": "0.1.0", "ingest": self.ingest},
                "set_aside": self.set_aside, "anomalies": kinds}

    def send(self, request, status, content_type, body, etag=None):
        try:
            request.send_response(status)
            if content_type:
                request.send_header("Content-Type", content_type)
            if status != 304:
                request.send_header("Content-Length", str(len(body)))
            if etag:
                request.send_header("ETag", etag)
            request.send_header("Content-Security-Policy", CSP)
            request.send_header("Cache-Control", "no-cache")
            request.end_headers()
            request.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the page was closed


def browser(profile, width=1400, height=1000, dark=False):
    options = Options()
    options.binary_location = "/usr/bin/chromium"
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                 "--disable-background-networking", "--disable-component-update", "--disable-sync",
                 "--disable-dev-shm-usage", "--no-proxy-server", "--lang=vi", f"--user-data-dir={profile}",
                 f"--window-size={width},{height}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
    driver.set_page_load_timeout(120)
    driver.set_script_timeout(60)
    viewport(driver, width, height)
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia",
                           {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})
    return driver


def viewport(driver, width, height):
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                           {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500})
