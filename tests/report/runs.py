"""Run files as runs of every kind leave them, made without a worker."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from fanout import facts
from fanout.conduct import Mailboxes, Task, Workforce
from fanout.lives import RUN_ENDED, Life, Stamp
from fanout.outcomes import failure_line
from fanout.roster import Roster
from fanout.runfile import RunFile
from workers.causes import Cause
from workers.jobs import BUILT_IN
from workers.messages import Error, FileJob, Found, Job, Leak, Leaked, ModuleJob

#: When the first worker of every run here begins: 25 November 2026, 14:00:00 UTC.
BEGUN = 1_795_615_200.0

#: What somebody may call a mailbox, or write into a message or an error.
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'onmouseover='alert(1)",
    "</style></title><iframe src=https://example.org>",
    "{{ 1117 * 4900000 }}{% raw %}",
    "a\u202egpj.exe\u2066\x00\x1b[31m",
    "&lt;b&gt;&#60;",
    "x" * 2000,
    "javascript:alert(1)",
    "]]><!--",
]

DENIED = Error("MapiError", "OpenMsgStore: MAPI_E_NO_ACCESS", Cause.DENIED, code="0x80070005")


class Made:
    """A run file in the making. Times are seconds since the run began."""

    def __init__(self, path: Path, names: Sequence[str], job: str | Job = "census", **options: Any) -> None:  # noqa: ANN401
        """`job`: a built-in's name, or a function's of that name in a file of that name."""
        self.file = RunFile.create(path)
        self.names = names
        self.roster = self.listed()
        if isinstance(job, str):
            job = ModuleJob(*BUILT_IN[job]) if job in BUILT_IN else FileJob(f"/a/{job}.py", job)
        facts.begin(self.file, facts.Intent(self.mailboxes(), Workforce(2), Task(job, options)), self.roster)
        self._lives = 0
        self._path = path

    def mailboxes(self) -> Mailboxes:
        return Mailboxes(f"null:{len(self.names)}")

    def listed(self) -> Roster:
        return Roster(
            len(self.names), "a test", lambda ordinals: [self.names[each] for each in ordinals], numbered=True
        )

    def life(self, worker: int, begun: float, ended: float | None, how: str = RUN_ENDED, sitting: int = 1) -> int:
        """A process was a worker; its number."""
        self._lives += 1
        end = None if ended is None else BEGUN + ended
        life = Life(self._lives, sitting, worker, BEGUN + begun, 4000 + self._lives, end, how if ended else None)
        self.file.muster([life], [])
        return self._lives

    def done(self, first: int, results: Sequence[Any], at: float, life: int = 1, seconds: float = 0.5) -> None:
        server = self.roster.server(first)
        told = {"ok": True, "attempts": 1, "seconds": seconds} | ({"server": server} if server else {})
        lines = [
            json.dumps({"mailbox": name, "result": result, **told}) + "\n"
            for name, result in zip(self.names[first:], results, strict=False)
        ]
        found = Found(1, first, len(results), "".join(lines).encode(), b"null")
        self.file.keep(found, 1, Stamp(life, BEGUN + at))

    def failed(self, ordinal: int, error: Error, at: float, life: int | None = 1, attempts: int = 1) -> None:
        line = failure_line(self.names[ordinal], error, attempts, 0.25, self.roster.server(ordinal))
        self.file.settle(ordinal, line, Stamp(life, BEGUN + at))

    def retried(self, ordinal: int, error: Error, attempt: int = 1) -> None:
        self.file.retried(ordinal, attempt, failure_line(self.names[ordinal], error, attempt, 0.25))

    def leaked(self, ordinal: int, count: int, line: int) -> None:
        self.file.note(Leaked(ordinal, [Leak("IMAPITable", count, "/a/audit.py", line, "count", 7)]))

    def gone_on_with(self) -> None:
        """Another sitting begins."""
        self.file.sit_down(msgspec.structs.replace(self.file.sittings()[-1], operator="somebody else"))

    def close(self, totals: object = None, stopped_by: str | None = None) -> Path:
        self.file.standing(totals, None)
        self.file.stand_up("2026-11-25T14:00:10+00:00", stopped_by)
        self.file.close()
        return self._path


def names(count: int) -> list[str]:
    return [f"u{number}@example.com" for number in range(count)]


def census(count: int) -> list[dict[str, int]]:
    """Results of a census, all different."""
    return [
        {"folders": 5 + number % 7, "messages": 3**number % 5000, "bytes": 2**number % 10**9, "unread": number}
        for number in range(count)
    ]


def finished(path: Path) -> Path:
    made = Made(path, names(60))
    made.life(0, 0, 10)
    made.life(1, 0.5, 10)
    made.done(0, census(30), at=3, life=1)
    made.done(30, census(30), at=9, life=2, seconds=0.01)
    return made.close({"folders": 400, "messages": 1234, "bytes": 5 * 2**20, "unread": 7})


def troubled(path: Path) -> Path:
    made = Made(path, names(60), job="audit", newest=True)
    made.life(0, 0, 4, "SIGSEGV")
    made.life(0, 4, 10)
    made.done(0, [{"rooms": number, "beds": number / 7, "name": "x"} for number in range(50)], at=3)
    made.failed(50, DENIED, at=4)
    made.failed(51, DENIED, at=5, life=2)
    made.failed(52, Error("KeyError", "'Inbox'", Cause.JOB, traceback="Traceback:\n  in job\nKeyError: 'Inbox'"), at=6)
    made.failed(53, Error("WorkerDied", "by SIGSEGV", Cause.CRASH), at=6, attempts=3, life=None)
    made.retried(53, Error("WorkerDied", "by SIGSEGV", Cause.CRASH))
    made.leaked(3, 7, line=9)
    made.leaked(4, 2, line=12)
    return made.close(stopped_by="interrupted by SIGINT")


def all_failed(path: Path) -> Path:
    made = Made(path, names(3))
    made.life(0, 0, 1)
    for ordinal in range(3):
        made.failed(ordinal, DENIED, at=0.5)
    return made.close()


def nothing_returned(path: Path) -> Path:
    made = Made(path, names(3), job="save", directory="mail")
    made.life(0, 0, 1)
    made.done(0, [None, None, None], at=0.5)
    return made.close()


def gone_on_with(path: Path) -> Path:
    made = Made(path, names(40))
    made.life(0, 0, None)
    made.done(0, census(20), at=9)
    made.gone_on_with()
    made.life(0, 36_000, 36_010, sitting=2)
    made.done(20, census(20), at=36_009, life=2)
    return made.close()


def never_begun(path: Path) -> Path:
    return Made(path, names(4)).close(stopped_by="the mailboxes can't be listed")


def settled_by_nobody(path: Path) -> Path:
    made = Made(path, names(1))
    made.failed(0, Error("Killed", "the run was killed", Cause.UNCERTAIN), at=5, life=None)
    return made.close()


def alone(path: Path) -> Path:
    made = Made(path, names(1), job="logon")
    made.life(0, 0, 0.001)
    made.done(0, [{"folders": 3}], at=0.001, seconds=0.0)
    return made.close({"folders": 3})


KINDS = [finished, troubled, all_failed, nothing_returned, gone_on_with, never_begun, settled_by_nobody, alone]


def hostile(path: Path, job: str) -> Path:
    """A run in which everything that can be chosen by somebody else was."""
    made = Made(path, HOSTILE, job=job, **({} if job in BUILT_IN else {"word": HOSTILE[0]}))
    made.life(0, 0, 10, HOSTILE[1])
    row: dict[str, Any] = {"subject": HOSTILE[0], "sender": HOSTILE[1], "folder": HOSTILE[5], "received": HOSTILE[3]}
    results: list[Any] = [
        {HOSTILE[0]: 5, "bytes": 7, "bytes_over": 3},
        [row | {"size": 12, "path": HOSTILE[0], "messages": 9}],
        HOSTILE[3],
    ]
    made.done(0, results, at=1)
    for ordinal in range(3, len(HOSTILE)):
        text = HOSTILE[ordinal]
        made.failed(ordinal, Error(text, text, Cause.JOB, code=text, traceback=f"{text}\n{text}"), at=2)
    return made.close({HOSTILE[0]: 5}, stopped_by=HOSTILE[0])
