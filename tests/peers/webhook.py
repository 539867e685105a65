# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""A simulated kiosk that posts signed JSON (drivers/kiosk/webhook.md). It keeps what was not acknowledged and can
send its whole log again. Synthetic persons only. A test drives it by turn(), or lets it run in a thread."""
import datetime
import hashlib
import hmac
import http.client
import json
import threading
import time


class Refused(Exception):
    def __init__(self, status, body, retry_after=None):
        super().__init__(f"{status} {body}")
        self.status, self.body, self.retry_after = status, body, retry_after


class Kiosk:
    def __init__(self, port, secret, name="kiosk", path="/events", host="127.0.0.1", batch=100, extra=None,
                 timeout=60):
        self.host, self.port, self.path, self.secret = host, port, path, secret.encode()
        self.name, self.batch, self.timeout = name, batch, timeout
        self.extra = extra or {}  # members of each event that nobody should read
        self.log = []             # every event that it ever had
        self.waiting = []         # of those, what is not acknowledged
        self.acknowledged = set()
        self.accepted = self.known = self.tries = 0
        self.clock = time.time
        self.connection = None
        self.thread, self.ending = None, threading.Event()
        self.lock = threading.Lock()

    def punch(self, person, when=None, **members):
        when = when or datetime.datetime.now().astimezone()
        with self.lock:
            event = {"id": f"{self.name}-{len(self.log) + 1}", "time": when.isoformat(), "person": str(person),
                     "number": len(self.log) + 1, **self.extra, **members}
            self.log.append(event)
            self.waiting.append(event)
        return event

    def again(self):
        """All of it, as after a reset."""
        with self.lock:
            self.waiting = list(self.log)

    def headers(self, body, stamp=None):
        stamp = str(int(self.clock()) if stamp is None else stamp)
        signature = hmac.new(self.secret, stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        return {"X-SchoolPulse-Timestamp": stamp, "X-SchoolPulse-Signature": "v1=" + signature}

    def post(self, body, headers=None):
        """The answer's JSON. Raises Refused, OSError or http.client.HTTPException."""
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        kept = self.connection is not None
        try:
            answer, text = self.ask(body, headers)
        except (OSError, http.client.HTTPException):
            if not kept:
                raise
            answer, text = self.ask(body, headers)  # an idle connection may have been closed meanwhile
        if answer.status != 200:
            raise Refused(answer.status, text, answer.headers.get("Retry-After"))
        return json.loads(text)

    def ask(self, body, headers):
        self.tries += 1
        if not self.connection:
            self.connection = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)
        try:
            self.connection.request("POST", self.path, body, self.headers(body) if headers is None else headers)
            answer = self.connection.getresponse()
            return answer, answer.read().decode()
        except (OSError, http.client.HTTPException):
            self.close()
            raise

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def turn(self):
        """Sends one batch of what waits (an empty one if nothing does). How many are acknowledged now."""
        with self.lock:
            batch = self.waiting[:self.batch]
        answer = self.post({"events": batch, "kiosk": {"model": "simulated", "records": len(self.log),
                                                       "backlog": len(self.waiting)}})
        assert answer["accepted"] + answer["known"] == len(batch), answer
        with self.lock:
            done = {event["id"] for event in batch}
            self.waiting = [event for event in self.waiting if event["id"] not in done]
            self.acknowledged |= done
        self.accepted += answer["accepted"]
        self.known += answer["known"]
        return len(batch)

    def run(self, pause=0.2):
        """In a thread, until stop(): as a kiosk does, whatever happens at the other end."""
        def loop():
            while not self.ending.is_set():
                try:
                    if self.turn() == self.batch:
                        continue
                except (OSError, Refused, http.client.HTTPException, ValueError):
                    pass
                self.ending.wait(pause)
        self.thread = threading.Thread(target=loop, daemon=True)
        self.thread.start()

    def stop(self):
        self.ending.set()
        if self.thread:
            self.thread.join(self.timeout + 5)
        self.close()
