"""The roster: which mailboxes a run is about, in a fixed order.

It is listed by a worker, so that a server that hangs cannot hang the parent, or read from a file (`names.py`); then a choice is
made among the names. Where all mailboxes of a server that computes names are wanted, no name is ever written down.
"""

from __future__ import annotations

import hashlib
import heapq
import shlex
from bisect import bisect_right
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import chain, islice, repeat
from typing import TYPE_CHECKING, Any

import msgspec

from workers.messages import Names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from fanout.ledger import Ledger

#: Names hashed, or written down, at a time.
PAGE = 1000


@dataclass(frozen=True, slots=True)
class Shard:
    """Some of the parts that a roster is cut into by a hash of its names: the same ones on every machine."""

    #: Which of the parts, from 1 on, ascending.
    parts: tuple[int, ...]
    of: int

    def __contains__(self, address: str) -> bool:
        return _hash(address) % self.of + 1 in self.parts

    def __str__(self) -> str:
        return f"{','.join(map(str, self.parts))}/{self.of}"


@dataclass(frozen=True, slots=True)
class Choice:
    """Which names of a listing are wanted. The order of the listing is kept."""

    #: Shell patterns, without regard to case; a name is in when one of `include` fits (or there is none) and none of
    #: `exclude` does.
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    #: So many names by chance, always the same ones.
    sample: int | None = None
    #: The first so many of what is left.
    limit: int | None = None
    #: The share of this machine: of all that is chosen by the others, so that the shards together are that.
    shard: Shard | None = None

    def __str__(self) -> str:
        """As the command line says it; nothing where every name is wanted."""
        told = [("--include", glob) for glob in self.include] + [("--exclude", glob) for glob in self.exclude]
        numbers = {"--sample": self.sample, "--limit": self.limit, "--shard": self.shard}
        told += [(option, str(value)) for option, value in numbers.items() if value is not None]
        return shlex.join(chain.from_iterable(told))

    @property
    def by_name(self) -> bool:
        """Whether names have to be looked at, rather than counted."""
        return bool(self.include or self.exclude or self.shard or self.sample is not None)

    @property
    def names(self) -> Names:
        """What to ask of a server."""
        return Names.ALL if self.by_name else Names.UNNUMBERED

    def of(self, addresses: Iterable[str]) -> Iterator[str]:
        """The names that are wanted, of all shards."""
        wanted: Iterator[str] = filter(self.fits, addresses)
        if self.sample is not None:
            wanted = _sample(wanted, self.sample)
        return islice(wanted, self.limit)

    def here(self, addresses: Iterable[str]) -> Iterator[str]:
        """The names that are wanted on this machine."""
        wanted = self.of(addresses)
        return (name for _, name in Sharing(self.shard).of(wanted)) if self.shard else wanted

    def of_count(self, count: int) -> int:
        """How many of `count` mailboxes are wanted, where no name has to be looked at."""
        return count if self.limit is None else min(count, self.limit)

    def fits(self, address: str) -> bool:
        """Whether its patterns let a name in."""
        name = address.lower()
        if self.include and not any(fnmatchcase(name, glob.lower()) for glob in self.include):
            return False
        return not any(fnmatchcase(name, glob.lower()) for glob in self.exclude)


