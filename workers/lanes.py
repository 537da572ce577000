"""Several mailboxes at a time in one worker: each lane is a thread that visits one mailbox after the other.

    pipe --> reader --> mailboxes, one by one --> lanes --> what they tell --> the worker's own thread --> pipe

While one lane waits for the server, others go on. Chunks are cut into single mailboxes, which lanes take in their order, so
that a lane is never idle while a chunk has a mailbox left; the next chunk waits behind it. Each lane has a slot, so that
the parent sees what is under way, and a visitor of its own. The session is one for all: one connection with its index
table, or a connection a mailbox.

This module knows no pipe and no server.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from contextlib import suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING

from workers.messages import Chunk, Found, Leaving, Unable
from workers.visit import FLUSH_BYTES, FLUSH_SECONDS, Muted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from workers.messages import ToParent
    from workers.slots import OwnSlot
    from workers.visit import Visitor

#: Seconds after which a thread that computes is asked to let others go on: 5 ms, the default, pass while many wait in line.
SWITCH_SECONDS = 0.1

#: Objects that are made between two collections of garbage: as many as with many mailboxes open are no garbage yet.
COLLECTED = 20_000


class Lanes:
    """As many threads as there are visitors, one for each."""

    def __init__(self, visitors: list[Visitor], slots: list[memoryview], own: OwnSlot) -> None:
        """`slots`: those of the visitors, in the same order. `own` is told which thread has which."""
        self._lanes = list(zip(visitors, slots, strict=True))
        self._own = own
        self._one_by_one = visitors[0].terms.one_by_one
        self._worker = os.getpid()
        self._mailboxes: SimpleQueue[Chunk | None] = SimpleQueue()
        #: Guards what follows, and tells of its changes.
        self._changed = threading.Condition()
        self._untold: list[ToParent] = []
        self._untold_bytes = 0
        #: Tellings that were asked for, and that were done.
        self._asked = self._told = 0
        self._at_work = len(visitors)
        self._leaving: Leaving | Unable | None = None
        self._bug: BaseException | None = None

    def visit(self, chunks: Iterable[Chunk]) -> Iterator[list[ToParent]]:
        """Yield what is to be told of the chunks, until they end and all is told; each list is meant for one write.

        Every mailbox is told of once, in the order in which they end; unless the last thing told is Leaving, or Unable,
        after which nothing was begun. Raises whatever is a bug in a lane.
        """
        _settle_in()
        threading.Thread(target=self._read, args=(chunks,), daemon=True).start()
        for visitor, slot in self._lanes:
            threading.Thread(target=self._work, args=(visitor, slot), daemon=True).start()
        over = False
        while not over:
            told, asked, over = self._wait()
            yield [*told, self._leaving] if over and self._leaving else told
            with self._changed:
                self._told = asked
                self._changed.notify_all()

    # --- the worker's own thread --------------------------------------------------------------------------------------

    def _wait(self) -> tuple[list[ToParent], int, bool]:
        """What is to be told now, up to which telling that is, and whether it is all. Raises a lane's bug."""
        with self._changed:
            self._changed.wait_for(lambda: self._untold or not self._at_work or self._bug)
            if not self._one_by_one:
                self._changed.wait_for(self._is_due, FLUSH_SECONDS)
            if self._bug:
                raise self._bug
            told, self._untold, self._untold_bytes = self._untold, [], 0
            return told, self._asked, not self._at_work

    def _is_due(self) -> bool:
        return self._untold_bytes >= FLUSH_BYTES or not self._at_work or self._bug is not None

    # --- the reader's thread ------------------------------------------------------------------------------------------

    def _read(self, chunks: Iterable[Chunk]) -> None:
        """Cut chunks into mailboxes, until no more come."""
        try:
            for chunk in chunks:
                for place, ordinal in enumerate(chunk.ordinals):
                    address = chunk.addresses and [chunk.addresses[place]]
                    self._mailboxes.put(Chunk(chunk.number, ordinal, 1, chunk.attempt, address))
        except BaseException as error:  # noqa: BLE001 - it is the worker's own thread that has to end of it
            self._break(error)
        self._send_home()

    def _send_home(self) -> None:
        for _ in self._lanes:
            self._mailboxes.put(None)

    # --- a lane's thread ----------------------------------------------------------------------------------------------

    def _work(self, visitor: Visitor, slot: memoryview) -> None:
        self._own.slot = slot
        try:
            while self._leaving is None and (chunk := self._mailboxes.get()) is not None:
                for told in visitor.visit(chunk):
                    self._tell(told)
                if visitor.leaving:
                    self._leave(visitor.leaving)
        except Muted:
            threading.Event().wait()  # the parent sees the pipe end, kills this process, and asks the slots why
        except BaseException as error:  # noqa: BLE001 - it is the worker's own thread that has to end of it
            self._break(error)
        with self._changed:
            self._at_work -= 1
            self._changed.notify_all()

    def _tell(self, messages: list[ToParent]) -> None:
        """Have these told, soon; where mailboxes are told of one by one, before this returns."""
        said = [message for message in messages if not isinstance(message, Leaving | Unable)]
        if not said:
            return
        with self._changed:
            self._untold += said
            self._untold_bytes += sum(len(message.lines) for message in said if isinstance(message, Found))
            self._asked += 1
            if len(self._untold) == len(said) or self._untold_bytes >= FLUSH_BYTES:
                self._changed.notify_all()
            if self._one_by_one:
                mine = self._asked
                self._changed.wait_for(lambda: self._told >= mine or self._bug)

    def _leave(self, why: Leaving | Unable) -> None:
        """Have all lanes end after their mailboxes. That nobody can work weighs more than that one is to leave."""
        if self._leaving is None or isinstance(why, Unable):
            self._leaving = why
        self._send_home()

    def _break(self, error: BaseException) -> None:
        if os.getpid() != self._worker:  # a fork that a job let return: nothing here is its own, no lock either
            os._exit(os.EX_SOFTWARE)
        with self._changed:
            self._bug = error
            self._changed.notify_all()


def _settle_in() -> None:
    """Have threads be interrupted less: most that is computed lies between two waits, and is over soon."""
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.set_threshold(COLLECTED)
    # A thread that has waited does not push the one aside that computes, and holds the interpreter.
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
