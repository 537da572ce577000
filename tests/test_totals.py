from __future__ import annotations

import copy
from functools import reduce

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.totals import NOTHING, add, fold

NUMBERS = st.integers(-(2**40), 2**40) | st.booleans()
NO_NUMBERS = st.none() | st.text(max_size=3) | st.lists(st.integers(), max_size=2)
OBJECTS = st.dictionaries(st.sampled_from(["folders", "messages", "bytes"]), NUMBERS | NO_NUMBERS)
RESULTS = st.lists(NUMBERS | NO_NUMBERS | OBJECTS, max_size=12)


@settings(derandomize=True, deadline=None)
@given(results=RESULTS, data=st.data())
def test_the_fold_does_not_depend_on_grouping_or_order(results: list[object], data: st.DataObject) -> None:
    mixed = data.draw(st.permutations(results))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(results)), max_size=4)))
    frames = [mixed[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(mixed)], strict=True)]

    total = reduce(add, map(fold, frames), NOTHING)

    assert total == fold(results)


ALIKE = st.fixed_dictionaries({"folders": NUMBERS, "bytes": NUMBERS | NO_NUMBERS, "newest": NO_NUMBERS | NUMBERS})


@settings(derandomize=True, deadline=None)
@given(results=st.lists(ALIKE, min_size=1, max_size=4) | st.lists(OBJECTS, min_size=1, max_size=3))
def test_objects_are_folded_alike_field_by_field_and_one_by_one(results: list[object]) -> None:
    nothing: object = {}
    one_by_one = reduce(add, copy.deepcopy(results), nothing)

    assert fold(results) == one_by_one


@settings(derandomize=True, deadline=None)
@given(results=RESULTS)
def test_the_fold_leaves_the_results_as_they_are(results: list[object]) -> None:
    before = copy.deepcopy(results)

    total = reduce(add, map(fold, (results, results)), NOTHING)

    assert results == before
    assert not any(result is total for result in results if isinstance(result, dict))


@settings(derandomize=True, deadline=None)
@given(results=RESULTS)
def test_adding_nothing_changes_nothing(results: list[object]) -> None:
    assert add(fold(results), NOTHING) == fold(results)
    assert add(NOTHING, fold(results)) == fold(results)


@pytest.mark.parametrize(
    ("results", "total"),
    [
        ([], NOTHING),
        ([1, 2, 3], 6),
        ([0.5, 1], 1.5),
        ([True, False, True], 2),
        (["a", "b"], NOTHING),
        ([None, None], NOTHING),
        ([[1], [2]], NOTHING),
        ([1, "a", 2], 3),
        ([{"a": 1}, {"a": 2, "b": 3}], {"a": 3, "b": 3}),
        ([{"a": 1, "newest": "2001-11-12"}], {"a": 1}),
        ([{"newest": "2001-11-12"}], {}),
        ([{"deep": {"a": 1}, "rows": [1]}], {}),
        ([5, {"a": 1}, 5], {"a": 1}),
    ],
    ids=repr,
)
def test_numbers_are_added_and_what_has_no_sum_is_left_out(results: list[object], total: object) -> None:
    assert fold(results) == total
