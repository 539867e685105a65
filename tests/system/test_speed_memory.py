# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""A real agent that tests its line again and again keeps the same memory: what a test takes, its child takes with it."""
import os

import pytest
import test_speed

# The last ten tests are kept for people: from then on nothing more is.
TESTS, SETTLED = 14, 10
MOST_KIB = 64


@pytest.fixture
def school(run_dir):
    yield from test_speed.stage(run_dir)


@pytest.mark.skipif(os.environ.get("SP_LAB") != "all", reason="takes five minutes: tools/test --lab")
def test_many_tests_leave_no_memory_behind(school):
    # What still stands in the shaped queue of the last test is no reason to wait.
    school.start(busy=10_000_000)
    memory = [school.memory_kib()]
    for _ in range(TESTS):
        assert school.test("brief")["ok"]
        memory.append(school.memory_kib())
    print("anonymous memory after each test:", memory, "KiB")
    assert memory[TESTS] <= memory[SETTLED] + MOST_KIB, memory
    assert not school.children()
