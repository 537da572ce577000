from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from fanout import facts, summary
from fanout.conduct import Mailboxes, Report, Task, Workforce
from fanout.errors import StoppedError, UsageError
from fanout.events import Interrupted, Keep, Retry, Settle
from fanout.merge import Merge
from fanout.policy import Limits, MaxFailures, Policy
from fanout.roster import Choice, Roster, Shard
from fanout.runfile import RunFile
from tests.fakes import STAMP, FakeLedger
from workers.causes import Cause
from workers.messages import Error, FileJob, Found, Job, ModuleJob, PickledJob, Printed

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
    return Settle(0, ordinal, attempts=2, seconds=0.25, error=error)


def report(*settled: Keep | Settle, stopped_by: Error | Interrupted | None = None) -> Report:
    merge = Merge(FakeLedger(), ROSTER, None)
    for command in settled:
        merge.accept(command, STAMP)
    return Report(ROSTER, merge, stopped_by)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[RunFile]:
    """The run file of a run that has begun."""
    with RunFile.create(tmp_path / "census.fanout") as file:
        mailboxes = Mailboxes("null:10", Choice(limit=10, include=("user*",)))
        facts.begin(file, facts.Intent(mailboxes, Workforce(workers=2, chunk_size=5), CENSUS, ("missing",)), ROSTER)
        yield file


def ended(file: RunFile, *settled: Keep | Settle, stopped_by: Error | Interrupted | None = None) -> RunFile:
    merge = Merge(file, ROSTER, None)
    for command in settled:
        merge.accept(command, STAMP)
    merge.commit()
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
    (sitting,) = file.sittings()
    assert sitting.versions.keys() == {"fanout", "python"}
    assert all([sitting.operator, sitting.host, sitting.command])
    assert sitting.pid == os.getpid()
    assert datetime.fromisoformat(sitting.begun).utcoffset() is not None


def test_a_run_file_tells_with_which_code(file: RunFile) -> None:
    code = Path(__file__).parent.parent / "workers" / "jobs" / "census.py"
    told = file.facts()

    assert told["job_code"] == code.read_text()
    assert told["job_hash"] == hashlib.sha256(code.read_bytes()).hexdigest() == file.sittings()[0].job_hash
    assert told["roster_digest"] == ROSTER.digest == file.sittings()[0].roster_digest


@pytest.mark.parametrize(
    "job", [ModuleJob("package.module", "job"), FileJob("/a/job.py", "job"), PickledJob("<lambda>", b"\x00\xff")]
)
def test_what_was_asked_for_is_read_back_from_the_facts(tmp_path: Path, job: Job) -> None:
    limits = Limits(timeout=1.5, stall_timeout=None, max_rss=2**30, recycle_after=7)
    policy = Policy(limits, retries=5, rate=2.5, max_failures=MaxFailures(share=0.05), seed=3)
    task = Task(job, {"newest": True, "n": 1.5}, max_result=1000, allow_writes=True, dry_run=True, policy=policy)
    choice = Choice(("a*",), ("b*",), 5, 3, Shard((1,), 2))
    intent = facts.Intent(
        Mailboxes("null:10", choice),
        Workforce(3, 7, separate_connections=True, start_method="spawn"),
        task,
        ("missing",),
    )
    with RunFile.create(tmp_path / "asked.fanout") as file:
        facts.begin(file, intent, ROSTER)

        assert facts.intent_of(file.facts()) == intent


def test_the_digest_of_names_is_that_of_their_lines_in_their_order() -> None:
    names = [f"zoë {n}" for n in range(2500)]
    roster = Roster(2500, "a list", lambda ordinals: [names[n] for n in ordinals], numbered=False)
    digest = roster.digest

    assert digest == hashlib.sha256("".join(f"{name}\n" for name in names).encode()).hexdigest()
    names[1], names[2] = names[2], names[1]
    assert roster.digest != digest


