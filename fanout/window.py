"""The hours in which a run may work: by the clock on the wall, where the run is, summer time and all. Pure.

`22:00-06:00` begins in the evening and ends the next morning. An hour that summer time leaves out opens nothing that day
but what lies behind it; one that comes twice counts twice.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Self

import msgspec

_FORM = re.compile(r"(\d\d?):(\d\d)-(\d\d?):(\d\d)", re.ASCII)

#: A window opens within two days: the next one, or the one behind an hour that is left out.
_MINUTES = 2 * 24 * 60


class Window(msgspec.Struct, frozen=True):
    """From one time of the day to another one, which may be on the next day."""

    opens: time
    closes: time

    @classmethod
    def of(cls, text: str) -> Self:
        """`22:00-06:00`; the end of the day is 24:00 or 0:00. Raises ValueError, which says what is wrong."""
        found = _FORM.fullmatch(text.strip())
        if not found:
            raise ValueError("a window is given as in 22:00-06:00")
        hour, minute, last_hour, last_minute = map(int, found.groups())
        if (last_hour, last_minute) == (24, 0):
            last_hour = 0
        try:
            window = cls(time(hour, minute), time(last_hour, last_minute))
        except ValueError:
            raise ValueError("hours go from 0 to 23, minutes from 00 to 59") from None
        if window.opens == window.closes:
            raise ValueError("it opens and closes at the same time; leave it out to run at any time")
        return window

    def __str__(self) -> str:
        return f"{self.opens:%H:%M}-{self.closes:%H:%M}"

    def is_open(self, at: datetime, zone: tzinfo | None = None) -> bool:
        """Whether it is open at this moment. `at`: aware. `zone`: where; None for where this process is."""
        now = at.astimezone(zone).time()
        if self.opens < self.closes:
            return self.opens <= now < self.closes
        return now >= self.opens or now < self.closes

    def next_opening(self, at: datetime, zone: tzinfo | None = None) -> datetime:
        """When it opens, at a moment at which it is closed; in the time of that place."""
        minute = at.astimezone(UTC).replace(second=0, microsecond=0)
        moments = (minute + timedelta(minutes=each) for each in range(1, _MINUTES))
        return next(moment for moment in moments if self.is_open(moment, zone)).astimezone(zone)
