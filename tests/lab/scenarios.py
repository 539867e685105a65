# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""The scenarios: what happens (courses.py), and what the ledger must say of it."""
import dataclasses
from typing import Callable

import courses
import faults
import judge as judges
import programs
import school as places
import speed
import speed_courses
from courses import passing, simple

# How soon, and how near the truth an outage's edges: seconds.
WHOLE_LINE = (5, 1)       # total loss of the line
SYMPTOM = (15, 5)         # international, DNS, hub, one IP family
PORTAL = (60, 60)         # a portal that lets everything else through: only its check can tell
SILENCE = (5, 12)         # told by the next start; the last run's end is known to one commit and window (7 s here, and
                          # what a busy machine adds), and the outage itself says how late it may have begun
NO_OUTAGE = (None, None)
HUB_GRACE_S = 16          # a line that has just come up is not blamed for a hub that is not yet heard

TWO_LINES = {"lines": ({"interface": "interface = eth0"},
                       {"line": "second", "suffix": "2", "interface": "interface = eth1", "resolver": "192.168.2.1"})}
SHARED_ROUTER = {"lines": ({"line_options": "egress = 198.51.100.0/24"},
                           {"line": "mobile", "suffix": "2", "parts": (programs.LINE,),
                            "line_options": "shares = main\negress = 203.0.113.64/30"})}
MANY_LINES = {"reach": "interval = 100ms\nscope_interval = 2s\nportal_interval = 10s", "lines": (
    {}, *({"line": f"line{i}", "suffix": str(i), "parts": (programs.LINE, programs.FAR)} for i in range(2, 25)))}


@dataclasses.dataclass
class Scenario:
    name: str
    about: str
    run: Callable
    cause: str                    # what the ledger must say
    limits: tuple
    seconds: int = 0              # for scenarios without an end of their own
    warm_s: float = 0             # how long the line must have been up before anything happens
    extras: tuple = ()            # of the map: school.EXTRAS
    agent: dict = None            # values for the configuration: programs.LINE
    settles: bool = True          # the line is up before anything happens
    closes_s: float = 0           # until the end is told, where that takes longer than detection
    end_edge_s: float = 0         # where the end cannot be placed as well as the start
    days: float = 0               # of a line's sentinels, at least
    trials: int = 1               # of speed tests
    silent: bool = False          # nobody can tell before the fault is over: limits count from there
    judge: Callable = judges.judge_outages
    detect_limit_s: float = dataclasses.field(init=False)
    edge_limit_s: float = dataclasses.field(init=False)

    def __post_init__(self):
        self.detect_limit_s, self.edge_limit_s = self.limits


