"""All that crosses the pipe, and how it is framed.

A message is a msgspec Struct, written as a MessagePack array behind its length. Shared words belong to the child, so
this module knows neither fanout nor a mail protocol. What arrives is checked when it is decoded: a type that does not
fit, a length that can't be, half a message where the pipe ends, all are a FrameError, and the other side is not believed
any more.

    parent  -- Begin, Chunk, ListMailboxes, Hold, Teach, Call -->  worker
    parent  <-- Ready, Found, Failed, Printed, Leaked, Leaving, Announced, Listed, Refused, Held, Answered, Unable --  worker
"""

from __future__ import annotations

import struct
from enum import Enum
from typing import Any, Generic, TypeVar

import msgspec

from workers.access import ANYBODY, Access
from workers.causes import Cause

#: Bytes before a message: its length, unsigned, little-endian.
HEADER = struct.Struct("<I")

#: Where the length of a message will stand that is being written.
NO_LENGTH = bytes(HEADER.size)

#: Bytes of the largest message. A result may be large, a length beyond this is nonsense: four bytes of text read as a
#: length are 0x20202020 and more, half a gigabyte.
MAX_MESSAGE = 256 * 2**20


#: Bytes of one result as JSON, unless the run says otherwise: far beyond any report, well below what a pipe carries.
MAX_RESULT = 64 * 2**20


class FrameError(Exception):
    """What came over the pipe is no message."""


class Recording(Enum):
    """What a worker writes down for a mailbox that is done: one line of JSON either way."""

    #: The result alone: the least that can cross a pipe.
    RESULTS = "results"
    #: The whole record of DESIGN: mailbox, ok, result, attempts, seconds.
    RECORDS = "records"


