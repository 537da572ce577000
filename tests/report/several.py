"""Run files as runs over several servers leave them, made without a worker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from fanout.conduct import Mailboxes
from fanout.roster import Leg, Roster
from tests.report.runs import DENIED, Made, census, names
from workers.causes import Cause
from workers.messages import Error

GONE = Error("MailboxError", "no answer for 60 s", Cause.UNREACHABLE)

#: URLs as long as people have them.
LONG = (
    "mapi+https://outlook-backend-{0:02}.mail.department-of-long-names.organisation.example/mapi/emsmdb?MailboxId="
    "0123456789abcdef-0123-4567-89ab-cdef01234567@organisation.example&auth=negotiate&prefetch=16&timeout=120"
)


class Several(Made):
    """A run over servers of which each has so many mailboxes; None: they could not be listed."""

    def __init__(self, path: Path, servers: Mapping[str, int | None], stopped: str | None = None) -> None:
        self.servers = servers
        self.stopped = stopped
        super().__init__(path, names(sum(count or 0 for count in servers.values())))

    def mailboxes(self) -> Mailboxes:
        first, *others = self.servers
        return Mailboxes(first, others=tuple(others))

    def listed(self) -> Roster:
        legs: list[Leg] = []
        for server, count in self.servers.items():
            if count is not None:
                legs.append(Leg(server, legs[-1].ordinals.stop if legs else 0, count, ""))
        unlisted = tuple(server for server, count in self.servers.items() if count is None)
        alone = super().listed()
        return Roster(alone.count, alone.source, alone.names, numbered=False, legs=tuple(legs), unlisted=unlisted)

    def first_of(self, server: str) -> int:
        """The ordinal of its first mailbox."""
        return next(leg.first for leg in self.roster.legs if leg.server == server)


def both_done(path: Path) -> Path:
    """Two servers: one has 40 mailboxes and takes 10 s, the other 20, of which two fail, and takes 4."""
    made = Several(path, {"sim:40": 40, "sim:20?seed=2": 20})
    made.life(0, 0, 10)
    made.life(1, 0, 4)
    made.done(0, census(40), at=10)
    made.done(40, census(18), at=4, life=2)
    made.failed(58, DENIED, at=3, life=2)
    made.failed(59, GONE, at=2, life=2)
    return made.close({"messages": 1234})


def one_unlisted(path: Path) -> Path:
    made = Several(path, {"sim:40": 40, "imaps://down.example": None})
    made.life(0, 0, 10)
    made.done(0, census(40), at=10)
    return made.close(stopped_by="1 of 2 servers given up: imaps://down.example (not listed): Connection refused")


def one_given_up(path: Path) -> Path:
    made = Several(path, {"sim:40": 40, "imaps://gone.example": 20})
    made.life(0, 0, 10)
    made.life(1, 0, 3, "SIGKILL")
    made.done(0, census(40), at=10)
    made.done(40, census(5), at=2, life=2)
    made.failed(45, GONE, at=3, life=2)
    return made.close(stopped_by="1 of 2 servers given up: imaps://gone.example (14 mailboxes left): 50 in a row")


def many(path: Path, of: int = 12) -> Path:
    """Servers with long URLs: one is done sooner than the one before, one was given up, the last one is not listed."""
    servers = {LONG.format(number): 30 + number * 100 for number in range(of - 1)}
    lost, unlisted = LONG.format(of // 2), LONG.format(of)
    made = Several(path, servers | {unlisted: None})
    for place, server in enumerate(servers):
        end, first = 60.0 - 4 * place, made.first_of(server)
        life = made.life(place, 0, end / 3 if server == lost else end)
        for part in range(10):
            at = end * (part + 1) / (30 if server == lost else 10)
            if server != lost or part < 9:
                size = servers[server] // 10
                made.done(first + part * size, census(size - 2), at=at, life=life)
                made.failed(first + (part + 1) * size - 1, GONE if place % 2 else DENIED, at=at, life=life)
                made.failed(first + (part + 1) * size - 2, DENIED, at=at, life=life)
    why = "; ".join(
        f"{each}: no answer for 60 s" for each in (f"{lost} (60 mailboxes left)", f"{unlisted} (not listed)")
    )
    return made.close({"messages": 1234}, stopped_by=f"2 of {of} servers given up: {why}")


KINDS: list[Callable[[Path], Path]] = [both_done, one_unlisted, one_given_up, many]
