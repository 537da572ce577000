"""The code of a job: found and hashed without importing it, so that a resume can tell whether it is the same still.

The file of the job's own module is looked at, not what that imports: the versions of those are their packages'.
"""

from __future__ import annotations

import hashlib
import importlib.util
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from workers.messages import FileJob, ModuleJob, PickledJob

if TYPE_CHECKING:
    from workers.messages import Job

#: Bytes of the largest file whose text is kept in the run file.
LARGEST_TEXT = 2**20


class Code(NamedTuple):
    """What is known of a job's code."""

    #: SHA-256 in hex; None where no code can be found, as of a module without a source.
    digest: str | None
    #: The text of the job's file; None where there is none, it is larger than LARGEST_TEXT or no UTF-8.
    text: str | None


def code_of(job: Job) -> Code:
    """The code of a job as it is now."""
    if isinstance(job, PickledJob):
        return Code(hashlib.sha256(job.pickle).hexdigest(), None)
    return _of_file(file_of(job))


def file_of(job: ModuleJob | FileJob) -> Path | None:
    """The file that holds a job; None where there is none with a source."""
    return _module_file(job.module) if isinstance(job, ModuleJob) else Path(job.path)


def _of_file(path: Path | None) -> Code:
    try:
        data = path.read_bytes() if path else None
    except OSError:
        data = None
    if data is None:
        return Code(None, None)
    try:
        text = data.decode() if len(data) <= LARGEST_TEXT else None
    except UnicodeDecodeError:
        text = None
    return Code(hashlib.sha256(data).hexdigest(), text)


def _module_file(module: str) -> Path | None:
    """The file of a module. Its packages are not imported: `importlib.util.find_spec` is asked for the first one alone."""
    top, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    name = top
    for part in rest:
        name = f"{name}.{part}"
        spec = _within(spec, name)
    return Path(spec.origin) if spec and spec.origin and spec.has_location else None


def _within(package: ModuleSpec | None, name: str) -> ModuleSpec | None:
    if package is None or package.submodule_search_locations is None:
        return None
    return PathFinder.find_spec(name, list(package.submodule_search_locations))
