# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""The programs under test in their places: the agent on the board, mosquitto and schoolpulse-hub in the
data centre. Each is ended by its pid, and dies with the lab."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time
import uuid

import school as places
import space as spaces

SOURCE = pathlib.Path(__file__).resolve().parents[2]
SHARD, DEVICE = "lab", "board"

BROKER = """\
user root
listener 1883 {address}
allow_anonymous true
persistence false
set_tcp_nodelay true
log_dest stderr
log_type error
log_type warning
log_type notice
"""

HUB = """\
[hub]
db = {db}
reconnect_window = 1s

[mqtt]
host = {address}
port = 1883
shards = lab
keepalive = 5s

[http]
listen = 127.0.0.1
port = 8080
"""

REGISTER = "area,school,school_name,site,site_name,line,provider,contract,down_mbps,up_mbps,zone,timetable,device,shard\n"
REGISTERED = "Phòng thử,truong-mau,Trường mẫu,chinh,Điểm chính,{line},,,80,40,,,board,lab\n"

# Its times are the agent's own, but for the ways to the hub: those the lab need not wait for.
AGENT = """\
[agent]
state_dir = {state}
socket = {socket}
shard = lab
device = board
log_level = debug
summary_window = 2s

[mqtt]
host = {address}
port = 1883
keepalive = 20s
will_delay = 1s
resend_min = 1s
resend_max = 3s
reconnect_max = 1s

[journal]
bulk_commit = 5s

"""

# The devices of a line nearer than its anchors.
NEAR = """\
[carrier "cable{suffix}"]
line = {line}
{interface}

[gateway "router{suffix}"]
line = {line}
{interface}

[isp_hop "hop{suffix}"]
line = {line}
domestic = {domestic}
egress_url = http://{whoami}/
egress_interval = 1min
{interface}
"""

FAR = """\
[reach "internet{suffix}"]
line = {line}
domestic = {domestic}
international = {international}
dns_name = *.{zone}
dns_expect = {zone_address}
dns_direct = {second_dns}
resolv_conf = {directory}/resolv{suffix}.conf
portal_url = http://page.{zone}/generate_204
portal_resolve = {page}
{interface}
{reach}
"""

SERVICE = """\
[service "lesson{suffix}"]
line = {line}
urls = https://{lesson}.{zone}/
ca_file = {directory}/ca.pem
{interface}
"""

LINE = """\
[line "{line}"]
{line_options}
"""


class NotBuilt(Exception):
    pass


def find(build, name):
    for directory in ("agent", "agent/cli", "tools/hub", "tools/anchor", "tests/lab"):
        path = pathlib.Path(build, directory, name)
        if path.is_file():
            return path.resolve()
    raise NotBuilt(f"{name} is not built in {build}")


def version(program):
    return subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]


class Program:
    def __init__(self, prefix, arguments, log):
        self.arguments = prefix + [str(argument) for argument in arguments]
        self.log = log
        self.process = None

    def start(self):
        with open(self.log, "ab") as out:
            out.write(f"---- started at {spaces.now():.6f}\n".encode())
            out.flush()
            self.process = subprocess.Popen(self.arguments, stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=subprocess.STDOUT, preexec_fn=spaces.die_with_parent)

    def running(self):
        return self.process is not None and self.process.poll() is None

    def end(self, how=signal.SIGTERM, patience=20):
        """The exit status; None when there was nothing to end. Killed if it does not end in time."""
        if not self.process:
            return None
        process, self.process = self.process, None
        if process.poll() is None:
            process.send_signal(how)
        try:
            return process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def kill(self):
        """As a power cut would."""
        self.end(signal.SIGKILL)

    def tail(self, lines=15):
        return "\n".join(pathlib.Path(self.log).read_text(errors="replace").splitlines()[-lines:])


