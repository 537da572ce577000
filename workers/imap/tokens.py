"""Bearer tokens of a worker: one is good for many mailboxes, and for no longer than its server likes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.access import TokenError
from workers.causes import Cause, MailboxError

if TYPE_CHECKING:
    from workers.access import Access


class Tokens:
    """The token that was good last; the command that prints one may take longer than a mailbox."""

    def __init__(self, access: Access) -> None:
        """The command is run when a token is wanted."""
        self._access = access
        #: Empty before the first one.
        self.kept = ""

    def fresh(self) -> str:
        """Another token, which is kept. Raises MailboxError, CREDENTIALS."""
        try:
            self.kept = self._access.token()
        except TokenError as error:
            raise MailboxError(str(error), Cause.CREDENTIALS) from error
        return self.kept