def test_the_digest_of_computed_names_asks_for_none() -> None:
    rosters = [Roster(count, source, lambda _: [], numbered=True) for count, source in [(5, "a"), (6, "a"), (5, "b")]]

    assert len({roster.digest for roster in rosters}) == 3


def test_the_facts_are_there_before_the_first_mailbox_is_opened(file: RunFile) -> None:
    with RunFile.open(file.path) as other:
        assert other.facts()["job"] == "census"


def test_the_end_is_told_with_its_totals(file: RunFile) -> None:
    ended(file, keep(b'{"messages":1200}'))

    (sitting,) = file.sittings()
    assert file.facts()["totals"] == {"messages": 1200}
    assert sitting.stopped_by is None
    assert (sitting.ended or "") >= sitting.begun


def test_a_run_that_was_stopped_keeps_what_was_committed_and_says_why(file: RunFile) -> None:
    merge = Merge(file, ROSTER, None)
    merge.accept(keep(b"1"), STAMP)
    merge.commit()
    merge.accept(settle(1, DENIED), STAMP)
    facts.stopped(file, StoppedError("the disk is full"))

    assert file.counts() == (1, 0)
    assert file.sittings()[0].stopped_by == "the disk is full"
    assert list(summary.of_stopped(file, StoppedError("the disk is full")))[-2:] == [
        f"to go on with it: fanout resume {file.path}",
        "1 done, 0 failed, of 10",
    ]


@pytest.mark.parametrize(
    ("reason", "said"), [(None, None), (Interrupted(15), "interrupted by SIGTERM"), (DENIED, "not yours")], ids=repr
)
def test_what_stopped_a_run_is_said_for_people(reason: Error | Interrupted | None, said: str | None) -> None:
    assert facts.stopped_by(report(stopped_by=reason)) == said


# summary of a run that has just ended


def test_the_last_line_is_honest() -> None:
    lines = list(summary.of_report(report(keep(b"null"), settle(1, DENIED)), Path("run.fanout")))

    assert lines[-1] == "1 done, 1 failed, of 10"


def test_a_run_without_a_failure_speaks_of_none() -> None:
    lines = list(summary.of_report(report(keep(b'{"messages":1200,"bytes":5}')), Path("run.fanout")))

    assert lines == [
        "totals    1,200 messages, 5 bytes",
        "to go on with it: fanout resume run.fanout",
        "1 done, 0 failed, of 10",
    ]


def test_a_run_with_an_outcome_for_every_mailbox_is_not_to_be_gone_on_with() -> None:
    settled = [settle(ordinal, DENIED) for ordinal in range(10)]

    assert list(summary.of_report(report(*settled), Path("my run.fanout"))) == [
        "failed    10 denied",
        "each of them: fanout show 'my run.fanout' --failed",
        "0 done, 10 failed, of 10",
    ]


def test_results_that_are_numbers_have_one_total() -> None:
    assert next(iter(summary.of_report(report(keep(b"1200")), Path("run.fanout")))) == "total     1,200"


def test_failures_are_counted_by_their_cause_the_most_frequent_first() -> None:
    settled = [settle(1, RAISED), settle(2, DENIED), settle(3, DENIED)]

    assert list(summary.of_report(report(*settled), Path("run.fanout"))) == [
        "failed    2 denied, 1 job",
        "each of them: fanout show run.fanout --failed",
        "to go on with it: fanout resume run.fanout",
        "0 done, 3 failed, of 10",
    ]


def test_of_many_totals_the_largest_are_named() -> None:
    total = json.dumps({f"sender-{number}": number for number in range(100)}).encode()
    first, *_ = summary.of_report(report(keep(total)), Path("run.fanout"))

    assert first.startswith("totals    99 sender-99, 98 sender-98, ")
    assert first.endswith(" 88 sender-88, and 88 more")


def test_a_run_that_was_stopped_says_by_what() -> None:
    lines = list(summary.of_report(report(stopped_by=Interrupted(2)), Path("run.fanout")))

    assert lines == [
        "stopped early: interrupted by SIGINT",
        "to go on with it: fanout resume run.fanout",
        "0 done, 0 failed, of 10",
    ]


