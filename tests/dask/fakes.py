"""A stand-in for a cluster: an event loop in a thread, berths that are queues, and sessions that are given when a test says so."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, Self

from fanout.engines.berth import Do, Manner, Order, encode, read_words


class FakeComm:
    """The parent's end of a line. What the parent says is noted; a test puts what it is to hear."""

    def __init__(self, left: asyncio.Event) -> None:
        """`left`: set when the berth was told to leave, which it does."""
        self.said: list[bytes] = []
        self._left = left
        self.heard: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def read(self) -> bytes:
        news = await self.heard.get()
        if news is None:
            raise OSError("closed")
        return news

    async def write(self, words: bytes) -> None:
        self.said.append(words)
        if Do(Order.LEAVE) in read_words.decode(words):
            self._left.set()
            self.abort()

    def abort(self) -> None:
        self.heard.put_nowait(None)


class FakeCluster:
    """What a line asks of a cluster. A context manager: on leaving it the thread has ended."""

    is_private = True

    def __init__(self, addresses: list[str | Exception]) -> None:
        """`addresses`: of which each berth gets the next, or what is raised instead; behind the last one it waits."""
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._addresses = addresses
        self._left = asyncio.Event()
        #: What became of each task: asked for, withdrawn.
        self.notes: list[str] = []
        self.comms: list[FakeComm] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Future[Any]:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)

    async def session(self, name: str) -> str:  # noqa: ARG002 - as its model has it
        if not self._addresses:
            await asyncio.Event().wait()
        address = self._addresses.pop(0)
        if isinstance(address, Exception):
            raise address
        return address

    def give_back(self, name: str, address: str, *, lost: bool) -> None:  # noqa: ARG002 - as its model has it
        self.notes.append(f"{'lost' if lost else 'left'} {address}")

    def submit(self, name: str, address: str, manner: Manner) -> str:
        return f"{name.rpartition('-')[0]} at {address}, {manner.lanes} lane"

    async def call(self, name: str, address: str) -> FakeComm:  # noqa: ARG002 - as its model has it
        """Nobody answers at an address that says so."""
        if address == "deaf":
            raise OSError("no answer")
        comm = FakeComm(self._left)
        self.comms.append(comm)
        comm.heard.put_nowait(encode([]))
        return comm

    async def end_of(self, task: str) -> str:
        if task.startswith("fanout worker 9"):
            return "its task failed: so it is"
        await self._left.wait()
        return ""

    async def withdraw(self, task: str) -> None:
        self.notes.append(f"withdrawn {task}")
