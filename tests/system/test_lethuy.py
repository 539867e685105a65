# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""The sample fleet sends its two months through a real broker into a hub; then every KPI of every plan, in each zone and in all,
must be exactly what lethuy_truth.py derives from the roles of its sites. The hub's clock stands just behind the end of October."""
import configparser
import datetime
import filecmp
import json
import os
import subprocess
from fractions import Fraction

import pytest

import lethuy_truth
import stores
import support

SAMPLE = lethuy_truth.SAMPLE
PLANS = support.SOURCE / "tools/hub/plans"
MONTHS = (("2026-09-01", "2026-10-01", "2026-09-30"), ("2026-10-01", "2026-11-01", "2026-10-31"))
AFTER = datetime.datetime.fromisoformat("2026-11-01T00:01:00+07:00").timestamp()
HUB = """\
[hub]
db = {db}
reconnect_window = 1s
plans = {plans}

[mqtt]
host = 127.0.0.1
port = {port}
shards = lethuy

[http]
port = {http}
"""
BROKER = "max_queued_messages 0\nmax_inflight_messages 200\n"
COVERAGE, NAMES = Fraction(9, 10), {"target": ("met", "not_met"), "claim": ("confirmed", "not_confirmed")}


class District:
    """A broker, a hub and the boards, on a clock of their own."""

    def __init__(self, run, store, preload):
        self.conf, self.store = run / "hub.conf", store
        self.broker = support.Broker(run / "broker", extra=BROKER, persistence=False)
        self.broker.start()
        self.clock = support.Clock(preload, run / "clock")
        self.clock.set(True, AFTER)
        self.conf.write_text(HUB.format(db=store.where, plans=PLANS, port=self.broker.port, http=support.free_port()))
        self.run = run

    def command(self, program, *words):
        done = subprocess.run([support.program(program), *map(str, words)], capture_output=True, text=True, timeout=300, check=False,
                              env={**os.environ, **self.clock.environment()})
        assert done.returncode == 0, f"{words}:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        return done.stdout

    def hub(self, *words):
        return self.command("schoolpulse-hub", "--config", self.conf, *words)

    def bring(self):
        """The register, and two months from every board."""
        self.hub("import", "--from", "2026-09-01", *sorted((SAMPLE / "register").glob("*.csv")))
        ingest = support.Process([support.program("schoolpulse-hub"), "--config", self.conf, "ingest"], self.run / "hub.log",
                                 env=self.clock.environment())
        told = json.loads(self.command(
            "schoolpulse-fleet", "--register", SAMPLE / "register", "--script", SAMPLE / "months.fleet", "--broker",
            f"127.0.0.1:{self.broker.port}", "--from", "2026-09-01", "--to", "2026-11-01", "--minute", "1h", "--commit", "6h",
            "--progress", "0", "--json"))
        assert ingest.stop() == 0, ingest.tail()
        return told

    def kpi(self, plan, month):
        begin, end, last = MONTHS[month]
        return json.loads(self.hub("kpi", "--plan", plan, "--from", begin, "--to", end, "--as-of", last, "--json"))


@pytest.fixture(params=["sqlite"])
def district(request, run_dir, preload):
    with stores.fresh(request.param, run_dir) as store:
        place = District(run_dir, store, preload)
        yield place
        place.broker.stop()


# ---- what must be said --------------------------------------------------------------------------------------------


def expected_verdict(truth, target, kind, line_only):
    """The rule of reference figures: met by those that are known, not met even with all that are not, else not rated."""
    if line_only or target is None:
        return "not_rated"
    met, not_met = NAMES[kind]
    if "num" not in truth:
        total = sum(truth.values())
        if Fraction(truth["yes"], total) >= target:
            return met
        return not_met if Fraction(truth["yes"] + truth["unknown"], total) < target else "not_rated"
    if not truth["den"] or Fraction(truth["covered"], truth["of"]) < COVERAGE:
        return "not_rated"
    return met if Fraction(truth["num"], truth["den"]) >= target else not_met


def index_differences(where, said, truth):
    """Whole millionths, of which each component is one, and their mean."""
    parts = said.get("components", {})
    wrong = [f"{where}: {name} is {parts[name]}, must be {float(must)}" for name, must in truth["parts"].items()
             if parts and abs(parts[name] - must) > Fraction(1, 1000000)]
    if abs(said["value"] - truth["mean"]) > Fraction(2, 1000000):
        wrong.append(f"{where}: value is {said['value']}, must be {float(truth['mean'])}")
    if parts and set(parts) != set(truth["parts"]):
        wrong.append(f"{where}: the components are {sorted(parts)}")
    return wrong + ([f"{where}: it is judged"] if said["verdict"] != "not_rated" else [])


def differences(where, said, truth, target, kind, line_only):
    if "parts" in truth:
        return index_differences(where, said, truth)
    if "num" in truth:
        pairs = [("numerator", truth["num"]), ("denominator", truth["den"]), ("covered", truth["covered"])]
        value = truth["num"] / truth["den"] if truth["den"] else None
    else:
        pairs, value = [], truth["yes"] / sum(truth[word] for word in ("yes", "no", "unknown"))
    if "yes" in truth:
        pairs += [(word, truth[word]) for word in ("yes", "no", "unknown")]
    pairs.append(("verdict", expected_verdict(truth, target, kind, line_only)))
    wrong = [f"{where}: {name} is {said[name]}, must be {must}" for name, must in pairs if said[name] != must]
    if (value is None) != (said["value"] is None) or (value is not None and abs(said["value"] - value) > 0.000001):
        wrong.append(f"{where}: value is {said['value']}, must be {value}")
    return wrong


