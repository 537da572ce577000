"""What a run file tells about its run: who ran what, where, over which mailboxes, and how it ended."""

from __future__ import annotations

import getpass
import os
import platform
import re
import shlex
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import chain, count
from typing import TYPE_CHECKING

import msgspec

from fanout import job as jobs
from fanout.events import Interrupted

if TYPE_CHECKING:
    from fanout.conduct import Mailboxes, Report, Task, Workforce
    from fanout.roster import Roster
    from fanout.runfile import RunFile


def file_name(job: str) -> str:
    """A name for a run file that says what and when, and is free: `census-20261122-091500.fanout`, `...-2.fanout`."""
    stem = f"{re.sub(r'[^-a-zA-Z0-9_]', '-', job)}-{datetime.now().astimezone():%Y%m%d-%H%M%S}"
    names = chain([f"{stem}.fanout"], (f"{stem}-{number}.fanout" for number in count(2)))
    return next(name for name in names if not os.path.lexists(name))


def begin(file: RunFile, mailboxes: Mailboxes, workforce: Workforce, task: Task, roster: Roster) -> None:
    """Write down all that is known before the first mailbox is opened."""
    file.tell(
        job=jobs.name(task.job),
        job_source=jobs.source(task.job),
        options=task.options,
        server=mailboxes.server,
        roster={"count": roster.count, "source": roster.source, "numbered": roster.numbered},
        choice=msgspec.to_builtins(mailboxes.choice),
        workforce=msgspec.to_builtins(workforce),
        operator=_operator(),
        host=platform.node(),
        command=shlex.join(sys.argv),
        versions={"fanout": version("mailbox-fanout"), "python": platform.python_version()},
        begun=_now(),
    )
    file.commit()


def end(file: RunFile, report: Report) -> None:
    """Write down how it ended."""
    file.tell(totals=report.merge.total, stopped_by=stopped_by(report), ended=_now())


def stopped_by(report: Report) -> str | None:
    """What ended a run early, for people."""
    match report.stopped_by:
        case None:
            return None
        case Interrupted(signal=number):
            return f"interrupted by signal {number}"
        case error:
            return error.message


def _operator() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in many containers
        return f"uid {os.getuid()}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
