"""Watching in one process: the run is held by the test, and let go when it was seen often enough."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from fanout import facts, watcher
from fanout.conduct import Mailboxes, Task, Workforce
from fanout.errors import UsageError
from fanout.lives import Standing
from fanout.roster import Roster
from fanout.runfile import RunFile
from fanout.screen import Screen
from fanout.watcher import Watcher
from tests.fakes import STAMP, FakeClock
from workers.messages import Found, ModuleJob

ROSTER = Roster(100, "a test", lambda ordinals: [f"null-{n:08}" for n in ordinals], numbered=True)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """Time that passes only where a test says so; nobody waits."""
    clock = FakeClock(STAMP.at)
    monkeypatch.setattr(watcher, "_now", clock)
    monkeypatch.setattr(watcher, "LOOK", 0.0)
    return clock


@pytest.fixture
def held(tmp_path: Path) -> Iterator[RunFile]:
    """A run that is worked on."""
    with RunFile.create(tmp_path / "a.fanout") as file:
        task = Task(ModuleJob("workers.jobs.census", "census"))
        facts.begin(file, facts.Intent(Mailboxes("null:100"), Workforce(1), task), ROSTER, capacity=255)
        keep(file, 0, 10)
        file.muster([], [Standing(0, 1, 4711, "ready", 1, 2**24, 17, STAMP.at - 5, STAMP.at)])
        file.commit()
        yield file


def keep(file: RunFile, first: int, count: int) -> None:
    file.keep(Found(1, first, count, b"{}\n" * count, b"0"), 1, STAMP)
    file.commit()


class OneLook(Screen):
    """Keeps the words of what is drawn, and then does something."""

    def __init__(self, then: Callable[[], object]) -> None:
        super().__init__(io.StringIO())
        self._then = then
        self.seen: list[str] = []

    def draw(self, picture: Callable[[int, int], RenderableType]) -> None:
        console = Console(file=io.StringIO(), width=80)
        with console.capture() as captured:
            console.print(picture(80, 24))
        self.seen += [line.rstrip() for line in captured.get().splitlines()]
        self._then()


def test_a_run_is_seen_as_of_its_last_commit(held: RunFile) -> None:
    screen = OneLook(held.close)
    Watcher(held.path).draw(screen)

    assert screen.seen[0] == "census of null:100"
    assert screen.seen[2] == "10 done   0 failed   0 retried   of 100"
    assert screen.seen[6] == "1       4711  1/255  16 MiB  5 s  null-00000017"


def test_a_run_that_commits_nothing_any_more_is_said_to_hang(held: RunFile, clock: FakeClock) -> None:
    clock.advance(120.0)
    screen = OneLook(held.close)
    Watcher(held.path).draw(screen)

    assert screen.seen[4] == "nothing was committed for 2 min"


@pytest.mark.parametrize(("since", "pace"), [(None, "0 a second"), (STAMP.at, "paused")])
def test_lines_tell_where_it_stands_first_and_then_at_growing_intervals(
    held: RunFile, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, since: float | None, pace: str
) -> None:
    held.pause(since)
    held.commit()
    said: list[str] = []

    def ticking() -> float:
        clock.advance(1.0)
        return clock()

    def say(line: str) -> None:
        said.append(line)
        if len(said) == 2:
            held.close()

    monkeypatch.setattr(watcher, "_now", ticking)
    Watcher(held.path).tell(say)

    assert said == ["10 done, 0 failed, of 100", f"10 of 100 mailboxes, 0 failed, {pace}"]


def test_a_run_that_has_ended_is_seen_no_more(held: RunFile) -> None:
    keep(held, 10, 90)
    held.close()
    said: list[str] = []
    Watcher(held.path).tell(said.append)

    assert (said, Watcher(held.path).ending()) == ([], ["the run has ended", "100 done, 0 failed, of 100"])


def test_a_run_that_never_began_is_said_to_be_dead(tmp_path: Path) -> None:
    path = tmp_path / "a.fanout"
    RunFile.create(path).close()

    assert Watcher(path).ending() == ["the run was killed before it began"]


def test_a_file_that_goes_away_is_named(held: RunFile) -> None:
    screen = OneLook(held.discard)

    with pytest.raises(UsageError, match=r"no run file can be read here: .*a\.fanout"):
        Watcher(held.path).draw(screen)
