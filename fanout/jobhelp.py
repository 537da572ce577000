"""What people read of a job: what it does, its options, an example, and what it finds.

Of a job that is not fanout's own it is read from its source, and nothing is imported.
"""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, NamedTuple

from fanout import jobs
from fanout.errors import UsageError
from fanout.source import functions_of, told_of
from workers.jobs import BUILT_IN, load
from workers.messages import PickledJob
from workers.plugins import JOBS, added, package_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from workers.messages import Job
    from workers.options import Option

#: The paragraph of a docstring that has an example of a command, and of a result.
_EXAMPLE = re.compile(r"\n*^Example: (.*?)$(?:\n^Result: (.*))?\s*\Z", re.MULTILINE | re.DOTALL)


class JobHelp(NamedTuple):
    """The help of one job."""

    #: The words for it on a command line, and where it comes from.
    name: str
    source: str
    #: What it does: a line, and paragraphs.
    doc: str
    options: list[Option]
    #: Whether it takes other options, too.
    others: bool
    #: A command that runs it.
    example: str
    #: A result, as JSON; empty where its docstring has none.
    result: str


class Known(NamedTuple):
    """A job in one line."""

    name: str
    what: str
    #: The package that adds it; empty for fanout's own.
    package: str = ""


def known() -> Iterator[Known]:
    """The jobs that have a name: fanout's own, and those that other packages add."""
    for name in BUILT_IN:
        yield Known(name, _first_line(load(name).__doc__))
    for entry in added(JOBS):
        if entry.name in BUILT_IN:
            what = f"not to be had: fanout has a job of this name; run it as {entry.value}"
        else:
            told = told_of(jobs.named(entry.value)) if ":" in entry.value else None  # type: ignore[arg-type]  # as words say
            what = _first_line(told.doc if told else "")
        yield Known(entry.name, what, package_of(entry))


def in_file(path: Path) -> list[Known]:
    """The functions of a file that could be jobs. Raises UsageError where there are none."""
    found = [Known(f"{path}:{name}", line) for name, line in functions_of(path).items()]
    if not found:
        raise UsageError(f"{path} has no function that could be a job: a job is a function that takes a mailbox")
    return found


def help_of(words: str) -> JobHelp:
    """The help of the job that words name. Raises UsageError."""
    job = jobs.named(words)
    doc, told = _doc(job), jobs.signature(job)
    found = _EXAMPLE.search(doc)
    needed = "".join(f" -a {each.name}=..." for each in told.known.values() if each.default is None)
    example = found[1] if found else f"fanout run {words} --server sim:20{needed}"
    result = (found[2] or "").strip() if found else ""
    text = doc[: found.start()] if found else doc
    return JobHelp(words, jobs.source(job), text, list(told.known.values()), told.others, example, result)


def helps() -> Iterator[JobHelp]:
    """The help of each job that fanout has."""
    return map(help_of, BUILT_IN)


def _doc(job: Job) -> str:
    """The docstring of a job. Raises UsageError where it can't be seen."""
    assert not isinstance(job, PickledJob)
    if jobs.is_built_in(job):
        return inspect.getdoc(load(jobs.name(job))) or ""
    told = told_of(job)
    if told is None:
        raise UsageError(
            f"{jobs.source(job)}: its source shows no such function, or one that other decorators than `job` may have changed; "
            "what it is can be told only by running it"
        )
    return told.doc


def _first_line(doc: str | None) -> str:
    return (doc or "").strip().partition("\n")[0]
