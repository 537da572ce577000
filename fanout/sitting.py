"""Sittings: each time that a process worked on a run, for whoever asks a year later who did what."""

from __future__ import annotations

import json
from typing import Any

import msgspec

_JSON = ("versions", "accepted")


class Sitting(msgspec.Struct, frozen=True):
    """One process's work on a run, from its start or resume on: who, where, with what."""

    operator: str
    host: str
    pid: int
    command: str
    versions: dict[str, str]
    #: Times as ISO 8601 in UTC.
    begun: str
    #: SHA-256 of the job's code as it was then, None where it has no code, and of the roster.
    job_hash: str | None
    roster_digest: str
    #: What had changed since the sitting before, and was accepted.
    accepted: list[str] = []
    #: The job's code, where it had changed.
    job_code: str | None = None
    #: None while it goes on, and for one that was killed.
    ended: str | None = None
    #: What ended it before every mailbox had its outcome, for people.
    stopped_by: str | None = None

    def row(self) -> dict[str, Any]:
        """The columns of its row in a run file."""
        row = msgspec.structs.asdict(self)
        return row | {name: json.dumps(row[name]) for name in _JSON}

    @classmethod
    def of_row(cls, row: dict[str, Any]) -> Sitting:
        return cls(**row | {name: json.loads(row[name]) for name in _JSON})
