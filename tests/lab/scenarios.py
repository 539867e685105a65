# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""The scenarios: what happens (one small function each), and what the ledger must say of it."""
import dataclasses
import signal
from typing import Callable

import faults
import lab as labs
import school as places

# How soon, and how near the truth an outage's edges: seconds.
WHOLE_LINE = (5, 1)       # total loss of the line
SYMPTOM = (15, 5)         # international, DNS, hub, one IP family
PORTAL = (60, 60)         # a portal that lets everything else through: only its check can tell
NO_OUTAGE = (None, None)
HUB_GRACE_S = 16          # a line that has just come up is not blamed for a hub that is not yet heard


@dataclasses.dataclass
class Scenario:
    name: str
    about: str
    run: Callable
    cause: str                    # what the ladder of today must say
    limits: tuple
    full: str = None              # `expected_by_full_ladder`, where that will say more
    seconds: int = 0              # for scenarios without an end of their own
    warm_s: float = 0             # how long the line must have been up before anything happens
    reach: str = ""               # lines for the section of the `reach` driver
    judge: Callable = labs.judge_outages
    detect_limit_s: float = dataclasses.field(init=False)
    edge_limit_s: float = dataclasses.field(init=False)

    def __post_init__(self):
        self.detect_limit_s, self.edge_limit_s = self.limits
        self.full = self.full or self.cause


def whole(lab, scenario, name, fault):
    """The usual course: break, wait for the name, mend, wait for the end."""
    with lab.break_(name, fault):
        lab.wait_cause(scenario.cause, scenario.detect_limit_s)
    lab.wait_up(scenario.detect_limit_s)


def simple(fault):
    return lambda lab, scenario: whole(lab, scenario, scenario.name, fault(lab))


def nothing(lab, scenario):
    lab.hold(scenario.seconds)


def passing(fault):
    """Something breaks for a while, and it is no outage."""
    def run(lab, scenario):
        with lab.unnoticed(scenario.name, fault(lab)):
            lab.hold(scenario.seconds)
        lab.hold(10)
    return run


def anchors_one_by_one(lab, scenario):
    """Every ten seconds another anchor dies in both families; the last one lives."""
    dead = []
    for role, v4, v6 in (("alpha", "192.0.2.10", "2001:db8:a::10"), ("alpha", "192.0.2.11", "2001:db8:a::11"),
                         ("beta", "192.0.2.74", "2001:db8:b::10")):
        dead.append(faults.anchors(lab, role, v4, v6))
        dead[-1].__enter__()
        lab.say(f"{v4} and {v6} are dead")
        lab.hold(10)
    lab.hold(15)
    for fault in reversed(dead):
        fault.__exit__(None, None, None)
        lab.hold(3)


def flapping(lab, scenario):
    """Three real outages close together."""
    for _ in range(3):
        whole(lab, scenario, "access", faults.access(lab))
        lab.hold(lab.random.uniform(0, 3))


def blinks(lab, scenario):
    """Half a second of nothing, now and then: lost packets, never an outage."""
    for _ in range(8):
        with lab.unnoticed("blink", faults.access(lab)):
            lab.hold(0.5)
        lab.hold(lab.random.uniform(3, 6))


def two_faults(lab, scenario):
    """The access dies, and with it the resolver lies: the nearer rung is the cause."""
    whole(lab, scenario, "access+dns", faults.together(faults.dns_lies(lab), faults.access(lab)))


def fault_in_fault(lab, scenario):
    """While the access is dead someone pulls the cable, and plugs it in again: one outage, the provider's."""
    with lab.break_("access", faults.access(lab)):
        lab.wait_cause(scenario.cause, scenario.detect_limit_s)
        with lab.unnoticed("cable", faults.cable(lab)):
            lab.wait_cause("cable", scenario.detect_limit_s)
        lab.wait_cause(scenario.cause, scenario.detect_limit_s)
    lab.wait_up(scenario.detect_limit_s)


