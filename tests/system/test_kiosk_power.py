# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""The power goes while terminals are being acknowledged: the card is an ext4 of its own, which is shut down without its log
(what xfstests call a power failure), so that nothing is on it but what was synced; the agent goes on for a moment, and may
acknowledge nothing more; then it is killed and the card mounted again. No terminal sends again what was acknowledged, and no
hub was there to keep it meanwhile: what arrives later came off the card."""
import datetime
import random
import subprocess
import time

import pytest

import board
import card_image
import kiosk_check
import kiosk_school
import support


@pytest.fixture
def card(run_dir):
    try:
        card = card_image.Card(run_dir)
    except card_image.Impossible as why:
        pytest.skip(str(why))
    yield card
    card.close()


@pytest.fixture(scope="module")
def lost_sync(tmp_path_factory):
    library = tmp_path_factory.mktemp("sync") / "lost_sync.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, support.SOURCE / "tests/system/lost_sync.c"], check=True)
    return library


class Clock(support.Clock):
    """With another preload beside."""

    def __init__(self, preload, path, *more):
        super().__init__(preload, path)
        self.more = more

    def environment(self):
        return {**super().environment(), "LD_PRELOAD": " ".join(map(str, [self.preload, *self.more]))}


class Cuts:
    def __init__(self, directory, card, preload, *more):
        self.directory, self.card = directory, card
        self.random = random.Random()
        clock = Clock(preload, directory / "clock", *more)
        clock.set(True, None)
        self.broker = support.Broker(directory / "broker")
        self.broker.port = kiosk_school.steady_port()
        self.school = kiosk_school.School(directory, self.broker.port, clock, counts={"adms": 3, "webhook": 1, "cards": 1}, timeout=3)
        self.school.state = card.path / "state"
        self.hub = board.Hub(directory, self.broker.port)
        self.after = 0  # acknowledged later than 0.1 s after a cut

    def acknowledged(self):
        school = self.school
        return (sum(len(terminal.acknowledged) for terminal in school.adms.values())
                + sum(len(kiosk.acknowledged) for kiosk in school.webhook.values())
                + sum(len(reader.accepted) for reader in school.cards.values()))

    def punch(self):
        first = datetime.datetime.combine(datetime.date.today() - datetime.timedelta(days=1), datetime.time(6))
        for terminal in self.school.adms.values():
            terminal.punch(self.random.randint(1, 300), first + datetime.timedelta(seconds=len(terminal.log)))
        for kiosk in self.school.webhook.values():
            kiosk.punch(self.random.randint(1, 300))

    def run(self, cuts):
        school = self.school
        reader = school.cards["reader-0"]
        school.run_terminals()
        shown = school.shown["reader-0"]
        shown += [kiosk_school.card_number(reader, i) for i in range(cuts * 3)]
        queue = reader.queue(shown, timeout=120)
        for _ in range(cuts):
            school.start_agent()
            had = self.acknowledged()
            # At a moment of its own: terminals are acknowledged all the time.
            enough = had + self.random.randint(20, 60)
            try:
                support.wait_until(lambda: self.punch() or self.acknowledged() > enough, "acknowledgements", every=0.01)
            except AssertionError as error:
                raise AssertionError(f"{error} ({had} before)\n{school.agent.tail()}") from None
            try:
                self.card.cut()
            except card_image.Impossible as why:
                pytest.skip(str(why))
            time.sleep(0.1)  # what was on its way
            before = self.acknowledged()
            for _ in range(10):
                self.punch()
                time.sleep(0.01)
            self.after += self.acknowledged() - before
            school.agent.kill()
            self.card.unmount()
            self.card.mount()
        self.broker.start()
        self.hub.start()
        school.start_agent()
        support.wait_until(lambda: not any(terminal.pending() for terminal in school.adms.values())
                           and not any(kiosk.waiting for kiosk in school.webhook.values()), "the terminals to be empty")
        queue.join(60)
        assert not queue.is_alive()

        def settled():
            status = board.status(self.directory / "agent.sock")
            return status and status["journal"]["waiting"] == 0 and status["journal"]["unsettled"]["attendance"] == 0
        support.wait_until(settled, "the hub to settle everything", every=0.2)
        return kiosk_check.compare(self.hub.db, school.expected())

    def stop(self):
        self.school.stop()
        self.hub.stop()
        if self.broker.process:
            self.broker.stop()


@pytest.fixture
def cuts(run_dir, card, preload):
    made = []

    def make(*more):
        made.append(Cuts(run_dir, card, preload, *more))
        return made[-1]
    yield make
    for one in made:
        one.stop()


def test_what_was_acknowledged_outlives_the_power(cuts, capsys):
    one = cuts()
    verdict = one.run(5)
    with capsys.disabled():
        print(f"\n5 power cuts, {one.acknowledged()} acknowledged, {len(one.school.expected())} events: {len(verdict.lost)} lost, "
              f"{len(verdict.doubled)} doubled, {one.after} acknowledged without power")
    # Had any been acknowledged that was not on the card, nobody would have sent it again.
    assert verdict.lost == [] and verdict.doubled == [] and verdict.strange == []


def test_the_cut_is_one(cuts, lost_sync):
    """Of an agent whose syncs do nothing, it takes what was acknowledged."""
    one = cuts(lost_sync)
    verdict = one.run(1)
    assert len(verdict.lost) > 10 and verdict.strange == []
