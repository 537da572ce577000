"""What a bench has found, in lines for people: a table, and what it comes to."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from fanout.bench import comparison
from fanout.bench.comparison import Way
from fanout.bench.rounds import Ending
from fanout.bench.settings import Setting, differing, in_words, name_of
from fanout.bench.table import Column, numbers, table
from fanout.bench.verdict import FEWEST, Place

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fanout.bench.comparison import Change
    from fanout.bench.document import Document
    from fanout.bench.host import Moment
    from fanout.bench.verdict import Figure, Standing, Verdict

#: What heads the column of each part of a setting.
_HEADS = {
    "chunk_size": ("chunk", "size"),
    "workers": ("", "workers"),
    "start_method": ("start", "method"),
    "concurrency": ("at a", "time"),
    "connections": ("", "connections"),
}

#: Settings that a sentence names; more are counted.
NAMED = 3

_ENDINGS = {
    Ending.CLEAR: "the answer was clear",
    Ending.ROUNDS: "as many as were asked for",
    Ending.TIME: "the time was over (--max-time)",
    Ending.INTERRUPTED: "interrupted",
    Ending.STOPPED: "the run was stopped",
}


def report(document: Document, width: int | None) -> Iterator[str]:
    """All that is said of a bench; `width` in characters, None for no limit."""
    yield from _wrapped(_heading(document), width)
    yield ""
    if document.verdict.standings:
        yield from table(list(_columns(document)), width)
        yield ""
    yield from _wrapped(conclusion(document.settings, document.verdict), width)
    yield from _wrapped([_ending(document)], width)


def _heading(document: Document) -> Iterator[str]:
    subject, load = document.subject, sorted((document.begun.load, document.ended.load))
    yield f"{subject.job} of {subject.server}: {subject.mailboxes:,} mailboxes{_alike(document.settings)}"
    yield f"{document.host.in_words()}; load {load[0]:.1f} to {load[1]:.1f}; {document.begun.at:.10}"


def _alike(settings: Sequence[Setting]) -> str:
    """What all settings have in common, and what has no column therefore."""
    rest = [part for part in Setting.__struct_fields__ if part not in _parts(settings)]
    return f"; {in_words(settings[0], rest)}" if rest else ""


def _parts(settings: Sequence[Setting]) -> list[str]:
    return differing(settings) or ["chunk_size"]


def _columns(document: Document) -> Iterator[Column]:
    standings = list(document.verdict.standings.values())
    yield from _of_settings(document.settings, list(document.verdict.standings))
    yield Column(("wall", "s"), numbers([each.wall.median for each in standings]))
    yield Column(("mailboxes", "a second"), [f"{each.rate:,.0f}" for each in standings], 4)
    yield Column(("CPU", "s"), numbers([each.cpu for each in standings]), 3)
    yield Column(("first", "s"), numbers([each.first for each in standings]), 2)
    yield Column(("parent", "MiB"), [f"{each.peak:.0f}" for each in standings], 1)
    if any(each.failed for each in standings):
        yield Column(("", "failed"), [f"{each.failed:,}" for each in standings])
    yield Column(("time against the best", "and its 95 % interval"), [_against(each) for each in standings], words=True)


def _of_settings(settings: Sequence[Setting], places: Sequence[int]) -> Iterator[Column]:
    for part in _parts(settings):
        yield Column(_HEADS[part], [str(getattr(settings[place], part)) for place in places])


def _against(standing: Standing) -> str:
    ratio = f"{_percent(standing.ratio)}" if standing.ratio else ""
    return {
        Place.BEST: "best",
        Place.NOISE: f"{ratio} noise",
        Place.SLOWER: ratio,
        Place.FAILS: f"{ratio} fails more",
        Place.UNKNOWN: "no whole round",
    }[standing.place]


def _percent(ratio: Figure) -> str:
    """How much more, or less, than the other: `+12 % (+9 to +15)`."""
    middle, low, high = (round(100 * (value - 1), 1) for value in (ratio.median, ratio.low, ratio.high))
    decimals = 0 if max(abs(middle), high - low) >= 10 else 1
    return f"{middle:+.{decimals}f} % ({low:+.{decimals}f} to {high:+.{decimals}f})"


# --- what it comes to -------------------------------------------------------------------------------------------------


def conclusion(settings: Sequence[Setting], verdict: Verdict) -> Iterator[str]:
    """Which setting is best, by how much, and when that is within the noise."""
    if verdict.best is None:
        yield "no round is whole, so that settings can't be compared"
        return
    yield _best(settings, verdict, verdict.best)
    yield from _distance(settings, verdict.standings)
    yield from _failures(settings, verdict.standings)
    if verdict.rounds < FEWEST:
        yield f"{_counted(verdict.rounds, 'round')} can't tell much of the noise: it takes {FEWEST} at the least"


def _best(settings: Sequence[Setting], verdict: Verdict, best: int) -> str:
    name = name_of(settings[best], settings)
    alike = [name_of(settings[place], settings) for place in verdict.leaders if place != best]
    if len(settings) == 1:
        return f"{name}: {verdict.standings[best].rate:,.0f} mailboxes a second"
    if not alike:
        return f"best: {name}"
    if len(alike) == len(settings) - 1:
        return f"no difference rises above the noise; by the median the best is {name}"
    others = _listed(alike) if len(alike) <= NAMED else f"{len(alike)} others, marked noise"
    return f"best: {name}; no worse beyond the noise: {others}"


def _distance(settings: Sequence[Setting], standings: dict[int, Standing]) -> Iterator[str]:
    """How far behind the next one is, and the last."""
    slower = {place: each.ratio for place, each in standings.items() if each.place is Place.SLOWER and each.ratio}
    if slower:
        order = sorted(slower, key=lambda place: slower[place].median)
        ends = dict.fromkeys([("next", order[0]), ("last", order[-1])][: len(order)])
        told = [
            f"the {which}, {name_of(settings[place], settings)}, takes {_longer(slower[place])}"
            for which, place in ends
        ]
        yield "; ".join(told)


def _longer(ratio: Figure) -> str:
    return f"{_percent(ratio).replace('+', '').replace(' (', ' longer (', 1)}"


def _failures(settings: Sequence[Setting], standings: dict[int, Standing]) -> Iterator[str]:
    """That mailboxes failed, and with which settings."""
    failed = {place: each.failed for place, each in standings.items() if each.failed}
    if failed and len(set(failed.values())) == 1 and len(failed) == len(standings):
        yield f"{_counted(failed.popitem()[1], 'mailbox', 'mailboxes')} failed with every setting"
    elif failed:
        told = (f"{count:,} with {name_of(settings[place], settings)}" for place, count in failed.items())
        yield f"mailboxes failed, at the most: {'; '.join(told)}"


def _ending(document: Document) -> str:
    return f"{_counted(document.verdict.rounds, 'round')} of every setting: {_ENDINGS[document.ending]}"


# --- two benches ------------------------------------------------------------------------------------------------------


def compared(before: Document, after: Document, width: int | None) -> Iterator[str]:
    """What got faster or slower from one bench to the other."""
    changes = comparison.changes(before, after)
    settings = [change.setting for change in changes]
    subject = before.subject
    yield from _wrapped(
        [
            f"{subject.job} of {subject.server}: {subject.mailboxes:,} mailboxes{_alike(settings)}",
            f"before: {_when(before.begun)}; after: {_when(after.begun)}",
        ],
        width,
    )
    yield ""
    yield from table(list(_columns_of_changes(changes, settings)), width)
    yield ""
    yield from _wrapped(_changed(changes, settings), width)


def _when(moment: Moment) -> str:
    return f"{moment.at:.16}, load {moment.load:.1f}".replace("T", " ")


def _columns_of_changes(changes: Sequence[Change], settings: Sequence[Setting]) -> Iterator[Column]:
    yield from _of_settings(settings, range(len(settings)))
    yield Column(("before", "s"), numbers([change.before for change in changes]))
    yield Column(("after", "s"), numbers([change.after for change in changes]))
    yield Column(
        ("time after against before", "and its 95 % interval"),
        [f"{_percent(change.ratio)} {change.way}" for change in changes],
        words=True,
    )


def _changed(changes: Sequence[Change], settings: Sequence[Setting]) -> Iterator[str]:
    ways = {way: [name_of(change.setting, settings) for change in changes if change.way is way] for way in Way}
    told = [f"{way}: {_listed(ways[way])}" for way in (Way.FASTER, Way.SLOWER) if ways[way]]
    yield from told or ["nothing got faster or slower beyond the noise"]
    if told and ways[Way.NOISE]:
        yield f"no change beyond the noise: {_listed(ways[Way.NOISE])}"


# --- words ------------------------------------------------------------------------------------------------------------


def _listed(names: Sequence[str]) -> str:
    """`a`, `a and b`; with `;` where the names have commas."""
    comma = "; " if any("," in name for name in names) else ", "
    return names[0] if len(names) == 1 else f"{comma.join(names[:-1])} and {names[-1]}"


def _counted(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def _wrapped(lines: Iterator[str] | list[str], width: int | None) -> Iterator[str]:
    for line in lines:
        yield from textwrap.wrap(line, width, subsequent_indent="  ", break_on_hyphens=False) if width else [line]
