"""What a Dask worker says of itself: how many workers of fanout it may have, and whether they can live there.

It is asked by a text. Neither fanout nor the same Python may be there, and what one version of Python has compiled is nothing that
another one can run.
"""

from __future__ import annotations

import inspect
import platform
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

#: What a session is called among the resources of a Dask worker.
RESOURCE = "fanout-session"


class Hosting(msgspec.Struct, frozen=True):
    """What a Dask worker says of itself."""

    #: Workers of fanout that it may have at a time.
    sessions: int
    #: The machine that it runs on, and bytes of memory that its control group allows.
    machine: str
    memory: int | None
    #: The versions of what has to be the same as here; empty for what is not installed.
    versions: dict[str, str]
    #: What keeps fanout from being loaded there, though it is the same.
    trouble: str = ""


def versions() -> dict[str, str]:
    """What has to be the same on both sides: the words on the line, for a pickled job the interpreter, and Dask's own words.

    A Dask worker of 2024.4 ended of its first task from a scheduler of 2026.8.
    """
    return {
        "fanout": version("mailbox-fanout"),
        "Python": ".".join(platform.python_version_tuple()[:2]),
        "distributed": release(version("distributed")),
    }


def release(version: str) -> str:
    """The year and the month of a version of Dask's."""
    return ".".join(version.split(".")[:2])


class Question:
    """What a Dask worker is asked: `survey`, which is made there of its text. Called with what has to be there."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str, dict[str, str]]]:
        text = f"from __future__ import annotations\n{inspect.getsource(survey)}"
        return eval, ("(exec(text), survey)[1]", {"text": text})


def survey(wanted: dict[str, str], resource: str, dask_worker: Any) -> dict[str, Any]:  # noqa: ANN401 - it has no types
    """A Hosting, as a dict. Where workers can live a port is opened. Knows nothing of this module."""
    import platform
    from contextlib import suppress
    from importlib.metadata import PackageNotFoundError, version

    there = {"fanout": "", "Python": ".".join(platform.python_version_tuple()[:2]), "distributed": ""}
    with suppress(PackageNotFoundError):
        there["distributed"] = ".".join(version("distributed").split(".")[:2])
        there["fanout"] = version("mailbox-fanout")
    sessions = int(dask_worker.state.total_resources.get(resource, 0))
    said = {"sessions": sessions, "machine": platform.node(), "memory": None, "versions": there}
    if there == wanted:
        try:
            from fanout.engines import berth
            from fanout.machine import memory_limit
        except Exception as error:  # noqa: BLE001 - whatever that machine lacks
            return said | {"trouble": repr(error)}
        berth.open_port(dask_worker)
        said["memory"] = memory_limit()
    return said


def in_words(versions: dict[str, str]) -> str:
    *others, last = (f"{name} {number}" if number else f"no {name}" for name, number in versions.items())
    return f"{', '.join(others)} and {last}"
