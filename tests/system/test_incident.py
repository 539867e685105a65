# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""Sixty boards at a real broker: one provider's lines fail together, then the power of a commune; one board tells of it
only when it comes back with its backlog. The hub finds exactly two incidents, with exactly their members."""
import concurrent.futures
import contextlib
import datetime
import json
import subprocess
import time

import postgres
import stores
import support

HUB = """\
[hub]
db = {db}
reconnect_window = 1s
[mqtt]
host = 127.0.0.1
port = {port}
[http]
listen = 127.0.0.1
port = {http}
"""
BOARDS = [{"device": f"board-{i:02}", "school": f"T{i:02}", "provider": "Viễn thông A" if i % 2 else "Viễn thông B",
           "area": "Tỉnh Thử/Xã Bình An" if i < 30 else "Tỉnh Thử/Xã Tân Lập"} for i in range(60)]
LATE = "board-31"
OF_A = {board["device"] for board in BOARDS if board["provider"] == "Viễn thông A"}
OF_COMMUNE = {board["device"] for board in BOARDS if board["area"] == "Tỉnh Thử/Xã Bình An"}
QUICK = ("--commit", "2s", "--minute", "2s", "--events", "1", "--settle", "15s", "--progress", "0", "--json")


class Stage:
    def __init__(self, run_dir, broker, store):
        self.dir, self.broker = run_dir, broker
        self.conf, self.port = run_dir / "hub.conf", support.free_port()
        self.conf.write_text(HUB.format(db=store.where, port=broker.port, http=self.port))
        self.all = self.register("all", lambda board: True)
        self.command("import", self.all)
        self.ingest, self.serve = [support.Process([support.program("schoolpulse-hub"), "--config", self.conf, role],
                                                   run_dir / f"{role}.log") for role in ("ingest", "serve")]
        self.ingest.wait_for("connected to")
        self.serve.wait_for("the page is at")

    def register(self, name, chosen):
        path = self.dir / f"{name}.csv"
        rows = [f"{b['school']},Trường {b['school']},chinh,main,{b['area']},{b['provider']},{b['device']},default"
                for b in BOARDS if chosen(b)]
        path.write_text("school,school_name,site,line,area,provider,device,shard\n" + "\n".join(rows) + "\n")
        return path

    def command(self, *words):
        return subprocess.run([support.program("schoolpulse-hub"), "--config", self.conf, *words], check=True,
                              stdout=subprocess.PIPE, timeout=support.PATIENCE).stdout

    def fleet(self, name, register, script, *options):
        path = self.dir / f"{name}.fleet"
        path.write_text(script)
        return subprocess.Popen([support.program("schoolpulse-fleet"), "--register", register, "--broker",
                                 f"127.0.0.1:{self.broker.port}", "--script", path, *QUICK, *options], stdout=subprocess.PIPE)

    def incidents(self):
        """{cause: (scope, provider, area, boards, of_boards, away, members, who told what)}, as the program says."""
        found = {}
        for incident in json.loads(self.command("incidents", "--json"))["incidents"]:
            whole = json.loads(self.command("incidents", "--members", str(incident["id"]), "--json"))["incidents"][0]
            assert incident["cause"] not in found, "one fault, twice"
            found[incident["cause"]] = (
                incident["scope"], incident["provider"], incident["area"], incident["boards"], incident["of_boards"],
                incident["away"], {member["device"] for member in whole["members"]},
                {member["device"] for member in whole["members"] if member["told"] == incident["cause"]})
        return found

    def stop(self):
        return self.serve.stop(), self.ingest.stop()


def played(fleet):
    out, _ = fleet.communicate(timeout=support.PATIENCE * 2)
    assert fleet.returncode == 0, out


def two_faults(run_dir, kind):
    run_dir.mkdir()
    broker = support.Broker(run_dir / "broker")
    broker.start()
    with contextlib.ExitStack() as stack:
        stack.callback(broker.stop)
        stage = Stage(run_dir, broker, stack.enter_context(stores.fresh(kind, run_dir)))
        late = stage.register("late", lambda board: board["device"] == LATE)
        others = stage.register("others", lambda board: board["device"] != LATE)
        fault = int(time.time()) + 4
        when = (datetime.datetime.fromtimestamp(fault, datetime.timezone.utc) +
                datetime.timedelta(hours=7)).strftime("%Y-%m-%d %H:%M:%S")
        cut = f'provider "Viễn thông A" at {when} for 1s : line down isp_core\n'
        fleet = stage.fleet("others", others, cut + f'area "*/Xã Bình An" at +{fault - int(time.time()) + 2}s for 1s : power cut\n',
                            "--for", "8s")
        played(stage.fleet("first", late, "", "--for", "1s"))  # the hub knows it; then it is away
        played(fleet)

        def found(line):
            return {"line": ("provider", "Viễn thông A", None, len(line), 30, 0, line, line),
                    "power": ("area", None, "Tỉnh Thử/Xã Bình An", 30, 30, 0, OF_COMMUNE, OF_COMMUNE)}

        support.wait_until(lambda: stage.incidents() == found(OF_A - {LATE}), "both incidents", every=0.3)
        numbers = {i["cause"]: i["id"] for i in json.loads(stage.command("incidents", "--json"))["incidents"]}
        # Through all this time it had lived, and could not speak.
        played(stage.fleet("late", late, cut, "--from", "-40s", "--for", "1s", "--seed", "2"))
        support.wait_until(lambda: stage.incidents() == found(OF_A), "the late member", every=0.3)
        url = f"http://127.0.0.1:{stage.port}/api/v1/incidents"
        shown = support.http_json(url)["incidents"]
        assert {i["cause"]: i["id"] for i in shown} == numbers and len(shown) == 2
        for cause, devices in ("line", OF_A), ("power", OF_COMMUNE):
            whole = support.http_json(f"{url}?incident={numbers[cause]}&members=1000")["incidents"][0]
            assert {member["device"] for member in whole["members"]} == devices
            assert whole["to_ms"] > whole["from_ms"] and whole["away"] == 0
        line = next(i for i in shown if i["cause"] == "line")
        assert abs(line["from_ms"] - fault * 1000) < 1500
        assert stage.stop() == (0, 0)


def test_two_faults_are_two_incidents(run_dir):
    """On both stores side by side: it is mostly waiting."""
    kinds = stores.KINDS if postgres.binaries() else stores.KINDS[:1]
    with concurrent.futures.ThreadPoolExecutor(len(kinds)) as pool:
        for done in [pool.submit(two_faults, run_dir / kind, kind) for kind in kinds]:
            done.result()
