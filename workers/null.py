"""The null server: N names and nothing to open. It measures the engine alone."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from contextlib import AbstractContextManager

    from workers.mailbox import Folder, Mailbox


class NullMailbox:
    """A name."""

    __slots__ = ("address",)

    def __init__(self, address: str) -> None:
        self.address = address

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

    def __init__(self, slot: memoryview) -> None:
        self._slot = slot

    @property
    def address(self) -> str:  # type: ignore[override]  # computed when it is asked for
        return name(self._slot[0])


def name(ordinal: int) -> str:
    """What mailbox `ordinal` is called."""
    return f"null-{ordinal:08}"


class NullSession:
    """A session with nobody."""

    def open(self, address: str) -> AbstractContextManager[Mailbox]:
        return nullcontext(NullMailbox(address))

    def mailboxes(
        self, ordinals: range, addresses: list[str] | None, slot: memoryview
    ) -> Generator[Mailbox, None, None]:
        if addresses is None:
            mailbox = _Numbered(slot)
            for slot[0] in ordinals:  # the slot is the loop variable: nothing marks it for less
                yield mailbox
        else:
            for slot[0], address in zip(ordinals, addresses, strict=True):
                yield NullMailbox(address)

    def close(self) -> None:
        """Nothing is held."""


class NullServer:
    """`null:N`."""

    capacity = None
    arithmetic = "null: holds nothing open"
    source = "computed from the number in the URL"

    def __init__(self, count: int) -> None:
        self.numbered = count

    def address(self, ordinal: int) -> str:
        return name(ordinal)

    def addresses(self) -> Iterator[str]:
        return map(name, range(self.numbered))

    def session(self) -> NullSession:
        return NullSession()
