# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""/metrics as others read it: a real Prometheus scrapes both formats, promtool and the reference parser of OpenMetrics
find nothing to say, and what they read is what the store holds. The hub's log is read as JSON, line by line."""
import json
import subprocess

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

import board
import postgres
import prometheus
import support

HUB = """\
[hub]
db = {db}
reconnect_window = 1s
log_format = json
log_level = debug

[mqtt]
host = 127.0.0.1
port = {port}
shards = test

[http]
listen = 127.0.0.1
port = {http}

[metrics]
cache = 0s
listen = 127.0.0.1
port = {metrics}
"""
REGISTER = """\
school,school_name,area,site,line,provider,contract,down_mbps,up_mbps,device,shard
79000501,Trường Thử Nghiệm,Lào Cai/Sa Pa,chinh,main,Nhà mạng A,Cáp quang 100,100,50,board,test
"số \\ ""7"" b",Trường Chưa Có,Lào Cai/Bát Xát,chinh,main,Nhà mạng B,,33.5,,,
"""
OPEN = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"


class Stage:
    def __init__(self, run_dir, broker, clock):
        self.run, self.broker, self.clock = run_dir, broker, clock
        self.agent = board.Agent(run_dir, broker.port)
        self.agent.environment = clock.environment()
        self.http, self.metrics = support.free_port(), support.free_port()
        self.conf = run_dir / "hub.conf"
        self.conf.write_text(HUB.format(db=run_dir / "hub.db", port=broker.port, http=self.http, metrics=self.metrics))
        self.import_register()

    def import_register(self):
        register = self.run / "register.csv"
        register.write_text(REGISTER, encoding="utf-8")
        subprocess.run([support.program("schoolpulse-hub"), "--config", self.conf, "import", register], check=True,
                       capture_output=True)

    def hub(self, role, log):
        return support.Process([support.program("schoolpulse-hub"), "--config", self.conf, role], self.run / log,
                               env=self.clock.environment())

    def query(self, sql):
        hub = board.Hub(self.run, self.broker.port)
        return hub.query(sql)


@pytest.fixture
def stage(run_dir, broker, preload):
    clock = support.Clock(preload, run_dir / "clock")
    clock.set(True, None)
    stage = Stage(run_dir, broker, clock)
    yield stage
    stage.agent.stop()


def families(text):
    """By the reference parser, which refuses what is no OpenMetrics."""
    return {family.name: family for family in text_string_to_metric_families(text)}


def samples(family):
    return {tuple(sorted(sample.labels.items())): sample.value for sample in family.samples}


