"""The messages of one generated folder: each is computed from the folder's key and its row, newest first.

What they sum up to is told by the folder's Volume in advance; `population` says how the two agree.
"""

from __future__ import annotations

from email.header import Header
from email.utils import format_datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol

from workers.simulated.stores import MessageFacts, counter_of, filetime, message_id, moment, row_of
from workers.simulated.words import (
    ADJECTIVES,
    FAMILY_NAMES,
    GIVEN_NAMES,
    LINE_LENGTH,
    NOUNS,
    OPENINGS,
    PLAIN_FAMILY_NAMES,
    PLAIN_GIVEN_NAMES,
    TEXT,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Bytes of the smallest message. A generated header takes less, so a body always has room.
SMALLEST = 1024

_MASK = 2**64 - 1
_GOLDEN = 0x9E3779B97F4A7C15  # 2**64 / golden ratio, odd: its multiples are spread evenly

_LINE = LINE_LENGTH + 2  # with its CRLF


class Volume(NamedTuple):
    """How much a folder holds, and from when."""

    messages: int
    unread: int
    mean: int  # bytes; at least SMALLEST
    newest: int  # seconds since 1970; 0 where there is no message
    step: int  # seconds from one message to the next, at least 1


NOTHING = Volume(0, 0, SMALLEST, 0, 1)


class Owner(Protocol):
    """Whose messages they are."""

    @property
    def address(self) -> str: ...
    @property
    def ordinal(self) -> int: ...


class GeneratedMessages:
    """The messages of one folder, newest first."""

    def __init__(self, owner: Owner, folder_id: int, volume: Volume, key: int) -> None:
        self._owner = owner
        self._folder_id = folder_id
        self._volume = volume
        self._key = key
        self._counter = counter_of(folder_id) & 0xFFFF

    def __len__(self) -> int:
        return self._volume.messages

    def newest_first(self) -> Sequence[int]:
        return range(len(self))

    def facts(self, row: int) -> MessageFacts:
        bits = self._bits(row)
        given, family = bits >> 12 & 15, bits >> 16 & 15
        return MessageFacts(
            self._folder_id,
            message_id(self._counter, row),
            f"{OPENINGS[bits & 7]}{ADJECTIVES[bits >> 3 & 7]} {NOUNS[bits >> 6 & 15]} {bits >> 20 & 1023}",
            f"{GIVEN_NAMES[given]} {FAMILY_NAMES[family]}",
            f"{PLAIN_GIVEN_NAMES[given]}.{PLAIN_FAMILY_NAMES[family]}@sender{bits >> 30 & 15}.example",
            filetime(self._delivered(row, bits)),
            self._size(row),
            row >= self._volume.unread,
            f"<{self._owner.ordinal}.{self._counter}.{row}.{bits >> 40:x}@sim.example>",
        )

    def row_of(self, identifier: int) -> int | None:
        return row_of(identifier, self._counter, len(self))

    def read(self, row: int) -> bytes:
        """The message as [RFC 5322] wants it, with CRLF at the end of each line."""
        head = self._header(row)
        return head + _body(self._size(row) - len(head), self._bits(row) >> 20)

    def _bits(self, row: int) -> int:
        return scatter(self._key + row * _GOLDEN & _MASK)

    def _delivered(self, row: int, bits: int) -> int:
        """Seconds since 1970. The jitter is smaller than the step, so no message is as new as the one before it."""
        jitter = (bits >> 24) % self._volume.step if row else 0
        return self._volume.newest - row * self._volume.step - jitter

    def _size(self, row: int) -> int:
        """Bytes: as much above the mean as that of the twin at the other end is below, or the other way round."""
        count, _, mean, _, _ = self._volume
        twin = count - 1 - row
        if row == twin:
            return mean
        bits = scatter(self._key - (min(row, twin) + 1) * _GOLDEN & _MASK)
        deviation = (bits >> 1) % (mean - SMALLEST + 1)
        return mean + deviation if (bits & 1) == (row < twin) else mean - deviation

    def _header(self, row: int) -> bytes:
        facts = self.facts(row)
        received = moment(self._delivered(row, self._bits(row)))
        lines = (
            f"Date: {format_datetime(received)}",
            f"From: {_encoded(facts.sender_name)} <{facts.sender_address}>",
            f"To: {self._owner.address}",
            f"Subject: {_encoded(facts.subject)}",
            f"Message-ID: {facts.internet_message_id}",
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=us-ascii",
            "",
            "",
        )
        return "\r\n".join(lines).encode("ascii")


def scatter(bits: int) -> int:
    """64 bits out of 64 bits, each of which depends on all: the finisher of SplitMix64."""
    bits = (bits ^ bits >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    bits = (bits ^ bits >> 27) * 0x94D049BB133111EB & _MASK
    return bits ^ bits >> 31


def _encoded(text: str | None) -> str:
    """As a header field has it: plain, or in encoded words ([RFC 2047])."""
    if text is None or text.isascii():
        return text or ""
    return Header(text, "utf-8").encode(linesep="\r\n")


def _body(size: int, start: int) -> bytes:
    """`size` bytes of whole lines, from line `start` of the text on; at least the CRLF of an empty line."""
    begin = start * _LINE % len(TEXT)
    text = (TEXT * (size // len(TEXT) + 2))[begin:]
    whole = size - size % _LINE
    match size - whole:
        case 0:
            return text[:whole]
        case 1:  # a line must have room for its CRLF: this one is a character longer
            return text[: whole - 2] + b".\r\n"
        case rest:
            return text[: whole + rest - 2] + b"\r\n"
