from __future__ import annotations

import io
import re
from xml.etree import ElementTree

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from fanout.drawing import FAILURES, drawing
from fanout.estimate import Estimate
from fanout.overview import Overview, Place, Trouble

MIB = 2**20

WORKERS = [
    Place(0, 4711, "ready", 1, 43 * MIB, "u00000123@sim.example", 2.0),
    Place(1, 4712, "ready", 8, 1300 * MIB, "zoë.von.und.zu.einem.sehr.langen.namen@organisation.example", 91.0),
    Place(2, None, "starting", 0, 0, None, None),
    Place(3, 4714, "leaving", 1, 40 * MIB, "u00000777@sim.example", 0.2),
]

FAILED = [
    Trouble("u00000999@sim.example", "missing", "no such mailbox"),
    Trouble("郵便箱@sim.example", "crash", "the worker died at this mailbox after 3.0 s, by SIGSEGV" * 3),
]

OVERVIEW = Overview(
    "census",
    "sim:100000?latency=2ms",
    100_000,
    64_120,
    12,
    3,
    255,
    Estimate(7812.3, 4.6, 4.1, 7.2),
    [1.0, 4.0, 8.0],
    WORKERS,
    FAILED,
)


def drawn(overview: Overview, width: int, height: int = 30) -> list[str]:
    """The lines on a terminal that has no colours."""
    console = Console(file=io.StringIO(), width=width, height=height, markup=False, highlight=False)
    with console.capture() as captured:
        console.print(drawing(overview, width, height))
    return [line.rstrip() for line in captured.get().splitlines()]


def test_a_view_says_where_the_run_stands_and_what_each_worker_is_at() -> None:
    assert drawn(OVERVIEW, 80) == [
        "census of sim:100000?latency=2ms",
        "━" * 48 + "─" * 26 + "  64 %",
        "64,120 done   12 failed   3 retried   of 100,000",
        "7,812 a second ▂▅█   5 s left (4 to 7 s)",
        "",
        "worker   pid   open   memory   for  mailbox",
        "1       4711  1/255   43 MiB   2 s  u00000123@sim.example",
        "2       4712  8/255  1.3 GiB  91 s  zoë.von.und.zu.einem.sehr.langen.namen@orga…",
        "3             0/255                 starting",
        "4       4714  1/255   40 MiB        leaving",
        "",
        "failed last            cause    message",
        "u00000999@sim.example  missing  no such mailbox",
        "郵便箱@sim.example     crash    the worker died at this mailbox after 3.0 s, by…",
    ]


@pytest.mark.parametrize("width", [60, 80, 140])
def test_what_matters_is_seen_at_any_width(width: int) -> None:
    lines = drawn(OVERVIEW, width)

    assert lines[2:4] == [
        "64,120 done   12 failed   3 retried   of 100,000",
        "7,812 a second ▂▅█   5 s left (4 to 7 s)",
    ]
    assert all(cell_len(line) <= width for line in lines)
    assert [line.split()[0] for line in lines[6:10]] == ["1", "2", "3", "4"]


def test_a_server_without_a_ceiling_has_no_capacity() -> None:
    lines = drawn(msgspec.structs.replace(OVERVIEW, capacity=None), 80)

    assert lines[6].split()[:3] == ["1", "4711", "1"]


def test_of_many_workers_as_many_are_shown_as_fit_and_the_others_are_summed_up() -> None:
    crowd = [Place(n, 5000 + n, "ready", 1, 10 * MIB, f"user-{n}", float(n)) for n in range(64)]

    lines = drawn(msgspec.structs.replace(OVERVIEW, workers=crowd), 100, 16)

    assert len(lines) == 16
    assert [line.split()[0] for line in lines[5:11]] == ["worker", "1", "2", "3", "4", "5"]
    assert lines[11] == "and 59 more: 59 open, 590 MiB, the longest for 63 s at user-63"


def test_a_terminal_of_a_few_lines_shows_the_counts() -> None:
    assert drawn(OVERVIEW, 80, 5)[2:] == [
        "64,120 done   12 failed   3 retried   of 100,000",
        "7,812 a second ▂▅█   5 s left (4 to 7 s)",
    ]


def test_a_view_before_anything_has_happened() -> None:
    assert drawn(Overview("census", "sim:5", 5, 0, 0, 0), 40) == [
        "census of sim:5",
        "─" * 34 + "   0 %",
        "0 done   0 failed   0 retried   of 5",
        "0.0 a second",
    ]


def test_a_note_is_seen_and_nothing_is_left_of_a_run_that_is_done() -> None:
    done = msgspec.structs.replace(OVERVIEW, done=99_988, workers=[], failures=[], note="interrupted")

    assert drawn(done, 60) == [
        "census of sim:100000?latency=2ms",
        "━" * 54 + " 100 %",
        "99,988 done   12 failed   3 retried   of 100,000",
        "7,812 a second ▂▅█",
        "interrupted",
    ]


def test_a_single_failure_among_millions_is_a_cell_of_the_bar() -> None:
    svg = exported(msgspec.structs.replace(OVERVIEW, count=10_000_000, done=0, failed=1), 60)

    assert svg.count("━") == 1


TEXTS = st.text(max_size=80) | st.sampled_from(
    ["\x1b[2J\x1b[H", "a\nb\r\tc", "[bold]x[/bold]", "\u202e\u200b", "😀" * 40]
)


@settings(derandomize=True, deadline=None)
@given(text=TEXTS, width=st.integers(20, 160), height=st.integers(8, 40), count=st.integers(1, 10**9))
def test_no_name_and_no_message_tears_the_view(text: str, width: int, height: int, count: int) -> None:
    workers = [Place(n, 10**7, "ready", 255, 2**40, text, 1e6) for n in range(30)]
    failures = [Trouble(text, "unreachable", text)] * (FAILURES + 2)
    overview = Overview(text, text, count, count // 2, count // 3, count, 255, Estimate(1.0), [], workers, failures)

    lines = drawn(msgspec.structs.replace(overview, note=text), width, height)

    assert all(cell_len(line) <= width for line in lines)
    assert all(line.isprintable() for line in lines)


def exported(overview: Overview, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, record=True, markup=False, highlight=False)
    console.print(drawing(overview, width, 30))
    return console.export_svg(title="fanout run", clear=False)


@pytest.mark.parametrize("width", [60, 120])
def test_a_picture_of_the_view_is_sound_and_has_colours(width: int) -> None:
    picture = ElementTree.fromstring(exported(OVERVIEW, width))

    words = "".join("".join(picture.itertext()).replace("\xa0", " ").split())
    assert "64,120done12failed3retriedof100,000" in words
    assert "u00000123@sim.example" in words
    assert {"fill: #98a84b", "fill: #cc555a"} <= set(re.findall(r"fill: #\w+", exported(OVERVIEW, width)))


@pytest.mark.parametrize(("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colours_are_left_out_where_they_are_not_wanted(variables: dict[str, str], *, coloured: bool) -> None:
    environment = {"TERM": "xterm-256color", **variables}
    console = Console(file=io.StringIO(), width=80, force_terminal=True, _environ=environment)
    with console.capture() as captured:
        console.print(drawing(OVERVIEW, 80, 30))

    green = "\x1b[1;32m64,120"
    assert (green in captured.get()) is coloured