def promtool(text):
    done = subprocess.run(["/usr/bin/promtool", "check", "metrics"], input=text, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def read_log(process):
    """Each line is an object; what was logged by whom."""
    return [json.loads(line) for line in process.text().splitlines()]


def test_prometheus_reads_the_same_as_the_store_holds(stage):
    ingest, serve = stage.hub("ingest", "ingest.log"), stage.hub("serve", "serve.log")
    ingest.wait_for("figures are at")
    serve.wait_for("the page is at")
    stage.agent.start()
    watcher = prometheus.Prometheus(stage.run / "prometheus", {
        "page": (stage.http, None), "classic": (stage.http, {"format": "classic"}), "ingest": (stage.metrics, None)})
    watcher.start()
    try:
        # The state of the line, in both formats.
        for job in ("page", "classic"):
            labels, up = support.wait_until(
                lambda job=job: watcher.query(f'schoolpulse_line_up{{job="{job}"}}'), f"{job}'s line")[0]
            assert up == 1
            assert labels == {"area": "Lào Cai/Sa Pa", "school": "79000501", "site": "chinh", "line": "main",
                              "provider": "Nhà mạng A"}
            assert watcher.value(f'schoolpulse_line_bought_mbps{{job="{job}",school="79000501",direction="up"}}') == 50
            assert watcher.value(f'schoolpulse_line_bought_mbps{{job="{job}",school="số \\\\ \\"7\\" b"}}') == 33.5
            assert watcher.value(f'schoolpulse_lines{{job="{job}",state="unknown"}}') == 1
            assert watcher.value(f'schoolpulse_boards{{job="{job}",presence="online"}}') == 1
        assert watcher.value('schoolpulse_line_info{job="page",school="79000501",state="up"}') == 1

        # The counters, once the board has been silenced.
        stage.agent.wait_for(lambda status: len(stage.agent.numbers()) > 20, "some events of the kiosk")
        stage.agent.stop()

        def counted():
            return (watcher.value('schoolpulse_ingest_events_total{verdict="stored"}')
                    == stage.query("SELECT count(*) FROM event")[0][0])
        support.wait_until(counted, "all events to be counted")
        assert watcher.value('schoolpulse_ingest_publish_to_commit_seconds_count') > 5
        assert watcher.value('histogram_quantile(0.5, schoolpulse_ingest_publish_to_commit_seconds_bucket)') < 30
        assert watcher.value('schoolpulse_ingest_connected{shard="test",session="facts"}') == 1
        assert watcher.value('schoolpulse_ingest_store_failing') == 0
        # Each job tells its own: the page counts nothing, and ingest has no lines.
        assert not watcher.query('schoolpulse_ingest_commits_total{job="page"}')
        assert not watcher.query('schoolpulse_line_up{job="ingest"}')
        targets = watcher.targets()
        assert {job: target["lastError"] for job, target in targets.items()} == dict.fromkeys(targets, "")

        # A board that has said goodbye: nothing is known of its line.
        support.wait_until(lambda: watcher.value('schoolpulse_boards{job="page",presence="stopped"}') == 1, "its stop")
        support.wait_until(lambda: not watcher.query('schoolpulse_line_up{job="page"}'), "the line to be unknown")
    finally:
        watcher.stop()
    assert serve.stop() == 0 and ingest.stop() == 0
    lines = read_log(ingest)
    assert all({"time", "level", "module", "text"} <= line.keys() for line in lines)
    assert any(line["text"].startswith("shard test: connected") and line["shard"] == "test" for line in lines)
    commits = [line for line in lines if line["text"] == "committed"]
    assert commits and all(line["messages"] >= 1 and line["duration_us"] > 0 for line in commits)
    read_log(serve)


def test_both_formats_are_what_their_readers_ask_for(stage):
    hub = stage.hub("all", "hub.log")
    hub.wait_for("the page is at")
    url = f"http://127.0.0.1:{stage.http}/metrics"
    text, kind = prometheus.get(url, OPEN)
    assert kind == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    parsed = families(text)
    assert {"schoolpulse_hub", "schoolpulse_ingest_events", "schoolpulse_line", "schoolpulse_store_size_bytes"} <= \
        parsed.keys()
    assert parsed["schoolpulse_ingest_events"].type == "counter" and parsed["schoolpulse_line"].type == "info"
    classic, kind = prometheus.get(url)
    assert kind == "text/plain; version=0.0.4; charset=utf-8"
    assert promtool(classic) == (0, "")
    assert promtool(classic.replace("TYPE schoolpulse_lines gauge", "TYPE schoolpulse_lines counter"))[0] != 0

    only = samples(families(prometheus.get(url + "?area=L%C3%A0o%20Cai/B%C3%A1t%20X%C3%A1t", OPEN)[0])
                   ["schoolpulse_line_bought_mbps"])
    assert only == {(("direction", "down"), ("line", "main"), ("school", 'số \\ "7" b'), ("site", "chinh")): 33.5}
    assert not samples(families(prometheus.get(url + "?area=L%C3%A0o", OPEN)[0])["schoolpulse_line_bought_mbps"])
    of_school = families(prometheus.get(url + "?school=79000501", OPEN)[0])["schoolpulse_line_bought_mbps"]
    assert sorted(samples(of_school).values()) == [50, 100]
    assert "schoolpulse_line_bought_mbps" not in families(prometheus.get(url + "?sites=no", OPEN)[0])

    # The database goes: what is left is told, and that it is gone.
    stage.run.joinpath("hub.db").rename(stage.run / "away.db")

    def unreadable():
        gone = families(prometheus.get(url, OPEN)[0])
        return gone if samples(gone["schoolpulse_store_readable"])[()] == 0 else None
    gone = support.wait_until(unreadable, "the loss to be told")
    assert "schoolpulse_ingest_commits" in gone and "schoolpulse_line" not in gone
    support.wait_until(lambda: samples(families(prometheus.get(url, OPEN)[0])["schoolpulse_ingest_store_failing"])[()]
                       == 1, "ingest to say that it cannot commit")
    stage.run.joinpath("away.db").rename(stage.run / "hub.db")
    support.wait_until(lambda: samples(families(prometheus.get(url, OPEN)[0])["schoolpulse_ingest_store_failing"])[()]
                       == 0, "ingest to go on")
    assert hub.stop() == 0
    read_log(hub)


def test_over_postgresql(stage):
    if not postgres.binaries():
        pytest.skip("PostgreSQL's server programs are not installed")
    with postgres.Cluster(settings={"fsync": "off"}) as cluster:
        text = stage.conf.read_text()
        stage.conf.write_text(text.replace(str(stage.run / "hub.db"), cluster.database("hub")))
        stage.import_register()
        hub = stage.hub("all", "hub.log")
        hub.wait_for("the page is at")
        stage.agent.start()
        url = f"http://127.0.0.1:{stage.http}/metrics"

        def up():
            now = families(prometheus.get(url, OPEN)[0])
            return now if list(samples(now["schoolpulse_line_up"]).values()) == [1] else None
        now = support.wait_until(up, "the line")
        stage.agent.stop()
        assert samples(now["schoolpulse_lines"])[(("state", "unknown"),)] == 1
        assert samples(now["schoolpulse_store_size_bytes"])[()] > 1e6
        assert samples(now["schoolpulse_ingest_lease"]) == {(("shard", "test"),): 1}
        told = subprocess.run([support.program("schoolpulse-hub"), "--config", stage.conf, "status"], capture_output=True,
                              text=True, timeout=support.PATIENCE)
        assert told.returncode == 0 and "ingest" in told.stdout and "Lào Cai" not in told.stdout, told
        stored = int(cluster.sql("SELECT count(*) FROM event", "hub"))
        support.wait_until(lambda: samples(families(prometheus.get(url, OPEN)[0])["schoolpulse_store_events"])[()] >=
                           stored > 0, "all events to be told")
        assert hub.stop() == 0
