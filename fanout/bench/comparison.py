"""Two benches of the same work, of two days or two states of the code: what got faster or slower beyond the noise. Pure.

The samples of one bench have no partners in the other, so it is the medians that are compared, and both are resampled. What
changed on the machine between the two counts as well: the interval knows the noise within each, not from day to day.
"""

from __future__ import annotations

from enum import StrEnum
from random import Random
from statistics import median
from typing import TYPE_CHECKING

import msgspec

from fanout.bench.settings import Setting
from fanout.bench.verdict import Figure, interval, resampled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fanout.bench.document import Document, Subject


class Way(StrEnum):
    """Where a change goes."""

    FASTER = "faster"
    SLOWER = "slower"
    #: No change that rises above the noise.
    NOISE = "noise"


class Change(msgspec.Struct, frozen=True):
    """One setting, before and after: medians of the wall time, and their ratio."""

    setting: Setting
    before: float
    after: float
    ratio: Figure

    @property
    def way(self) -> Way:
        if self.ratio.high < 1:
            return Way.FASTER
        return Way.SLOWER if self.ratio.low > 1 else Way.NOISE


def changes(before: Document, after: Document) -> list[Change]:
    """What became of each setting that both have measured, in the order of the first."""
    random, walls = Random(after.seed), _walls(after)
    return [
        _change(setting, old, walls[setting], random) for setting, old in _walls(before).items() if setting in walls
    ]


def left_out(before: Document, after: Document) -> tuple[list[Setting], list[Setting]]:
    """Settings that only the first, and only the second has measured."""
    old, new = _walls(before), _walls(after)
    return [each for each in old if each not in new], [each for each in new if each not in old]


def other_work(before: Subject, after: Subject) -> Iterator[str]:
    """In what the work of two benches differs, so that their times can't be compared."""
    for name in ("job", "options", "server", "mailboxes"):
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            yield f"{name} {_shown(old)} and {_shown(new)}"


def other_circumstances(before: Document, after: Document) -> Iterator[str]:
    """What else differs, and may be what made the difference."""
    pairs = [
        *((name, getattr(before.host, name), getattr(after.host, name)) for name in before.host.__struct_fields__),
        *(
            (name, before.versions.get(name), after.versions.get(name))
            for name in sorted({*before.versions, *after.versions})
        ),
        ("the names of the mailboxes", before.subject.names, after.subject.names),
        ("the code of the job", before.subject.code, after.subject.code),
        ("the code of fanout", before.code, after.code),
    ]
    for name, old, new in pairs:
        if old != new:
            yield f"{name.replace('_', ' ')}: {_shown(old)}, then {_shown(new)}"


def _walls(document: Document) -> dict[Setting, list[float]]:
    walls: dict[Setting, list[float]] = {}
    for place, setting in enumerate(document.settings):
        if found := [samples[place].wall for samples in document.rounds if place in samples]:
            walls[setting] = found
    return walls


def _change(setting: Setting, old: Sequence[float], new: Sequence[float], random: Random) -> Change:
    low, high = interval(lambda: resampled(new, random) / resampled(old, random))
    ratio = median(new) / median(old)
    return Change(setting, median(old), median(new), Figure(ratio, low, high))


def _shown(value: object) -> str:
    """A value in a sentence; of a digest the beginning."""
    text = str(value)
    return text[:12] if len(text) == 64 else text
