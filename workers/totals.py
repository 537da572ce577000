"""Totals: how the results of many mailboxes become one, by sums or by the merge function that a job brings.

The fold runs in the worker, over the results of a frame, and again in the parent, over the folds of the frames; so it
must not matter in which order or grouping it is done.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_NUMBERS = (int, float)

#: The fold of no results: adding it changes nothing.
NOTHING = None


def fold(results: Sequence[object]) -> object:
    """The sum of results: numbers (True counts as 1) are added, objects field by field.

    What has no sum (text, lists, dates) is left out, and so are numbers that stand beside objects. The fold of nothing,
    and of results that have no sum, is None.
    """
    try:
        return sum(results) if results else NOTHING  # type: ignore[arg-type]  # all numbers: at the speed of C
    except TypeError:
        alike = _fold_alike(results)
        return _fold_one_by_one(results) if alike is None else alike


def add(total: object, result: object) -> object:
    """The sum of two results or totals. `total` is given up by the caller; it may come back changed."""
    if isinstance(result, dict):
        return _add_fields(total if isinstance(total, dict) else {}, result)
    if isinstance(total, dict) or not isinstance(result, _NUMBERS):
        return total
    return total + result if isinstance(total, _NUMBERS) else result


def _fold_alike(results: Sequence[Any]) -> dict[Any, Any] | None:
    """The fold of objects with the same fields, a field at a time: that takes a third of the time. None for others."""
    if set(map(type, results)) != {dict} or sum(map(len, results)) != len(results[0]) * len(results):
        return None
    total: dict[Any, Any] = {}
    try:
        for name, first in results[0].items():
            values = map(itemgetter(name), results)
            if isinstance(first, _NUMBERS):
                total[name] = sum(values)
            elif any(issubclass(kind, _NUMBERS) for kind in set(map(type, values))):
                return None
    except (KeyError, TypeError):  # a field that another one lacks, or where it has no number
        return None
    return total


def _fold_one_by_one(results: Sequence[object]) -> object:
    total: object = NOTHING
    for result in results:
        total = add(total, result)
    return total


def _add_fields(total: dict[Any, Any], result: dict[Any, Any]) -> dict[Any, Any]:
    for name, value in result.items():
        if isinstance(value, _NUMBERS):
            total[name] = total.get(name, 0) + value
    return total


class Split:
    """A result in two: what the mailbox's record tells, and what is merged into the totals, and stands in no record."""

    __slots__ = ("merged", "told")

    def __init__(self, *, told: object, merged: object) -> None:
        self.told = told
        self.merged = merged


def written(value: object) -> object:
    """What is written of a result that JSON has no form for. Raises TypeError where that is nothing."""
    if isinstance(value, Split):
        return value.told
    raise TypeError(f"{type(value).__name__} has no form in JSON")


class Totals(NamedTuple):
    """How results become totals."""

    #: The total of some results; NOTHING for none.
    fold: Callable[[Sequence[object]], object]
    #: The total of two of them. The first is given up by the caller.
    add: Callable[[object, object], object]
    #: What people read of a total.
    told: Callable[[Any], object]


def _itself(total: object) -> object:
    return total


SUMS = Totals(fold, add, _itself)


def merging(merge: Callable[[Any, Any], object], conclude: Callable[[Any], object] | None = None) -> Totals:
    """Totals by a merge function, which is associative and commutative, and leaves what it is given as it is.

    NOTHING is its identity: it is never called with that. `conclude` makes of what was merged what people read.
    """

    def add_merged(total: object, other: object) -> object:
        return other if total is NOTHING else total if other is NOTHING else merge(total, other)

    def fold_merged(results: Sequence[object]) -> object:
        total: object = NOTHING
        for result in results:
            total = add_merged(total, result.merged if isinstance(result, Split) else result)
        return total

    def told(total: object) -> object:
        return conclude(total) if conclude and total is not NOTHING else total

    return Totals(fold_merged, add_merged, told)
