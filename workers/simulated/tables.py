"""Tables: a cursor over rows, and columns that must be set before any row is read ([MS-OXCTABL])."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, Protocol

from workers.mapi import properties as props
from workers.mapi.hresults import ErrorCode, HResult
from workers.mapi.properties import PropertyType, property_type, row_codec
from workers.mapi.rops import BEGINNING, CURRENT, END
from workers.mapi.wire import CodecError
from workers.simulated.columns import folder_cells, message_cells
from workers.simulated.objects import NoRoom, RopFailure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from workers.mapi.rops import SortOrder
    from workers.simulated.stores import FolderFacts, Messages

#: SortOrder.order, where ascending is 0 ([MS-OXCDATA] 2.13.1).
_DESCENDING = 1

_DELIVERY_TIME = props.PR_MESSAGE_DELIVERY_TIME >> 16


class Rows(Protocol):
    """What a table is about."""

    def __len__(self) -> int: ...

    def encoder(self, tags: tuple[int, ...]) -> Callable[[Iterable[int]], Iterator[bytes]]:
        """What writes rows with these columns, by their places, one by one as they are asked for.

        Raises CodecError for a property type that no row can hold.
        """
        ...

    def sort(self, orders: Sequence[SortOrder]) -> None:
        """Raises RopFailure, NO_SUPPORT, where the order can't be changed."""
        ...


class FolderRows:
    """The rows of a hierarchy table."""

    def __init__(self, folders: Sequence[FolderFacts]) -> None:
        self._folders = folders

    def __len__(self) -> int:
        return len(self._folders)

    def encoder(self, tags: tuple[int, ...]) -> Callable[[Iterable[int]], Iterator[bytes]]:
        encode, cells, folder = row_codec(tags).encode, folder_cells(tags), self._folders.__getitem__
        return lambda places: map(encode, map(cells, map(folder, places)))

    def sort(self, orders: Sequence[SortOrder]) -> None:  # noqa: ARG002 - whatever it is
        raise RopFailure(HResult.MAPI_E_NO_SUPPORT)


class MessageRows:
    """The rows of a contents table."""

    def __init__(self, messages: Messages) -> None:
        self._messages = messages
        self._order: Sequence[int] = range(len(messages))

    def __len__(self) -> int:
        return len(self._order)

    def encoder(self, tags: tuple[int, ...]) -> Callable[[Iterable[int]], Iterator[bytes]]:
        encode, cells, facts = row_codec(tags).encode, message_cells(tags), self._messages.facts
        # The order is looked up anew, as it may change between two queries.
        return lambda places: (encode(cells(facts(self._order[place]))) for place in places)

    def sort(self, orders: Sequence[SortOrder]) -> None:
        """By time of delivery, either way. Any other order is accepted and changes nothing, as recorded."""
        if orders and orders[0].property_id == _DELIVERY_TIME:
            newest_first = self._messages.newest_first()
            self._order = newest_first if orders[0].order == _DESCENDING else newest_first[::-1]


class Page(NamedTuple):
    """What one RopQueryRows gets."""

    origin: int
    rows: list[bytes]


class Table:
    """A cursor, which stands before row `position`, and columns."""

    def __init__(self, rows: Rows) -> None:
        self.position = 0
        self._rows = rows
        self._count = len(rows)
        self._encode: Callable[[Iterable[int]], Iterator[bytes]] | None = None

    def __len__(self) -> int:
        return self._count

    def set_columns(self, tags: tuple[int, ...]) -> None:
        """A failure leaves the table without columns. Raises RopFailure, INVALID_PARAMETER."""
        self._encode = None
        if not _are_columns(tags):
            raise RopFailure(HResult.MAPI_E_INVALID_PARAMETER)
        try:
            self._encode = self._rows.encoder(tags)
        except CodecError as error:
            raise RopFailure(HResult.MAPI_E_INVALID_PARAMETER) from error

    def sort(self, orders: Sequence[SortOrder]) -> None:
        """The cursor goes to the beginning. Raises RopFailure, NO_SUPPORT."""
        self._rows.sort(orders)
        self.position = 0

    def seek(self, origin: int, count: int) -> int:
        """Move the cursor; how many rows it moved from `origin`. Raises RopFailure, INVALID_PARAMETER."""
        base = {BEGINNING: 0, CURRENT: self.position, END: self._count}.get(origin)
        if base is None:
            raise RopFailure(HResult.MAPI_E_INVALID_PARAMETER)
        self.position = min(max(0, base + count), self._count)
        return self.position - base

    def query_forward(self, count: int, room: int) -> Page:
        """The rows from the cursor on, and the cursor behind them: as many as fit into `room` bytes.

        Raises NoRoom when not even one fits; RopFailure, NULL_OBJECT as long as there are no columns.
        """
        rows = self._fitting(range(self.position, min(self.position + count, self._count)), room)
        self.position += len(rows)
        return Page(END if self.position == self._count else CURRENT, rows)

    def query_backward(self, count: int, room: int) -> Page:
        """The rows before the cursor, in the table's order, and the cursor before them. Raises as above."""
        rows = self._fitting(range(self.position - 1, max(0, self.position - count) - 1, -1), room)
        self.position -= len(rows)
        return Page(CURRENT if self.position else BEGINNING, rows[::-1])

    def _fitting(self, places: range, room: int) -> list[bytes]:
        if self._encode is None:
            raise RopFailure(ErrorCode.NULL_OBJECT)
        fitting: list[bytes] = []
        for row in self._encode(places):
            room -= len(row)
            if room < 0:
                if not fitting:
                    raise NoRoom(len(row))
                break
            fitting.append(row)
        return fitting


@lru_cache(maxsize=256)
def _are_columns(tags: tuple[int, ...]) -> bool:
    """Whether there are any, and each has a type."""
    return bool(tags) and all(property_type(tag) != PropertyType.UNSPECIFIED for tag in tags)
