"""Runs over several servers in virtual time; and that a run over one is what it was before there were several."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from fanout.forecast.model import Machine, Outage, Server, Setting, Trouble
from fanout.forecast.server_run import World
from fanout.forecast.tape import Tape
from fanout.forecast.virtual import VirtualRun
from fanout.legs import Legs
from fanout.partition import partition
from fanout.policy import Policy
from tests.forecast.runs import EVEN, FREE, Case
from workers.causes import Cause
from workers.messages import Error
from workers.simulated.options import Delay
from workers.urls import TIMEOUT

COMPUTES = Server(Delay(0.01, 1.2), cpu=0.004, connect=0.1, refusal=0.005)
TWO_CORES = Machine(cores=2)

#: Runs over one server, and the seconds that each took when forecasts were of one server alone.
BEFORE = (
    (Case(server=COMPUTES, machine=TWO_CORES), 6.467434393903823),
    (Case(server=COMPUTES, machine=TWO_CORES, setting=Setting(16)), 2.3114658864098034),
    (Case(server=replace(COMPUTES, separate=True), machine=TWO_CORES, setting=Setting(2, 50, 5)), 2.8883525763112226),
    (
        Case(
            server=replace(COMPUTES, troubles={Trouble.CRASH: 0.01, Trouble.REFUSED: 0.02}),
            machine=TWO_CORES,
            setting=Setting(8, 25),
        ),
        4.3147962358926835,
    ),
    (
        Case(server=replace(COMPUTES, troubles={Trouble.HANG: 0.002}), machine=TWO_CORES, setting=Setting(8)),
        909.1670808853119,
    ),
)


@pytest.mark.parametrize("case", range(len(BEFORE)))
def test_one_server_takes_what_it_took_before_there_were_several(case: int) -> None:
    one, seconds = BEFORE[case]

    assert one.run()[0] == pytest.approx(seconds, rel=1e-9)


def world(server: Server = EVEN, count: int = 1000, outage: Outage | None = None, seed: int = 0) -> World:
    """With chunks of 10, as tests/forecast/runs.py has them."""
    return World(server, Tape.of(server, count, Random(seed)), count, partition(10, 4, 255), outage)


def run(*worlds: World, machine: Machine = FREE, policy: Policy = Policy()) -> tuple[float, VirtualRun]:  # noqa: B008 - frozen
    """Seconds, and the run: four workers for each server."""
    virtual = VirtualRun(worlds, Setting(4, 10), machine, policy)
    return virtual.seconds(), virtual


def ends(virtual: VirtualRun) -> list[float | None]:
    return [server.done for server in virtual.servers]


def test_the_legs_of_a_run_decide() -> None:
    _, virtual = run(world(), world())

    assert isinstance(virtual.dispatch, Legs)
    assert (virtual.dispatch.settled, virtual.dispatch.failed, virtual.dispatch.stopped_by) == (2000, 0, None)


def test_two_servers_that_are_alike_are_done_when_one_alone_is_where_there_are_cores_enough() -> None:
    alone, _ = Case().run()

    seconds, virtual = run(world(), world())

    assert seconds == pytest.approx(alone)
    assert ends(virtual) == pytest.approx([alone, alone])
    assert [server.worked for server in virtual.servers] == pytest.approx([4 * alone, 4 * alone])


def test_a_slow_server_decides_the_end_and_holds_up_nobody() -> None:
    alone, _ = Case().run()

    seconds, virtual = run(world(), world(Server(Delay(1.0))), world())

    assert ends(virtual) == pytest.approx([alone, 100 * alone, alone])
    assert seconds == pytest.approx(100 * alone)
    level = virtual.workers.averages(seconds)[1]
    assert (level[0], level[-2]) == pytest.approx((12, 4), abs=0.5)
    assert virtual.sessions.averages(seconds)[1][-2] == pytest.approx(
        4
    )  # sessions of servers that are done are not held


def test_servers_share_the_cores_of_one_machine() -> None:
    computes = Server(Delay(0.0), cpu=0.01)

    seconds, virtual = run(world(computes), world(computes), machine=replace(FREE, cores=2))

    assert seconds == pytest.approx(2000 * 0.01 / 2, rel=0.02)
    assert ends(virtual) == pytest.approx([seconds, seconds], rel=0.02)


def test_when_a_server_is_done_the_other_has_its_cores() -> None:
    computes = Server(Delay(0.0), cpu=0.01)

    _, virtual = run(world(computes, 500), world(computes, 1500), machine=replace(FREE, cores=2))

    assert ends(virtual) == pytest.approx([500 * 0.01, 2000 * 0.01 / 2], rel=0.05)


def test_servers_share_the_parent() -> None:
    machine = replace(FREE, hear=0.001, note=0.0001)

    seconds, _ = run(world(Server(Delay(0.0))), world(Server(Delay(0.0))), machine=machine)

    assert seconds == pytest.approx(2 * (100 * 0.001 + 1000 * 0.0001), rel=0.1)


def test_a_server_that_refuses_sessions_gets_no_more_of_them_and_holds_up_nobody() -> None:
    alone, _ = Case().run()

    seconds, virtual = run(world(Server(Delay(0.01), sessions=1, refusal=0.01)), world())

    assert ends(virtual)[1] == pytest.approx(alone)
    assert virtual.dispatch.settled == 2000
    assert seconds >= 1000 * 0.01
    assert max(virtual.sessions.averages(seconds)[1]) <= 5 + 1e-6


def test_a_server_that_is_gone_is_given_up_alone() -> None:
    alone, _ = Case().run()

    seconds, virtual = run(world(outage=Outage(0.1, 1e6)), world())

    gone, well = virtual.servers
    assert well.done == pytest.approx(alone)
    assert (well.dispatch.settled, well.dispatch.stopped_by) == (1000, None)
    assert isinstance(gone.dispatch.stopped_by, Error)
    assert gone.dispatch.stopped_by.cause is Cause.UNREACHABLE
    assert seconds > 3 * TIMEOUT


def test_a_server_that_was_given_up_is_looked_after_no_more() -> None:
    """Its mailboxes that wait for another attempt would have somebody look once a second until the other server is done."""
    _, virtual = run(world(outage=Outage(0.1, 1e9)), world(Server(Delay(3600.0))))

    assert virtual.servers[1].done == pytest.approx(250 * 3600.0)
    assert virtual.happened < 10_000


def test_mailboxes_that_hang_and_busy_ones_cost_the_other_server_nothing() -> None:
    alone, _ = Case().run()
    troubled = Server(Delay(0.01), troubles={Trouble.HANG: 0.002, Trouble.BUSY: 0.01, Trouble.CRASH: 0.002})

    _, virtual = run(world(troubled, seed=3), world())

    assert ends(virtual)[1] == pytest.approx(alone)
    assert virtual.dispatch.settled == 2000
    assert virtual.dispatch.failed == virtual.servers[0].dispatch.failed > 0


def test_each_server_keeps_its_own_rate() -> None:
    seconds, _ = run(world(), world(), policy=Policy(rate=50.0))

    assert seconds == pytest.approx(1000 / 50, rel=0.1)


def test_lanes_are_those_of_each_server() -> None:
    separate, setting = Server(Delay(0.01), separate=True), Setting(2, 10, lanes=5)
    virtual = VirtualRun([world(), world(separate)], setting, FREE)

    virtual.seconds()

    alone = [Case(setting=setting, server=server).run()[0] for server in (EVEN, separate)]
    assert ends(virtual) == pytest.approx(alone)
    assert alone[1] < alone[0]


def test_the_same_seed_gives_the_same_run() -> None:
    troubled = replace(COMPUTES, troubles={Trouble.BUSY: 0.05, Trouble.CUT: 0.05})

    runs = [run(world(troubled, seed=1), world(COMPUTES, seed=2), machine=TWO_CORES) for _ in range(2)]

    assert runs[0][0] == runs[1][0]
    assert ends(runs[0][1]) == ends(runs[1][1])
