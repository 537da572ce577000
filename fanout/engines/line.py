"""The parent's end of a line to a berth: finds a session, has a berth made there, calls it, and carries words and news.

It lives in the event loop of Dask's client. What it hears, and that it has ended, is put where the thread of the run finds it.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from fanout.engines.berth import MEETING, Do, Manner, Order, encode

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from fanout.engines.berth import ToBerth
    from fanout.engines.cluster import Cluster
    from fanout.events import Reading

#: Seconds that a berth may take to end when it was told to, and to tell that a worker has ended that was killed.
PATIENCE = 10.0

#: Berths that are asked for before it is said that there is none.
TRIES = 5


class NoSessionError(Exception):
    """No session of the cluster has been free for long, and nobody works."""


class Told(msgspec.Struct, frozen=True):
    """A piece of news has come."""

    line: Line
    news: bytes


class Lost(msgspec.Struct, frozen=True):
    """A line has ended, and with it whoever lived at its other end."""

    line: Line
    why: str
    #: Whether there is no hope for another one.
    for_good: bool = False
    #: What nobody has thought of.
    bug: BaseException | None = None


class Line:
    """To one berth, which is asked for as soon as this object is there."""

    def __init__(
        self, cluster: Cluster, number: int, title: str, manner: Manner, tell: Callable[[Told | Lost], None]
    ) -> None:
        """`title`: what people call the berth's task. `tell` is called in the event loop."""
        self.number = number
        #: Of the Dask worker where it leads to; empty until one is found.
        self.address = ""
        #: Workers that were started there, and whether the last of them has not ended.
        self.lives = 0
        self.lives_on = False
        #: What was last seen of that worker.
        self.reading: Reading | None = None
        #: What is to be said with the next `wait`.
        self.unsaid: list[ToBerth] = []
        self._cluster = cluster
        self._title = title
        self._tell = tell
        self._said: asyncio.Queue[bytes] = asyncio.Queue()
        self._here = asyncio.Event()
        self._comm: Any = None
        self._leaving = False
        self._task: asyncio.Task[Any] | None = None
        #: Done when nothing is left of it.
        self.ended: Future[Lost] = cluster.run(self._live(manner))
        self.ended.add_done_callback(self._tell_end)

    # --- in the thread of the run -------------------------------------------------------------------------------------

    @property
    def reached(self) -> bool:
        """Whether the berth was heard of."""
        return self._here.is_set()

    def flush(self) -> None:
        """Say what is to be said."""
        if self.unsaid:
            self._cluster.loop.call_soon_threadsafe(self._said.put_nowait, encode(self.unsaid))
            self.unsaid.clear()

    def expect_end(self) -> None:
        """Take it for lost, unless the worker's end is told of in time: who is frozen obeys no order."""
        loop = self._cluster.loop
        loop.call_soon_threadsafe(loop.call_later, PATIENCE, self._cut, self.lives)

    def leave(self) -> None:
        """Have the berth end, wherever it has got to."""
        self._cluster.loop.call_soon_threadsafe(self._leave)

    # --- in the event loop --------------------------------------------------------------------------------------------

    async def _live(self, manner: Manner) -> Lost:
        self._task = asyncio.current_task()
        why = ""
        for _ in range(TRIES):
            name = f"{self._title}-{os.urandom(8).hex()}"
            try:
                self.address = await self._cluster.session(name)
            except NoSessionError as error:
                return Lost(self, str(error), for_good=True)
            why = f"{await self._stay(name, self.address, manner)} ({self.address})"
            if self.reached:
                break
        return Lost(self, why)

    async def _stay(self, name: str, address: str, manner: Manner) -> str:
        """Have a berth there until one side ends the line. Why it ended."""
        try:
            return await self._talk(name, address, manner)
        except OSError as error:
            return f"it can't be reached: {reason(error)}"
        finally:
            self._cluster.give_back(name, address, lost=not self._leaving)

    def _tell_end(self, ended: Future[Lost]) -> None:
        if not ended.cancelled():
            bug = ended.exception()
            self._tell(Lost(self, "", bug=bug) if bug else ended.result())

    async def _talk(self, name: str, address: str, manner: Manner) -> str:
        """Have a berth made, and carry what is said. Raises OSError."""
        task = self._cluster.submit(name, address, manner)
        failed = asyncio.ensure_future(self._cluster.end_of(task))
        try:
            self._comm = await self._cluster.call(name, address)
            self._cluster.loop.call_later(MEETING + PATIENCE, self._cut_off, self._comm)
            await self._carry(failed)
            if self._leaving:
                await asyncio.wait([failed], timeout=PATIENCE)
            return failed.result() if failed.done() else "its line has ended"
        finally:
            failed.cancel()
            if self._comm is not None:
                self._comm.abort()
            await self._cluster.withdraw(task)

    async def _carry(self, failed: asyncio.Future[str]) -> None:
        ways: list[asyncio.Future[Any]] = [asyncio.ensure_future(way) for way in (self._listen(), self._speak())]
        try:
            done, _ = await asyncio.wait({failed, *ways}, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                each.result()  # which raises what nobody has thought of
        finally:
            for way in ways:
                way.cancel()

    async def _listen(self) -> None:
        with suppress(OSError):  # its end
            while True:
                news = await self._comm.read()
                self._here.set()
                self._tell(Told(self, news))

    async def _speak(self) -> None:
        await self._here.wait()  # what is said to a berth that never comes is for the next one
        with suppress(OSError):
            while True:
                await self._comm.write(await self._said.get())

    def _cut(self, lives: int) -> None:
        if self.lives_on and self.lives == lives and self._comm is not None:
            self._comm.abort()

    def _cut_off(self, comm: Any) -> None:  # noqa: ANN401 - Dask's connections have no types here
        """Nobody has answered the call, and nor has it been ended."""
        if not self.reached:
            comm.abort()

    def _leave(self) -> None:
        self._leaving = True
        if self.reached:
            self._said.put_nowait(encode([Do(Order.LEAVE)]))
            self._cluster.loop.call_later(PATIENCE, self._comm.abort)
        else:
            (self._task or self.ended).cancel()


def reason(error: OSError) -> str:
    """Why somebody can't be reached; a timeout says nothing of itself."""
    return str(error) or "it does not answer"
