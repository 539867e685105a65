# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""A simulated attendance terminal that pushes by ADMS, as several generations of ZKTeco units do. It keeps what
was not acknowledged, sends its whole log again when told to, loops on a bare OK, and sets its clock by the
server's Date and TimeZone. Synthetic persons only. A test drives it by turn(), or lets it run in a thread."""
import dataclasses
import datetime
import email.utils
import http.client
import re
import threading
import time
import urllib.parse

UTC = datetime.timezone.utc


@dataclasses.dataclass(frozen=True)
class Generation:
    version: str | None = None  # sends no pushver
    suffix: str = ""            # behind each path
    options: bool = False       # tells its options after the handshake
    info: bool = False          # and itself with its polls
    sums: bool = False          # can count a day's events
    content_type: str | None = None


GENERATIONS = {
    "1.0": Generation(),
    "2.2.14": Generation("2.2.14", info=True),
    "essl": Generation("2.2.14", suffix=".aspx", info=True),
    "2.4.1": Generation("2.4.1", options=True, info=True, sums=True, content_type="application/push"),
}


@dataclasses.dataclass(frozen=True)
class Record:
    pin: str
    time: str  # by the terminal's dial
    status: int
    verify: int

    def line(self, extra=""):
        return f"{self.pin}\t{self.time}\t{self.status}\t{self.verify}\t\t0\t0{extra}\n"


class Refused(Exception):
    """Another status than 200, or no answer: the terminal keeps its data."""


