"""From a user's words for a job, or a function, to what a worker is told."""

from __future__ import annotations

import inspect
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dill

from fanout.errors import UsageError
from workers.jobs import BUILT_IN, check, load
from workers.messages import FileJob, Job, ModuleJob, PickledJob

if TYPE_CHECKING:
    from collections.abc import Callable

#: Bytes of a pickled function above which a warning says so: it goes to every worker, and most likely carries data that
#: was not meant to go.
LARGE_PICKLE = 2**20


def named(words: str) -> Job:
    """The job that a command line names. Raises UsageError.

    A built-in's name, `package.module:function`, or `path/to/file.py:function`.
    """
    if words in BUILT_IN:
        return ModuleJob(*BUILT_IN[words])
    place, colon, function = words.rpartition(":")
    module = all(part.isidentifier() for part in place.split("."))
    if not colon or not function.isidentifier() or not (module or place.endswith(".py")):
        known = ", ".join(sorted(BUILT_IN))
        raise UsageError(
            f"there is no job {words!r}; there are {known}, and your own as package.module:function or path/to/file.py:function"
        )
    if not place.endswith(".py"):
        return ModuleJob(place, function)
    path = Path(place)
    if not path.is_file():
        raise UsageError(f"the job's file can't be found: {place}")
    return FileJob(str(path.resolve()), function)


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
    return PickledJob(name, pickle)


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
    """The keyword arguments that `-a key=value` words give. Raises UsageError.

    For a built-in the values take the types of its parameters; for any other job they are numbers or truths where they
    look like one, and text where they don't.
    """
    given = {}
    types = _types(job)
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.isidentifier():
            raise UsageError(f"-a {text}: an option of the job is given as key=value")
        if types is not None and key not in types:
            raise UsageError(f"-a {text}: {name(job)} has no option {key!r}; it has {', '.join(types) or 'none'}")
        try:
            given[key] = _typed(value, types[key]) if types else _guess(value)
        except ValueError as error:
            raise UsageError(f"-a {text}: {error}") from error
    if types is not None:
        _check(name(job), given)
    return given


def _check(built_in: str, given: dict[str, Any]) -> None:
    """Raise UsageError for options of a built-in that can't be meant, or lack one that it can't do without."""
    try:
        check(built_in, given)
    except ValueError as error:
        raise UsageError(f"-a {error}") from error
    except TypeError as error:  # from `inspect`: "missing a required argument: 'directory'"
        missing = str(error).rpartition(" ")[2].strip("'")
        raise UsageError(f"{built_in} needs -a {missing}=...") from error


def _types(job: Job) -> dict[str, object] | None:
    """The options of a built-in and their types; None for another job, which only workers import."""
    if not isinstance(job, ModuleJob) or (job.module, job.function) not in BUILT_IN.values():
        return None
    signature = inspect.signature(load(name(job)))
    return {key: p.annotation for key, p in list(signature.parameters.items())[1:]}


#: Annotations of numbers, what makes one of a text, and its name for people.
_NUMBERS: dict[str, tuple[Callable[[str], object], str]] = {
    "int": (int, "whole number"),
    "float": (float, "number"),
}


def _typed(text: str, annotation: object) -> object:
    """The value for a parameter with this annotation, which stands as text in the function."""
    if annotation == "bool":
        return _truth(text)
    kind, words = _NUMBERS.get(str(annotation), (str, ""))
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"{text!r} is no {words}") from None


def _truth(text: str) -> bool:
    truths = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if text.lower() not in truths:
        raise ValueError(f"{text!r} is neither true nor false")
    return truths[text.lower()]


def _guess(text: str) -> object:
    if text.lower() in {"true", "false"}:
        return text.lower() == "true"
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text
