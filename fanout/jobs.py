"""From a user's words for a job, or a function, to what a worker is told."""

from __future__ import annotations

import re
import sys
import warnings
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dill

from fanout.errors import UsageError
from fanout.source import told_of
from workers.jobs import BUILT_IN, check, load
from workers.loading import JobError, function_of
from workers.marks import Marks, marks_of
from workers.messages import FileJob, Job, ModuleJob, PickledJob
from workers.options import Options, of_function
from workers.plugins import JOBS, PluginError, added, added_as, package_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.metadata import EntryPoint

#: Bytes of a pickled function above which a warning says so: it goes to every worker, and most likely carries data that
#: was not meant to go.
LARGE_PICKLE = 2**20


def named(words: str) -> Job:
    """The job that a command line names. Raises UsageError.

    A built-in's name or that of one that another package adds, `package.module:function`, or `path/to/file.py:function`.
    """
    if words in BUILT_IN:
        return ModuleJob(*BUILT_IN[words])
    if ":" not in words and (entry := _added(words)):
        return ModuleJob(entry.module, entry.attr)
    place, colon, function = words.rpartition(":")
    if not colon and words.endswith(".py"):
        raise UsageError(f"{words} is a file, and a job one function of it: {words}:FUNCTION")
    module = all(part.isidentifier() for part in place.split("."))
    if not colon or not function.isidentifier() or not (module or place.endswith(".py")):
        known = sorted([*BUILT_IN, *(each.name for each in added(JOBS))])
        meant = get_close_matches(words, known, 1)
        question = f" (did you mean {meant[0]}?)" if meant else ""
        raise UsageError(
            f"there is no job {words!r}{question}; there are {', '.join(known)}, and your own as package.module:function or path/to/file.py:function"
        )
    if not place.endswith(".py"):
        return ModuleJob(place, function)
    path = Path(place)
    if not path.is_file():
        raise UsageError(f"the job's file can't be found: {place}")
    return FileJob(str(path.resolve()), function)


def _added(words: str) -> EntryPoint | None:
    """What another package adds under a name. Raises UsageError where it can't be used."""
    try:
        entry = added_as(JOBS, words)
    except PluginError as error:
        raise UsageError(str(error)) from error
    if entry and not re.fullmatch(r"[\w.]+:\w+", entry.value):
        raise UsageError(f"{words!r} is added by {package_of(entry)} as {entry.value}, which is no module:function")
    return entry


def carried(function: Callable[..., Any]) -> Job:
    """The job that a function is: by its module where workers can import it from there, by dill where they can't."""
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
    if module and module != "__main__" and getattr(sys.modules.get(module), name, None) is function:
        return ModuleJob(module, name)
    name = name or type(function).__name__
    try:
        pickle = dill.dumps(function, recurse=True)
    except Exception as error:
        raise UsageError(f"the job {name} can't be carried to the workers: {error}; put it in a module") from error
    if len(pickle) > LARGE_PICKLE:
        warnings.warn(
            f"the job {name} takes {len(pickle):,} bytes to each worker: a variable outside it seems to hold data; "
            "read that within the job, or move the job to a module",
            stacklevel=3,
        )
    return PickledJob(name, pickle, marks_of(function).merge is not None)


def marks(job: Job) -> Marks:
    """The marks of a job that the calling program has to know: those of one that brings a merge function.

    Such a job is imported here, too. Any other one from a file or a module is left to the workers, and is said to have
    none. Raises UsageError.
    """
    if not _merges(job):
        return Marks()
    try:
        return marks_of(function_of(job))
    except JobError as error:
        raise UsageError(str(error)) from error


def _merges(job: Job) -> bool:
    """Whether a job brings a merge function, as far as that can be told without importing it."""
    if isinstance(job, PickledJob):
        return job.merges
    if is_built_in(job):
        return marks_of(load(name(job))).merge is not None
    told = told_of(job)
    return told is not None and told.merges


def source(job: Job) -> str:
    """Where the job comes from, for people."""
    match job:
        case ModuleJob(module, function):
            return f"{module}:{function}"
        case FileJob(path, function):
            return f"{path}:{function}"
        case PickledJob(function):
            return f"a function {function} of the calling program"


def name(job: Job) -> str:
    """The job's name: a built-in's own, otherwise the function's."""
    names = {place: name for name, place in BUILT_IN.items()}
    return names.get((job.module, job.function), job.function) if isinstance(job, ModuleJob) else job.function


def options(job: Job, texts: tuple[str, ...]) -> dict[str, Any]:
    """The plain values of `-a key=value` words: what JSON can say. Raises UsageError.

    They are those that the job's signature asks for, where that can be told before a worker imports the job; where it
    can't be, they are numbers or truths where they look like one, and text where they don't.
    """
    given: dict[str, list[str]] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.isidentifier():
            raise UsageError(f"-a {text}: an option of the job is given as key=value")
        given.setdefault(key, []).append(value)
    try:
        return _checked(job, signature(job).of_texts(given))
    except ValueError as error:
        raise UsageError(f"-a {error}") from error


def plain(job: Job, given: dict[str, Any], function: Callable[..., Any] | None = None) -> dict[str, Any]:
    """The plain values of options that Python code gives, to a job or to the function that it is. Raises UsageError."""
    try:
        told = of_function(function, name(job)) if function else signature(job)
        return _checked(job, told.plain(given)) if told else given
    except ValueError as error:
        raise UsageError(f"options: {error}") from error


def signature(job: Job) -> Options:
    """The options of a job; any at all where they can't be told without importing it."""
    told = None
    if is_built_in(job):
        told = of_function(load(name(job)), name(job))
    elif not isinstance(job, PickledJob) and (source := told_of(job)):
        told = source.options
    return told or Options(name(job), {}, others=True)


def _checked(job: Job, values: dict[str, Any]) -> dict[str, Any]:
    """The values; those of a built-in are looked at together. Raises ValueError."""
    if is_built_in(job):
        check(name(job), signature(job).real(values))
    return values


def is_built_in(job: Job) -> bool:
    """Whether it is one of fanout's own, which may be imported anywhere."""
    return isinstance(job, ModuleJob) and (job.module, job.function) in BUILT_IN.values()
