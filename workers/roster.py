"""What a roster worker does: one look at the credentials, then the server's capacity and its names, by pages.

A run whose account is refused ends here, with one attempt: many workers that try a wrong password lock it.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from workers.causes import Cause, MailboxError
from workers.failures import describe
from workers.messages import Announced, Listed, ListMailboxes, Names, Unable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.messages import ToParent
    from workers.servers import Server
    from workers.slots import Slot

#: Names in one page of the roster: a page of long names still fits a frame of 64 to 128 KB.
PAGE = 1000


def listing(server: Server, wanted: ListMailboxes, slot: Slot) -> Iterator[ToParent]:
    """What the server announces, its names by pages, and an empty page; Unable where that can't be told."""
    try:
        _check(server, slot, wanted.address)
        yield Announced(server.capacity, server.arithmetic, server.numbered, server.source)
        if wanted.names is Names.ALL or (wanted.names is Names.UNNUMBERED and server.numbered is None):
            yield from _pages(server.addresses())
    except Exception as error:  # noqa: BLE001 - a server that can't be listed ends the run, with its reason
        yield Unable(describe(error))
    else:
        yield Listed([])


def _check(server: Server, slot: Slot, address: str) -> None:
    """Raise MailboxError when the server refuses the account. Other trouble may have passed when the workers connect."""
    session = server.session(slot)
    try:
        session.check(address)
    except MailboxError as error:
        if error.cause is Cause.CREDENTIALS:
            raise
    finally:
        session.close()


def _pages(addresses: Iterator[str]) -> Iterator[Listed]:
    while page := list(islice(addresses, PAGE)):
        yield Listed(page)