# summary of a run file


def shown(file: RunFile) -> list[str]:
    """What another process sees, after the end of the one that worked on it."""
    file.close()
    with RunFile.open(file.path) as other:
        return list(summary.of_run(other))


def test_a_run_file_shows_its_run(file: RunFile) -> None:
    ended(file, keep(b'{"messages":1200}'), settle(1, DENIED))
    (sitting,) = file.sittings()

    assert shown(file) == [
        "job       census (workers.jobs.census:census) {'newest': True}",
        f"code      {sitting.job_hash}",
        "server    null:10",
        "roster    computed from a number",
        f"sitting 1: {sitting.operator} on {sitting.host}, process {sitting.pid},"
        f" fanout {sitting.versions['fanout']}, python {sitting.versions['python']}",
        f"  command {sitting.command}",
        f"  begun   {sitting.begun}",
        f"  ended   {sitting.ended}",
        "totals    1,200 messages",
        "failed    1 denied",
        f"  to visit them again: fanout resume {file.path} --only-failed=denied",
        f"to go on with it: fanout resume {file.path}",
        "1 done, 1 failed, of 10",
    ]


def test_a_run_that_goes_on_is_said_to_go_on(file: RunFile) -> None:
    lines = list(summary.of_run(file))

    assert "  at work now" in lines
    assert lines[-1] == "0 done, 0 failed, of 10"
    assert not [line for line in lines if "fanout resume" in line]


def test_a_run_that_was_killed_is_said_to_be_so(file: RunFile) -> None:
    assert "  killed, or the power failed" in shown(file)


def test_a_run_file_without_a_sitting_tells_that_it_never_began(tmp_path: Path) -> None:
    with RunFile.create(tmp_path / "new.fanout") as file:
        assert list(summary.of_run(file)) == ["the run was killed before it began, or is just beginning"]


def test_a_run_file_says_what_stopped_its_run(file: RunFile) -> None:
    assert "  stopped early: not yours" in shown(ended(file, stopped_by=DENIED))


def test_changes_that_were_accepted_are_shown_with_their_sitting(file: RunFile) -> None:
    sitting = msgspec.structs.replace(facts.sitting("0" * 64, "1" * 64), accepted=["the roster"])
    file.sit_down(sitting)

    lines = shown(file)
    assert lines.index("  changed, and accepted: the roster") > lines.index("  killed, or the power failed")
    assert lines.count("  killed, or the power failed") == 2


def test_attempts_before_the_last_are_counted_and_shown_with_their_mailbox(file: RunFile) -> None:
    merge = Merge(file, ROSTER, None)
    merge.remember(Retry(3, attempt=1, seconds=0.5, error=DENIED))
    merge.accept(settle(3, RAISED), STAMP)

    lines = list(summary.of_mailbox(file, "user-3"))
    assert lines[1].startswith("attempt   20")
    assert lines[1].endswith("user-3\tdenied 0x80070005\tMailboxError: not yours")
    assert "attempts  1 failed and were followed by another one" in list(summary.of_run(file))


def test_every_failure_is_a_line_with_its_mailbox_its_cause_and_its_code(file: RunFile) -> None:
    ended(file, settle(3, RAISED), keep(b"null"), settle(1, DENIED))

    assert list(summary.of_failures(file)) == [
        "user-1\tdenied 0x80070005\tMailboxError: not yours",
        "user-3\tjob\tKeyError: 'Inbox'",
    ]


def test_a_failure_of_which_more_is_told_is_one_line_all_the_same(file: RunFile) -> None:
    Merge(file, ROSTER, None).accept(settle(3, Error("OSError", "no\troom\n\x1b[2J", Cause.JOB)), STAMP)

    assert list(summary.of_failures(file)) == ["user-3\tjob\tOSError: no room \ufffd[2J"]


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
