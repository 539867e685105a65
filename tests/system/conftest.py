# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the system tests. Programs and brokers live in support.py."""
import pathlib
import shutil
import subprocess
import tempfile

import pytest

import support


@pytest.fixture(autouse=True)
def nothing_stays():
    """What a failed test left running is ended; what a wider fixture had started before stays."""
    before = len(support.Process.started)
    yield
    for process in support.Process.started[before:]:
        process.kill()


@pytest.fixture
def run_dir():
    """A short path (sockets have 108 bytes), gone after the test."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="sp-test-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def broker(run_dir):
    """A real mosquitto without TLS on a free loopback port, with persistence."""
    broker = support.Broker(run_dir / "broker")
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture(scope="session")
def preload(tmp_path_factory):
    """What support.Clock stands before the kernel's clock."""
    library = tmp_path_factory.mktemp("clock") / "fake_clock.so"
    subprocess.run(["cc", "-D_FILE_OFFSET_BITS=64", "-shared", "-fPIC", "-O1", "-o", library,
                    support.SOURCE / "tests/system/fake_clock.c", "-ldl"], check=True)
    return library
