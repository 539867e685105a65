# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""Wrong configuration of every kind: the file, the line, what is wrong, exit status 1; nothing is started."""
import os
import subprocess

import pytest

import support

GOOD = """\
[agent]
state_dir = {dir}/state
socket = {dir}/agent.sock
shard = test
device = board

[mqtt]
host = 127.0.0.1
port = 1

[line "main"]

[gateway "router"]
line = main
"""

HUB = """\
[hub]
db = {dir}/hub.db

[mqtt]
host = 127.0.0.1
port = 1
shards = test

[http]
listen = 127.0.0.1
port = 1
"""


def check(run_dir, text, name="agent.conf"):
    file = run_dir / name
    if isinstance(text, bytes):
        file.write_bytes(text)
    else:
        file.write_text(text)
    done = subprocess.run([support.program("schoolpulsed"), "--check-config", file], capture_output=True, text=True,
                          timeout=support.PATIENCE)
    assert not (run_dir / "state").exists() and not (run_dir / "agent.sock").exists(), "a check starts nothing"
    return done, str(file)


def test_the_good_one_is_good(run_dir):
    done, _ = check(run_dir, GOOD.format(dir=run_dir))
    assert done.returncode == 0, done.stderr


# What is changed in the good file, the line that must be named, and what must be said of it.
WRONG = {
    "a mistyped key": ("port = 1", "prot = 1", 9, "port"),
    "a mistyped section": ("[gateway ", "[gatway ", 13, "gateway"),
    "an unknown section": ("[gateway ", "[refrigerator ", 13, "refrigerator"),
    "a key that is not there": ("host = 127.0.0.1\n", "", 7, "host"),
    "a number out of range": ("port = 1", "port = 65536", 9, "65535"),
    "a number that is none": ("port = 1", "port = one", 9, "one"),
    "a duration without a unit": ("line = main", "interval = 10", 14, "interval"),
    "a negative duration": ("line = main", "interval = -1s", 14, "interval"),
    "a size that overflows": ("[line", "[journal]\ncap = 99999999999999999999G\n[line", 12, "cap"),
    "a word that is no choice": ("port = 1", "port = 1\nack_mode = hob", 10, "hub"),
    "a yes that is no yes": ("line = main", "enabled = perhaps", 14, "enabled"),
    "a key twice": ("port = 1", "port = 1\nport = 2", 10, "port"),
    "a section twice": ("[line", "[mqtt]\nhost = x\n[line", 11, "mqtt"),
    "an instance twice": ("[gateway", '[line "main"]\n[gateway', 13, "main"),
    "a line that is not there": ("line = main", "line = mian", 14, "main"),
    "a section without an end": ("[mqtt]", "[mqtt", 7, ""),
    "an instance without an end": ('[line "main"]', '[line "main]', 11, ""),
    "a key before any section": ("[agent]\n", "x = 1\n[agent]\n", 1, ""),
    "a line without a sign": ("port = 1", "port 1", 9, ""),
    "a topic in a name": ("device = board", "device = a/b", 5, "device"),
    "a wildcard in a name": ("shard = test", "shard = #", 4, "shard"),
    "too long a line": ("port = 1", "port = " + "1" * 5000, 9, ""),
    "a certificate without its key": ("port = 1", "port = 1\nca_file = /dev/null\ncert_file = /dev/null", 11, "key_file"),
    "too long a socket": ("agent.sock", "a" * 200, 3, "socket"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_configuration_is_named_by_line(run_dir, kind):
    old, new, line, said = WRONG[kind]
    good = GOOD.format(dir=run_dir)
    assert good.count(old) >= 1
    done, file = check(run_dir, good.replace(old, new, 1))
    assert done.returncode == 1, done.stderr
    told = [text for text in done.stderr.splitlines() if f"{file}:{line}:" in text]
    assert told and said in told[0], done.stderr


def test_all_mistakes_at_once(run_dir):
    """Not one per attempt: a technician corrects a card once."""
    text = GOOD.format(dir=run_dir).replace("port = 1", "prot = 1").replace("[gateway", "[gatway")
    done, file = check(run_dir, text)
    assert f"{file}:9:" in done.stderr and f"{file}:13:" in done.stderr


NONE = {
    "nothing": b"", "zeros": b"\0" * 100, "another encoding": b"\xff\xfe[\0a\0", "noise": os.urandom(4096),
    "brackets": b"[" * 100000, "too much": b"x" * (300 * 1024), "one section often": b"[agent]\n" * 20000,
    "broken UTF-8": b"[mqtt]\nhost = \xc3\x28\n", "a byte-order mark": b"\xef\xbb\xbf[mqtt]\nhost = x\nhots = y\n",
    "many lines": b"".join(b"[line \"%d\"]\n" % n for n in range(10000)) + b"[mqtt]\nhost = x\nhots = y\n"}


@pytest.mark.parametrize("kind", NONE)
def test_no_configuration_at_all(run_dir, kind):
    """Whatever the file holds: a message, exit status 1, and no more lines than a person reads."""
    done, file = check(run_dir, NONE[kind])
    assert done.returncode == 1 and file in done.stderr
    assert len(done.stderr.splitlines()) < 60


def test_no_file_and_no_rights(run_dir):
    agent = support.program("schoolpulsed")
    for path in (run_dir / "nowhere.conf", run_dir):
        done = subprocess.run([agent, "--check-config", path], capture_output=True, text=True, timeout=support.PATIENCE)
        assert done.returncode == 1 and str(path) in done.stderr
    for arguments in ([], ["--config"], ["--confgi", "x"], ["x"]):
        done = subprocess.run([agent, *arguments], capture_output=True, text=True, timeout=support.PATIENCE)
        assert done.returncode not in (0, None) and "--help" in done.stderr, arguments


def test_a_wrong_configuration_does_not_start(run_dir):
    file = run_dir / "agent.conf"
    file.write_text(GOOD.format(dir=run_dir).replace("port = 1", "prot = 1"))
    done = subprocess.run([support.program("schoolpulsed"), "--config", file], capture_output=True, text=True,
                          timeout=support.PATIENCE)
    assert done.returncode == 1 and f"{file}:9:" in done.stderr
    assert not (run_dir / "state").exists()


@pytest.mark.parametrize("old, new, line", [
    ("shards = test", "shards = a/b", 7), ("port = 1\nshards", "port = x\nshards", 6),
    ("[http]", "[htpp]", 9), ("listen = 127.0.0.1", "lisen = 127.0.0.1", 10)])
def test_the_hubs_configuration_too(run_dir, old, new, line):
    file = run_dir / "hub.conf"
    assert old in HUB
    file.write_text(HUB.replace(old, new, 1).format(dir=run_dir))
    done = subprocess.run([support.program("schoolpulse-hub"), "--config", file, "all"], capture_output=True, text=True,
                          timeout=support.PATIENCE)
    assert done.returncode != 0 and f"{file}:{line}:" in done.stderr, done.stderr
    assert not (run_dir / "hub.db").exists()
