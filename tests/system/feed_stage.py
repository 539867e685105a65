# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""A whole day of a board in a minute: broker, hub and agent in a namespace whose line can be broken, so that every
kind of message is emitted for a real reason. The contract's tests listen; capture_examples.py keeps what they hear."""
import contextlib
import json
import sqlite3
import subprocess

import feed_sniffer
import netns
import support

AGENT = """\
[agent]
state_dir = {card}/state
socket = {run}/agent.sock
shard = s1
device = k7m2q5xv3hd4
summary_window = 2s
samples_interval = 2s

[mqtt]
host = 127.0.0.1
port = 1883
keepalive = 5s
will_delay = 1s
resend_min = 1s
resend_max = 2s
reconnect_max = 1s

[journal]
bulk_commit = 2s

[attendance]
legal_basis = a test
publish = events

[board]
interval = 1s

[line "main"]
provider = Nhà mạng A
plan = Cáp quang 20
bought_down = 20
bought_up = 20
budget = 1G

[carrier "cable"]
line = main
interface = eth0

[gateway "router"]
line = main
interface = eth0
interval = 1s

[reach "internet"]
line = main
interface = eth0
interval = 500ms
domestic = 203.0.113.1, 203.0.113.2
international = 192.0.2.1, 192.0.2.2
scope_interval = 1s
dns_name = *.test.example
dns_direct = 203.0.113.1
resolv_conf = {run}/resolv.conf
portal_url = http://portal.example/generate_204
portal_resolve = 192.0.2.80
portal_interval = 5s

[speedtests]
enabled = no
busy_bytes = 1000000
busy_cpu = 100

[commands]
key_file = {run}/commands.pem

[librespeed "nearby"]
line = main
url = http://203.0.113.9:8081/
duration = 5s
warmup = 2s

[sim_kiosk "cổng trước"]
period = 1s
log = {run}/told
totals = yes
"""

# An anchor behind a router, for the second half of the day: before it, nothing lies between the school and the world.
BEYOND = "203.0.113.77"
HOP = f"""
[isp_hop "door"]
line = main
interface = eth0
domestic = {BEYOND}
"""

HUB = """\
[hub]
db = {run}/hub.db
reconnect_window = 1s

[mqtt]
host = 127.0.0.1
port = 1883
shards = s1

[http]
listen = 127.0.0.1
port = 8080
"""

REGISTER = """\
area,school,school_name,site,site_name,line,provider,contract,down_mbps,up_mbps,zone,timetable,device,shard
Thử nghiệm,79000501,Trường Thử Nghiệm,chinh,Điểm trường chính,main,Nhà mạng A,,100,100,,,k7m2q5xv3hd4,s1
"""

RESOLV = "nameserver 192.0.2.53\n"

BROKER = "user root\nlistener 1883 127.0.0.1\nallow_anonymous true\nlog_dest stderr\npersistence false\n"


def records(sniffer, kind):
    """Records of a type, in the order of arrival."""
    return [record for message in list(sniffer.messages) for record in message.get("ev", []) if record["type"] == kind]


