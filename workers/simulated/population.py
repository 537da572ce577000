"""Generated mailboxes: everything about mailbox `ordinal` is computed from (seed, ordinal), when it is asked for.

Nothing is kept for a mailbox, so ten million cost no more than one; and as only whole numbers are calculated
with, every process and machine finds the same mail. One digest gives a mailbox its numbers: word 0 of 32 bits is
the mailbox's own, word i + 1 belongs to its i-th folder. From a folder's word follow in closed form its count,
unread count, size and newest date; that the messages add up to just these is how they are made:

- sizes lie around the folder's mean in pairs, message i as much above it as message count-1-i below it;
- dates go down by a fixed step from row to row, with a jitter that is smaller than the step;
- the unread messages are the newest ones.
"""

from __future__ import annotations

from functools import lru_cache, partial
from hashlib import blake2b
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from workers.mapi.wire import numbers
from workers.simulated.messages import NOTHING, SMALLEST, GeneratedMessages, Volume, scatter
from workers.simulated.stores import (
    CLOCK,
    DELETED_ITEMS,
    DN_PREFIX,
    FIRST_OWN,
    GENERIC_FOLDER,
    INBOX,
    IPM_SUBTREE,
    OUTBOX,
    POSIX_EPOCH,
    SENT_ITEMS,
    TICKS,
    FolderFacts,
    counter_of,
    moment,
    wire_id,
)
from workers.simulated.words import FAMILY_NAMES, FOLDER_NAMES, GIVEN_NAMES

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

DOMAIN = "sim.example"

#: Eight digits whatever the number of mailboxes is, so that a mailbox keeps its name when there are more.
_DIGITS = 8

_IDENTITY = Struct("<QQI")  # seed, ordinal, block of the digest

_MONTH = 30 * 86_400
_YEARS = 20 * 365 * 86_400  # the oldest message of a folder is at most so much older than the newest

#: Bytes: folders have messages of 2 KB to 10 KB on average.
_SMALLEST_MEAN = 2 * SMALLEST
_MEAN_STEP = 32

#: Of the messages of a mailbox, in hundredths: Inbox, Sent Items, Deleted Items. The other folders share the rest.
_SHARES = (35, 20, 10)


