from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from fanout.endings import SILENCE
from fanout.forecast.model import HELD, Machine, Outage, Server, Setting, Trouble, computing
from fanout.policy import Limits, Policy
from tests.forecast.runs import FREE, Case
from workers.causes import Cause
from workers.messages import Error
from workers.simulated.options import Delay
from workers.urls import TIMEOUT
from workers.visit import FLUSH_SECONDS

SKEWED = Server(Delay(0.01, 1.2))


def test_mailboxes_that_are_alike_take_their_time_divided_by_the_workers() -> None:
    seconds, run = Case().run()

    assert seconds == pytest.approx(1000 * 0.01 / 4)
    assert (run.dispatch.settled, run.dispatch.failed, run.dispatch.stopped_by) == (1000, 0, None)


def test_the_same_seed_gives_the_same_run() -> None:
    troubled = Case(server=replace(SKEWED, troubles={Trouble.BUSY: 0.05, Trouble.CUT: 0.05}), seed=7)

    assert troubled.run()[0] == troubled.run()[0]
    assert troubled.run()[0] != replace(troubled, seed=8).run()[0]


@pytest.mark.parametrize("chunk_size", [None, 1, 10, 100])
def test_twice_the_workers_are_never_slower_than_the_last_chunk_explains(chunk_size: int | None) -> None:
    times = [Case(server=SKEWED, setting=Setting(workers, chunk_size)).run()[0] for workers in (1, 2, 4, 8, 16)]

    for few, many in pairwise(times):
        assert many <= few + 1e-9


def test_what_a_machine_takes_is_added() -> None:
    machine = Machine(cores=64, begin=1.0, start=0.1, end=0.2, pipe=0.0, hear=0.0, note=0.0)

    seconds, run = Case(count=40, setting=Setting(4, 40), machine=machine).run()

    assert seconds == pytest.approx(1.0 + 0.1 + 40 * 0.01 + 0.2)  # one chunk, so one worker
    assert run.dispatch.settled == 40


@pytest.mark.parametrize(("workers", "cores_used"), [(1, 1), (2, 2), (4, 2), (16, 2)])
def test_workers_that_only_compute_share_the_cores(workers: int, cores_used: int) -> None:
    computes = Server(Delay(0.0), cpu=0.01)

    seconds, _ = Case(1600, Setting(workers, 10), computes, replace(FREE, cores=2)).run()

    assert seconds == pytest.approx(1600 * 0.01 / cores_used, rel=0.02)


def test_who_waits_is_hardly_in_the_way_of_who_computes() -> None:
    times = computing(Server(Delay(1.0), cpu=0.001), 1.0, 2, 100)

    assert times[:3] == pytest.approx([0.001] * 3)
    assert 0.001 < times[100] < 0.0011


def test_of_many_who_compute_each_has_its_part_of_the_cores() -> None:
    times = computing(Server(Delay(0.01), cpu=0.01), 0.01, 4, 2000)

    assert times[2000] == pytest.approx(2000 * 0.01 / 4 - 0.01, rel=0.01)
    assert all(few <= many + 1e-9 for few, many in pairwise(times))


def test_a_parent_that_is_slow_holds_up_quick_mailboxes() -> None:
    seconds, _ = Case(server=Server(Delay(0.0)), machine=replace(FREE, hear=0.001, note=0.0001)).run()

    assert seconds == pytest.approx(100 * 0.001 + 1000 * 0.0001, rel=0.1)


def test_a_connection_is_made_once_a_worker() -> None:
    seconds, run = Case(server=Server(Delay(0.01), connect=5.0)).run()

    assert seconds == pytest.approx(5.0 + 2.5)
    assert max(run.sessions.averages(seconds)[1]) == pytest.approx(4)


def test_no_more_sessions_are_open_than_the_server_allows() -> None:
    seconds, run = Case(server=Server(Delay(0.01), sessions=2, refusal=0.01)).run()

    assert max(run.sessions.averages(seconds)[1]) == pytest.approx(2)
    assert run.dispatch.settled == 1000
    assert seconds >= 1000 * 0.01 / 2


def test_a_mailbox_that_hangs_costs_the_stall_timeout_for_each_attempt() -> None:
    hanging = Case(count=1, setting=Setting(1, 1), server=Server(Delay(0.01), troubles={Trouble.HANG: 1.0}))

    seconds, run = hanging.run()

    assert run.dispatch.failed == 1
    assert 3 * 300 <= seconds <= 3 * 305
    assert 60 <= replace(hanging, policy=Policy(Limits(stall_timeout=60), retries=0)).run()[0] <= 63


