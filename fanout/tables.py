"""Results as tables, for spreadsheets and data frames: CSV and Parquet.

A row a mailbox, in the order of the roster: `mailbox`, `ok`, `attempts`, `seconds`, the result, and what the error says. The
columns are known when every record was seen, so the records are read twice, and have to be the same both times.

In CSV a result that is an object has a column a field, `result.messages`, and objects within it columns of their own; lists
are JSON in one cell. In Parquet nested results are nested columns, and numbers stay numbers.
"""

from __future__ import annotations

import csv
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from fanout.errors import UsageError
from fanout.whole import whole_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from fanout.outcomes import Outcome

#: What is read at a time where columns are put together.
ROWS = 10_000

#: The columns that every table has, before the result and behind it.
FIRST = ("mailbox", "ok", "attempts", "seconds")
LAST = ("error.type", "error.message", "error.code", "error.cause")


def write_csv(path: Path, outcomes: Callable[[], Iterator[Outcome]]) -> None:
    """Write the outcomes as CSV (RFC 4180, UTF-8). Raises StoppedError when the disk takes no more."""
    names = dict.fromkeys(name for outcome in outcomes() for name, _ in _cells(outcome))
    columns = [*FIRST, *names, *LAST]
    with whole_file(path, "the results") as new, open(new, "w", newline="", encoding="utf-8") as file:
        rows = csv.DictWriter(file, columns, restval="")
        rows.writeheader()
        rows.writerows(map(_flat, outcomes()))


def write_parquet(path: Path, outcomes: Callable[[], Iterator[Outcome]]) -> None:
    """Write the outcomes as Parquet. Raises UsageError without pyarrow, and for results that no column can hold together."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{path}: Parquet takes pyarrow, which is not installed: pip install 'mailbox-fanout[parquet]'"
        ) from error
    try:
        schema = pyarrow.unify_schemas(
            [pyarrow.Table.from_pylist(rows).schema for rows in _pages(outcomes())], promote_options="permissive"
        )
        with whole_file(path, "the results") as new, parquet.ParquetWriter(new, schema) as writer:
            for rows in _pages(outcomes()):
                writer.write_table(pyarrow.Table.from_pylist(rows, schema=schema))
    except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError) as error:
        raise UsageError(
            f"{path}: the results are not alike, so no column can hold them: {error}; CSV and JSONL hold any"
        ) from error


#: How each kind of table is written, by the end of its file's name.
WRITERS = {".csv": write_csv, ".parquet": write_parquet}


def _flat(outcome: Outcome) -> dict[str, object]:
    """The row of an outcome, a cell a field."""
    row = {name: getattr(outcome, name) for name in FIRST} | dict(_cells(outcome))
    if outcome.error:
        row |= {name: getattr(outcome.error, name.removeprefix("error.")) for name in LAST}
    return row


def _cells(outcome: Outcome) -> Iterator[tuple[str, object]]:
    """The cells of the result, which a mailbox that failed has not; the server, where there are several."""
    if outcome.server:
        yield "server", outcome.server
    if outcome.ok:
        yield from _fields("result", outcome.result)


def _fields(name: str, value: Any) -> Iterator[tuple[str, object]]:  # noqa: ANN401 - whatever a job returns
    """The cells of a value, by the names of their columns."""
    if isinstance(value, dict):
        for key, within in value.items():
            yield from _fields(f"{name}.{key}", within)
    elif isinstance(value, list):
        yield name, msgspec.json.encode(value).decode()
    else:
        yield name, value


def _pages(outcomes: Iterable[Outcome]) -> Iterator[list[dict[str, Any]]]:
    rows = (_nested(outcome) for outcome in outcomes)
    while page := list(islice(rows, ROWS)):
        yield page


def _nested(outcome: Outcome) -> dict[str, Any]:
    row: dict[str, Any] = msgspec.to_builtins(outcome)
    if not outcome.server:
        del row["server"]
    if row["error"]:
        row["error"].pop("traceback", None)
    return row
