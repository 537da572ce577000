"""The null server: N names and nothing to open. It measures the engine alone."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from workers.slots import AT

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from contextlib import AbstractContextManager

    from workers.mailbox import Folder, Mailbox
    from workers.messages import Leak, OnLeak
    from workers.slots import Slot


class NullMailbox:
    """A name."""

    __slots__ = ("address", "dry_run")

    def __init__(self, address: str, *, dry_run: bool = False) -> None:
        self.address = address
        self.dry_run = dry_run

    @property
    def display_name(self) -> str:
        return self.address

    @property
    def store(self) -> None:
        return None

    def folders(self) -> list[Folder]:
        return []


class _Numbered(NullMailbox):
    """Whichever mailbox the slot says: one object serves a whole walk, so that visiting costs next to nothing."""

    __slots__ = ("_slot",)

    def __init__(self, slot: memoryview, *, dry_run: bool) -> None:
        self._slot = slot
        self.dry_run = dry_run

    @property
    def address(self) -> str:  # type: ignore[override]  # computed when it is asked for
        return name(self._slot[AT])


def name(ordinal: int) -> str:
    """What mailbox `ordinal` is called."""
    return f"null-{str(ordinal).zfill(8)}"  # in half the time of a format


class NullSession:
    """A session with nobody: no round trip is ever made."""

    dry_run = False

    def check(self, address: str = "") -> None:
        """Nobody refuses anybody."""

    def open(self, address: str) -> AbstractContextManager[Mailbox]:
        return nullcontext(NullMailbox(address, dry_run=self.dry_run))

    def mailboxes(
        self, ordinals: range, addresses: list[str] | None, slot: memoryview
    ) -> Generator[Mailbox, None, None]:
        if addresses is None:
            mailbox = _Numbered(slot, dry_run=self.dry_run)
            for slot[AT] in ordinals:  # the slot is the loop variable: nothing marks it for less
                yield mailbox
        else:
            for slot[AT], address in zip(ordinals, addresses, strict=True):
                yield NullMailbox(address, dry_run=self.dry_run)

    def watched(
        self,
        job: Callable[[Mailbox], object],
        on_leak: OnLeak,  # noqa: ARG002 - nothing can be left
        report: Callable[[list[Leak]], None],  # noqa: ARG002
    ) -> Callable[[Mailbox], object]:
        return job

    def close(self) -> None:
        """Nothing is held."""


class NullServer:
    """`null:N`."""

    capacity = None
    arithmetic = "null: holds nothing open"
    source = "computed from the number in the URL"
    unlisted = ""

    def __init__(self, count: int) -> None:
        self.numbered = count

    def address(self, ordinal: int) -> str:
        return name(ordinal)

    def addresses(self) -> Iterator[str]:
        return map(name, range(self.numbered))

    def session(self, slot: Slot) -> NullSession:  # noqa: ARG002 - there is no round trip to count
        return NullSession()
