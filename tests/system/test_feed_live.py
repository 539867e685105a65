# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""Our programs, each kind of message for a real reason, and every one of them against the contract."""
import feed_contract
import feed_stage
import netns


def test_everything_that_is_emitted_obeys_the_contract(run_dir):
    netns.require()
    sniffer = feed_stage.play(run_dir)
    assert sniffer.talk.findings == []
    closed = {(record["state"], record["cause"], record["whose"]) for record in feed_stage.records(sniffer, "outage")
              if record["phase"] == "close"}
    assert {("down", "isp", "provider"), ("unknown", "cable", "school")} <= closed
    heard = set(sniffer.talk.kinds)
    assert sniffer.talk.messages > 30
    records = {word for kind, word in heard if kind in feed_contract.ENVELOPES}
    expected = set(feed_contract.readme_records())
    if ("facts", "storage") not in heard:  # no card of its own could be mounted
        expected.discard("storage")
    # What somebody has to ask for, or a whole slot of the day brings about: other tests play these.
    expected -= {"attendance", "subject_request", "key_backup", "forgotten"}
    assert records - {"forgotten"} == expected
    for message in (("state", "online"), ("state", "stopped"), ("state", "lost"), ("hub", "online"), ("hub", "lost"),
                    ("ack", ""), ("cmd", ""), ("site", "up"), ("site", "down")):
        assert message in heard, message
