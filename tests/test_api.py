"""`run`, with real processes: every way in which a job can end its worker costs that mailbox and nothing else."""

from __future__ import annotations

import os

import psutil
import pytest

import fanout
from fanout import Recording, UsageError
from tests import poison
from workers.causes import Cause

pytestmark = pytest.mark.spawns


@pytest.fixture(params=["fork", "spawn"])
def start_method(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_job_runs_over_every_mailbox_in_several_processes(start_method: str) -> None:
    found = fanout.run(poison.tell_pid, server="null:40", workers=2, chunk_size=5, start_method=start_method)

    assert [outcome.mailbox for outcome in found] == [f"null-{number:08}" for number in range(40)]
    assert os.getpid() not in {outcome.result for outcome in found}
    assert len(found.succeeded) == 40
    assert len(found.failed) == 0


@pytest.mark.parametrize("recording", list(Recording))
def test_results_come_back_with_their_mailboxes(recording: Recording) -> None:
    found = fanout.run(poison.number, server="null:600", workers=2, recording=recording)

    assert [outcome.result for outcome in found] == list(range(600))
    assert found.totals == sum(range(600))


def test_a_lambda_with_what_it_closes_over_is_carried_to_the_workers() -> None:
    prefix = "mailbox "

    found = fanout.run(lambda mailbox: prefix + mailbox.address, server="null:2", workers=1)

    assert [outcome.result for outcome in found] == ["mailbox null-00000000", "mailbox null-00000001"]


def test_the_names_given_are_visited_instead_of_the_roster() -> None:
    found = fanout.run(poison.name, server="null:1", mailboxes=["b", "a"], workers=1)

    assert [outcome.result for outcome in found] == ["b", "a"]


def test_a_job_that_raises_fails_its_mailbox_and_no_other() -> None:
    found = fanout.run(poison.raise_at, server="null:100", workers=2, options={"at": "null-00000042"})

    (failed,) = found.failed
    assert failed.error is not None
    assert (failed.mailbox, failed.error.type, failed.error.cause) == ("null-00000042", "ValueError", Cause.JOB)
    assert failed.error.message == "no luck with null-00000042"
    assert "raise_at" in str(failed.error.traceback)
    assert len(found.succeeded) == 99


@pytest.mark.parametrize(
    ("job", "how", "attempts"),
    [
        (poison.exit_at, "exit code 9", 3),
        (poison.kill_at, "SIGKILL", 1),  # nobody can tell it from a kill from outside, of which there may be many
        (poison.babble_at, "SIGKILL", 3),
        (poison.close_at, "closed its pipe", 3),
    ],
    ids=["exits", "kills itself", "babbles", "closes everything"],
)
def test_a_mailbox_that_ends_its_worker_is_named_and_all_others_are_done(job: object, how: str, attempts: int) -> None:
    assert callable(job)
    found = fanout.run(job, server="null:1000", workers=2, options={"at": "null-00000123"})

    (failed,) = found.failed
    assert failed.error is not None
    assert (failed.mailbox, failed.error.cause, failed.attempts) == ("null-00000123", Cause.CRASH, attempts)
    assert how in failed.error.message
    assert len(found.succeeded) == 999
    assert found.totals == 999


def test_what_a_job_starts_and_leaves_is_ended_with_the_run() -> None:
    found = fanout.run(poison.leave_child, server="null:4", workers=2)

    assert [pid for pid in (outcome.result for outcome in found) if psutil.pid_exists(pid)] == []


def test_failures_are_raised_when_the_caller_wants_none() -> None:
    found = fanout.run(poison.raise_at, server="null:3", workers=1, options={"at": "null-00000001"})

    with pytest.raises(fanout.MailboxesFailedError, match=r"2 done, 1 failed, of 3.*null-00000001: no luck"):
        found.raise_for_failures()


def test_a_run_that_was_stopped_early_is_raised_with_its_reason_in_words() -> None:
    found = fanout.run("logon", server=["sim:3", "sim:5?account=refused"], workers=1)

    with pytest.raises(fanout.MailboxesFailedError) as raised:
        found.raise_for_failures()

    assert str(raised.value).startswith(
        "<Found: 3 done, 0 failed, of 3>; stopped early: 1 of 2 servers given up: sim:5?account=refused (not listed): "
    )


def test_a_run_without_failures_raises_nothing() -> None:
    fanout.run(poison.name, server="null:3", workers=1).raise_for_failures()


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"server": "null:0"}, "no mailbox is left"),
        ({"server": "null:many"}, "null:1000"),
        ({"server": "ftp:x"}, "begins with one of"),
        ({"server": "null:5", "workers": 0}, "at least 1"),
        ({"server": "null:5", "chunk_size": 0}, "at least 1"),
        ({"server": "null:5", "chunk_size": 1.5}, "whole number"),
        ({"server": "null:5", "limit": -1}, "at least 1"),
        ({"server": "null:5", "start_method": "forkserver"}, "fork and spawn"),
        ({"server": None}, "no server"),
        ({"server": "null:5", "mailboxes": "abc"}, "a list of names"),
        ({"server": "null:5", "mailboxes": [1]}, "one line of text"),
        ({"server": "null:5", "options": {1: 1}}, "dict of names"),
        ({"server": "null:5", "options": {"x": 1}}, "has no option 'x'; it has none"),
    ],
)
def test_what_cannot_be_run_is_refused_with_what_would_be_right(wrong: dict[str, object], what: str) -> None:
    with pytest.raises(UsageError, match=what):
        fanout.run(poison.name, **({"workers": 1} | wrong))  # type: ignore[arg-type]  # wrong on purpose


def test_a_job_that_workers_cannot_import_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(UsageError, match=r"no module 'no\.such\.module'"):
        fanout.run("no.such.module:job", server="null:5", workers=1)


def test_a_name_of_two_lines_is_refused() -> None:
    with pytest.raises(UsageError, match="one line"):
        fanout.run(poison.name, server="null:1", mailboxes=["a\nb", "c"], workers=1)
