"""What results come to, on plain values."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanout.report.charts import Chart
from fanout.report.ranking import Largest, Ranking, Row
from fanout.report.results import MOST_FIELDS, MOST_TEXTS, Figure, Paths, findings_of, sums_in_words
from fanout.report.units import count
from tests.report.runs import census
from workers.jobs import BUILT_IN

MESSAGE = {
    "folder": "Inbox",
    "subject": "budget",
    "sender": "a@b",
    "received": "2026-01-31T10:00:00+00:00",
    "size": 4096,
}

json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5) | st.sampled_from(sorted(MESSAGE)), inner)
    ),
    max_leaves=10,
)


def found(job: str, results: list[Any], totals: object = None, **options: Any) -> list[Figure]:  # noqa: ANN401
    findings = findings_of(job, options, totals)
    for number, result in enumerate(results):
        for finding in findings:
            finding.add(f"u{number}", result)
    return [figure for finding in findings for figure in finding.figures()]


def titles(figures: list[Figure]) -> list[str]:
    return [figure.title for figure in figures]


def test_a_census_shows_mailboxes_by_size_folders_and_messages_and_the_largest() -> None:
    figures = found("census", census(50))

    assert titles(figures) == [
        "Mailboxes by folders",
        "Mailboxes by messages",
        "Mailboxes by size",
        "The largest mailboxes",
    ]
    assert isinstance(figures[3], Ranking)
    assert figures[3].rows[0] == Row(["u48"], "931 MiB", 100)


def test_a_quota_marks_its_limit_and_ranks_who_is_furthest_over_it() -> None:
    results = [
        {"bytes": 2**number, "over": int(number > 20), "bytes_over": max(0, 2**number - 2**20)}
        for number in range(10, 24)
    ]
    chart, ranking = found("quota", results, limit=2**20)

    assert isinstance(chart, Chart)
    assert isinstance(ranking, Ranking)
    assert "limit 1 MiB" in [flag.text for flag in chart.flags]
    assert [row.cells for row in ranking.rows] == [["u13"], ["u12"], ["u11"]]


def test_the_largest_messages_are_ranked_over_all_mailboxes() -> None:
    figures = found("largest", [[MESSAGE], [MESSAGE | {"size": 2**20, "received": "2025-01-31T10:00:00Z"}], []])

    assert titles(figures) == ["Messages by size", "Messages by year", "The largest messages"]
    assert isinstance(figures[2], Ranking)
    assert figures[2].rows[0].cells == ["budget", "a@b", "u1", "Inbox", "2025-01-31"]


def test_a_search_shows_how_much_was_found_where() -> None:
    assert titles(found("search", [[MESSAGE], [], []])) == [
        "Mailboxes by messages found",
        "Messages by size",
        "The largest messages found",
    ]


def test_senders_are_ranked_by_the_totals_of_all_mailboxes() -> None:
    totals = {f"s{number}@example.com": number for number in range(1, 31)}
    ranking, chart = found("senders", [{"s1@example.com": 1}, {}], totals)

    assert isinstance(ranking, Ranking)
    assert [row.cells for row in ranking.rows][:2] == [["s30@example.com"], ["s29@example.com"]]
    assert ranking.note == "and 20 more"
    assert chart.title == "Mailboxes by number of senders"


def test_folders_are_added_up_by_their_paths() -> None:
    figures = found("folders", [[{"path": "Inbox", "messages": 3, "bytes": 1}], [{"path": "Inbox", "messages": 4}]])

    assert titles(figures) == ["Folders with most messages, over all mailboxes", "Mailboxes by folders"]
    assert isinstance(figures[0], Ranking)
    assert [(row.cells, row.value) for row in figures[0].rows] == [(["Inbox", "2"], "7")]


def test_of_very_many_paths_those_with_most_messages_are_kept() -> None:
    paths = Paths()
    for number in range(3 * MOST_TEXTS):
        paths.add("u", [{"path": f"folder {number}", "messages": 1}, {"path": "Inbox", "messages": 1}])
    (ranking,) = paths.figures()

    assert isinstance(ranking, Ranking)
    assert (ranking.rows[0].cells[0], ranking.rows[0].value) == ("Inbox", f"{3 * MOST_TEXTS:,}")


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ([1, 2.5], ["Mailboxes by result"]),
        (["a", "b", "a"], ["What was returned"]),
        ([True, None], ["What was returned"]),
        ([[1, 2], []], ["Mailboxes by rows found"]),
        ([{"a": 1, "b": "text", "c": True}], ["Mailboxes by a"]),
        ([{}], []),
        ([], []),
    ],
)
def test_of_a_job_of_ones_own_what_can_be_counted_is_shown(results: list[Any], expected: list[str]) -> None:
    assert titles(found("a job of one's own", results)) == expected


def test_of_objects_with_many_numbers_the_first_are_shown() -> None:
    assert len(found("own", [{f"field {number}": number for number in range(100)}])) == MOST_FIELDS


@pytest.mark.parametrize("job", sorted({*BUILT_IN, "duplicates", "own"}))
@settings(max_examples=30)
@given(results=st.lists(json, max_size=5), totals=json)
def test_whatever_a_job_returned_something_is_made_of_it(job: str, results: list[Any], totals: object) -> None:
    for figure in found(job, results, totals):
        assert figure.columns if isinstance(figure, Chart) else figure.rows


def test_the_largest_are_kept_and_of_equals_the_first() -> None:
    largest = Largest(3)
    for value, name in [(1, "a"), (5, "b"), (5, "c"), (3, "d"), (3, "e"), (0, "f")]:
        largest.add(value, [name])

    assert [(row.cells, row.value, row.share) for row in largest.rows(count)] == [
        (["b"], "5", 100),
        (["c"], "5", 100),
        (["d"], "3", 60),
    ]


def test_a_limit_beyond_what_there_is_is_told_beside_the_chart() -> None:
    (chart,) = found("quota", [{"bytes": 5000}, {"bytes": 7000}])

    assert isinstance(chart, Chart)
    assert chart.counted == "mailboxes; limit 1 GiB"


def test_duplicates_rank_the_messages_with_most_copies_and_say_when_they_are_estimated() -> None:
    top = [{"copies": 3, "mailboxes": 9, "bytes": 4096, "subject": "budget", "message_id": "<a@b>", "in": ["u1", "u2"]}]
    results = [{"messages": 4, "duplicates": 2, "duplicate_bytes": 2048, "looked_at": 1.0}]
    *charts, copies, mailboxes = found("duplicates", results, {"duplicates": 5, "looked_at": 0.25, "top": top})

    assert titles(charts) == ["Mailboxes by duplicates", "Mailboxes by size of duplicates"]
    assert isinstance(copies, Ranking)
    assert (copies.rows, copies.note) == (
        [Row(["budget", "u1, u2", "4 KiB"], "3", 100)],
        "estimated from 25 % of the messages",
    )
    assert isinstance(mailboxes, Ranking)
    assert mailboxes.rows == [Row(["u0"], "2 KiB", 100)]


@pytest.mark.parametrize(
    ("totals", "words"),
    [
        ({"messages": 1234, "bytes": 4096}, "1,234 messages, 4 KiB"),
        ({"over": 3, "bytes_over": 4096}, "3 mailboxes over the limit, 4 KiB over it"),
        ({"duplicates": 3, "looked_at": 1.0, "top": [{}]}, "3 duplicates"),
        ({f"s{number}@example.com": 1 for number in range(100)}, ""),
        ([1], ""),
        (None, ""),
    ],
)
def test_sums_are_told_with_what_was_summed_up(totals: object, words: str) -> None:
    assert sums_in_words(totals) == words