class Sharing:
    """Takes a shard of some names, and adds up what they all are while they go by."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self._hashed = hashlib.sha256()
        self._count = 0

    def of(self, addresses: Iterable[str]) -> Iterator[tuple[int, str]]:
        """The names of the shard, each with its place among all."""
        for address in addresses:
            place, self._count = self._count, self._count + 1
            self._hashed.update(f"{address}\n".encode("utf-8", "surrogateescape"))
            if address in self._shard:
                yield place, address

    @property
    def whole(self) -> Whole:
        """What went by so far."""
        return Whole(self._count, self._hashed.hexdigest())


@dataclass(frozen=True, slots=True)
class Whole:
    """What shards are taken of: how many names, and their SHA-256 in hex."""

    count: int
    digest: str

    @classmethod
    def of(cls, legs: Iterable[Leg]) -> Whole | None:
        """What the shards of several servers are taken of, in whatever order these were listed; None where it is no shard."""
        wholes = {leg.server: leg.whole for leg in legs if leg.whole}
        told = "".join(f"{server}\n{wholes[server].digest}\n" for server in sorted(wholes))
        count = sum(whole.count for whole in wholes.values())
        return cls(count, hashlib.sha256(told.encode()).hexdigest()) if wholes else None


def _sample(addresses: Iterable[str], size: int) -> Iterator[str]:
    """The `size` names with the lowest hashes, in their order."""
    numbered = ((_hash(address, b"sample"), place, address) for place, address in enumerate(addresses))
    lowest = heapq.nsmallest(size, numbered)
    return (address for _, _, address in sorted(lowest, key=lambda entry: entry[1]))


def _hash(address: str, purpose: bytes = b"") -> int:
    digest = hashlib.blake2b(address.encode(), digest_size=8, person=purpose).digest()
    return int.from_bytes(digest, "big")


@dataclass(frozen=True, slots=True)
class Leg:
    """The mailboxes of one server in the roster of a run over several: neighbours."""

    server: str
    #: The ordinal of the first, and how many there are.
    first: int
    count: int
    #: SHA-256 of their names, in hex, as the server has listed them last: the names of a run stand whatever that is.
    digest: str
    #: What they are a shard of; None where they are all there are.
    whole: Whole | None = None

    @property
    def ordinals(self) -> range:
        return range(self.first, self.first + self.count)


@dataclass(slots=True)
class Roster:
    """The mailboxes of a run, by ordinal. Of several servers it grows, while the run goes on, when one of them has listed late."""

    count: int
    #: Where the names come from, and what that source cannot see.
    source: str
    #: The names of some neighbours, in order.
    names: Callable[[range], list[str]]
    #: Whether workers compute the names from the ordinals themselves.
    numbered: bool
    #: What it is a shard of; None where it is all there is.
    whole: Whole | None = None
    #: Which of them are on which server, in their order; empty for a run over one.
    legs: tuple[Leg, ...] = ()
    #: Servers of the run whose mailboxes nobody could list yet.
    unlisted: tuple[str, ...] = ()

    def name(self, ordinal: int) -> str:
        return self.names(range(ordinal, ordinal + 1))[0]

    def server(self, ordinal: int) -> str | None:
        """The server of a mailbox; None for a run over one."""
        if not self.legs:
            return None
        return self.legs[bisect_right(self.legs, ordinal, key=lambda leg: leg.first) - 1].server

    def leg(self, server: str) -> Leg | None:
        """The mailboxes of a server; None where they are not known yet."""
        return next((leg for leg in self.legs if leg.server == server), None)

    def join(self, leg: Leg) -> None:
        """Take in the mailboxes of one more server, behind all others."""
        self.legs += (leg,)
        self.count += leg.count
        self.whole = Whole.of(self.legs)
        self.unlisted = tuple(server for server in self.unlisted if server != leg.server)

    @property
    def digest(self) -> str:
        """SHA-256 of it, in hex: over its names, or, where they are computed, over how many there are and of what.

        Of several servers it is that of their digests.
        """
        if self.legs or self.unlisted:
            return hashlib.sha256("".join(f"{leg.digest}\n" for leg in self.legs).encode()).hexdigest()
        if self.numbered:
            return hashlib.sha256(f"{self.count}\n{self.source}\n".encode()).hexdigest()
        return digest_of(self.names, range(self.count))

    @property
    def facts(self) -> dict[str, Any]:
        """What a run file tells of it, by the names of the facts."""
        return {
            "roster": {"count": self.count, "source": self.source, "numbered": self.numbered},
            "legs": msgspec.to_builtins(self.legs),
            "unlisted": self.unlisted,
            "whole": msgspec.to_builtins(self.whole),
        }


def digest_of(names: Callable[[range], list[str]], ordinals: range) -> str:
    """SHA-256 of the names of some neighbours, in hex."""
    hashed = hashlib.sha256()
    for first in range(0, len(ordinals), PAGE):
        some = names(ordinals[first : first + PAGE])
        hashed.update("".join(f"{name}\n" for name in some).encode("utf-8", "surrogateescape"))
    return hashed.hexdigest()


def write_down(ledger: Ledger, names: Iterable[str], shard: Shard | None) -> tuple[int, Whole | None]:
    """Put names into a ledger, by pages: all, or those of a shard, with their places. How many, and what they are a shard of."""
    count, sharing = 0, Sharing(shard) if shard else None
    placed = sharing.of(names) if sharing else zip(repeat(0), names)
    while page := list(islice(placed, PAGE)):
        places, some = zip(*page, strict=True)
        ledger.add_names(list(some), list(places) if sharing else None)
        count += len(page)
    return count, sharing.whole if sharing else None


def written_leg(ledger: Ledger, server: str, first: int, names: Iterable[str], shard: Shard | None) -> Leg:
    """Put the names of one server of several into a ledger, of which they are the next, from the ordinal `first` on."""
    count, whole = write_down(ledger, names, shard)
    return Leg(server, first, count, digest_of(ledger.names, range(first, first + count)), whole)
