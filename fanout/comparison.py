"""Two runs of a job compared, mailbox by mailbox: which are new, which are gone, what has become of the others.

What an earlier run came to waits in a temporary database on the disk, so that memory does not grow with the roster.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from fanout.errors import StoppedError, UsageError
from fanout.outcomes import Outcome

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Iterator

    from fanout.runfile import RunFile


class Kind(StrEnum):
    """What has become of a mailbox between two runs."""

    NEW = "new"
    GONE = "gone"
    CHANGED = "changed"
    #: It was done, and has failed now.
    FAILED = "failed"
    #: It had failed, and is done now.
    MENDED = "mended"
    SAME = "same"


class Change(msgspec.Struct, frozen=True):
    """One mailbox in two runs; None where a run has no outcome for it."""

    mailbox: str
    kind: Kind
    before: Outcome | None
    after: Outcome | None

    @property
    def what(self) -> str:
        """What is different, for people: numbers side by side."""
        if self.before is None or self.after is None:
            return _in_words(self.after or self.before)
        if self.kind is Kind.CHANGED and self.before.ok and self.after.ok:
            return ", ".join(differences(self.before.result, self.after.result))
        return f"{_in_words(self.before)} -> {_in_words(self.after)}"


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Outcome).decode


def check_comparable(before: RunFile, after: RunFile) -> None:
    """Raise UsageError for runs of different jobs: their results are not of one kind."""
    first, second = (file.facts().get("job") for file in (before, after))
    if first != second:
        raise UsageError(f"these are runs of different jobs: {before.path} of {first}, {after.path} of {second}")


def comparable(before: RunFile, after: RunFile) -> tuple[Iterator[Outcome], Iterator[Outcome]]:
    """The outcomes of both. Where one is of several servers, those of the other say, too, which server it was."""
    told, others = before.facts(), after.facts()
    if not (told["servers"] or others["servers"]):
        return before.outcomes(), after.outcomes()
    return _on(told["server"], before.outcomes()), _on(others["server"], after.outcomes())


def _on(server: str, outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
    return (each if each.server else msgspec.structs.replace(each, server=server) for each in outcomes)


def changes(before: Iterable[Outcome], after: Iterable[Outcome]) -> Iterator[Change]:
    """A change for each mailbox of either run, SAME among them: in the order of the later one, then what is gone.

    Raises StoppedError when the disk takes no more.
    """
    try:
        yield from _compared(before, after)
    except sqlite3.Error as error:
        raise StoppedError(
            f"what the earlier run came to can't be kept for a while in a temporary file: {error}"
        ) from error


def _compared(before: Iterable[Outcome], after: Iterable[Outcome]) -> Iterator[Change]:
    with closing(sqlite3.connect("")) as earlier:
        earlier.execute("CREATE TABLE outcomes (place INTEGER PRIMARY KEY, mailbox TEXT UNIQUE, outcome BLOB)")
        rows = ((outcome.name, _encode(outcome)) for outcome in before)
        earlier.executemany("INSERT OR REPLACE INTO outcomes (mailbox, outcome) VALUES (?, ?)", rows)
        for outcome in after:
            found = earlier.execute("DELETE FROM outcomes WHERE mailbox = ? RETURNING outcome", (outcome.name,))
            row = found.fetchone()
            yield _change(outcome, _decode(row[0]) if row else None)
        for (left,) in earlier.execute("SELECT outcome FROM outcomes ORDER BY place"):
            gone = _decode(left)
            yield Change(gone.name, Kind.GONE, gone, None)


def _change(after: Outcome, before: Outcome | None) -> Change:
    return Change(after.name, _kind(before, after), before, after)


def _kind(before: Outcome | None, after: Outcome) -> Kind:
    if before is None:
        return Kind.NEW
    if before.ok != after.ok:
        return Kind.MENDED if after.ok else Kind.FAILED
    if before.ok:
        return Kind.SAME if before.result == after.result else Kind.CHANGED
    return Kind.SAME if _cause(before) == _cause(after) else Kind.CHANGED


def differences(before: Any, after: Any) -> Iterator[str]:  # noqa: ANN401 - whatever a job returns
    """What is different in two results, field by field: `messages 120 -> 140 (+20)`."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in [*after, *(name for name in before if name not in after)]:
            if before.get(name) != after.get(name):
                yield f"{name} {_side_by_side(before.get(name), after.get(name))}"
    else:
        yield _side_by_side(before, after)


def _side_by_side(before: object, after: object) -> str:
    shown = f"{_short(before)} -> {_short(after)}"
    if _is_number(before) and _is_number(after):
        return f"{shown} ({after - before:+,})"  # type: ignore[operator]  # both are numbers
    return shown


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _short(value: object) -> str:
    """A value in a few characters: text and lists may be long."""
    if value is None:
        return "none"
    if _is_number(value):
        return f"{value:,}"
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= 60 else f"{text[:57]}..."


def _in_words(outcome: Outcome | None) -> str:
    assert outcome is not None
    return f"failed: {_cause(outcome)}" if not outcome.ok else _short(outcome.result)


def _cause(outcome: Outcome) -> str:
    return str(outcome.error.cause) if outcome.error else "none"


def summary(kinds: Counter[Kind]) -> str:
    """The last line of a comparison."""
    return ", ".join(f"{kinds[kind]:,} {kind}" for kind in Kind)
