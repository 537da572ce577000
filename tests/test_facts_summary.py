from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from fanout import facts, summary
from fanout.conduct import Mailboxes, Report, Task, Workforce
from fanout.errors import UsageError
from fanout.events import Interrupted, Keep, Settle
from fanout.merge import Merge
from fanout.roster import Choice, Roster
from fanout.runfile import RunFile
from tests.fakes import FakeLedger
from workers.causes import Cause
from workers.messages import Error, Found, ModuleJob, Printed

DENIED = Error("MailboxError", "not yours", Cause.DENIED, code="0x80070005")
RAISED = Error(
    "KeyError", "'Inbox'", Cause.JOB, traceback="Traceback (most recent call last):\n  in job\nKeyError: 'Inbox'"
)

ROSTER = Roster(10, "computed from a number", lambda ordinals: [f"user-{n}" for n in ordinals], numbered=True)

CENSUS = Task(ModuleJob("workers.jobs.census", "census"), {"newest": True})

RECORD = b'{"mailbox":"user-0","ok":true,"result":{"messages":1200},"attempts":1,"seconds":0.5}\n'


def keep(total: bytes) -> Keep:
    return Keep(0, Found(1, 0, 1, RECORD, total), 1, msgspec.json.decode(total))


def settle(ordinal: int, error: Error) -> Settle:
    return Settle(ordinal, attempts=2, seconds=0.25, error=error)


def report(*settled: Keep | Settle, stopped_by: Error | Interrupted | None = None) -> Report:
    merge = Merge(FakeLedger(), ROSTER, None)
    for command in settled:
        merge.accept(command)
    return Report(ROSTER, merge, stopped_by)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[RunFile]:
    """The run file of a run that has begun."""
    with RunFile.create(tmp_path / "census.fanout") as file:
        mailboxes = Mailboxes("null:10", Choice(limit=10, include=("user*",)))
        facts.begin(file, mailboxes, Workforce(workers=2, chunk_size=5), CENSUS, ROSTER)
        yield file


def ended(file: RunFile, *settled: Keep | Settle, stopped_by: Error | Interrupted | None = None) -> RunFile:
    merge = Merge(file, ROSTER, None)
    for command in settled:
        merge.accept(command)
    facts.end(file, Report(ROSTER, merge, stopped_by))
    return file


# facts


@pytest.mark.parametrize(
    ("job", "word"), [("census", "census"), ("<lambda>", "-lambda-"), ("inner.<locals>.f", "inner--locals--f")]
)
def test_the_name_of_a_run_file_says_what_and_when(job: str, word: str) -> None:
    assert re.fullmatch(rf"{word}-\d{{8}}-\d{{6}}\.fanout", facts.file_name(job))


def test_a_run_file_tells_who_ran_what_where_over_which_mailboxes(file: RunFile) -> None:
    told = file.facts()

    assert (told["job"], told["job_source"], told["options"]) == (
        "census",
        "workers.jobs.census:census",
        {"newest": True},
    )
    assert told["server"] == "null:10"
    assert told["roster"] == {"count": 10, "source": "computed from a number", "numbered": True}
    assert (told["choice"]["limit"], told["choice"]["include"]) == (10, ["user*"])
    assert (told["workforce"]["workers"], told["workforce"]["chunk_size"]) == (2, 5)
    assert told["versions"].keys() == {"fanout", "python"}
    assert all(told[name] for name in ("operator", "host", "command"))
    assert datetime.fromisoformat(told["begun"]).utcoffset() is not None


def test_the_facts_are_there_before_the_first_mailbox_is_opened(file: RunFile) -> None:
    with RunFile.open(file.path) as other:
        assert other.facts()["job"] == "census"


def test_the_end_is_told_with_its_totals(file: RunFile) -> None:
    told = ended(file, keep(b'{"messages":1200}')).facts()

    assert (told["totals"], told["stopped_by"]) == ({"messages": 1200}, None)
    assert told["ended"] >= told["begun"]


@pytest.mark.parametrize(
    ("reason", "said"), [(None, None), (Interrupted(15), "interrupted by signal 15"), (DENIED, "not yours")], ids=repr
)
def test_what_stopped_a_run_is_said_for_people(reason: Error | Interrupted | None, said: str | None) -> None:
    assert facts.stopped_by(report(stopped_by=reason)) == said


