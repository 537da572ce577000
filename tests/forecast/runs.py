"""Runs in virtual time for the tests: mailboxes of 10 ms, on a machine that costs nothing unless a test says what."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from fanout.forecast.model import Machine, Outage, Server, Setting
from fanout.forecast.server_run import World
from fanout.forecast.tape import Tape
from fanout.forecast.virtual import VirtualRun
from fanout.partition import partition
from fanout.policy import Policy
from workers.simulated.options import Delay

FREE = Machine(cores=64, begin=0.0, start=0.0, end=0.0, pipe=0.0, hear=0.0, note=0.0)

FOUR, EVEN = Setting(4, 10), Server(Delay(0.01))


@dataclass(frozen=True)
class Case:
    """All that a run depends on, in words of a test."""

    count: int = 1000
    setting: Setting = FOUR
    server: Server = EVEN
    machine: Machine = FREE
    policy: Policy = field(default_factory=Policy)
    outage: Outage | None = None
    seed: int = 0

    def run(self) -> tuple[float, VirtualRun]:
        """Seconds, and the run."""
        how = partition(self.setting.chunk_size, self.setting.workers, 255)
        tape = Tape.of(self.server, self.count, Random(self.seed))
        world = World(self.server, tape, self.count, how, self.outage)
        run = VirtualRun([world], self.setting, self.machine, self.policy)
        return run.seconds(), run
