"""What the results of a run come to, in charts and rankings: those that suit a built-in job, or what any result has. Pure.

Whatever a job returned may stand here, so nothing is taken for granted but that JSON can say it; memory stays bounded.
"""

from __future__ import annotations

from collections import Counter
from functools import reduce
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard

from fanout.report.bins import bins_of
from fanout.report.charts import NARROW, Chart, Series, flags, labels, numbers, stacked
from fanout.report.ranking import Largest, Ranking
from fanout.report.tally import Tally
from fanout.report.units import BYTES, COUNT, Unit, count, octets, share

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

#: Fields of results that have a chart; of objects with more the first ones.
MOST_FIELDS = 6

#: Different texts that are counted.
MOST_TEXTS = 5_000

#: Fields that count bytes.
_BYTES = ("bytes", "size")

#: Sums that are named, and numbers among the totals that are none.
_MOST_SUMS = 12
_NO_SUMS = {"looked_at"}

Figure = Chart | Ranking


class Finding(Protocol):
    """Something that is found out about all results."""

    def add(self, mailbox: str, result: Any, /) -> None:  # noqa: ANN401 - whatever a job returned
        """Take what the job returned for a mailbox that is done."""
        ...

    def figures(self) -> Iterator[Figure]:
        """What it came to; nothing where no result had it."""
        ...


class Fields:
    """How the numbers in results are distributed: of those that are numbers, objects with numbers, or lists."""

    def __init__(
        self, only: Sequence[str] = (), mark: tuple[float, str] | None = None, rows: str = "rows found"
    ) -> None:
        """`only`: the fields of interest, all unless some are named. `mark`: a value to be marked, and what it is.

        `rows`: what the rows are that a job yields.
        """
        self._only = only
        self._rows = rows
        self._mark = mark
        self._tallies: dict[str, Tally] = {}

    def add(self, _: str, result: Any, /) -> None:  # noqa: ANN401
        if isinstance(result, dict):
            for name, value in result.items():
                if is_number(value) and (not self._only or name in self._only):
                    self._count(name, value)
        elif is_number(result):
            self._count("result", result)
        elif isinstance(result, list):
            self._count(self._rows, len(result))

    def _count(self, name: str, value: float) -> None:
        tally = self._tallies.get(name)
        if tally is None and len(self._tallies) < MOST_FIELDS:
            tally = self._tallies[name] = Tally()
        if tally is not None:
            tally.add(value)

    def figures(self) -> Iterator[Figure]:
        for name, tally in self._tallies.items():
            yield histogram(f"Mailboxes by {_TITLES.get(name, name)}", tally, unit_of(name), self._mark)


#: What fields of built-in jobs are called.
_TITLES = {"bytes": "size", "unread": "unread messages", "new": "new messages", "duplicate_bytes": "size of duplicates"}

#: What sums of fields of built-in jobs are called.
_SUMS = {
    "bytes": "",
    "over": "mailboxes over the limit",
    "bytes_over": "over it",
    "duplicate_bytes": "in duplicates",
    "without_id": "without a Message-ID",
}


class Rank:
    """The mailboxes that have most of something."""

    def __init__(self, title: str, field: str) -> None:
        self._title = title
        self._field = field
        self._largest = Largest()

    def add(self, mailbox: str, result: Any, /) -> None:  # noqa: ANN401
        value = result.get(self._field) if isinstance(result, dict) else None
        if is_number(value) and value > 0:
            self._largest.add(value, [mailbox])

    def figures(self) -> Iterator[Figure]:
        unit = unit_of(self._field)
        if rows := self._largest.rows(unit.text):
            yield Ranking(self._title, ["mailbox", "size" if unit is BYTES else self._field], rows)


