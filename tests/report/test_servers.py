"""A report of a run over several servers: what each of them came to, and that a name alone may be on each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fanout.by_server import OnServer
from fanout.lives import Life
from fanout.outcomes import Outcome
from fanout.report.axis import Axis, Span
from fanout.report.heading import Part, Settled, parts, rate
from fanout.report.lanes import MOST_LANES, Workers
from fanout.report.servers import HEIGHT, Course, Row, Servers
from fanout.runfile import RunFile
from tests.report.runs import DENIED, HOSTILE, census
from tests.report.several import KINDS, Several, both_done, many, one_given_up, one_unlisted
from tests.report.test_page import Parsed, page_of, text_of
from tests.test_cli import fanout

#: Forty seconds in buckets of half a second.
AXIS = Axis([Span(0.0, 40.0)])


def outcome(server: str | None, *, ok: bool = True) -> Outcome:
    return Outcome("anna", ok, error=None if ok else DENIED, server=server)


# --- the rows ----------------------------------------------------------------------------------------------------------


def test_each_server_has_its_counts_its_pace_its_causes_and_its_course() -> None:
    servers = Servers(AXIS)
    servers.add(0.1, [outcome("a")] * 4)
    servers.add(0.6, [outcome("a"), outcome("a", ok=False)])
    servers.add(0.1, [outcome("b")])

    first, second = servers.rows([OnServer("a", 10, 5, 1), OnServer("b", 1, 1)], {"a": 3.0, "b": 0.5})

    assert first == Row(
        "a",
        Settled(5, 1, 10),
        "2 a second",
        "3 s",
        "1 denied",
        [Part("done", 50, "5 done, 50 %"), Part("failed", 10, "1 failed, 10 %")],
        Course(
            AXIS.buckets,
            f"M0 {HEIGHT}V0H1V{HEIGHT // 2}H2V{HEIGHT}H{AXIS.buckets}V{HEIGHT}Z",
            f"M0 {HEIGHT}V0H1V19.5H2V{HEIGHT}H{AXIS.buckets}V{HEIGHT}Z",
        ),
    )
    assert (second.settled, second.rate, second.time) == (Settled(1, 0, 1), "2 a second", "500 ms")


def test_a_server_that_is_not_listed_has_nothing_but_its_name() -> None:
    assert Servers(AXIS).rows([OnServer("a", None)], {"a": 3.0}) == [Row("a", None, "", "", "", [], None)]


def test_a_server_that_nobody_worked_on_has_no_pace_and_no_course() -> None:
    (row,) = Servers(AXIS).rows([OnServer("a", 10)], {})

    assert (row.settled, row.rate, row.time, row.course) == (Settled(0, 0, 10), "none", "", None)


def test_outcomes_of_a_run_over_one_server_are_none_of_several() -> None:
    servers = Servers(AXIS)
    servers.add(0.1, [outcome(None)])

    assert servers.rows([], {}) == []


def test_one_mailbox_among_thousands_is_seen_in_the_course() -> None:
    servers = Servers(AXIS)
    servers.add(0.1, [outcome("a")] * 9000)
    servers.add(39.9, [outcome("a")])
    (row,) = servers.rows([OnServer("a", 9001, 9001)], {"a": 4.0})

    assert row.course is not None
    assert row.course.done.endswith(f"V{HEIGHT - 1}H{AXIS.buckets}V{HEIGHT}Z")


def test_what_nobody_knows_has_a_part_of_the_bar_that_is_never_filled() -> None:
    known = parts(Settled(30, 0, 30))
    partly = parts(Settled(30, 0, 30, unlisted=1))

    assert known == [Part("done", 100, "30 done, 100 %")]
    assert partly == [
        Part("done", 85, "30 done, 100 % of those known"),
        Part("unknown", 15, "1 server not listed: nobody knows how many mailboxes"),
    ]
    assert parts(Settled(0, 0, 0, unlisted=2)) == [
        Part("unknown", 15, "2 servers not listed: nobody knows how many mailboxes")
    ]


@pytest.mark.parametrize(
    ("settled", "worked", "told"), [(7, 2.0, ("3.5", "a second")), (3, 60.0, ("3", "a minute")), (0, 9.0, ("none", ""))]
)
def test_a_rate_is_told_by_the_least_time_in_which_there_is_one(
    settled: int, worked: float, told: tuple[str, str]
) -> None:
    assert rate(settled, worked) == told


def test_the_workers_of_a_server_stand_together_and_name_it() -> None:
    workers = Workers(AXIS, at_a_time=1, servers=["a", "b"])
    for worker in range(4):
        workers.add(worker, at=1.0, spent=0.5, done=worker, failed=0)
    drawn = workers.draw([Life(n + 1, 1, n, 0.0, 100 + n, 4.0, "SIGSEGV") for n in range(4)])

    assert [(lane.name, lane.y) for lane in drawn.lanes] == [("1", 0), ("3", 24), ("2", 56), ("4", 80)]
    assert drawn.height == 104
    assert drawn.lanes[2].lives[0].title.startswith("worker 2 of b, process 101: ")
    assert drawn.lanes[2].deaths[0].title.endswith(": worker 2 of b, process 101, ended by SIGSEGV")
    assert drawn.table.head == ("worker", "done", "failed", "processes", "died", "server")
    assert [row[-1] for row in drawn.table.rows] == ["a", "b", "a", "b"]
    assert drawn.notes == ["Workers of one server stand together, in the order of the servers above."]


def test_the_workers_of_a_server_are_drawn_though_the_numbers_of_others_are_missing() -> None:
    workers = Workers(AXIS, at_a_time=1, servers=["a", "b", "c"])
    numbers = [3 * turn + 1 for turn in range(MOST_LANES)]
    for worker in numbers:
        workers.add(worker, at=1.0, spent=1.0, done=1, failed=0)
    drawn = workers.draw([Life(n + 1, 1, n, 0.0, 100 + n, 4.0, "SIGSEGV") for n in numbers])

    assert len(drawn.lanes) == MOST_LANES
    assert all(lane.work for lane in drawn.lanes)


# --- the page ----------------------------------------------------------------------------------------------------------


def test_a_page_tells_what_each_server_came_to_and_that_workers_are_those_of_each(tmp_path: Path) -> None:
    text = text_of(page_of(both_done(tmp_path / "run.fanout")))

    assert "census 2 servers 25 November 2026, 14:00 UTC Finished, some failed 58 done, 2 failed, of 60" in text
    assert "workers 2 for each server" in text
    assert "done failed left of rate time sim:40 40 0 0 40 4 a second 10 s" in text
    assert "sim:20?seed=2 1 denied, 1 unreachable 18 2 0 20 5 a second 4 s" in text
    assert "server sim:40 server sim:20?seed=2 roster 60 mailboxes" in text


def test_a_run_with_a_server_that_was_not_listed_is_not_complete(tmp_path: Path) -> None:
    path = one_unlisted(tmp_path / "run.fanout")
    text = text_of(page_of(path))

    assert "Stopped early: 1 of 2 servers given up: imaps://down.example (not listed): Connection refused" in text
    assert "40 done, 0 failed, of 40 that are known; those of 1 of 2 servers are not" in text
    assert "done 40 100 % of those known failed 0 0 % of those known" in text
    assert "imaps://down.example not listed yet: nobody knows its mailboxes, and none of them was visited" in text
    assert f"To go on with it: fanout resume {path}" in text


def test_a_server_that_was_given_up_has_mailboxes_left_and_its_own_time(tmp_path: Path) -> None:
    text = text_of(page_of(one_given_up(tmp_path / "run.fanout")))

    assert "imaps://gone.example 1 unreachable 5 1 14 20 2 a second 3 s" in text
    assert "sim:40 40 0 0 40 4 a second 10 s" in text


def test_the_time_of_a_server_is_that_of_its_own_workers_over_all_sittings(tmp_path: Path) -> None:
    path = one_given_up(tmp_path / "run.fanout")
    with RunFile.open(path) as file:
        worked = file.retrospect.worked_on(["sim:40", "imaps://gone.example"])
        both = file.retrospect.worked()

    assert {server: [ended - begun for begun, ended in spans] for server, spans in worked.items()} == {
        "sim:40": [10],
        "imaps://gone.example": [3],
    }
    assert [ended - begun for begun, ended in both] == [10]


@pytest.mark.parametrize("make", KINDS)
def test_the_page_of_a_run_over_several_servers_is_whole_and_of_a_size(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    page = page_of(make(tmp_path / "run.fanout"))

    assert Parsed(page).links in (["data:,"], ["data:,", "#failures"])
    assert len(page) < 150_000


def test_no_name_of_a_server_becomes_part_of_the_page(tmp_path: Path) -> None:
    made = Several(tmp_path / "run.fanout", {HOSTILE[0]: 1, HOSTILE[1]: 1, HOSTILE[3]: None, HOSTILE[5]: 1})
    made.life(0, 0, 10, HOSTILE[2])
    made.done(0, census(1), at=1)
    page = page_of(made.close(stopped_by=HOSTILE[4]))
    harmless = Parsed(page_of(many(tmp_path / "harmless.fanout")))

    assert Parsed(page).elements <= harmless.elements
    assert Parsed(page).attributes <= harmless.attributes
    assert not set(page) & set("\u202e\u2066\x00\x1b")


def test_a_title_names_how_many_servers_there_are_rather_than_all_of_them(tmp_path: Path) -> None:
    page = page_of(many(tmp_path / "run.fanout"))

    assert "<title>census · 12 servers · 5,549 done, 218 failed, of 5,830 that are known;" in page


@pytest.mark.spawns
def test_rankings_name_a_mailbox_with_its_server(tmp_path: Path) -> None:
    servers = ("--server", "sim:2", "--server", "sim:1?seed=2")
    fanout(tmp_path, "run", "census", *servers, "-w", "1", "-q", "--run-file", "r.fanout")

    fanout(tmp_path, "report", "r.fanout", "-o", "r.html")

    page = (tmp_path / "r.html").read_text()
    for name in ("u00000000@sim.example on sim:2<", "u00000000@sim.example on sim:1?seed=2<"):
        assert page.count(name) == 2, "among the largest mailboxes, and among the slowest"
