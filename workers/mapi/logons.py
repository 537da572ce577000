"""The logon index table: which of the one-byte logon indexes of a connection are taken.

Everything about the ceiling revolves around this. The table must refuse, because nobody else will: a server
that hears a LogonId for the second time releases the first logon in silence and answers success.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Indexes 0 to 254 are issued, 255 never. A LogonId is a byte, any value of which is legal on the wire
#: ([MS-OXCROPS] 3.1.4.2), so a connection could hold 2**8 logons; the article says that it holds 255, and
#: OpenChange's table has as many (`logon_ids[255]`). The one we leave out is the last.
MAX_LOGONS = 2**8 - 1


class LogonTableFull(Exception):  # noqa: N818 - a state of the table, told before anything is sent
    """Every index is taken or reserved."""


class LogonIndexTable:
    """The indexes of one connection. The lowest free one is issued first; a reserved one never."""

    __slots__ = ("_free", "_issuable")

    def __init__(self, reserved: frozenset[int] = frozenset()) -> None:
        """`reserved`: indexes that somebody else uses; those outside 0..254 mean nothing here."""
        self._issuable = _mask(reserved)
        self._free = self._issuable

    def acquire(self) -> int:
        """The lowest free index, which is taken now. Raises LogonTableFull."""
        lowest = self._free & -self._free
        if not lowest:
            raise LogonTableFull
        self._free ^= lowest
        return lowest.bit_length() - 1

    def release(self, index: int) -> None:
        """The index is free, and will be the next to be issued unless a lower one is free."""
        if index not in self:
            raise ValueError(f"logon index {index} is not in use")
        self._free |= 1 << index

    def clear(self) -> None:
        """All that was issued is free: the connection ended, and every logon with it."""
        self._free = self._issuable

    def __contains__(self, index: int) -> bool:
        """Whether the index is in use."""
        return index >= 0 and bool((self._issuable ^ self._free) >> index & 1)

    def __iter__(self) -> Iterator[int]:
        """The indexes in use, lowest first."""
        return (index for index in range(MAX_LOGONS) if index in self)


def capacity(reserved: frozenset[int], kept: int = 0) -> int:
    """Mailboxes that one connection can hold: 255 - reserved - stores that the session keeps open for itself."""
    return max(0, _mask(reserved).bit_count() - kept)


def _mask(reserved: frozenset[int]) -> int:
    everything = (1 << MAX_LOGONS) - 1
    for index in reserved:
        if 0 <= index < MAX_LOGONS:
            everything &= ~(1 << index)
    return everything
