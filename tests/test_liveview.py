from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from fanout.liveview import FIRST, INTERVAL, LiveView
from fanout.progress import DRAINING, Going
from fanout.roster import Roster
from fanout.runfile import RunFile
from fanout.screen import Screen
from workers.causes import Cause
from workers.messages import Error

ROSTER = Roster(1000, "a test", lambda ordinals: [f"user-{n}" for n in ordinals], numbered=True)

DENIED = Error("MailboxError", "not yours", Cause.DENIED)


class FakeScreen(Screen):
    """Keeps the words of each drawing."""

    def __init__(self) -> None:
        self.drawn: list[str] = []

    def draw(self, picture: Callable[[int, int], RenderableType]) -> None:
        console = Console(file=io.StringIO(), width=80)
        with console.capture() as captured:
            console.print(picture(80, 24))
        self.drawn.append(captured.get())


@pytest.fixture
def file(tmp_path: Path) -> Iterator[RunFile]:
    with RunFile.create(tmp_path / "census.fanout") as file:
        file.tell(job="census", server="sim:1000", capacity=255)
        yield file


def test_what_ends_at_once_needs_no_view(file: RunFile) -> None:
    screen = FakeScreen()
    view = LiveView(file, ROSTER, screen)
    for now in (100.0, 100.0 + FIRST / 2, 100.0 + FIRST * 0.99):
        view.show(now, 10, 0, 1000)

    assert screen.drawn == []


def test_a_view_is_drawn_a_few_times_a_second_however_often_it_is_shown(file: RunFile) -> None:
    screen = FakeScreen()
    view = LiveView(file, ROSTER, screen)
    for thousandth in range(10_000):
        view.show(100.0 + thousandth / 1000, thousandth, 0, 1000)

    assert len(screen.drawn) == (10.0 - FIRST) / INTERVAL


def test_what_failed_is_not_said_to_be_done(file: RunFile) -> None:
    screen = FakeScreen()
    view = LiveView(file, ROSTER, screen)
    view.show(100.0, 503, 3, 1000)
    view.show(101.0, 510, 5, 1000)

    assert "505 done   5 failed   0 retried   of 1,000" in screen.drawn[0]


def test_an_interrupt_is_answered_at_once(file: RunFile) -> None:
    screen = FakeScreen()
    view = LiveView(file, ROSTER, screen)
    view.show(100.0, 0, 0, 1000)
    view.draining()
    view.show(100.1, 0, 0, 1000)

    assert " ".join(screen.drawn[0].split()).endswith(DRAINING)


@pytest.mark.parametrize(("how", "left"), [(Going.ON, True), (Going.ENDING, False)])
def test_no_time_that_is_left_is_told_of_a_run_that_is_to_end(file: RunFile, how: Going, *, left: bool) -> None:
    screen = FakeScreen()
    view = LiveView(file, ROSTER, screen)
    view.goes(how)
    for now in (100.0, 102.0, 104.0):
        view.show(now, int(now), 0, 1000)

    assert (" left" in screen.drawn[-1]) is left
