"""The screen: a few lines at the bottom of a terminal that are drawn again and again, in place.

What else is written to it, by whoever, goes above them. Each drawing is one write, line over line, and nothing is erased
before it is replaced: so nothing flickers. rich's own `Live` is not used, because it takes the terminal to be as wide as it
was: when a window becomes narrower, terminals break lines that were drawn before into several, and it would leave the upper
ones behind.
"""

from __future__ import annotations

import io
import os
import signal
from contextlib import contextmanager, redirect_stderr, suppress
from functools import cached_property
from typing import TYPE_CHECKING, TextIO

from fanout.plain import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console, RenderableType

#: What a terminal is told (ECMA-48): go up so many lines, erase to the end of the line, and to that of the screen.
_UP, _ERASE_LINE, _ERASE_BELOW = "\x1b[{}F", "\x1b[K", "\x1b[J"

#: From the beginning of a line that is not the last one, erase it and all below; in two parts, because tmux keeps in its history
#: what a screen showed that is erased from its first line on.
_ERASE = f"{_ERASE_LINE}\x1b[E{_ERASE_BELOW}\x1b[F"

#: What a terminal is taken for that does not say how large it is.
_UNKNOWN = os.terminal_size((80, 24))


class Screen:
    """The lines at the bottom of one terminal. NO_COLOR is obeyed."""

    def __init__(self, terminal: TextIO) -> None:
        self._terminal = terminal
        self._drawn: list[str] = []
        #: How large the terminal was when they were drawn.
        self._drawn_on = _UNKNOWN

    def draw(self, picture: Callable[[int, int], RenderableType]) -> None:
        """Draw what is made for so many columns and lines. A shell that has the terminal meanwhile is left alone.

        The last column stays free: what a terminal erases behind a line that fills it is the end of the line.
        """
        if not self._is_ours():
            self._forget()
            return
        size = self._size()
        columns, rows = size.columns - 1, size.lines - 1
        with self._console.capture() as captured:
            self._console.print(picture(columns, rows), width=columns)
        home = self._home(size)
        self._drawn, self._drawn_on = captured.get().splitlines()[:rows], size
        self._write(home + self._lines() + _ERASE_BELOW)

    def erase(self) -> None:
        """Leave the terminal as if nothing had been drawn."""
        if self._is_ours():
            self._write(self._cleared(self._size()))
        self._forget()

    def above(self, text: str) -> None:
        """Write whole lines, which stay where they are, and what was drawn again below them."""
        lines = "".join(f"{printable(line)}\n" for line in text.splitlines())
        size = self._size()
        cleared = self._cleared(size) if self._is_ours() else ""
        if not cleared or size != self._drawn_on:  # it would not fit: the next drawing does
            self._forget()
        self._write(cleared + lines + self._lines())

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Within, whatever this process writes to stderr goes above, and nothing is left of the drawing behind it."""
        above = _Above(self)
        before = signal.signal(signal.SIGCONT, lambda *_: self._forget())
        try:
            with redirect_stderr(above):
                yield
        finally:
            signal.signal(signal.SIGCONT, before)
            self.erase()
            above.end()

    def _forget(self) -> None:
        """This process was stopped, as by Ctrl-Z, and a shell has written below what was drawn: the next drawing is a new one."""
        self._drawn = []

    @cached_property
    def _console(self) -> Console:
        """rich, which takes a twentieth of a second to import: a run that ends sooner has not waited for it."""
        from rich.console import Console

        return Console(file=io.StringIO(), force_terminal=True, markup=False, emoji=False, highlight=False)

    def _lines(self) -> str:
        """What is drawn."""
        return "".join(f"{line}{_ERASE_LINE}\n" for line in self._drawn)

    def _cleared(self, size: os.terminal_size) -> str:
        """To where the drawing began, of which nothing is left."""
        home = self._home(size)
        return f"{home}{_ERASE}" if home else ""

    def _home(self, size: os.terminal_size) -> str:
        """To where the drawing began, however the terminal broke its lines when it was made narrower."""
        lines = len(self._drawn)
        if size != self._drawn_on:
            from rich.text import Text

            widths = (Text.from_ansi(line).cell_len for line in self._drawn)
            lines = sum(max(1, -(-width // size.columns)) for width in widths)
        return _UP.format(min(lines, size.lines - 1)) if lines else ""

    def _is_ours(self) -> bool:
        """Whether this process is in the foreground of its terminal."""
        try:
            return os.tcgetpgrp(self._terminal.fileno()) == os.getpgrp()
        except OSError:  # no terminal of this session: nobody else writes there
            return True

    def _size(self) -> os.terminal_size:
        try:
            size = os.get_terminal_size(self._terminal.fileno())
        except OSError:
            return _UNKNOWN
        return size if size.columns > 1 and size.lines > 1 else _UNKNOWN

    def _write(self, text: str) -> None:
        with suppress(OSError):  # a terminal that is gone: no reason to end a run
            self._terminal.write(text)
            self._terminal.flush()


class _Above(io.TextIOBase):
    """A stderr whose lines go above what is drawn."""

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._begun = ""

    def write(self, text: str) -> int:
        lines, end, self._begun = (self._begun + text).rpartition("\n")
        if end:
            self._screen.above(lines)
        return len(text)

    def writable(self) -> bool:
        return True

    def end(self) -> None:
        """Nothing more is written: a line that was begun counts."""
        if self._begun:
            self._screen.above(self._begun)
            self._begun = ""
