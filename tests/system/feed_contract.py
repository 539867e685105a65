# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""The feed's contract, checked: one message (validate) or a whole conversation (Conversation).

The public schemas stay open: a listener ignores members that it does not know. What *we* emit must say nothing
that the contract does not name, so the strict mode closes every schema that describes a whole object, that is,
one that says "type": "object" and lists properties; mixins name no type and stay open.
"""
import functools
import hashlib
import json
import re
import threading
import zlib
from datetime import datetime
from pathlib import Path

import jsonschema

FEED = Path(__file__).resolve().parents[2] / "include" / "schoolpulse" / "feed"
SCHEMAS = FEED / "schemas"
EXAMPLES = FEED / "examples"
JSON = "application/json"
DEFLATED = "application/json+deflate"
PAYLOAD_MAX, INFLATED_MAX, RECORD_MAX = 64 * 1024, 512 * 1024, 16 * 1024
BASE = "file:///feed/"  # where the schemas live for each other; nothing is ever fetched
ENVELOPES = ("facts", "attendance", "bulk")


class ContractError(Exception):
    """One or more findings about one message."""

    def __init__(self, findings):
        self.findings = findings
        super().__init__("; ".join(findings))


# ---- schemas -------------------------------------------------------------------------------------


def schema_files():
    return sorted(SCHEMAS.rglob("*.json"))


def record_types():
    return sorted(path.stem for path in (SCHEMAS / "records").glob("*.json"))


def closed(node):
    if isinstance(node, list):
        return [closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    out = {key: closed(value) for key, value in node.items()}
    if out.get("type") == "object" and "properties" in out and "additionalProperties" not in out:
        out["unevaluatedProperties"] = False
    return out


def _no_remote(uri):
    raise LookupError(f"{uri} is not one of the feed's schemas")


@functools.lru_cache(maxsize=None)
def _store(strict):
    change = closed if strict else (lambda schema: schema)
    return {
        BASE + path.relative_to(SCHEMAS).as_posix(): change(json.loads(path.read_text(encoding="utf-8")))
        for path in schema_files()
    }


@functools.lru_cache(maxsize=None)
def validator(name, strict=True):
    """For a schema by its path below schemas/: "envelope.json", "records/outage.json"."""
    store = _store(strict)
    handlers = {scheme: _no_remote for scheme in ("file", "http", "https")}
    resolver = jsonschema.RefResolver(BASE + name, store[BASE + name], store=store, handlers=handlers)
    return jsonschema.Draft202012Validator(store[BASE + name], resolver=resolver)


def _words(error):
    best = jsonschema.exceptions.best_match([error]) or error
    where = "/".join(str(part) for part in best.absolute_path)
    return f"{where or 'message'}: {best.message}"[:400]


_one_at_a_time = threading.Lock()  # a resolver remembers where it is


def findings_of(name, value, strict=True):
    with _one_at_a_time:
        return [_words(error) for error in validator(name, strict).iter_errors(value)]


# ---- the vocabulary of the README --------------------------------------------------------------------


def readme_records():
    """{type: class} of the README's record table."""
    text = (FEED / "README.md").read_text(encoding="utf-8")
    table = text.split("\n## Records\n", 1)[1].split("\n## ", 1)[0]
    return dict(re.findall(r"^\| `([a-z_]+)` \| (facts|bulk|attendance|any) \|", table, re.MULTILINE))


# ---- topics ------------------------------------------------------------------------------------------

_TOPICS = [
    (re.compile(r"sp1/up/([a-z0-9-]{1,32})/([a-z0-9-]{1,32})/(state|facts|attendance|bulk)"), None),
    (re.compile(r"sp1/down/([a-z0-9-]{1,32})/([a-z0-9-]{1,32})/(ack|cmd)"), None),
    (re.compile(r"sp1/hub/([a-z0-9-]{1,32})/state"), "hub"),
    (re.compile(r"sp1/site/([^/+#]+)/([^/+#]+)/([^/+#]+)"), "site"),
]


def split_topic(topic):
    """(kind, device or None); ContractError for a topic that the contract does not know."""
    for pattern, kind in _TOPICS:
        match = pattern.fullmatch(topic)
        if match:
            return (kind, None) if kind else (match[3], match[2])
    raise ContractError([f"topic {topic!r} is not in the contract"])


RETAINED = {"state": True, "hub": True, "site": True, "facts": False, "attendance": False, "bulk": False, "ack": False,
            "cmd": False}