class Messages:
    """The rows of jobs that tell of messages: how large they are, and which are the largest or the newest."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._sizes = Tally()
        self._years = Tally()
        self._largest = Largest()

    def add(self, mailbox: str, result: Any, /) -> None:  # noqa: ANN401
        for row in rows_of(result):
            size = row.get("size")
            if is_number(size):
                self._sizes.add(size)
                cells = [f"{row.get(name) or ''}" for name in ("subject", "sender", "folder", "received")]
                self._largest.add(size, [*cells[:2], mailbox, cells[2], cells[3][:10]])
            year = f"{row.get('received') or ''}"[:4]
            if year.isdecimal() and year.isascii():
                self._years.add(int(year))

    def figures(self) -> Iterator[Figure]:
        if self._sizes.total:
            yield distribution("Messages by size", {"messages": self._sizes}, BYTES, counted="messages")
        yield from _by_year(self._years)
        if rows := self._largest.rows(octets):
            yield Ranking(self._title, ["subject", "sender", "mailbox", "folder", "received", "size"], rows)


class Paths:
    """Folders of one path, over all mailboxes."""

    def __init__(self) -> None:
        self._messages: Counter[str] = Counter()
        self._mailboxes: Counter[str] = Counter()

    def add(self, _: str, result: Any, /) -> None:  # noqa: ANN401
        for row in rows_of(result):
            path, messages = row.get("path"), row.get("messages")
            if isinstance(path, str) and isinstance(messages, int):
                if path not in self._mailboxes and len(self._mailboxes) >= MOST_TEXTS:
                    self._forget_the_rare()
                self._messages[path] += messages
                self._mailboxes[path] += 1

    def _forget_the_rare(self) -> None:
        """Paths of few messages make room."""
        self._messages = Counter(dict(self._messages.most_common(MOST_TEXTS // 2)))
        self._mailboxes = Counter({path: self._mailboxes[path] for path in self._messages})

    def figures(self) -> Iterator[Figure]:
        largest = Largest()
        for path, messages in self._messages.items():
            largest.add(messages, [path, f"{self._mailboxes[path]:,}"])
        if rows := largest.rows(count):
            yield Ranking("Folders with most messages, over all mailboxes", ["folder", "mailboxes", "messages"], rows)


class Texts:
    """Results that are text, or true and false, and how often there was each."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, _: str, result: Any, /) -> None:  # noqa: ANN401
        if isinstance(result, str | bool) or result is None:
            text = result if isinstance(result, str) else {None: "nothing", True: "true", False: "false"}[result]
            if text in self._counts or len(self._counts) < MOST_TEXTS:
                self._counts[text] += 1

    def figures(self) -> Iterator[Figure]:
        yield from _most_frequent("What was returned", ["result", "mailboxes"], self._counts)


class Summed:
    """The totals of a job whose fields are names: they are those of all mailboxes together."""

    def __init__(self, title: str, head: Sequence[str], totals: object) -> None:
        self._title = title
        self._head = head
        self._totals = totals if isinstance(totals, dict) else {}
        self._kinds = Tally()

    def add(self, _: str, result: Any, /) -> None:  # noqa: ANN401
        if isinstance(result, dict):
            self._kinds.add(len(result))

    def figures(self) -> Iterator[Figure]:
        yield from _most_frequent(self._title, self._head, self._totals)
        if self._kinds.total:
            yield histogram(f"Mailboxes by number of {self._head[0]}s", self._kinds, COUNT)


class Copies:
    """The messages with the most copies, which the totals of all mailboxes together name."""

    def __init__(self, totals: object) -> None:
        self._totals = totals if isinstance(totals, dict) else {}

    def add(self, _: str, result: Any, /) -> None:  # noqa: ANN401
        """A mailbox by itself does not know what others have."""

    def figures(self) -> Iterator[Figure]:
        largest = Largest()
        for row in rows_of(self._totals.get("top")):
            copies, size, names = (row.get(name) for name in ("copies", "bytes", "in"))
            if is_number(copies) and is_number(size) and isinstance(names, list):
                largest.add(copies, [f"{row.get('subject')}", ", ".join(map(str, names)), octets(size)])
        if rows := largest.rows(count):
            seen = self._totals.get("looked_at")
            note = f"estimated from {share(seen, 1)} of the messages" if is_number(seen) and seen < 1 else ""
            yield Ranking("The most copied messages", ["subject", "in", "bytes", "copies"], rows, note)


def findings_of(job: str, options: Mapping[str, Any], totals: object) -> list[Finding]:
    """What is found out about the results of a job; `job` is the name of a built-in one, or anything."""
    make = _FINDINGS.get(job)
    return make(options, totals) if make else [Fields(), Texts()]


