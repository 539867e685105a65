# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""A simulated DS-K1T terminal: digest login that locks, alertStream with replay, pictures and heartbeats, AcsEvent
with paging, deviceInfo. Events are never acknowledged to it: it knows what it produced, keeps it all, and tells it again
to whoever connects. Synthetic persons only; what must never leave the driver bears the word CANARY."""
import datetime
import hashlib
import http.server
import json
import queue
import re
import secrets
import socket
import ssl
import threading
import time

PASSED = {1: "card", 38: "finger", 75: "face", 0x9c: "code", 0xb5: "password"}
PICTURE = b"\xff\xd8CANARY-PICTURE\r\n--MIME_boundar\r\n" + bytes(range(256)) * 40 + b"\xff\xd9"
HASHES = {"md5": hashlib.md5, "sha": hashlib.sha256}


def nonsense(length=16):
    return secrets.token_hex(length // 2)


class Terminal:
    """Starts at once. `url` is where it is; everything may be changed while it runs."""

    def __init__(self, serial="DS-K1T671M20260101V030203ENJ12345678", user="observer", password="mật khẩu 1", **options):
        self.serial, self.user, self.password = serial, user, password
        self.boundary = "MIME_boundary"
        self.style = "json"          # of the stream's parts and of refusals, or "xml"
        self.offers = ("md5", "sha")  # challenges, in this order
        self.zone = datetime.timezone(datetime.timedelta(hours=7))
        self.clock_error = 0.0       # seconds that it is ahead
        self.heartbeat = 0.5
        self.replays = True
        self.pictures = True
        self.page_most = 30
        self.has_history = True
        self.lock_after, self.unlock_s = 5, 1800
        self.log = []                # every event that it ever produced, in order
        self.requests = []           # (method, path, what the login was worth)
        self.failures, self.locked_until = 0, 0.0
        self.streams = []
        self.lock = threading.RLock()
        self.nonces = {}
        self.server, self.port, self.context = None, 0, None
        certificate = options.pop("certificate", None)
        for name, value in options.items():
            if not hasattr(self, name):
                raise TypeError(name)
            setattr(self, name, value)
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*certificate)
        self.start()

    # ---- its life

    @property
    def url(self):
        return f"http{'s' if self.context else ''}://127.0.0.1:{self.port}"

    def start(self):
        """On, at the port that it had."""
        terminal = self

        class Bound(Handler):
            unit = terminal
        Server.allow_reuse_address = True
        self.server = Server(("127.0.0.1", self.port), Bound)
        self.server.context = self.context
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        """Off; what it has logged stays."""
        server, self.server = self.server, None
        server.shutdown()
        server.server_close()
        with self.lock:
            self.nonces.clear()
        server.cut()

    def drop(self):
        """Every stream is cut, as often happens."""
        with self.lock:
            streams, self.streams = self.streams, []
        for stream in streams:
            stream.put(None)

    # ---- its events

    def now(self):
        return datetime.datetime.now(self.zone) + datetime.timedelta(seconds=self.clock_error)

    def punch(self, person, minor=75, when=None, silent=False, **more):
        """Somebody is recognised (or turned away, by `minor`); `silent`: the stream misses it. Its serialNo."""
        with self.lock:
            event = {"major": 5, "minor": minor, "person": person, "serial": len(self.log) + 1, "door": 1, "reader": 1,
                     "time": (when or self.now()).replace(microsecond=0).isoformat(), "status": "undefined", **more}
            self.log.append(event)
            if not silent:
                for stream in self.streams:
                    stream.put(event)
        return event["serial"]

    def produced(self):
        """serialNo of everything that is a punch."""
        with self.lock:
            return [e["serial"] for e in self.log if e["major"] == 5 and e["minor"] in PASSED and e["person"]]

    def asked(self, path):
        """How often, and what each login was worth."""
        with self.lock:
            return [worth for _, asked, worth in self.requests if asked.split("?")[0].endswith(path)]

    def part(self, event, live):
        """An event as the stream tells it, with everything that must be dropped."""
        inner = {"deviceName": "CANARY-DEVICE", "majorEventType": event["major"], "subEventType": event["minor"],
                 "cardNo": "CANARY0987654321", "cardType": 1, "name": "CANARY-NAME Trần Thị \"B\" \\ Ánh",
                 "employeeNoString": event["person"], "cardReaderNo": event["reader"], "doorNo": event["door"],
                 "serialNo": event["serial"], "frontSerialNo": event["serial"] - 1, "userType": "normal",
                 "currentVerifyMode": "faceOrFpOrCardOrPw", "currentEvent": live,
                 "attendanceStatus": event["status"], "mask": "CANARY-MASK", "picturesNumber": 1,
                 "FaceRect": {"height": 0.123, "width": 0.5, "CANARY-FACE": [1, {"x": 0.25}]}}
        outer = {"ipAddress": "192.0.2.20", "portNo": 80, "protocol": "HTTP", "macAddress": "00:00:5e:00:53:01",
                 "channelID": 1, "dateTime": event["time"], "activePostCount": 1, "eventType": "AccessControllerEvent",
                 "eventState": "active", "eventDescription": "Access Controller Event"}
        if self.style == "xml":
            return to_xml("EventNotificationAlert", {**outer, "AccessControllerEvent": inner})
        return json.dumps({**outer, "AccessControllerEvent": inner}, ensure_ascii=False, indent=1).encode()

    def entry(self, event):
        """The same out of its memory."""
        return {"major": event["major"], "minor": event["minor"], "time": event["time"], "cardNo": "CANARY0987654321",
                "cardType": 1, "name": "CANARY-NAME", "cardReaderNo": event["reader"], "doorNo": event["door"],
                "employeeNoString": event["person"], "serialNo": event["serial"], "userType": "normal",
                "currentVerifyMode": "face", "attendanceStatus": event["status"], "mask": "no",
                "pictureURL": f"http://192.0.2.20/LOCALS/pic/acsLinkCap/CANARY{event['serial']}.jpeg"}


def to_xml(name, value):
    def element(name, value):
        if isinstance(value, dict):
            return f"<{name}>" + "".join(element(k, v) for k, v in value.items() if " " not in k) + f"</{name}>"
        text = {True: "true", False: "false"}.get(value, value) if isinstance(value, bool) else value
        text = str(text).replace("&", "&amp;").replace("<", "&lt;")
        return f"<{name}>{text}</{name}>"
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return (head + element(name, value).replace(f"<{name}>", f'<{name} version="2.0" xmlns="http://www.isapi.org/ver20/XMLSchema">',
                                                1)).encode()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    context = None

    def __init__(self, *arguments):
        self.open = set()
        super().__init__(*arguments)

    def get_request(self):
        connection, peer = super().get_request()
        self.open.add(connection)
        return connection, peer

    def finish_request(self, request, client_address):
        if self.context:  # on the connection's own thread: a slow handshake holds up nobody
            request.settimeout(10)
            try:
                wrapped = self.context.wrap_socket(request, server_side=True)
            except (ssl.SSLError, OSError):
                return
            wrapped.settimeout(None)
            self.open.add(wrapped)
            request = wrapped
        super().finish_request(request, client_address)

    def cut(self):
        for connection in list(self.open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def handle_error(self, request, client_address):
        pass  # who was cut


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    unit = None

    def log_message(self, *arguments):
        pass

    # ---- the login

    def judge(self):
        said = self.headers.get("Authorization", "")
        if not said:
            return "none"
        if not said.startswith("Digest "):
            return "basic"
        words = {k: quoted or plain for k, quoted, plain in
                 re.findall(r'(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))', said)}
        name = "sha" if words.get("algorithm") == "SHA-256" else "md5"
        digest = lambda text: HASHES[name](text.encode()).hexdigest()
        nonce = words.get("nonce")
        with self.unit.lock:
            if nonce not in self.unit.nonces:
                return "unknown"
            count = self.unit.nonces[nonce] = self.unit.nonces[nonce] + 1
        ha1 = digest(f"{self.unit.user}:DS-K1T:{self.unit.password}")
        want = digest(":".join((ha1, nonce, words.get("nc", ""), words.get("cnonce", ""), "auth",
                                digest(f"{self.command}:{self.path}"))))
        if words.get("username") != self.unit.user or words.get("response") != want:
            return "bad"
        return name if int(words.get("nc", "0"), 16) == count else "replayed"

    def refuse(self, worth):
        unit = self.unit
        with unit.lock:
            if worth == "bad":
                unit.failures += 1
                if unit.failures >= unit.lock_after:
                    unit.locked_until = time.monotonic() + unit.unlock_s
            left = int(unit.locked_until - time.monotonic())
            told = {"statusValue": 401, "statusString": "Unauthorized", "isDefaultPassword": False,
                    "lockStatus": "lock" if left > 0 else "unlock", "unlockTime": max(left, 0),
                    "retryLoginTime": max(unit.lock_after - unit.failures, 0)}
            challenges = []
            for name in unit.offers:
                nonce = nonsense()
                unit.nonces[nonce] = 0
                challenges.append(f'Digest qop="auth", realm="DS-K1T", nonce="{nonce}", stale="FALSE"'
                                  + (', algorithm="SHA-256"' if name == "sha" else ""))
        self.answer(401, to_xml("userCheck", told), "application/xml", challenges)

    def answer(self, status, body, kind, challenges=()):
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
        self.send_response(status)
        for challenge in challenges:
            self.send_header("WWW-Authenticate", challenge)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def serve(self):
        unit = self.unit
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        worth = self.judge()
        locked = time.monotonic() < unit.locked_until
        with unit.lock:
            unit.requests.append((self.command, self.path, "locked" if locked and worth in HASHES else worth))
        if worth not in HASHES or locked:
            self.refuse(worth)
            return
        unit.failures = 0
        path = self.path.split("?")[0]
        if path == "/ISAPI/System/deviceInfo":
            self.answer(200, to_xml("DeviceInfo", {"deviceName": "CANARY-DEVICE", "model": "DS-K1T671M",
                                                   "serialNumber": unit.serial, "firmwareVersion": "V3.2.3"}),
                        "application/xml; charset=\"UTF-8\"")
        elif path == "/ISAPI/System/time":
            self.answer(200, to_xml("Time", {"timeMode": "manual", "timeZone": "CST-7:00:00",
                                             "localTime": unit.now().replace(microsecond=0).isoformat()}), "application/xml")
        elif path == "/ISAPI/AccessControl/UserInfo/Count":
            people = {event["person"] for event in unit.log}
            self.answer(200, {"UserInfoCount": {"userNumber": len(people)}}, "application/json")
        elif path == "/ISAPI/AccessControl/AcsEvent" and self.command == "POST":
            self.history(body)
        elif path == "/ISAPI/Event/notification/alertStream":
            self.stream()
        else:
            self.answer(404, to_xml("ResponseStatus", {"statusCode": 4, "subStatusCode": "notSupport"}), "application/xml")

    do_GET = do_POST = serve

    # ---- its memory

    def history(self, body):
        unit = self.unit
        if not unit.has_history:
            self.answer(400, {"statusCode": 4, "statusString": "Invalid Operation", "subStatusCode": "notSupport"},
                        "application/json")
            return
        wanted = json.loads(body)["AcsEventCond"]
        if wanted["maxResults"] > unit.page_most:
            self.answer(400, {"statusCode": 6, "subStatusCode": "badParameters"}, "application/json")
            return
        since, until = (datetime.datetime.fromisoformat(wanted[k]) for k in ("startTime", "endTime"))
        with unit.lock:
            found = [e for e in unit.log if since <= datetime.datetime.fromisoformat(e["time"]) <= until
                     and e["major"] == wanted["major"]]
        page = found[wanted["searchResultPosition"]:][:wanted["maxResults"]]
        more = wanted["searchResultPosition"] + len(page) < len(found)
        answer = {"searchID": wanted["searchID"], "responseStatusStrg": "MORE" if more else "OK" if page else "NO MATCH",
                  "numOfMatches": len(page), "totalMatches": len(found)}
        if page:
            answer["InfoList"] = [unit.entry(event) for event in page]
        self.answer(200, {"AcsEvent": answer}, "application/json")

    # ---- its stream

    def stream(self):
        unit = self.unit
        mine = queue.Queue()
        with unit.lock:
            old = list(unit.log) if unit.replays else []
            unit.streams.append(mine)
        self.send_response(200)
        self.send_header("Content-Type", f"multipart/mixed; boundary={unit.boundary}")
        self.end_headers()
        try:
            for event in old:
                self.tell(event, False)
            self.wfile.flush()
            self.listen(mine)
        except OSError:
            pass
        finally:
            self.close_connection = True
            with unit.lock:
                if mine in unit.streams:
                    unit.streams.remove(mine)

    def listen(self, mine):
        unit = self.unit
        while unit.server is self.server:
            try:
                event = mine.get(timeout=unit.heartbeat)
            except queue.Empty:
                self.put(to_xml("EventNotificationAlert",
                                {"dateTime": unit.now().replace(microsecond=0).isoformat(), "eventType": "videoloss",
                                 "eventState": "inactive"}), "application/xml")
                continue
            if event is None:
                return
            self.tell(event, True)

    def tell(self, event, live):
        kind = "application/xml" if self.unit.style == "xml" else "application/json"
        self.put(self.unit.part(event, live), f"{kind}; charset=\"UTF-8\"")
        if self.unit.pictures and live:
            self.put(PICTURE, "image/jpeg", 'Content-Disposition: form-data; name="Picture"; filename="CANARY.jpg"\r\n')

    def put(self, body, kind, more=""):
        boundary = self.unit.boundary.strip('"')
        head = f"--{boundary}\r\nContent-Type: {kind}\r\n{more}Content-Length: {len(body)}\r\n\r\n"
        self.wfile.write(head.encode() + body + b"\r\n")
