"""The observer: reads in a run file where a run stands, while it goes on. Whoever works on it asks, or another process.

Each look is a few short statements, none of which goes through records; what they read has one row a worker or fewer. The time is
an argument.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fanout.by_server import by_server, servers_in_words
from fanout.durations import rough
from fanout.estimate import Estimate, Rates
from fanout.lives import server_of
from fanout.overview import Overview, Place, Trouble

if TYPE_CHECKING:
    from fanout.lives import Standing
    from fanout.outcomes import Outcome
    from fanout.roster import Roster
    from fanout.runfile import RunFile

#: The last failures that are read.
FAILURES = 5

#: Seconds that are recalled.
RECALLED = 60.0


class Observer:
    """Of one run. It remembers how fast the run went while it was observed."""

    def __init__(self, told: dict[str, Any]) -> None:
        """`told`: the facts of the run."""
        self._told = told
        self._servers: list[str] = told.get("servers") or []
        self._rates = Rates()
        #: The names of mailboxes that workers are at, from one look to the next.
        self._names: dict[int, str] = {}

    def recall(self, file: RunFile, now: float) -> None:
        """Find in the run file how fast the run went until now, as if it had been observed. Before the first look."""
        seconds = list(file.settled_by_second(now - RECALLED))
        settled = sum(file.counts()) - sum(count for _, count in seconds)
        if seconds:
            self._rates.note(seconds[0][0], settled)
        for second, count in seconds:
            settled += count
            if second + 1 <= now:
                self._rates.note(second + 1, settled)

    def look(self, file: RunFile, roster: Roster, now: float, counts: tuple[int, int]) -> Overview:
        """`counts`: mailboxes that are done, and that failed."""
        told, (done, failed), servers = self._told, counts, by_server(file)
        count = sum(each.count or 0 for each in servers) if servers else roster.count
        self._rates.note(now, done + failed)
        standings, since = file.musters.standings(), file.paused_since()
        return Overview(
            told["job"],
            servers_in_words(told),
            count,
            done,
            failed,
            file.attempts_made(),
            None if servers else told["capacity"],  # of several, each has its own
            self._rates.estimate(count - done - failed) if since is None else Estimate(0.0),
            self._rates.each(),
            self._places(standings, roster),
            [_trouble(failure) for failure in file.latest_failures(FAILURES)],
            max((standing.at for standing in standings), default=None),
            since,
            _pause(since, now),
            servers,
        )

    def _places(self, standings: list[Standing], roster: Roster) -> list[Place]:
        at = {standing.ordinal for standing in standings if standing.ordinal is not None}
        self._names = {ordinal: self._names.get(ordinal) or roster.name(ordinal) for ordinal in at}
        return [_place(standing, self._names, server_of(standing.worker, self._servers)) for standing in standings]


def _pause(since: float | None, now: float) -> str:
    return "" if since is None else f"paused for {rough(now - since)}; fanout ctl RUN continue goes on with it"


def _place(standing: Standing, names: dict[int, str], server: str | None) -> Place:
    """Seconds are those until the commit that tells of them: behind it nobody knows what the worker is at."""
    seconds = None if standing.since is None else standing.at - standing.since
    mailbox = None if standing.ordinal is None else names[standing.ordinal]
    return Place(standing.worker, standing.pid, standing.state, standing.open, standing.rss, mailbox, seconds, server)


def _trouble(failure: Outcome) -> Trouble:
    assert failure.error is not None
    return Trouble(failure.mailbox, failure.error.cause, failure.error.message, failure.server)
