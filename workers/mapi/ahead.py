"""Mailboxes that are opened together, and whose folders are listed together: fewer round trips for the same work.

On a real server the folders of a mailbox can only be asked for when the logon has told their ids, so this takes two buffers:
the logons of the next few mailboxes of a chunk, then, if the job asks for the folders of one, the folders of all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.mapi.hresults import MapiError
from workers.mapi.listing import list_folders, list_together

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workers.mapi.folders import MsgStore
    from workers.mapi.rows import Row


class Ahead:
    """Stores that were opened together. Those that were not taken are to be released."""

    def __init__(self, stores: Sequence[MsgStore | MapiError]) -> None:
        """In the order in which they will be wanted."""
        self._waiting = [*stores]
        self._listed: dict[MsgStore, list[Row] | MapiError] = {}

    def take(self) -> MsgStore:
        """The next one. Raises MapiError where that one was refused."""
        store = self._waiting.pop(0)
        if isinstance(store, MapiError):
            raise store
        return store

    def folders(self, store: MsgStore) -> list[Row]:
        """The rows of a store that was taken, listed with those that wait. Raises MapiError."""
        rows = self._listed.pop(store, None)
        if rows is None:
            waiting = [each for each in self._waiting if not isinstance(each, MapiError) and each not in self._listed]
            if not waiting:
                return list_folders(store)
            rows, *others = list_together([store, *waiting])
            self._listed.update(zip(waiting, others, strict=True))
        if isinstance(rows, MapiError):
            raise rows
        return rows

    def release(self) -> None:
        """Let go of those that were not taken."""
        for store in reversed(self._waiting):
            if not isinstance(store, MapiError):
                store.release()
        self._waiting.clear()

    def __len__(self) -> int:
        """How many were not taken."""
        return len(self._waiting)
