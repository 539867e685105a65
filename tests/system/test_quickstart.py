# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""The README's first command, as a newcomer's machine would run it, but on a simulated line: two
copies at once, with a broker of somebody else's on port 1883."""
import os
import pathlib
import pty
import re
import signal
import subprocess
import time

import pytest

import netns
import support

QUICKSTART = support.SOURCE / "tools/quickstart"
# The first run builds.
LONG = 580


def inhabitants(network):
    """The processes of the board's namespace, by pid."""
    done = subprocess.run(["ip", "netns", "pids", network.board], capture_output=True, text=True, check=True)
    return {int(pid) for pid in done.stdout.split()}


def name_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


@pytest.fixture(scope="module")
def network():
    with netns.Network() as network:
        yield network


@pytest.fixture(scope="module")
def stranger(network, tmp_path_factory):
    """Somebody's mosquitto on 1883, which must neither be used nor disturbed."""
    directory = tmp_path_factory.mktemp("stranger")
    conf = directory / "mosquitto.conf"
    conf.write_text("listener 1883 127.0.0.1\nallow_anonymous true\nlog_dest stderr\n"
                    + ("user root\n" if os.geteuid() == 0 else ""))
    process = support.Process(network.inside("/usr/sbin/mosquitto", "-c", conf), directory / "log")
    process.wait_for("running")
    yield process
    assert process.running(), "the stranger's broker was disturbed"
    assert "New client connected" not in process.text(), "the stranger's broker was used"
    process.stop()


@pytest.fixture
def tmp(run_dir, monkeypatch):
    """The copies' folders go where leftovers can be seen."""
    monkeypatch.setenv("TMPDIR", str(run_dir))
    monkeypatch.delenv("HOME", raising=False)
    return run_dir


