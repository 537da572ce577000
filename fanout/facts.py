"""What a run file tells about its run: who ran what, where, over which mailboxes, how it ended, and how to go on with it.

Never a secret: what is told here are the words of the command line, and none of those is one.
"""

from __future__ import annotations

import getpass
import os
import platform
import re
import shlex
import signal
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from fanout import jobs
from fanout.code import code_of
from fanout.conduct import Mailboxes, Task, Workforce
from fanout.errors import StoppedError
from fanout.events import Closed, Interrupted
from fanout.roster import Choice
from fanout.sitting import Sitting
from fanout.window import Window
from workers.access import Access

if TYPE_CHECKING:
    from fanout.conduct import Report
    from fanout.errors import FanoutError
    from fanout.ledger import SinkPlace
    from fanout.roster import Roster
    from fanout.runfile import RunFile


@dataclass(frozen=True, slots=True)
class Intent:
    """All that was asked for: what a run is made of, and made of again when it is gone on with."""

    mailboxes: Mailboxes
    workforce: Workforce
    task: Task
    #: Causes of failures that do not change the exit code.
    tolerated: tuple[str, ...] = ()
    #: When it may work; None for at any time.
    window: Window | None = None


def file_name(job: str) -> str:
    """A name for a run file that says what and when, and is free: `census-20261122-091500.fanout`, `...-2.fanout`."""
    stem = f"{re.sub(r'[^-a-zA-Z0-9_]', '-', job)}-{datetime.now().astimezone():%Y%m%d-%H%M%S}"
    names = chain([f"{stem}.fanout"], (f"{stem}-{number}.fanout" for number in count(2)))
    return next(name for name in names if not os.path.lexists(name))


def begin(
    file: RunFile, intent: Intent, roster: Roster, sink: SinkPlace | None = None, capacity: int | None = None
) -> None:
    """Write down all that is known before the first mailbox is opened, and that a first process works on it.

    `capacity`: mailboxes that a session can hold.
    """
    mailboxes, task = intent.mailboxes, intent.task
    code, names = code_of(task.job), roster.digest
    file.tell(
        job=jobs.name(task.job),
        job_source=jobs.source(task.job),
        job_hash=code.digest,
        job_code=code.text,
        options=task.options,
        server=", ".join(mailboxes.servers),
        servers=mailboxes.servers if mailboxes.others else None,
        access=msgspec.to_builtins(msgspec.structs.replace(mailboxes.access, password="")),
        **roster.facts,
        roster_digest=names,
        capacity=capacity,
        names_from=mailboxes.names_from if mailboxes.names is not None or mailboxes.names_on else None,
        choice=msgspec.to_builtins(mailboxes.choice),
        workforce=msgspec.to_builtins(intent.workforce),
        task=msgspec.to_builtins(task),
        tolerated=intent.tolerated,
        window=str(intent.window) if intent.window else None,
        directory=str(Path.cwd()),
        sink=msgspec.to_builtins(sink),
    )
    file.sit_down(sitting(code.digest, names))
    file.commit()


def intent_of(told: dict[str, Any]) -> Intent:
    """What was asked for, from the facts of a run, without the password; names that were given stand in the run file."""
    server, *others = told.get("servers") or [told["server"]]
    given = told["names_from"] is not None
    mailboxes = Mailboxes(
        server,
        msgspec.convert(told["choice"], Choice),
        () if given and not others else None,
        told["names_from"] or "",
        msgspec.convert(told["access"], Access),
        tuple(others),
        (lambda _: ()) if given and others else None,
    )
    workforce, task = msgspec.convert(told["workforce"], Workforce), msgspec.convert(told["task"], Task)
    window = Window.of(told["window"]) if told.get("window") else None
    return Intent(mailboxes, workforce, task, tuple(told["tolerated"]), window)


def sitting(job_hash: str | None, roster_digest: str) -> Sitting:
    """This process's sitting, which begins now."""
    return Sitting(
        operator=_operator(),
        host=platform.node(),
        pid=os.getpid(),
        command=shlex.join(sys.argv),
        versions={"fanout": version("mailbox-fanout"), "python": platform.python_version()},
        begun=now(),
        job_hash=job_hash,
        roster_digest=roster_digest,
    )


def end(file: RunFile, report: Report) -> None:
    """Write down how a sitting ended."""
    file.stand_up(now(), stopped_by(report))
    file.commit()


def stopped(file: RunFile, error: FanoutError) -> None:
    """Write down that a sitting was stopped, as far as the disk takes it: what was not committed is cut off."""
    try:
        file.roll_back()
        file.stand_up(now(), str(error))
        file.commit()
    except StoppedError:
        file.roll_back()


def stopped_by(report: Report) -> str | None:
    """What ended a run early, for people."""
    match report.stopped_by:
        case None:
            return None
        case Interrupted(signal=number):
            return f"interrupted by {signal.Signals(number).name}"
        case Closed(why):
            return why
        case error:
            return error.message


def _operator() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in many containers
        return f"uid {os.getuid()}"


def now() -> str:
    """The time, as sittings have it."""
    return datetime.now(UTC).isoformat(timespec="seconds")
