"""What the samples of a bench say: which setting is best, by how much, and what is within the noise. Pure.

Settings are compared within a round alone, by the ratio of their times to the best one's: the machine is another one from
hour to hour, but hardly within a round. Each figure has the 95 % interval of a bootstrap (Efron, 1979), by percentiles.

The rule for stopping early: the answer is clear when every setting other than the best is slower beyond the noise, or as good
as the best, its whole interval within 3 %. It has to be clear, and the same, after two rounds running, of which the first
is the fifth at the earliest: looking again and again at a noise finds something sooner or later.
"""

from __future__ import annotations

from enum import StrEnum
from random import Random
from statistics import geometric_mean, median, median_low
from typing import TYPE_CHECKING, Annotated

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

#: Bootstrap samples of an interval, and how many of them are left out at each of its ends: 2.5 %.
RESAMPLES, TAIL = 2000, 50

#: Rounds before anything is clear. With five the interval of a median spans all of them, and holds the true median with
#: 1 - 2 / 2**5 = 94 %; with four it would be 87 %.
FEWEST = 5

#: Rounds running after which the answer has to be clear, and the same.
CALM = 2

#: A difference of this share is none that anybody would choose a setting for.
ALIKE = 0.03

#: More than nothing, so that it can be divided by.
Seconds = Annotated[float, msgspec.Meta(gt=0)]


class Sample(msgspec.Struct, frozen=True):
    """What one run with one setting took."""

    wall: Seconds
    #: Seconds, user and system, of all processes.
    cpu: Annotated[float, msgspec.Meta(ge=0)]
    #: Seconds until the first mailbox had its outcome.
    first: Annotated[float, msgspec.Meta(ge=0)]
    #: MiB that were resident in the parent at the most.
    peak: Annotated[float, msgspec.Meta(ge=0)]
    mailboxes: Annotated[int, msgspec.Meta(ge=1)]
    failed: Annotated[int, msgspec.Meta(ge=0)] = 0


class Figure(msgspec.Struct, frozen=True):
    """A median, and the interval that holds the true one in 95 of 100 cases."""

    median: float
    low: float
    high: float


class Place(StrEnum):
    """Where a setting stands."""

    BEST = "best"
    #: No difference from the best that rises above the noise.
    NOISE = "noise"
    SLOWER = "slower"
    #: More mailboxes fail than with another setting, so that its time is that of less work.
    FAILS = "fails"
    #: There is no whole round yet.
    UNKNOWN = "unknown"


class Standing(msgspec.Struct, frozen=True):
    """What is known of one setting."""

    place: Place
    #: Medians.
    wall: Figure
    cpu: float
    first: float
    peak: float
    #: Mailboxes a second.
    rate: float
    #: Mailboxes that failed in the worst round.
    failed: int
    #: Its wall time divided by the best one's of the same round; None for the best, and before there is a whole round.
    ratio: Figure | None = None

    @property
    def settled(self) -> bool:
        """Whether more rounds would tell nothing that matters."""
        if self.place is Place.NOISE and self.ratio:
            return self.ratio.low > 1 - ALIKE and self.ratio.high < 1 + ALIKE
        return self.place is not Place.UNKNOWN


class Verdict(msgspec.Struct, frozen=True):
    """What the rounds so far say."""

    #: Rounds in which every setting was measured.
    rounds: int
    #: By the place of the setting; those that were measured at all.
    standings: dict[int, Standing]

    @property
    def best(self) -> int | None:
        """The place of the best setting; None before there is a whole round."""
        return next((place for place, standing in self.standings.items() if standing.place is Place.BEST), None)

    @property
    def leaders(self) -> list[int]:
        """The best and those that the noise does not tell from it, in the order of the settings."""
        return [n for n, standing in self.standings.items() if standing.place in (Place.BEST, Place.NOISE)]

    @property
    def clear(self) -> bool:
        return self.rounds >= FEWEST and all(standing.settled for standing in self.standings.values())


def is_settled(verdicts: Sequence[Verdict]) -> bool:
    """Whether the answer has become clear, by the verdicts after each round."""
    last = verdicts[-CALM:]
    return len(last) == CALM and all(each.clear and each.leaders == last[0].leaders for each in last)


def verdict(rounds: Sequence[Mapping[int, Sample]], count: int, seed: int) -> Verdict:
    """What rounds over `count` settings say; the last round may lack some. The same seed gives the same intervals."""
    whole = [samples for samples in rounds if len(samples) == count]
    failing = _failing(whole, count)
    best = _best(whole, [place for place in range(count) if place not in failing])
    random = Random(seed)
    standings = {}
    for place in range(count):
        if samples := [each[place] for each in rounds if place in each]:
            ratio = None if best in (None, place) else _ratio(whole, place, best, random)
            where = Place.BEST if place == best else Place.FAILS if place in failing else _behind(ratio)
            standings[place] = _standing(where, samples, ratio, random)
    return Verdict(len(whole), standings)


def interval(draw: Callable[[], float]) -> tuple[float, float]:
    """Where 95 % of the bootstrap samples of a figure lie; `draw` gives one."""
    drawn = sorted(draw() for _ in range(RESAMPLES))
    return drawn[TAIL], drawn[-1 - TAIL]


def figure(values: Sequence[float], random: Random) -> Figure:
    """The median of some values."""
    return Figure(median(values), *interval(lambda: resampled(values, random)))


def resampled(values: Sequence[float], random: Random) -> float:
    """The median of as many values, drawn by chance and put back."""
    return median(random.choices(values, k=len(values)))


def _failing(whole: Sequence[Mapping[int, Sample]], count: int) -> set[int]:
    """Settings with which more mailboxes fail than with some other one: as a rule, not once by chance."""
    if not whole:
        return set()
    failed = [median_low([samples[place].failed for samples in whole]) for place in range(count)]
    return {place for place in range(count) if failed[place] > min(failed)}


def _best(whole: Sequence[Mapping[int, Sample]], places: Sequence[int]) -> int | None:
    """The setting that is quickest as a rule, by its share of the mean of each round."""
    if not whole:
        return None
    means = [geometric_mean(sample.wall for sample in samples.values()) for samples in whole]
    return min(
        places,
        key=lambda place: median(samples[place].wall / mean for samples, mean in zip(whole, means, strict=True)),
    )


def _ratio(whole: Sequence[Mapping[int, Sample]], place: int, best: int, random: Random) -> Figure:
    return figure([samples[place].wall / samples[best].wall for samples in whole], random)


def _behind(ratio: Figure | None) -> Place:
    if ratio is None:
        return Place.UNKNOWN
    return Place.SLOWER if ratio.low > 1 else Place.NOISE


def _standing(place: Place, samples: Sequence[Sample], ratio: Figure | None, random: Random) -> Standing:
    return Standing(
        place,
        wall=figure([sample.wall for sample in samples], random),
        cpu=median(sample.cpu for sample in samples),
        first=median(sample.first for sample in samples),
        peak=median(sample.peak for sample in samples),
        rate=median(sample.mailboxes / sample.wall for sample in samples),
        failed=max(sample.failed for sample in samples),
        ratio=ratio,
    )
