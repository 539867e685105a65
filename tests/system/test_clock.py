# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""A board whose clock stands anywhere, with the real agent, hub and a broker behind TLS: it gets in, learns the
time, its records come to lie where they belong; and a broker that is out of date is left."""
import json
import subprocess
import time

import pytest

import board as one_board
import support

CERTS = support.SOURCE / "tools/certs"
YEAR = 365.25 * 24 * 3600


def certs(*arguments):
    subprocess.run([CERTS, *map(str, arguments)], check=True, capture_output=True, timeout=60)


class TimedHub(one_board.Hub):
    """On a machine that knows the time."""

    def __init__(self, directory, port, clock, mqtt):
        super().__init__(directory, port, mqtt)
        self.clock = clock

    def launch(self):
        self.http = support.free_port()
        conf = self.directory / "hub.conf"
        conf.write_text(one_board.HUB.format(db=self.db, port=self.port, http=self.http, mqtt=self.mqtt))
        self.process = support.Process([support.program("schoolpulse-hub"), "--config", conf, "all"],
                                       self.directory / "hub.log", env=self.clock.environment())


class School:
    def __init__(self, run_dir, preload, broker_options=()):
        self.directory = run_dir
        ca = run_dir / "ca"
        certs("init", ca)
        certs(*broker_options, "broker", ca, run_dir, "localhost", "127.0.0.1")
        certs("client", ca, run_dir, "hub")
        certs("request", run_dir / "board", "test", "board")
        certs("sign", ca, run_dir / "board/board.csr", run_dir / "board/board.crt", "test/board")
        self.ca = ca
        # Who must use TLS is the board: the hub stands beside the broker.
        self.plain, lines = support.free_port(), (
            f"listener {{port}} 127.0.0.1\ncafile {ca}/ca.crt\ncertfile {run_dir}/broker.crt\n"
            f"keyfile {run_dir}/broker.key\nrequire_certificate true\nallow_anonymous true\n")
        self.broker = support.Broker(run_dir / "broker",
                                     listener=lines + f"listener {self.plain} 127.0.0.1\n", persistence=False)
        self.broker.start()
        self.board_clock = support.Clock(preload, run_dir / "board-clock")
        hub_clock = support.Clock(preload, run_dir / "hub-clock")
        hub_clock.set(True, None)
        self.hub = TimedHub(run_dir, self.plain, hub_clock, mqtt="")
        self.agent = one_board.Agent(run_dir, self.broker.port, manager=self.board_clock,
                                     mqtt=f"ca_file = {ca}/ca.crt\ncert_file = {run_dir}/board/board.crt\n"
                                          f"key_file = {run_dir}/board/board.key\n")

    def stop(self):
        self.agent.stop()
        self.hub.stop()
        self.broker.stop()


@pytest.fixture
def school(run_dir, preload):
    made = []

    def make(*broker_options):
        made.append(School(run_dir, preload, broker_options))
        return made[-1]
    yield make
    for one in made:
        one.stop()


def learnt(status):
    return status["clock"].get("source") == "hub"


@pytest.mark.parametrize("stands_at", [0, 1_990_000_000], ids=["1970", "2033"])
def test_a_board_that_no_time_server_reaches(school, stands_at):
    place = school()
    place.board_clock.set(False, stands_at)
    place.hub.start()
    before = time.time()
    place.agent.start()
    status = place.agent.wait_for(lambda status: learnt(status) and status, "the time to be learnt")
    assert abs(status["clock"]["t_ms"] / 1000 - time.time()) < status["clock"]["err_ms"] / 1000 + 5
    support.wait_until(lambda: place.hub.query("SELECT 1 FROM event WHERE type = 'clock'"), "the clock's fact")
    for kind, t_ms, err_ms, placed in place.hub.query("SELECT type, t_ms, err_ms, placed FROM event"):
        # All of it happened while this test ran.
        assert before - err_ms / 1000 <= t_ms / 1000 <= time.time() + err_ms / 1000, (kind, t_ms, err_ms, placed)
    fact = json.loads(place.hub.query("SELECT data FROM event WHERE type = 'clock' ORDER BY seq")[0][0])
    assert fact["event"] == "synced" and fact["source"] == "hub"
    assert "certificate is good" in place.agent.process.text()
    # A time server at last: the kernel's word comes first.
    place.board_clock.set(True, None)
    place.agent.wait_for(lambda status: status["clock"].get("source") == "kernel", "the kernel to be believed")


def test_the_next_boot_knows_that_it_is_later(school):
    place = school()
    place.board_clock.set(True, None)
    place.hub.start()
    place.agent.start()
    place.agent.wait_for(lambda status: status["clock"].get("source") == "kernel", "the time")
    place.agent.stop()
    place.hub.stop()
    # A server that lies: an hour back is before what was saved, and after the build.
    place.board_clock.set(True, time.time() - 3600)
    place.agent.start()
    status = place.agent.wait_for(lambda status: status["clock"].get("doubted") and status, "the doubt")
    assert not status["clock"]["synced"]


@pytest.mark.parametrize("options", [("--from", "20200101000000Z", "--until", "20210101000000Z"),
                                     ("--from", "20900101000000Z", "--until", "20910101000000Z")],
                         ids=["expired", "not yet valid"])
def test_a_broker_out_of_date_is_left_when_time_is_known(school, options):
    place = school(*options)
    place.board_clock.set(False, 0)
    place.hub.start()
    place.agent.start()
    support.wait_until(lambda: "by the time that was learnt" in place.agent.process.text(), "the broker to be left")
    support.wait_until(lambda: "refused until the clock is synchronised" in place.agent.process.text(),
                       "it not to be tried again")
    assert not place.agent.status()["clock"]["synced"], "nothing was learnt from it"
    # And while the kernel knows the time there is no doubt at all.
    place.board_clock.set(True, None)
    support.wait_until(lambda: "by this machine's clock" in place.agent.process.text(), "it to be refused by its dates")
