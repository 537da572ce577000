"""A fleet: every mailbox of a roster open at once, over as many workers as the capacity asks for."""

from fanout.fleet.fleet import CallError, Fleet, open_all

__all__ = ["CallError", "Fleet", "open_all"]
