#!/usr/bin/python3
# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""Renews include/schoolpulse/feed/examples from running programs: plays feed_stage.py's scenes (as root, in a network
namespace of its own) and keeps one message per kind and one record per type, byte for byte as they were sent (bulk:
inflated). Usage: SP_BUILD=build/debug capture_examples.py [--into FOLDER]"""
import argparse
import json
import pathlib
import sys
import tempfile

import feed_contract
import feed_stage


def choose(sniffer):
    """{file name: text}"""
    chosen = {}
    best = {}  # the envelope with the most record types tells most
    for topic, payload, content_type in sniffer.seen:
        kind, message = feed_contract.validate(topic, payload, content_type)
        if message is None:
            continue
        if kind in feed_contract.ENVELOPES:
            text = feed_contract.inflate(payload) if content_type == feed_contract.DEFLATED else payload
            score = len({record["type"] for record in message["ev"]}) + 3 * all("t_ms" in r for r in message["ev"])
            if len(text) < 4000 and score > best.get(kind, 0):
                best[kind], chosen[kind] = score, text
            for record in message["ev"]:
                keep_record(chosen, record)
        elif kind in ("state", "hub"):
            # A birth that answers a hub and a hub that was there tell more than the first of each.
            if message["presence"] != "online" or message.get("hub_epoch"):
                chosen[f"{kind}-{message['presence']}"] = payload
        elif kind == "ack":
            timed = b'"t_ms"' in chosen.get(kind, b"")
            if kind not in chosen or (message["have"] and not timed) or ("t_ms" in message and (message["have"] or not timed)):
                chosen[kind] = payload
        elif kind not in chosen or message["state"] == "down":
            chosen[kind] = payload
    chosen.pop("hub-stopped", None)
    return chosen


def keep_record(chosen, record):
    """Prefers records with a time, and those that tell most."""
    name = f"records/{record['type']}"
    wanted = {"outage": ("phase", "close"), "line": ("state", "down"), "opened": ("prev", None), "clock": ("event", "synced"),
              "minute": ("cause", "isp"), "speedtest": ("validity", "valid"), "command": ("outcome", "done")}
    member, value = wanted.get(record["type"], (None, None))
    good = "t_ms" in record and (member is None or (record.get(member) is not None if value is None else record.get(member) == value))
    if name not in chosen or good:
        chosen[name] = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--into", type=pathlib.Path, default=feed_contract.EXAMPLES)
    into = parser.parse_args().into
    with tempfile.TemporaryDirectory(prefix="sp-examples-") as folder:
        sniffer = feed_stage.play(pathlib.Path(folder))
    for finding in sniffer.talk.findings:
        print(f"wrong: {finding}", file=sys.stderr)
    if sniffer.talk.findings:
        return 1
    chosen = choose(sniffer)
    (into / "records").mkdir(parents=True, exist_ok=True)
    for name, text in sorted(chosen.items()):
        (into / f"{name}.json").write_bytes(text.strip() + b"\n")
    missing = {f"records/{kind}" for kind in feed_contract.record_types()} - set(chosen)
    print(f"{len(chosen)} examples into {into}; not heard: {sorted(missing) or 'nothing'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
