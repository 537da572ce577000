"""The failures of a run, cause by cause: how many, what was said, some of the mailboxes, the tracebacks that differ. Pure.

A page shows some, and says how many there are: memory stays bounded, whatever fails.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from fanout.report.ranking import short
from fanout.report.units import seconds

if TYPE_CHECKING:
    from fanout.outcomes import Outcome
    from workers.causes import Cause

#: Mailboxes of one cause that are named, and different tracebacks that are shown.
NAMED = 20
TRACEBACKS = 5

#: Different messages of one cause that are counted, and shown.
_COUNTED = 200
_SAID = 5

#: Characters of a traceback, of which the end says most, and of a message.
_LONGEST_TRACEBACK = 6_000
_LONGEST_MESSAGE = 400


class Case(NamedTuple):
    """One mailbox that failed."""

    mailbox: str
    said: str
    attempts: str
    seconds: str


@dataclass(frozen=True, slots=True)
class Frequent:
    """What was said for many mailboxes, and for how many."""

    text: str
    count: int

    @property
    def mailboxes(self) -> str:
        return f"{self.count:,} mailbox{'es' if self.count > 1 else ''}"

    @property
    def last_line(self) -> str:
        """Of a traceback: what was raised."""
        return short(self.text.rstrip().rpartition("\n")[2].strip())


@dataclass(frozen=True, slots=True)
class Group:
    """The failures of one cause."""

    cause: str
    count: int
    #: What was said, without the names of mailboxes, the most frequent first; empty where it differs for each.
    said: list[Frequent]
    cases: list[Case]
    tracebacks: list[Frequent]
    #: Different tracebacks that are not shown, as far as they were counted.
    more_tracebacks: int

    @property
    def alike(self) -> bool:
        """Whether the same was said for all of them, so that it need not be said for each."""
        return [said.count for said in self.said] == [self.count]


class _Gathered:
    """What is known of one cause so far."""

    def __init__(self) -> None:
        self.count = 0
        self.said: Counter[str] = Counter()
        self.cases: list[Case] = []
        self.tracebacks: Counter[str] = Counter()

    def add(self, outcome: Outcome) -> None:
        error = outcome.error
        assert error is not None
        self.count += 1
        code = f" ({error.code})" if error.code and error.code not in error.message else ""
        said = f"{error.type}: {error.message}{code}"
        _count(self.said, _of_any(outcome.mailbox, said)[:_LONGEST_MESSAGE])
        if error.traceback:
            _count(self.tracebacks, _of_any(outcome.mailbox, error.traceback)[-_LONGEST_TRACEBACK:])
        if len(self.cases) < NAMED:
            spent = seconds(outcome.seconds) if outcome.seconds else ""
            self.cases.append(Case(short(outcome.name), said[:_LONGEST_MESSAGE], f"{outcome.attempts:,}", spent))


def _of_any(mailbox: str, text: str) -> str:
    """A text without the name of the mailbox that it is of, so that it is the same for others."""
    return text.replace(mailbox, "…") if mailbox else text


def _count(texts: Counter[str], text: str) -> None:
    if text in texts or len(texts) < _COUNTED:
        texts[text] += 1


class Failures:
    """Takes every mailbox that failed."""

    def __init__(self) -> None:
        self._causes: dict[Cause, _Gathered] = {}

    def add(self, outcome: Outcome) -> None:
        assert outcome.error is not None
        self._causes.setdefault(outcome.error.cause, _Gathered()).add(outcome)

    def groups(self) -> list[Group]:
        """The most frequent cause first."""
        ranked = sorted(self._causes.items(), key=lambda each: (-each[1].count, each[0]))
        return [_group(cause, gathered) for cause, gathered in ranked]


def _group(cause: Cause, gathered: _Gathered) -> Group:
    repeated = gathered.count > 1 and len(gathered.said) < gathered.count
    return Group(
        cause=str(cause),
        count=gathered.count,
        said=_frequent(gathered.said, _SAID) if repeated else [],
        cases=gathered.cases,
        tracebacks=_frequent(gathered.tracebacks, TRACEBACKS),
        more_tracebacks=max(0, len(gathered.tracebacks) - TRACEBACKS),
    )


def _frequent(texts: Counter[str], most: int) -> list[Frequent]:
    return [Frequent(text, times) for text, times in texts.most_common(most)]
