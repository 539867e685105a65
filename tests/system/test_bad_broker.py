# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""Brokers that refuse, lie, flood or never answer: the agent says so, keeps measuring, keeps its watchdog
fed, and hands everything over once a real broker and a hub stand there. The hub survives them, too."""
import random

import pytest

import board
import fakes
import mqtt5
import support

# What the status must say of each, as far as one can know.
MANNERS = {"refuse": "(?i)not authori[sz]ed|refused|0x87", "silent": "", "hang_up": "", "garbage": "", "liar": None,
           "deaf": None, "flood": None, "denies": None, "malformed": ""}


@pytest.fixture
def manager(run_dir):
    manager = fakes.ServiceManager(run_dir)
    yield manager
    manager.close()


@pytest.mark.parametrize("manner", MANNERS)
def test_a_bad_broker_costs_nothing_but_time(run_dir, manager, manner):
    bad = fakes.Broker(manner)
    agent = board.Agent(run_dir, bad.port, manager=manager)
    hub = broker = None
    try:
        agent.start()
        support.wait_until(lambda: bad.connections, "an attempt to connect")
        support.wait_until(lambda: len(agent.numbers()) > 20, "measuring to go on")
        if MANNERS[manner] is not None:
            status = agent.wait_for(lambda status: not status["publisher"]["connected"] and status["publisher"]["reason"] and status,
                                    "a reason")
            if MANNERS[manner]:
                import re
                assert re.search(MANNERS[manner], status["publisher"]["reason"])
        if manner == "flood":
            support.wait_until(lambda: bad.flooded > 5000, "the flood")
        if manner in ("liar", "deaf", "denies"):
            support.wait_until(lambda: bad.publishes > 20, "publishes into the void")
        fed = manager.count("WATCHDOG=1")
        support.wait_until(lambda: manager.count("WATCHDOG=1") >= fed + 5, "the watchdog to be fed on")
        # PUBACK is not storage: nothing may be forgotten.
        agent.wait_for(lambda status: status["journal"]["unsettled"]["attendance"] >= 20, "nothing to be forgotten")
        assert "overdue" not in agent.process.text()
        bad.close()
        broker = support.Broker(run_dir / "broker")
        broker.port = bad.port
        broker.start()
        hub = board.Hub(run_dir, broker.port)
        hub.start()
        board.assert_all_delivered(agent, hub)
        assert agent.process.running()
    finally:
        bad.close()
        agent.stop()
        if hub:
            hub.stop()
        if broker:
            broker.stop()


@pytest.mark.parametrize("manner", MANNERS)
def test_the_hub_survives_a_bad_broker(run_dir, manner):
    bad = fakes.Broker(manner)
    hub = board.Hub(run_dir, bad.port)
    try:
        hub.start()
        support.wait_until(lambda: bad.connections, "an attempt to connect")
        if manner == "flood":
            support.wait_until(lambda: bad.flooded > 5000, "the flood")
        for _ in range(3):
            assert hub.answers(), "the page must work while the broker does not"
        bad.close()
        broker = support.Broker(run_dir / "broker")
        broker.port = bad.port
        broker.start()
        agent = board.Agent(run_dir, broker.port)
        agent.start()
        support.wait_until(lambda: len(agent.numbers()) > 5, "numbers")
        board.assert_all_delivered(agent, hub)
        agent.stop()
        broker.stop()
    finally:
        bad.close()
        hub.stop()


def test_a_broker_that_is_not_there(run_dir, manager):
    agent = board.Agent(run_dir, support.free_port(), manager=manager)
    agent.start()
    status = agent.wait_for(lambda status: status["publisher"]["reason"] and status, "a reason")
    assert "refused" in status["publisher"]["reason"].lower()
    fed = manager.count("WATCHDOG=1")
    support.wait_until(lambda: manager.count("WATCHDOG=1") >= fed + 5, "the watchdog to be fed on")
    agent.stop()


def test_malformed_and_foreign_messages_are_counted_and_set_aside(run_dir, broker):
    """Fuzz at the hub's door; a board's good messages pass through it all the while."""
    hub = board.Hub(run_dir, broker.port)
    agent = board.Agent(run_dir, broker.port)
    hub.start()
    agent.start()
    client = mqtt5.Client(broker.port, "vandal")
    noise = random.Random(7)
    values = {mqtt5.CONTENT_TYPE: "application/json"}
    deflated = {mqtt5.CONTENT_TYPE: "application/json+deflate"}
    import zlib
    bodies = [(b"", values), (b"{}", values), (b"[" * 60000, values), (b"\xff" * 500, values), (b'{"v":2}', values),
              (b'{"v":1,"dev":"somebody-else"}', values), (b"x" * 200000, values), (noise.randbytes(3000), deflated),
              (zlib.compress(b"[" * 10_000_000), deflated), (b'{"v":1,"dev":"vandal","ev":[{"seq":1e400}]}', values)]
    topics = ["sp1/up/test/vandal/facts", "sp1/up/test/vandal/bulk", "sp1/up/test/vandal/state",
              "sp1/up/test/board/facts", "sp1/up/test/board/state", "sp1/up/test/board/unknown", "sp1/up/test/x"]
    try:
        for _ in range(300):
            body, content_type = noise.choice(bodies)
            client.publish(noise.choice(topics), body, values=content_type)
        support.wait_until(lambda: sum(count for count, in hub.query("SELECT count FROM set_aside")) >= 200,
                           "the noise to be counted")
        assert hub.process.running()
        board.assert_all_delivered(agent, hub)
        faults = {fault for fault, in hub.query("SELECT DISTINCT fault FROM set_aside")}
        assert len(faults) >= 3, faults
        assert len(hub.query("SELECT 1 FROM set_aside")) <= 1000
        aside = hub.get("/api/v1/overview")["set_aside"]
        assert aside, "people can see it"
    finally:
        client.close()
        agent.stop()
        hub.stop()