class Terminal:
    def __init__(self, port, serial="ADMS0001", generation="2.4.1", host="127.0.0.1", batch=100, clock_ahead=None,
                 comm_key=None, extra="", timeout=70):
        self.host, self.port, self.serial, self.batch = host, port, serial, batch
        self.generation = GENERATIONS[generation]
        self.comm_key, self.extra, self.timeout = comm_key, extra, timeout
        self.stubborn = clock_ahead is not None  # its clock is wrong, and stays so
        self.ahead = clock_ahead or 0.0          # what its dial is ahead of true UTC, without its zone
        self.zone = datetime.timedelta(hours=7)  # until a handshake says otherwise
        self.lock = threading.RLock()
        self.log = []            # all that it stores
        self.next = 0            # of the log: first one not acknowledged
        self.asked_again = []    # events that the server queried
        self.acknowledged = set()
        self.options = {}        # of the last good handshake
        self.connected = False
        self.clock_set = []      # by how many seconds each handshake moved its clock
        self.commands = []       # all that the server asked
        self.batches = self.refusals = 0
        self.refusal = self.date = None  # the last ones
        self.answers_ms = []     # how long each upload waited for its acknowledgement
        self.stamp = 0
        self.thread, self.stopping = None, threading.Event()

    # ---- people

    def now(self):
        return datetime.datetime.now(UTC) + datetime.timedelta(seconds=self.ahead) + self.zone

    def punch(self, pin, when=None, status=0, verify=1):
        """Somebody stands before it, at `when` by its dial (datetime or text), else now."""
        when = when or self.now()
        text = when if isinstance(when, str) else when.strftime("%Y-%m-%d %H:%M:%S")
        record = Record(str(pin), text, status, verify)
        with self.lock:
            self.log.append(record)
        return record

    def send_everything_again(self):
        with self.lock:
            self.next = 0

    def pending(self):
        with self.lock:
            return len(self.log) - self.next + len(self.asked_again)

    # ---- HTTP

    def request(self, method, stem, query="", body=None):
        """The answer's text; raises Refused for all that is not a 200."""
        path = f"/iclock/{stem}{self.generation.suffix}?SN={self.serial}{query}"
        headers = {"User-Agent": "iClock Proxy/1.09", "Connection": "close", "Accept": "*/*"}
        if body is not None and self.generation.content_type:
            headers["Content-Type"] = self.generation.content_type
        connection = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)
        try:
            connection.request(method, path, body=body, headers=headers)
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            self._failed(str(error))
        finally:
            connection.close()
        if answer.status != 200:
            self._failed(f"{answer.status} {text}")
        self.date = answer.headers.get("Date")
        return text

    def _failed(self, why):
        self.refusals += 1
        self.refusal = why
        raise Refused(why) from None

    # ---- its day

    def handshake(self):
        query = "&options=all&language=86"
        if self.generation.version:
            query += f"&pushver={self.generation.version}"
        if self.comm_key:
            query += f"&pushcommkey={self.comm_key}"
        text = self.request("GET", "cdata", query)
        first, *lines = text.splitlines()
        if first != f"GET OPTION FROM: {self.serial}":
            raise Refused(f"no handshake: {first}")
        self.options = dict(line.split("=", 1) for line in lines if "=" in line)
        self._take_clock()
        self.connected = True
        if self.generation.options:
            self.request("POST", "cdata", "&table=options", ",".join(
                f"{key}={value}" for key, value in self._info().items()).encode())

    def _take_clock(self):
        """From Date and TimeZone, whatever those say."""
        zone = self.options.get("TimeZone", "")
        if re.fullmatch(r"-?\d+", zone):
            minutes = int(zone) * 60 if abs(int(zone)) <= 14 else int(zone)
            self.zone = datetime.timedelta(minutes=minutes)
        if self.stubborn or not self.date:
            return
        true = email.utils.parsedate_to_datetime(self.date)
        ahead = (true - datetime.datetime.now(UTC)).total_seconds()
        self.clock_set.append(ahead - self.ahead)
        self.ahead = ahead

    def _info(self):
        return {"~DeviceName": "MB20", "FWVersion": "Ver 6.60 Apr 1 2026", "UserCount": 300,
                "TransactionCount": len(self.log), "~MaxAttLogCount": 10}

    def upload(self):
        """One batch of what waits. True: there was one, and it was acknowledged."""
        with self.lock:
            again = bool(self.asked_again)
            records = (self.asked_again if again else self.log[self.next:])[:self.batch]
        if not records:
            return False
        body = "".join(record.line(self.extra) for record in records).encode()
        began = time.monotonic()
        text = self.request("POST", "cdata", f"&table=ATTLOG&Stamp={self.stamp or 9999}", body)
        self.answers_ms.append((time.monotonic() - began) * 1000)
        self.batches += 1
        # A bare OK is no acknowledgement: it sends the same batch for ever.
        match = re.fullmatch(r"OK: ?(\d+)\s*", text)
        if not match or int(match[1]) != len(records):
            return False
        with self.lock:
            self.acknowledged.update(records)
            if again:
                del self.asked_again[:len(records)]
            else:
                self.next = min(self.next + len(records), len(self.log))
            self.stamp += len(records)
        return True

    def poll(self):
        query = ""
        if self.generation.info:
            info = f"Ver 6.60 Apr 1 2026,300,0,{len(self.log)},127.0.0.1,10,7,15,0,111"
            query = "&INFO=" + urllib.parse.quote(info)
        text = self.request("GET", "getrequest", query)
        for line in text.splitlines():
            match = re.fullmatch(r"C:(\w{1,16}):(.*)", line)
            if match:
                self.commands.append(match[2])
                self._obey(match[1], match[2])

    def _obey(self, number, command):
        verb = command.split()[0]
        if command == "INFO":
            result = f"ID={number}&Return=0&CMD=INFO\n" + "\n".join(f"{k}={v}" for k, v in self._info().items())
        elif command in ("CHECK", "LOG"):
            self.connected = self.connected and command != "CHECK"
            result = f"ID={number}&Return=0&CMD={verb}"
        elif command.startswith("VERIFY SUM ATTLOG ") and self.generation.sums:
            chosen, start, end = self._between(command)
            result = (f"ID={number}&Return=0&CMD=VERIFY SUM&StartTime={start}&EndTime={end}"
                      f"&AttlogSum={len(chosen)}")
        elif command.startswith("DATA QUERY ATTLOG "):
            chosen, _, _ = self._between(command)
            with self.lock:
                self.asked_again += chosen
            result = f"ID={number}&Return={len(chosen)}&CMD=DATA"
        else:
            result = f"ID={number}&Return=-1002&CMD={verb}"
        self.request("POST", "devicecmd", body=(result + "\n").encode())

    def _between(self, command):
        start, end = re.search(r"StartTime=(.{19})\tEndTime=(.{19})", command).groups()
        with self.lock:
            return [record for record in self.log if start <= record.time <= end], start, end

    def turn(self):
        """What it does between two waits: connect, send all that it has, ask. True: nothing failed."""
        try:
            if not self.connected:
                self.handshake()
            while self.upload():
                pass
            self.poll()
            return True
        except Refused:
            return False

    # ---- alone, at a pace of the test's

    def start(self, pace=0.1, after_failure=0.3):
        self.stopping.clear()
        self.thread = threading.Thread(target=self._run, args=(pace, after_failure), daemon=True)
        self.thread.start()

    def _run(self, pace, after_failure):
        while not self.stopping.is_set():
            good = self.turn()
            self.stopping.wait(pace if good else after_failure)

    def stop(self):
        if self.thread:
            self.stopping.set()
            self.thread.join()
            self.thread = None

    # ---- what a server must drop unread

    def send_users(self, name, card, password):
        lines = (f"USER PIN=1\tName={name}\tPri=0\tPasswd={password}\tCard=[{card}]\tGrp=1\n"
                 f"FP PIN=1\tFID=0\tSize=8\tValid=1\tTMP={name}\nBIOPHOTO PIN=1\tContent={name}\n")
        return self.request("POST", "cdata", "&table=OPERLOG&OpStamp=9999", lines.encode())

    def send_operation(self, code, alarm=0):
        line = f"OPLOG {code}\t0\t{self.now():%Y-%m-%d %H:%M:%S}\t{alarm}\t0\t0\t0\n"
        return self.request("POST", "cdata", "&table=OPERLOG&OpStamp=9999", line.encode())

    def send_photo(self, text):
        body = f"PIN=1.jpg\nSN={self.serial}\nsize=4\nCMD=uploadphoto\0".encode() + b"\xff\xd8" + text.encode()
        return self.request("POST", "cdata", "&table=ATTPHOTO", body)
