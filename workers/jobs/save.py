"""The job `save`."""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from workers.jobs import mbox
from workers.jobs.whole import replacing
from workers.marks import job
from workers.own_server import own_server

if TYPE_CHECKING:
    from pathlib import Path

    from workers.mailbox import Folder, Mailbox, Message

#: Characters of a name at the most, and those that stand for themselves beside letters and digits.
_LONGEST = 100
_PLAIN = " @+-_.,()"


def _is_writable(*, directory: Path, **_: object) -> None:
    """Raise ValueError where nothing can be saved in the directory, which is made if it isn't there."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=directory):
            return
    except FileExistsError:
        why = "it is a file"
    except OSError as error:
        why = str(error.strerror)
    raise ValueError(f"directory={directory}: nothing can be saved there: {why}; name another directory")


@job(check=_is_writable)
def save(
    mailbox: Mailbox,
    *,
    directory: Path,
    format: Literal["eml", "mbox"] = "eml",  # noqa: A002 - it is the option's name
) -> dict[str, int]:
    """Saves every message as a file below a directory: EML, or an mbox file for each folder.

    The files are `directory`/MAILBOX/FOLDER/DATE-ID.eml, or MAILBOX/FOLDER.mbox (mboxrd: lines end in LF, the oldest message
    first); in a run over several servers `directory`/SERVER/MAILBOX/..., where SERVER is its URL. Each appears at once and
    whole, and a message that is there already is not read again, so a run can be stopped and gone on with at any time.
    Tells how many messages there are, how many were new, and the bytes of these.

    Example: fanout run save --server sim:20 -a directory=mail -a format=mbox
    Result: {"messages": 80, "new": 80, "bytes": 1311232}
    """
    place, add = _place(directory, mailbox), _add_files if format == "eml" else _add_to_mbox
    saved = {"messages": 0, "new": 0, "bytes": 0}
    for folder in mailbox.folders():
        named = _named(folder)
        sizes = add(place.joinpath(*map(file_name, folder.path.split("/"))), named) if named else []
        saved["messages"] += len(named)
        saved["new"] += len(sizes)
        saved["bytes"] += sum(sizes)
    return saved


def _place(directory: Path, mailbox: Mailbox) -> Path:
    """Where the mailbox is saved: another server of the run may have one of the same name."""
    server = own_server()
    home = directory / file_name(server) if server else directory
    return home / file_name(mailbox.address)


def _add_files(place: Path, named: list[tuple[str, Message]]) -> list[int]:
    """Write each message that has no file yet; the bytes of each that was read."""
    sizes = []
    for name, message in named:
        path = place / f"{name}.eml"
        if not path.exists():
            content = message.read()
            with replacing(path) as file:
                file.write(content)
            sizes.append(len(content))
    return sizes


def _add_to_mbox(place: Path, named: list[tuple[str, Message]]) -> list[int]:
    return mbox.add(place.with_name(f"{place.name}.mbox"), named[::-1])


def _named(folder: Folder) -> list[tuple[str, Message]]:
    """A name for each message: the same whenever it is asked for, and another one for each."""
    if not folder.message_count:
        return []
    named, seen = [], Counter[str]()
    for message in folder.messages():
        identity = f"{message.message_id}\n{message.size}\n{message.sender}\n{message.subject}"
        stem = f"{message.received:%Y%m%d-%H%M%S}" if message.received else "undated"
        stem += f"-{blake2b(identity.encode('utf-8', 'surrogatepass'), digest_size=8).hexdigest()}"
        named.append((f"{stem}-{seen[stem]}" if seen[stem] else stem, message))
        seen[stem] += 1
    return named


def file_name(text: str) -> str:
    """A name that every file system takes: others than letters, digits and a few more are percent-encoded."""
    name = quote(text, safe=_PLAIN).strip(" ")
    if name.strip(".") == "" or name.startswith("."):
        name = f"%2E{name[1:]}"
    if name.endswith(".mbox"):  # or its subfolders would want a directory where the mbox of its neighbour is
        name = f"{name.removesuffix('.mbox')}%2Embox"
    if len(name) > _LONGEST:
        name = f"{name[: _LONGEST - 17]}-{blake2b(text.encode('utf-8', 'surrogatepass'), digest_size=8).hexdigest()}"
    return name
