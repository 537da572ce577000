"""What a run tells systemd while it is a service of `Type=notify`: that it has begun, where it stands, that it is alive.

The protocol is a datagram of lines to the socket that the environment names (sd_notify(3)): few enough of them to need no
library. Without that socket, as everywhere else, nothing is told. A service that ends well before it was ready counts as
failed: so one that finds nothing to do is ready, too.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from fanout.progress import INTERRUPTED, Going, Occasions

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from fanout.progress import Progress

#: Seconds between two words on where a run stands.
INTERVAL = 5.0

#: Of the seconds after which systemd takes a service for dead, the part after which it says that it is alive: half, as
#: sd_watchdog_enabled(3) asks for. A run comes to say so once a second.
SHARE = 0.5


class Notifier:
    """The way to systemd. A context manager: on leaving it says that the service stops."""

    def __init__(self, address: str, patience: float | None) -> None:
        """`address`: of a socket, by a path or, behind an @, abstract; empty where nobody wants to hear of it.

        `patience`: seconds of silence that are allowed; None for any.
        """
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self.patience = patience

    @classmethod
    def of_environment(cls, environment: MutableMapping[str, str]) -> Self:
        """The one that the environment speaks of, which does so no longer: what a job starts is not the service."""
        address, usec, pid = (environment.pop(name, "") for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"))
        watched = usec.isdecimal() and int(usec) > 0 and pid in {"", str(os.getpid())}
        return cls(address if address.startswith(("/", "@")) else "", int(usec) / 1e6 if watched else None)

    @property
    def has_listener(self) -> bool:
        return bool(self._address)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.tell("STOPPING=1")

    def ready(self, status: str) -> None:
        """Say that the service has begun, or found that there is nothing to begin."""
        self.tell("READY=1", f"STATUS={status}")

    def tell(self, *lines: str) -> None:
        """Say some lines, if there is somebody to hear them: a run does not end because nobody does."""
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way:
            way.sendto("\n".join(lines).encode(), socket.MSG_DONTWAIT, self._address)


class Notified:
    """Progress that systemd hears of, too: ready when the workers were started, and how far it is."""

    def __init__(self, progress: Progress, notifier: Notifier) -> None:
        self._progress = progress
        self._notifier = notifier
        self._occasions = Occasions(INTERVAL, growth=1.0)
        self._alive_at: float | None = None

    def show(self, now: float, settled: int, failed: int, count: int) -> None:
        if self._alive_at is None:
            self._notifier.ready(f"{settled:,} of {count:,} mailboxes, {failed:,} failed")
            self._alive_at = now
        if figures := self._occasions.due(now, settled, failed, count):
            self._notifier.tell(f"STATUS={figures.words}")
        if self._notifier.patience and now - self._alive_at >= self._notifier.patience * SHARE:
            self._notifier.tell("WATCHDOG=1")
            self._alive_at = now
        self._progress.show(now, settled, failed, count)

    def goes(self, how: Going) -> None:
        self._occasions.going = how
        self._progress.goes(how)

    def draining(self) -> None:
        self._occasions.going = Going.ENDING
        self._notifier.tell("STOPPING=1", f"STATUS={INTERRUPTED}")
        self._progress.draining()
