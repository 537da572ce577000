"""What whoever steers a run may order, and what the run answers: the words of `fanout ctl`. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, assert_never

import msgspec

from fanout.events import Closed, Continued, Paused, Resized
from fanout.staff import MOST

if TYPE_CHECKING:
    from fanout.staff import Standing


class Pause(msgspec.Struct, frozen=True, tag="pause"):
    """Let the mailboxes under way end, and begin no other one."""


class Continue(msgspec.Struct, frozen=True, tag="continue"):
    """Go on after a pause."""


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """Let the mailboxes under way end, and the run with them."""


class Workers(msgspec.Struct, frozen=True, tag="workers"):
    """Have so many workers."""

    count: Annotated[int, msgspec.Meta(ge=1, le=MOST)]


Order = Pause | Continue | Stop | Workers


class Answer(msgspec.Struct, frozen=True):
    """What became of an order."""

    text: str
    #: Whether it was carried out, or had been before.
    heeded: bool = True


def event_of(order: Order, who: str) -> Paused | Continued | Closed | Resized:
    """What an order means to a run."""
    match order:
        case Pause():
            return Paused()
        case Continue():
            return Continued()
        case Stop():
            return Closed(f"fanout ctl stop, by {who}")
        case Workers(count):
            return Resized(count)
        case _:
            assert_never(order)


def answer(order: Order, before: Standing, after: Standing) -> Answer:
    """What became of an order that was given when a run stood so, and has been carried out as far as it could be."""
    if before.closing:
        return Answer(f"it is ending already: {_under_way(after)}", heeded=isinstance(order, Stop))
    match order:
        case Pause():
            return Answer(f"paused{_already(before.paused)}: {_under_way(after)}")
        case Continue():
            return Answer(f"continued, with up to {_workers(after)}" if before.paused else "it was not paused")
        case Stop():
            return Answer(f"stopping: {_under_way(after)}")
        case Workers():
            return Answer(_resized(before, after))
        case _:
            assert_never(order)


def _resized(before: Standing, after: Standing) -> str:
    then = f", when it is continued: {_under_way(after)}" if after.paused else ""
    if before.workers == after.workers:
        return f"up to {_workers(after)}, as before{then}"
    if after.workers < before.workers and not after.paused:
        then = "; the others end after the mailboxes that they are at"
    return f"up to {_workers(after)} instead of {before.workers:,}{then}"


def _under_way(standing: Standing) -> str:
    match standing.under_way:
        case 0:
            return "no mailbox is under way"
        case 1:
            return "1 mailbox under way ends first"
        case count:
            return f"{count:,} mailboxes under way end first"


def _workers(standing: Standing) -> str:
    words = "1 worker" if standing.workers == 1 else f"{standing.workers:,} workers"
    return f"{words} for each server" if standing.servers > 1 else words


def _already(paused: bool) -> str:  # noqa: FBT001 - a word or none
    return " already" if paused else ""
