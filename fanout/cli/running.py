"""The commands that run a job: from the start, or on from where it stopped."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fanout import facts, jobs, summary
from fanout import resume as resuming
from fanout.cli import completing
from fanout.cli.access import ACCESS, access_of
from fanout.cli.watching import progress_of
from fanout.cli.words import (
    JOB,
    MAILBOXES,
    PORTIONS,
    TROUBLE,
    WORKFORCE,
    give,
    largest_result,
    policy_of,
    say,
    words_of,
)
from fanout.conduct import Conductor, Outlet, Report, Task
from fanout.errors import CredentialsError, StoppedError, UsageError
from fanout.events import Interrupted
from fanout.facts import Intent
from fanout.runfile import RunFile
from fanout.sink import STDOUT, Sink
from workers.causes import Cause
from workers.messages import Error, OnLeak

if TYPE_CHECKING:
    from collections import Counter

    from fanout.partition import Partition
    from fanout.roster import Roster
    from fanout.work import Todo

#: Exit codes beside those of FanoutError, and 128 + the signal for an interrupted run.
SOME_FAILED = 1
STOPPED = 3

#: Failures of any cause, where `--only-failed` names none.
ANY = "any"

_CAUSES = [cause.value for cause in Cause]

_quiet = click.option("-q", "--quiet", is_flag=True, help="No progress, only the summary.")


@click.command()
@give(JOB, MAILBOXES)
@click.option("-o", "output", metavar="FILE", help="Write records to FILE.jsonl as they come; - for stdout.")
@click.option("--force", is_flag=True, help="Replace the -o file if it is there.")
@click.option(
    "--run-file",
    metavar="FILE",
    help="Where everything about the run is kept; by default JOB-TIME.fanout here.",
)
@click.option("--continue", "go_on", is_flag=True, help="Go on with the --run-file if it is there, else start it.")
@click.option("--accept-changes", is_flag=True, help="Go on though the job or the roster has changed.")
@give(WORKFORCE, TROUBLE)
@click.option(
    "--max-result", callback=largest_result, metavar="SIZE", help="Size of the largest result; by default 64M."
)
@click.option("--allow-writes", is_flag=True, help="Let a job run that writes to mailboxes.")
@click.option("--dry-run", is_flag=True, help="Have a job that writes do everything but write.")
@click.option(
    "--on-leak",
    type=click.Choice([each.value for each in OnLeak]),
    default=OnLeak.RECLAIM.value,
    show_default=True,
    help="MAPI interfaces that the job did not release: release them, fail the mailbox, or leave them and say so.",
)
@click.option(
    "--tolerate",
    multiple=True,
    type=click.Choice(_CAUSES),
    metavar="CAUSE",
    help="Failures of this cause do not change the exit code; may be repeated.",
)
@_quiet
def run(job: str, **given: Any) -> int:  # noqa: ANN401 - the values of many options
    """Run JOB over every mailbox of a server.

    JOB is a built-in (census, duplicates, folders, largest, logon, quota, save, search, senders), package.module:function, or
    path/to/file.py:function; `fanout jobs JOB` tells what it does and takes.

    \b
    fanout run census --server sim:2000 -o census.jsonl
    """
    if (given["go_on"] or given["accept_changes"]) and not given["run_file"]:
        raise UsageError("--continue needs --run-file FILE, to know which run to go on with")
    intent = _intent(job, given)
    path = Path(given["run_file"] or facts.file_name(jobs.name(intent.task.job)))
    if given["go_on"] and (file := _begun(path)):
        with file:
            resuming.check_same(file.facts(), intent, given["output"])
            return _go_on(file, intent, _Manner(given["quiet"], given["accept_changes"]))
    with RunFile.create(path) as file:
        return _start(file, intent, given)


def _intent(job: str, given: dict[str, Any]) -> Intent:
    told = jobs.named(job)
    options = jobs.options(told, given["options"])  # before a password is asked for
    words = words_of(given)
    task = Task(
        told,
        options,
        max_result=given["max_result"],
        allow_writes=given["allow_writes"],
        dry_run=given["dry_run"],
        policy=policy_of(given, words.workforce.workers),
        on_leak=OnLeak(given["on_leak"]),
    )
    return Intent(words.mailboxes, words.workforce, task, given["tolerate"])


def _begun(path: Path) -> RunFile | None:
    """The run that a file holds, to go on with; None when there is none, or it was killed before it began."""
    if not path.exists():
        return None
    file = RunFile.resume(path)
    if file.sittings():
        return file
    file.discard()
    return None


class _Resume(click.Command):
    """`--only-failed` may stand alone, with the run file behind it: only `=` gives it a cause."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, [f"{arg}={ANY}" if arg == "--only-failed" else arg for arg in args])