def _factors() -> tuple[int, ...]:
    """How large mailboxes are against the average, in 1/1024: 256 levels, heavy at the upper end, mean 1024."""
    odds = [(2 * level + 1) * 4096 // (532 - 2 * level) for level in range(256)]
    return tuple(1024 * 256 * odd // sum(odds) for odd in odds)


_FACTORS = _factors()


class Place(NamedTuple):
    """A folder of a tree, which mailboxes share."""

    counter: int
    own_id: int  # without the mailbox's bits, as is the parent's
    parent_id: int
    name: str
    depth: int
    has_subfolders: bool


#: A folder tree: those that hold mail come first.
Tree = tuple[Place, ...]

#: FolderFacts of a tuple. A listing makes one for each folder, and the constructor takes three times as long.
_facts: Callable[[tuple[object, ...]], FolderFacts] = partial(tuple.__new__, FolderFacts)


class GeneratedPopulation:
    """`count` mailboxes of about `messages` messages in `folders` folders."""

    def __init__(self, count: int, seed: int = 0, folders: int = 10, messages: int = 200) -> None:
        self.seed = seed
        self._count = count
        self._folders = folders
        #: Messages that every folder has, and what each has beyond on average, in 1/256.
        self._floor = 1 if messages >= folders else 0
        self._extras = _shared_out(256 * (messages - self._floor * folders), folders)

    def __len__(self) -> int:
        return self._count

    def address(self, ordinal: int) -> str:
        return f"u{ordinal:0{_DIGITS}}@{DOMAIN}"

    def ordinal(self, dn: str) -> int | None:
        name = dn.casefold()
        digits = name[len(_DN_HEAD) : len(_DN_HEAD) + _DIGITS]
        if not digits.isascii() or not digits.isdecimal() or name != f"{_DN_HEAD}{digits}@{DOMAIN}":
            return None
        ordinal = int(digits)
        return ordinal if ordinal < self._count else None

    def mailbox(self, ordinal: int) -> GeneratedMailbox:
        return GeneratedMailbox(self, ordinal)

    def last_logon(self, ordinal: int) -> datetime | None:
        """Within a year before CLOCK; one in sixteen was never used."""
        word = words(self.digest(ordinal))[0] >> 12
        return moment(CLOCK - (word >> 4) * 480) if word & 15 else None

    def digest(self, ordinal: int) -> bytes:
        """What a mailbox is made of."""
        blocks = range(self._folders // 16 + 1)
        return b"".join([blake2b(_IDENTITY.pack(self.seed, ordinal, block)).digest() for block in blocks])

    def tree(self, variant: int) -> Tree:
        """One of 16 folder trees; the folders that hold mail come first."""
        return _tree(self._folders, variant)

    def volumes(self, drawn: tuple[int, ...]) -> list[tuple[int, int, int, int, int]]:
        """The Volumes of the folders that hold mail, in the order of the tree, out of the mailbox's words."""
        floor, factor = self._floor, _FACTORS[drawn[0] & 255]
        found = []
        for extra, word in zip(self._extras, drawn[1:], strict=False):  # a digest has words to spare
            # From 0 to 2 times the average, by the lowest byte; `extra * factor` is that in 1 / (256 * 1024).
            count = floor + (extra * factor * (2 * (word & 255) + 1) + (1 << 25) >> 26)
            newest = CLOCK - (word * 0x9E3779B1 & 0xFFFF_FFFF) % _MONTH if count else 0
            step = 300 + (word >> 21) * 37
            if step * count > _YEARS:
                step = _YEARS // count
            mean = _SMALLEST_MEAN + (word >> 13 & 255) * _MEAN_STEP
            found.append((count, count * (word >> 8 & 31) >> 7, mean, newest, step))
        return found


_DN_HEAD = f"{DN_PREFIX}u".casefold()


class GeneratedMailbox:
    """A generated mailbox, as long as somebody is logged on to it."""

    __slots__ = ("_digest", "_population", "_tree", "id_bits", "ordinal")

    def __init__(self, population: GeneratedPopulation, ordinal: int) -> None:
        self.ordinal = ordinal
        self._population = population
        self._digest = population.digest(ordinal)
        self._tree = population.tree(self._digest[1] & 15)  # of word 0, as a small number
        self.id_bits = wire_id(ordinal + 1 << 16)

    @property
    def _words(self) -> tuple[int, ...]:
        return words(self._digest)

    @property
    def address(self) -> str:
        return self._population.address(self.ordinal)

    @property
    def display_name(self) -> str:
        word = self._words[0]
        return f"{GIVEN_NAMES[word >> 12 & 15]} {FAMILY_NAMES[word >> 16 & 15]} {self.ordinal}"

    @property
    def guid(self) -> bytes:
        identity = _IDENTITY.pack(self._population.seed, self.ordinal, 0)
        return blake2b(identity, digest_size=16, person=b"mailbox guid").digest()

    def subtree(self) -> list[FolderFacts]:
        bits = self.id_bits
        return [
            _facts(
                (
                    bits | own_id,
                    bits | parent_id,
                    name,
                    count,
                    unread,
                    count * mean,
                    (newest + POSIX_EPOCH) * TICKS if newest else None,  # `filetime`, without the call
                    depth,
                    has_subfolders,
                    GENERIC_FOLDER,
                    "IPF.Note",
                )
            )
            for (_, own_id, parent_id, name, depth, has_subfolders), (count, unread, mean, newest, _) in zip(
                self._tree, self._volumes(), strict=True
            )
        ]

    def messages(self, folder_id: int) -> GeneratedMessages:
        place = [folder.counter for folder in self._tree].index(counter_of(folder_id) & 0xFFFF)
        # Half of the digest and the place: no two folders of any two mailboxes draw the same messages.
        key = scatter((self._words[0] << 32 | self._words[1]) + place)
        return GeneratedMessages(self, folder_id, Volume(*self._volumes()[place]), key)

    def _volumes(self) -> list[tuple[int, int, int, int, int]]:
        found = self._population.volumes(self._words)
        return found + [NOTHING] * (len(self._tree) - len(found))


def words(digest: bytes) -> tuple[int, ...]:
    """The numbers in a digest: at least one more than the mailbox has folders."""
    return numbers(len(digest) // 4).unpack(digest)


def _shared_out(messages: int, folders: int) -> tuple[int, ...]:
    """`messages` divided among folders by the shares that people's folders have."""
    rest = max(1, folders - len(_SHARES))
    weights = [share * rest for share in _SHARES] + [100 - sum(_SHARES)] * rest
    weights = weights[:folders]
    return tuple(messages * weight // sum(weights) for weight in weights)


@lru_cache(maxsize=64)
def _tree(folders: int, variant: int) -> Tree:
    """The folder tree number `variant` (0 to 15) with `folders` folders that hold mail."""
    known = [(INBOX, "Inbox"), (SENT_ITEMS, "Sent Items"), (DELETED_ITEMS, "Deleted Items")]
    own = [(FIRST_OWN + i, _name(i + variant)) for i in range(folders - len(known))]
    counters, names = zip(*known, *own, (OUTBOX, "Outbox"), strict=True)
    nested = _nested(len(own), variant)
    parents = [nested.get(counter, IPM_SUBTREE) for counter in counters]
    depths = {IPM_SUBTREE: 0}
    for counter, parent in zip(counters, parents, strict=True):
        depths[counter] = depths[parent] + 1
    return tuple(
        Place(counter, wire_id(counter), wire_id(parent), name, depths[counter], counter in parents)
        for counter, parent, name in zip(counters, parents, names, strict=True)
    )


def _name(number: int) -> str:
    name = FOLDER_NAMES[number % len(FOLDER_NAMES)]
    return name if number < len(FOLDER_NAMES) else f"{name} {number // len(FOLDER_NAMES) + 1}"


def _nested(own: int, variant: int) -> dict[int, int]:
    """Which of a mailbox's own folders lie in another: in threes below each other, or one by one in the Inbox."""
    parents = {}
    for i in range(own):
        if (i + variant) % 4 == 3:
            parents[FIRST_OWN + i] = INBOX
        elif i and (i + variant) % 4 != 0:
            parents[FIRST_OWN + i] = FIRST_OWN + i - 1
    return parents
