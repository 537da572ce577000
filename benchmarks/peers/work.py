"""What is done at each item, for everybody alike: an item is a number, or the null mailbox of that number.

Every contender's processes import this module, so it imports next to nothing.
"""

from __future__ import annotations

import itertools
import math
import os
import random
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workers.mailbox import Mailbox

#: The item that ends its process: this one, or, among fewer items, a tenth of it.
POISON, POISON_OF_FEW = 50_123, 5_012

#: Characters of a large result, and of one that a stalled consumer does not take.
LARGE, PAGE = 2**16, 2**14

#: Seconds at each item of the start: so long that those who come first do not do it all.
ARRIVAL = 0.05

#: Seconds of the skewed sleeps: most are short, a few are very long, and every run has the same.
_random = random.Random(6)
SLEEPS = [_random.lognormvariate(math.log(0.001), 1.2) for _ in range(2000)]

#: Makes results differ: most codecs write what they have met before as a few bytes.
_numbers = itertools.count()

_sleep = time.sleep  # noqa: TID251 - the work is to wait


def number(item: int | Mailbox) -> int:
    return item if isinstance(item, int) else int(item.address[5:])


def one(item: object) -> int:  # noqa: ARG001 - the smallest work there is
    return 1


def told(item: object) -> tuple[int, str | None, int, float]:
    """`one` with all that fanout tells of a mailbox: result, cause, attempts, seconds."""
    begun, cause, result = time.perf_counter(), None, 0
    try:
        result = one(item)
    except Exception as error:  # noqa: BLE001 - it is told, as any is
        cause = type(error).__name__
    return result, cause, 1, time.perf_counter() - begun


def fields(item: object) -> dict[str, Any]:  # noqa: ARG001 - whichever it is
    """Ten fields, as of a census."""
    unlike = next(_numbers)
    return {
        "folders": 12,
        "messages": unlike,
        "unread": 37,
        "bytes": 310_482_113 + unlike,
        "share": 0.413,
        "archived": False,
        "server": "mail-07.example.org",
        "owner": f"Benedikt Achterberg {unlike}",
        "newest": f"2026-11-24T17:03:11.{unlike}Z",
        "oldest": f"2009-02-03T08:44:50.{unlike}Z",
    }


def large(item: object) -> str:  # noqa: ARG001 - whichever it is
    return "x" * LARGE


def page(item: object) -> str:  # noqa: ARG001 - whichever it is
    return "x" * PAGE


def sleep(item: int | Mailbox) -> tuple[float, float]:
    """When it began and when it ended, by the clock that all processes share."""
    begun = time.monotonic()
    _sleep(SLEEPS[number(item)])
    return begun, time.monotonic()


def arrive(item: object) -> tuple[int, float]:  # noqa: ARG001 - whichever it is
    """Who did it, and when that began."""
    begun = time.monotonic()
    _sleep(ARRIVAL)
    return os.getpid(), begun


def busy(item: object) -> int:  # noqa: ARG001 - whichever it is
    _sleep(0.02)
    return 1


def poisoned(item: int | Mailbox) -> int:
    if number(item) == POISON:
        os._exit(9)
    return 1


def poisoned_of_few(item: int | Mailbox) -> int:
    if number(item) == POISON_OF_FEW:
        os._exit(9)
    return 1
