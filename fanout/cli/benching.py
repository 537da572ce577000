"""`fanout bench`: which setting is best for a job and a server."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fanout import jobs, pictures
from fanout.bench import comparison, picture
from fanout.bench.document import Document, Subject, own_code, read, versions, write
from fanout.bench.estimate import estimate, probe, seconds_a_run, total
from fanout.bench.host import Host, Moment
from fanout.bench.measuring import Work
from fanout.bench.report import compared, report
from fanout.bench.rounds import Budget, Ending, Rounds
from fanout.bench.settings import AUTO, START_METHODS, Axes, Connections, in_words, slowest
from fanout.cli.words import JOB, MAILBOXES, chunk_size, give, mailboxes_of, say, seconds, show
from fanout.code import code_of
from fanout.conduct import Task
from fanout.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fanout.bench.settings import Setting
    from fanout.conduct import Mailboxes
    from fanout.roster import Roster

#: Seconds that are measured where nothing else is said.
MAX_TIME = "5m"

#: Workers, and mailboxes of a worker at a time, at the most: as `fanout run` has it.
_MOST = 4096


def _each(value_of: Callable[[str], object]) -> Callable[[click.Context, click.Parameter, str], tuple[Any, ...]]:
    """Values with commas between them, each once."""

    def values(_: click.Context, __: click.Parameter, text: str) -> tuple[Any, ...]:
        return tuple(dict.fromkeys(value_of(each.strip()) for each in text.split(",")))

    return values


def _number(what: str) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isdecimal() or not 1 <= int(text) <= _MOST:
            raise click.BadParameter(
                f"{text!r}: {what} is a number from 1 to {_MOST:,}; several have commas between them"
            )
        return int(text)

    return number


def _one_of(what: str, known: Sequence[str]) -> Callable[[str], str]:
    def word(text: str) -> str:
        if text not in known:
            raise click.BadParameter(f"there is no {what} {text!r}; there are {' and '.join(known)}")
        return text

    return word


def _chunk_sizes(context: click.Context, parameter: click.Parameter, text: str) -> tuple[Any, ...]:
    return _each(lambda each: chunk_size(context, parameter, each) or AUTO)(context, parameter, text)


def _compare(context: click.Context, _: click.Parameter, files: tuple[Path, Path] | None) -> None:
    """Stands alone, as --help does: nothing is run."""
    if files:
        _show_comparison(*files)
        context.exit()


@click.command()
@give(JOB, MAILBOXES)
@click.option(
    "--chunk-sizes",
    callback=_chunk_sizes,
    default="25,50,100,250,auto",
    show_default=True,
    metavar="N,...",
    help="Mailboxes given to a worker together; auto: large chunks first, small ones last.",
)
@click.option(
    "-w",
    "--workers",
    callback=_each(_number("workers")),
    default=lambda: str(len(os.sched_getaffinity(0))),
    show_default="one a core",
    metavar="N,...",
    help="Worker processes.",
)
@click.option(
    "--start-methods",
    callback=_each(_one_of("start method", START_METHODS)),
    default=START_METHODS[0],
    show_default=True,
    metavar="fork,spawn",
    help="How workers are started.",
)
@click.option(
    "--concurrency",
    callback=_each(_number("concurrency")),
    default="1",
    show_default=True,
    metavar="N,...",
    help="Mailboxes that a worker visits at a time.",
)
@click.option(
    "--connections",
    callback=_each(lambda text: Connections(_one_of("kind of connections", list(Connections))(text))),
    default=Connections.SHARED.value,
    show_default=True,
    metavar="shared,separate",
    help="One connection a worker, or one for each mailbox.",
)
@click.option("--rounds", type=click.IntRange(1), metavar="N", help="So many rounds, instead of until it is clear.")
@click.option(
    "--max-time",
    callback=seconds,
    default=MAX_TIME,
    show_default=True,
    metavar="S",
    help="Begin no round that would end later, as in 90 or 5m; none for no limit.",
)
@click.option("--seed", default=0, show_default=True, metavar="N", help="What the order within rounds follows from.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), metavar="FILE", help="Every sample, as JSON.")
@click.option(
    "--picture",
    "pictures",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A picture, FILE.png or FILE.svg; may be repeated.",
)
@click.option("--force", is_flag=True, help="Replace these files if they are there.")
@click.option(
    "--dry-run", is_flag=True, help="Say what would be run and how long it would take, after one short probe."
)
@click.option(
    "--compare",
    nargs=2,
    type=click.Path(path_type=Path),
    metavar="A.json B.json",
    is_eager=True,
    expose_value=False,
    callback=_compare,
    help="Show what got faster or slower from one bench to another, and run nothing.",
)
def bench(job: str, **given: Any) -> int:  # noqa: ANN401 - the values of many options
    """Find the best setting for a job and a server.

    Runs JOB with every combination of what is given, in rounds that take each once, in an order by chance, after a first
    round that does not count; nothing is kept of what the runs find. A setting is compared with the best one within each
    round; the bench ends when every other one is slower beyond the noise, or as good within 3 %, for two rounds running.

    \b
    fanout bench census --server sim:2000 --chunk-sizes 25,100,auto
    fanout bench --compare monday.json tuesday.json
    """
    files = [*([given["json_file"]] if given["json_file"] else []), *given["pictures"]]
    for path in given["pictures"]:
        pictures.check(path)
    for path in files:
        check_free(path, force=given["force"])
    budget = _budget(given)
    told = jobs.named(job)
    if len(given["servers"]) > 1:
        raise UsageError("a bench measures one server: give --server once")
    work = Work(_again_and_again(mailboxes_of(given)), Task(told, jobs.options(told, given["options"])))
    settings = Axes(*(given[axis] for axis in Axes._fields)).settings()
    roster = work.survey(settings)
    if given["dry_run"]:
        _show_estimate(work, settings, budget, roster)
        return 0
    return _bench(work, settings, budget, roster, given)


def _budget(given: dict[str, Any]) -> Budget:
    """Rounds, or time. Raises UsageError for both."""
    source = click.get_current_context().get_parameter_source("max_time")
    if given["rounds"] is None:
        return Budget(seconds=given["max_time"])
    if source is click.core.ParameterSource.COMMANDLINE:
        raise UsageError("--rounds and --max-time: it is so many rounds, or as many as there is time for")
    return Budget(rounds=given["rounds"])


def check_free(path: Path, *, force: bool) -> None:
    """Raise UsageError for a file that can't be written when all is measured."""
    if not path.parent.is_dir() or path.is_dir():
        raise UsageError(
            f"{path} can't be written: {'it is a directory' if path.is_dir() else 'there is no such directory'}"
        )
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise UsageError(f"{path} can't be written: no permission")
    if path.exists() and not force:
        raise UsageError(f"{path} is there already: give another name, or --force to replace it")


