# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""The contract itself: schemas, examples, README and AsyncAPI document agree, and wrong messages are refused."""
import copy
import hashlib
import json
import os
import re
import shutil
import subprocess
import zlib
from pathlib import Path

import jsonschema
import pytest
import yaml

import feed_contract as feed
import feed_sniffer
import support

ROOT = Path(__file__).resolve().parents[2]
MESSAGES = {
    "state-online": "state", "state-stopped": "state", "state-lost": "state",
    "facts": "facts", "attendance": "attendance", "bulk": "bulk",
    "ack": "ack", "cmd": "cmd", "hub-online": "hub", "hub-lost": "hub", "site": "site",
}


def text_of(example):
    return (feed.EXAMPLES / f"{example}.json").read_bytes()


def load(example):
    return json.loads(text_of(example))


def dump(message):
    """An envelope gets the digest that its ev now has, so that only the mutation is wrong."""
    if "ev" in message:
        batch = json.dumps(message["ev"], ensure_ascii=False)
        message = {**message, "digest": hashlib.sha256(batch.encode()).hexdigest()[:32]}
    return json.dumps(message, ensure_ascii=False).encode()


def first(envelope, kind):
    return next(record for record in envelope["ev"] if record["type"] == kind)


# ---- agreement ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", feed.schema_files(), ids=lambda path: path.relative_to(feed.SCHEMAS).as_posix())
def test_schema_is_a_schema(path):
    schema = json.loads(path.read_text(encoding="utf-8"))
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator.check_schema(feed.closed(schema))


def test_record_types_agree_everywhere():
    readme = set(feed.readme_records())
    document = yaml.safe_load((feed.FEED / "asyncapi.yaml").read_text(encoding="utf-8"))
    record = json.loads((feed.SCHEMAS / "record.json").read_text(encoding="utf-8"))
    switched = {
        branch["if"]["properties"]["type"]["const"]: branch["then"]["$ref"]
        for branch in record["allOf"] if "if" in branch
    }
    assert len(readme) >= 13
    assert readme == set(feed.record_types())
    assert readme == set(document["components"]["schemas"])
    assert switched == {kind: f"records/{kind}.json" for kind in readme}
    assert readme == {path.stem for path in (feed.EXAMPLES / "records").glob("*.json")}
    for kind in readme:
        schema = json.loads((feed.SCHEMAS / "records" / f"{kind}.json").read_text(encoding="utf-8"))
        assert schema["properties"]["type"] == {"const": kind}


def test_words_of_the_readme_are_the_schemas():
    readme = (feed.FEED / "README.md").read_text(encoding="utf-8")
    common = json.loads((feed.SCHEMAS / "common.json").read_text(encoding="utf-8"))["$defs"]
    paragraph = re.search(r"Whose: (.*?)\n\n", readme, re.DOTALL)[1]
    whose, causes = paragraph.split("Causes:")
    causes = re.sub(r"\([^)]*\)", "", causes)
    assert re.findall(r"`([a-z0-9_]+)`", whose) == common["whose"]["enum"]
    assert re.findall(r"`([a-z0-9_]+)`", causes) == common["cause"]["enum"]


def test_topics_agree():
    readme = (feed.FEED / "README.md").read_text(encoding="utf-8")
    table = readme.split("## Topics", 1)[1].split("\n\n", 2)[1]
    rows = dict(re.findall(r"^\| `(sp1/[^`]+)` \| \w+ \| (yes|no) \|", table, re.MULTILINE))
    document = yaml.safe_load((feed.FEED / "asyncapi.yaml").read_text(encoding="utf-8"))
    retained = {}
    for operation in document["operations"].values():
        channel = operation["channel"]["$ref"].rsplit("/", 1)[1]
        binding = operation["bindings"]["$ref"].rsplit("/", 1)[1]
        address = document["channels"][channel]["address"].replace("{", "<").replace("}", ">")
        retained[address] = "yes" if document["components"]["operationBindings"][binding]["mqtt"]["retain"] else "no"
    assert rows == retained
    for address, word in rows.items():
        kind, _ = feed.split_topic(re.sub(r"<(\w+)>", r"\1", address))
        assert feed.RETAINED[kind] == (word == "yes")


