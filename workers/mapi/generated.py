"""Functions that are written as text and compiled once: what the codec runs for every ROP and every row.

A loop over fields or columns costs as much again as the work in it; text that names each of them has no loop.
"""

from __future__ import annotations

from typing import Any


def compiled(title: str, source: str, names: dict[str, Any]) -> dict[str, Any]:
    """What `source` defines, and `names`, which it may use. `title` stands for it in a traceback."""
    exec(compile(source, f"<{title}>", "exec"), names)  # made of names in this package and of numbers alone
    return names
