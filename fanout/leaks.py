"""Leaks by line of code: what a run's jobs left unreleased, added up over its mailboxes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from workers.messages import Leaked

#: Lines that a summary shows; `fanout show` shows them all.
SHOWN = 10


class LeakLine(msgspec.Struct, frozen=True):
    """Interfaces of one kind that were obtained at one line of a job's code, and never released."""

    #: The interface's name in MAPI: IMAPIFolder, IMAPITable, IMessage.
    kind: str
    file: str
    line: int
    function: str
    interfaces: int
    #: Mailboxes at which that happened.
    mailboxes: int

    def __str__(self) -> str:
        where = f"{self.file}:{self.line} in {self.function}"
        return f"{self.interfaces:,} {self.kind} in {self.mailboxes:,} mailboxes, obtained at {where}"


class LeakCount:
    """Adds up leaks as they are told."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, int, str], tuple[int, int]] = {}

    def add(self, leaked: Leaked) -> None:
        for leak in leaked.leaks:
            key = (leak.kind, leak.file, leak.line, leak.function)
            interfaces, mailboxes = self._counts.get(key, (0, 0))
            self._counts[key] = (interfaces + leak.count, mailboxes + 1)

    def lines(self) -> list[LeakLine]:
        """Those with the most interfaces first."""
        lines = [LeakLine(*key, *counts) for key, counts in self._counts.items()]
        return sorted(lines, key=lambda line: (-line.interfaces, line.file, line.line))


def in_words(lines: Iterable[LeakLine], shown: int | None = SHOWN) -> Iterator[str]:
    """What a summary says of them: of so many, or of all."""
    for number, line in enumerate(lines):
        if number == shown:
            yield "          and more, see fanout show"
            return
        yield f"{'leaked    ' if number == 0 else ' ' * 10}{line}"