def test_asyncapi_document_by_the_independent_validator():
    installed = Path(os.environ.get("SP_ASYNCAPI", ROOT / "build" / "asyncapi"))
    if not (installed / "node_modules" / "@asyncapi" / "parser").is_dir():
        pytest.fail(f"no AsyncAPI validator in {installed}: run tools/deps --for test")
    run = subprocess.run(
        ["node", Path(__file__).parent / "asyncapi" / "validate.mjs", installed, feed.FEED / "asyncapi.yaml"],
        capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert f"8 channels, 8 operations, {len(MESSAGES)} examples, 0 errors" in run.stdout


@pytest.mark.parametrize("member, wrong, said", [
    ("address: sp1/hub/", "adress: sp1/hub/", "adress"),
    ("./schemas/ack.json", "./schemas/site.json", "must have required property"),
    ("action: receive", "action: listen", "action"),
])
def test_the_independent_validator_refuses(tmp_path, member, wrong, said):
    installed = Path(os.environ.get("SP_ASYNCAPI", ROOT / "build" / "asyncapi"))
    shutil.copytree(feed.FEED, tmp_path / "feed")
    document = tmp_path / "feed" / "asyncapi.yaml"
    text = document.read_text(encoding="utf-8")
    assert member in text
    document.write_text(text.replace(member, wrong, 1), encoding="utf-8")
    run = subprocess.run(["node", Path(__file__).parent / "asyncapi" / "validate.mjs", installed, document],
                         capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 1, run.stdout + run.stderr
    assert said in run.stdout


def test_lock_file_names_no_registry():
    lock = (Path(__file__).parent / "asyncapi" / "package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in lock


# ---- examples ----------------------------------------------------------------------------------------


def test_every_example_is_known():
    assert {path.stem for path in feed.EXAMPLES.glob("*.json")} == set(MESSAGES)


@pytest.mark.parametrize("example", MESSAGES)
def test_example(example):
    text = text_of(example)
    assert feed.check_text(MESSAGES[example], text) == json.loads(text)
    assert feed.check_text(MESSAGES[example], text, strict=False)


@pytest.mark.parametrize("kind", feed.record_types())
def test_record_example(kind):
    record = json.loads((feed.EXAMPLES / "records" / f"{kind}.json").read_text(encoding="utf-8"))
    assert record["type"] == kind
    assert feed.findings_of(f"records/{kind}.json", record) == []
    assert feed.findings_of("record.json", record) == []


def test_on_the_wire():
    dev = load("bulk")["dev"]
    topic = f"sp1/up/s1/{dev}/bulk"
    text = text_of("bulk")
    assert feed.validate(topic, zlib.compress(text), feed.DEFLATED)[0] == "bulk"
    assert feed.validate(topic, text, feed.JSON)[0] == "bulk"
    for payload, content_type, said in [
        (text, feed.DEFLATED, "not zlib"),
        (zlib.compress(text)[:-9], feed.DEFLATED, "cut off"),
        (zlib.compress(text) + b"x", feed.DEFLATED, "follows"),
        (zlib.compress(b" " * (feed.INFLATED_MAX + 1)), feed.DEFLATED, "inflates"),
        (text, "", "content type"),
        (text + b" " * feed.PAYLOAD_MAX, feed.JSON, "on the wire"),
        (text.replace(dev.encode(), b"somebody-else"), feed.JSON, "on the topic of"),
        (text.replace(b'"v":1', b'"v":1,"v":1'), feed.JSON, "twice"),
        (b"\xff" + text, feed.JSON, "not JSON"),
    ]:
        with pytest.raises(feed.ContractError, match=said):
            feed.validate(topic, payload, content_type)
    with pytest.raises(feed.ContractError, match="on the topic of facts"):
        feed.validate(f"sp1/up/s1/{dev}/facts", text, feed.JSON)
    with pytest.raises(feed.ContractError, match="not in the contract"):
        feed.validate(f"sp1/up/s1/{dev}/other", text, feed.JSON)


# ---- mutations ---------------------------------------------------------------------------------------


def required_members(schema):
    found = list(schema.get("required", []))
    for part in schema.get("allOf", []):
        found += json.loads((feed.SCHEMAS / "common.json").read_text())["$defs"][part["$ref"].rsplit("/", 1)[1]]["required"]
    return found


@pytest.mark.parametrize("example", MESSAGES)
def test_missing_members_of_messages(example):
    kind = MESSAGES[example]
    schema = json.loads((feed.SCHEMAS / feed.SCHEMA_OF.get(kind, "envelope.json")).read_text(encoding="utf-8"))
    members = required_members(schema)
    assert len(members) >= 3
    for member in members:
        message = load(example)
        del message[member]
        with pytest.raises(feed.ContractError, match=member):
            feed.check_text(kind, json.dumps(message).encode(), strict=False)


@pytest.mark.parametrize("kind", feed.record_types())
def test_record_mutations(kind):
    name = f"records/{kind}.json"
    record = json.loads((feed.EXAMPLES / "records" / f"{kind}.json").read_text(encoding="utf-8"))
    schema = json.loads((feed.SCHEMAS / name).read_text(encoding="utf-8"))
    for member in required_members(schema):
        assert feed.findings_of(name, {k: v for k, v in record.items() if k != member}, strict=False), member
    for member in record:
        assert feed.findings_of(name, {**record, member: {"wrong": {"type": 1}}}, strict=False), member
    extra = {**record, "surprise": 1}
    assert feed.findings_of(name, extra, strict=False) == [], "a listener ignores what it does not know"
    assert feed.findings_of(name, extra), "we emit only what the contract names"


def _add(path, member="surprise"):
    def change(message):
        for step in path:
            message = message[step]
        message[member] = 1
    return change


@pytest.mark.parametrize("example, path", [
    ("facts", []), ("facts", ["clk"]), ("facts", ["ev", 0]), ("bulk", ["ev", -1]), ("state-online", []),
    ("state-online", ["held", 0]), ("ack", []), ("hub-online", []), ("site", []),
])
def test_strict_mode_closes_everything(example, path):
    message = load(example)
    _add(path)(message)
    assert feed.check_text(MESSAGES[example], dump(message), strict=False)
    with pytest.raises(feed.ContractError, match="surprise"):
        feed.check_text(MESSAGES[example], dump(message))


def _set(*path):
    *steps, last, value = path

    def change(message):
        for step in steps:
            message = first(message, step) if isinstance(step, str) and "ev" in message and step not in message \
                else message[step]
        message[last] = value
    return change


def _record(message, kind, **members):
    """Puts a record of this kind there, whatever the captured example holds."""
    record = json.loads((feed.EXAMPLES / "records" / f"{kind}.json").read_text(encoding="utf-8"))
    message["ev"] = [{**record, "seq": 7, **members}]


def _outage(message, **members):
    _record(message, "outage", **members)


WRONG = {
    "unknown version": ("facts", _set("v", 2), "1 was expected"),
    "version as text": ("ack", _set("v", "1"), "1 was expected"),
    "unknown cause": ("facts", lambda m: _outage(m, cause="ghosts"), "ghosts"),
    "unknown whose": ("facts", lambda m: _outage(m, whose="him"), "him"),
    "unknown phase": ("facts", lambda m: _outage(m, phase="reopened"), "reopened"),
    "closed without an end": ("facts", lambda m: _outage(m, phase="close", end_mono_us=None), "end_mono_us|None"),
    "a loss without a range": ("facts", lambda m: m.update(ev=[
        {"seq": 7, "type": "dropped", "mono_us": 1, "class": "bulk", "reason": "cap"}]), "stream"),
    "a loss of memory with a range": ("facts", lambda m: m.update(ev=[
        {"seq": 7, "type": "dropped", "mono_us": 1, "class": "bulk", "reason": "memory", "count": 3, "from": 1}]), "from"),
    "a loss upside down": ("facts", lambda m: m.update(ev=[
        {"seq": 7, "type": "dropped", "mono_us": 1, "class": "bulk", "stream": m["stream"], "reason": "cap", "from": 9,
         "to": 8}]), "beyond to"),
    "evidence of an unknown rung": ("facts", lambda m: _outage(
        m, evidence=[{"rung": "moon", "family": "any", "status": "ok"}]), "moon"),
    "seq stands still": ("facts", lambda m: m["ev"].append(copy.deepcopy(m["ev"][-1])), "do not rise"),
    "seq jumps": ("facts", lambda m: m["ev"][-1].update(seq=m["ev"][-1]["seq"] + 1), "do not rise"),
    "seq falls": ("facts", lambda m: m["ev"].reverse(), "do not rise|first record"),
    "seq 0": ("facts", lambda m: m["ev"][0].update(seq=0), "minimum|expected"),
    "seq is text": ("facts", lambda m: m["ev"][0].update(seq="1"), "expected|type"),
    "no records": ("facts", _set("ev", []), "non-empty|short"),
    "opened in the middle": ("facts", lambda m: m["ev"][-1].update(type="opened", prev=None, **{"class": "facts"}),
                             "first record|expected|unevaluated|Unevaluated"),
    "unknown record type": ("facts", lambda m: m["ev"][-1].update(type="gossip"), "not a record type"),
    "wrong class": ("bulk", _set("class", "facts"), "on the topic of"),
    "record of another class": ("bulk", lambda m: m["ev"].__setitem__(
        -1, {"seq": m["ev"][-1]["seq"], "type": "stop", "mono_us": 1, "reason": "signal"}), "belongs to facts"),
    "synchronised without time": ("facts", lambda m: m.update(
        clk={"boot": m["boot"], "mono_us": 1, "synced": True}), "t_ms"),
    "unsynchronised with time": ("facts", lambda m: m.update(
        clk={"boot": m["boot"], "mono_us": 1, "synced": False, "t_ms": 1, "err_ms": 1}), "t_ms|err_ms"),
    "time without its error": ("facts", lambda m: [m["ev"][0].pop("err_ms", None), m["ev"][0].update(t_ms=1)],
                               "err_ms"),
    "stream in capitals": ("facts", _set("stream", "A" * 26), "does not match"),
    "gauge out of order": ("bulk", lambda m: m["ev"][-1].update(metrics={"rtt_seconds": {"": [3, 2, 1, 3]}}),
                           "min ≤ mean"),
    "gauge of three": ("bulk", lambda m: m["ev"][-1].update(metrics={"rtt_seconds": {"": [3, 2, 1]}}), ""),
    "a minute in no known state": ("bulk", lambda m: _record(m, "minute", state_seconds={"asleep": 2.0}), "not valid under any"),
    "a minute with another state": ("bulk", lambda m: _record(
        m, "minute", state_seconds={"up": 1.0, "asleep": 1.0}), "asleep"),
    "a minute that lost all and more": ("bulk", lambda m: _record(m, "minute", loss_ratio={"domestic": [9, 1.5]}), "maximum"),
    "a round trip before it began": ("bulk", lambda m: _record(
        m, "minute", rtt_seconds={"domestic": [1, -1, -1, -1]}), "minimum"),
    "a budget spent without tests": ("facts", lambda m: _record(
        m, "budget", spent={"probes": 1, "telemetry": 1}), "tests"),
    "a budget spent on something else": ("facts", lambda m: _record(
        m, "budget", spent={"probes": 1, "telemetry": 1, "tests": 1, "cats": 1}), "cats"),
    "a month without its year": ("facts", lambda m: _record(m, "budget", month="11"), "does not match"),
    "a door of no family": ("facts", lambda m: _record(m, "egress", family="any"), "any"),
    "a hop beyond all hops": ("facts", lambda m: _record(m, "egress", position=33), "maximum"),
    "unknown presence": ("state-online", _set("presence", "asleep"), "asleep"),
    "birth without held": ("state-online", lambda m: m.pop("held"), "held"),
    "held upside down": ("state-online", lambda m: m["held"][0].update(oldest=9, newest=8), "beyond newest"),
    "will with a boot": ("state-lost", _set("boot", "3f0c9a52-6d41-4b7e-9a2c-1e5d8b7f4c60"), "alone"),
    "have below upto": ("ack", lambda m: m.update(upto=9, have=[[9, 10]]), "beyond 9"),
    "have backwards": ("ack", lambda m: m.update(upto=1, have=[[9, 8]]), "beyond 1"),
    "have overlaps": ("ack", lambda m: m.update(upto=1, have=[[3, 8], [8, 9]]), "beyond 8"),
    "n is 0": ("ack", _set("n", 0), "minimum"),
    "hub without window": ("hub-online", lambda m: m.pop("reconnect_window_seconds"), "reconnect_window"),
    "site's times disagree": ("site", lambda m: m.update(since="2026-01-01T00:00:00+07:00", since_ms=1), "is not"),
    "site's time without offset": ("site", _set("since", "2026-01-01T00:00:00"), "match"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_message(case):
    example, change, said = WRONG[case]
    message = load(example)
    change(message)
    with pytest.raises(feed.ContractError, match=said):
        feed.check_text(MESSAGES[example], dump(message))


def test_wrong_digest():
    message = load("facts")
    message["digest"] = "0" * 32
    with pytest.raises(feed.ContractError, match="digest"):
        feed.check_text("facts", json.dumps(message).encode())


# ---- conversations -----------------------------------------------------------------------------------


def test_conversation():
    facts = text_of("facts")
    topic = f"sp1/up/s1/{load('facts')['dev']}/facts"
    talk = feed.Conversation()
    talk.observe(topic, facts, feed.JSON, retain=False)
    talk.observe(topic, facts, feed.JSON, retain=False)
    assert talk.findings == [] and talk.messages == 2

    other = load("facts")
    other["ev"][0]["mono_us"] += 1
    talk.observe(topic, dump(other), feed.JSON, retain=False)
    assert len(talk.findings) == 1 and "was sent with digest" in talk.findings[0]

    talk = feed.Conversation()
    talk.observe(topic, facts, feed.JSON, qos=0, retain=True)
    assert len(talk.findings) == 2

    talk = feed.Conversation()
    ack = load("ack")
    for number in (5, 6, 6):
        talk.observe("sp1/down/s1/d1/ack", dump({**ack, "n": number}), feed.JSON)
    assert len(talk.findings) == 1 and "does not rise" in talk.findings[0]

    talk = feed.Conversation()
    talk.observe("sp1/site/79000501/chinh/main", b"", "", retain=False)
    assert talk.findings == [] and talk.kinds == {("site", "cleared"): 1}


def test_sniffer_on_a_real_broker(broker):
    dev = load("facts")["dev"]

    def publish(topic, example, content_type, *options):
        payload = text_of(example)
        if content_type == feed.DEFLATED:
            payload = zlib.compress(payload)
        subprocess.run(["mosquitto_pub", "-p", str(broker.port), "-V", "mqttv5", "-q", "1", "-t", topic, "-s",
                        "-D", "publish", "content-type", content_type, *options], input=payload, check=True)

    with feed_sniffer.Sniffer(broker.port) as sniffer:
        publish(f"sp1/up/s1/{dev}/facts", "facts", feed.JSON)
        publish(f"sp1/up/s1/{dev}/bulk", "bulk", feed.DEFLATED)
        publish("sp1/hub/s1/state", "hub-online", feed.JSON, "-r")
        support.wait_until(lambda: len(sniffer.seen) == 3, "three messages")
        assert sniffer.talk.findings == []
        assert [payload for _, payload, _ in sniffer.seen] == \
            [text_of("facts"), zlib.compress(text_of("bulk")), text_of("hub-online")]
        publish("sp1/hub/s1/state", "hub-online", feed.JSON)
        publish(f"sp1/up/s1/{dev}/facts", "bulk", feed.JSON)
        publish("sp1/elsewhere", "site", feed.JSON)
        support.wait_until(lambda: len(sniffer.seen) == 6, "three more")
    said = "\n".join(sniffer.talk.findings)
    for words in ("retain is False", "class bulk on the topic of facts", "sp1/elsewhere' is not in the contract"):
        assert words in said