def _quota(options: Mapping[str, Any], _: object) -> list[Finding]:
    limit = options.get("limit", 2**30)
    mark = (limit, f"limit {octets(limit)}") if is_number(limit) else None
    return [Fields(["bytes"], mark), Rank("Mailboxes furthest over the limit", "bytes_over")]


_FINDINGS: dict[str, Callable[[Mapping[str, Any], object], list[Finding]]] = {
    "census": lambda *_: [Fields(["bytes", "folders", "messages"]), Rank("The largest mailboxes", "bytes")],
    "duplicates": lambda _, totals: [
        Fields(["duplicates", "duplicate_bytes"]),
        Copies(totals),
        Rank("Mailboxes with most in duplicates", "duplicate_bytes"),
    ],
    "folders": lambda *_: [Paths(), Fields(rows="folders")],
    "largest": lambda *_: [Messages("The largest messages")],
    "quota": _quota,
    "search": lambda *_: [Fields(rows="messages found"), Messages("The largest messages found")],
    "senders": lambda _, totals: [Summed("The most frequent senders", ["sender", "messages"], totals)],
}


def histogram(title: str, tally: Tally, unit: Unit, mark: tuple[float, str] | None = None) -> Chart:
    """How many mailboxes have how much of something."""
    return distribution(title, {"mailboxes": tally}, unit, mark)


def distribution(
    title: str,
    tallies: Mapping[str, Tally],
    unit: Unit,
    mark: tuple[float, str] | None = None,
    counted: str = "mailboxes",
) -> Chart:
    """The distribution of what tallies of several kinds hold together; one at least holds something."""
    together = reduce(Tally.with_those_of, tallies.values())
    bins = bins_of(together, unit)
    series = [Series(kind, bins.counts(tally)) for kind, tally in tallies.items()]
    names = list(bins.names())
    columns, levels = stacked(series, names)
    median, most = together.quantile(0.5), together.quantile(0.95)
    marked = [(bins.place(median), f"median {unit.mark(median)}"), (bins.place(most), f"95 % within {unit.mark(most)}")]
    if mark and bins.edges[0] <= mark[0] <= bins.edges[-1]:
        marked.append((bins.place(mark[0]), mark[1]))
    elif mark:
        counted += f"; {mark[1]}"
    return Chart(
        title=title,
        summary=f"Median {unit.text(median)}; 95 % are {unit.text(most)} or less; {together.total:,} in all.",
        columns=columns,
        levels=levels,
        ticks=labels([(bins.place(value), unit.mark(value)) for value in bins.ticks()], NARROW),
        flags=flags(sorted(marked, key=lambda each: each[0])),
        counted=counted,
        table=numbers(["", *tallies], names, series),
        legend=list(tallies) if len(tallies) > 1 else [],
    )


def _by_year(years: Tally) -> Iterator[Figure]:
    if len(years.counts) > 1:
        yield distribution("Messages by year", {"messages": years}, _YEAR, counted="messages")


def _year(value: float) -> str:
    return f"{value:.0f}"


_YEAR = Unit(_year, _year, 10, 20)


def _most_frequent(title: str, head: Sequence[str], counts: Mapping[str, Any]) -> Iterator[Figure]:
    largest = Largest()
    for text, times in counts.items():
        if is_number(times):
            largest.add(times, [text])
    if rows := largest.rows(count):
        more = len(counts) - len(rows)
        yield Ranking(title, head, rows, f"and {more:,} more" if more else "")


def rows_of(result: object) -> Iterator[dict[str, Any]]:
    """The rows that a job yielded, where they are objects."""
    if isinstance(result, list):
        yield from (row for row in result if isinstance(row, dict))


def is_number(value: object) -> TypeGuard[float]:
    """Whether JSON says a number: a truth is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def unit_of(field: str) -> Unit:
    """What the numbers of a field count, by its name."""
    return BYTES if any(word in _BYTES for word in field.split("_")) else COUNT


def sums_in_words(totals: object) -> str:
    """`1,234 messages, 5 MiB`: the sums over all mailboxes; nothing where they are of names, which have a ranking."""
    if not isinstance(totals, dict) or len(totals) > _MOST_SUMS:
        return ""
    sums = ((name, value) for name, value in totals.items() if is_number(value) and name not in _NO_SUMS)
    return ", ".join(f"{unit_of(name).text(value)} {_SUMS.get(name, name)}".rstrip() for name, value in sums)
