from __future__ import annotations

from random import Random

import pytest

from fanout.forecast import tape
from fanout.forecast.model import Sample, Server, Slowed, Trips, Trouble
from fanout.forecast.tape import Tape
from workers.simulated.options import Delay

SHORT = Tape([1.0, 2.0, 4.0], [(0, Trouble.BUSY), (2, Trouble.HANG)])


def test_neighbours_take_what_they_take_together_and_a_tape_that_ends_begins_anew() -> None:
    assert SHORT.waits(1, 2) == 6.0
    assert SHORT.waits(2, 3) == 4.0 + 1.0 + 2.0
    assert SHORT.waits(3_000_001, 7) == 2 * 7.0 + 2.0


def test_what_is_wrong_is_found_wherever_the_tape_begins_anew() -> None:
    assert list(SHORT.troubles(range(1, 2))) == []
    assert list(SHORT.troubles(range(300, 306))) == [
        (300, Trouble.BUSY),
        (302, Trouble.HANG),
        (303, Trouble.BUSY),
        (305, Trouble.HANG),
    ]


def test_a_roster_of_any_length_takes_no_more_memory_than_a_tape(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tape, "LONGEST", 100)

    drawn = Tape.of(Server(Delay(1.0)), 10**7, Random(0))

    assert drawn.waits(0, 10**7) == 10**7
    assert len(drawn._sums) == 101


def test_as_many_are_in_trouble_as_the_shares_say() -> None:
    server = Server(Delay(1.0), troubles={Trouble.BUSY: 0.02, Trouble.REFUSED: 0.01})

    found = [trouble for _, trouble in Tape.of(server, 100_000, Random(0)).troubles(range(100_000))]

    assert found.count(Trouble.BUSY) == pytest.approx(2000, rel=0.1)
    assert found.count(Trouble.REFUSED) == pytest.approx(1000, rel=0.1)


def test_seconds_are_drawn_as_they_are_described() -> None:
    random = Random(0)

    assert Trips(Delay(0.01), 3, 0.001).draw(random) == pytest.approx(0.033)
    assert Sample((0.5,)).draw(random) == 0.5
    assert Slowed(Delay(0.01), 1.0, 20.0, 0.1).draw(random) == pytest.approx(0.2)
    assert Slowed(Delay(0.001), 1.0, 20.0, 0.1).draw(random) == 0.1
    assert Slowed(Delay(0.01), 0.0, 20.0, 0.1).draw(random) == 0.01
