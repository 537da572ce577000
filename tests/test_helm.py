from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from fanout import control
from fanout.conduct import Conductor, Mailboxes, Outlet, Task, Workforce
from fanout.control import Control
from fanout.events import Closed
from fanout.helm import UNSTEERED, Helm
from fanout.ledger import TemporaryLedger
from fanout.orders import Answer, Pause
from fanout.progress import Going, Silent
from fanout.window import Window
from workers.messages import ModuleJob, Recording

#: A window, and moments within and behind it, in whatever zone this test runs.
INSIDE = datetime(2026, 11, 25, 12, 0).astimezone()
WINDOW = Window.of("11:00-13:00")
BEHIND = INSIDE + timedelta(hours=2)


def test_a_run_that_nobody_steers_has_no_orders_and_no_window() -> None:
    assert list(UNSTEERED.calls()) == []
    assert UNSTEERED.closed(INSIDE) is None


def test_a_window_closes_once_and_says_so() -> None:
    said: list[str] = []
    helm = Helm(said.append, None, WINDOW)

    told = [helm.closed(at) for at in (INSIDE, BEHIND, BEHIND)]

    assert told == [None, Closed("the window 11:00-13:00 has closed"), None]
    assert said == [
        "the window 11:00-13:00 has closed: the mailboxes under way are finished; interrupt to stop at once"
    ]


def test_an_answer_goes_to_whoever_gave_the_order_and_is_said(tmp_path: Path) -> None:
    said: list[str] = []
    with Control(tmp_path) as way, closing(control._datagrams("")) as somebody:
        somebody.sendto(msgspec.json.encode(Pause()), control._address(tmp_path))
        helm = Helm(said.append, way)
        (call,) = helm.calls()
        helm.answer(call, Answer("paused"))

        assert said == [f"fanout ctl, by {call.who}: paused"]
        assert somebody.recv(control.DATAGRAM) == b'{"text":"paused","heeded":true}'


class Noting(Silent):
    """Notes how the run went."""

    def __init__(self) -> None:
        self.went: list[Going] = []

    def goes(self, how: Going) -> None:
        self.went.append(how)


@pytest.mark.spawns
def test_a_run_whose_window_closes_stops_with_that_reason_and_can_be_gone_on_with() -> None:
    now = datetime.now(UTC).astimezone()
    shut = Window.of(f"{now + timedelta(hours=3):%H:%M}-{now + timedelta(hours=5):%H:%M}")
    ledger, progress = TemporaryLedger(Recording.RESULTS), Noting()
    task = Task(ModuleJob("workers.jobs.census", "census"), recording=Recording.RESULTS)
    with Conductor(Mailboxes("sim:100000?latency=20ms"), Workforce(workers=1), ledger) as conductor:
        roster, how = conductor.survey()
        helm = Helm(lambda _: None, None, shut)
        report = conductor.run(task, roster, how, Outlet(progress, helm=helm))

    assert report.stopped_by == Closed(f"the window {shut} has closed")
    assert 0 < report.merge.succeeded < roster.count
    assert progress.went[-1] is Going.ENDING
