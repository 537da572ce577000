"""From the words for a job to the function that is called with each mailbox."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
import traceback
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dill

from workers.marks import Marks, marked, marks_of
from workers.messages import FileJob, Job, ModuleJob
from workers.options import OptionError, of_function

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from workers.mailbox import Mailbox

#: What precedes a file's path in the name under which it is imported: no package can be called so.
_FILE_MODULE = "fanout job "


class JobError(Exception):
    """A job that can't be had, or can't be called as asked: says what is wrong and what would be right."""


def load(job: Job, options: dict[str, Any]) -> Callable[[Mailbox], object]:
    """The job with its marks, ready to be called with an open mailbox. One that yields gives the list of what it yields.

    Raises JobError where the module, the file or the function isn't there, can't be imported, or doesn't take the options,
    or can't use them here.
    """
    function = function_of(job)
    if inspect.iscoroutinefunction(function):
        raise JobError(
            f"the job {job.function!r} is async: a job is a plain function, each worker is at one mailbox at a time"
        )
    options, marks = _real(job.function, function, options), marks_of(function)
    _check(marks, options)
    bound = marked(partial(function, **options), marks) if options else function
    if not (inspect.isgeneratorfunction(function) or inspect.isgeneratorfunction(type(function).__call__)):
        return bound

    def rows(mailbox: Mailbox) -> list[object]:
        return list(bound(mailbox))

    return marked(rows, marks)


def function_of(job: Job) -> Callable[..., Any]:
    """The function that a job is, as it stands there. Raises JobError."""
    if isinstance(job, ModuleJob):
        return _attribute(_module(job), job.function)
    if isinstance(job, FileJob):
        return _attribute(_file(job), job.function)
    function: Callable[..., Any] = dill.loads(job.pickle)
    return function


def _module(job: ModuleJob) -> ModuleType:
    try:
        return importlib.import_module(job.module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{job.module}.".startswith(f"{error.name}."):
            raise _unimportable(job.module, error) from error
        raise JobError(f"there is no module {job.module!r}, from which {job.function!r} was to come") from error
    except BaseException as error:
        raise _unimportable(job.module, error) from error


def _file(job: FileJob) -> ModuleType:
    path, name = Path(job.path), _FILE_MODULE + job.path
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise JobError(f"{job.path!r} is no Python file; a job's file is given as path/to/file.py:function")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.append(str(path.resolve().parent))  # its neighbours can be imported, and shadow nothing
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        raise _unimportable(job.path, error) from error
    return module


def _unimportable(what: str, error: BaseException) -> JobError:
    """What a job's own module raised while it was imported, and where: its author has to see the line."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith(("<frozen", __file__))]
    where = f", at {own[-1].filename}, line {own[-1].lineno}" if own else ""
    return JobError(f"{what} can't be imported: {type(error).__name__}: {error}{where}")


def _attribute(module: ModuleType, name: str) -> Callable[..., Any]:
    function = getattr(module, name, None)
    where = getattr(module, "__file__", None) or module.__name__
    if function is None:
        functions = [each for each, thing in vars(module).items() if inspect.isfunction(thing)]
        raise JobError(f"{where} has no function {name!r}; it has {', '.join(functions) or 'none'}")
    if not callable(function):
        raise JobError(f"{name!r} of {where} can't be called: a job is a function that takes a mailbox")
    found: Callable[..., Any] = function
    return found


def _real(name: str, function: Callable[..., Any], options: dict[str, Any]) -> dict[str, Any]:
    """The values to call the function with, by its annotations."""
    try:
        told = of_function(function, name)
        return told.real(options) if told else options
    except OptionError as error:
        raise JobError(str(error)) from error


def _check(marks: Marks, options: dict[str, Any]) -> None:
    """Have the job look at its options, where it wants to. Raises JobError."""
    if marks.check is None:
        return
    try:
        marks.check(**options)
    except ValueError as error:
        raise JobError(str(error)) from error