def read_plan(path):
    plan = configparser.ConfigParser(delimiters=("=",), interpolation=None)
    plan.read(path, encoding="utf-8")
    return {name.split('"')[1]: section for name, section in plan.items() if name.startswith("promise")}


def percent(text):
    return Fraction(text) / 100 if text else None


def check_plan(district, path, month, truths):
    """Every promise of which the truth knows the KPI."""
    written, wrong, verdicts, seen = read_plan(path), [], set(), 0
    for said in district.kpi(path, month)["promises"]:
        promise = written[said["id"]]
        kpi, kind = promise.get("kpi"), promise["kind"]
        if kpi not in truths[None]:
            continue
        target, line_only = percent(promise.get("target_percent")), kpi == "online_ready_ratio"
        own = dict(item.rsplit(" ", 1) for item in promise.get("zone_targets", "").split(", ") if item)
        where, seen = f"{path.stem} {said['id']} {kpi} month {month}", seen + 1
        kinds = tuple(kind.strip() for kind in promise.get("school_kinds", "").split(",") if kind.strip())
        must = truth_of(month, kinds) if kinds else truths
        wrong += differences(where, said, must[None][kpi], target, kind, line_only)
        verdicts.add(said["verdict"])
        for zone in said["zones"]:
            if zone["zone"] in truths:
                wrong += differences(f"{where} {zone['zone']}", zone, must[zone["zone"]][kpi],
                                     percent(own.get(zone["zone"])) or target, kind, line_only)
        if kpi != "contract_kept_ratio":
            assert {zone["zone"] for zone in said["zones"]} >= set(lethuy_truth.ZONES), where
    assert seen
    return wrong, verdicts


def everything(folder):
    """A plan that asks for each KPI."""
    path = folder / "everything.plan"
    text = "[plan]\nid = everything\ntitle = a\ntitle_vi = a\nissuer = a\nissuer_vi = a\nsource = a\n"
    for kpi in lethuy_truth.of_month(lethuy_truth.OCTOBER):
        asked = "kind = task" if kpi == "connectivity_index" else "kind = target\ntarget_percent = 90"
        text += f'\n[promise "{kpi}"]\n{asked}\nkpi = {kpi}\ntext = a\ntext_vi = a\n'
    path.write_text(text)
    return path


def truth_of(month, kinds=()):
    rows = lethuy_truth.read()
    return {zone: lethuy_truth.of_month(month, zone, rows, kinds) for zone in (None, *lethuy_truth.ZONES)}


# ---- tests --------------------------------------------------------------------------------------------------------


def test_every_kpi_is_as_derived(district, run_dir):
    told = district.bring()
    assert told["waiting"] == 0 and told["boards"] == 95
    anything, wrong, claims = everything(run_dir), [], set()
    september = truth_of(lethuy_truth.SEPTEMBER)
    before = district.kpi(anything, lethuy_truth.SEPTEMBER)
    assert before["schools"] == 81 and before["sites"] == 103 and before["boards_to_compute"] == 0
    wrong += check_plan(district, anything, lethuy_truth.SEPTEMBER, september)[0]
    # A board moves, and what was said of the month before stays as it was.
    district.hub("import", "--from", "2026-10-16", SAMPLE / "moved/boards.csv")
    assert district.kpi(anything, lethuy_truth.SEPTEMBER) == before
    october = truth_of(lethuy_truth.OCTOBER)
    wrong += check_plan(district, anything, lethuy_truth.OCTOBER, october)[0]
    for path in sorted(PLANS.glob("*.plan")):
        for month, truths in ((0, september), (1, october)):
            faults, verdicts = check_plan(district, path, month, truths)
            wrong += faults
            claims |= verdicts
    assert not wrong, "\n".join(wrong)
    assert claims >= {"confirmed", "not_confirmed", "not_rated", "met", "not_met"}


def test_both_trees_count_the_same_schools(district):
    """Without a single fact: one district of the old tree, its communes; the communes of the new one."""
    district.hub("import", "--from", "2026-09-01", *sorted((SAMPLE / "register").glob("*.csv")))

    def schools(tree, code):
        return json.loads(district.hub("kpi", "--plan", "lethuy-2024", "--from", "2026-10-01", "--to", "2026-10-02", "--as-of",
                                       "2026-10-01", "--area", code, "--tree", tree, "--json"))["schools"]
    assert schools("old", "9901") == schools("2025", "98") == 81
    assert sum(schools("2025", f"98{number:02}") for number in range(1, 8)) == 81
    assert schools("old", "990101") == 3


def test_the_sample_is_what_make_writes(tmp_path):
    subprocess.run([SAMPLE / "make", tmp_path], check=True)
    written = [path.relative_to(tmp_path) for path in sorted(tmp_path.rglob("*")) if path.is_file()]
    assert len(written) == 13
    _, different, missing = filecmp.cmpfiles(SAMPLE, tmp_path, written, shallow=False)
    assert not different and not missing
    rows = lethuy_truth.read()
    kinds = [sites[0]["kind"] for sites in lethuy_truth.schools(rows)]
    assert [kinds.count(kind) for kind in ("preschool", "primary", "lower_secondary", "combined")] == [26, 26, 20, 9]
