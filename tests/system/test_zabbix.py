# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""The template for Zabbix with Debian's zabbix-server: it is imported, finds the lines, gets their values, raises its
alert when a line goes down, and takes it back. Runs with SP_ZABBIX=1 (tools/test --zabbix): it takes a minute."""
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

import board
import support
import zabbix

pytestmark = pytest.mark.skipif(not os.environ.get("SP_ZABBIX"), reason="only with tools/test --zabbix")

TEMPLATE = support.SOURCE / "tools/hub/ops/zabbix/schoolpulse_template.yaml"
REGISTER = """\
school,school_name,area,site,line,provider,contract,down_mbps,up_mbps,device,shard
79000501,Trường Tiểu học Thử Nghiệm,Lào Cai/Sa Pa,chinh,main,Nhà mạng A,Cáp quang 100,100,50,board,test
79000502,Trường Chưa Có Bo Mạch,Lào Cai/Sa Pa,chinh,main,Nhà mạng B,,33.5,,,
"""


@pytest.fixture(scope="module")
def watch():
    why = zabbix.missing()
    assert not why, why
    directory = pathlib.Path(tempfile.mkdtemp(prefix="sp-zabbix-"))
    watch = zabbix.Zabbix(directory / "zabbix")
    try:
        watch.start()
        yield watch
    finally:
        watch.stop()
        shutil.rmtree(directory, ignore_errors=True)


class Weather(board.Agent):
    """An agent whose simulated line a test breaks: with each start anew."""

    def start(self, faults=""):
        text = board.AGENT
        board.AGENT = text.replace('[sim_line "weather"]\n', f'[sim_line "weather"]\n{faults}\n')
        try:
            super().start()
        finally:
            board.AGENT = text


class FleetsHub(board.Hub):
    """On the shard on which the fleet's own boards speak."""

    def launch(self):
        text = board.HUB
        board.HUB = text.replace("shards = test", "shards = default")
        try:
            super().launch()
        finally:
            board.HUB = text


class Host:
    """The hub as Zabbix sees it."""

    def __init__(self, watch, name, url):
        watch.import_template(TEMPLATE)
        self.watch = watch
        template = watch.call("template.get", filter={"host": "SchoolPulse hub"})[0]["templateid"]
        group = watch.call("hostgroup.get", limit=1)[0]["groupid"]
        self.id = watch.call("host.create", host=name, groups=[{"groupid": group}],
                             templates=[{"templateid": template}],
                             macros=[{"macro": "{$SCHOOLPULSE.URL}", "value": url},
                                     {"macro": "{$SCHOOLPULSE.INTERVAL}", "value": "1s"}])["hostids"][0]

    def value(self, key):
        """The last value; None when there is none yet."""
        items = self.watch.call("item.get", hostids=self.id, filter={"key_": key},
                                output=["lastvalue", "lastclock", "state", "error"])
        if not items or items[0]["lastclock"] == "0":
            return None
        assert items[0]["state"] == "0", items[0]["error"]
        return items[0]["lastvalue"]

    def wait_for(self, key, value):
        try:
            support.wait_until(lambda: self.value(key) == value, f"{key} = {value}", every=0.5)
        except AssertionError as error:
            items = self.watch.call("item.get", hostids=self.id, output=["key_", "state", "error", "lastvalue"])
            raise AssertionError(f"{error}\n{items}\n{self.watch.server.tail(60)}") from None

    def alerts(self):
        """Names of the problems that are open."""
        return sorted(problem["name"] for problem in self.watch.call("problem.get", hostids=self.id))