@click.command(cls=_Resume)
@click.argument("run_file", metavar="RUN", type=click.Path(path_type=Path), shell_complete=completing.run_file)
@click.option(
    "--only-failed",
    multiple=True,
    type=click.Choice([ANY, *_CAUSES]),
    metavar="[=CAUSE]",
    help="Visit again what failed, by any cause or by this one, and nothing else; may be repeated.",
)
@click.option("--accept-changes", is_flag=True, help="Go on though the job or the roster has changed.")
@give(PORTIONS, ACCESS)
@_quiet
def resume(run_file: Path, **given: Any) -> int:  # noqa: ANN401 - the values of many options
    """Go on with a run that was stopped, interrupted or killed; nothing that is done is done again.

    \b
    fanout resume census-20261122-120000.fanout --only-failed=busy
    """
    only = frozenset(Cause) if ANY in given["only_failed"] else frozenset(map(Cause, given["only_failed"]))
    with RunFile.resume(run_file.absolute()) as file:
        if not file.sittings():
            raise UsageError(f"the run was killed before it began: {run_file}; start it again with fanout run")
        told = file.facts()
        _return_to(told["directory"])
        intent = facts.intent_of(told)
        intent = replace(
            intent,
            mailboxes=replace(intent.mailboxes, access=access_of(given, intent.mailboxes.access)),
            workforce=replace(intent.workforce, **_said("workers", "chunk_size", "concurrency")),
        )
        return _go_on(file, intent, _Manner(given["quiet"], given["accept_changes"], only or None))


def _said(*names: str) -> dict[str, Any]:
    """The values of those options that the command line gave itself."""
    context = click.get_current_context()
    source = click.core.ParameterSource.COMMANDLINE
    return {name: context.params[name] for name in names if context.get_parameter_source(name) is source}


def _return_to(directory: str) -> None:
    """Go where the run was begun: the job, the server's files and what the job writes may be told by relative paths."""
    try:
        os.chdir(directory)
    except OSError as error:
        raise UsageError(f"the run was begun in {directory}, which can't be entered now: {error.strerror}") from error
    sys.path.append(directory)


# --- from the start, and on -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Manner:
    """How to go on."""

    quiet: bool
    accept_changes: bool
    #: Causes: visit what failed by one of them, and nothing else; None for all that has no outcome.
    only_failed: frozenset[Cause] | None = None


@dataclass(frozen=True, slots=True)
class _Ready:
    """A run of which everything is known and written down."""

    intent: Intent
    roster: Roster
    how: Partition
    sink: Sink | None
    todo: Todo | None = None


def _start(file: RunFile, intent: Intent, given: dict[str, Any]) -> int:
    sink = None
    try:
        with Conductor(intent.mailboxes, intent.workforce, file) as conductor:
            roster, how = conductor.survey()
            sink = Sink.open(given["output"], force=given["force"]) if given["output"] else None
            facts.begin(file, intent, roster, sink.place if sink else None, conductor.capacity)
            return _conduct(file, conductor, _Ready(intent, roster, how, sink), quiet=given["quiet"])
    except UsageError:  # a mistake leaves nothing
        if sink:
            sink.discard()
        file.discard()
        raise
    except BaseException:
        file.roll_back()
        if not file.sittings():
            file.discard()
        raise


def _go_on(file: RunFile, intent: Intent, manner: _Manner) -> int:
    if uncertain := resuming.settle_uncertain(file):
        say(f"{uncertain:,} under way when the run was killed, of a job that writes: failed as {Cause.UNCERTAIN}")
    before, roster, only = file.before(), resuming.roster(file), manner.only_failed
    if not (sum(before.failed[cause] for cause in only) if only else resuming.todo(file).count):
        say(f"nothing is left to do: {file.path}")
        say(summary.verdict(before.done, before.failed.total(), roster.count))
        return _exit_code(before.done, before.failed, roster.count, intent.tolerated)
    unchanged = resuming.survey(file, intent, accept_changes=manner.accept_changes)
    file.sit_down(unchanged.sitting)
    for change in unchanged.sitting.accepted:
        say(f"changed, and accepted: {change}")
    todo = file.forget_failed(only) if only else resuming.todo(file)
    file.commit()
    try:
        sink = resuming.sink(file)
    except StoppedError as error:
        facts.stopped(file, error)
        raise
    if sink and sink.place.path == STDOUT:
        say("records that were written before the run stopped are not written to stdout again")
    say(f"{todo.count:,} of {roster.count:,} mailboxes are left")
    with Conductor(intent.mailboxes, intent.workforce, file) as conductor:
        return _conduct(file, conductor, _Ready(intent, roster, unchanged.how, sink, todo), quiet=manner.quiet)


def _conduct(file: RunFile, conductor: Conductor, ready: _Ready, *, quiet: bool) -> int:
    say(f"run file: {file.path}")
    try:
        with progress_of(file, ready.roster, quiet=quiet) as progress:
            report = _run(conductor, ready, Outlet(progress, ready.sink))
    except StoppedError as error:
        facts.stopped(file, error)
        for line in summary.of_stopped(file, error):
            say(line)
        return error.exit_code
    facts.end(file, report)
    for line in summary.of_report(report, file.path, file.leaks()):
        say(line)
    if isinstance(report.stopped_by, Interrupted):
        return 128 + report.stopped_by.signal
    if isinstance(report.stopped_by, Error) and report.stopped_by.cause is Cause.CREDENTIALS:
        return CredentialsError.exit_code
    merge = report.merge
    return _exit_code(merge.succeeded, merge.causes, ready.roster.count, ready.intent.tolerated)


def _run(conductor: Conductor, ready: _Ready, outlet: Outlet) -> Report:
    try:
        return conductor.run(ready.intent.task, ready.roster, ready.how, outlet, ready.todo)
    finally:
        if outlet.sink:
            outlet.sink.close()


def _exit_code(done: int, causes: Counter[Cause], count: int, tolerated: tuple[str, ...]) -> int:
    if done + causes.total() < count:
        return STOPPED
    return SOME_FAILED if set(causes) - set(tolerated) else 0
