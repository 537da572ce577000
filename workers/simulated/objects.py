"""What a handle stands for: logons, folders, messages and streams of one session context.

Every object belongs to a logon, and a handle is good for nothing without that logon's LogonId
([MS-OXCROPS] 3.2.5.1). Tables have a module of their own.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from workers.mapi.hresults import ErrorCode, HResult
from workers.simulated.stores import (
    IPM_SUBTREE,
    REPLICA_ID,
    FolderFacts,
    NoMessages,
    store_folders,
    wire_id,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workers.simulated.stores import Mailbox, MessageFacts, Messages


_TOP = wire_id(IPM_SUBTREE)


class RopFailure(Exception):  # noqa: N818 - the ReturnValue of one ROP, not a fault of ours
    """A ROP is answered with an error code; the Execute goes on."""

    def __init__(self, code: int) -> None:
        super().__init__(f"0x{code:X}")
        self.code = code


class NoRoom(Exception):  # noqa: N818 - a fact about the reply, not a fault
    """Not even the least of an answer fits into what is left of the reply; `needed` bytes would do."""

    def __init__(self, needed: int) -> None:
        super().__init__(f"{needed} bytes")
        self.needed = needed


def code_of(error: OSError) -> int:
    """What a store answers when the disk below it does not give something."""
    match error:
        case PermissionError():
            return HResult.MAPI_E_NO_ACCESS
        case FileNotFoundError():
            return HResult.MAPI_E_NOT_FOUND
        case _:
            return HResult.MAPI_E_DISK_ERROR


class Logon:
    """One open mailbox. `locked`: the account may see that it is there, and nothing in it."""

    def __init__(self, mailbox: Mailbox, *, locked: bool) -> None:
        self.mailbox = mailbox
        self.locked = locked
        self.top = mailbox.id_bits | _TOP
        self._subtree: Sequence[FolderFacts] | None = None
        #: Everything open on it by handle, itself included.
        self.objects: dict[int, ServerObject] = {}

    @property
    def subtree(self) -> Sequence[FolderFacts]:
        """The folders below the IPM subtree's own, as they were when they were first asked for."""
        if self._subtree is None:
            self._subtree = self.mailbox.subtree()
        return self._subtree

    @cached_property
    def folders(self) -> dict[int, FolderFacts]:
        """Every folder by its id, parents first."""
        return {facts.folder_id: facts for facts in store_folders(self.mailbox.id_bits, self.subtree)}

    def open_folder(self, folder_id: int) -> Folder:
        """Raises RopFailure: INVALID_PARAMETER for what can be no id of this store, NOT_FOUND."""
        if folder_id == 0 or folder_id & 0xFFFF != REPLICA_ID:
            raise RopFailure(HResult.MAPI_E_INVALID_PARAMETER)
        if self.locked or (folder_id != self.top and folder_id not in self.folders):
            raise RopFailure(HResult.MAPI_E_NOT_FOUND)
        return Folder(self, folder_id)

    def below(self, folder_id: int) -> Sequence[FolderFacts]:
        """All folders below a folder, parents first, with their depth counted from it."""
        if folder_id == self.top:
            return self.subtree
        inside = {folder_id}
        base = self.folders[folder_id].depth
        found = []
        for facts in self.folders.values():
            if facts.parent_id in inside and facts.folder_id != folder_id:
                inside.add(facts.folder_id)
                found.append(facts._replace(depth=facts.depth - base))
        return found

    def messages(self, folder_id: int) -> Messages:
        """The messages of a folder. Raises OSError; RopFailure, NOT_FOUND."""
        if self.open_folder(folder_id).facts.depth <= 0:  # only below the IPM subtree
            return NoMessages()
        return self.mailbox.messages(folder_id)


class Folder:
    """An open folder."""

    def __init__(self, logon: Logon, folder_id: int) -> None:
        self.logon = logon
        self.folder_id = folder_id

    @property
    def facts(self) -> FolderFacts:
        """What a hierarchy table would say of it."""
        return self.logon.folders[self.folder_id]


class Message:
    """An open message. Its text is read when somebody asks for it, and kept as long as it is open."""

    def __init__(self, messages: Messages, row: int) -> None:
        self._messages = messages
        self._row = row
        self.facts: MessageFacts = messages.facts(row)

    @cached_property
    def content(self) -> bytes:
        """The whole message. Raises OSError when it can't be read."""
        return self._messages.read(self._row)


class Stream:
    """The value of a property, read from front to back."""

    def __init__(self, data: bytes) -> None:
        self.size = len(data)
        self._data = data
        self._position = 0

    def read(self, count: int) -> bytes:
        """The next `count` bytes, fewer at the end."""
        part = self._data[self._position : self._position + count]
        self._position += len(part)
        return part


ServerObject = Any  # Logon, Folder, Message, Stream or a table of `tables`


class Connection:
    """One session context: which logon a LogonId means, and which object a handle."""

    def __init__(self, user_dn: str, limit: int | None) -> None:
        self.user_dn = user_dn
        self._limit = limit
        self._next_handle = 1
        self.logons: dict[int, Logon] = {}

    def log_on(self, logon_id: int, logon: Logon) -> int:
        """The new logon's handle. A logon that has this LogonId is released with all its objects, silently."""
        self.logons[logon_id] = logon
        return self._enter(logon, logon)

    def open(self, logon: Logon, opened: ServerObject) -> int:
        """The new object's handle. Raises RopFailure, MAX_OBJS_EXCEEDED."""
        if self._limit is not None and self.open_objects >= self._limit:
            raise RopFailure(ErrorCode.MAX_OBJS_EXCEEDED)
        return self._enter(logon, opened)

    def release(self, logon_id: int, handle: int) -> None:
        """What is not there is released already: never an error ([MS-OXCROPS] 3.2.5.3)."""
        logon = self.logons.get(logon_id)
        if logon is not None and logon.objects.pop(handle, None) is logon:
            del self.logons[logon_id]

    @property
    def open_objects(self) -> int:
        """How many objects are open, logons left out."""
        return sum(len(logon.objects) for logon in self.logons.values()) - len(self.logons)

    def _enter(self, logon: Logon, opened: ServerObject) -> int:
        handle = self._next_handle
        self._next_handle += 1
        logon.objects[handle] = opened
        return handle
