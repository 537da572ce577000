"""The contents of the page: what a run file tells, as the page shows it.

One reading of all records, in bounded memory whatever the size of the run, and all of it of one moment, though the run may go on.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from fanout import summary
from fanout.by_server import by_server, servers_in_words
from fanout.errors import UsageError
from fanout.gathering import state_of
from fanout.outcomes import read_records
from fanout.report import heading, record
from fanout.report.axis import Axis, Span, spans_of
from fanout.report.course import Progress
from fanout.report.failures import Failures
from fanout.report.heading import Settled, Workforce
from fanout.report.lanes import Workers
from fanout.report.ranking import Largest, Ranking, ranked
from fanout.report.results import distribution, findings_of, sums_in_words
from fanout.report.servers import Servers
from fanout.report.tally import Tally
from fanout.report.units import SECONDS, count, seconds
from workers.jobs import BUILT_IN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fanout.by_server import OnServer
    from fanout.outcomes import Outcome
    from fanout.report.charts import Chart
    from fanout.report.failures import Group
    from fanout.report.heading import Part, State, Tile
    from fanout.report.lanes import Lanes
    from fanout.report.record import Fact, Record
    from fanout.report.servers import Row
    from fanout.runfile import RunFile

#: Lines of code that leak.
_MOST_LINES = 30


class Commands(NamedTuple):
    """What a person may do next, as it is typed; empty where there is nothing to do."""

    go_on: str
    #: By cause, the command that visits again what failed.
    again: dict[str, str]
    all_failures: str


class Contents(NamedTuple):
    """All that the page shows."""

    job: str
    server: str
    when: str
    state: State
    verdict: str
    parts: list[Part]
    tiles: list[Tile]
    commands: Commands
    #: What it came to on each server; empty for a run over one.
    servers: list[Row]
    progress: Chart | None
    lanes: Lanes | None
    failures: list[Group]
    totals: str
    charts: list[Chart]
    rankings: list[Ranking]
    seconds: Chart | None
    slowest: Ranking | None
    attempts: list[Ranking]
    leaks: Ranking | None
    facts: list[Fact]
    records: list[Record]
    #: Sittings before those.
    earlier: int
    file: str


class _Reading:
    """What all records come to."""

    def __init__(self, axis: Axis, told: dict[str, Any]) -> None:
        self.axis = axis
        self.progress = Progress(axis)
        self.workers = Workers(axis, told["workforce"]["concurrency"], told["servers"] or [])
        self.servers = Servers(axis)
        self.taken = {"done": Tally(), "failed": Tally()}
        self.visits: Counter[int] = Counter()
        self.slowest = Largest()
        self.failures = Failures()
        self.findings = findings_of(_built_in(told), told["options"], told.get("totals"))

    def take(self, at: float, worker: int | None, outcomes: Sequence[Outcome]) -> None:
        """Take outcomes that were told of together."""
        done = sum(outcome.ok for outcome in outcomes)
        failed = len(outcomes) - done
        self.progress.add(at, done, failed)
        self.servers.add(at, outcomes)
        if worker is not None:
            spent = sum(outcome.seconds or 0.0 for outcome in outcomes)
            self.workers.add(worker, at, spent, done=done, failed=failed)
        self.visits.update(outcome.attempts for outcome in outcomes)
        for outcome in outcomes:
            self._look_at(outcome)

    def _look_at(self, outcome: Outcome) -> None:
        kind, spent = "done" if outcome.ok else "failed", outcome.seconds or 0.0
        self.taken[kind].add(spent)
        self.slowest.add(spent, (outcome.name, kind))
        if not outcome.ok:
            self.failures.add(outcome)
            return
        for finding in self.findings:
            finding.add(outcome.name, outcome.result)

    @property
    def spent(self) -> Tally:
        """Seconds of every mailbox."""
        return self.taken["done"].with_those_of(self.taken["failed"])


def _built_in(told: dict[str, Any]) -> str:
    """The name of the built-in job that was run; nothing for any other job, whatever its name."""
    return told["job"] if tuple(told["job_source"].split(":")) in BUILT_IN.values() else ""


def contents_of(file: RunFile) -> Contents:
    """The contents of the page of a run. Raises UsageError for one that has not begun."""
    with file.standing_still():
        told = file.facts()
        if not told or not file.sittings():
            raise UsageError(
                f"{file.path}: the run was killed before it began, or is just beginning: nothing to report"
            )
        return _contents(file, told, _read(file, told))


def _read(file: RunFile, told: dict[str, Any]) -> _Reading:
    worked = [Span(*span) for span in file.retrospect.worked()]
    reading = _Reading(Axis(spans_of(worked) or [Span(0.0, 0.0)]), told)
    for heard in file.retrospect.heard():
        reading.take(heard.at, heard.worker, list(read_records(heard.lines)))
    return reading


def _contents(file: RunFile, told: dict[str, Any], reading: _Reading) -> Contents:
    sittings, at_work = file.sittings(), file.worked_on_by is not None
    servers = by_server(file)
    settled = Settled(*file.counts(), told["roster"]["count"], sum(each.count is None for each in servers))
    figures = [figure for finding in reading.findings for figure in finding.figures()]
    worked = bool(reading.axis.seconds and settled.done + settled.failed)
    failures = reading.failures.groups()
    return Contents(
        job=told["job"],
        server=servers_in_words(told),
        when=heading.when(reading.axis),
        state=heading.state(state_of(file, settled.left), settled.failed),
        verdict=heading.verdict(summary.verdict(*settled[:3]), settled, len(servers)),
        parts=heading.parts(settled),
        tiles=_tiles(file, told, settled, reading),
        commands=_commands(
            file, [] if at_work else [group.cause for group in failures], left=bool(settled.left or settled.unlisted)
        ),
        servers=reading.servers.rows(servers, _worked_on(file, servers)),
        progress=reading.progress.chart() if worked else None,
        lanes=reading.workers.draw(file.musters.lives()) if worked else None,
        failures=failures,
        totals=sums_in_words(told.get("totals")),
        charts=[figure for figure in figures if not isinstance(figure, Ranking)],
        rankings=[figure for figure in figures if isinstance(figure, Ranking)],
        seconds=_seconds(reading),
        slowest=_slowest(reading),
        attempts=_attempts(file, reading),
        leaks=_leaks(file),
        facts=record.facts_of(told, sittings[-1].job_hash),
        records=record.records_of(sittings, at_work=at_work),
        earlier=max(0, len(sittings) - record.MOST_SITTINGS),
        file=file.path.name,
    )


def _worked_on(file: RunFile, servers: Sequence[OnServer]) -> dict[str, float]:
    """The seconds for which each server was worked on."""
    worked = file.retrospect.worked_on([each.server for each in servers]) if servers else {}
    return {
        server: sum(span.seconds for span in spans_of([Span(*span) for span in spans]))
        for server, spans in worked.items()
    }


def _commands(file: RunFile, causes: Sequence[str], *, left: bool) -> Commands:
    """`causes`: of what failed, where it may be visited again. `left`: whether there is something to go on with."""
    at_work = file.worked_on_by is not None
    return Commands(
        go_on=summary.to_go_on(file.path) if left and not at_work else "",
        again={cause: summary.to_visit_again(file.path, cause) for cause in causes},
        all_failures=summary.to_see_failures(file.path),
    )


def _tiles(file: RunFile, told: dict[str, Any], settled: Settled, reading: _Reading) -> list[Tile]:
    force = told["workforce"]
    workforce = Workforce(force["workers"], force["concurrency"], len(told["servers"] or [""]))
    return heading.tiles(settled, file.attempts_made(), reading.spent, reading.axis, workforce)


def _seconds(reading: _Reading) -> Chart | None:
    taken = {kind: tally for kind, tally in reading.taken.items() if tally.total}
    return distribution("Seconds a mailbox", taken, SECONDS) if taken else None


def _slowest(reading: _Reading) -> Ranking | None:
    rows = reading.slowest.rows(seconds)
    return Ranking("The slowest mailboxes", ["mailbox", "outcome", "last took"], rows) if rows else None


def _attempts(file: RunFile, reading: _Reading) -> list[Ranking]:
    """Why attempts failed that were followed by another one, and how many mailboxes took how many."""
    causes = file.retrospect.attempts()
    if not causes:
        return []
    visits = [(f"{number}", mailboxes) for number, mailboxes in sorted(reading.visits.items())]
    return [
        Ranking(
            "Attempts that failed, and were followed by another", ["cause", "attempts"], ranked(causes.most_common())
        ),
        Ranking("Mailboxes by attempts", ["attempts", "mailboxes"], ranked(visits)),
    ]


def _leaks(file: RunFile) -> Ranking | None:
    """By line of code, the worst first."""
    lines = file.leaks()
    largest = Largest(_MOST_LINES)
    for line in lines:
        where = f"{line.file}:{line.line} in {line.function}"
        largest.add(line.interfaces, (line.kind, where, f"{line.mailboxes:,}"))
    rows = largest.rows(count)
    more = f"and {len(lines) - len(rows):,} more lines: {summary.to_show(file.path)}" if len(lines) > len(rows) else ""
    head = ["interface", "obtained at", "mailboxes", "never released"]
    return Ranking("Interfaces that the job did not release", head, rows, more) if rows else None
