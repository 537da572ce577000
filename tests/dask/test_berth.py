"""The far side of a line: what a berth does while its parent takes nothing, and when nobody calls. The worker is a real one."""

from __future__ import annotations

import asyncio
import platform
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import msgspec
import pytest

from fanout.crew import NO_ROOM
from fanout.engines import berth
from fanout.engines.berth import WINDOW, Berth, Do, Give, Manner, Order, Start, encode, read_news
from fanout.engines.processes import READ_BYTES
from fanout.events import Ended, Heard, Reading
from tests.test_engine import begin
from workers.messages import Chunk, FileJob

pytestmark = pytest.mark.spawns

LIMIT = 60.0

MANY = 4 * WINDOW


class Line:
    """The parent's side, in an event loop of its own: what the berth writes is in a queue, what it reads is put there."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()
        self._words: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.news: SimpleQueue[list[Any]] = SimpleQueue()

    def say(self, *words: object) -> None:
        self.loop.call_soon_threadsafe(self._words.put_nowait, encode(list(words)))

    def end(self) -> None:
        self.loop.call_soon_threadsafe(self._words.put_nowait, None)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    # what a connection of Dask's has

    async def read(self) -> bytes:
        words = await self._words.get()
        if words is None:
            raise OSError("closed")
        return words

    async def write(self, news: bytes) -> None:
        self.news.put(read_news.decode(news))


@pytest.fixture
def line() -> Iterator[Line]:
    line = Line()
    yield line
    line.close()


@pytest.fixture
def called(line: Line) -> Iterator[Line]:
    """A line to a berth that has said so."""
    there = Berth(Manner(), line.loop)
    task = threading.Thread(target=there.serve)
    task.start()
    talk = asyncio.run_coroutine_threadsafe(there.talk(line), line.loop)
    assert line.news.get(timeout=LIMIT) == []
    yield line
    line.end()
    talk.result(LIMIT)
    task.join(LIMIT)
    assert not task.is_alive()


def start_many(line: Line, folder: Path) -> None:
    """Have a worker tell of MANY mailboxes, of each in more bytes than are read of it at a time: so in a piece each."""
    path = folder / "large.py"
    path.write_text(f"def job(mailbox):\n    return {2 * READ_BYTES} * 'x'")
    line.say(Start(msgspec.structs.replace(begin("number"), job=FileJob(str(path), "job"))))
    line.say(*(Give(Chunk(number, number, 1)) for number in range(MANY)))


def test_while_the_parent_takes_nothing_nothing_is_read_of_the_worker(called: Line, tmp_path: Path) -> None:
    start_many(called, tmp_path)
    pieces = [called.news.get(timeout=LIMIT) for _ in range(WINDOW - 1)]  # the first was of nothing

    called.say(Do(Order.LOOK))
    (seen,) = called.news.get(timeout=LIMIT)

    assert all(isinstance(news, Heard) for piece in pieces for news in piece)
    assert isinstance(seen, Reading)
    found = sum(len(piece) for piece in pieces) - 1
    assert found < MANY
    called.say(*[Do(Order.TAKEN)] * (WINDOW + 1))
    while found < MANY:
        found += len(called.news.get(timeout=LIMIT))
        called.say(Do(Order.TAKEN))


def test_it_obeys_orders_also_while_the_parent_takes_nothing(called: Line, tmp_path: Path) -> None:
    start_many(called, tmp_path)
    for _ in range(WINDOW - 1):
        called.news.get(timeout=LIMIT)

    called.say(Do(Order.KILL))
    called.say(*[Do(Order.TAKEN)] * WINDOW)
    news: list[Any] = []
    while not any(isinstance(each, Ended) for each in news):
        news += called.news.get(timeout=LIMIT)
        called.say(Do(Order.TAKEN))

    assert news[-1].how == "SIGKILL"


def test_where_there_is_no_room_for_the_file_of_the_job_it_is_said_of_each_worker(
    called: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    job = msgspec.structs.replace(begin("number"), job=FileJob("/elsewhere/mine.py", "job"))

    for _ in range(2):
        called.say(Start(job, b"def job(mailbox):\n    return 1"))
        (ended,) = called.news.get(timeout=LIMIT)
        called.say(Do(Order.TAKEN))

        assert (ended.how, ended.at) == (NO_ROOM, ())
        assert ended.words.startswith(f"{platform.node()}: [Errno 2] No such file or directory: '/nowhere/fanout-")


def test_a_berth_that_nobody_calls_ends(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(berth, "MEETING", 0.01)

    Berth(Manner(), line.loop).serve()

    assert line.news.empty()


def test_a_call_to_a_berth_that_does_not_come_is_ended(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(berth, "MEETING", 0.01)
    ended: list[bool] = []

    class Comm:
        def abort(self) -> None:
            ended.append(True)

    asyncio.run_coroutine_threadsafe(berth.answer(Comm(), "nobody"), line.loop).result(LIMIT)

    assert (ended, berth._berths) == ([True], {})
