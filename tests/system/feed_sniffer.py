#!/usr/bin/python3
# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""Listens to sp1/# on a broker and checks every message against the contract.

As a program: feed_sniffer.py --port 1883 [--seconds 60] [-- further mosquitto_sub options, such as --cafile];
prints one line per message, ends with 1 if any was wrong. As a library: Sniffer.
"""
import argparse
import subprocess
import sys
import threading
import time

import feed_contract

FORMAT = r"%q\t%r\t%C\t%x\t%t"


class Sniffer:
    """mosquitto_sub and a thread that feeds a Conversation. `seen` keeps (topic, payload, content type),
    `messages` those that obey, parsed. `prefix` is a command to run mosquitto_sub by: `ip netns exec NAME`."""

    def __init__(self, port, host="127.0.0.1", options=(), honest=True, on_message=None, prefix=()):
        self.talk = feed_contract.Conversation(honest)
        self.seen, self.messages = [], []
        self.on_message = on_message
        self.errors = []
        self._ready = threading.Event()
        command = ["mosquitto_sub", "-h", host, "-p", str(port), "-V", "mqttv5", "-q", "1", "-t", "sp1/#",
                   "--retain-as-published", "-d", "-F", FORMAT, *options]
        self._process = subprocess.Popen([*prefix, "stdbuf", "-oL", *command], stdin=subprocess.DEVNULL,
                                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def ready(self, timeout=60):
        """Returns once the broker has granted the subscription."""
        if not self._ready.wait(timeout):
            raise AssertionError(f"no subscription within {timeout} s: {self.errors[-5:]}")
        return self

    def stop(self):
        self._process.terminate()
        self._process.wait(10)
        self._thread.join(10)

    def __enter__(self):
        return self.ready()

    def __exit__(self, *_):
        self.stop()

    def _read(self):
        for line in self._process.stdout:
            fields = line.rstrip(b"\n").split(b"\t", 4)
            if len(fields) == 5 and fields[0].isdigit():
                self._message(fields)
            elif b"Subscribed" in line:
                self._ready.set()
            elif not line.startswith((b"Client ", b"Subscribe")):
                self.errors.append(line.decode("utf-8", "replace").strip())

    def _message(self, fields):
        qos, retain, content_type = int(fields[0]), fields[1] == b"1", fields[2].decode("utf-8", "replace")
        payload, topic = bytes.fromhex(fields[3].decode()), fields[4].decode("utf-8", "replace")
        before = len(self.talk.findings)
        message = self.talk.observe(topic, payload, content_type, qos, retain)
        self.seen.append((topic, payload, content_type))
        if message is not None:
            self.messages.append(message)
        if self.on_message:
            self.on_message(topic, payload, message, self.talk.findings[before:])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=1883)
    parser.add_argument("--seconds", type=float, help="stop after so long (default: until Ctrl-C)")
    parser.add_argument("options", nargs="*", help="after --: further options of mosquitto_sub")
    arguments = parser.parse_args()

    def show(topic, payload, message, findings):
        what = ""
        if message and "ev" in message:
            what = f"{message['ev'][0]['seq']}…{message['ev'][-1]['seq']} " \
                   + ",".join(record["type"] for record in message["ev"])
        print(f"{'WRONG' if findings else 'ok':5} {topic} {len(payload)} bytes {what}", flush=True)
        for finding in findings:
            print(f"      {finding}", flush=True)

    sniffer = Sniffer(arguments.port, arguments.host, arguments.options, on_message=show)
    try:
        sniffer.ready()
        time.sleep(arguments.seconds if arguments.seconds is not None else 10 ** 8)
    except KeyboardInterrupt:
        pass
    except AssertionError as error:
        print(f"feed_sniffer: {error}", file=sys.stderr)
        return 2
    finally:
        sniffer.stop()
    print(f"{sniffer.talk.messages} messages, {len(sniffer.talk.findings)} findings")
    return 1 if sniffer.talk.findings else 0


if __name__ == "__main__":
    sys.exit(main())
