# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""The lab's scenarios (tests/lab): is each fault stored at the hub, by its right name, and alone? Some of them, or all
with SP_LAB=all (tools/test --lab), and only then also soon enough and near enough the truth: on a busy machine such
figures prove nothing."""
import json
import os
import subprocess

import pytest

import support

LAB = support.SOURCE / "tests/lab/run"
# Near, far, on top of a working line, a silence, and no outage at all.
SOME = ("cable", "dhcp", "access", "core", "router_hijack", "dns_lies", "ipv6", "two_lines", "power", "operator",
        "loss_short", "speed_busy_short")
IMPOSSIBLE = 77
ALL = os.environ.get("SP_LAB") == "all"


def names():
    if not ALL:
        return SOME
    listed = subprocess.run([LAB, "list"], capture_output=True, text=True, check=True, timeout=60).stdout
    return tuple(line.split()[0] for line in listed.splitlines())


SCENARIOS = names()


@pytest.fixture(scope="module")
def results():
    done = subprocess.run([LAB, *SCENARIOS, "--build", support.BUILD], capture_output=True, text=True, timeout=2400)
    if done.returncode == IMPOSSIBLE:
        pytest.skip(done.stderr.strip())
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert sorted(line["scenario"] for line in found) == sorted(SCENARIOS), done.stderr
    return {line["scenario"]: (line, done.stderr) for line in found}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_cause(results, scenario):
    line, said = results[scenario]
    assert (line["cause_found"], line["false_outages"]) == (line["cause_expected"], 0), said
    # A hub that is lost is no outage of the line, and has no edges.
    if line["cause_expected"] not in ("none", "hub"):
        assert line["detect_s"] is not None and line["end_error_s"] is not None, said
    if ALL:
        assert line["ok"], said