# summary of a run that has just ended


def test_the_last_line_is_honest() -> None:
    lines = list(summary.of_report(report(keep(b"null"), settle(1, DENIED)), Path("run.fanout")))

    assert lines[-1] == "1 done, 1 failed, of 10"


def test_a_run_without_a_failure_speaks_of_none() -> None:
    lines = list(summary.of_report(report(keep(b'{"messages":1200,"bytes":5}')), Path("run.fanout")))

    assert lines == ["totals    1,200 messages, 5 bytes", "1 done, 0 failed, of 10"]


def test_results_that_are_numbers_have_one_total() -> None:
    assert next(iter(summary.of_report(report(keep(b"1200")), Path("run.fanout")))) == "total     1,200"


def test_failures_are_counted_by_their_cause_the_most_frequent_first() -> None:
    settled = [settle(1, RAISED), settle(2, DENIED), settle(3, DENIED)]

    assert list(summary.of_report(report(*settled), Path("run.fanout"))) == [
        "failed    2 denied, 1 job",
        "each of them: fanout show run.fanout --failed",
        "0 done, 3 failed, of 10",
    ]


def test_a_run_that_was_stopped_says_by_what() -> None:
    lines = list(summary.of_report(report(stopped_by=Interrupted(2)), Path("run.fanout")))

    assert lines == ["stopped early: interrupted by signal 2", "0 done, 0 failed, of 10"]


# summary of a run file


def test_a_run_file_shows_its_run(file: RunFile) -> None:
    told = ended(file, keep(b'{"messages":1200}'), settle(1, DENIED)).facts()

    assert list(summary.of_run(file)) == [
        "job       census (workers.jobs.census:census) {'newest': True}",
        "server    null:10",
        "roster    computed from a number",
        f"run by    {told['operator']} on {told['host']}, fanout {told['versions']['fanout']}",
        f"command   {told['command']}",
        f"begun     {told['begun']}",
        f"ended     {told['ended']}",
        "totals    1,200 messages",
        "failed    1 denied",
        "1 done, 1 failed, of 10",
    ]


def test_a_run_that_has_not_ended_is_said_to_go_on_or_to_have_been_killed(file: RunFile) -> None:
    lines = list(summary.of_run(file))

    assert "ended     not yet, or it was killed" in lines
    assert lines[-1] == "0 done, 0 failed, of 10"


def test_a_run_file_says_what_stopped_its_run(file: RunFile) -> None:
    lines = list(summary.of_run(ended(file, stopped_by=DENIED)))

    assert lines[-2:] == ["stopped early: not yours", "0 done, 0 failed, of 10"]


def test_every_failure_is_a_line_with_its_mailbox_its_cause_and_its_code(file: RunFile) -> None:
    ended(file, settle(3, RAISED), keep(b"null"), settle(1, DENIED))

    assert list(summary.of_failures(file)) == [
        "user-1\tdenied 0x80070005\tMailboxError: not yours",
        "user-3\tjob\tKeyError: 'Inbox'",
    ]


def test_a_mailbox_that_is_done_is_shown_with_what_its_job_printed(file: RunFile) -> None:
    file.note(Printed(0, "one\ntwo\n"))
    ended(file, keep(b"null"))

    assert list(summary.of_mailbox(file, "user-0")) == [
        "mailbox   user-0",
        "outcome   done, attempts: 1, seconds: 0.5",
        "result    {'messages': 1200}",
        "printed:",
        "one",
        "two",
    ]


def test_a_mailbox_that_failed_is_shown_with_its_traceback(file: RunFile) -> None:
    ended(file, settle(3, RAISED))

    assert list(summary.of_mailbox(file, "user-3")) == [
        "mailbox   user-3",
        "outcome   failed, attempts: 2, seconds: 0.25",
        "error     user-3\tjob\tKeyError: 'Inbox'",
        "Traceback (most recent call last):",
        "  in job",
        "KeyError: 'Inbox'",
    ]


def test_a_mailbox_without_an_outcome_is_said_to_have_none(file: RunFile) -> None:
    with pytest.raises(UsageError, match=r"census.fanout has no outcome for a mailbox 'user-9'"):
        list(summary.of_mailbox(file, "user-9"))
