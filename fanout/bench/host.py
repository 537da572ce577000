"""Where and when something was measured."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from typing import Self

import msgspec

from fanout import machine


class Host(msgspec.Struct, frozen=True):
    """The machine, as far as times depend on it."""

    cpu: str
    #: Cores that this process may use.
    cores: int
    #: Cores' worth of time, and bytes, that the control group allows; None for no limit.
    cpu_limit: float | None
    memory_limit: int | None
    system: str
    kernel: str
    python: str

    @classmethod
    def here(cls) -> Self:
        return cls(
            machine.cpu_model(),
            len(os.sched_getaffinity(0)),
            machine.cpu_limit(),
            machine.memory_limit(),
            platform.system(),
            platform.release(),
            platform.python_version(),
        )

    def in_words(self) -> str:
        limit = "" if self.cpu_limit is None else f", of which the control group allows {self.cpu_limit:g}"
        return f"{self.cores} cores of {self.cpu}{limit}, {self.system} {self.kernel}, Python {self.python}"


class Moment(msgspec.Struct, frozen=True):
    """When, and what the machine had to do beside."""

    at: str
    #: Processes that ran or waited for the disk, on average over the last minute.
    load: float

    @classmethod
    def now(cls) -> Self:
        return cls(datetime.now(UTC).isoformat(timespec="seconds"), round(os.getloadavg()[0], 2))
