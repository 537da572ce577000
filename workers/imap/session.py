"""The session of a worker over IMAP: a connection a mailbox, and what was learnt of the server for the next one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.causes import Cause, MailboxError
from workers.imap.line import Line
from workers.imap.mailbox import Habits, ImapMailbox
from workers.slots import AT, BEATS

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from workers.imap.place import Place
    from workers.mailbox import Mailbox
    from workers.messages import Leak, OnLeak
    from workers.slots import Slot

#: What keeps a count within the eight bytes of an element.
_MODULO = 2**64 - 1


class ImapSession:
    """Opens mailboxes. Threads may do so at the same time."""

    def __init__(self, place: Place, slot: Slot) -> None:
        """Nothing is connected yet."""
        self.dry_run = False
        self._place = place
        self._slot = slot
        self._habits = Habits()
        #: Whether this account was let in: then one that is refused speaks of a mailbox.
        self._let_in = False

    def check(self, address: str = "") -> None:
        """Log on to one mailbox, or, where none is known, connect. Raises MailboxError; CREDENTIALS when it is refused."""
        if address:
            self.open(address).close()
        else:
            Line(self._place, self._beat).close()

    def open(self, address: str) -> ImapMailbox:
        """Log on to a mailbox; leaving it as a context logs out. Raises MailboxError.

        The command that lists folders goes with the logon, in one flight, once a mailbox was asked for its folders.
        """
        line = Line(self._place, self._beat)
        command = self._habits.listing
        try:
            answers = line.log_on(address, *([command] if command else []))
        except MailboxError as error:
            line.close()
            if error.cause is Cause.CREDENTIALS and self._let_in:
                raise MailboxError(str(error), Cause.DENIED) from error
            raise
        except BaseException:
            line.close()
            raise
        self._let_in = True
        return ImapMailbox(address, line, answers[0] if answers else None, self._habits, dry_run=self.dry_run)

    def mailboxes(
        self, ordinals: range, addresses: list[str] | None, slot: memoryview
    ) -> Generator[ImapMailbox, None, None]:
        """Open one after the other, as `workers.servers.Session` says. Raises MailboxError."""
        assert addresses is not None, "the names of IMAP mailboxes are not computed"
        for ordinal, address in zip(ordinals, addresses, strict=True):
            slot[AT] = ordinal
            with self.open(address) as mailbox:
                yield mailbox

    def watched(
        self,
        job: Callable[[Mailbox], object],
        on_leak: OnLeak,  # noqa: ARG002 - nothing here has to be released
        report: Callable[[list[Leak]], None],  # noqa: ARG002
    ) -> Callable[[Mailbox], object]:
        """The job itself: a connection that is closed leaves nothing open."""
        return job

    def close(self) -> None:
        """Nothing is kept between mailboxes."""

    def _beat(self) -> None:
        try:
            self._slot[BEATS] = (self._slot[BEATS] + 1) & _MODULO
        except ValueError as error:
            raise MailboxError(
                "this process is a fork of the worker: the session is not its own", Cause.UNREACHABLE
            ) from error
