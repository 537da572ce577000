"""A forecast in lines for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanout.bench.table import Column, table
from fanout.durations import duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fanout.forecast.study import Forecast, OutageCost, Row, ServerForecast, Spread


#: Seconds of a run below which nobody reckons with an outage in its middle, and below which its length is told no closer.
SHORT, LEAST = 1.0, 0.05


def report(forecast: Forecast, width: int | None) -> Iterator[str]:
    """All that is said of a forecast; `width`: characters of a line, None for no end."""
    yield f"{title(forecast)}, {given(forecast)}"
    yield f"mailbox   {forecast.source}"
    yield f"finish    {_finish(forecast)}"
    if forecast.servers:
        yield f"last      {_last(forecast)}"
    yield f"basis     {how(forecast)}"
    yield f"workers   {_use(forecast.workers.mean, forecast.given.workers * (len(forecast.servers) or 1), 'at work')}"
    yield f"sessions  {_sessions(forecast)}"
    yield f"outage    {outage(forecast)}"
    yield ""
    if forecast.servers:
        yield from table(_server_columns(by_end(forecast)), width)
        yield ""
    yield from table(_columns([*forecast.workforces, *forecast.chunk_sizes], forecast), width)
    yield ""
    yield f"recommended: {recommended(forecast)}"


def title(forecast: Forecast) -> str:
    of = f"{len(forecast.servers)} servers" if forecast.servers else forecast.server
    return f"{forecast.mailboxes:,} mailboxes of {of}"


def given(forecast: Forecast) -> str:
    """The setting that is given; of several servers each has its workers."""
    return ("each with " if forecast.servers else "") + setting(forecast.given, forecast.concurrency)


def by_end(forecast: Forecast) -> list[ServerForecast]:
    """The servers, the one that is done last first."""
    return sorted(forecast.servers, key=lambda server: server.seconds.median, reverse=True)


def setting(row: Row, concurrency: int) -> str:
    """`4 workers, chunks of 100`."""
    chunks = "guided chunks (auto)" if row.chunk_size == "auto" else f"chunks of {row.chunk_size}"
    lanes = f", {concurrency} at a time in each" if concurrency > 1 else ""
    return f"{row.workers:,} worker{'s' if row.workers > 1 else ''}, {chunks}{lanes}"


def recommended(forecast: Forecast) -> str:
    """The words of the command line that are best, and what they give."""
    best = forecast.recommended
    words = f"-w {best.workers} --chunk-size {best.chunk_size}, {spread(best.seconds)}"
    tried = max(row.workers for row in forecast.workforces)
    return words + (" (more workers were not looked at)" if best.workers == tried and tried > 1 else "")


def spread(seconds: Spread) -> str:
    """The median, and the interval where it is one."""
    low, median, high = map(_lasting, (seconds.low, seconds.median, seconds.high))
    return median if low == high else f"{median} ({low} to {high})"


def _lasting(seconds: float) -> str:
    return duration(seconds) if seconds >= LEAST else f"under {duration(2 * LEAST)}"


def outage(forecast: Forecast) -> str:
    """What an outage costs, where the run is long enough for one."""
    takes = forecast.given.seconds.median
    if forecast.outage.lasts and takes < SHORT:
        return f"nothing to reckon with in a run that takes {_lasting(takes)}"
    return in_words(forecast.outage)


def in_words(outage: OutageCost) -> str:
    """What an outage costs."""
    if not outage.lasts:
        return "none was looked at"
    whose = f" of {outage.server}, the last one to be done," if outage.server else ""
    costs = f"{duration(outage.lasts)}{whose} in the middle of the run costs {duration(max(0.0, outage.costs))}"
    if outage.stops:
        return f"{costs}, with a `fanout resume` when the server is back: the run gives up before that"
    if outage.unreachable:
        return f"{costs}; mailboxes that are not reached, and visited again behind the run: {outage.unreachable:,}"
    return f"{costs}; every mailbox is reached in the end"


def how(forecast: Forecast) -> str:
    """What the forecast rests on."""
    part = ""
    if forecast.gone_through < forecast.mailboxes:
        part = f" over {forecast.gone_through:,} of the mailboxes, and as many more in the middle as are left"
    return f"{forecast.runs} runs in virtual time{part}, 90 % of them within the interval; {forecast.cores} cores"


def _finish(forecast: Forecast) -> str:
    seconds = forecast.given.seconds
    failed = f", {forecast.failed:,} fail" if forecast.failed else ""
    return f"{spread(seconds)}, {_rate(forecast.mailboxes / seconds.median)}{failed}"


def _last(forecast: Forecast) -> str:
    """Which server is done last, and which one first."""
    last, *_, first = by_end(forecast)
    return f"{_done(last)}; the first to be done: {_done(first)}"


def _done(server: ServerForecast) -> str:
    return f"{server.server} after {spread(server.seconds)}"


def _rate(mailboxes: float) -> str:
    return f"{mailboxes:,.0f} mailboxes a second" if mailboxes >= 10 else f"{mailboxes:.1f} mailboxes a second"


def _use(mean: float, most: int, what: str) -> str:
    return f"{mean:,.1f} of {most:,} {what} on average, {mean / most:.0%}"


def _sessions(forecast: Forecast) -> str:
    if forecast.sessions_allowed is None:
        return f"{forecast.sessions.mean:,.1f} open on average, {max(forecast.sessions.numbers):,.0f} at the most; no limit"
    return _use(forecast.sessions.mean, forecast.sessions_allowed, "open")


def _columns(rows: Sequence[Row], forecast: Forecast) -> list[Column]:
    rows = sorted(set(rows), key=lambda row: (row.workers, row.chunk_size == "auto", str(row.chunk_size).zfill(6)))
    given = forecast.given.seconds.median
    return [
        Column(("", "workers"), [f"{row.workers:,}" for row in rows]),
        Column(("chunk", "size"), [str(row.chunk_size) for row in rows]),
        Column(("", "finish"), [_lasting(row.seconds.median) for row in rows]),
        Column(("", "90 % of runs"), [_interval(row.seconds) for row in rows], weight=1),
        Column(("times", "given"), [f"{row.seconds.median / given:.2f}" if given else "" for row in rows], weight=2),
        Column(("", ""), [_mark(row, forecast) for row in rows], words=True),
    ]


def _server_columns(servers: Sequence[ServerForecast]) -> list[Column]:
    columns = [
        Column(("", "server"), [server.server for server in servers], words=True),
        Column(("", "mailboxes"), [f"{server.mailboxes:,}" for server in servers], weight=3),
        Column(("", "done after"), [_lasting(server.seconds.median) for server in servers]),
        Column(("", "90 % of runs"), [_interval(server.seconds) for server in servers], weight=2),
        Column(("workers", "at work"), [f"{server.busy:.0%}" for server in servers]),
    ]
    if any(server.failed for server in servers):
        columns.append(Column(("", "fail"), [f"{server.failed:,}" for server in servers], weight=4))
    if len({server.source for server in servers}) > 1:
        columns.append(
            Column(("", "what a mailbox takes"), [server.source for server in servers], weight=1, words=True)
        )
    return columns


def _interval(seconds: Spread) -> str:
    return "" if seconds.low == seconds.high else f"{_lasting(seconds.low)} to {_lasting(seconds.high)}"


def _mark(row: Row, forecast: Forecast) -> str:
    return "given" if row == forecast.given else ""
