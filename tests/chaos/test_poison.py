"""Poisoned mailboxes among good ones: the poisoned ones fail, each with its cause; all others are done, and nobody is left."""

from __future__ import annotations

import os
from random import Random

import pytest

import fanout
from fanout import Limits, Policy, watch
from tests.poison import POISONS, name, poisoned
from tests.processes import below
from workers.causes import Cause

pytestmark = pytest.mark.spawns

#: What becomes of a mailbox by its kind of poison; None for one that is done all the same.
EXPECTED: dict[str, Cause | None] = {
    "exit": Cause.CRASH,
    "kill": Cause.CRASH,
    "segfault": Cause.CRASH,
    "babble": Cause.CRASH,
    "trail_off": Cause.CRASH,
    "close": Cause.CRASH,
    "hang": Cause.TIMEOUT,
    "hang_in_c": Cause.TIMEOUT,
    "hang_deaf": Cause.TIMEOUT,
    "stop": Cause.TIMEOUT,
    "bomb": Cause.MEMORY,
    "raise": Cause.JOB,
    "sys_exit": Cause.JOB,
    "interrupt": Cause.JOB,
    "huge": Cause.RESULT,
    "unencodable": Cause.RESULT,
    "nested": Cause.RESULT,
    "unpicklable": Cause.JOB,
    "recur": Cause.JOB,
    "print": None,
    "flood": None,
    "fork": None,
    "fork_and_return": None,
    "thread": None,
}

#: What takes time: on a machine that is busy enough, too much of any.
SLOW = {"bomb", "huge", "nested", "recur", "flood"}

#: So either time is short, or long: the limits, and the kinds that go with them.
HASTE = (Limits(timeout=3.0, grace=0.2), EXPECTED.keys() - SLOW)
LEISURE = (
    Limits(timeout=600.0, grace=0.2, max_rss=300 * 2**20),
    {kind for kind, cause in EXPECTED.items() if cause is not Cause.TIMEOUT},
)


def test_every_kind_of_poison_is_expected() -> None:
    assert set(EXPECTED) == set(POISONS)


@pytest.mark.parametrize(("limits", "some"), [HASTE, LEISURE], ids=["haste", "leisure"])
@pytest.mark.parametrize(
    ("mailboxes", "of_each", "retries"),
    [(200, 1, 0), pytest.param(2000, 20, 1, marks=pytest.mark.long)],
    ids=["short", "long"],
)
def test_the_poisoned_fail_with_their_cause_and_all_others_are_done(  # noqa: PLR0913 - of a grid, and a fixture
    mailboxes: int, of_each: int, retries: int, limits: Limits, some: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "PAUSE", 0.5)  # each that trails off is found by halving, and each half takes so long
    poisons = sorted(some) * of_each
    chosen = Random(3).sample(range(mailboxes), len(poisons))
    kinds = {f"null-{ordinal:08}": kind for ordinal, kind in zip(chosen, poisons, strict=True)}
    with fanout.run(name, server="null:1", workers=1):
        pass  # after which multiprocess holds what it holds for good
    descriptors = len(os.listdir("/proc/self/fd"))

    with fanout.run(
        poisoned,
        server=f"null:{mailboxes}",
        workers=8,
        options={"kinds": kinds},
        policy=Policy(limits, retries=retries),
    ) as found:
        outcomes = {outcome.mailbox: outcome for outcome in found}

    wrong = {
        address: (kinds.get(address), outcome.error)
        for address, outcome in outcomes.items()
        if (outcome.error and outcome.error.cause) != (EXPECTED[kinds[address]] if address in kinds else None)
    }
    assert wrong == {}
    assert len(outcomes) == mailboxes
    assert below() == []
    assert len(os.listdir("/proc/self/fd")) == descriptors
