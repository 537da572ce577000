"""Musters: what a run file tells of its workers, every life that each had, and where each stood at the last commit.

It knows the two tables, and no more of SQLite than the two functions that the run file lends it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from fanout.lives import Life, Standing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LIFE = ", ".join(Life.__struct_fields__)
_STANDING = ", ".join(Standing.__struct_fields__)


class Musters:
    """The rows of one run file."""

    def __init__(
        self, query: Callable[..., Iterator[Any]], execute: Callable[[str, list[tuple[Any, ...]]], None]
    ) -> None:
        """`query` runs a statement and gives its rows; `execute` runs one for each of some rows."""
        self._query = query
        self._execute = execute

    def take(self, changed: list[Life], standings: list[Standing]) -> None:
        """Write down lives that are new or have changed, and where every worker stands that has a process."""
        self._execute(_insert("lives", _LIFE), [msgspec.structs.astuple(life) for life in changed])
        self._execute("DELETE FROM standing", [()])
        self._execute(_insert("standing", _STANDING), [msgspec.structs.astuple(each) for each in standings])

    def count(self) -> int:
        """Lives that there were."""
        [(count,)] = self._query("SELECT coalesce(max(number), 0) FROM lives")
        return int(count)

    def lives(self) -> Iterator[Life]:
        """Every life, in the order in which they began."""
        return (Life(*row) for row in self._query(f"SELECT {_LIFE} FROM lives ORDER BY number"))

    def standings(self) -> list[Standing]:
        """Where each worker stood at the last commit; those that had no process then are left out."""
        return [Standing(*row) for row in self._query(f"SELECT {_STANDING} FROM standing ORDER BY worker")]


def _insert(table: str, columns: str) -> str:
    return f"INSERT OR REPLACE INTO {table} ({columns}) VALUES ({', '.join('?' * len(columns.split(', ')))})"
