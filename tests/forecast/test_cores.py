"""How lanes of several servers share the cores: against the exact solution where they are alike, and by reason where they are not."""

from __future__ import annotations

import pytest

from fanout.forecast.cores import Alone, Demand, Together, shared, sharing
from fanout.forecast.model import Server, computing
from workers.simulated.options import Delay

LANES = (1, 2, 3, 4, 8, 16, 32, 100, 400)


@pytest.mark.parametrize("cores", [1, 2, 4, 16])
@pytest.mark.parametrize("busy", [0.05, 0.2, 0.5, 0.9])
def test_lanes_that_are_alike_are_as_the_exact_solution_has_them(cores: int, busy: float) -> None:
    exact = computing(Server(Delay(0.0), cpu=busy), 1 - busy, cores, max(LANES))
    alike = Together([Demand(busy, 1 - busy)] * 2, cores)

    for lanes in LANES:
        found = alike.seconds(0, [lanes // 2, lanes - lanes // 2])
        assert 1 - busy + found == pytest.approx(1 - busy + exact[lanes], rel=0.03)


def test_lanes_that_only_compute_have_each_its_part_of_the_cores_and_one_that_waits_too() -> None:
    found = Together([Demand(0.01, 0.0), Demand(0.001, 1.0)], cores=2)

    assert found.seconds(0, [7, 1]) == pytest.approx(0.01 * 7 / 2, rel=0.01)
    assert found.seconds(1, [7, 1]) == pytest.approx(0.001 * 8 / 2, rel=0.01)


def test_a_server_that_has_no_lane_at_work_is_in_nobodys_way() -> None:
    found = Together([Demand(0.01, 0.0), Demand(0.01, 0.0)], cores=1)

    assert found.seconds(0, [4, 4]) == pytest.approx(0.08)
    assert found.seconds(0, [4, 0]) == pytest.approx(0.04)
    assert found.seconds(1, [0, 1]) == 0.01


def test_nobody_waits_where_there_is_a_core_for_each() -> None:
    found = Together([Demand(0.01, 0.0), Demand(0.5, 0.1)], cores=8)

    assert [found.seconds(place, [4, 4]) for place in (0, 1)] == [0.01, 0.5]


def test_mailboxes_that_take_nothing_take_nothing() -> None:
    found = Together([Demand(0.0, 0.0), Demand(0.0, 1.0)], cores=1)

    assert [found.seconds(place, [3, 3]) for place in (0, 1)] == [0.0, 0.0]


def test_who_computes_beside_others_who_do_so_at_times_is_slowed_down_by_how_many_they_are() -> None:
    assert shared(cores=1, others=3, busy=1.5) == 2.5
    assert shared(cores=2, others=2, busy=2.0) == 1.5
    assert shared(cores=2, others=2, busy=1.0) == pytest.approx(1.0 + 0.25 * 0.5)  # both of them a quarter of the time


@pytest.mark.parametrize("cores", [8, 16, 32, 64])
@pytest.mark.parametrize("busy", [0.05, 0.2, 0.5])
def test_many_cores_are_all_at_work_where_there_are_lanes_enough(cores: int, busy: float) -> None:
    lanes = [round(times * cores / busy) for times in (0.5, 1.3, 3)]

    times = computing(Server(Delay(0.0), cpu=busy), 1 - busy, cores, lanes[-1])

    at_work = [number * busy / (1 - busy + times[number]) / cores for number in lanes]
    assert at_work == pytest.approx([0.5, 1, 1], rel=0.02)


def test_one_server_has_the_exact_solution() -> None:
    server = Server(Delay(0.01), cpu=0.01)

    found = sharing([(server, 0.01)], cores=2, most=16)

    assert isinstance(found, Alone)
    assert [found.seconds(0, [lanes]) for lanes in range(17)] == computing(server, 0.01, 2, 16)
    assert found.seconds(0, [20]) == found.seconds(0, [16])
