"""The null server: N names and nothing to open. It measures the engine alone."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from contextlib import AbstractContextManager

    from workers.mailbox import Folder, Mailbox

_PREFIX = "null-"


class NullMailbox:
    """A name. One object serves a whole walk, so that visiting costs next to nothing."""

    __slots__ = ("_address", "ordinal")

    def __init__(self, address: str | None = None) -> None:
        self._address = address
        self.ordinal = 0

    @property
    def address(self) -> str:
        return self._address or f"{_PREFIX}{self.ordinal:08}"

    @property
    def display_name(self) -> str:
        return self.address

    @property
    def store(self) -> None:
        return None

    def folders(self) -> list[Folder]:
        return []


class NullSession:
    """A session with nobody."""

    def open(self, address: str) -> AbstractContextManager[Mailbox]:
        return nullcontext(NullMailbox(address))

    def mailboxes(
        self, ordinals: range, addresses: list[str] | None, slot: memoryview
    ) -> Generator[Mailbox, None, None]:
        if addresses is None:
            mailbox = NullMailbox()
            for ordinal in ordinals:
                slot[0] = mailbox.ordinal = ordinal
                yield mailbox
        else:
            for ordinal, address in zip(ordinals, addresses, strict=True):
                slot[0] = ordinal
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
        return f"{_PREFIX}{ordinal:08}"

    def addresses(self) -> Iterator[str]:
        return map(self.address, range(self.numbered))

    def session(self) -> NullSession:
        return NullSession()
