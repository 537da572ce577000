"""ROPs on a store and its folders: logon, release, open folder, receive folder."""

from __future__ import annotations

from struct import Struct
from typing import ClassVar, NamedTuple, Self

import msgspec

from workers.mapi.rop import HEAD, FixedRequest, FixedResponse, RopId
from workers.mapi.wire import CodecError, read_sized_string8, read_string8, write_string8

#: LogonFlags: the logon is to a mailbox, not to public folders ([MS-OXCROPS] 2.2.3.1).
LOGON_PRIVATE = 0x01
#: ReturnValue of a logon whose mailbox lives on another server, which the response names.
WRONG_SERVER = 0x478


class LogonRequest(msgspec.Struct, frozen=True):
    """RopLogon to the mailbox of a DN ([MS-OXCROPS] 2.2.3.1.1)."""

    rop_id: ClassVar[int] = RopId.LOGON
    #: Chosen by the client, 0 to 255; one that is in use replaces that logon, silently.
    logon_id: int
    output_handle_index: int
    logon_flags: int
    open_flags: int
    store_state: int
    essdn: str

    def encode(self) -> bytes:
        """The request's bytes; EssdnSize counts the NUL."""
        essdn = write_string8(self.essdn)
        head = _LOGON.pack(
            self.rop_id,
            self.logon_id,
            self.output_handle_index,
            self.logon_flags,
            self.open_flags,
            self.store_state,
            len(essdn),
        )
        return head + essdn

    @classmethod
    def decode(cls, buffer: bytes, offset: int) -> tuple[Self, int]:
        """The request at `offset`, and where the next one begins. An Essdn without its one final NUL is refused."""
        _, logon_id, index, flags, open_flags, state, size = _LOGON.unpack_from(buffer, offset)
        offset += _LOGON.size
        essdn = read_sized_string8(buffer, offset, size)
        return cls(logon_id, index, flags, open_flags, state, essdn), offset + size


_LOGON = Struct("<BBBBIIH")


class FolderIds(NamedTuple):
    """The special folders of a mailbox, in the order of the response ([MS-OXCSTOR] 2.2.1.1.3)."""

    root: int
    deferred_action: int
    spooler_queue: int
    ipm_subtree: int
    inbox: int
    outbox: int
    sent_items: int
    deleted_items: int
    common_views: int
    schedule: int
    search: int
    views: int
    shortcuts: int


class LogonTime(NamedTuple):
    """The server's clock at logon, in UTC ([MS-OXCSTOR] 2.2.1.1.3)."""

    seconds: int
    minutes: int
    hour: int
    #: 0 is Sunday.
    day_of_week: int
    day: int
    month: int
    year: int


class LogonResponse(msgspec.Struct, frozen=True):
    """A logon to a mailbox that succeeded ([MS-OXCROPS] 2.2.3.1.2)."""

    rop_id: ClassVar[int] = RopId.LOGON
    return_value: ClassVar[int] = 0
    output_handle_index: int
    logon_flags: int
    folder_ids: FolderIds
    #: 0x01 always, 0x02 owner's right, 0x04 right to send as the owner, 0x10 out of office.
    response_flags: int
    #: 16 bytes, as on the wire.
    mailbox_guid: bytes
    repl_id: int
    #: 16 bytes, as on the wire.
    repl_guid: bytes
    logon_time: LogonTime
    #: FILETIME.
    gwart_time: int
    store_state: int

    def encode(self) -> bytes:
        """The response's bytes, 166."""
        return _LOGGED_ON_WRITTEN.pack(
            self.rop_id,
            self.output_handle_index,
            self.logon_flags,
            *self.folder_ids,
            self.response_flags,
            self.mailbox_guid,
            self.repl_id,
            self.repl_guid,
            *self.logon_time,
            self.gwart_time,
            self.store_state,
        )

    @classmethod
    def decode(cls, buffer: bytes, offset: int) -> tuple[Self, int]:
        """The response at `offset`, known to be a successful one, and where the next one begins."""
        fields = _LOGGED_ON_READ.unpack_from(buffer, offset)
        index, flags = fields[:2]
        if not flags & LOGON_PRIVATE:
            raise CodecError("the answer to a logon to public folders")
        owner, guid, repl_id, repl_guid = fields[15:19]
        ids, time = FolderIds._make(fields[2:15]), LogonTime._make(fields[19:26])
        response = cls(index, flags, ids, owner, guid, repl_id, repl_guid, time, *fields[26:])
        return response, offset + _LOGGED_ON_READ.size


