"""From what a server refuses, or a connection does, to the cause of a failure.

A server that is full says so by a code, by BYE, or by closing the connection when one logs on: all of these pass, and are no
wrong password. Which account is refused, and which mailbox, is told by the code (RFC 5530).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.causes import Cause, MailboxError

if TYPE_CHECKING:
    from workers.imap.responses import Ending

_CAUSES = {
    "LIMIT": Cause.BUSY,
    "INUSE": Cause.BUSY,
    "UNAVAILABLE": Cause.BUSY,
    "AUTHENTICATIONFAILED": Cause.CREDENTIALS,
    "EXPIRED": Cause.CREDENTIALS,
    "PRIVACYREQUIRED": Cause.CREDENTIALS,
    "AUTHORIZATIONFAILED": Cause.MISSING,  # this account may log on, as nobody of that name
    "NOPERM": Cause.DENIED,
    "NONEXISTENT": Cause.MISSING,
    "CORRUPTION": Cause.SERVER,
    "SERVERBUG": Cause.SERVER,
}


def refused(command: str, ending: Ending) -> MailboxError:
    """The error for a command that ended with NO or BAD."""
    cause = _CAUSES.get(ending.code, Cause.PROTOCOL if ending.status == "BAD" else Cause.SERVER)
    return MailboxError(f"{command}: {ending.status} {ending.text}", cause)


def logon_refused(ending: Ending) -> MailboxError:
    """The error for a logon that ended with NO or BAD: without a code it is the account that is refused."""
    if ending.status == "NO" and ending.code not in _CAUSES:
        return MailboxError(f"log on: NO {ending.text}", Cause.CREDENTIALS)
    return refused("log on", ending)


def lost(while_doing: str, error: Exception) -> MailboxError:
    """The error for a connection that is gone, or that says nothing."""
    return MailboxError(f"{while_doing}: {type(error).__name__}: {error}", Cause.UNREACHABLE)


def turned_away(said: object) -> MailboxError:
    """The error for a server that ends the connection before one has logged on: it has too many."""
    return MailboxError(f"log on: the server ended the connection: {said}", Cause.BUSY)
