"""A small forecast for the tests, which always comes out the same."""

from __future__ import annotations

from dataclasses import replace

from fanout.forecast.model import Machine, Server, Setting, Trouble
from fanout.forecast.study import Forecast, Study, Subject
from fanout.policy import Policy
from workers.simulated.options import Delay

SERVER = Server(Delay(0.1, 0.5), cpu=0.001, connect=0.1, refusal=0.1, troubles={Trouble.REFUSED: 0.02}, sessions=20)

SUBJECT = Subject(SERVER, Machine(cores=2), count=2000, capacity=255, policy=Policy())


def forecast(subject: Subject = SUBJECT, setting: Setting | None = None, outage: float = 600.0) -> Forecast:
    return Study(subject, 0).forecast(setting or Setting(8, 100), outage, "sim:2000", "a test")


def of(count: int, server: Server = SERVER) -> Subject:
    return replace(SUBJECT, count=count, server=server)