class Message(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """The common shape of all messages: an array whose first element names the class."""


# --- jobs -------------------------------------------------------------------------------------------------------------


class ModuleJob(Message, frozen=True):
    """A function that the worker imports by its module's name."""

    module: str
    function: str


class FileJob(Message, frozen=True):
    """A function in a file that no import path leads to."""

    path: str
    function: str


class PickledJob(Message, frozen=True):
    """A function of `__main__` or of a notebook, pickled by dill."""

    function: str
    pickle: bytes
    #: Whether it brings a merge function.
    merges: bool = False


Job = ModuleJob | FileJob | PickledJob


# --- parent to worker -------------------------------------------------------------------------------------------------


class OnLeak(Enum):
    """What becomes of interfaces that a job did not release."""

    #: The result counts, and they are released for the job.
    RECLAIM = "reclaim"
    #: The mailbox fails, and they are released.
    FAIL = "fail"
    #: The result counts, and they are left as they are, with the logon index that they hold.
    WARN = "warn"


class Begin(Message, frozen=True):
    """The first message to every worker."""

    server: str
    separate_connections: bool
    recording: Recording
    job: Job | None = None
    options: dict[str, Any] = {}
    #: Bytes of the largest result, as JSON.
    max_result: int = MAX_RESULT
    #: Whether a job that writes may be run, and whether it is told to do everything but write.
    allow_writes: bool = False
    dry_run: bool = False
    #: Bytes of resident memory at which the worker leaves, between two mailboxes; None for no limit.
    max_rss: int | None = None
    on_leak: OnLeak = OnLeak.RECLAIM
    #: Whether the worker is to hold mailboxes open, rather than to visit them.
    holding: bool = False
    access: Access = ANYBODY
    #: Whether the parent merges by the function that the job brings.
    merging: bool = False
    #: Whether records say which server it is, and jobs are told: those of a run over several.
    tells_server: bool = False


class Chunk(Message, frozen=True):
    """Some mailboxes, neighbours in the roster, given to one worker together."""

    number: int
    #: The ordinal of the first one; the others follow it.
    first: int
    count: int
    #: Which attempt at these mailboxes this is; 1 is the first.
    attempt: int = 1
    #: Their names in order; None where the server computes a name from the ordinal.
    addresses: list[str] | None = None
    #: How often the server was busy for the mailbox before, of one that goes out again by itself.
    put_off: int = 0

    @property
    def ordinals(self) -> range:
        return range(self.first, self.first + self.count)


class Names(Enum):
    """Which names a roster worker is to list."""

    #: None: the mailboxes come from elsewhere, and only the capacity is wanted.
    NONE = "none"
    #: Those that cannot be computed from an ordinal.
    UNNUMBERED = "unnumbered"
    #: Every one, because a choice is made among them by name.
    ALL = "all"


class ListMailboxes(Message, frozen=True):
    """Asks for the server's capacity, and for its roster."""

    names: Names
    #: A mailbox to look at the account by, where one is known.
    address: str = ""


class Hold(Message, frozen=True):
    """Asks for some mailboxes, neighbours in the roster, to be opened and kept open until the pipe ends."""

    first: int
    count: int
    #: Their names in order; None where the server computes a name from the ordinal.
    addresses: list[str] | None = None
    #: Ordinals among them that are to be left out.
    without: list[int] = []

    @property
    def ordinals(self) -> range:
        return range(self.first, self.first + self.count)


class Teach(Message, frozen=True):
    """A function that calls will name by its number. Before the first of them."""

    function: int
    job: Job


class Call(Message, frozen=True):
    """Asks for a function to be called with a mailbox that is held."""

    number: int
    function: int
    ordinal: int
    options: dict[str, Any] = {}


ToWorker = Begin | Chunk | ListMailboxes | Hold | Teach | Call


# --- worker to parent -------------------------------------------------------------------------------------------------


class Error(msgspec.Struct, frozen=True):
    """Why one mailbox failed, as its record tells it. An object, not an array: it stands in JSON for people."""

    #: The exception's class, or what took its place.
    type: str
    message: str
    cause: Cause
    #: The server's own number, as `0x8004010F`; None where there was none.
    code: str | None = None
    traceback: str | None = None
    retryable: bool = False


class Ready(Message, frozen=True):
    """The worker has imported the job and holds a session."""

    #: Whether a mailbox that was under way when the worker died may not simply be visited again: the job writes, and
    #: doing so twice is not the same as once.
    uncertain: bool = False


class Found(Message, frozen=True):
    """Mailboxes that are done: neighbours, in order, each with one line."""

    chunk: int
    first: int
    count: int
    #: `count` lines of JSON, each ended by a newline.
    lines: bytes
    #: The results of these lines, folded, as JSON.
    total: bytes

    @property
    def ordinals(self) -> range:
        return range(self.first, self.first + self.count)


class Failed(Message, frozen=True):
    """One mailbox whose attempt failed."""

    chunk: int
    ordinal: int
    seconds: float
    error: Error


class Leak(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Interfaces of one kind that a job got at one line of its code, and did not release."""

    #: The interface's name in MAPI: IMAPIFolder, IMAPITable, IMessage.
    kind: str
    count: int
    file: str
    line: int
    function: str
    #: The logon index that they hold.
    logon_index: int


class Leaked(Message, frozen=True):
    """What a job left unreleased at a mailbox."""

    ordinal: int
    leaks: list[Leak]


class Printed(Message, frozen=True):
    """What the job printed or logged while it was at a mailbox."""

    ordinal: int
    text: str


class Leaving(Message, frozen=True):
    """The worker ends now, between two mailboxes, and blames none: it was asked to, or its memory has grown."""

    why: str


class Announced(Message, frozen=True):
    """What the server says of itself, before the first page of its roster."""

    #: Mailboxes a session can hold; None where there is no ceiling.
    capacity: int | None
    #: The capacity in words, for the person who asked for more.
    arithmetic: str
    #: How many mailboxes there are, where names are computed from ordinals; None where pages list them.
    numbered: int | None
    #: Where the roster comes from, and what it cannot see.
    source: str


class Listed(Message, frozen=True):
    """One page of the roster; an empty one ends it."""

    addresses: list[str]


class Unable(Message, frozen=True):
    """The worker can't work at all: its job or its server is not to be had. It ends after this."""

    error: Error


class Refused(Message, frozen=True):
    """A mailbox that can't be held."""

    ordinal: int
    error: Error


class Held(Message, frozen=True):
    """All mailboxes that were to be held are open, but for those that were refused."""


class Answered(Message, frozen=True):
    """What came of a call: calls are answered in the order in which they were asked for."""

    number: int
    #: What the function returned, as JSON; None where it failed.
    value: bytes | None
    error: Error | None = None
    #: What it printed and logged.
    printed: str = ""


ToParent = Ready | Found | Failed | Printed | Leaked | Leaving | Announced | Listed | Refused | Held | Answered | Unable

_encode_into = msgspec.msgpack.Encoder().encode_into


def frame(message: Message) -> bytes:
    """The bytes of one message. Raises FrameError when it is larger than a message may be."""
    framed = bytearray()
    add_frame(framed, message)
    return bytes(framed)


def add_frame(to: bytearray, message: Message) -> None:
    """Write a message behind what is there: a large result is not copied for it. Raises FrameError as `frame` does."""
    start = len(to)
    to += NO_LENGTH
    _encode_into(message, to, -1)
    length = len(to) - start - HEADER.size
    if length > MAX_MESSAGE:
        del to[start:]
        raise FrameError(f"a message of {length:,} bytes; the largest has {MAX_MESSAGE:,}")
    HEADER.pack_into(to, start, length)


T = TypeVar("T")


class FrameReader(Generic[T]):
    """Turns the bytes of a pipe, however they are cut, back into messages. The type of message it takes is checked."""

    def __init__(self, words: Any) -> None:  # noqa: ANN401 - a union of types has no type of its own in 3.11
        self._decode = msgspec.msgpack.Decoder(words).decode
        self._parts: list[bytes] = []
        self._held = 0
        #: Bytes that must be held before anything can be decoded: keeps a large message from being joined again and
        #: again while its parts trickle in.
        self._wanted = HEADER.size

    def feed(self, data: bytes) -> list[T]:
        """The messages that are complete with these bytes. Raises FrameError, after which the reader is of no use."""
        self._parts.append(data)
        self._held += len(data)
        if self._held < self._wanted:
            return []
        whole = data if len(self._parts) == 1 else b"".join(self._parts)
        messages = []
        view, at, held = memoryview(whole), 0, self._held
        self._wanted = HEADER.size
        while held - at >= self._wanted:
            (length,) = HEADER.unpack_from(view, at)
            if length > MAX_MESSAGE:
                raise FrameError(f"a message of {length:,} bytes is announced; the largest has {MAX_MESSAGE:,}")
            end = at + HEADER.size + length
            if end > held:
                self._wanted = HEADER.size + length
                break
            messages.append(self._message(view[at + HEADER.size : end]))
            at = end
        self._parts = [whole[at:]] if at < held else []
        self._held = held - at
        return messages

    @property
    def held(self) -> int:
        """Bytes of a message that is not complete."""
        return self._held

    def end(self) -> None:
        """Say that the pipe has ended. Raises FrameError if it ended within a message."""
        if self._held:
            raise FrameError(f"the pipe ended within a message, {self._held} bytes into it")

    def _message(self, body: memoryview) -> T:
        try:
            message: T = self._decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise FrameError(f"a message that says nothing: {error}") from error
        return message
