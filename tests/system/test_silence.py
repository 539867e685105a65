# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""Why it was silent, with the real programs: the agent dies in many ways on a made-up machine, and the hub knows the
reason, since when, and whether anybody had to care."""
import datetime
import json
import pathlib
import subprocess
import time
import uuid

import pytest

import board
import support

REGISTER = ("school,school_name,site,line,timetable,device,shard\n"
            "79000501,Trường Thử Nghiệm,chinh,main,\"{timetable}\",board,test\n")


class Machine:
    """A folder with the files of /proc and /sys that tell of the boot before."""

    def __init__(self, root):
        self.root = root
        self.file("proc/device-tree/compatible", b"raspberrypi,4-model-b\0brcm,bcm2711\0")
        self.file("proc/sys/kernel/panic", b"10\n")
        self.reboot()

    def file(self, path, content):
        path = self.root / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def reboot(self, rsts=None):
        """Another boot id, and what the firmware would have found in its reset register."""
        self.boot = str(uuid.uuid4())
        self.file("proc/sys/kernel/random/boot_id", self.boot.encode() + b"\n")
        register = self.root / "proc/device-tree/chosen/bootloader/rsts"
        register.unlink(missing_ok=True)
        if rsts is not None:
            self.file(register.relative_to(self.root), rsts.to_bytes(4, "big"))


class Site:
    """A board whose clock is synchronised, and its hub."""

    def __init__(self, run_dir, broker):
        self.run = run_dir
        self.broker = broker
        self.machine = Machine(run_dir / "machine")
        self.hub = board.Hub(run_dir, broker.port)
        self.agent = board.Agent(run_dir, broker.port, board=f"root = {self.machine.root}")
        library = run_dir / "fake_board.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O", "-Wall", "-Werror", "-o", library,
                        support.SOURCE / "tests/system/fake_board.c"], check=True)
        (run_dir / "synced").touch()
        self.agent.environment = {"LD_PRELOAD": str(library), "SP_TEST_SYNCED": str(run_dir / "synced")}
        self.hub.start()
        self.starts = 0

    def import_register(self, timetable, *words):
        register = self.run / "register.csv"
        register.write_text(REGISTER.format(timetable=timetable), encoding="utf-8")
        subprocess.run([support.program("schoolpulse-hub"), "--config", self.run / "hub.conf", "import", *words,
                        register],
                       check=True, capture_output=True)

    def boots(self):
        return [json.loads(data) for data, in self.hub.query("SELECT data FROM event WHERE type = 'boot' ORDER BY id")]

    def start(self):
        """The boot fact of this start, once the hub has it and the line is measured."""
        before = len(self.agent.numbers())
        self.agent.start()
        self.starts += 1
        support.wait_until(lambda: len(self.boots()) == self.starts, "the boot fact")
        support.wait_until(lambda: len(self.agent.numbers()) > before + 5, "the kiosk's numbers")
        board.assert_all_delivered(self.agent, self.hub)
        return self.boots()[-1]

    def kill(self):
        """As a power cut would; when it was."""
        self.agent.process.kill()
        return time.time() * 1000

    def outages(self, cause):
        return [row for row in self.hub.get("/api/v1/outages")["outages"] if row["cause"] == cause]

    def silences(self):
        return self.hub.get("/api/v1/silences")["silences"]

    def stop(self):
        self.agent.stop()
        self.hub.stop()


@pytest.fixture
def site(run_dir, broker):
    site = Site(run_dir, broker)
    yield site
    site.stop()


def another_version(program, directory):
    """The same program as it will be next: its version stands in it as text."""
    image = pathlib.Path(program).read_bytes()
    assert b"0.1.0\0" in image
    newer = directory / "schoolpulsed-next"
    newer.write_bytes(image.replace(b"0.1.0\0", b"0.1.1\0"))
    newer.chmod(0o755)
    return newer


def test_the_agent_alone(site):
    """Killed, stopped, and come back as another version, all within one boot."""
    site.import_register("")
    first = site.start()
    assert (first["reason"], first["silence_start_mono_us"], first["uncertainty_seconds"]) == ("first", None, None)
    killed = site.kill()
    crash = site.start()
    assert (crash["reason"], crash["clean_shutdown"], crash["previous_boot"]) == ("crash", False, site.machine.boot)
    assert 0 < crash["uncertainty_seconds"] <= 2
    assert crash["silence_start_t_ms"] - 100 <= killed <= crash["silence_start_t_ms"] + crash["uncertainty_seconds"] * 1000 + 1000
    assert site.agent.process.stop() == 0
    site.agent.program = another_version(site.agent.program, site.run)
    upgrade = site.start()
    assert (upgrade["reason"], upgrade["version"], upgrade["uncertainty_seconds"]) == ("upgrade", "0.1.1", 0)
    assert site.agent.process.stop() == 0
    restart = site.start()
    assert (restart["reason"], restart["clean_shutdown"]) == ("restart", True)
    assert [row["cause"] for row in site.silences()] == ["agent"] * 3
    rows = support.wait_until(lambda: len(site.outages("agent")) == 3 and site.outages("agent"), "three outages")
    for row in rows:
        assert (row["state"], row["whose"], row["phase"]) == ("unknown", "ours", "close")
        assert row["start_ms"] <= row["end_ms"]


def test_the_machine(site):
    """Power, panic, watchdog, an orderly reboot, and what nobody knows."""
    site.import_register("")
    site.machine.file("sys/class/watchdog/watchdog0/identity", b"Broadcom BCM2835 Watchdog timer\n")
    site.machine.file("sys/class/watchdog/watchdog0/bootstatus", b"0\n")
    site.machine.file("sys/class/watchdog/watchdog0/state", b"active\n")
    site.start()
    boot, killed = site.machine.boot, site.kill()
    site.machine.reboot(rsts=0x1000)
    power = site.start()
    assert (power["reason"], power["previous_boot"]) == ("power", boot)
    assert power["evidence"].startswith("rsts 0x00001000")
    silence = site.silences()[0]
    assert (silence["reason"], silence["cause"], silence["whose"], silence["school"]) == ("power", "power", "school", "79000501")
    assert silence["start_from_ms"] - 100 <= killed <= silence["start_to_ms"] + 100
    assert silence["start_to_ms"] - silence["start_from_ms"] <= 2500
    row, = support.wait_until(lambda: site.outages("power"), "the outage")
    assert row["whose"] == "school" and row["state"] == "unknown"
    assert abs(row["start_ms"] - killed) <= row["start_uncertainty_seconds"] * 1000 + 100

    site.kill()
    site.machine.reboot(rsts=0x1020)
    site.machine.file("sys/fs/pstore/dmesg-ramoops-0", b"Panic#1 Part1\n<0>[ 9.1] Kernel panic - not syncing")
    assert site.start()["reason"] == "panic"
    site.kill()
    site.machine.reboot(rsts=0x1020)  # the trace is the old one
    assert site.start()["reason"] == "unknown"
    site.machine.file("proc/sys/kernel/panic", b"0\n")
    site.kill()
    site.machine.reboot(rsts=0x1020)
    assert site.start()["reason"] == "watchdog"
    assert site.agent.process.stop() == 0
    site.machine.reboot(rsts=0x1020)
    assert site.start()["reason"] == "reboot"
    assert [(row["cause"], row["whose"]) for row in site.silences()] == [
        ("reboot", "ours"), ("reboot", "ours"), ("reboot", "unresolved"), ("reboot", "ours"), ("power", "school")]
    support.wait_until(lambda: len(site.outages("reboot")) == 4 and len(site.outages("power")) == 1, "an outage each")


def some_other_day():
    """A timetable that does not touch today, in Việt Nam, nor the days around it."""
    day = (datetime.datetime.now(datetime.timezone(datetime.timedelta(hours=7))).weekday() + 3) % 7
    return f"{('mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun')[day]} 07:00-17:00"


def test_switched_off(site):
    """Outside of the timetable a board may go as it likes: presumed while it is away, known when it is back."""
    site.import_register(some_other_day())
    site.start()
    site.kill()

    def away():
        line, = site.hub.get("/api/v1/overview")["lines"]
        return line["presence"] == "lost" and line
    line = support.wait_until(away, "the will")
    assert (line["state"], line["cause"], line["whose"]) == ("unknown", "switched_off", "school")
    assert line["silence"]["timetable"] == "outside"
    assert line["silence"]["start_from_ms"] <= line["silence"]["start_to_ms"]
    site.machine.reboot(rsts=0x1000)
    site.start()
    silence, = site.silences()
    assert (silence["reason"], silence["cause"]) == ("power", "switched_off")
    support.wait_until(lambda: site.hub.query("SELECT 1 FROM outage WHERE cause = 'power'"), "the board's own word")
    assert not site.outages("power")
    midnight = datetime.datetime.fromtimestamp(silence["end_ms"] / 1000, datetime.timezone(datetime.timedelta(hours=7)))
    day, = site.hub.get(f"/api/v1/day?date={midnight:%Y-%m-%d}")["lines"]
    assert any(part["cause"] == "switched_off" and part["state"] == "unknown" for part in day["segments"])
    # Of days past, too, nobody knows when school was: a power cut, then.
    site.import_register("", "--from", "2020-01-01")
    assert site.silences()[0]["cause"] == "power"
    assert site.outages("power")


def test_a_broker_that_was_away_is_no_silence(site):
    """The board lived on: its records fill the time, and no reason is asked for."""
    site.import_register("")
    site.start()
    site.broker.kill()
    site.agent.wait_for(lambda status: not status["publisher"]["connected"], "the broker to be missed")
    before = len(site.agent.numbers())
    support.wait_until(lambda: len(site.agent.numbers()) > before + 10, "numbers meanwhile")
    site.broker.start()
    board.assert_all_delivered(site.agent, site.hub)
    assert len(site.boots()) == 1 and not site.silences()