# ---- one message -------------------------------------------------------------------------------------


def inflate(payload):
    stream = zlib.decompressobj()
    try:
        text = stream.decompress(payload, INFLATED_MAX + 1)
    except zlib.error as error:
        raise ContractError([f"not zlib: {error}"]) from error
    if len(text) > INFLATED_MAX:
        raise ContractError([f"inflates to more than {INFLATED_MAX} bytes"])
    if not stream.eof or stream.unused_data:
        raise ContractError(["the zlib stream is cut off or something follows it"])
    return text


def _unique(pairs):
    names = [name for name, _ in pairs]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ContractError([f"members given twice: {sorted(twice)}"])
    return dict(pairs)


def _no_constant(word):
    raise ContractError([f"{word} is not JSON"])


def parse(text):
    try:
        return json.loads(text.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ContractError([f"not JSON: {error}"]) from error


def journalled_text(text):
    """The bytes of the "ev" array as they stand in the message: what the digest is about."""
    source = text.decode("utf-8")
    decoder = json.JSONDecoder()
    position = source.index("{") + 1
    while True:
        position = re.compile(r"[\s,]*").match(source, position).end()
        key, position = decoder.raw_decode(source, position)
        start = re.compile(r"\s*:\s*").match(source, position).end()
        _, position = decoder.raw_decode(source, start)
        if key == "ev":
            return source[start:position].encode("utf-8")


def _record_findings(record, cls, classes):
    out = []
    kind = record["type"]
    where = f"ev seq {record['seq']} ({kind})"
    if kind not in classes:
        return [f"{where}: not a record type of the contract"]
    if classes[kind] not in ("any", cls):
        out.append(f"{where}: belongs to {classes[kind]}, not {cls}")
    if (kind == "opened") != (record["seq"] == 1):
        out.append(f"{where}: the first record of a stream, and no other, is opened")
    if kind == "opened" and record["class"] != cls:
        out.append(f"{where}: opens {record['class']} in {cls}")
    if kind == "dropped" and record.get("from", 0) > record.get("to", 0):
        out.append(f"{where}: from {record['from']} is beyond to {record['to']}")
    if kind == "samples":
        for name, targets in record["metrics"].items():
            for target, numbers in targets.items():
                if len(numbers) == 4 and not numbers[1] <= numbers[2] <= numbers[3]:
                    out.append(f"{where}: {name}[{target!r}] is not min ≤ mean ≤ max: {numbers}")
    if len(json.dumps(record, ensure_ascii=False).encode()) > RECORD_MAX:
        out.append(f"{where}: longer than {RECORD_MAX} bytes")
    return out


def _envelope_findings(message, text, cls, device):
    out = []
    if message["class"] != cls:
        out.append(f"class {message['class']} on the topic of {cls}")
    if device is not None and message["dev"] != device:
        out.append(f"dev {message['dev']} on the topic of {device}")
    seqs = [record["seq"] for record in message["ev"]]
    if any(b != a + 1 for a, b in zip(seqs, seqs[1:])):
        out.append(f"seqs do not rise by one: {seqs[:20]}")
    digest = hashlib.sha256(journalled_text(text)).hexdigest()[:32]
    if digest != message["digest"]:
        out.append(f"digest {message['digest']} is not that of ev, {digest}")
    classes = readme_records()
    for record in message["ev"]:
        out += _record_findings(record, cls, classes)
    return out


def _state_findings(message, device):
    out = []
    if device is not None and message["dev"] != device:
        out.append(f"dev {message['dev']} on the topic of {device}")
    if message["presence"] == "lost" and set(message) != {"v", "dev", "session", "presence"}:
        out.append("a will holds v, dev, session and presence alone")
    held = message.get("held", [])
    for entry in held:
        if entry["oldest"] > entry["newest"]:
            out.append(f"held {entry['stream']}: oldest {entry['oldest']} is beyond newest {entry['newest']}")
    if len({entry["stream"] for entry in held}) != len(held):
        out.append("held names a stream twice")
    return out


def _ack_findings(message):
    out = []
    beyond = message["upto"]
    for low, high in message["have"]:
        if not beyond < low <= high:
            out.append(f"have [{low}, {high}] is not ascending, disjoint and beyond {beyond}")
        beyond = high
    return out


def _command_findings(message, device):
    body = parse(message["body"].encode())
    if set(body) != {"id", "shard", "dev", "command", "args", "issued_ms", "expires_ms"}:
        return [f"the body has the members {sorted(body)}"]
    out = []
    if device is not None and body["dev"] != device:
        out.append(f"a command for {body['dev']} on the topic of {device}")
    if not body["issued_ms"] < body["expires_ms"]:
        out.append("it expires before it is issued")
    return out


def _site_findings(message):
    out = []
    for name in ("since", "last_heard"):
        text, number = message[name], message[name + "_ms"]
        if (text is None) != (number is None):
            out.append(f"{name} and {name}_ms disagree")
        elif text is not None:
            moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
            if int(moment.timestamp()) != number // 1000:
                out.append(f"{name} {text} is not {number} ms")
    return out


SCHEMA_OF = {"state": "state.json", "ack": "ack.json", "cmd": "command.json", "hub": "hub.json", "site": "site.json"}


def check_text(kind, text, device=None, strict=True):
    """The inflated text of a message of a kind; returns the parsed message or raises ContractError."""
    message = parse(text)
    findings = findings_of(SCHEMA_OF.get(kind, "envelope.json"), message, strict)
    if findings:
        raise ContractError(findings)
    if kind in ENVELOPES:
        findings = _envelope_findings(message, text, kind, device)
    elif kind == "state":
        findings = _state_findings(message, device)
    elif kind == "ack":
        findings = _ack_findings(message)
    elif kind == "cmd":
        findings = _command_findings(message, device)
    elif kind == "site":
        findings = _site_findings(message)
    if findings:
        raise ContractError(findings)
    return message


def validate(topic, payload, content_type, strict=True):
    """(kind, message) of what stood on the wire; ContractError with every finding otherwise."""
    kind, device = split_topic(topic)
    if kind == "site" and not payload:
        return kind, None  # a line that left the register: its retained message is cleared
    if len(payload) > PAYLOAD_MAX:
        raise ContractError([f"{len(payload)} bytes on the wire, more than {PAYLOAD_MAX}"])
    if content_type == DEFLATED and kind in ENVELOPES:
        text = inflate(payload)
    elif content_type == JSON:
        text = payload
    else:
        raise ContractError([f"content type {content_type!r} on {topic}"])
    return kind, check_text(kind, text, device, strict)


# ---- a conversation ----------------------------------------------------------------------------------


class Conversation:
    """What must hold between messages. Feed it everything; it keeps the findings.

    honest=False: somebody on this broker plays tricks on purpose (a cloned card); identities may collide.
    """

    def __init__(self, honest=True):
        self.honest = honest
        self.findings = []
        self.kinds = {}  # (kind, record type or presence) → how often
        self.messages = 0
        self._digests = {}  # (dev, stream, first seq) → (digest, last seq)
        self._acks = {}  # (device, epoch) → n

    def observe(self, topic, payload, content_type, qos=1, retain=None):
        self.messages += 1
        try:
            kind, message = validate(topic, payload, content_type)
            found = self._between(topic, kind, message, qos, retain)
        except ContractError as error:
            found = error.findings
            message = None
        self.findings += [f"{topic}: {finding}" for finding in found]
        return message

    def _count(self, kind, word):
        self.kinds[kind, word] = self.kinds.get((kind, word), 0) + 1

    def _between(self, topic, kind, message, qos, retain):
        out = []
        if message is None:
            self._count(kind, "cleared")
            return out
        if qos != 1:
            out.append(f"QoS {qos}")
        if retain is not None and retain != RETAINED[kind]:
            out.append(f"retain is {retain}")
        if kind in ENVELOPES:
            for record in message["ev"]:
                self._count(kind, record["type"])
            out += self._batch(message)
        elif kind == "ack":
            self._count(kind, "")
            key = (topic, message["hub_epoch"])
            if message["n"] <= self._acks.get(key, 0):
                out.append(f"n {message['n']} does not rise, {self._acks[key]} was said before")
            self._acks[key] = message["n"]
        elif kind == "cmd":
            self._count(kind, "")
        else:
            self._count(kind, message.get("presence", "") if kind != "site" else message["state"])
        return out

    def _batch(self, message):
        key = (message["dev"], message["stream"], message["ev"][0]["seq"])
        value = (message["digest"], message["ev"][-1]["seq"])
        before = self._digests.setdefault(key, value)
        if self.honest and before != value:
            return [f"{key} was sent with digest {before[0]} up to {before[1]}, now {value[0]} up to {value[1]}"]
        return []
