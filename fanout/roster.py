"""The roster: which mailboxes a run is about, in a fixed order.

It is listed by a worker, so that a server that hangs cannot hang the parent, or read from a file (`names.py`); then a choice is
made among the names. Where all mailboxes of a server that computes names are wanted, no name is ever written down.
"""

from __future__ import annotations

import hashlib
import heapq
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import islice
from typing import TYPE_CHECKING

from workers.messages import Names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


@dataclass(frozen=True, slots=True)
class Choice:
    """Which names of a listing are wanted. The order of the listing is kept."""

    #: Shell patterns, without regard to case; a name is in when one of `include` fits (or there is none) and none of
    #: `exclude` does.
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    #: (I, N): the I-th of N parts, 1 <= I <= N, by a hash of the name: the same parts on every machine.
    shard: tuple[int, int] | None = None
    #: So many names by chance, always the same ones.
    sample: int | None = None
    #: The first so many of what is left.
    limit: int | None = None

    @property
    def by_name(self) -> bool:
        """Whether names have to be looked at, rather than counted."""
        return bool(self.include or self.exclude or self.shard or self.sample is not None)

    @property
    def names(self) -> Names:
        """What to ask of a server."""
        return Names.ALL if self.by_name else Names.UNNUMBERED

    def of(self, addresses: Iterable[str]) -> Iterator[str]:
        """The names that are wanted."""
        wanted: Iterator[str] = filter(self._fits, addresses)
        if self.sample is not None:
            wanted = _sample(wanted, self.sample)
        return islice(wanted, self.limit)

    def of_count(self, count: int) -> int:
        """How many of `count` mailboxes are wanted, where no name has to be looked at."""
        return count if self.limit is None else min(count, self.limit)

    def _fits(self, address: str) -> bool:
        name = address.lower()
        if self.include and not any(fnmatchcase(name, glob.lower()) for glob in self.include):
            return False
        if any(fnmatchcase(name, glob.lower()) for glob in self.exclude):
            return False
        return self.shard is None or _hash(address) % self.shard[1] == self.shard[0] - 1


def _sample(addresses: Iterable[str], size: int) -> Iterator[str]:
    """The `size` names with the lowest hashes, in their order."""
    numbered = ((_hash(address, b"sample"), place, address) for place, address in enumerate(addresses))
    lowest = heapq.nsmallest(size, numbered)
    return (address for _, _, address in sorted(lowest, key=lambda entry: entry[1]))


def _hash(address: str, purpose: bytes = b"") -> int:
    digest = hashlib.blake2b(address.encode(), digest_size=8, person=purpose).digest()
    return int.from_bytes(digest, "big")


@dataclass(frozen=True, slots=True)
class Roster:
    """The mailboxes of a run, by ordinal."""

    count: int
    #: Where the names come from, and what that source cannot see.
    source: str
    #: The names of some neighbours, in order.
    names: Callable[[range], list[str]]
    #: Whether workers compute the names from the ordinals themselves.
    numbered: bool

    def name(self, ordinal: int) -> str:
        return self.names(range(ordinal, ordinal + 1))[0]
