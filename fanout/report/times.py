"""Times as people read them, in UTC, from seconds since the epoch. Pure."""

from __future__ import annotations

from datetime import UTC, datetime


def clock(at: float) -> str:
    """`14:03:12.4`."""
    time = datetime.fromtimestamp(at, UTC)
    return f"{time:%H:%M:%S}.{time.microsecond // 100_000}"


def time_of_day(at: float) -> str:
    """`14:03`."""
    return f"{datetime.fromtimestamp(at, UTC):%H:%M}"


def day(at: float) -> str:
    """`25 November 2026`."""
    time = datetime.fromtimestamp(at, UTC)
    return f"{time.day} {time:%B %Y}"


def moment(at: float) -> str:
    """`25 Nov 14:03`: in few characters."""
    time = datetime.fromtimestamp(at, UTC)
    return f"{time.day} {time:%b %H:%M}"


def moment_of(iso: str) -> str:
    """`25 November 2026, 14:03:12` of a time in ISO 8601."""
    time = datetime.fromisoformat(iso).astimezone(UTC)
    return f"{time.day} {time:%B %Y, %H:%M:%S}"
