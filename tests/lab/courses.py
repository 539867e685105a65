# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""What happens in a scenario: one small function each."""
import contextlib
import signal

import faults
import school as places


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


assert places.ANCHORS_BETA[1] == "192.0.2.75", "the anchor that anchors_one_by_one lets live"


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


DAY_PROBES = 24 * 3600 // 2  # sentinels of a line in a day


def lossy_day(lab, scenario):
    """Random loss for as long as a line needs for a day's sentinels: many lines over the same cable, each at the
    fastest pace."""
    with faults.counted(lab) as asked, lab.unnoticed("loss", faults.loss(lab, 0.03)):
        lab.hold(scenario.seconds)
        found = asked()
    lab.hold(10)
    # Bursts after a loss are among them: about one probe in four.
    days = found * 3 / 4 / DAY_PROBES
    lab.say(f"{found} echoes were asked, as in {days:.2f} days of one line")
    lab.extra["lab_days"] = round(days, 2)
    lab.expect(days >= scenario.days, f"only {found} echoes were asked: {days:.2f} days of one line, not {scenario.days}")


def then_access(fault):
    """With something out of the ordinary that is no outage: first nothing, then the access dies."""
    def run(lab, scenario):
        with lab.unnoticed(scenario.name, fault(lab)):
            lab.hold(scenario.seconds)
            whole(lab, scenario, "access", faults.access(lab))
    return run


def router_pingless(lab, scenario):
    """The router never answered an echo; then it hangs."""
    with lab.unnoticed("no echo", faults.router_pingless(lab)):
        lab.hold(scenario.seconds)
        whole(lab, scenario, "router", faults.router(lab))


def lease_ends(lab, scenario):
    """The router's DHCP dies, some time later the board's lease ends; then it has the address again."""
    lab.school.dhcp_stop()
    lab.wait(lambda: not lab.school.has_address(), "the lease to end", 60)
    with lab.break_("no address", contextlib.nullcontext()):
        lab.wait_cause(scenario.cause, scenario.detect_limit_s)
        lab.school.dhcp_start()
        lab.wait(lab.school.has_address, "the board to get an address", 60)
    lab.wait_up(scenario.detect_limit_s)


def boot_without_lease(lab, scenario):
    """The board starts while the router gives no addresses: the line is missed from the agent's start."""
    with lab.break_("no lease", contextlib.nullcontext()):
        lab.wait_cause(scenario.cause, scenario.detect_limit_s)
        lab.school.dhcp_start()
        lab.wait(lab.school.has_address, "the board to get an address", 30)
    lab.wait_up(scenario.detect_limit_s)


def ecmp(lab, scenario):
    """Two first hops carry the flows; one of them dies, and with it half of everything."""
    faults.twin_paths(lab)
    lab.hold(scenario.seconds)
    with lab.unnoticed("one of two paths", faults.mute(lab.space, "access2")):
        lab.hold(scenario.seconds)
    lab.hold(10)


def redial(lab, scenario):
    """The ONT dials in anew: first another address, of another pool; then another next hop, inside that pool. Both are
    the line's own."""
    for address, hop in (("203.0.113.34", places.PORTAL), ("203.0.113.35", "203.0.113.33")):
        began = lab.now()
        with lab.tolerate("dialling", faults.redial(lab, address, hop)):
            pass
        lab.wait_up(scenario.detect_limit_s)
        lab.wait_fact("egress", lambda fact: fact.at > began and fact.data["event"] == "changed", 40)
        lab.hold(scenario.seconds)
    whole(lab, scenario, "access", faults.access(lab))


def fail_over(lab, scenario):
    """The fibre dies, the router takes its mobile uplink, and later the fibre again: one outage of the fibre."""
    with lab.break_("ont", faults.ont(lab)):
        lab.wait_cause(scenario.cause, scenario.detect_limit_s)
        with faults.on_mobile(lab):
            lab.say("on mobile")
            began = lab.now()
            lab.hold(scenario.seconds)
            view = lab.programs.line()
            lab.expect(view and view["state"] == "unknown", f"on mobile the fibre is said to be {view and view['state']}")
            other = lab.programs.line("mobile")
            lab.expect(not other or other["state"] == "up", f"the mobile line is {other and other['state']} while in use")
    lab.wait_up(scenario.detect_limit_s)
    lab.wait_fact("egress", lambda fact: fact.at > began and fact.data["event"] == "foreign", 1)
    lab.wait_fact("egress", lambda fact: fact.at > began and fact.data["event"] == "back", 20)


def saturated(lab, scenario):
    """Another machine fills the line: packets queue, some are lost, and nothing is broken."""
    idle = lab.rtt_ms(places.ANCHORS_ALPHA[0])
    with lab.unnoticed("flood", faults.flood(lab)):
        lab.hold(3)
        full = lab.rtt_ms(places.ANCHORS_ALPHA[0])
        lab.say(f"round trip {idle:.1f} ms idle, {full:.1f} ms in the flood")
        lab.expect(full > idle + 20, f"the flood fills nothing: {idle:.1f} ms idle, {full:.1f} ms meanwhile")
        lab.hold(scenario.seconds)
    lab.hold(10)


def two_lines(lab, scenario):
    """One of the board's two lines dies, then the other."""
    for line, fault in (("main", faults.access(lab)), ("second", faults.mute(lab.space, "access_b"))):
        with lab.break_("access", fault, line):
            lab.wait_cause(scenario.cause, scenario.detect_limit_s, line)
        lab.wait_up(scenario.detect_limit_s, line)


def silence(stop):
    """The agent is not there for a while: `stop` ends it, it is started again, and tells why it was silent."""
    def run(lab, scenario):
        with lab.break_(scenario.name, contextlib.nullcontext()):
            stop(lab.programs)
            lab.hold(scenario.seconds)
            lab.programs.agent.start()
        lab.wait_up(scenario.detect_limit_s)
    return run


def agent_crash(programs):
    programs.agent.end(signal.SIGKILL)


def agent_upgrade(programs):
    programs.agent.end()
    programs.upgrade()
