"""The job `duplicates`: messages that are there more than once, by Message-ID, in bounded memory.

What is merged keeps the messages whose Message-ID has the lowest hashes, as many as `sample` says, each with all of its
copies: one that is among the lowest of all mailboxes together is among the lowest of each that it is in, so that none of
its copies is ever left out. With no more different messages than that, the totals are exact; with more, those that are
kept stand for all, as a sample by chance would.
"""

from __future__ import annotations

from hashlib import blake2b
from heapq import nsmallest
from typing import TYPE_CHECKING, Any, NamedTuple

from workers.jobs.mail import messages
from workers.marks import job
from workers.totals import Split

if TYPE_CHECKING:
    from collections.abc import Iterable

    from workers.mailbox import Mailbox, Message

#: Messages that are kept, and those among the totals, unless it is said otherwise. One that is kept takes some 300 bytes.
SAMPLE = 20_000
TOP = 10

#: Mailboxes named of a message, and characters of its subject.
NAMED = 5
SUBJECT = 80

#: One more than the largest hash.
_HASHES = 2**64


class Kept(NamedTuple):
    """A message, with all of its copies."""

    copies: int
    bytes: int
    #: Bytes of the largest copy.
    largest: int
    #: Mailboxes that it is in, and the names of the first ones in the order of the alphabet.
    mailboxes: int
    names: list[str]
    message_id: str
    #: The first in the order of the alphabet, where copies differ.
    subject: str

    def with_more(self, other: Kept) -> Kept:
        """The copies of both, which are in different mailboxes."""
        return Kept(
            self.copies + other.copies,
            self.bytes + other.bytes,
            max(self.largest, other.largest),
            self.mailboxes + other.mailboxes,
            sorted({*self.names, *other.names})[:NAMED],
            self.message_id,
            min(self.subject, other.subject),
        )

    @property
    def repeated(self) -> int:
        """Bytes of the copies beyond one."""
        return self.bytes - self.largest


def merge(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """What was seen in the mailboxes of both. Looks at each message of the other one, and at those alone."""
    kept = dict(one["kept"])
    for digest, more in other["kept"].items():
        before = kept.get(digest)
        kept[digest] = more if before is None else Kept(*before).with_more(Kept(*more))
    sample = min(one["sample"], other["sample"])
    return {
        "sample": sample,
        "top": min(one["top"], other["top"]),
        "messages": one["messages"] + other["messages"],
        "bytes": one["bytes"] + other["bytes"],
        "without_id": one["without_id"] + other["without_id"],
        "cut": one["cut"] or other["cut"] or len(kept) > sample,
        "kept": _lowest(kept, sample),
    }


def conclude(seen: dict[str, Any]) -> dict[str, Any]:
    """The totals: how many messages are duplicates, what they take, and those with the most copies."""
    kept = (Kept(*each) for each in seen["kept"].values())
    return _told(seen) | {"top": [_row(each) for each in _most_copied(kept, seen["top"])]}


@job(merge=merge, conclude=conclude)
def duplicates(mailbox: Mailbox, *, sample: int = SAMPLE, top: int = TOP) -> Split:
    """Counts messages that are there more than once, in one mailbox or in several, by Message-ID.

    `duplicates` are the copies beyond the first, `duplicate_bytes` what they take (all but the largest); of each mailbox by
    itself, and in the totals of all of them together, with the `top` ones and the mailboxes that they are in. Exact for up to
    `sample` different messages; of more, it is estimated from so many of them, and `looked_at` is the share that they are.

    Example: fanout run duplicates --server sim:20 -a top=3
    Result: {"messages": 80, "bytes": 1311232, "without_id": 0, "duplicates": 2, "duplicate_bytes": 4120, "looked_at": 1.0}
    """
    seen = {"sample": sample, "top": top, "messages": 0, "bytes": 0, "without_id": 0, "cut": False}
    kept: dict[str, Kept] = {}
    for _, message in messages(mailbox):
        seen["messages"] += 1
        seen["bytes"] += message.size
        if message.message_id:
            _keep(kept, message, mailbox.address)
        else:
            seen["without_id"] += 1
        if len(kept) > 2 * sample:
            kept, seen["cut"] = _lowest(kept, sample), True
    seen["cut"] = seen["cut"] or len(kept) > sample
    whole = {**seen, "kept": _lowest(kept, sample)}
    return Split(told=_told(whole), merged=whole)


def _keep(kept: dict[str, Kept], message: Message, address: str) -> None:
    """Count a message of the mailbox that is looked at."""
    digest = blake2b(message.message_id.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    one = Kept(1, message.size, message.size, 1, [address], message.message_id, message.subject[:SUBJECT])
    before = kept.get(digest)
    kept[digest] = one if before is None else before.with_more(one)._replace(mailboxes=1)


def _lowest(kept: dict[str, Any], sample: int) -> dict[str, Any]:
    """The messages with the lowest hashes, in their order: what is merged with it is sorted in no time."""
    return kept if len(kept) <= sample else {digest: kept[digest] for digest in sorted(kept)[:sample]}


def _told(seen: dict[str, Any]) -> dict[str, Any]:
    """The numbers. Where others were cut off, the highest hash that is kept tells how far was looked, and no more."""
    kept, looked_at = dict(seen["kept"]), 1.0
    if seen["cut"]:
        highest = max(kept)
        del kept[highest]
        looked_at = int(highest, 16) / _HASHES
    found = [Kept(*each) for each in kept.values()]
    return {
        "messages": seen["messages"],
        "bytes": seen["bytes"],
        "without_id": seen["without_id"],
        "duplicates": round(sum(each.copies - 1 for each in found) / looked_at),
        "duplicate_bytes": round(sum(each.repeated for each in found) / looked_at),
        "looked_at": round(looked_at, 4),
    }


def _most_copied(kept: Iterable[Kept], top: int) -> list[Kept]:
    several = (each for each in kept if each.copies > 1)
    return nsmallest(top, several, key=lambda each: (-each.copies, -each.repeated, each.message_id))


def _row(kept: Kept) -> dict[str, Any]:
    return {
        "copies": kept.copies,
        "mailboxes": kept.mailboxes,
        "bytes": kept.bytes,
        "subject": kept.subject,
        "message_id": kept.message_id,
        "in": kept.names,
    }


def check(*, sample: int = SAMPLE, top: int = TOP) -> None:
    """Raise ValueError for options that can't be meant."""
    for name, value, least in (("sample", sample, 2), ("top", top, 0)):
        if value < least:
            raise ValueError(f"{name}={value}: it is at least {least}")
