"""The article, statement by statement, run and judged: the experiments of `workers.article`, and S9, which takes processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fanout.errors import CredentialsError, StoppedError, UsageError
from fanout.fleet import open_all
from workers.access import ANYBODY, Access
from workers.article import (
    Finding,
    Laboratory,
    UnfitServerError,
    held_together,
    not_tried,
    together,
    try_statement,
)
from workers.causes import Cause, MailboxError
from workers.servers import scheme_of, server_at
from workers.urls import ServerUrlError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


#: The server that is taken where none is named: small mailboxes, and as many as S9 wants.
SERVER = "sim:1000?folders=3&messages=20"

#: Every statement that can be tried, in the article's order; S15 names further reading. `wire` is not the article's own.
NAMES = (*[f"S{number}" for number in range(1, 15)], "wire")


def chosen(words: Sequence[str]) -> list[str]:
    """The statements that some words name, in the article's order; all of them where there are none. Raises UsageError."""
    known = {name.lower(): name for name in NAMES}
    for word in words:
        if word.lower() not in known:
            raise UsageError(f"there is no statement {word!r} to try; there are S1 to S14, and wire")
    wanted = {known[word.lower()] for word in words}
    return [name for name in NAMES if not wanted or name in wanted]


def reproduce(names: Sequence[str], server: str = SERVER, access: Access = ANYBODY) -> Iterator[Finding]:
    """Try statements, one after the other.

    Raises UsageError for a server that does not speak MAPI, CredentialsError for one that refuses the account, StoppedError
    for one that does not answer.
    """
    try:
        if not scheme_of(server).speaks_mapi:
            raise UsageError(f"{server!r} does not speak MAPI, of which the article is; sim: and mapi+https: do")
        service: Any = server_at(server, access=access)
    except ServerUrlError as error:
        raise UsageError(str(error)) from error
    try:
        laboratory = Laboratory(service)
    except MailboxError as error:
        if error.cause is Cause.CREDENTIALS:
            raise CredentialsError(f"the server refuses the account: {error}; nothing is tried again") from error
        raise StoppedError(f"the mailboxes of {server!r} can't be listed: {error}") from error
    for name in names:
        yield _s9(laboratory, server, access) if name == "S9" else try_statement(name, laboratory)


def _s9(laboratory: Laboratory, server: str, access: Access) -> Finding:
    """Every mailbox open at the same time, over processes: by a fleet."""
    wanted, says = laboratory.addresses, (held_together.__doc__ or "").partition("\n")[0]
    try:
        laboratory.dn(laboratory.capacity)  # or one process would hold them all
    except UnfitServerError as error:
        return not_tried("S9", says, error)
    with open_all(server=server, mailboxes=wanted, access=access) as fleet:
        outcomes = [outcome.result for outcome in fleet.map(together) if outcome.ok]
        workers = fleet.workers
    highest = max((index for _, index in outcomes), default=-1)
    return held_together([count for count, _ in outcomes], highest, workers, len(wanted)).finding("S9", says)