class Stage:
    def __init__(self, run):
        self.run = run
        self.card = run / "card"
        self.network = netns.Network()
        self.sniffer = None
        self.processes = []
        self.mounted = False

    def __enter__(self):
        self.network.__enter__()
        try:
            self._set()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.sniffer:
            self.sniffer.stop()
        for process in reversed(self.processes):
            process.kill()
        if self.mounted:
            subprocess.run(["umount", "-l", self.card], check=False)
        self.network.__exit__()

    def _set(self):
        self.card.mkdir()
        # A card of its own, so that it can be full; without the right to mount one it never is.
        self.mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "card", self.card],
                                      capture_output=True, check=False).returncode == 0
        library = self.run / "fake_board.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O", "-Wall", "-Werror", "-o", library,
                        support.SOURCE / "tests/system/fake_board.c"], check=True)
        self.synced = self.run / "synced"
        self.agent_env = {"LD_PRELOAD": str(library), "SP_TEST_SYNCED": str(self.synced)}
        public = subprocess.run([support.program("schoolpulse-hub"), "command-key", self.run / "commands.key"], check=True,
                                capture_output=True).stdout
        (self.run / "commands.pem").write_bytes(public)
        for name, text in (("agent.conf", AGENT), ("hub.conf", HUB), ("register.csv", REGISTER), ("broker.conf", BROKER),
                           ("resolv.conf", RESOLV)):
            (self.run / name).write_text(text.format(run=self.run, card=self.card), encoding="utf-8")
        self.start("broker", "/usr/sbin/mosquitto", "-c", self.run / "broker.conf").wait_for("running")
        self.sniffer = feed_sniffer.Sniffer(1883, prefix=self.network.inside()).ready()

    def start(self, name, *command, env=None):
        process = support.Process(self.network.inside(*command), self.run / f"{name}.log", env=env)
        self.processes.append(process)
        return process

    def start_hub(self):
        # It learns the time when the board does, so that acknowledgements tell it.
        return self.start("hub", support.program("schoolpulse-hub"), "--config", self.run / "hub.conf", "all",
                          env=self.agent_env)

    def start_agent(self):
        return self.start("agent", support.program("schoolpulsed"), "--config", self.run / "agent.conf",
                          env=self.agent_env)

    def wait(self, condition, what):
        try:
            return support.wait_until(condition, what, every=0.2)
        except AssertionError as error:
            logs = "\n".join(f"-- {p.log.name}:\n{p.tail(15)}" for p in self.processes)
            raise AssertionError(f"{error}\nheard: {self.sniffer.talk.kinds}\n{self.sniffer.talk.findings[:5]}\n{logs}") \
                from None

    def heard(self, kind, word, times=1):
        return self.wait(lambda: self.sniffer.talk.kinds.get((kind, word), 0) >= times, f"{kind} {word}")

    def record(self, kind, **members):
        """Waits for a record with these members."""
        def there():
            return any(all(record.get(k) == v for k, v in members.items()) for record in records(self.sniffer, kind))
        return self.wait(there, f"{kind} {members}")

    # ---- scenes ------------------------------------------------------------------------------------

    def begin(self):
        """A full card at first, then all is well: births, first records, samples, punches, acknowledgements."""
        subprocess.run(self.network.inside(support.program("schoolpulse-hub"), "--config", self.run / "hub.conf", "import",
                                           self.run / "register.csv"), check=True, capture_output=True)
        self.fill_the_card()
        hub, agent = self.start_hub(), self.start_agent()
        self.empty_the_card()
        self.heard("hub", "online")
        self.heard("state", "online")
        for kind in ("boot", "carrier", "gateway", "device", "line"):
            self.record(kind)
        self.synced.touch()
        self.record("clock", event="synced")
        self.record("line", state="up")
        self.heard("attendance", "punch", 2)
        self.heard("bulk", "samples", 2)
        self.heard("bulk", "minute", 2)
        self.heard("ack", "")
        self.heard("site", "up")
        return hub, agent

    def break_the_line(self):
        """The provider's side is gone, then it is back."""
        netns.ip("-n", self.network.world, "route", "del", "local", "0.0.0.0/0", "dev", "lo", "table", "main")
        self.record("outage", phase="open")
        self.heard("site", "down")
        netns.ip("-n", self.network.world, "route", "add", "local", "0.0.0.0/0", "dev", "lo", "table", "main")
        self.record("outage", phase="close")

    def test_the_speed(self):
        """The province asks for a speed test, of a line of 20 Mbit/s."""
        ends = ((self.network.board, "eth0"), (self.network.world, "isp0"))
        for place, device in ends:
            subprocess.run(["ip", "netns", "exec", place, "tc", "qdisc", "add", "dev", device, "root", "tbf", "rate",
                            "20mbit", "burst", "32kb", "latency", "300ms"], check=True)
        anchor = support.Process(["ip", "netns", "exec", self.network.world, support.program("schoolpulse-anchor"), "--port",
                                  "8081", "--stamp_port", "0", "--status_port", "0"], self.run / "anchor.log")
        self.processes.append(anchor)
        anchor.wait_for("backend")
        self.start("command", support.program("schoolpulse-hub"), "--config", self.run / "hub.conf", "command", "--key",
                   self.run / "commands.key", "--device", "k7m2q5xv3hd4", "speedtest")
        self.heard("cmd", "")
        self.record("command", outcome="accepted")
        self.record("command", outcome="done")
        self.record("speedtest", direction="down")
        self.record("speedtest", direction="up")
        for place, device in ends:
            subprocess.run(["ip", "netns", "exec", place, "tc", "qdisc", "del", "dev", device, "root"], check=True)

    def pull_the_cable(self):
        self.network.cable(False)
        self.record("carrier", carrier=False)
        self.record("line", cause="cable")
        self.network.cable(True)
        self.wait(lambda: records(self.sniffer, "line")[-1]["state"] == "up", "the line to be up again")

    def fill_the_card(self):
        if not self.mounted:
            return
        with open(self.card / "ballast", "wb", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(b"\0" * 4096)
            except OSError:
                pass

    def empty_the_card(self):
        """Once the agent has noticed that it is full."""
        if not self.mounted:
            return
        self.wait(lambda: self._journal_state(self.run / "agent.sock") == "full", "the agent to notice")
        (self.card / "ballast").unlink()
        self.record("storage", event="full")
        self.record("storage", event="writable")

    def _journal_state(self, socket):
        done = subprocess.run([support.program("schoolpulse"), "--socket", socket, "status", "--json"],
                              capture_output=True, text=True, check=False)
        return json.loads(done.stdout)["journal"]["state"] if done.returncode == 0 else None

    def end(self, hub, agent):
        """A clean stop, a damaged card, a power cut."""
        assert agent.stop() == 0, agent.tail()
        self.record("stop", reason="signal")
        self.heard("state", "stopped")
        hub.kill()
        self.heard("hub", "lost")
        self.buy_more()
        self.watch_the_door()
        agent = self.start_agent()
        self.record("budget", event="raised")
        self.record("egress", event="learnt", hop=self.network.GATEWAY)
        told = self.sniffer.talk.kinds.get(("attendance", "punch"), 0)
        self.wait(lambda: self.sniffer.talk.kinds[("attendance", "punch")] > told + 2, "records that nobody settles")
        agent.kill()
        self.heard("state", "lost")
        self.damage()
        self.forget_the_hubs_session()
        self.start_agent()
        self.start_hub()
        self.record("dropped", reason="corrupt")

    def buy_more(self):
        conf = self.run / "agent.conf"
        conf.write_text(conf.read_text(encoding="utf-8").replace("budget = 1G", "budget = 2G"), encoding="utf-8")

    def watch_the_door(self):
        self.network.put_beyond(BEYOND)
        with open(self.run / "agent.conf", "a", encoding="utf-8") as conf:
            conf.write(HOP)

    def forget_the_hubs_session(self):
        """Otherwise the broker hands the hub what it kept, and the hub settles the damaged batch."""
        subprocess.run(self.network.inside("mosquitto_pub", "-V", "mqttv5", "-i", "schoolpulse-hub-s1", "-t", "elsewhere", "-n"),
                       check=True)

    def damage(self):
        """One unsettled batch of the journal has other bytes than it had."""
        with contextlib.closing(sqlite3.connect(self.card / "state" / "journal.db", timeout=30)) as journal:
            number, length = journal.execute(
                "SELECT b.id, length(CAST(b.body AS BLOB)) FROM batch b JOIN stream s ON s.id = b.stream"
                " WHERE s.class = 1 AND b.settled = 0 AND b.first > 1 ORDER BY b.id LIMIT 1").fetchone()
            journal.execute("UPDATE batch SET body = zeroblob(?) WHERE id = ?", (length, number))
            journal.commit()


def play(run):
    """All scenes; returns the sniffer, stopped."""
    with Stage(run) as stage:
        hub, agent = stage.begin()
        stage.test_the_speed()
        stage.break_the_line()
        stage.pull_the_cable()
        stage.end(hub, agent)
        return stage.sniffer
