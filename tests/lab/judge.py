# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""What the hub made of a scenario, judged: the line of JSON, and the timeline for people."""
import dataclasses

import truth

SIGN_S = 1.0  # from the agent's last moment to when the lab looks at the clock, and back


def timeline(lab):
    """What was done and what was noticed, in order, for people."""
    rows = [(fact.at, str(fact)) for fact in lab.store.facts("line", "outage", "boot", "stop", "egress", line=None)]
    for fault in lab.faults:
        rows.append((fault.began, f"==== {fault.name} broken"))
        if fault.ended:
            rows.append((fault.ended, f"==== {fault.name} mended"))
    zero = lab.faults[0].began if lab.faults else lab.began
    return [f"{at - zero:9.3f}  {text}" for at, text in sorted(rows)] + [f"WRONG: {text}" for text in lab.complaints]


@dataclasses.dataclass
class Result:
    """The line of JSON, in the order of its keys; `extra` is for the table."""
    scenario: str
    cause_expected: str
    cause_found: str = "none"
    detect_s: float = None
    detect_limit_s: float = None
    start_error_s: float = None
    end_error_s: float = None
    false_outages: int = 0
    ok: bool = False
    extra: dict = dataclasses.field(default_factory=dict)

    def line(self):
        values = dataclasses.asdict(self)
        values.pop("extra")
        return {key: round(value, 3) if isinstance(value, float) else value for key, value in values.items()}


def judge_outages(result, lab, scenario):
    """Every fault must have its own outage, named right, in time; and there are no others."""
    result.extra.update(lab.extra)
    pairs, others = truth.match(lab.faults, lab.store.outages(), lab.tolerated,
                                 max(truth.EARLY_S, scenario.edge_limit_s or 0))
    found = [(fault, outage) for fault, outage in pairs if outage]
    missing = len(pairs) - len(found)
    result.false_outages = len(others)
    causes = sorted({outage.cause for _, outage in found} | ({"none"} if missing else set()))
    if not pairs:
        causes = sorted({outage.cause for outage in others})
    result.cause_found = "+".join(causes) or "none"
    if missing or not pairs:
        result.ok = not pairs and not others and not lab.complaints
        return
    right = result.cause_expected
    result.detect_s = max((outage.named_at(right) or outage.opened_at) - (
        fault.ended if scenario.silent else fault.began) for fault, outage in found)
    result.start_error_s = truth.worst(outage.start - fault.began for fault, outage in found)
    result.end_error_s = truth.worst(outage.closed and outage.end - fault.ended for fault, outage in found)
    recover = truth.worst(outage.closed and outage.closed_at - fault.ended for fault, outage in found)
    if not all(outage.closed for _, outage in found):
        result.end_error_s = recover = None
    result.extra.update(opened_s=max(outage.opened_at - fault.began for fault, outage in found), recover_s=recover,
                        named=["→".join(outage.causes) for _, outage in found])
    limit, edge = scenario.detect_limit_s, scenario.edge_limit_s
    if scenario.silent:
        lab.complaints += [f"the silence began at {fault.began:.3f}, said: {outage.start:.3f} and up to {outage.start_width:.3f} later"
                           for fault, outage in found if not -SIGN_S <= fault.began - outage.start <= outage.start_width + SIGN_S]
    result.ok = (result.cause_found == right and not others and not lab.complaints and result.detect_s <= limit
                 and abs(result.start_error_s) <= edge and result.end_error_s is not None
                 and abs(result.end_error_s) <= (scenario.end_edge_s or edge) and recover <= (scenario.closes_s or limit))


def judge_line(result, lab, scenario):
    """The line stays up, and its facts name the cause meanwhile; there is no outage."""
    result.false_outages = len(lab.store.outages())
    fault = lab.faults[0]
    facts = lab.store.facts("line")
    named = next((fact for fact in facts if fact.at >= fault.began and fact.data["cause"] == scenario.cause), None)
    others = {fact.data["cause"] for fact in facts if fact.at >= fault.began} - {"none"}
    result.cause_found = "+".join(sorted(others)) or "none"
    if not named:
        return
    over = next((fact for fact in facts if fact.at > named.at and fact.data["cause"] != scenario.cause), None)
    result.detect_s = named.at - fault.began
    recover = over.at - fault.ended if over else None
    result.extra.update(opened_s=result.detect_s, recover_s=recover, named=[scenario.cause])
    result.ok = (result.cause_found == scenario.cause and not lab.complaints and named.data["state"] == "up" and not result.false_outages
                 and result.detect_s <= scenario.detect_limit_s and over is not None
                 and over.data["cause"] == "none" and recover <= scenario.detect_limit_s)


def judge_complaints(result, lab, _scenario):
    """Outages are not this scenario's question: all that it asks, it has asked itself."""
    result.extra.update(lab.extra)
    result.cause_found = result.cause_expected
    result.ok = not lab.complaints
