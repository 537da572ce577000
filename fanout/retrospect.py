"""What a run file tells of how its run went: what was heard when and of whom, the lives of workers, the attempts."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from fanout.ordinals import EVERY
from workers.causes import Cause

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Query = Callable[..., Iterator[Any]]

_HEARD = """
SELECT at, worker, lines FROM done LEFT JOIN lives ON number = life
UNION ALL SELECT at, worker, line FROM failed LEFT JOIN lives ON number = life
"""

_WORKED = """
WITH told (life, at) AS (
    SELECT life, max(at) FROM (SELECT life, at FROM done UNION ALL SELECT life, at FROM failed) GROUP BY life
)
SELECT worker % ?1, min(begun), max(max(coalesce(ended, begun), coalesce(at, begun)))
FROM lives LEFT JOIN told ON number = life GROUP BY sitting, worker % ?1 ORDER BY sitting
"""

_ATTEMPTS = """
SELECT CAST(line AS TEXT) ->> '$.error.cause', count(*) FROM attempts WHERE ordinal >= ? AND ordinal < ? GROUP BY 1
"""


class Heard(NamedTuple):
    """Records that came together."""

    #: When, in seconds since the epoch.
    at: float
    #: From which worker; None from none.
    worker: int | None
    lines: bytes


class Retrospect:
    """Reads the tables that nobody needs to go on with a run."""

    def __init__(self, query: Query) -> None:
        self._query = query

    def heard(self) -> Iterator[Heard]:
        """Every outcome, as it came; first what is done."""
        return (Heard(*row) for row in self._query(_HEARD))

    def worked(self) -> list[tuple[float, float]]:
        """From when to when workers lived, for each sitting that had some."""
        return self.worked_on([""])[""]

    def worked_on(self, servers: Sequence[str]) -> dict[str, list[tuple[float, float]]]:
        """The same, of each server's workers, where these are the servers of the run."""
        worked: dict[str, list[tuple[float, float]]] = {server: [] for server in servers}
        for place, begun, ended in self._query(_WORKED, len(servers)):
            worked[servers[place]].append((begun, ended))
        return worked

    def attempts(self, within: range = EVERY) -> Counter[Cause]:
        """Why attempts failed that were followed by another one: all, or those at the mailboxes of one server."""
        causes = self._query(_ATTEMPTS, within.start, within.stop)
        return Counter({Cause(cause): count for cause, count in causes})
