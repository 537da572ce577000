"""An mbox file that grows: messages are added to it, each once, and whoever reads it sees it whole.

Beside FOLDER.mbox lies .FOLDER.mbox.index, which tells the names of the messages in it, and its length and checksum: those
that it had, and those that it gets. The index is replaced first, then the file, so that one of the two is always true of
it, wherever a process was killed. A file of which neither is was changed by somebody else, and is left alone.

The format is mboxrd: lines end in LF, and a line that begins with `From `, behind any number of `>`, gets one more.
"""

from __future__ import annotations

import re
import time
import zlib
from email.utils import parseaddr
from typing import TYPE_CHECKING

import msgspec

from workers.causes import Cause, MailboxError
from workers.jobs.whole import replacing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import BinaryIO

    from workers.mailbox import Message

#: Bytes copied at a time.
PIECE = 2**20

_FROM = re.compile(rb"^(?=>*From )", re.MULTILINE)


class State(msgspec.Struct, frozen=True):
    """What the file is when it holds the first so many messages."""

    count: int = 0
    length: int = 0
    checksum: int = 0


class Index(msgspec.Struct, frozen=True):
    """What is known of the file."""

    #: A name for each message, in the order of the file.
    names: list[str]
    #: What the file was, and what it is to be.
    states: list[State]


def add(path: Path, named: Sequence[tuple[str, Message]]) -> list[int]:
    """Add the messages whose names are not in the file yet, in the order given; the bytes of each that was read.

    Raises MailboxError for a file that somebody else has written to.
    """
    index_path = path.with_name(f".{path.name}.index")
    names, state = _standing(path, index_path)
    known = set(names)
    fresh = [(name, message) for name, message in named if name not in known]
    if not fresh:
        return []
    with replacing(path) as file:
        checksum, sizes = _copy(path, state, file), []
        for _, message in fresh:
            content = message.read()
            sizes.append(len(content))
            entry = from_line(message) + quoted(content) + b"\n"
            checksum = zlib.crc32(entry, checksum)
            file.write(entry)
        after = State(len(names) + len(fresh), file.tell(), checksum)
        with replacing(index_path) as index_file:
            index_file.write(msgspec.json.encode(Index([*names, *(name for name, _ in fresh)], [state, after])))
    return sizes


def _standing(path: Path, index_path: Path) -> tuple[list[str], State]:
    """The names of the messages that are in the file, and its state. Raises MailboxError."""
    if not path.exists():
        return [], State()
    length = path.stat().st_size
    try:
        index = msgspec.json.decode(index_path.read_bytes(), type=Index)
    except (OSError, msgspec.DecodeError):
        raise _changed(path) from None
    state = next((each for each in index.states if each.length == length), None)
    if state is None:
        raise _changed(path)
    return index.names[: state.count], state


def _copy(path: Path, state: State, file: BinaryIO) -> int:
    """Copy what is there, and return its checksum. Raises MailboxError where that is another one than it was."""
    checksum = 0
    if state.length:
        with path.open("rb") as before:
            while piece := before.read(PIECE):
                checksum = zlib.crc32(piece, checksum)
                file.write(piece)
    if checksum != state.checksum:
        raise _changed(path)
    return checksum


def _changed(path: Path) -> MailboxError:
    return MailboxError(
        f"{path} is not as it was when messages were saved to it last: move it away, or give another directory",
        Cause.JOB,
    )


def from_line(message: Message) -> bytes:
    """The line before a message: its sender's address, and when it was delivered, in UTC."""
    sender = parseaddr(message.sender)[1]
    if not sender.isascii() or not sender or any(each.isspace() for each in sender):
        sender = "MAILER-DAEMON"
    date = message.received.timetuple() if message.received else time.gmtime(0)
    return f"From {sender} {time.asctime(date)}\n".encode()


def quoted(content: bytes) -> bytes:
    """A message as it stands in the file, ended by LF."""
    lines = _FROM.sub(b">", content.replace(b"\r\n", b"\n"))
    return lines if lines.endswith(b"\n") else lines + b"\n"