class Programs:
    """Broker, hub and agent of one school; their files stand in `directory`, logs in `logs`."""

    def __init__(self, school, build, directory, logs, agent):
        self.directory, self.logs, self.build = pathlib.Path(directory), pathlib.Path(logs), build
        self.db = self.directory / "hub.db"
        self.socket = self.directory / "agent.sock"
        self._configure(agent)
        centre, board = school.space.prefix("centre"), school.space.prefix("board")
        hub = find(build, "schoolpulse-hub")
        self.register = centre + [str(hub), "--config", str(self.directory / "hub.conf"), "import",
                                  str(self.directory / "register.csv")]
        self.broker = Program(centre, ["/usr/sbin/mosquitto", "-c", self.directory / "mosquitto.conf"],
                              self.logs / "broker.log")
        self.hub = Program(centre, [hub, "--config", self.directory / "hub.conf", "all"], self.logs / "hub.log")
        self.agent_program = find(build, "schoolpulsed")
        self.boot_id = self.directory / "boot_id"
        self.new_boot()
        # What `ip netns exec` mounts is the board's alone: a boot id of the lab's making, and a kernel that stands
        # still after a panic, as Debian's does.
        own = 'for f in random/boot_id panic; do mount --bind "$0/${f#*/}" /proc/sys/kernel/$f || exit; done; exec "$@"'
        self.agent = Program(board, ["sh", "-c", own, self.directory, self.directory / "schoolpulsed", "--config",
                                     self.directory / "agent.conf"], self.logs / "agent.log")
        (self.directory / "schoolpulsed").symlink_to(self.agent_program)

    def _lines(self, agent):
        """The sections of each line. `agent`: a scenario's own values, "lines" of them more than one."""
        values = {
            "line": "main", "suffix": "", "line_options": "", "interface": "", "reach": "", "parts": (LINE, NEAR, FAR, SERVICE), "lesson": places.LESSON,
            "domestic": ", ".join(places.ANCHORS_ALPHA + places.ANCHORS_BETA),
            "international": ", ".join(places.ANCHORS_ABROAD), "zone": places.ZONE,
            "zone_address": places.ZONE_ADDRESS, "second_dns": places.SECOND_DNS,
            "resolver": places.ROUTER_DNS, "page": places.PAGE, "whoami": places.WHOAMI,
        }
        values["directory"] = self.directory
        return [values | agent | own for own in agent.get("lines", ({},))]

    def _configure(self, agent):
        lines = self._lines(agent)
        files = {
            "mosquitto.conf": BROKER.format(address=places.BROKER),
            "hub.conf": HUB.format(db=self.db, address=places.BROKER),
            "panic": "0\n",
            "register.csv": REGISTER + "".join(REGISTERED.format(**line) for line in lines),
            "agent.conf": AGENT.format(state=self.directory / "agent", socket=self.socket, address=places.BROKER)
            + "".join("\n".join(part.format(**line) for part in line["parts"]) + "\n" for line in lines),
        }
        for line in lines:
            files[f"resolv{line['suffix']}.conf"] = f"nameserver {line['resolver']}\n"
        (self.directory / "agent").mkdir()
        for name, text in files.items():
            (self.directory / name).write_text(text, encoding="utf-8")

    def start(self):
        self.broker.start()
        spaces.command(self.register)
        self.hub.start()
        self.agent.start()

    def new_boot(self):
        self.boot_id.write_text(f"{uuid.uuid4()}\n")

    def power_cut(self):
        """The agent is gone at once, and what is left of its files is what they were while it still wrote."""
        state, copy = self.directory / "agent", self.directory / "copy"
        shutil.copytree(state, copy)
        self.agent.kill()
        shutil.rmtree(state)
        copy.rename(state)
        self.new_boot()

    def upgrade(self):
        """The same program with another version in it takes the agent's place. Start it afterwards."""
        old = version(self.agent_program)
        new = old[:-1] + str((int(old[-1]) + 1) % 10)
        path = self.directory / "schoolpulsed"
        path.unlink()
        path.write_bytes(self.agent_program.read_bytes().replace(old.encode() + b"\0", new.encode() + b"\0"))
        path.chmod(0o755)
        if version(path) != new:
            raise RuntimeError(f"the upgraded agent calls itself {version(path)} instead of {new}")

    def stop(self):
        """True when all that still ran ended cleanly."""
        codes = [program.end() for program in (self.agent, self.hub, self.broker)]
        return all(code in (0, None) for code in codes)

    def kill(self):
        for program in (self.agent, self.hub, self.broker):
            program.kill()

    def ask(self, *what):
        """The agent's own word, only to see how far things are: what is judged comes from the hub."""
        done = subprocess.run([find(self.build, "schoolpulse"), "--socket", self.socket, *what, "--json"],
                              capture_output=True, text=True, timeout=30)
        try:
            return json.loads(done.stdout) if done.returncode == 0 else None
        except ValueError:
            return None

    def line(self, name="main"):
        status = self.ask("status")
        return next((line for line in status.get("lines", ()) if line["name"] == name), None) if status else None

    def check(self):
        """Raises when a program ended that nobody ended."""
        for program in (self.agent, self.hub, self.broker):
            if program.process and not program.running():
                raise RuntimeError(f"{pathlib.Path(program.log).stem} ended by itself ({program.process.returncode}):\n"
                                   f"{program.tail()}")


def wait_until(condition, what, patience, every=0.1, check=None):
    end = spaces.now() + patience
    while True:
        value = condition()
        if value:
            return value
        if check:
            check()
        if spaces.now() > end:
            raise TimeoutError(f"waited {patience:g} s in vain for {what}")
        time.sleep(every)


def environment_build():
    return pathlib.Path(os.environ.get("SP_BUILD", SOURCE / "build/debug"))
