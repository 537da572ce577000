"""What stands on a terminal when something was drawn on it: a terminal in Python is what shows it."""

from __future__ import annotations

import errno
import io
import os
import pty
import signal
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import closing

import click
import pyte
import pytest
from rich.text import Text

from fanout.screen import Screen


class Tmux(pyte.Screen):
    """Keeps in its history what it showed, where that is erased from its first line on."""

    def __init__(self, columns: int, lines: int) -> None:
        self.history: list[str] = []
        super().__init__(columns, lines)

    def erase_in_display(self, how: int = 0, *args: int, **kwargs: bool) -> None:
        if (self.cursor.y, self.cursor.x) == (0, 0):
            self.history += [line.rstrip() for line in self.display if line.strip()]
        super().erase_in_display(how, *args, **kwargs)


class Terminal(io.StringIO):
    """A terminal of some size, by which it is asked for. As real ones do, it begins a new line where the old one is full."""

    def __init__(self, columns: int = 40, lines: int = 10) -> None:
        super().__init__()
        self._ends = pty.openpty()
        self._screen = Tmux(columns, lines)
        self._screen.set_mode(pyte.modes.LNM)
        self._stream = pyte.Stream(self._screen)
        self.writes = 0
        self.is_said_to_have(columns, lines)

    def is_said_to_have(self, columns: int, lines: int) -> None:
        termios.tcsetwinsize(self._ends[1], (lines, columns))

    def fileno(self) -> int:
        return self._ends[1]

    def write(self, text: str) -> int:
        self.writes += 1
        self._stream.feed(text)
        return len(text)

    def close(self) -> None:
        for end in self._ends:
            os.close(end)
        super().close()

    @property
    def history(self) -> list[str]:
        return self._screen.history

    @property
    def lines(self) -> list[str]:
        """What is seen, without the empty lines below."""
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip().split("\n")


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    terminal = Terminal()
    yield terminal
    terminal.close()


@pytest.fixture
def screen(terminal: Terminal) -> Screen:
    return Screen(terminal)


class Rooms(list[tuple[int, int]]):
    """An empty picture, which notes for how much room it was asked."""

    def picture(self, columns: int, rows: int) -> Text:
        self.append((columns, rows))
        return Text()


def text(*lines: str) -> Callable[[int, int], Text]:
    return lambda _, __: Text("\n".join(lines))


def test_a_drawing_takes_the_place_of_the_one_before(terminal: Terminal, screen: Screen) -> None:
    terminal.write("$ fanout run\n")
    screen.draw(text("one", "two, a long one", "three"))
    screen.draw(text("ONE", "TWO"))

    assert terminal.lines == ["$ fanout run", "ONE", "TWO"]


def test_each_drawing_is_one_write(terminal: Terminal, screen: Screen) -> None:
    for number in range(3):
        screen.draw(text(f"{number}", "two"))

    assert terminal.writes == 3


def test_what_is_drawn_is_told_how_much_room_there_is(screen: Screen) -> None:
    told = Rooms()
    screen.draw(told.picture)

    assert told == [(39, 9)]


def test_more_lines_than_the_terminal_has_are_cut_off(terminal: Terminal, screen: Screen) -> None:
    for _ in range(3):
        screen.draw(text(*map(str, range(20))))

    assert terminal.lines == [str(number) for number in range(9)]


def test_a_window_that_was_made_narrower_has_nothing_left_of_what_was_drawn() -> None:
    with closing(Terminal(20)) as terminal:
        screen = Screen(terminal)
        terminal.write("$ fanout run\n")
        terminal.is_said_to_have(40, 10)  # as it is now, it has broken the lines of 30 and of 39 letters in two
        screen.draw(text("a" * 30, "short", "b" * 39))
        terminal.is_said_to_have(20, 10)
        screen.draw(text("narrow"))

        assert terminal.lines == ["$ fanout run", "narrow"]


