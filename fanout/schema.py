"""The tables of a run file, and the numbers by which it is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanout.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

#: `PRAGMA application_id`: "fano", so that `file` and we know our own.
APPLICATION_ID = 0x66616E6F

#: `PRAGMA user_version`: raised when the tables change.
FORMAT = 4

#: The tables, and the view for people. Times are seconds since the epoch, but for those in ISO 8601.
TABLES = """
CREATE TABLE run (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    -- what is the same for the whole run, each value as JSON
CREATE TABLE roster (first INTEGER PRIMARY KEY, count INTEGER NOT NULL, addresses TEXT NOT NULL, places TEXT);
    -- the names by pages, a line each; no rows where the server computes names from ordinals; of a shard, JSON with the place
    -- of each in the whole
CREATE TABLE done (first INTEGER PRIMARY KEY, count INTEGER NOT NULL, attempts INTEGER NOT NULL,
    life INTEGER NOT NULL, at REAL NOT NULL, lines BLOB NOT NULL);
    -- the records of `count` mailboxes from ordinal `first` on, a line of JSON each; which life of a worker told of them, and when
CREATE INDEX done_ranges ON done (first, count);
    -- so that what is done can be told without a look at any record
CREATE TABLE failed (ordinal INTEGER PRIMARY KEY, life INTEGER, at REAL NOT NULL, line BLOB NOT NULL);
    -- the record of a mailbox that failed for good; life is null where it was settled when a run was gone on with
CREATE INDEX failed_by_time ON failed (at);
    -- so that the latest can be told, and how many there are, without a look at any record
CREATE TABLE attempts (number INTEGER PRIMARY KEY, ordinal INTEGER NOT NULL, attempt INTEGER NOT NULL,
    line BLOB NOT NULL, at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')));
    -- the records of attempts that failed and were followed by another one, in the order in which they were made
CREATE TABLE under_way (ordinal INTEGER PRIMARY KEY);
    -- mailboxes given out to a job that must not be called for one twice, until they have an outcome or another attempt
CREATE INDEX attempts_by_ordinal ON attempts (ordinal);
CREATE TABLE sittings (number INTEGER PRIMARY KEY, operator TEXT NOT NULL, host TEXT NOT NULL, pid INTEGER NOT NULL,
    command TEXT NOT NULL, versions TEXT NOT NULL, begun TEXT NOT NULL, job_hash TEXT, roster_digest TEXT NOT NULL,
    accepted TEXT NOT NULL, job_code TEXT, ended TEXT, stopped_by TEXT);
    -- each time that a process worked on the run: its start, and each resume; versions and accepted changes as JSON
CREATE TABLE lives (number INTEGER PRIMARY KEY, sitting INTEGER NOT NULL, worker INTEGER NOT NULL, begun REAL NOT NULL,
    pid INTEGER, ended REAL, how TEXT);
    -- each process that was a worker: which one it was, and how it ended; null while it lives, or where it was killed with the run
CREATE TABLE standing (worker INTEGER PRIMARY KEY, life INTEGER NOT NULL, pid INTEGER, state TEXT NOT NULL, open INTEGER NOT NULL,
    rss INTEGER NOT NULL, ordinal INTEGER, since REAL, at REAL NOT NULL);
    -- where each worker stood at the last commit, and the mailbox that it had been at for longest; empty when the run has ended
CREATE TABLE output (number INTEGER PRIMARY KEY, ordinal INTEGER NOT NULL, text TEXT NOT NULL);
    -- what jobs printed, in the order in which it came
CREATE INDEX output_by_ordinal ON output (ordinal);
CREATE TABLE leaks (ordinal INTEGER NOT NULL, kind TEXT NOT NULL, count INTEGER NOT NULL, file TEXT NOT NULL,
    line INTEGER NOT NULL, function TEXT NOT NULL, logon_index INTEGER NOT NULL,
    PRIMARY KEY (ordinal, kind, file, line, function)) WITHOUT ROWID;
    -- interfaces that a job got at a line of its code and did not release, mailbox by mailbox
CREATE VIEW outcomes AS
    WITH record (ordinal, value, at) AS (
        SELECT first + line.key, line.value, at
        FROM done, json_each('[' || replace(rtrim(CAST(lines AS TEXT), char(10)), char(10), ',') || ']') AS line
        UNION ALL
        SELECT ordinal, CAST(line AS TEXT), at FROM failed
    )
    SELECT ordinal, value ->> 'mailbox' AS mailbox, value ->> 'ok' AS ok, value -> 'result' AS result,
        value -> 'error' AS error, value ->> 'attempts' AS attempts, value ->> 'seconds' AS seconds,
        strftime('%Y-%m-%dT%H:%M:%fZ', at, 'unixepoch') AS at, value ->> 'server' AS server
    FROM record;
"""

#: The ranges that have their outcome, behind an ordinal, so many of them. The index holds them without the records.
SETTLED = """
SELECT first, count FROM done INDEXED BY done_ranges WHERE first > ?1
UNION ALL SELECT ordinal, 1 FROM failed WHERE ordinal > ?1
ORDER BY 1 LIMIT ?2
"""


def check_format(path: Path, application: int, version: int) -> None:
    """Raise UsageError for what is no run file, or has another format."""
    if application != APPLICATION_ID:
        raise UsageError(f"this is no run file of fanout: {path}")
    if version != FORMAT:
        raise UsageError(f"{path} has the run file format {version}; this fanout reads {FORMAT}")