def test_a_mailbox_that_kills_its_worker_costs_nobody_else_an_attempt() -> None:
    seconds, run = Case(server=Server(Delay(0.01), troubles={Trouble.CRASH: 0.01}), seed=3).run()

    assert 0 < run.dispatch.failed < 30
    assert run.dispatch.settled == 1000
    assert seconds < 10


def test_who_is_refused_fails_at_once_and_who_is_busy_is_asked_again() -> None:
    refused = Case(server=Server(Delay(0.01), refusal=0.001, troubles={Trouble.REFUSED: 1.0})).run()
    busy = Case(count=4, server=Server(Delay(0.01), refusal=0.001, troubles={Trouble.BUSY: 1.0})).run()

    assert refused[0] == pytest.approx(0.25)
    assert refused[1].dispatch.failed == 1000
    assert busy[1].dispatch.failed == 0
    assert busy[0] > 0.5  # the first further attempt waits half a second at the least


@pytest.mark.parametrize("chunk_size", [None, 10])
def test_a_few_busy_mailboxes_hardly_slow_down_a_run_of_many_workers(chunk_size: int | None) -> None:
    calm = Case(count=4000, setting=Setting(32, chunk_size), server=Server(Delay(0.04), refusal=0.02))
    server = replace(calm.server, troubles={Trouble.BUSY: 0.01})

    seconds, _ = replace(calm, server=server).run()

    assert seconds <= 1.1 * calm.run()[0] + 1.5  # the last one may be busy, and waits for a second at the most


def test_an_outage_costs_about_its_length() -> None:
    calm = Case(count=10_000, setting=Setting(4, 100))
    usual, _ = calm.run()

    seconds, run = replace(calm, outage=Outage(usual / 2, usual / 2 + 600)).run()

    assert run.dispatch.settled == 10_000
    assert 600 - TIMEOUT <= seconds - usual <= 600 + TIMEOUT


def test_a_server_that_is_out_for_longer_is_given_up_by_then() -> None:
    seconds, run = Case(count=10_000, setting=Setting(4, 100), outage=Outage(10.0, 3610.0)).run()

    assert run.dispatch.stopped_by is not None
    assert run.dispatch.failed == 0
    assert SILENCE <= seconds - 10 <= SILENCE + TIMEOUT


def test_a_short_outage_is_waited_for_by_the_mailboxes_under_way() -> None:
    seconds, run = Case(outage=Outage(1.0, 11.0)).run()

    assert seconds == pytest.approx(2.5 + 10.0, abs=0.02)
    assert run.dispatch.failed == 0


def test_a_run_gives_up_where_nobody_is_reached_any_more() -> None:
    seconds, run = Case(setting=Setting(50, 1), outage=Outage(0.1, 1e6)).run()

    assert isinstance(run.dispatch.stopped_by, Error)
    assert run.dispatch.stopped_by.cause is Cause.UNREACHABLE
    assert 3 * TIMEOUT < seconds < 8 * TIMEOUT


def test_lanes_with_connections_of_their_own_do_not_wait_for_one_another() -> None:
    shared, _ = Case(setting=Setting(2, 50, lanes=5)).run()
    separate, _ = Case(setting=Setting(2, 50, lanes=5), server=Server(Delay(0.01), separate=True)).run()

    assert shared == pytest.approx(1000 * 0.01 / 2, rel=0.01)
    assert separate == pytest.approx(1000 * 0.01 / 10 + HELD, rel=0.1)


def test_a_lane_that_hangs_ends_its_worker_and_the_others_go_on() -> None:
    server = Server(Delay(0.01), separate=True, troubles={Trouble.HANG: 0.002})

    seconds, run = Case(setting=Setting(2, 50, lanes=5), server=server, seed=1).run()

    assert run.dispatch.settled == 1000
    assert 0 < run.dispatch.failed < 10
    assert seconds > 3 * 300


def test_what_the_other_lanes_of_a_worker_that_dies_would_have_told_is_not_heard() -> None:
    server = Server(Delay(0.01, 1.0), separate=True, refusal=0.001, troubles={Trouble.CRASH: 0.05})

    _, run = Case(setting=Setting(2, 50, lanes=5), server=server, seed=1).run()

    assert run.dispatch.settled == 1000
    assert 30 < run.dispatch.failed < 70


def test_a_rate_is_kept() -> None:
    seconds, _ = Case(policy=Policy(rate=50.0)).run()

    assert seconds == pytest.approx(1000 / 50, rel=0.1)


def test_what_a_lane_has_found_is_held_for_as_long_as_a_worker_holds_it() -> None:
    assert HELD == FLUSH_SECONDS
