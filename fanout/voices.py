"""How a run says what happens: in lines for people, or as JSON, an object a line, for whoever collects logs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Protocol, Self

from fanout.errors import UsageError
from fanout.events import Ended, Retry, Send, Settle, StartWorker
from fanout.lives import named, server_of
from fanout.plain import printable
from fanout.progress import INTERRUPTED, Going, Occasions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path

    from workers.messages import Error

#: What a journal is told of.
Happened = StartWorker | Ended | Retry | Settle | Send

_BUG = "this is a bug in fanout, please report it"


class Voice(Protocol):
    """Says each thing once."""

    def tell(self, line: str, event: str = "message", **fields: object) -> None:
        """Say the line to people; to machines say it with the name of the event, and what it is about."""
        ...

    def admit(self, bug: str, exit_code: int) -> None:
        """Say that there is a bug in fanout, with its traceback: all of its lines."""
        ...


class Lines:
    """For people."""

    def __init__(self, say: Callable[[str], object]) -> None:
        self._say = say

    def tell(self, line: str, event: str = "message", **fields: object) -> None:  # noqa: ARG002 - the line has them
        self._say(printable(line))

    def admit(self, bug: str, exit_code: int) -> None:  # noqa: ARG002 - the shell shows it
        self._say(f"{bug}\nfanout: {_BUG} with the lines above")


class Objects:
    """For machines: `{"time": ..., "event": ..., "message": ..., ...}`."""

    def __init__(self, say: Callable[[str], object], clock: Callable[[], datetime]) -> None:
        self._say = say
        self._clock = clock

    def tell(self, line: str, event: str = "message", **fields: object) -> None:
        time = self._clock().isoformat(timespec="milliseconds")
        self._say(json.dumps({"time": time, "event": event, "message": line, **fields}, default=str))

    def admit(self, bug: str, exit_code: int) -> None:
        self.tell(f"fanout: {_BUG} with its traceback", "error", exit_code=exit_code, traceback=bug)


class Measured:
    """Progress as objects, as often as lines are said."""

    def __init__(self, voice: Voice) -> None:
        self._occasions = Occasions()
        self._voice = voice

    def show(self, now: float, settled: int, failed: int, count: int) -> None:
        if figures := self._occasions.due(now, settled, failed, count):
            told = {"settled": settled, "failed": failed, "total": figures.count, "going": figures.going}
            self._voice.tell(
                figures.words, "progress", **told, rate=round(figures.rate, 1), seconds_left=figures.seconds_left
            )

    def goes(self, how: Going) -> None:
        self._occasions.going = how

    def draining(self) -> None:
        self.goes(Going.ENDING)
        self._voice.tell(INTERRUPTED, "draining")


class Journal(Protocol):
    """Is told what happens to workers and to mailboxes that fail, and of the first chunk that goes out."""

    def note(self, happened: Happened) -> None: ...


class NoJournal:
    """Keeps it to itself."""

    def note(self, happened: Happened) -> None:
        """Nothing is said."""


class Beginning:
    """Says where a run is kept once it is certain that there is one, and passes on what else happens.

    That is when the first chunk goes out, to a worker that has the job; or when the run ends earlier, but for a mistake, which
    leaves nothing. A context manager around the run.
    """

    def __init__(self, journal: Journal, voice: Voice, run_file: Path, count: int) -> None:
        self._journal = journal
        self._voice = voice
        self._run_file = run_file
        self._count = count
        self._said = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if not isinstance(error, UsageError):
            self._say()

    def note(self, happened: Happened) -> None:
        if isinstance(happened, Send):
            self._say()
        else:
            self._journal.note(happened)

    def _say(self) -> None:
        if not self._said:
            self._said = True
            path = str(self._run_file)
            self._voice.tell(f"run file: {path}", "begun", run_file=path, total=self._count)


class Names(Protocol):
    """Knows mailboxes by their ordinals: a roster."""

    def name(self, ordinal: int) -> str: ...

    def server(self, ordinal: int) -> str | None:
        """None where there is one for all."""
        ...


class Chronicle:
    """Says all of it."""

    def __init__(self, voice: Voice, names: Names, servers: Sequence[str]) -> None:
        """`servers`: those of the run."""
        self._voice = voice
        self._names = names
        self._servers = servers

    def note(self, happened: Happened) -> None:
        match happened:
            case StartWorker(worker):
                self._worker(worker, "is started", "worker_started")
            case Ended(worker=worker, how=how, at=at):
                names = [self._names.name(ordinal) for ordinal in at]
                where = f" at {', '.join(names)}" if names else ""
                self._worker(worker, f"ended{where}: {how}", "worker_ended", how=how, mailboxes=names)
            case Retry(ordinal=ordinal, attempt=attempt, error=error):
                self._attempt("retry", ordinal, attempt, error)
            case Settle(ordinal=ordinal, attempts=attempt, error=error):
                self._attempt("failed", ordinal, attempt, error)

    def _worker(self, worker: int, what: str, event: str, **fields: object) -> None:
        number, server = named(worker), _field(server_of(worker, self._servers))
        whose = f" of {server['server']}" if server else ""
        self._voice.tell(f"worker {number}{whose} {what}", event, worker=number, **fields, **server)

    def _attempt(self, event: str, ordinal: int, attempt: int, error: Error) -> None:
        name, server = self._names.name(ordinal), _field(self._names.server(ordinal))
        follows = ", another one follows" if event == "retry" else ""
        self._voice.tell(
            f"{name}{_on(**server)}: attempt {attempt} failed{follows}: {error.cause}: {error.message}",
            event,
            mailbox=name,
            attempt=attempt,
            cause=str(error.cause),
            error=error.message,
            **server,
        )


def _field(server: str | None) -> dict[str, str]:
    """The field that says where something is; none where there is one server for all."""
    return {"server": server} if server else {}


def _on(server: str = "") -> str:
    return f" on {server}" if server else ""
