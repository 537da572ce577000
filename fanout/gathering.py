"""The run files of a folder, each in a line: what was run, when, and what it came to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fanout.by_server import servers_in_words
from fanout.errors import FanoutError, UsageError
from fanout.runfile import RunFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: How the names of run files end that fanout chooses.
SUFFIX = ".fanout"


class Entry(msgspec.Struct, frozen=True):
    """One run file."""

    name: str
    job: str
    #: Its URL, or how many there are.
    server: str
    #: When the last process began to work on it, as the run file says it; empty where none did.
    begun: str
    done: int
    failed: int
    count: int
    #: `finished`, `at work`, or why there is something left to do.
    state: str


def entries(folder: Path) -> Iterator[Entry | str]:
    """The run files of a folder, by name; a line of text in place of one that can't be read. Raises UsageError."""
    if not folder.is_dir():
        raise UsageError(f"this is no folder: {folder}")
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            with RunFile.open(path) as file, file.standing_still():
                entry = _entry(file)
            yield entry
        except FanoutError as error:
            yield str(error)


def _entry(file: RunFile) -> Entry:
    told, sittings = file.facts(), file.sittings()
    done, failed = file.counts()
    count = told.get("roster", {}).get("count", 0)
    return Entry(
        file.path.name,
        told.get("job", ""),
        servers_in_words(told) if told else "",
        sittings[-1].begun if sittings else "",
        done,
        failed,
        count,
        state_of(file, left=count - done - failed),
    )


def state_of(file: RunFile, left: int) -> str:
    """How a run stands that has so many mailboxes left: `finished`, `at work`, or why it is neither."""
    sittings = file.sittings()
    if not sittings:
        return "never begun"
    if file.worked_on_by is not None:
        return "at work"
    if not left and not file.facts()["unlisted"]:
        return "finished"
    return f"stopped early: {sittings[-1].stopped_by or 'killed'}"
