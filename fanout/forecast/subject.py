"""What a forecast is about: the mailboxes of one server or several, the machine, and what is done about trouble. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fanout.forecast.model import Machine, Server
    from fanout.policy import Policy


@dataclass(frozen=True, slots=True)
class Part:
    """The mailboxes of one server, and what is known of them."""

    url: str
    server: Server
    count: int
    #: Mailboxes that a session can hold; None for no limit.
    capacity: int | None
    #: Where what is known comes from, in words.
    source: str


@dataclass(frozen=True, slots=True)
class Subject:
    """What a forecast is about."""

    parts: tuple[Part, ...]
    machine: Machine
    policy: Policy

    @property
    def count(self) -> int:
        """Mailboxes of all servers."""
        return sum(part.count for part in self.parts)

    @property
    def capacity(self) -> int | None:
        """Mailboxes that a session of each server can hold; None for no limit."""
        return min((part.capacity for part in self.parts if part.capacity is not None), default=None)

    @property
    def sessions(self) -> int | None:
        """Sessions that all servers allow together; None for no limit."""
        each = [part.server.sessions for part in self.parts]
        return None if None in each else sum(each)  # type: ignore[arg-type]  # none is None