def test_a_terminal_that_does_not_say_how_large_it_is_has_80_columns_and_24_lines(terminal: Terminal) -> None:
    terminal.is_said_to_have(0, 0)
    told = Rooms()
    Screen(terminal).draw(told.picture)

    assert told == [(79, 23)]


def test_nothing_is_left_when_it_is_erased(terminal: Terminal, screen: Screen) -> None:
    terminal.write("$ fanout run\n")
    screen.draw(text("one", "two"))
    screen.erase()
    terminal.write("the last line\n")

    assert terminal.lines == ["$ fanout run", "the last line"]


def test_nothing_is_left_in_the_history_of_a_window_that_was_full(terminal: Terminal, screen: Screen) -> None:
    screen.draw(text(*map(str, range(9))))
    screen.above("a line")
    screen.draw(text(*map(str, range(9))))
    screen.erase()

    assert (terminal.history, terminal.lines) == ([], [""])


def test_what_is_drawn_is_seen_below_a_line_that_went_above_it(terminal: Terminal, screen: Screen) -> None:
    screen.draw(text("one", "two"))
    writes = terminal.writes
    screen.above("a line")

    assert (terminal.writes - writes, terminal.lines) == (1, ["a line", "one", "two"])


def test_what_no_longer_fits_is_not_drawn_again_below_a_line(terminal: Terminal, screen: Screen) -> None:
    screen.draw(text("one", "two"))
    terminal.is_said_to_have(39, 10)
    screen.above("a line")

    assert terminal.lines == ["a line"]


def test_whatever_is_written_to_stderr_goes_above_the_drawing(terminal: Terminal, screen: Screen) -> None:
    with screen.shared():
        screen.draw(text("one", "two"))
        click.echo("said by click", err=True)
        sys.stderr.write("written in two ")
        sys.stderr.write("parts\n")
        screen.draw(text("ONE", "TWO"))

        assert terminal.lines == ["said by click", "written in two parts", "ONE", "TWO"]

    assert terminal.lines == ["said by click", "written in two parts"]


def test_a_line_that_was_begun_is_seen_in_the_end(terminal: Terminal, screen: Screen) -> None:
    with screen.shared():
        screen.draw(text("one"))
        sys.stderr.write("no end")

    assert terminal.lines == ["no end"]


def test_behind_what_a_shell_wrote_while_the_run_was_stopped_a_new_drawing_begins(
    terminal: Terminal, screen: Screen
) -> None:
    with screen.shared():
        screen.draw(text("one", "two"))
        terminal.write("[1]+  Stopped\n$ fg\n")
        os.kill(os.getpid(), signal.SIGCONT)
        screen.draw(text("ONE"))
        screen.draw(text("Two"))

        assert terminal.lines == ["one", "two", "[1]+  Stopped", "$ fg", "Two"]


def test_what_a_terminal_would_obey_is_shown_instead(terminal: Terminal, screen: Screen) -> None:
    with screen.shared():
        sys.stderr.write("a\x1b[2Jb\n")

    assert terminal.lines == ["a\ufffd[2Jb"]


def test_an_error_leaves_stderr_and_the_terminal_as_they_were(terminal: Terminal, screen: Screen) -> None:
    before = sys.stderr

    def fail() -> None:
        with screen.shared():
            screen.draw(text("one"))
            raise ValueError("boom")

    with pytest.raises(ValueError, match="boom"):
        fail()

    assert (sys.stderr is before, terminal.lines) == (True, [""])


def test_a_terminal_that_is_gone_ends_nothing(terminal: Terminal, screen: Screen) -> None:
    def gone(_: str) -> int:
        raise OSError(errno.EIO, "Input/output error")

    terminal.write = gone  # type: ignore[method-assign,assignment]  # what the kernel says of one that was closed
    screen.draw(text("one"))
    with screen.shared():
        sys.stderr.write("said\n")

    assert terminal.lines == [""]