def begin(network, *arguments):
    return subprocess.Popen(network.inside(QUICKSTART, *arguments), stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_two_copies_commit_facts_measured_here(network, stranger, tmp):
    copies = [begin(network, "--once") for _ in range(2)]
    for copy in copies:
        out, err = copy.communicate(timeout=LONG)
        assert copy.returncode == 0, out + err
        # What was printed must be what was measured: this machine's cable and its default route.
        assert re.search(r"carrier\b.*eth0", out), out
        assert re.search(r"gateway\b.*eth0", out), out
        assert re.search(r"line\b.*\bup\b", out), out
    assert inhabitants(network) == {stranger.pid}
    assert not list(tmp.iterdir()), "folders were left behind"


def test_with_certificates(network, stranger, tmp):
    copy = begin(network, "--once", "--tls")
    out, err = copy.communicate(timeout=LONG)
    assert copy.returncode == 0, out + err
    assert re.search(r"carrier\b.*eth0", out), out
    assert inhabitants(network) == {stranger.pid}


def test_without_any_network(tmp):
    """Only a loopback: that the line is not there is a fact, too."""
    name = f"sp-{os.getpid()}-lone"
    netns.require()
    netns.ip("netns", "add", name)
    try:
        netns.ip("-n", name, "link", "set", "lo", "up")
        done = subprocess.run(["ip", "netns", "exec", name, QUICKSTART, "--once"], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=LONG)
        assert done.returncode == 0, done.stdout + done.stderr
        assert re.search(r"line\b.*\b(unknown|down)\b", done.stdout), done.stdout
    finally:
        netns.ip("netns", "del", name)


class Terminal:
    """The live mode on a pseudo-terminal."""

    def __init__(self, network):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            command = network.inside(QUICKSTART)
            os.execvp(command[0], command)
        os.set_blocking(self.fd, False)
        self.seen = ""
        self.status = None

    def read(self):
        if self.fd is None:
            return self.seen
        try:
            new = os.read(self.fd, 65536).decode(errors="replace")
            self.seen += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", new)  # colours and the cursor's moves
        except (BlockingIOError, OSError):
            pass
        return self.seen

    def wait_for(self, pattern, timeout=support.PATIENCE):
        def look():
            return re.search(pattern, self.read()) or self.ended() and pytest.fail(self.seen[-3000:])
        try:
            return support.wait_until(look, f"/{pattern}/ on the terminal", timeout)
        except AssertionError as error:
            pytest.fail(f"{error}:\n{self.seen[-3000:]}")

    def ended(self):
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
        self.read()
        return self.status is not None

    def close(self):
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None


@pytest.fixture
def terminal(network, stranger, tmp):
    terminal = Terminal(network)
    try:
        terminal.wait_for(r"http://127\.0\.0\.1:\d+/", LONG)
        terminal.wait_for(r"\bup\b")
        yield terminal
    finally:
        terminal.close()
        if not terminal.ended():
            os.kill(terminal.pid, signal.SIGTERM)
            support.wait_until(terminal.ended, "quickstart to end")


def assert_all_gone(network, stranger, tmp):
    support.wait_until(lambda: inhabitants(network) == {stranger.pid}, "everything that was started to end")
    support.wait_until(lambda: not list(tmp.iterdir()), "its folder to be removed")
    assert stranger.running()


def test_control_c_stops_what_was_started_and_nothing_else(network, stranger, tmp, terminal):
    url = terminal.wait_for(r"http://127\.0\.0\.1:\d+/").group()
    page = subprocess.run(network.inside("curl", "--noproxy", "*", "-sf", url), capture_output=True, text=True)
    assert page.returncode == 0 and "<html" in page.stdout.lower()
    names = {name_of(pid) for pid in inhabitants(network) - {stranger.pid}}
    assert {"schoolpulsed", "schoolpulse-hub", "mosquitto"} <= {name[:15] for name in names}, names
    os.write(terminal.fd, b"\x03")
    support.wait_until(terminal.ended, "quickstart to end after Ctrl-C")
    assert terminal.status == 0, terminal.seen
    assert_all_gone(network, stranger, tmp)


def test_sigterm_to_the_script_alone(network, stranger, tmp, terminal):
    os.kill(terminal.pid, signal.SIGTERM)
    support.wait_until(terminal.ended, "quickstart to end after SIGTERM")
    assert terminal.status == 143
    assert_all_gone(network, stranger, tmp)


def test_a_closed_terminal(network, stranger, tmp, terminal):
    terminal.close()
    support.wait_until(terminal.ended, "quickstart to end after its terminal")
    assert_all_gone(network, stranger, tmp)


def test_sigkill_leaves_nothing_running(network, stranger, tmp, terminal):
    os.kill(terminal.pid, signal.SIGKILL)
    support.wait_until(terminal.ended, "quickstart to be gone")
    support.wait_until(lambda: inhabitants(network) == {stranger.pid}, "what it had started to end")


def test_a_program_that_ends_is_reported(network, stranger, tmp, terminal):
    agent = [pid for pid in inhabitants(network) if name_of(pid) == "schoolpulsed"]
    assert len(agent) == 1
    os.kill(agent[0], signal.SIGKILL)
    support.wait_until(terminal.ended, "quickstart to end after its agent")
    assert terminal.status == 1 and "agent ended" in terminal.seen
    assert_all_gone(network, stranger, tmp)


def test_once_says_why_it_failed(network, stranger, tmp):
    """The broker cannot write its folder's parent: nothing starts, and the reason is on stderr."""
    (tmp / "file").write_text("")
    environment = {**os.environ, "TMPDIR": str(tmp / "file")}
    done = subprocess.run(network.inside(QUICKSTART, "--once"), capture_output=True, text=True, env=environment,
                          stdin=subprocess.DEVNULL, timeout=LONG)
    assert done.returncode != 0 and str(tmp / "file") in done.stderr
    assert inhabitants(network) == {stranger.pid}


def test_keep_goes_on_from_the_last_time(network, stranger, tmp):
    kept = tmp / "kept"
    for _ in range(2):
        done = subprocess.run(network.inside(QUICKSTART, "--once", "--keep", kept), capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=LONG)
        assert done.returncode == 0, done.stdout + done.stderr
    import sqlite3
    with sqlite3.connect(f"file:{kept}/hub.db?mode=ro", uri=True) as hub:
        openings = hub.execute("SELECT count(*), count(prev) FROM stream WHERE class = 0").fetchone()
    assert openings == (2, 1), "the second opening goes on from the first"


def test_seconds_are_enough_when_nothing_is_missing(network):
    """A second look for missing packages asks nobody but dpkg: here it could reach no mirror."""
    began = time.monotonic()
    done = subprocess.run(network.inside(support.SOURCE / "tools/deps", "--for", "quickstart"), capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 0 and not done.stdout, done.stdout + done.stderr
    assert time.monotonic() - began < 30