#: From the handle index on; the ReturnValue is 0.
_LOGGED_ON = "B4x B 13Q B 16s H 16s 6BH Q I"
_LOGGED_ON_WRITTEN, _LOGGED_ON_READ = Struct("<B" + _LOGGED_ON), Struct("<x" + _LOGGED_ON)


class LogonRedirectResponse(msgspec.Struct, frozen=True):
    """A logon sent to the wrong server; the right one is named ([MS-OXCROPS] 2.2.3.1.4)."""

    rop_id: ClassVar[int] = RopId.LOGON
    return_value: ClassVar[int] = WRONG_SERVER
    output_handle_index: int
    logon_flags: int
    #: The DN of the server to go to.
    server_name: str

    def encode(self) -> bytes:
        """The response's bytes; ServerNameSize counts the NUL."""
        name = write_string8(self.server_name)
        return (
            HEAD.pack(self.rop_id, self.output_handle_index, WRONG_SERVER)
            + _REDIRECT.pack(self.logon_flags, len(name))
            + name
        )

    @classmethod
    def decode(cls, buffer: bytes, offset: int) -> tuple[Self, int]:
        """The response at `offset`, known to be a redirection, and where the next one begins."""
        _, index, _ = HEAD.unpack_from(buffer, offset)
        logon_flags, size = _REDIRECT.unpack_from(buffer, offset + HEAD.size)
        offset += HEAD.size + _REDIRECT.size
        return cls(index, logon_flags, read_sized_string8(buffer, offset, size)), offset + size


_REDIRECT = Struct("<BB")


class ReleaseRequest(FixedRequest, frozen=True):
    """RopRelease: gives a handle back. The server never answers it ([MS-OXCROPS] 2.2.15.3)."""

    rop_id = RopId.RELEASE
    layout = "BB"
    logon_id: int
    input_handle_index: int


class OpenFolderRequest(FixedRequest, frozen=True):
    """RopOpenFolder ([MS-OXCROPS] 2.2.4.1.1)."""

    rop_id = RopId.OPEN_FOLDER
    layout = "BBBQB"
    logon_id: int
    input_handle_index: int
    output_handle_index: int
    folder_id: int
    open_mode_flags: int


class OpenFolderResponse(FixedResponse, frozen=True):
    """An open folder ([MS-OXCROPS] 2.2.4.1.2). Mailboxes have no ghosted ones, so those are refused."""

    rop_id = RopId.OPEN_FOLDER
    layout = "??"
    output_handle_index: int
    has_rules: bool
    is_ghosted: bool

    def __post_init__(self) -> None:
        if self.is_ghosted:  # the names of its servers would follow
            raise CodecError("a ghosted folder")


class GetReceiveFolderRequest(msgspec.Struct, frozen=True):
    """RopGetReceiveFolder: where mail of a class is delivered ([MS-OXCROPS] 2.2.3.2.1)."""

    rop_id: ClassVar[int] = RopId.GET_RECEIVE_FOLDER
    logon_id: int
    input_handle_index: int
    message_class: str

    def encode(self) -> bytes:
        """The request's bytes."""
        head = _RECEIVE.pack(self.rop_id, self.logon_id, self.input_handle_index)
        return head + write_string8(self.message_class)

    @classmethod
    def decode(cls, buffer: bytes, offset: int) -> tuple[Self, int]:
        """The request at `offset`, and where the next one begins."""
        _, logon_id, index = _RECEIVE.unpack_from(buffer, offset)
        message_class, offset = read_string8(buffer, offset + _RECEIVE.size)
        return cls(logon_id, index, message_class), offset


_RECEIVE = Struct("<BBB")


class GetReceiveFolderResponse(msgspec.Struct, frozen=True):
    """The folder, and the longest class that chose it ([MS-OXCROPS] 2.2.3.2.2)."""

    rop_id: ClassVar[int] = RopId.GET_RECEIVE_FOLDER
    return_value: ClassVar[int] = 0
    input_handle_index: int
    folder_id: int
    explicit_message_class: str

    def encode(self) -> bytes:
        """The response's bytes."""
        head = _RECEIVED.pack(self.rop_id, self.input_handle_index, 0, self.folder_id)
        return head + write_string8(self.explicit_message_class)

    @classmethod
    def decode(cls, buffer: bytes, offset: int) -> tuple[Self, int]:
        """The response at `offset`, known to be a successful one, and where the next one begins."""
        _, index, _, folder_id = _RECEIVED.unpack_from(buffer, offset)
        message_class, offset = read_string8(buffer, offset + _RECEIVED.size)
        return cls(index, folder_id, message_class), offset


_RECEIVED = Struct("<BBIQ")
