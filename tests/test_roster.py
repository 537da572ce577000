from __future__ import annotations

from collections import deque
from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanout.roster import Choice, Leg, Roster, Shard, Sharing
from workers.messages import Names

NAMES = [f"user{number:03}@example.org" for number in range(300)]
SOME_NAMES = st.lists(st.text(st.characters(codec="utf-8"), max_size=8), unique=True, max_size=40)


def chosen(choice: Choice) -> list[str]:
    return list(choice.of(NAMES))


def shared(shard: Shard, names: list[str]) -> list[str]:
    return [name for _, name in Sharing(shard).of(names)]


# choices


def test_without_a_choice_every_name_is_wanted_in_its_order() -> None:
    assert list(Choice().of(reversed(NAMES))) == NAMES[::-1]


def test_patterns_are_shell_patterns_without_regard_to_case() -> None:
    names = ["Anna@Example.org", "berta@example.org", "BERT@example.com"]

    assert list(Choice(include=("BER*",)).of(names)) == ["berta@example.org", "BERT@example.com"]
    assert list(Choice(include=("*.ORG",)).of(names)) == ["Anna@Example.org", "berta@example.org"]
    assert list(Choice(include=("[A-B]nna*", "bert?@*")).of(names)) == ["Anna@Example.org", "berta@example.org"]


def test_a_pattern_must_fit_the_whole_name() -> None:
    assert list(Choice(include=("anna",)).of(["anna", "anna2", "hanna"])) == ["anna"]


def test_a_name_that_is_excluded_is_out_even_where_it_is_included() -> None:
    assert chosen(Choice(include=("user00*",), exclude=("*[1-9]@*",))) == ["user000@example.org"]


@pytest.mark.parametrize("parts", [1, 2, 7])
def test_shards_are_disjoint_complete_and_in_order(parts: int) -> None:
    shards = [shared(Shard((part,), parts), NAMES) for part in range(1, parts + 1)]

    assert sorted(name for shard in shards for name in shard) == NAMES
    assert all(shard == sorted(shard) and shard for shard in shards)


def test_a_name_stays_in_its_shard_whatever_stands_beside_it() -> None:
    shard = Shard((2,), 3)

    assert set(shared(shard, NAMES[::5])) == set(shared(shard, NAMES)) & set(NAMES[::5])


def test_shards_are_the_same_on_every_machine() -> None:
    names = ["anna", "berta", "clara", "dora", "emil", "fritz"]

    assert list(Sharing(Shard((1,), 3)).of(names)) == [(0, "anna"), (4, "emil")]


def test_several_shards_are_those_of_each_in_the_order_of_the_whole() -> None:
    assert shared(Shard((1, 3), 3), NAMES) == sorted(shared(Shard((1,), 3), NAMES) + shared(Shard((3,), 3), NAMES))


def test_shards_tell_the_same_of_the_whole_that_they_are_taken_of() -> None:
    sharings = [Sharing(Shard((part,), 2)) for part in (1, 2)]
    for sharing in sharings:
        deque(sharing.of(NAMES), maxlen=0)

    wholes = [sharing.whole for sharing in sharings]
    assert wholes[0] == wholes[1]
    assert wholes[0].count == len(NAMES)
    assert wholes[0].digest == sha256("".join(f"{name}\n" for name in NAMES).encode()).hexdigest()


def test_what_is_chosen_is_shared_and_not_a_share_chosen_from() -> None:
    halves = [list(Choice(limit=20, shard=Shard((part,), 2)).here(NAMES)) for part in (1, 2)]

    assert sorted(name for half in halves for name in half) == NAMES[:20]
    assert list(Choice(limit=20).here(NAMES)) == NAMES[:20]


def test_several_listings_are_shared_as_if_they_were_one() -> None:
    at_once, one_by_one = Sharing(Shard((1,), 2)), Sharing(Shard((1,), 2))

    placed = list(at_once.of(NAMES))

    assert [*one_by_one.of(NAMES[:100]), *one_by_one.of(NAMES[100:])] == placed
    assert one_by_one.whole == at_once.whole


def test_a_mailbox_is_on_the_server_in_whose_leg_it_is() -> None:
    legs = (Leg("a:", 0, 2, ""), Leg("b:", 2, 0, ""), Leg("c:", 2, 3, ""))
    roster = Roster(5, "a list", lambda ordinals: NAMES[ordinals.start : ordinals.stop], numbered=False, legs=legs)

    assert [roster.server(ordinal) for ordinal in range(5)] == ["a:", "a:", "c:", "c:", "c:"]
    assert replace(roster, legs=()).server(0) is None


def test_a_sample_is_always_the_same_and_in_the_order_of_the_roster() -> None:
    sample = chosen(Choice(sample=20))

    assert sample == chosen(Choice(sample=20)) == sorted(sample)
    assert len(set(sample)) == 20


def test_a_sample_does_not_depend_on_the_order_of_the_roster() -> None:
    assert list(Choice(sample=20).of(NAMES[::-1])) == chosen(Choice(sample=20))[::-1]


def test_a_larger_sample_holds_the_smaller_one() -> None:
    assert set(chosen(Choice(sample=10))) < set(chosen(Choice(sample=30)))


def test_a_sample_larger_than_the_roster_is_the_roster() -> None:
    assert chosen(Choice(sample=1000)) == NAMES


def test_samples_are_the_same_on_every_machine() -> None:
    names = ["anna", "berta", "clara", "dora", "emil", "fritz"]

    assert list(Choice(sample=2).of(names)) == ["berta", "emil"]


def test_a_limit_takes_the_first_of_what_is_left() -> None:
    assert chosen(Choice(include=("*5@*",), limit=2)) == ["user005@example.org", "user015@example.org"]
    assert chosen(Choice(sample=20, limit=3)) == chosen(Choice(sample=20))[:3]


def test_a_limit_reads_no_further_than_it_must() -> None:
    names = iter(NAMES)

    assert list(Choice(limit=2).of(names)) == NAMES[:2]
    assert next(names) == NAMES[2]


@settings(derandomize=True, deadline=None)
@given(names=SOME_NAMES, sample=st.none() | st.integers(1, 9), limit=st.none() | st.integers(1, 9))
def test_a_choice_keeps_the_order_and_invents_nothing(names: list[str], sample: int | None, limit: int | None) -> None:
    left = list(Choice(sample=sample, limit=limit).of(names))

    assert left == [name for name in names if name in left]
    assert len(left) == min(len(names), sample or len(names), limit or len(names))


@pytest.mark.parametrize(("limit", "count"), [(None, 300), (200, 200), (400, 300)])
def test_a_limit_alone_is_counted_and_no_name_is_asked_for(limit: int | None, count: int) -> None:
    choice = Choice(limit=limit)

    assert (choice.by_name, choice.names, choice.of_count(300)) == (False, Names.UNNUMBERED, count)


@pytest.mark.parametrize(
    "choice", [Choice(include=("*",)), Choice(exclude=("a",)), Choice(shard=Shard((1,), 1)), Choice(sample=3)], ids=repr
)
def test_what_looks_at_names_asks_for_all_of_them(choice: Choice) -> None:
    assert (choice.by_name, choice.names) == (True, Names.ALL)


def test_a_roster_knows_the_name_of_an_ordinal() -> None:
    roster = Roster(300, "a list", lambda ordinals: NAMES[ordinals.start : ordinals.stop], numbered=False)

    assert roster.name(299) == "user299@example.org"
