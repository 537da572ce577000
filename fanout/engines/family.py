"""Who belongs to an engine, told by a mark that every worker leaves on all that comes of it.

The template ends what jobs have left, for it adopts them. When the template itself is killed, these are nobody's: the mark
is all that tells them from other processes. What was only forked holds a descriptor of an empty file in memory, called by
the mark; what runs another program has the mark in its environment.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from fanout.engines.worker import Process
from workers.template import FAMILY

if TYPE_CHECKING:
    from collections.abc import Iterator


def new_mark() -> str:
    """A mark that no other engine has."""
    return f"fanout-{os.urandom(8).hex()}"


def end_family(mark: str, patience: float) -> None:
    """Kill every process with the mark, and what those fork meanwhile; wait up to `patience` seconds for each.

    As process 1 of a container this is who adopts them, so it reaps whatever has ended, as an init does.
    """
    while members := list(_members(mark)):
        for pid in members:
            _end(pid, patience)
    if os.getpid() == 1:
        _reap()


def _end(pid: int, patience: float) -> None:
    process = Process()
    try:
        process.runs(pid, os.pidfd_open(pid))
    except ProcessLookupError:
        return
    process.end(patience)
    process.close()


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:  # there is none left, not even a living one
        return


def _members(mark: str) -> Iterator[int]:
    """The processes with the mark, but for this one. One that has ended has neither descriptors nor an environment."""
    named = f"/memfd:{mark} (deleted)"
    in_environment = f"{FAMILY}={mark}".encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                marked = in_environment in (entry / "environ").read_bytes().split(b"\0") or _holds(entry / "fd", named)
            except OSError:  # it is no more, or another account's
                continue
            if marked:
                yield int(entry.name)


def _holds(descriptors: Path, named: str) -> bool:
    """Whether one of a process's descriptors is of that file."""
    for each in descriptors.iterdir():
        try:
            if os.readlink(each) == named:
                return True
        except FileNotFoundError:  # closed meanwhile
            continue
    return False