SCENARIOS = (
    Scenario("healthy", "a minute without a fault", courses.nothing, "none", NO_OUTAGE, seconds=60),
    Scenario("cable", "the board's cable is pulled", simple(faults.cable), "cable", WHOLE_LINE),
    Scenario("address", "address and default route are gone", simple(faults.address), "address", WHOLE_LINE),
    Scenario("dhcp", "the router's DHCP is silent, the lease ends", courses.lease_ends, "address", WHOLE_LINE,
             extras=("dhcp",)),
    Scenario("dhcp_boot", "the board starts, and no DHCP answers", courses.boot_without_lease, "address", WHOLE_LINE,
             extras=("dhcp", "no lease"), settles=False),
    Scenario("router", "the router hangs", simple(faults.router), "gateway", WHOLE_LINE),
    Scenario("router_pingless", "a router that never answers echo lives, then hangs", courses.router_pingless,
             "gateway", WHOLE_LINE, seconds=20),
    Scenario("router_wan", "the router lives, its WAN is dead", simple(faults.router_wan), "isp_access", WHOLE_LINE),
    Scenario("router_hijack", "and the router answers every name and every page itself",
             simple(lambda lab: faults.together(faults.router_wan(lab), faults.router_hijacks(lab))), "isp_access", WHOLE_LINE),
    Scenario("ont", "the ONT behind the router is dead", simple(faults.ont), "isp_access", WHOLE_LINE),
    Scenario("access", "the provider's access is dead", simple(faults.access), "isp_access", WHOLE_LINE),
    Scenario("hop_deaf", "the first ISP hop says nothing, then the access is dead",
             courses.then_access(faults.hop_deaf), "isp_access", WHOLE_LINE, seconds=25),
    Scenario("ecmp", "two first hops share the flows, one of them dies", courses.ecmp, "none", NO_OUTAGE, seconds=20,
             extras=("twin",)),
    Scenario("redial", "the ONT dials in anew, twice; then the access is dead", courses.redial, "isp_access", WHOLE_LINE, seconds=5),
    Scenario("fail_over", "the router takes a mobile uplink while the fibre is dead", courses.fail_over, "isp_access",
             WHOLE_LINE, seconds=20, extras=("mobile",)),
    Scenario("shared_router", "the same without IPv6, and the mobile uplink is a line of its own", courses.fail_over, "isp_access",
             WHOLE_LINE, seconds=20, extras=("mobile", "dhcp"), agent=SHARED_ROUTER,
             closes_s=30, end_edge_s=30),  # a switch back without a silence is seen when the door is next asked for
    Scenario("two_lines", "the board has two lines, each dies once", courses.two_lines, "isp_access", WHOLE_LINE, extras=("second",), agent=TWO_LINES),
    Scenario("core", "the access answers, the core is dead", simple(faults.core), "isp_core", WHOLE_LINE),
    Scenario("operator", "one operator's anchors die", passing(faults.operator_beta), "none", NO_OUTAGE, seconds=30),
    Scenario("anchors_one_by_one", "anchors die one after another, one lives", courses.anchors_one_by_one, "none", NO_OUTAGE),
    Scenario("one_centre", "hub and anchors stand in one dead data centre", simple(faults.centre), "hub", SYMPTOM,
             warm_s=HUB_GRACE_S, agent={"domestic": ", ".join(places.ANCHORS_CENTRE)}, judge=judges.judge_line),
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
             judge=judges.judge_line),
    Scenario("hub", "the hub's program dies", simple(faults.hub), "hub", SYMPTOM, warm_s=HUB_GRACE_S,
             judge=judges.judge_line),
    Scenario("loss", "3 % loss each way for a day's probes, on 24 lines at once in five minutes", courses.lossy_day,
             "none", NO_OUTAGE, seconds=300, warm_s=5, agent=MANY_LINES, days=1),
    Scenario("loss_short", "the same for a tenth of a day", courses.lossy_day, "none", NO_OUTAGE, seconds=30, warm_s=5,
             agent=MANY_LINES, days=0.1),
    Scenario("saturated", "another machine fills the line", courses.saturated, "none", NO_OUTAGE, seconds=30,
             extras=("pc",)),
    Scenario("blinks", "eight times half a second of nothing", courses.blinks, "none", NO_OUTAGE),
    Scenario("flapping", "three outages close together", courses.flapping, "isp_access", WHOLE_LINE),
    Scenario("two_faults", "access and DNS at once", courses.two_faults, "isp_access", WHOLE_LINE),
    Scenario("fault_in_fault", "the cable is pulled while the access is dead", courses.fault_in_fault, "isp_access", WHOLE_LINE),
    Scenario("agent_killed", "the agent is killed within an outage", courses.agent_killed, "isp_access", WHOLE_LINE),
    Scenario("power", "the board loses its power", courses.silence(programs.Programs.power_cut), "power", SILENCE,
             seconds=10, warm_s=6, silent=True),
    Scenario("agent", "the agent is killed while all is well", courses.silence(courses.agent_crash), "agent", SILENCE,
             seconds=10, warm_s=6, silent=True),
    Scenario("upgrade", "the agent is stopped, and another version comes back", courses.silence(courses.agent_upgrade),
             "agent", SILENCE, seconds=10, warm_s=6, silent=True),
    Scenario("speed_busy", "another machine downloads before or during a speed test; the router counts", speed_courses.busy(speed.counting_router),
             "none", NO_OUTAGE, seconds=800, trials=5, extras=("pc",), agent=speed.agent(speed.GATEWAY)),
    Scenario("speed_busy_short", "one test, deferred by a download and disturbed by another", speed_courses.busy_short, "none", NO_OUTAGE, seconds=70,
             extras=("pc",), agent=speed.agent(speed.GATEWAY)),
    Scenario("speed_busy_mirror", "the same, seen at a mirror port", speed_courses.busy(speed.mirror_port), "none", NO_OUTAGE,
             seconds=800, trials=5, extras=("pc", "mirror"), agent=speed.agent(speed.CAPTURE)),
    Scenario("speed_mirror_short", "the same at a mirror port, once", speed_courses.busy(speed.mirror_port), "none", NO_OUTAGE,
             seconds=150, trials=1, extras=("pc", "mirror"), agent=speed.agent(speed.CAPTURE)),
    Scenario("speed_self_loaded", "a speed test fills the line: no outage, its minutes are marked", speed_courses.self_loaded,
             "none", NO_OUTAGE, trials=2, agent=speed.agent()),
    Scenario("speed_cut", "the line dies while a speed test fills it", speed_courses.cut, "isp_access",
             (10, 2),  # losses while our own test fills the line are no outage's, until nothing has moved for 3 s
             agent=speed.agent(test_length="20s")),
    Scenario("speed_budget", "the month's bytes are nearly used, and the agent is killed within tests", speed_courses.budget, "agent", (None, None),
             trials=5, agent=speed.agent(line_options=f"bought_down = 80\nbought_up = 40\nbudget = {speed_courses.CAP_MB}M"), judge=judges.judge_complaints),
    Scenario("mtu", "packets over 1400 bytes vanish, and nobody says so", simple(faults.small_packets_only), "mtu",
             (15, 7),  # the start is the middle of a family's gap, of 10 s and a round
             warm_s=75,  # the first of them go out after 30 s and 60 s, and two anchors each must have answered
             closes_s=20, end_edge_s=15,  # a family is asked every 10 s
             agent={"reach": "full_size_interval = 5s"}),
)
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
assert len(BY_NAME) == len(SCENARIOS)
