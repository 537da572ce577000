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

#: A mailbox gets three seconds, in which a bomb has its gigabyte on a busy machine, too.
LIMITS = Limits(timeout=3.0, grace=0.2, max_rss=300 * 2**20)


def test_every_kind_of_poison_is_expected() -> None:
    assert set(EXPECTED) == set(POISONS)


@pytest.mark.parametrize(
    ("mailboxes", "of_each", "retries"),
    [(200, 1, 0), pytest.param(2000, 20, 1, marks=pytest.mark.long)],
    ids=["short", "long"],
)
def test_the_poisoned_fail_with_their_cause_and_all_others_are_done(
    mailboxes: int, of_each: int, retries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "PAUSE", 0.5)  # each that trails off is found by halving, and each half takes so long
    chosen = Random(3).sample(range(mailboxes), of_each * len(EXPECTED))
    kinds = {f"null-{ordinal:08}": kind for ordinal, kind in zip(chosen, [*EXPECTED] * of_each, strict=True)}
    with fanout.run(name, server="null:1", workers=1):
        pass  # after which multiprocess holds what it holds for good
    descriptors = len(os.listdir("/proc/self/fd"))

    with fanout.run(
        poisoned,
        server=f"null:{mailboxes}",
        workers=8,
        options={"kinds": kinds},
        policy=Policy(LIMITS, retries=retries),
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
