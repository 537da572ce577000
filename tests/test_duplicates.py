"""The job `duplicates`: the same answer as by counting, whatever the order and grouping, in bounded memory."""

from __future__ import annotations

from collections import Counter
from functools import reduce
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.test_jobs import FakeFolder, FakeMailbox, FakeMessage, day
from workers import jobs
from workers.jobs.duplicates import conclude, duplicates, merge

Mail = list[tuple[str, int]]

#: Mailboxes with the Message-ID and size of each of their messages.
MAILBOXES = st.lists(
    st.lists(st.tuples(st.sampled_from(["", *"abcdefghij"]), st.integers(1, 99)), max_size=8), min_size=1, max_size=5
)


def mailbox(name: str, mail: Mail) -> FakeMailbox:
    held = [FakeMessage(day(1), f"about {key}", "a@x", size, key) for key, size in mail]
    return FakeMailbox([FakeFolder("Inbox", len(held), newest_first=held)], address=name)


def seen(mailboxes: list[Mail], **options: int) -> list[dict[str, Any]]:
    results = [duplicates(mailbox(f"user{number}", mail), **options) for number, mail in enumerate(mailboxes)]
    return [result.merged for result in results]  # type: ignore[misc]


@settings(derandomize=True, deadline=None)
@given(mailboxes=MAILBOXES)
def test_the_totals_are_those_of_counting(mailboxes: list[Mail]) -> None:
    everything = [each for mail in mailboxes for each in mail if each[0]]
    copies = Counter(key for key, _ in everything)
    total = conclude(reduce(merge, seen(mailboxes)))

    assert total["messages"] == sum(map(len, mailboxes))
    assert total["without_id"] == total["messages"] - len(everything)
    assert total["duplicates"] == sum(number - 1 for number in copies.values())
    assert total["duplicate_bytes"] == sum(
        sum(size for each, size in everything if each == key) - max(size for each, size in everything if each == key)
        for key in copies
    )
    assert total["looked_at"] == 1.0
    assert {row["message_id"]: row["copies"] for row in total["top"]} == {k: n for k, n in copies.items() if n > 1}
    for row in total["top"]:
        holders = [f"user{number}" for number, mail in enumerate(mailboxes) if row["message_id"] in dict(mail)]
        assert (row["mailboxes"], row["in"]) == (len(holders), holders[:5])


@settings(derandomize=True, deadline=None)
@given(mailboxes=MAILBOXES, data=st.data(), sample=st.integers(2, 12))
def test_the_merge_does_not_depend_on_order_or_grouping(
    mailboxes: list[Mail], data: st.DataObject, sample: int
) -> None:
    parts = seen(mailboxes, sample=sample)
    mixed = data.draw(st.permutations(parts))
    cut = data.draw(st.integers(0, len(mixed)))
    groups = [reduce(merge, group) for group in (mixed[:cut], mixed[cut:]) if group]

    total = reduce(merge, groups)

    assert total == reduce(merge, parts)
    assert len(total["kept"]) <= sample


@settings(derandomize=True, deadline=None)
@given(mailboxes=MAILBOXES)
def test_the_merge_leaves_what_it_is_given_and_nothing_is_its_identity(mailboxes: list[Mail]) -> None:
    [nothing] = seen([[]])
    total = reduce(merge, seen(mailboxes))
    before = repr(total)

    assert merge(total, nothing) == merge(nothing, total) == total
    assert repr(total) == before


def test_of_more_messages_than_the_sample_it_is_estimated_and_says_so() -> None:
    mail = [[(f"<{number}@x>", 100) for number in range(4000)] for _ in range(2)]

    total = conclude(reduce(merge, seen(mail, sample=1000)))

    assert total["messages"] == 8000
    assert total["looked_at"] == pytest.approx(0.25, rel=0.1)
    assert total["duplicates"] == pytest.approx(4000, rel=0.1)
    assert total["duplicate_bytes"] == pytest.approx(400_000, rel=0.1)
    assert all(row["copies"] == 2 for row in total["top"])


def test_a_mailbox_is_told_of_by_numbers_alone() -> None:
    result: Any = duplicates(mailbox("anna", [("<1@x>", 5), ("<1@x>", 7), ("", 1)]))

    assert result.told == {
        "messages": 3,
        "bytes": 13,
        "without_id": 1,
        "duplicates": 1,
        "duplicate_bytes": 5,
        "looked_at": 1.0,
    }


def test_copies_in_one_mailbox_are_in_one_mailbox() -> None:
    total = conclude(reduce(merge, seen([[("<1@x>", 5), ("<1@x>", 7)], [("<1@x>", 6)]])))

    assert total["top"] == [
        {
            "copies": 3,
            "mailboxes": 2,
            "bytes": 18,
            "subject": "about <1@x>",
            "message_id": "<1@x>",
            "in": ["user0", "user1"],
        }
    ]


@pytest.mark.parametrize(("options", "words"), [({"sample": 1}, "sample=1: it is at least 2"), ({"top": -1}, "top=-1")])
def test_options_that_can_not_be_meant_are_named(options: dict[str, int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        jobs.check("duplicates", options)
