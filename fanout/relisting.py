"""What the servers of a run list today, beside what its run file has. The names in the file stand in any case.

Of several servers, those are asked here that were listed before; the others are awaited, and join the run when it goes on.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fanout.conduct import Conductor
from fanout.convoy import PATIENCE, Convoy
from fanout.ledger import TemporaryLedger
from fanout.roster import Choice
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

    What is told of them in the file belongs to the next commit.
    """
    mailboxes = _as_given(intent.mailboxes, kept)
    scratch = TemporaryLedger(Recording.RESULTS)
    with closing(scratch):
        if mailboxes.others:
            with Convoy(mailboxes, intent.workforce, scratch, workplace) as convoy:
                listed, by_server = convoy.survey(PATIENCE, {leg.server for leg in kept.legs})
            return Seen(by_server, *_compared(file, kept, listed))
        with Conductor(mailboxes, intent.workforce, scratch, workplace) as conductor:
            listed, how = conductor.survey()
        digest = listed.digest
        return Seen(how, digest, [] if digest == file.sittings()[-1].roster_digest else [_changed(kept.source)])


def _compared(file: RunFile, kept: Roster, listed: Roster) -> tuple[str, list[str]]:
    """The digest of several servers today, and which of them list other mailboxes; those that were not heard list the same."""
    today = [listed.leg(leg.server) or leg for leg in kept.legs]
    changes = [_changed(leg.server) for leg, now in zip(kept.legs, today, strict=True) if leg.digest != now.digest]
    kept.legs = tuple(replace(leg, digest=now.digest) for leg, now in zip(kept.legs, today, strict=True))
    file.grow(kept)
    return kept.digest, changes


def _as_given(mailboxes: Mailboxes, kept: Roster) -> Mailboxes:
    """Names that were given were chosen among: what is in the file is what was wanted."""
    if mailboxes.names_on:
        ordinals = {leg.server: leg.ordinals for leg in kept.legs}
        return replace(mailboxes, names_on=lambda server: _names(kept, ordinals[server]), choice=Choice())
    if mailboxes.names is not None:
        return replace(mailboxes, names=_names(kept, range(kept.count)), choice=Choice())
    return mailboxes


def _names(kept: Roster, ordinals: range) -> Iterator[str]:
    return (name for page in _pages(ordinals) for name in kept.names(page))


def _pages(ordinals: range) -> Iterator[range]:
    return (ordinals[first : first + PAGE] for first in range(0, len(ordinals), PAGE))


def _changed(what: str) -> str:
    return f"the roster ({what}), though the names in the run file stand"
