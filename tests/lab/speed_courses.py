# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""What happens in the scenarios of speed tests. What is right of a test is said by its records, which must reach the hub
as the agent told them."""
import contextlib
import signal

import faults
import speed

CAP_MB = 1500
UNDISTURBED = ("valid", "device_limited")  # the lab's processor is everybody's
TEST_S = 60


def _device(lab, name):
    status = lab.programs.ask("status") or {}
    return next((device for device in status.get("devices", ()) if device["name"] == name), {})


def _check_hub(lab, records):
    """Each record of a test is a fact at the hub, and no other."""
    if not records:
        return
    test = next(iter(records.values()))["test"]

    def arrived():
        return len(speed.at_hub(lab, test)) >= len(records)
    with contextlib.suppress(TimeoutError):
        lab.wait(arrived, "the records to be at the hub", 30)
    told = {direction: (record["validity"], record.get("reason") or "") for direction, record in records.items()}
    stored = {data["direction"]: (data["validity"], data.get("reason") or "") for data in speed.at_hub(lab, test)}
    lab.expect(told == stored, f"the agent told {told}, the hub has {stored}")


def _expect(lab, what, records, validity, reason=None, directions=("down", "up")):
    """`validity`: words that are right."""
    for direction in directions:
        record = records.get(direction, {})
        good = record.get("validity") in validity and (reason is None or record.get("reason") in reason)
        lab.expect(good, f"{what}: {direction} is {record.get('validity')} {record.get('reason')}, not {'/'.join(validity)} "
                         f"{reason or ''}")
    _check_hub(lab, records)


def _deferred(lab, rate):
    """Somebody downloads: the test waits, and is done when it is quiet again."""
    with contextlib.ExitStack() as stack:
        with lab.unnoticed("download", speed.download(lab, rate)):
            lab.hold(6)
            asked = stack.enter_context(speed.Asked(lab))

            def decided():
                test = speed.view(lab)
                return asked.over() or test.get("phase") or test.get("deferrals")
            lab.wait(decided, "the agent to see the download", 30)
            lab.hold(3)
            lab.expect(not speed.view(lab).get("phase"), f"a test runs while others download at {rate} byte/s")
        records = asked.wait(TEST_S)
    _expect(lab, "after the download", records, UNDISTURBED)
    for record in records.values():
        lab.expect(record["deferrals"] > 0, "the record does not tell that the test was deferred")


def _given_up(lab, rate):
    """The download never ends."""
    with lab.unnoticed("endless download", speed.download(lab, rate)):
        lab.hold(6)
        with speed.Asked(lab) as asked:
            records = asked.wait(TEST_S)
    _expect(lab, "on a busy line", records, ("skipped",), ("busy",))


def _contended(lab, rate, source):
    """The download begins when the test has begun."""
    lab.hold(6)
    with speed.Asked(lab) as asked:
        lab.wait(lambda: speed.loads(lab) or asked.over(), "the test to load the line", TEST_S)
        lab.hold(lab.random.uniform(0, 1))
        with lab.unnoticed("download in the test", speed.download(lab, rate)):
            records = asked.wait(TEST_S)
    # It began while one direction was loaded: that one or, at its very end, the next.
    labels = {direction: record.get("validity") for direction, record in records.items()}
    lab.expect("contended" in labels.values() and labels.get("up") == "contended", f"with a download beside it the test is {labels}")
    for record in records.values():
        seen = (record.get("cross_traffic") or {}).get("source")
        lab.expect(seen == source, f"cross-traffic was seen by {seen}, not by {source}")
    _check_hub(lab, records)


SOURCES = {speed.counting_router: ("gateway", "router's"), speed.mirror_port: ("capture", "mirror")}


def busy(source):
    """In every trial: deferred, given up, or labelled."""
    word, device = SOURCES[source]

    def run(lab, scenario):
        with speed.anchor(lab), source(lab):
            lab.wait(lambda: _device(lab, device).get("state") == "up", f"the source {device} to be up", 90)
            lab.hold(10)
            for trial in range(scenario.trials):
                rate = int(10 ** lab.random.uniform(4.8, 6))  # 63 kB/s to 1 MB/s
                lab.say(f"trial {trial + 1}: {rate} byte/s")
                _deferred(lab, rate)
                _given_up(lab, rate)
                # Less than 2 % of what we move ourselves is not told from a router's other way of counting frames.
                _contended(lab, max(rate, 500000), word)
        lab.extra["trials"] = scenario.trials
    return run


def busy_short(lab, scenario):
    """One test that is deferred by a download and, once it has begun, disturbed by another."""
    with speed.anchor(lab), speed.counting_router(lab), contextlib.ExitStack() as stack:
        lab.wait(lambda: _device(lab, "router's").get("state") == "up", "the router's counters", 90)
        with lab.unnoticed("download", speed.download(lab, int(10 ** lab.random.uniform(4.8, 6)))):
            lab.hold(5)
            asked = stack.enter_context(speed.Asked(lab))
            lab.wait(lambda: asked.over() or speed.loads(lab) or speed.view(lab).get("deferrals"), "a deferral", 30)
            lab.expect(not speed.loads(lab) and not asked.over(), "the test was not deferred")
        lab.wait(lambda: speed.loads(lab) or asked.over(), "the test to load the line", TEST_S)
        with lab.unnoticed("download in the test", speed.download(lab, 500000)):
            records = asked.wait(TEST_S)
    up = records.get("up", {})
    lab.expect(up.get("validity") == "contended" and up.get("deferrals", 0) > 0, f"deferred and disturbed, up is {up}")
    _check_hub(lab, records)


def self_loaded(lab, scenario):
    """A test that fills the line is no outage, and its time is marked."""
    with speed.anchor(lab):
        for _ in range(scenario.trials):
            began = lab.now()
            with speed.Asked(lab) as asked:
                records = asked.wait(TEST_S)
            _expect(lab, "alone on the line", records, UNDISTURBED)
            for direction, mbps in (("down", 80), ("up", 40)):
                bps = records.get(direction, {}).get("goodput_bps") or 0
                lab.expect(0.9 * mbps < bps / 1e6 < mbps, f"{direction}: {bps / 1e6:.1f} Mbit/s of {mbps}")
            lab.hold(5)
            lab.wait_fact("line", lambda fact: fact.at > began and fact.data["self_loaded"], 10)
            lab.wait_fact("line", lambda fact: fact.at > began and not fact.data["self_loaded"], 10)
    lab.hold(5)


def cut(lab, scenario):
    """The line dies in the middle of a test: no valid figure, and the outage is found when the test is over."""
    with speed.anchor(lab), speed.Asked(lab) as asked:
        lab.wait(lambda: speed.loads(lab) or asked.over(), "the test to load the line", TEST_S)
        lab.hold(lab.random.uniform(2, 4))
        with lab.break_("access", faults.access(lab)):
            records = asked.wait(TEST_S)
            lab.wait_cause(scenario.cause, scenario.detect_limit_s)
        lab.wait_up(scenario.detect_limit_s)
    _expect(lab, "on the cut line", records, ("partial", "failed", "skipped"),
            ("stalled", "line_down", "timeout", "closed", "no_route", "short", "refused"))


def budget(lab, scenario):
    """The agent is killed within tests again and again, and comes back: what the port carried stays below the cap."""
    cap = CAP_MB << 20
    agent = lab.programs.agent
    before = speed.ip_bytes(lab)
    killed = 0
    with speed.anchor(lab):
        while killed < scenario.trials:
            with speed.Asked(lab) as asked:
                lab.wait(lambda: speed.loads(lab) or asked.over(), "the test to load the line or to be refused", TEST_S)
                if asked.over():
                    break
                lab.hold(lab.random.uniform(0.5, 3))
                agent.end(signal.SIGKILL)
                killed += 1
            lab.hold(1)
            agent.start()
            lab.wait(lambda: (lab.programs.line() or {}).get("state") == "up", "the line to be up again", 60)
        # What a killed test had set aside is gone; in the end no test begins any more.
        records = {}
        for _ in range(8):
            with speed.Asked(lab) as asked:
                records = asked.wait(TEST_S)
            if {record.get("reason") for record in records.values()} == {"budget"}:
                break
        _expect(lab, "with a used budget", records, ("skipped",), ("budget",))
        sent = speed.ip_bytes(lab) - before
        still = speed.ip_bytes(lab)
        with speed.Asked(lab) as asked:
            asked.wait(TEST_S)
        lab.expect(speed.ip_bytes(lab) - still < 1 << 20, "a test that the budget forbids moved bytes")
    lab.say(f"killed {killed} times; {sent} of {cap} bytes moved")
    lab.extra.update(killed=killed, moved=sent, cap=cap)
    lab.expect(killed > 1, f"the agent was killed {killed} times only")
    lab.expect(sent <= cap, f"{sent} bytes were moved, the cap is {cap}")
