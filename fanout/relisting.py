"""What the servers of a run list today, beside what its run file has. The names in the file stand in any case.

Of several servers, one that could not be listed before may be now: its mailboxes then come into the file, behind the others'.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from fanout import facts
from fanout.convoy import conductor_of
from fanout.ledger import TemporaryLedger
from fanout.roster import Choice, Leg
from workers.messages import Recording

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fanout.conduct import Mailboxes
    from fanout.facts import Intent
    from fanout.partition import Partition
    from fanout.roster import Roster
    from fanout.runfile import RunFile
    from fanout.workplace import Workplace

#: Names read at a time.
PAGE = 1000


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look at the servers gave: how mailboxes are cut now, and the roster of today."""

    how: Partition
    #: SHA-256 of it, as the sitting has it.
    digest: str
    #: What is another than it was, for people.
    changes: list[str]


def relist(file: RunFile, kept: Roster, intent: Intent, workplace: Workplace) -> Seen:
    """Ask the servers again. `kept`: the roster as the file has it. Raises what a survey raises.

    New mailboxes, and what is told of servers, belong to the next commit.
    """
    mailboxes = _as_given(intent.mailboxes, kept)
    scratch = TemporaryLedger(Recording.RESULTS)
    with closing(scratch), conductor_of(mailboxes, intent.workforce, scratch, workplace) as conductor:
        listed, how = conductor.survey()
        if mailboxes.others:
            changes = _changed_legs(kept, listed)
            return Seen(how, facts.digest(replace(kept, legs=_take(file, kept, listed))), changes)
        digest = facts.digest(listed)
        return Seen(how, digest, [] if digest == file.sittings()[-1].roster_digest else [_changed(kept.source)])


def _as_given(mailboxes: Mailboxes, kept: Roster) -> Mailboxes:
    """Names that were given were chosen among: what is in the file is what was wanted."""
    if mailboxes.names_on:
        ordinals = {leg.server: leg.ordinals for leg in kept.legs}
        return replace(mailboxes, names_on=lambda server: _names(kept, ordinals[server]), choice=Choice())
    if mailboxes.names is not None:
        return replace(mailboxes, names=_names(kept, range(kept.count)), choice=Choice())
    return mailboxes


def _changed_legs(kept: Roster, listed: Roster) -> list[str]:
    """The servers that list other mailboxes than they did."""
    today = {leg.server: leg.digest for leg in listed.legs}
    return [_changed(leg.server) for leg in kept.legs if today.get(leg.server, leg.digest) != leg.digest]


def _take(file: RunFile, kept: Roster, listed: Roster) -> tuple[Leg, ...]:
    """Take the mailboxes of servers that were not listed before into the file; the legs that there are then."""
    today, count = {leg.server: leg for leg in listed.legs}, kept.count
    legs = [replace(leg, digest=today.get(leg.server, leg).digest) for leg in kept.legs]
    for server in kept.unlisted:
        if leg := today.get(server):
            for page in _pages(leg.ordinals):
                file.add_names(listed.names(page))
            legs.append(replace(leg, first=count))
            count += leg.count
    unlisted = [server for server in kept.unlisted if server not in today]
    file.tell(legs=msgspec.to_builtins(legs), unlisted=unlisted, roster=file.facts()["roster"] | {"count": count})
    return tuple(legs)


def _names(kept: Roster, ordinals: range) -> Iterator[str]:
    return (name for page in _pages(ordinals) for name in kept.names(page))


def _pages(ordinals: range) -> Iterator[range]:
    return (ordinals[first : first + PAGE] for first in range(0, len(ordinals), PAGE))


def _changed(what: str) -> str:
    return f"the roster ({what}), though the names in the run file stand"
