from __future__ import annotations

from itertools import islice

from fanout.bench.settings import AUTO, Axes, Connections, Setting, demanding, in_words, name_of, orders, slowest

SHARED, SEPARATE = Connections.SHARED, Connections.SEPARATE


def test_every_chunk_size_goes_with_every_combination_of_the_rest() -> None:
    axes = Axes((25, AUTO), (2, 4), ("fork",), (1,), (SHARED, SEPARATE))

    assert axes.settings() == [
        Setting(25, 2, "fork", 1, SHARED),
        Setting(AUTO, 2, "fork", 1, SHARED),
        Setting(25, 2, "fork", 1, SEPARATE),
        Setting(AUTO, 2, "fork", 1, SEPARATE),
        Setting(25, 4, "fork", 1, SHARED),
        Setting(AUTO, 4, "fork", 1, SHARED),
        Setting(25, 4, "fork", 1, SEPARATE),
        Setting(AUTO, 4, "fork", 1, SEPARATE),
    ]


def test_each_round_takes_every_setting_once_in_another_order() -> None:
    first = list(islice(orders(6, seed=1), 20))

    assert all(sorted(order) == list(range(6)) for order in first)
    assert len(set(map(tuple, first))) > 10


def test_the_order_follows_from_the_seed() -> None:
    assert list(islice(orders(6, seed=1), 5)) == list(islice(orders(6, seed=1), 5))
    assert list(islice(orders(6, seed=1), 5)) != list(islice(orders(6, seed=2), 5))


def test_what_asks_for_the_most_is_looked_at_once_for_each_kind_of_connections() -> None:
    settings = Axes((25, 300, AUTO), (2, 4), ("spawn",), (1, 10), (SHARED, SEPARATE)).settings()

    assert demanding(settings) == [Setting(300, 2, "fork", 10, SHARED), Setting(300, 2, "fork", 10, SEPARATE)]
    assert demanding([Setting(AUTO, 2)]) == [Setting(AUTO, 2)]


def test_the_slowest_setting_is_the_one_that_visits_the_fewest_at_a_time() -> None:
    settings = Axes((25, 50), (4, 2), ("fork", "spawn"), (10, 1), (SEPARATE, SHARED)).settings()

    assert slowest(settings) == Setting(AUTO, 2, "spawn", 1, SHARED)


def test_a_setting_is_named_by_what_tells_it_from_the_others() -> None:
    settings = Axes((25, AUTO), (1, 4)).settings()

    assert [name_of(each, settings) for each in settings] == [
        "chunks of 25, 1 worker",
        "guided chunks (auto), 1 worker",
        "chunks of 25, 4 workers",
        "guided chunks (auto), 4 workers",
    ]
    assert name_of(settings[0], settings[:1]) == "chunks of 25"


def test_every_part_of_a_setting_has_words() -> None:
    setting = Setting(25, 2, "spawn", 10, SEPARATE)

    words = in_words(setting, Setting.__struct_fields__)

    assert words == "chunks of 25, 2 workers, started by spawn, 10 at a time, separate connections"