def test_a_line_goes_down_and_comes_back(run_dir, broker, watch):
    hub = board.Hub(run_dir, broker.port)
    hub.start()
    register = run_dir / "register.csv"
    register.write_text(REGISTER, encoding="utf-8")
    subprocess.run([support.program("schoolpulse-hub"), "--config", run_dir / "hub.conf", "import", register],
                   check=True, capture_output=True)
    agent = Weather(run_dir, broker.port)
    agent.start()
    host = Host(watch, "hub", f"http://127.0.0.1:{hub.http}")

    # Values of the hub, and lines that were found by themselves.
    host.wait_for("schoolpulse.store.readable", "1")
    host.wait_for("schoolpulse.boards[online]", "1")
    host.wait_for("schoolpulse.line.state[79000501,chinh,main]", "1")
    host.wait_for("schoolpulse.line.state[79000502,chinh,main]", "0")
    host.wait_for("schoolpulse.line.bought[79000502,chinh,main]", "33500000")
    item = watch.call("item.get", hostids=host.id, filter={"key_": "schoolpulse.line.state[79000501,chinh,main]"},
                      selectTags="extend")[0]
    assert item["name"] == "Trường Tiểu học Thử Nghiệm / chinh / main: trạng thái (state)"
    assert {"tag": "provider", "value": "Nhà mạng A"} in item["tags"]
    graphs = {graph["name"] for graph in watch.call("graph.get", hostids=host.id)}
    assert "Trường Tiểu học Thử Nghiệm / chinh / main: tốc độ (speed)" in graphs
    assert host.alerts() == []

    # It breaks: one alert, of that line.
    agent.stop()
    agent.start("faults = isp_core@1")
    host.wait_for("schoolpulse.line.state[79000501,chinh,main]", "3")
    alerts = support.wait_until(host.alerts, "the alert")
    assert len(alerts) == 1 and alerts[0].startswith("Mất Internet (line down): Trường Tiểu học Thử Nghiệm"), alerts
    assert host.value("schoolpulse.lines[down]") == "1"

    # It is repaired: the alert goes.
    agent.stop()
    agent.start()
    host.wait_for("schoolpulse.line.state[79000501,chinh,main]", "1")
    support.wait_until(lambda: host.alerts() == [], "the alert to be taken back")
    agent.stop()
    hub.stop()


def test_a_regional_incident_is_one_alert(run_dir, broker, watch):
    """Nine boards of one provider fall silent together, fifteen of others do not."""
    register, script = run_dir / "register.csv", run_dir / "fault.script"
    fleet = support.program("schoolpulse-fleet")
    subprocess.run([fleet, "--boards", "24", "--write-register", register], check=True, capture_output=True)
    # Nobody's timetable: at night schools are switched off, and that is no incident.
    register.write_text(register.read_text(encoding="utf-8").replace("mon-fri 07:00-17:00", ""), encoding="utf-8")
    script.write_text('provider "Nhà mạng A" at +20s for 80s : line down isp_core\n', encoding="utf-8")
    hub = FleetsHub(run_dir, broker.port)
    hub.start()
    subprocess.run([support.program("schoolpulse-hub"), "--config", run_dir / "hub.conf", "import", register],
                   check=True, capture_output=True)
    boards = support.Process([fleet, "--register", register, "--script", script, "--broker", f"127.0.0.1:{broker.port}",
                              "--for", "10min", "--commit", "1s"], run_dir / "fleet.log")
    host = Host(watch, "province", f"http://127.0.0.1:{hub.http}")
    host.wait_for("schoolpulse.lines[up]", "24")
    host.wait_for("schoolpulse.lines[unknown]", "9")
    alerts = support.wait_until(host.alerts, "the alert", every=0.5)
    assert alerts == ["Sự cố khu vực (regional incident) provider: Nhà mạng A – 9"]
    # They are back: nothing is left over.
    host.wait_for("schoolpulse.lines[up]", "24")
    support.wait_until(lambda: host.alerts() == [], "the alert to be taken back", every=0.5)
    names = {event["name"] for event in watch.call("event.get", hostids=host.id, value="1", source="0")}
    assert names == set(alerts), "others were raised meanwhile"
    boards.stop()
    hub.stop()
