"""`imaps:` as a server of workers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.causes import Cause, MailboxError
from workers.imap.place import place_of
from workers.imap.session import ImapSession

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.access import Access
    from workers.slots import Slot


class ImapService:
    """`imaps://HOST[:PORT]`, and `imap://` on loopback or with STARTTLS."""

    def __init__(self, url: str, *, separate_connections: bool, access: Access) -> None:  # noqa: ARG002 - always are
        """Raises ServerUrlError."""
        self._place = place_of(url, access)

    @property
    def capacity(self) -> None:
        """No ceiling of ours: the server's own limits are met by backing off."""
        return

    @property
    def arithmetic(self) -> str:
        return "each mailbox has a connection of its own"

    @property
    def source(self) -> str:
        return f"the names given; {self._place.host} can't be asked for them by IMAP"

    @property
    def unlisted(self) -> str:
        return (
            "IMAP can't list users: give their names with --mailboxes-from FILE, or from the server's own list, as in "
            "doveadm user '*' | fanout run ... --mailboxes-from -"
        )

    @property
    def numbered(self) -> None:
        """The names must be given."""
        return

    def address(self, ordinal: int) -> str:
        raise LookupError(f"mailbox {ordinal} has no name that can be computed")

    def addresses(self) -> Iterator[str]:
        """Raises MailboxError: IMAP has no list of users."""
        raise MailboxError(self.unlisted, Cause.SERVER)

    def session(self, slot: Slot) -> ImapSession:
        return ImapSession(self._place, slot)
