"""Outcomes: what became of each mailbox, as it is read back from where it was kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from workers.messages import Error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Outcome(msgspec.Struct, frozen=True):
    """What became of one mailbox."""

    mailbox: str
    ok: bool
    #: What the job returned, as JSON can say it; None for a mailbox that failed.
    result: Any = None
    error: Error | None = None
    #: Visits that this outcome took, 1 or more.
    attempts: int = 1
    #: Seconds of the last visit, log-on and log-off included; None where the run kept results alone.
    seconds: float | None = None
    #: The server's URL; None for a run over one.
    server: str | None = None

    @property
    def name(self) -> str:
        """The mailbox, for people: where there are several servers, with its own."""
        return f"{self.mailbox} on {self.server}" if self.server else self.mailbox


class _Failure(msgspec.Struct, frozen=True):
    """The record of a mailbox that failed, as it stands in the JSONL file."""

    mailbox: str
    ok: bool
    error: Error
    attempts: int
    seconds: float


class _ServerFailure(_Failure, frozen=True):
    """The same, of a run over several servers."""

    server: str


_encode = msgspec.json.Encoder().encode
_record = msgspec.json.Decoder(Outcome)
_any = msgspec.json.Decoder()


def failure_line(mailbox: str, error: Error, attempts: int, seconds: float, server: str | None = None) -> bytes:
    """The line of JSON for a mailbox that failed. `server`: as Outcome has it."""
    told = (mailbox, False, error, attempts, seconds)
    failure = _ServerFailure(*told, server) if server else _Failure(*told)
    return _encode(failure) + b"\n"


def read_records(lines: bytes) -> Iterator[Outcome]:
    """The outcomes that records tell of."""
    return map(_record.decode, lines.splitlines())


def read_results(
    lines: bytes, first: int, attempts: int, name: Callable[[int], str], server: str | None = None
) -> Iterator[Outcome]:
    """The outcomes that bare results tell of: those of neighbours on a server, from the ordinal `first` on."""
    for ordinal, line in enumerate(lines.splitlines(), first):
        yield Outcome(name(ordinal), ok=True, result=_any.decode(line), attempts=attempts, server=server)
