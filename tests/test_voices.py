from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fanout.errors import UsageError
from fanout.events import Ended, Retry, Send, Settle, StartWorker
from fanout.progress import FIRST, Going
from fanout.voices import Beginning, Chronicle, Happened, Lines, Measured, NoJournal, Objects
from workers.causes import Cause
from workers.messages import Chunk, Error

NOON = datetime(2026, 11, 25, 12, 0, 0, 250_000, tzinfo=UTC)
BUSY = Error("Busy", "later, please", Cause.BUSY, retryable=True)

#: The servers of a run over one, and of one over several.
ALONE, SEVERAL = ("sim:7",), ("sim:8", "sim:9")


class Boxes:
    """A roster."""

    def __init__(self, server: str | None = None) -> None:
        self._server = server

    def name(self, ordinal: int) -> str:
        return f"box-{ordinal}"

    def server(self, ordinal: int) -> str | None:  # noqa: ARG002 - all are on one
        return self._server


def objects(said: list[str]) -> Objects:
    return Objects(said.append, lambda: NOON)


def test_people_are_told_the_line_alone() -> None:
    said: list[str] = []

    Lines(said.append).tell("run file: r.fanout", "begun", total=5)

    assert said == ["run file: r.fanout"]


def test_people_are_told_of_each_thing_in_one_line_whatever_a_server_answers() -> None:
    said: list[str] = []

    Lines(said.append).tell("box: attempt 1 failed: job: \x1b[31mtwo\nlines")

    assert said == ["box: attempt 1 failed: job: \ufffd[31mtwo lines"]


def test_machines_are_told_the_time_the_event_and_all_that_it_is_about() -> None:
    said: list[str] = []
    voice = objects(said)

    voice.tell("run file: r.fanout", "begun", total=5)
    voice.tell("two\nlines")

    assert [json.loads(line) for line in said] == [
        {"time": "2026-11-25T12:00:00.250+00:00", "event": "begun", "message": "run file: r.fanout", "total": 5},
        {"time": "2026-11-25T12:00:00.250+00:00", "event": "message", "message": "two\nlines"},
    ]
    assert not any("\n" in line for line in said)


def test_progress_is_told_in_figures_as_often_as_in_lines() -> None:
    said: list[str] = []
    progress = Measured(objects(said))
    for now, settled in ((0.0, 0), (FIRST - 0.1, 99), (FIRST, 100), (FIRST + 1, 120)):
        progress.show(now, settled, 7, 1000)

    (told,) = [json.loads(line) for line in said]
    assert {name: told[name] for name in ("event", "settled", "failed", "total", "rate", "seconds_left")} == {
        "event": "progress",
        "settled": 100,
        "failed": 7,
        "total": 1000,
        "rate": 20.0,
        "seconds_left": 45.0,
    }


def test_a_pause_is_told_in_figures_without_a_time_that_is_left() -> None:
    said: list[str] = []
    progress = Measured(objects(said))
    progress.show(0.0, 0, 0, 1000)
    progress.show(2.0, 100, 0, 1000)
    progress.goes(Going.PAUSED)
    progress.show(FIRST, 100, 0, 1000)

    (told,) = [json.loads(line) for line in said]
    assert (told["message"], told["going"]) == ("100 of 1,000 mailboxes, 0 failed, paused", "paused")
    assert (told["rate"], told["seconds_left"]) == (50.0, None)


def test_a_run_that_drains_says_so_to_machines() -> None:
    said: list[str] = []

    Measured(objects(said)).draining()

    assert json.loads(said[0])["event"] == "draining"


class Heard:
    """A journal that keeps what it is told."""

    def __init__(self) -> None:
        self.heard: list[Happened] = []

    def note(self, happened: Happened) -> None:
        self.heard.append(happened)


SENT = Send(0, Chunk(1, first=0, count=5))


