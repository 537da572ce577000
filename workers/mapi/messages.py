"""IMessage, and IStream: a property too large for a reply, read in parts."""

from __future__ import annotations

from typing import ClassVar

from workers.mapi.failures import incomplete
from workers.mapi.interfaces import Interface, PropertyObject
from workers.mapi.rops import (
    CODE_PAGE_OF_LOGON,
    OpenMessageRequest,
    OpenStreamRequest,
    ReadStreamRequest,
)

#: Bytes asked for at a time. The server sends as many of them as its reply has room for.
PART = 0x8000


class Message(PropertyObject):
    """A message, opened for reading."""

    kind: ClassVar[str] = "IMessage"

    __slots__ = ()

    def __init__(self, handle: int, parent: Interface) -> None:
        super().__init__(parent.logon, handle, parent)

    def open_stream(self, tag: int) -> Stream:
        """The value of one property as a stream of bytes; text as UTF-16LE. Raises MapiError, NOT_FOUND."""
        responses, handles = self.chain([OpenStreamRequest(self.logon.index, 0, 1, tag, 0)], 1)
        return Stream(handles[1], self, responses[0].stream_size)


class Stream(Interface):
    """A property's value, read from a cursor."""

    kind: ClassVar[str] = "IStream"

    __slots__ = ("position", "size")

    def __init__(self, handle: int, parent: Interface, size: int, position: int = 0) -> None:
        super().__init__(parent.logon, handle, parent)
        self.size = size  # bytes in all
        self.position = position  # bytes read

    def read(self, count: int) -> bytes:
        """The next `count` bytes, fewer only where the stream ends; in as many replies as it takes.

        Raises MapiError, PROTOCOL where it ends before its size or goes on beyond it.
        """
        parts: list[bytes] = []
        wanted = min(count, self.size - self.position)
        while wanted > 0:
            part = self._read_part(min(wanted, PART))
            if not 0 < len(part) <= wanted:
                raise incomplete(f"ReadStream: {len(part)} bytes at {self.position} of {self.size}")
            parts.append(part)
            self.position += len(part)
            wanted -= len(part)
        return b"".join(parts)

    def _read_part(self, count: int) -> bytes:
        responses, _ = self.chain([ReadStreamRequest(self.logon.index, 0, count)])
        data: bytes = responses[0].data
        return data


def open_message(opener: Interface, folder_id: int, message_id: int) -> Message:
    """A message of a folder, opened through a store or a folder of its logon, which it keeps alive."""
    index = opener.logon.index
    _, handles = opener.chain([OpenMessageRequest(index, 0, 1, CODE_PAGE_OF_LOGON, folder_id, 0, message_id)], 1)
    return Message(handles[1], opener)
