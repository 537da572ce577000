"""A small forecast for the tests, which always comes out the same."""

from __future__ import annotations

from dataclasses import replace

from fanout.forecast.model import Machine, Server, Setting, Trouble
from fanout.forecast.study import Forecast, Study
from fanout.forecast.subject import Part, Subject
from fanout.policy import Policy
from workers.simulated.options import Delay

SERVER = Server(Delay(0.1, 0.5), cpu=0.001, connect=0.1, refusal=0.1, troubles={Trouble.REFUSED: 0.02}, sessions=20)

PART = Part("sim:2000", SERVER, count=2000, capacity=255, source="a test")

SUBJECT = Subject((PART,), Machine(cores=2), Policy())


def forecast(subject: Subject = SUBJECT, setting: Setting | None = None, outage: float = 600.0) -> Forecast:
    return Study(subject, 0).forecast(setting or Setting(8, 100), outage)


def of(count: int, server: Server = SERVER) -> Subject:
    return over(replace(PART, count=count, server=server))


def over(*parts: Part) -> Subject:
    return replace(SUBJECT, parts=parts)
