"""Whose fault it is: the ways in which a run as a whole can fail, each with its exit code.

A mailbox that fails is none of them: it is an outcome. An exception of any other class is a bug in fanout.
"""

from __future__ import annotations

import signal


class FanoutError(Exception):
    """A run that could not be, or could not go on. Raise one of its kinds."""

    exit_code: int


class UsageError(FanoutError):
    """The user asked for something that can't be: says what, and what would be right."""

    exit_code = 2


class ReaderGoneError(FanoutError):
    """Whoever read our stdout has had enough, as `head` has. Nobody needs to be told."""

    exit_code = 128 + signal.SIGPIPE


class ToldError(FanoutError):
    """An error that was told of already."""

    def __init__(self, exit_code: int) -> None:
        super().__init__()
        self.exit_code = exit_code


class CredentialsError(FanoutError):
    """The server refuses the account. It was asked once, and nothing is tried again (EX_NOPERM of sysexits.h)."""

    exit_code = 77


class StoppedError(FanoutError):
    """The outside world stopped the run: a server that is gone, a full disk. What was done is kept."""

    exit_code = 3


class TooEarlyError(StoppedError):
    """The window in which a run may work is closed: nothing was begun."""