def _again_and_again(mailboxes: Mailboxes) -> Mailboxes:
    """The mailboxes, with names that can be gone through more than once."""
    return mailboxes if mailboxes.names is None else replace(mailboxes, names=tuple(mailboxes.names))


# --- what is run ------------------------------------------------------------------------------------------------------


def _bench(work: Work, settings: list[Setting], budget: Budget, roster: Roster, given: dict[str, Any]) -> int:
    begun = Moment.now()
    rounds = Rounds(settings, work.measure, budget, given["seed"], time.monotonic)
    rounds.go(say)
    assert rounds.ending is not None
    document = Document(
        subject=_subject(work, roster),
        host=Host.here(),
        versions=versions(),
        code=own_code(),
        begun=begun,
        ended=Moment.now(),
        ending=rounds.ending,
        seed=given["seed"],
        settings=settings,
        rounds=rounds.rounds,
        verdict=rounds.verdict,
    )
    _tell(document, given["json_file"], given["pictures"])
    if rounds.stopped_by:
        raise rounds.stopped_by
    return 128 + signal.SIGINT if rounds.ending is Ending.INTERRUPTED else 0


def _subject(work: Work, roster: Roster) -> Subject:
    task = work.task
    return Subject(
        jobs.name(task.job),
        jobs.source(task.job),
        code_of(task.job).digest,
        task.options,
        work.mailboxes.server,
        roster.count,
        roster.source,
        roster.digest,
    )


def _tell(document: Document, json_file: Path | None, pictures: Sequence[Path]) -> None:
    """What was found: the most durable first, and a disk that is full hides nothing."""
    try:
        if json_file:
            write(document, json_file)
    finally:
        for line in report(document, _width()):
            show(line)
    for path in pictures:
        picture.draw(document, path)
    for path in [*([json_file] if json_file else []), *pictures]:
        say(f"written: {path}")


def _width() -> int | None:
    """Characters of a line of the terminal; None where stdout is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _show_comparison(before_file: Path, after_file: Path) -> None:
    """Raises UsageError for files that can't be compared."""
    before, after = read(before_file), read(after_file)
    if other := list(comparison.other_work(before.subject, after.subject)):
        raise UsageError(f"{before_file} and {after_file} are benches of different work: {'; '.join(other)}")
    if not comparison.changes(before, after):
        raise UsageError(f"{before_file} and {after_file} have measured no setting that is the same")
    for line in compared(before, after, _width()):
        show(line)
    for file, settings in zip((before_file, after_file), comparison.left_out(before, after), strict=True):
        for setting in settings:
            say(f"in {file} alone: {in_words(setting, setting.__struct_fields__)}")
    for line in comparison.other_circumstances(before, after):
        say(f"differs, and may be the reason: {line}")


# --- what would be run ------------------------------------------------------------------------------------------------


def _show_estimate(work: Work, settings: list[Setting], budget: Budget, roster: Roster) -> None:
    probed = slowest(settings)
    sample = probe(lambda count: work.first(count).measure(probed), roster.count)
    for line in estimate(settings, probed, sample, roster.count):
        show(line)
    show(total(seconds_a_run(sample, roster.count) * len(settings), budget))
