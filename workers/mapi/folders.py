"""IMAPIFolder and IMsgStore: what tables and messages are got from."""

from __future__ import annotations

from enum import IntFlag
from struct import Struct
from typing import TYPE_CHECKING, ClassVar

from workers.mapi.interfaces import Interface, PropertyObject
from workers.mapi.messages import Message, open_message
from workers.mapi.rops import (
    FolderIds,
    GetContentsTableRequest,
    GetHierarchyTableRequest,
    GetReceiveFolderRequest,
    OpenFolderRequest,
)
from workers.mapi.tables import Table, TableFlags

if TYPE_CHECKING:
    from workers.mapi.connection import Logon
    from workers.mapi.rops import LogonResponse

_FOLDER_IDS, _ID = Struct("<13Q"), Struct("<Q")
_IPM_SUBTREE = _ID.size * FolderIds._fields.index("ipm_subtree")

#: No flag at all: what a table is made with where nothing else is said.
PLAIN = TableFlags(0)


class ResponseFlags(IntFlag):
    """What RopLogon tells of the rights of the one who logged on ([MS-OXCSTOR] 2.2.1.1.3)."""

    RESERVED = 0x01
    OWNER_RIGHT = 0x02
    SEND_AS_RIGHT = 0x04
    OOF = 0x10


class Folder(PropertyObject):
    """A folder of a store."""

    kind: ClassVar[str] = "IMAPIFolder"

    __slots__ = ("folder_id",)

    def __init__(self, handle: int, parent: Interface, folder_id: int) -> None:
        super().__init__(parent.logon, handle, parent)
        self.folder_id = folder_id

    def open_folder(self, folder_id: int) -> Folder:
        """Another folder of the store, which keeps this one alive. Raises MapiError, NOT_FOUND."""
        return _open_folder(self, folder_id)

    def open_message(self, message_id: int) -> Message:
        """A message of this folder, for reading. Raises MapiError, NOT_FOUND."""
        return open_message(self, self.folder_id, message_id)

    def get_hierarchy_table(self, flags: TableFlags = PLAIN) -> Table:
        """The folders below this one: the next level, or every one with DEPTH."""
        request = GetHierarchyTableRequest(self.logon.index, 0, 1, flags)
        responses, handles = self.chain([request], 1)
        return Table(handles[1], self, responses[0].row_count)

    def get_contents_table(self, flags: TableFlags = PLAIN) -> Table:
        """The messages of this folder."""
        request = GetContentsTableRequest(self.logon.index, 0, 1, flags)
        responses, handles = self.chain([request], 1)
        return Table(handles[1], self, responses[0].row_count)


class MsgStore(PropertyObject):
    """An open mailbox, and with it a logon and its index."""

    kind: ClassVar[str] = "IMsgStore"

    __slots__ = ("_folder_ids", "mailbox_guid", "response_flags")

    def __init__(self, logon: Logon, handle: int, response: LogonResponse) -> None:
        super().__init__(logon, handle, None)
        self._folder_ids = _FOLDER_IDS.pack(*response.folder_ids)  # a quarter of what they take as numbers
        self.response_flags = response.response_flags  # ResponseFlags
        self.mailbox_guid = response.mailbox_guid

    @property
    def folder_ids(self) -> FolderIds:
        """Of the thirteen special folders ([MS-OXCSTOR] 2.2.1.1.3)."""
        return FolderIds._make(_FOLDER_IDS.unpack(self._folder_ids))

    @property
    def ipm_subtree(self) -> int:
        """That of the folder below which everything lies that a person sees."""
        folder_id: int = _ID.unpack_from(self._folder_ids, _IPM_SUBTREE)[0]
        return folder_id

    @property
    def mailbox_dn(self) -> str:
        """The legacyExchangeDN of the mailbox."""
        return self.logon.mailbox_dn

    def open_folder(self, folder_id: int) -> Folder:
        """A folder by its id. Raises MapiError, NOT_FOUND."""
        return _open_folder(self, folder_id)

    def receive_folder(self, message_class: str = "") -> Folder:
        """Where new messages of a class go: the inbox, for most. Two round trips, as the id must be known first."""
        [response], _ = self.chain([GetReceiveFolderRequest(self.logon.index, 0, message_class)])
        return _open_folder(self, response.folder_id)


def _open_folder(opener: MsgStore | Folder, folder_id: int) -> Folder:
    _, handles = opener.chain([OpenFolderRequest(opener.logon.index, 0, 1, folder_id, 0)], 1)
    return Folder(handles[1], opener, folder_id)
