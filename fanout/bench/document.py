"""A bench as a JSON document: what was done, where, when, and every sample. It is read again to be compared with another one."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from fanout.bench.host import Host, Moment
from fanout.bench.rounds import Ending
from fanout.bench.settings import Setting
from fanout.bench.verdict import Sample, Verdict
from fanout.errors import StoppedError, UsageError

#: The packages that every run goes through, whose versions say what was measured.
_PACKAGES = {"fanout": "mailbox-fanout", "multiprocess": "multiprocess", "msgspec": "msgspec", "psutil": "psutil"}

_OURS = Path(__file__).parent.parent.parent


class Subject(msgspec.Struct, frozen=True):
    """What was done with every setting alike."""

    job: str
    #: Where the job comes from, and the SHA-256 of its code; None where none can be found.
    source: str
    code: str | None
    options: dict[str, Any]
    server: str
    mailboxes: int
    #: Where their names come from, and the SHA-256 of these.
    roster: str
    names: str


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A bench that has ended."""

    kind: Literal["fanout bench"] = "fanout bench"
    format: Literal[1] = 1
    subject: Subject
    host: Host
    versions: dict[str, str]
    #: SHA-256 over the source of fanout itself: tells two states of one version apart, wherever it was installed from.
    code: str
    begun: Moment
    ended: Moment
    ending: Ending
    seed: int
    settings: Annotated[list[Setting], msgspec.Meta(min_length=1)]
    #: What was measured in each round, by the place of the setting in `settings`; the last round may lack some.
    rounds: list[dict[int, Sample]]
    verdict: Verdict


def versions() -> dict[str, str]:
    return {name: version(package) for name, package in _PACKAGES.items()}


def own_code() -> str:
    """SHA-256 over the source of both packages, in hex."""
    hashed = hashlib.sha256()
    for path in sorted([*_OURS.glob("fanout/**/*.py"), *_OURS.glob("workers/**/*.py")]):
        hashed.update(path.relative_to(_OURS).as_posix().encode() + b"\0" + path.read_bytes())
    return hashed.hexdigest()


def write(document: Document, path: Path) -> None:
    """Raises StoppedError."""
    try:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
    except OSError as error:
        raise StoppedError(f"{path} can't be written: {error.strerror}") from error


def read(path: Path) -> Document:
    """The document in a file. Raises UsageError for a file that holds none."""
    try:
        document = msgspec.json.decode(path.read_bytes(), type=Document)
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}") from error
    except msgspec.DecodeError as error:  # which ValidationError is one of
        raise UsageError(f"{path} is not what fanout bench --json has written: {error}") from error
    if any(place >= len(document.settings) or place < 0 for samples in document.rounds for place in samples):
        raise UsageError(f"{path} is not what fanout bench --json has written: a sample of no setting")
    return document