def begun(*happened: Happened, error: BaseException | None = None) -> list[str]:
    """What is said of a run in which this happens, and then this error."""
    said: list[str] = []
    with (
        suppress(UsageError, KeyboardInterrupt),
        Beginning(NoJournal(), Lines(said.append), Path("r.fanout"), 5) as run,
    ):
        for each in happened:
            run.note(each)
        said.append("then")
        if error:
            raise error
    return said


def test_where_a_run_is_kept_is_said_once_when_its_first_mailboxes_go_out() -> None:
    assert begun(StartWorker(0), SENT) == ["run file: r.fanout", "then"]


@pytest.mark.parametrize("error", [None, KeyboardInterrupt()])
def test_of_a_run_that_ends_before_that_it_is_said_at_the_end(error: BaseException | None) -> None:
    assert begun(StartWorker(0), error=error) == ["then", "run file: r.fanout"]


def test_of_a_run_that_was_a_mistake_it_is_not_said() -> None:
    assert begun(StartWorker(0), error=UsageError("no such function")) == ["then"]


def test_what_else_happens_is_told_of_as_ever() -> None:
    journal = Heard()
    with Beginning(journal, Lines(lambda _: None), Path("r.fanout"), 5) as run:
        for each in (StartWorker(0), SENT, Ended(0, "exit code 0", ())):
            run.note(each)

    assert journal.heard == [StartWorker(0), Ended(0, "exit code 0", ())]


HAPPENED: list[Happened] = [
    StartWorker(2),
    Ended(2, "SIGKILL", (5, 7)),
    Ended(3, "exit code 0", ()),
    Retry(5, 1, 0.1, BUSY),
    Settle(2, 7, 3, 0.1, BUSY),
]


def test_a_chronicle_has_a_line_for_each_worker_and_each_attempt_that_failed() -> None:
    said: list[str] = []
    chronicle = Chronicle(Lines(said.append), Boxes(), ALONE)
    for each in HAPPENED:
        chronicle.note(each)

    assert said == [
        "worker 3 is started",
        "worker 3 ended at box-5, box-7: SIGKILL",
        "worker 4 ended: exit code 0",
        "box-5: attempt 1 failed, another one follows: busy: later, please",
        "box-7: attempt 3 failed: busy: later, please",
    ]


def test_a_chronicle_for_machines_names_worker_mailbox_and_cause() -> None:
    said: list[str] = []
    chronicle = Chronicle(objects(said), Boxes(), ALONE)
    for each in HAPPENED:
        chronicle.note(each)

    told = [json.loads(line) for line in said]
    assert [each["event"] for each in told] == ["worker_started", "worker_ended", "worker_ended", "retry", "failed"]
    assert (told[1]["worker"], told[1]["mailboxes"], told[1]["how"]) == (3, ["box-5", "box-7"], "SIGKILL")
    assert (told[3]["mailbox"], told[3]["attempt"], told[3]["cause"]) == ("box-5", 1, "busy")


def test_where_there_are_several_servers_a_chronicle_says_of_which_one_a_worker_is_and_where_a_mailbox() -> None:
    lines: list[str] = []
    said: list[str] = []
    for voice in (Lines(lines.append), objects(said)):
        chronicle = Chronicle(voice, Boxes("sim:9"), SEVERAL)
        for each in HAPPENED:
            chronicle.note(each)

    assert lines == [
        "worker 3 of sim:8 is started",
        "worker 3 of sim:8 ended at box-5, box-7: SIGKILL",
        "worker 4 of sim:9 ended: exit code 0",
        "box-5 on sim:9: attempt 1 failed, another one follows: busy: later, please",
        "box-7 on sim:9: attempt 3 failed: busy: later, please",
    ]
    told = [json.loads(line) for line in said]
    assert [(each.get("worker"), each.get("mailbox"), each["server"]) for each in told] == [
        (3, None, "sim:8"),
        (3, None, "sim:8"),
        (4, None, "sim:9"),
        (None, "box-5", "sim:9"),
        (None, "box-7", "sim:9"),
    ]


def test_where_nobody_asked_for_more_words_there_are_none() -> None:
    journal = NoJournal()

    for each in HAPPENED:
        journal.note(each)

    assert vars(journal) == {}
