# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""A few of the lab's scenarios (tests/lab): is each fault stored at the hub, by its right name, and alone?
How fast and how near the truth is printed by tests/lab/run; on a busy machine it proves nothing."""
import json
import subprocess

import pytest

import support

LAB = support.SOURCE / "tests/lab/run"
# Near, far, on top of a working line, and no outage at all.
SCENARIOS = ("cable", "access", "dns_lies", "operator")
IMPOSSIBLE = 77


@pytest.fixture(scope="module")
def results():
    done = subprocess.run([LAB, *SCENARIOS, "--build", support.BUILD], capture_output=True, text=True, timeout=300)
    if done.returncode == IMPOSSIBLE:
        pytest.skip(done.stderr.strip())
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert sorted(line["scenario"] for line in found) == sorted(SCENARIOS), done.stderr
    return {line["scenario"]: (line, done.stderr) for line in found}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_cause(results, scenario):
    line, said = results[scenario]
    assert (line["cause_found"], line["false_outages"]) == (line["cause_expected"], 0), said
    if line["cause_expected"] != "none":
        assert line["detect_s"] > 0 and line["end_error_s"] is not None, said
