from __future__ import annotations

import msgspec

from fanout.bench.comparison import Way, changes, left_out, other_circumstances, other_work
from fanout.bench.settings import Setting
from fanout.bench.verdict import Figure
from tests.bench.samples import document, rounds, slower

A, B, C = Setting(25, 2), Setting(100, 2), Setting(250, 2)
MONDAY = document([A, B], rounds(*[(1.0, 2.0)] * 5))


def test_what_takes_longer_on_another_day_is_slower_by_the_ratio_of_the_medians() -> None:
    assert [
        (each.setting, each.before, each.after, each.ratio, each.way) for each in changes(MONDAY, slower(MONDAY, 1.5))
    ] == [
        (A, 1.0, 1.5, Figure(1.5, 1.5, 1.5), Way.SLOWER),
        (B, 2.0, 3.0, Figure(1.5, 1.5, 1.5), Way.SLOWER),
    ]
    assert [each.way for each in changes(slower(MONDAY, 1.5), MONDAY)] == [Way.FASTER, Way.FASTER]


def test_days_that_overlap_differ_by_noise() -> None:
    before = document([A], rounds((1.0,), (1.2,), (0.9,), (1.1,), (1.3,)))
    after = document([A], rounds((1.1,), (1.0,), (1.3,), (0.9,), (1.2,), (1.15,)))

    assert [each.way for each in changes(before, after)] == [Way.NOISE]


def test_settings_are_found_again_wherever_they_stand() -> None:
    tuesday = document([C, B], rounds(*[(9.0, 2.0)] * 5))

    assert [(each.setting, each.ratio.median) for each in changes(MONDAY, tuesday)] == [(B, 1.0)]
    assert left_out(MONDAY, tuesday) == ([A], [C])


def test_a_setting_that_was_never_measured_is_not_compared() -> None:
    broken_off = document([A, B], [*rounds(*[(1.0, 2.0)] * 0), {1: MONDAY.rounds[0][1]}])

    assert [each.setting for each in changes(MONDAY, broken_off)] == [B]


def test_other_work_is_told_by_what_differs() -> None:
    other = msgspec.structs.replace(MONDAY.subject, server="sim:200", mailboxes=200)

    assert list(other_work(MONDAY.subject, MONDAY.subject)) == []
    assert list(other_work(MONDAY.subject, other)) == ["server sim:100 and sim:200", "mailboxes 100 and 200"]


def test_another_machine_version_or_code_is_told() -> None:
    host = msgspec.structs.replace(MONDAY.host, cores=4, memory_limit=1024)
    subject = msgspec.structs.replace(MONDAY.subject, names="3" * 64)
    other = msgspec.structs.replace(MONDAY, host=host, versions={"fanout": "0.2.0"}, code="2" * 64, subject=subject)

    assert list(other_circumstances(MONDAY, MONDAY)) == []
    assert list(other_circumstances(MONDAY, other)) == [
        "cores: 2, then 4",
        "memory limit: None, then 1024",
        "fanout: 0.1.0, then 0.2.0",
        "the names of the mailboxes: 222222222222, then 333333333333",
        "the code of fanout: 111111111111, then 222222222222",
    ]
