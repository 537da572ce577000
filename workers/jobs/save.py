"""The job `save`."""

from __future__ import annotations

import os
from collections import Counter
from hashlib import blake2b
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from pathlib import Path

    from workers.mailbox import Folder, Mailbox, Message

#: Characters of a name at the most, and those that stand for themselves beside letters and digits.
_LONGEST = 100
_PLAIN = " @+-_.,()"


def save(mailbox: Mailbox, *, directory: Path) -> dict[str, int]:
    """Saves every message as a file MAILBOX/FOLDER/DATE-ID.eml below `directory`.

    A message that is there already is not read again; each file appears at once and whole, so a run can be stopped and gone
    on with at any time. Tells how many messages there are, how many were new, and their bytes.
    """
    place = directory / file_name(mailbox.address)
    saved = {"messages": 0, "new": 0, "bytes": 0}
    for folder in mailbox.folders():
        for name, message in _named(folder):
            saved["messages"] += 1
            path = place.joinpath(*map(file_name, folder.path.split("/")), name)
            if not path.exists():
                saved["bytes"] += _write(path, message.read())
                saved["new"] += 1
    return saved


def _named(folder: Folder) -> list[tuple[str, Message]]:
    """A file's name for each message: the same whenever it is asked for, and another one for each."""
    if not folder.message_count:
        return []
    named, seen = [], Counter[str]()
    for message in folder.messages():
        identity = f"{message.message_id}\n{message.size}\n{message.sender}\n{message.subject}"
        stem = f"{message.received:%Y%m%d-%H%M%S}" if message.received else "undated"
        stem += f"-{blake2b(identity.encode('utf-8', 'surrogatepass'), digest_size=8).hexdigest()}"
        named.append((f"{stem}-{seen[stem]}.eml" if seen[stem] else f"{stem}.eml", message))
        seen[stem] += 1
    return named


def _write(path: Path, content: bytes) -> int:
    """The file is there when it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    return len(content)


def file_name(text: str) -> str:
    """A name that every file system takes: others than letters, digits and a few more are percent-encoded."""
    name = quote(text, safe=_PLAIN).strip(" ")
    if name.strip(".") == "" or name.startswith("."):
        name = f"%2E{name[1:]}"
    if len(name) > _LONGEST:
        name = f"{name[: _LONGEST - 17]}-{blake2b(text.encode('utf-8', 'surrogatepass'), digest_size=8).hexdigest()}"
    return name
