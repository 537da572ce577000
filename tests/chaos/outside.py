"""The guarantees, checked from outside: by the run file against the roster, the sink, and the processes that are left."""

from __future__ import annotations

import json
import os
import select
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil

#: Seconds after which a process that should have ended is said to have outlived its run.
LIMIT = 30.0


def records(run_file: Path) -> dict[str, dict[str, Any]]:
    """Every outcome by its mailbox, as any SQLite shows it. Fails when a mailbox has two, or the file is not whole."""
    with closing(sqlite3.connect(f"file:{run_file}?mode=ro", uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        rows = connection.execute("SELECT ordinal, mailbox, ok, result, error, attempts FROM outcomes").fetchall()
    assert len({ordinal for ordinal, *_ in rows}) == len(rows), "an ordinal has two outcomes"
    found = {
        mailbox: {
            "ok": bool(ok),
            "result": result and json.loads(result),
            "error": error and json.loads(error),
            "attempts": attempts,
        }
        for _, mailbox, ok, result, error, attempts in rows
    }
    assert len(found) == len(rows), "a mailbox has two outcomes"
    return found


def assert_every_mailbox_has_one_outcome(run_file: Path, count: int) -> dict[str, dict[str, Any]]:
    """Guarantee 2, for `count` mailboxes of a generated roster."""
    found = records(run_file)
    assert sorted(found) == [f"u{ordinal:08}@sim.example" for ordinal in range(count)]
    return found


def assert_sink_follows(sink: Path, run_file: Path) -> None:
    """A line a mailbox, and each line what the run file says."""
    lines = [json.loads(line) for line in sink.read_text().splitlines()]
    found = records(run_file)
    assert sorted(line["mailbox"] for line in lines) == sorted(found)
    for line in lines:
        outcome = found[line["mailbox"]]
        assert (line["ok"], line.get("result"), line["attempts"]) == (
            outcome["ok"],
            outcome["result"],
            outcome["attempts"],
        )


def assert_gone(family: list[psutil.Process]) -> None:
    """Guarantee 6: none of these processes outlives the run."""
    for process in family:
        try:
            end = os.pidfd_open(process.pid)
        except ProcessLookupError:
            continue
        ready, _, _ = select.select([end], [], [], LIMIT)
        os.close(end)
        assert ready or not process.is_running(), f"left behind: {process}"


def totals(run_file: Path) -> dict[str, int]:
    """The sums of a census's fields over all mailboxes that are done."""
    found = [record["result"] for record in records(run_file).values() if record["ok"]]
    return {name: sum(result[name] for result in found) for name in ("folders", "messages", "bytes", "unread")}
