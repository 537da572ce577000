"""`python -m fanout`, and the console script.

The command line takes a fifth of a second to import. A Ctrl-C within that ends the process without a word: nothing is begun.
"""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator

#: How a shell calls the end by Ctrl-C.
INTERRUPTED = 128 + signal.SIGINT


def main() -> NoReturn:
    with _ended_by_an_interrupt():
        from fanout.cli import main as command_line
    command_line()


@contextmanager
def _ended_by_an_interrupt() -> Iterator[None]:
    """Have a Ctrl-C end this process at once, where it is not ignored."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    yield
    signal.signal(signal.SIGINT, before)


if __name__ == "__main__":
    main()
