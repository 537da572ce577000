"""What a session needs of the other side: three calls that carry ROP buffers, and a list of mailboxes.

The session above knows nothing else of a server. A transport knows nothing of logons or properties:
to it a ROP buffer is bytes. RPC_HEADER_EXT, cookies, compression and obfuscation are a transport's own business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

#: Bytes of the ROP buffer of one reply: 32 KB ([MS-OXCRPC] 3.1.4.2; rgbOut before RPC_HEADER_EXT).
MAX_ROP_OUT = 0x8000


class RpcError(Exception):
    """A call was refused as a whole: there is no ROP buffer, and what it asked for may or may not have happened.

    `code` is the server's: 0x4B6 for a buffer it cannot parse, 0x47D for a reply that has no room
    (although every ROP before the one that did not fit *was* executed), 0x480 when it is busy. `said` is what there is
    to say beyond it.
    """

    def __init__(self, code: int, said: str = "") -> None:
        super().__init__(f"the server refused the call: 0x{code:X}{said and ': '}{said}")
        self.code = code
        self.said = said

    def of(self, call: str) -> str:
        """The call that was refused, with what there is to say."""
        return f"{call} ({self.said})" if self.said else call


class ConnectionLost(Exception):  # noqa: N818 - a fact about the connection, as BrokenPipe is
    """The session context is gone, and every logon in it; the server may be reached anew."""


class Transport(Protocol):
    """One way to a server. Calls on one context are serial; contexts do not wait for each other."""

    def connect(self, user_dn: str) -> int:
        """Make a session context for the account `user_dn`; its number. Raises RpcError, ConnectionLost."""
        ...

    def execute(self, context: int, rop_buffer: bytes) -> bytes:
        """Carry one ROP buffer and bring its answer: RopSize, ROP list and handle table in both directions.

        One round trip. Raises RpcError when the call is refused as a whole, ConnectionLost when the
        context is gone.
        """
        ...

    def disconnect(self, context: int) -> None:
        """Give the context up, with all that is open in it. Never raises: a lost one is gone already."""
        ...


class MailboxRow(NamedTuple):
    """One row of the mailbox table (PR_DISPLAY_NAME, PR_EMAIL_ADDRESS and so on)."""

    display_name: str
    mailbox_dn: str  # the legacyExchangeDN, what RopLogon wants
    size: int  # bytes
    content_count: int
    last_logon: datetime | None  # UTC; a mailbox that was never used has none


class Directory(Protocol):
    """Who knows which mailboxes there are."""

    def mailbox_rows(self, offset: int, limit: int) -> Sequence[MailboxRow]:
        """At most `limit` rows from row `offset` on; the table ends where a page is empty.

        There is no "more" flag, and a page may be shorter than `limit` before the end.
        Raises RpcError, ConnectionLost.
        """
        ...
