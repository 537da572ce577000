"""The live view as a picture: an overview of a run, drawn for a terminal of a given size.

    census of sim:100000
    ━━━━━━━━━━━━━━━━━━━━━━━━━━──────────────  64 %
    64,120 done   12 failed   3 retried   of 100,000
    7,812 a second ▂▃▅▇█▇▆   5 s left (4 to 7 s)

    worker    pid   open  memory   for  mailbox
    1       12345  1/255  43 MiB   2 s  u00000123@sim.example
    and 6 more: 6 open, 258 MiB, the longest for 31 s at u00000981@sim.example

    failed last            cause    message
    u00000777@sim.example  missing  no such mailbox

Of a run over several servers it has a line for each of them, and names them by their numbers in the others:

    server    done  failed      of
    1       40,120      12  60,000  imaps://mail.example.com
    2       24,000       0  40,000  sim:40000

    worker  server    pid   open  memory   for  mailbox
    1       1       12345      1  43 MiB   2 s  u00000123@example.com

It knows rich, and neither a run nor a terminal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from fanout.durations import rough
from fanout.estimate import in_words
from fanout.lives import named
from fanout.overview import bars, servers_that_fit, size, that_fit
from fanout.plain import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from fanout.by_server import OnServer
    from fanout.overview import Crowd, Overview, Place, Trouble

#: The last failures that are shown.
FAILURES = 3

#: Columns of the small picture of rates, and of the bar where there is room for more.
BARS, BAR = 20, 120

#: Seconds at a mailbox below which they are not worth a word, and above which they are worth a colour.
SHORT, LONG = 1.0, 30.0

#: Between two things that are said in one line, and between two columns.
_GAP, _BETWEEN = "   ", "  "


def drawing(overview: Overview, columns: int, rows: int) -> RenderableType:
    """The view: no wider than the terminal, and no higher where that has a few lines."""
    head = [_title(overview), _bar(overview, min(columns, BAR)), _counts(overview), _pace(overview)]
    if overview.note:
        head.append(Text(printable(overview.note), "yellow"))
    used = sum(-(-max(1, line.cell_len) // columns) for line in head[1:]) + 1
    failures = overview.failures[:FAILURES] if used + 2 + FAILURES <= rows else ()
    room = rows - used - 2 - (len(failures) + 2 if failures else 0)
    lines = head
    if overview.servers and (share := room // 2) > 2:
        servers = _servers(overview.servers, share - 2)
        lines += [Text(), *servers]
        room -= 1 + len(servers)
    if overview.workers and room > 0:
        lines += [Text(), *_workers(overview, room)]
    if failures:
        lines += [Text(), *_failures(failures, columns * 2 // 5, _numbers(overview.servers))]
    return Group(*lines)


def _title(overview: Overview) -> Text:
    title = Text(no_wrap=True, overflow="ellipsis")
    return title.append(printable(overview.job), "bold").append(f" of {printable(overview.server)}", "dim")


def _bar(overview: Overview, columns: int) -> Text:
    """What is done, what failed and what is left: of the failed at least a cell, where there are any."""
    settled = overview.done + overview.failed
    count = overview.count or 1  # there may be none as long as no server is listed
    share = f"{settled * 100 // count:>4} %"
    width = columns - len(share)
    failed = -(-overview.failed * width // count)
    done = min(overview.done * width // count, width - failed)
    bar = Text(no_wrap=True).append("━" * done, "green").append("━" * failed, "red")
    return bar.append("─" * (width - done - failed), "dim").append(share, "bold")


def _counts(overview: Overview) -> Text:
    counts = Text().append(f"{overview.done:,}", "bold green").append(" done", "green")
    for number, word, colour in ((overview.failed, "failed", "red"), (overview.retried, "retried", "yellow")):
        counts.append(_GAP).append(f"{number:,}", f"bold {colour}" if number else "dim")
        counts.append(f" {word}", colour if number else "dim")
    return counts.append(f"{_GAP}of {overview.count:,}")


def _pace(overview: Overview) -> Text:
    rate = overview.estimate.rate
    pace = Text().append(f"{rate:,.0f}" if rate >= 9.95 else f"{rate:.1f}", "bold").append(" a second ")
    pace.append(bars(overview.rates, BARS), "cyan")
    left = in_words(overview.estimate) if overview.left else ""
    return pace.append(f"{_GAP}{left}") if left else pace


def _servers(servers: Sequence[OnServer], room: int) -> Sequence[Text]:
    """A line a server, and one for all for which there is no room."""
    shown, others = servers_that_fit(servers, room)
    rows = [[Text(word, "dim") for word in ("server", "done", "failed", "of", "")]]
    rows += [_counts_of(each, f"{number}") for number, each in enumerate(shown, 1)]
    rows += [_counts_of(others, "")] if others else []
    return _aligned(rows, "<>>>")


def _counts_of(on: OnServer, number: str) -> list[Text]:
    url = Text(printable(on.server))
    if on.count is None:
        return [Text(number, "bold"), Text(), Text(), Text("unknown", "yellow"), url]
    failed = Text(f"{on.failed:,}", "red" if on.failed else "dim")
    return [Text(number, "bold"), Text(f"{on.done:,}"), failed, Text(f"{on.count:,}"), url]


def _numbers(servers: Sequence[OnServer]) -> dict[str, str]:
    """What the servers are called in other lines; nothing where there is one for all."""
    return {each.server: f"{number}" for number, each in enumerate(servers, 1)}


def _workers(overview: Overview, room: int) -> Sequence[Text]:
    """A line a worker, under the words that say what its columns are."""
    shown, crowd = that_fit(overview.workers, room)
    numbers = _numbers(overview.servers)
    words = ("worker", *_whose(numbers, "server"), "pid", "open", "memory", "for", "mailbox")
    rows = [[Text(word, "dim") for word in words]]
    for worker in shown:
        name, *cells = _cells(worker, overview.capacity)
        rows.append([name, *map(Text, _whose(numbers, numbers.get(worker.server or "", ""))), *cells])
    lines = _aligned(rows, f"<{'<' if numbers else ''}>>>>") if shown else []
    return [*lines, _crowd(crowd, numbers)] if crowd else lines


def _whose(numbers: dict[str, str], word: str) -> Sequence[str]:
    """The cell that says which server, where there are several."""
    return (word,) if numbers else ()


def _aligned(rows: Sequence[Sequence[Text]], sides: str) -> Sequence[Text]:
    """Rows as lines, their cells below each other: to the left (<) or the right (>); the last one takes what room is left."""
    widths = [max(cell.cell_len for cell in column) for column in zip(*rows, strict=True)]
    return [_line(row, widths, sides) for row in rows]


def _line(row: Sequence[Text], widths: Sequence[int], sides: str) -> Text:
    line = Text(no_wrap=True, overflow="ellipsis")
    for cell, width, side in zip(row, widths, sides, strict=False):
        padding = " " * (width - cell.cell_len)
        line.append(padding if side == ">" else "").append_text(cell)
        line.append(_BETWEEN if side == ">" else padding + _BETWEEN)
    return line.append_text(row[-1])


def _cells(worker: Place, capacity: int | None) -> Sequence[Text]:
    ceiling = "" if capacity is None else f"/{capacity}"
    is_at_work = worker.state == "ready"
    return (
        Text(f"{named(worker.number)}", "bold"),
        Text("" if worker.pid is None else f"{worker.pid}", "dim"),
        Text().append(f"{worker.open}").append(ceiling, "dim"),
        Text(size(worker.rss) if worker.rss else ""),
        _seconds(worker.seconds),
        Text(printable(worker.mailbox or "") if is_at_work else worker.state, "" if is_at_work else "dim italic"),
    )


def _seconds(seconds: float | None) -> Text:
    if seconds is None or seconds < SHORT:
        return Text()
    return Text(rough(seconds), "yellow" if seconds >= LONG else "")


def _crowd(crowd: Crowd, numbers: dict[str, str]) -> Text:
    line = Text(f"and {crowd.count:,} more: {crowd.open:,} open, {size(crowd.rss)}", no_wrap=True, overflow="ellipsis")
    longest = crowd.longest
    if longest and longest.mailbox and longest.seconds and longest.seconds >= SHORT:
        where = f" on server {numbers[longest.server]}" if longest.server in numbers else ""
        line.append(f", the longest for {rough(longest.seconds)} at {printable(longest.mailbox)}{where}")
    return line


def _failures(failures: Sequence[Trouble], widest: int, numbers: dict[str, str]) -> Sequence[Text]:
    """The last failures; the name of a mailbox takes so many columns at the most. `numbers`: those of servers."""
    words = ("failed last", *_whose(numbers, "server"), "cause", "message")
    rows = [[Text(word, "dim") for word in words]]
    for failure in failures:
        mailbox = Text(printable(failure.mailbox))
        mailbox.truncate(widest, overflow="ellipsis")
        whose = _whose(numbers, numbers.get(failure.server or "", ""))
        rows.append([mailbox, *map(Text, whose), Text(failure.cause, "red"), Text(printable(failure.message), "dim")])
    return _aligned(rows, "<<<" if numbers else "<<")
