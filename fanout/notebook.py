"""How what a run found, and what a fleet holds, show themselves in a notebook: as tables, however much there is.

All text comes from mailboxes and jobs, so all of it is escaped.
"""

from __future__ import annotations

from html import escape
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Sequence

    from fanout.outcomes import Outcome
    from workers.causes import Cause
    from workers.messages import Error

#: Rows and columns of a table, and characters of a cell: what is read rather than searched.
ROWS = 20
COLUMNS = 10
CELL = 120


def of_outcomes(head: str, outcomes: Iterable[Outcome], count: int, totals: Iterable[str]) -> str:
    """What was found: a line, the first of `count` outcomes as a table, the totals."""
    first = list(islice(outcomes, ROWS))
    fields = _fields(first)
    header = ["mailbox", *(fields or ["result"]), "seconds"]
    rows = [[each.mailbox, *_cells(each, fields), _seconds(each)] for each in first]
    more = [f"and {count - len(first):,} more"] if count > len(first) else []
    return _paragraph(head) + _table(header, rows) + "".join(map(_paragraph, [*more, *totals]))


def causes_in_words(causes: Counter[Cause]) -> list[str]:
    """Failures by their cause, the most frequent first; nothing where there are none."""
    return ["failed " + ", ".join(f"{count:,} {cause}" for cause, count in causes.most_common())] if causes else []


def of_holders(head: str, mailboxes: Sequence[str], failed: dict[str, Error]) -> str:
    """What a fleet holds: a line, and the first mailboxes with what is amiss with them."""
    rows = [[name, failed[name].message if name in failed else "open"] for name in mailboxes[:ROWS]]
    more = [f"and {len(mailboxes) - ROWS:,} more"] if len(mailboxes) > ROWS else []
    unopened = [f"{len(failed):,} can't be opened"] if failed else []
    return _paragraph(head) + _table(["mailbox", "state"], rows) + "".join(map(_paragraph, [*more, *unopened]))


def _fields(outcomes: list[Outcome]) -> list[str]:
    """The fields of results that are objects, as columns; none where a result is something else."""
    results = [each.result for each in outcomes if each.ok]
    if not results or not all(isinstance(result, dict) for result in results):
        return []
    return list(dict.fromkeys(name for result in results for name in result))[:COLUMNS]


def _cells(outcome: Outcome, fields: list[str]) -> list[object]:
    if outcome.error is not None:
        return [f"{outcome.error.cause}: {outcome.error.message}", *[""] * (len(fields) - 1)]
    return [outcome.result.get(name, "") for name in fields] if fields else [outcome.result]


def _seconds(outcome: Outcome) -> str:
    return "" if outcome.seconds is None else f"{outcome.seconds:.3f}"


def _paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def _table(header: list[str], rows: list[list[Any]]) -> str:
    head = "".join(f"<th>{escape(_short(each))}</th>" for each in header)
    body = "".join(f"<tr>{''.join(f'<td>{escape(_short(cell))}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _short(value: object) -> str:
    """A value in a few characters."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:,}"
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= CELL else f"{text[: CELL - 3]}..."
