"""Which mailboxes have which faults: the same ones in every process and on every machine.

A fraction chooses a mailbox by a digest of (seed, fault, name), so nobody keeps a list, and raising a fraction
only adds to those that were chosen before.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workers.simulated.options import Fault, Share, SimulatedOptions

#: Mailboxes of which it is known how often they were refused or cut off. One that is forgotten starts anew.
_REMEMBERED = 4096

_RANGE = 2**64


class FaultPlan:
    """What is wrong with whom, for one set of options."""

    def __init__(self, options: SimulatedOptions) -> None:
        self._seed = options.seed
        self._shares = options.faults

    def __bool__(self) -> bool:
        return bool(self._shares)

    def has(self, fault: Fault, address: str) -> bool:
        """Whether the mailbox has this fault; letter case does not matter."""
        share = self._shares.get(fault)
        return share is not None and _chosen(share, f"{self._seed}/{fault}/", address.casefold())


def _chosen(share: Share, prefix: str, name: str) -> bool:
    if name in share.names:
        return True
    if not share.fraction:
        return False
    digest = blake2b(f"{prefix}{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < share.fraction * _RANGE


class Tally:
    """How often something happened to each of the mailboxes it happened to lately."""

    def __init__(self) -> None:
        self._counts: OrderedDict[str, int] = OrderedDict()

    def count(self, address: str) -> int:
        """How often it happened, this time included."""
        count = self._counts.pop(address, 0) + 1
        self._counts[address] = count
        if len(self._counts) > _REMEMBERED:
            self._counts.popitem(last=False)
        return count
