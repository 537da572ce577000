"""The commands that run a job: from the start, or on from where it stopped."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import click

from fanout import facts, jobs, summary
from fanout import resume as resuming
from fanout.by_server import by_server
from fanout.cli import completing
from fanout.cli.access import ACCESS, access_of
from fanout.cli.engine import DASK, ENGINE, workplace_of
from fanout.cli.finishing import concluded
from fanout.cli.telling import TELLING, check_open, helm_of, journal_of, progress_of, voice_of
from fanout.cli.words import (
    JOB,
    MAILBOXES,
    PORTIONS,
    TROUBLE,
    WORKFORCE,
    give,
    largest_result,
    mailboxes_of,
    policy_of,
    share_of_workers,
    workforce_of,
)
from fanout.conduct import Outlet, Report, Task
from fanout.convoy import PATIENCE, conductor_of, missing
from fanout.errors import CredentialsError, StoppedError, UsageError
from fanout.events import Interrupted
from fanout.facts import Intent
from fanout.runfile import RunFile
from fanout.sink import STDOUT, Sink
from fanout.systemd import Notifier
from fanout.voices import Beginning
from fanout.workplace import THIS_MACHINE
from workers.causes import Cause
from workers.messages import Error, OnLeak

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Sequence

    from fanout.by_server import OnServer
    from fanout.conduct import Conductor, Mailboxes
    from fanout.convoy import Convoy
    from fanout.events import Joined
    from fanout.partition import Cut, Partition
    from fanout.roster import Roster
    from fanout.voices import Journal, Voice
    from fanout.work import Rest
    from fanout.workplace import Workplace

#: Exit codes beside those of FanoutError, and 128 + the signal for an interrupted run.
SOME_FAILED = 1
STOPPED = 3

#: Failures of any cause, where `--only-failed` names none.
ANY = "any"

_CAUSES = [cause.value for cause in Cause]


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
@give(WORKFORCE, ENGINE, TROUBLE)
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
@give(TELLING)
def run(job: str, **given: Any) -> int:  # noqa: ANN401 - the values of many options
    """Run JOB over every mailbox of a server.

    JOB is a built-in (census, duplicates, folders, largest, logon, quota, save, search, senders), package.module:function, or
    path/to/file.py:function; `fanout jobs JOB` tells what it does and takes.

    \b
    fanout run census --server sim:2000 -o census.jsonl
    """
    if (given["go_on"] or given["accept_changes"]) and not given["run_file"]:
        raise UsageError("--continue needs --run-file FILE, to know which run to go on with")
    task, manner = _task(job, given), _Manner.of(given)
    mailboxes = mailboxes_of(
        given
    )  # which may ask for a password; before a cluster is started, which would inherit one
    path = Path(given["run_file"] or facts.file_name(jobs.name(task.job)))
    return concluded(lambda: _run_or_go_on(path, mailboxes, task, manner), path, given["on_finish"], manner.voice)


def _task(job: str, given: dict[str, Any]) -> Task:
    told = jobs.named(job)
    return Task(
        told,
        jobs.options(told, given["options"]),
        max_result=given["max_result"],
        allow_writes=given["allow_writes"],
        dry_run=given["dry_run"],
        on_leak=OnLeak(given["on_leak"]),
    )


def _run_or_go_on(path: Path, mailboxes: Mailboxes, task: Task, manner: _Manner) -> int:
    """Find a workplace, and begin there or go on."""
    given = manner.given
    check_open(given["window"], manner.notifier)
    servers = len(mailboxes.servers)
    with workplace_of(given, jobs.name(task.job), _all_workers(given, servers), manner.voice.tell) as workplace:
        force = workforce_of(given, workplace, servers)
        task = replace(task, policy=policy_of(given, force.workers * servers, workplace))
        intent = Intent(mailboxes, force, task, given["tolerate"], given["window"])
        if given["go_on"] and (file := _begun(path)):
            with file:
                resuming.check_same(file.facts(), intent, given["output"])
                return _go_on(file, intent, manner, workplace)
        with RunFile.create(path) as file:
            return _start(file, intent, manner, workplace)


def _all_workers(given: dict[str, Any], servers: int) -> int | None:
    """How many workers are asked for, over all servers; None where nobody says, and one a core gives each server one."""
    if given["workers"]:
        return int(given["workers"]) * servers
    return servers if servers > THIS_MACHINE.workers else None


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
@give(PORTIONS, ENGINE, ACCESS, TELLING)
def resume(run_file: Path, **given: Any) -> int:  # noqa: ANN401 - the values of many options
    """Go on with a run that was stopped, interrupted or killed. Nothing that is done is done again.

    \b
    fanout resume census-20261122-120000.fanout --only-failed=busy
    """
    only = frozenset(Cause) if ANY in given["only_failed"] else frozenset(map(Cause, given["only_failed"]))
    path, manner = run_file.absolute(), _Manner.of(given, only or None)
    return concluded(lambda: _resume(path, manner), path, given["on_finish"], manner.voice)


def _resume(run_file: Path, manner: _Manner) -> int:
    given = manner.given
    with RunFile.resume(run_file) as file:
        if not file.sittings():
            raise UsageError(f"the run was killed before it began: {run_file}; start it again with fanout run")
        told = file.facts()
        _return_to(told["directory"])
        intent = facts.intent_of(told)
        mailboxes = replace(intent.mailboxes, access=access_of(given, intent.mailboxes.access))
        force = replace(intent.workforce, **_said("workers", "chunk_size", "concurrency"))
        intent = replace(intent, mailboxes=mailboxes, workforce=force, **_said("window"))
        check_open(intent.window, manner.notifier)
        servers = len(intent.mailboxes.servers)
        with workplace_of(given, told["job"], force.workers * servers, manner.voice.tell) as workplace:
            if given["engine"] == DASK and not given["workers"]:
                intent = replace(intent, workforce=replace(force, workers=share_of_workers(workplace, servers)))
            return _go_on(file, intent, manner, workplace)


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
    """How to go about it."""

    #: What the command line gave.
    given: dict[str, Any]
    voice: Voice
    notifier: Notifier
    #: Causes: visit what failed by one of them, and nothing else; None for all that has no outcome.
    only_failed: frozenset[Cause] | None = None

    @classmethod
    def of(cls, given: dict[str, Any], only_failed: frozenset[Cause] | None = None) -> Self:
        return cls(given, voice_of(given), Notifier.of_environment(os.environ), only_failed)


@dataclass(frozen=True, slots=True)
class _Ready:
    """A run of which everything is known and written down."""

    intent: Intent
    roster: Roster
    how: Partition
    sink: Sink | None
    todo: Rest | None = None


def _start(file: RunFile, intent: Intent, manner: _Manner, workplace: Workplace) -> int:
    sink, given = None, manner.given
    try:
        with conductor_of(intent.mailboxes, intent.workforce, file, workplace) as conductor:
            roster, how = conductor.survey(PATIENCE)
            _say_who_is_missing(missing(how, roster), manner.voice)
            sink = Sink.open(given["output"], force=given["force"]) if given["output"] else None
            facts.begin(file, intent, roster, sink.place if sink else None, conductor.capacity)
            return _conduct(file, conductor, _Ready(intent, roster, how, sink), manner)
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


def _go_on(file: RunFile, intent: Intent, manner: _Manner, workplace: Workplace) -> int:
    say = manner.voice.tell
    if uncertain := resuming.settle_uncertain(file):
        say(f"{uncertain:,} under way when the run was killed, of a job that writes: failed as {Cause.UNCERTAIN}")
    before, roster, only = file.before(), resuming.roster(file), manner.only_failed
    left = sum(before.failed[cause] for cause in only) if only else resuming.todo(file).count
    if not left and not roster.unlisted:
        manner.notifier.ready("nothing is left to do")
        code = _exit_code(before.done, before.failed, roster.count, intent.tolerated)
        causes = "" if only == frozenset(Cause) else f" by {', '.join(sorted(only or ()))}"
        told = f"nothing failed{causes}" if only else "nothing is left to do"
        lines = [f"{told}: {file.path}", *summary.ending(file)]
        _sum_up(manner.voice, lines, (*file.counts(), roster.count), code)
        return code
    unchanged = resuming.survey(file, intent, workplace, accept_changes=manner.given["accept_changes"])
    roster = resuming.roster(file)
    file.sit_down(unchanged.sitting)
    for change in unchanged.sitting.accepted:
        say(f"changed, and accepted: {change}")
    todo = file.forget_failed(only) if only else resuming.todo(file)
    file.commit()
    _say_who_is_missing(missing(unchanged.how, roster, todo), manner.voice)
    try:
        sink = resuming.sink(file)
    except StoppedError as error:
        facts.stopped(file, error)
        raise
    if sink and sink.place.path == STDOUT:
        say("records that were written before the run stopped are not written to stdout again")
    say(f"{todo.count:,} of {roster.count:,} mailboxes are left")
    with conductor_of(intent.mailboxes, intent.workforce, file, workplace) as conductor:
        return _conduct(file, conductor, _Ready(intent, roster, unchanged.how, sink, todo), manner)


def _say_who_is_missing(cuts: Iterable[Cut], voice: Voice) -> None:
    for cut in cuts:
        if cut.why:
            _say_left_out(voice, cut.server, cut.why)
        else:
            voice.tell(f"awaited: {cut.server}: it joins the run when it has answered", "awaited", server=cut.server)


def _say_left_out(voice: Voice, server: str, why: Error) -> None:
    voice.tell(f"left out: {server}: {why.message}", "left_out", server=server)


def _say_joined(voice: Voice, server: str, joined: Joined) -> None:
    """Say what has become of a server that was awaited."""
    if joined.why:
        _say_left_out(voice, server, joined.why)
    else:
        told = f"joined: {server}: {joined.count or 0:,} mailboxes"
        voice.tell(told, "joined", server=server, mailboxes=joined.count)


def _conduct(file: RunFile, conductor: Conductor | Convoy, ready: _Ready, manner: _Manner) -> int:
    roster, voice = ready.roster, manner.voice
    journal = journal_of(manner.given, voice, roster, ready.intent.mailboxes.servers)
    try:
        with Beginning(journal, voice, file.path, roster.count) as beginning:
            report = _run(conductor, ready, file, manner, beginning)
    except StoppedError as error:
        facts.stopped(file, error)
        lines, count = summary.of_stopped(file, error), resuming.roster(file).count
        _sum_up(voice, lines, (*file.counts(), count), error.exit_code, by_server(file))
        return error.exit_code
    facts.end(file, report)
    code, merge = _code_of(report, ready.intent), report.merge
    servers = by_server(file)
    lines = summary.of_report(report, file.path, file.leaks(), servers)
    _sum_up(voice, lines, (merge.succeeded, merge.failed, roster.count), code, servers)
    return code


def _sum_up(
    voice: Voice, lines: Iterable[str], counts: tuple[int, int, int], code: int, servers: Sequence[OnServer] = ()
) -> None:
    """Say the summary, of which the last line is the verdict; to machines with what it is of each of several servers."""
    *before, verdict = lines
    for line in before:
        voice.tell(line)
    each = [{"server": on.server, "done": on.done, "failed": on.failed, "total": on.count} for on in servers]
    told = dict(zip(("done", "failed", "total"), counts, strict=True)) | ({"servers": each} if each else {})
    voice.tell(verdict, "ended", **told, exit_code=code)


def _code_of(report: Report, intent: Intent) -> int:
    if isinstance(report.stopped_by, Interrupted):
        return 128 + report.stopped_by.signal
    if isinstance(report.stopped_by, Error) and report.stopped_by.cause is Cause.CREDENTIALS:
        return CredentialsError.exit_code
    merge = report.merge
    if report.roster.unlisted:
        return STOPPED
    return _exit_code(merge.succeeded, merge.causes, report.roster.count, intent.tolerated)


def _run(conductor: Conductor | Convoy, ready: _Ready, file: RunFile, manner: _Manner, journal: Journal) -> Report:
    voice, notifier, roster = manner.voice, manner.notifier, ready.roster
    with ExitStack() as stack:
        if ready.sink:
            stack.callback(ready.sink.close)
        stack.enter_context(notifier)
        helm = stack.enter_context(helm_of(file.path, ready.intent.window, voice))
        progress = stack.enter_context(progress_of(file, roster, manner.given, voice, notifier))
        outlet = Outlet(progress, ready.sink, helm, journal, partial(_say_joined, voice))
        return conductor.run(ready.intent.task, roster, ready.how, outlet, ready.todo)


def _exit_code(done: int, causes: Counter[Cause], count: int, tolerated: tuple[str, ...]) -> int:
    if done + causes.total() < count:
        return STOPPED
    return SOME_FAILED if set(causes) - set(tolerated) else 0
