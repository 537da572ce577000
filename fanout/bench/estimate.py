"""How long a bench will take, by a probe: one setting, some of the mailboxes, for a second or so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanout.bench.settings import Setting, in_words
from fanout.bench.verdict import CALM, FEWEST
from fanout.durations import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from fanout.bench.rounds import Budget
    from fanout.bench.verdict import Sample

#: Mailboxes of the first probe; of the next one so many times as many, where it was shorter than so many seconds: what a run
#: takes to start and to end is not to be taken for what its mailboxes take.
PROBED, TIMES, SECONDS = 200, 4, 1.0

#: Rounds that count, at the least, where the answer decides when it is enough.
LEAST = FEWEST + CALM - 1


def probe(measure: Callable[[int], Sample], mailboxes: int) -> Sample:
    """A run over as many of the mailboxes as it takes to last a second; `measure` makes one over the first few."""
    count = min(PROBED, mailboxes)
    while (sample := measure(count)).wall < SECONDS and count < mailboxes:
        count = min(count * TIMES, mailboxes)
    return sample


def seconds_a_run(sample: Sample, mailboxes: int) -> float:
    """What a run over all mailboxes takes, if the probe is right."""
    return sample.first + (sample.wall - sample.first) * mailboxes / sample.mailboxes


def estimate(settings: Sequence[Setting], probed: Setting, sample: Sample, mailboxes: int) -> Iterator[str]:
    """What would be run, and what a probe says of it."""
    yield f"{len(settings):,} settings, {mailboxes:,} mailboxes each:"
    yield from (f"  {in_words(setting, Setting.__struct_fields__)}" for setting in settings)
    yield (
        f"a probe of {sample.mailboxes:,} mailboxes took {duration(sample.wall)}, with the setting that visits the fewest at a "
        f"time: {in_words(probed, Setting.__struct_fields__)}"
    )
    each = seconds_a_run(sample, mailboxes)
    yield f"so a run takes {duration(each)} or less, and a round of every setting {duration(each * len(settings))}"


def total(round_seconds: float, budget: Budget) -> str:
    """How long all rounds take, the one that warms up included."""
    if budget.rounds is not None:
        return f"in all: {duration(round_seconds * (budget.rounds + 1))}, for {budget.rounds:,} rounds and one that warms up"
    least = round_seconds * (LEAST + 1)
    if budget.seconds is None:
        return (
            f"in all: {duration(least)} for the {LEAST} rounds that an answer takes at the least, and one that warms up"
        )
    if least > budget.seconds:
        return (
            f"in all: {duration(budget.seconds)} (--max-time), which is too short for a clear answer: that takes {LEAST} rounds "
            f"and one that warms up, {duration(least)}"
        )
    return f"in all: {duration(least)} where the answer is soon clear, and {duration(budget.seconds)} at the most (--max-time)"
