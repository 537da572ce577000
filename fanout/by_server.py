"""What a run over several servers has come to on each of them, as its run file tells it.

It may be asked while the run goes on: a server whose mailboxes nobody has listed yet may have some later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fanout.runfile import RunFile


class OnServer(msgspec.Struct, frozen=True):
    """The mailboxes of one server."""

    server: str
    #: How many the roster has; None where they could not be listed, and nobody knows.
    count: int | None
    done: int = 0
    failed: int = 0


def servers_in_words(told: Mapping[str, Any]) -> str:
    """Where a run is, by its facts and in few words: the server's URL, or how many servers there are."""
    servers = told.get("servers") or ()
    return f"{len(servers):,} servers" if servers else str(told["server"])


def by_server(file: RunFile) -> list[OnServer]:
    """Each server, in the order in which they were named; none for a run over one."""
    told = file.facts("servers", "legs")
    legs = {leg["server"]: leg for leg in told.get("legs") or ()}
    return [_on(file, server, legs.get(server)) for server in told.get("servers") or ()]


def _on(file: RunFile, server: str, leg: Mapping[str, Any] | None) -> OnServer:
    if leg is None:
        return OnServer(server, None)
    done, failed = file.counts_of(range(leg["first"], leg["first"] + leg["count"]))
    return OnServer(server, leg["count"], done, failed)
