"""The settings that a bench compares, and the order in which each round takes them. Pure: all chance follows from a seed."""

from __future__ import annotations

from enum import StrEnum
from itertools import product
from random import Random
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: Guided chunks, as the command line calls them.
AUTO: Final = "auto"

#: How workers can be started.
START_METHODS = ("fork", "spawn")


class Connections(StrEnum):
    """Whether the mailboxes of a worker share a connection, or have one each."""

    SHARED = "shared"
    SEPARATE = "separate"


class Setting(msgspec.Struct, frozen=True):
    """Who does the work, and in what portions."""

    chunk_size: int | Literal["auto"]
    workers: int
    start_method: Literal["fork", "spawn"] = "fork"
    #: Mailboxes that a worker visits at a time.
    concurrency: int = 1
    connections: Connections = Connections.SHARED


class Axes(NamedTuple):
    """The values of each part of a setting that are to be tried with every value of the others."""

    chunk_sizes: tuple[int | Literal["auto"], ...]
    workers: tuple[int, ...]
    start_methods: tuple[Literal["fork", "spawn"], ...] = ("fork",)
    concurrency: tuple[int, ...] = (1,)
    connections: tuple[Connections, ...] = (Connections.SHARED,)

    def settings(self) -> list[Setting]:
        """Every combination; those that differ in their chunks alone stand together."""
        others = product(self.workers, self.start_methods, self.concurrency, self.connections)
        return [Setting(size, *rest) for rest in others for size in self.chunk_sizes]


def orders(count: int, seed: int) -> Iterator[list[int]]:
    """For each round, without end, the places of `count` settings in an order by chance.

    A round visits all settings, so that what else the machine does meanwhile hits all alike; no setting is always behind the
    same other one, so that what one leaves behind hits all alike, too.
    """
    random = Random(seed)
    while True:
        yield random.sample(range(count), count)


def demanding(settings: Sequence[Setting]) -> list[Setting]:
    """For each kind of connection a setting that asks for as much as any: where it can be had, all can."""
    most = []
    for connections in dict.fromkeys(setting.connections for setting in settings):
        among = [setting for setting in settings if setting.connections is connections]
        sizes = [setting.chunk_size for setting in among if isinstance(setting.chunk_size, int)]
        concurrency = max(setting.concurrency for setting in among)
        most.append(
            Setting(max(sizes, default=AUTO), among[0].workers, concurrency=concurrency, connections=connections)
        )
    return most


def slowest(settings: Sequence[Setting]) -> Setting:
    """The setting that is expected to take longest: few mailboxes at a time, on a connection that is shared.

    Its chunks are guided, or few mailboxes would be too few for all of its workers.
    """
    fewest = min(
        settings,
        key=lambda each: (each.workers * each.concurrency, each.start_method == "fork", each.connections != "shared"),
    )
    return msgspec.structs.replace(fewest, chunk_size=AUTO)


# --- for people -------------------------------------------------------------------------------------------------------


def differing(settings: Sequence[Setting]) -> list[str]:
    """The parts in which settings differ from one another."""
    return [name for name in Setting.__struct_fields__ if len({getattr(each, name) for each in settings}) > 1]


def in_words(setting: Setting, parts: Sequence[str]) -> str:
    """Some parts of a setting: `chunks of 25, 2 workers`."""
    words = {
        "chunk_size": "guided chunks (auto)" if setting.chunk_size == AUTO else f"chunks of {setting.chunk_size}",
        "workers": f"{setting.workers} worker{'s' if setting.workers > 1 else ''}",
        "start_method": f"started by {setting.start_method}",
        "concurrency": f"{setting.concurrency} at a time" if setting.concurrency > 1 else "one at a time",
        "connections": f"{setting.connections} connections",
    }
    return ", ".join(words[part] for part in parts)


def name_of(setting: Setting, settings: Sequence[Setting]) -> str:
    """What tells a setting from the others; of one that stands alone, its chunks."""
    return in_words(setting, differing(settings) or ["chunk_size"])
