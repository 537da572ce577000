"""Which chunk size is best, in virtual time: what guided chunks are there for."""

from __future__ import annotations

import statistics
from random import Random

import pytest

from fanout.forecast.model import Machine, Server, Setting
from fanout.forecast.server_run import World
from fanout.forecast.tape import Tape
from fanout.forecast.virtual import VirtualRun
from fanout.partition import Fixed, Partition, partition
from workers.simulated.options import Delay

WORKERS = 16
SIZES = (1, 5, 10, 25, 50, 100, 250)
ROUNDS = 5

#: All that a run takes beside its mailboxes is the pipe, and 3 ms from the start of all workers to their first words.
MACHINE = Machine(cores=WORKERS, begin=0.003, start=0.0, end=0.0, pipe=0.0002, hear=0.0, note=0.0)


def skewed(seed: int, sigma: float) -> list[float]:
    """2,000 mailboxes, lognormal, which take 16 workers a quarter of a second if nothing is lost."""
    random = Random(seed)
    drawn = [random.lognormvariate(0.0, sigma) for _ in range(2000)]
    return [0.25 * WORKERS * each / sum(drawn) for each in drawn]


def makespan(seconds: list[float], how: Partition) -> float:
    """Seconds until every mailbox is settled."""
    world = World(Server(Delay(0.0)), Tape(seconds), len(seconds), how)
    return VirtualRun([world], Setting(WORKERS), MACHINE).seconds()


def times_the_ideal(how: Partition, sigma: float) -> float:
    """The median over some rosters."""
    rosters = [skewed(seed, sigma) for seed in range(ROUNDS)]
    return statistics.median(makespan(seconds, how) / max(0.25, *seconds) for seconds in rosters)


def test_guided_chunks_come_within_an_eighth_of_the_ideal_where_mailboxes_are_skewed() -> None:
    assert times_the_ideal(partition(None, WORKERS, 255), sigma=1.0) < 1.12


@pytest.mark.parametrize("size", SIZES)
def test_guided_chunks_are_ahead_of_every_fixed_size_where_mailboxes_are_skewed(size: int) -> None:
    assert times_the_ideal(partition(None, WORKERS, 255), sigma=1.0) < times_the_ideal(Fixed(size), sigma=1.0)


@pytest.mark.parametrize("size", SIZES)
def test_guided_chunks_lose_nothing_to_a_fixed_size_where_mailboxes_are_alike(size: int) -> None:
    assert times_the_ideal(partition(None, WORKERS, 255), sigma=0.0) < 1.05 * times_the_ideal(Fixed(size), sigma=0.0)
