"""Whoever steers a run from outside while it goes on: `fanout ctl`, and the window in which it may work."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from fanout.events import Closed
from fanout.orders import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager
    from datetime import datetime

    from fanout.control import Call, Control
    from fanout.window import Window


class _Attentive(Protocol):
    """An engine."""

    def attending(self, source: int) -> AbstractContextManager[None]: ...


class Helm:
    """What is asked of a run; each thing is said, too."""

    def __init__(
        self, say: Callable[[str], object], control: Control | None = None, window: Window | None = None
    ) -> None:
        """`control`: None for a run that takes no orders. `window`: None for one that may work at any time."""
        self._say = say
        self._control = control
        self._window = window

    @contextmanager
    def attended(self, engine: _Attentive) -> Iterator[None]:
        """Have the engine wait for orders, too, and nobody wait for an answer when the run has ended."""
        if self._control is None:
            yield
            return
        with engine.attending(self._control.fileno()):
            yield
        for call in self._control.calls():
            self._control.answer(call, Answer("the run has just ended", heeded=False))

    def calls(self) -> Iterable[Call]:
        """The orders that are there."""
        return self._control.calls() if self._control else ()

    def answer(self, call: Call, answer: Answer) -> None:
        """Tell whoever gave an order, and whoever reads what the run says, what became of it."""
        self._say(f"fanout ctl, by {call.who}: {answer.text}")
        if self._control:
            self._control.answer(call, answer)

    def closed(self, at: datetime) -> Closed | None:
        """That the window has closed, once."""
        if self._window is None or self._window.is_open(at):
            return None
        why = f"the window {self._window} has closed"
        self._say(f"{why}: the mailboxes under way are finished; interrupt to stop at once")
        self._window = None
        return Closed(why)


#: For a run that nobody steers.
UNSTEERED = Helm(lambda _: None)
