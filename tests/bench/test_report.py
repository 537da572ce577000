from __future__ import annotations

import msgspec
import pytest

from fanout.bench.report import compared, conclusion, report
from fanout.bench.settings import AUTO, Axes, Connections, Setting
from fanout.bench.table import Column, numbers, table
from fanout.bench.verdict import verdict
from tests.bench.samples import document, rounds, sample, slower

SETTINGS = [Setting(25, 2), Setting(100, 2), Setting(AUTO, 2)]
WALLS = [(1.2, 1.0, 1.01), (1.3, 1.0, 0.99)] * 3


def test_a_bench_is_told_by_a_heading_a_table_and_what_it_comes_to() -> None:
    assert list(report(document(SETTINGS, rounds(*WALLS)), None)) == [
        "census of sim:100: 100 mailboxes; 2 workers, started by fork, one at a time, shared connections",
        "2 cores of Some Chip, Linux 6.1, Python 3.11.7; load 0.5 to 1.5; 2026-11-25",
        "",
        "chunk  wall  mailboxes    CPU  first  parent  time against the best",
        " size     s   a second      s      s     MiB  and its 95 % interval",
        "   25  1.25         80  0.625  0.312      28  +25 % (+20 to +30)",
        "  100  1.00        100  0.500  0.250      28  best",
        " auto  1.00        100  0.500  0.250      28  +0.0 % (-1.0 to +1.0) noise",
        "",
        "best: chunks of 100; no worse beyond the noise: guided chunks (auto)",
        "the next, chunks of 25, takes 25 % longer (20 to 30)",
        "6 rounds of every setting: the answer was clear",
    ]


@pytest.mark.parametrize("width", [60, 80, 100])
def test_every_line_fits_into_the_terminal(width: int) -> None:
    axes = Axes((25, AUTO), (2, 4), ("fork", "spawn"), (1, 10), (Connections.SHARED, Connections.SEPARATE))
    settings = axes.settings()
    measured = rounds(*[[1.0 + place for place in range(len(settings))]] * 5)

    lines = list(report(document(settings, measured), width))

    assert max(map(len, lines)) <= max(width, 75)
    assert sum("mailboxes" in line for line in lines[3:5]) == (width == 100)


def said(*walls: tuple[float, ...]) -> list[str]:
    return list(conclusion(SETTINGS, verdict(rounds(*walls), 3, seed=0)))


def test_the_next_and_the_last_are_told_by_how_much_they_take_longer() -> None:
    assert said(*[(1.0, 1.5, 3.0)] * 5) == [
        "best: chunks of 25",
        "the next, chunks of 100, takes 50 % longer (50 to 50); "
        "the last, guided chunks (auto), takes 200 % longer (200 to 200)",
    ]


def test_where_all_is_noise_no_winner_is_made() -> None:
    walls = [(1.0, 1.2, 1.1), (1.1, 1.0, 1.2), (1.2, 1.1, 1.0), (1.0, 1.1, 1.2), (1.1, 1.2, 1.0)]

    assert said(*walls) == ["no difference rises above the noise; by the median the best is chunks of 25"]


def test_few_rounds_are_said_to_be_few() -> None:
    assert said((1.0, 2.0, 3.0))[-1] == "1 round can't tell much of the noise: it takes 5 at the least"
    assert said() == ["no round is whole, so that settings can't be compared"]


def test_of_many_that_are_as_good_only_their_number_is_told() -> None:
    settings = [Setting(size, 2) for size in range(1, 7)]
    measured = rounds(*[(1.0, 1.0, 1.0, 1.0, 1.0, 2.0)] * 5)

    assert next(conclusion(settings, verdict(measured, 6, seed=0))) == (
        "best: chunks of 1; no worse beyond the noise: 4 others, marked noise"
    )


def test_a_setting_that_stands_alone_has_its_rate() -> None:
    assert list(conclusion(SETTINGS[:1], verdict(rounds(*[(0.5,)] * 5), 1, seed=0))) == [
        "chunks of 25: 200 mailboxes a second"
    ]


def test_mailboxes_that_failed_are_told_with_the_settings() -> None:
    one = [{0: sample(1.0), 1: sample(2.0, failed=3), 2: sample(3.0)}] * 5
    all_of_them = [{place: sample(1.0 + place, failed=7) for place in range(3)}] * 5

    assert (
        list(conclusion(SETTINGS, verdict(one, 3, seed=0)))[-1] == "mailboxes failed, at the most: 3 with chunks of 100"
    )
    assert list(conclusion(SETTINGS, verdict(all_of_them, 3, seed=0)))[-1] == "7 mailboxes failed with every setting"
    (row,) = [line for line in report(document(SETTINGS, one), None) if line.startswith("  100")]
    assert row.endswith("     3  +100 % (+100 to +100) fails more")


def test_two_benches_are_told_by_what_got_slower() -> None:
    before = document(SETTINGS[:2], rounds(*[(1.0, 2.0)] * 5))
    after = msgspec.structs.replace(
        before, rounds=[{0: each[0], 1: slower(before, 1.5).rounds[0][1]} for each in before.rounds]
    )

    assert list(compared(before, after, None)) == [
        "census of sim:100: 100 mailboxes; 2 workers, started by fork, one at a time, shared connections",
        "before: 2026-11-25 12:00, load 0.5; after: 2026-11-25 12:00, load 0.5",
        "",
        "chunk  before  after  time after against before",
        " size       s      s  and its 95 % interval",
        "   25    1.00   1.00  +0.0 % (+0.0 to +0.0) noise",
        "  100    2.00   3.00  +50 % (+50 to +50) slower",
        "",
        "slower: chunks of 100",
        "no change beyond the noise: chunks of 25",
    ]
    assert list(compared(before, before, None))[-1] == "nothing got faster or slower beyond the noise"


def test_a_column_that_has_no_room_is_left_out_the_lightest_first() -> None:
    columns = [
        Column(("a", ""), ["1"]),
        Column(("wide", "one"), ["2"], weight=2),
        Column(("wide", "two"), ["3"], weight=1),
    ]

    assert list(table(columns, None)) == ["a  wide  wide", "    one   two", "1     2     3"]
    assert list(table(columns, 8)) == ["a  wide", "    one", "1     2"]
    assert list(table(columns, 1)) == ["a", "", "1"]


def test_numbers_of_a_column_have_the_same_decimals() -> None:
    assert numbers([0.0123, 0.5]) == ["0.012", "0.500"]
    assert numbers([0.5, 12.0]) == ["0.5", "12.0"]
    assert numbers([3.0, 1234.5]) == ["3", "1,234"]
    assert numbers([]) == []