def agent_killed(lab, scenario):
    """The agent dies within an outage and comes back: it is still the same outage."""
    agent = lab.programs.agent
    with lab.break_("access", faults.access(lab)):
        lab.wait_cause(scenario.cause, scenario.detect_limit_s)
        agent.end(signal.SIGKILL)
        lab.say("agent killed")
        lab.hold(2)
        agent.start()
        lab.wait_cause(scenario.cause, scenario.detect_limit_s)
    lab.wait_up(scenario.detect_limit_s)


SCENARIOS = (
    Scenario("healthy", "a minute without a fault", nothing, "none", NO_OUTAGE, seconds=60),
    Scenario("cable", "the board's cable is pulled", simple(faults.cable), "cable", WHOLE_LINE),
    Scenario("address", "address and default route are gone", simple(faults.address), "address", WHOLE_LINE),
    Scenario("router", "the router hangs", simple(faults.router), "gateway", WHOLE_LINE),
    Scenario("router_wan", "the router lives, its WAN is dead", simple(faults.router_wan), "isp", WHOLE_LINE,
             full="isp_access"),
    Scenario("ont", "the ONT behind the router is dead", simple(faults.ont), "isp", WHOLE_LINE, full="isp_access"),
    Scenario("access", "the provider's access is dead", simple(faults.access), "isp", WHOLE_LINE, full="isp_access"),
    Scenario("core", "the access answers, the core is dead", simple(faults.core), "isp", WHOLE_LINE, full="isp_core"),
    Scenario("operator", "one operator's anchors die", passing(faults.operator_beta), "none", NO_OUTAGE, seconds=30),
    Scenario("anchors_one_by_one", "anchors die one after another, one lives", anchors_one_by_one, "none", NO_OUTAGE),
    Scenario("international", "only the cable abroad is cut", simple(faults.international), "international", SYMPTOM),
    Scenario("dns_dead", "the resolver is silent", simple(faults.dns_silent), "dns", SYMPTOM),
    Scenario("dns_refuses", "the resolver refuses", simple(faults.dns_refuses), "dns", SYMPTOM),
    Scenario("dns_lies", "the resolver lies", simple(faults.dns_lies), "dns", SYMPTOM),
    Scenario("captive_portal", "the account is closed: DNS and a login page", simple(faults.captive_portal),
             "captive_portal", (60, 5)),
    Scenario("captive_http", "a login page for every page, all else works", simple(faults.captive_http),
             "captive_portal", PORTAL),
    Scenario("ipv4", "IPv4 only is dead", simple(faults.ipv4), "ipv4", SYMPTOM),
    Scenario("ipv6", "IPv6 only is dead", simple(faults.ipv6), "ipv6", SYMPTOM),
    Scenario("broker", "the broker dies", simple(faults.broker), "hub", SYMPTOM, warm_s=HUB_GRACE_S,
             judge=labs.judge_line),
    Scenario("hub", "the hub's program dies", simple(faults.hub), "hub", SYMPTOM, warm_s=HUB_GRACE_S,
             judge=labs.judge_line),
    Scenario("loss", "3 % loss each way, probes ten times as often: half an hour in three minutes",
             passing(lambda lab: faults.loss(lab, 0.03)), "none", NO_OUTAGE, seconds=180,
             reach="interval = 200ms\nscope_interval = 1s\nportal_interval = 6s"),
    Scenario("blinks", "eight times half a second of nothing", blinks, "none", NO_OUTAGE),
    Scenario("flapping", "three outages close together", flapping, "isp", WHOLE_LINE, full="isp_access"),
    Scenario("two_faults", "access and DNS at once", two_faults, "isp", WHOLE_LINE, full="isp_access"),
    Scenario("fault_in_fault", "the cable is pulled while the access is dead", fault_in_fault, "isp", WHOLE_LINE,
             full="isp_access"),
    Scenario("agent_killed", "the agent is killed within an outage", agent_killed, "isp", WHOLE_LINE,
             full="isp_access"),
    Scenario("mtu", "packets over 1400 bytes vanish: nothing measures that yet",
             passing(faults.small_packets_only), "none", NO_OUTAGE, full="mtu (no word in the feed yet)", seconds=25),
)
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
assert len(BY_NAME) == len(SCENARIOS)
assert places.ANCHORS_BETA[1] == "192.0.2.75", "the anchor that anchors_one_by_one lets live"
