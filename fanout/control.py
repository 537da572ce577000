"""The way to a running run, from another process of this machine: an order as a datagram, and an answer as another one.

    fanout ctl --(order)--> the address of the run file --(answer)--> fanout ctl

The address is an abstract one (unix(7)): a name that is no file, made of the run file's device and inode. So whoever has
the file finds the run, the run holds one socket and no connection, and nothing is left when it is killed. The kernel says
with each datagram who sent it: orders are taken from the account that the run works for, and from root; answers from
these and from the owner of the run file.

This module knows no run: what an order means is not its business.
"""

from __future__ import annotations

import os
import pwd
import socket
import struct
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Self

import msgspec

from fanout.errors import UsageError
from fanout.orders import Answer, Order

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Bytes of a datagram: an order has some 30, an answer some 200.
DATAGRAM = 4096

#: Orders taken at a time: somebody who sends them without end does not keep a run from its work.
AT_A_TIME = 16

#: Seconds for which an answer is waited for. A run looks for orders once a second, unless a slow reader of its output holds it up.
PATIENCE = 30.0

#: `struct ucred`: pid, uid, gid.
_CREDENTIALS = struct.Struct("iII")

_order = msgspec.json.Decoder(Order)
_answer = msgspec.json.Decoder(Answer)


class Call(msgspec.Struct, frozen=True):
    """An order, and whoever waits for an answer to it."""

    order: Order
    #: For people.
    who: str
    _back: bytes


class Control:
    """A run's end of the way. A context manager."""

    def __init__(self, path: Path) -> None:
        """Be found by whoever has this run file, which is there. Raises OSError when another process is at its address."""
        self._socket = _datagrams(_address(path))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def fileno(self) -> int:
        return self._socket.fileno()

    def calls(self) -> Iterator[Call]:
        """What is ordered now. What is no order, or of somebody who may give none, is answered here."""
        for _ in range(AT_A_TIME):
            try:
                data, pid, uid, back = _receive(self._socket, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            if uid not in {0, os.geteuid()}:
                self._send(Answer("this account may not steer the run", heeded=False), back)
                continue
            try:
                yield Call(_order.decode(data), f"{_name(uid)} (process {pid})", back)
            except msgspec.DecodeError as error:
                self._send(Answer(f"the run does not know this order: {error}", heeded=False), back)

    def answer(self, call: Call, answer: Answer) -> None:
        """Tell whoever gave an order what became of it, if they are still there."""
        self._send(answer, call._back)

    def _send(self, answer: Answer, back: bytes) -> None:
        with suppress(OSError):
            self._socket.sendto(msgspec.json.encode(answer), socket.MSG_DONTWAIT, back)


def give(order: Order, path: Path, patience: float = PATIENCE) -> Answer:
    """Give an order to the run that works on a run file; what becomes of it.

    Raises UsageError when nobody can be reached, nobody answers, or somebody who is not the run does.
    """
    with closing(_datagrams("")) as own:
        own.settimeout(patience)
        try:
            own.connect(_address(path))
            own.send(msgspec.json.encode(order))
            data, _, uid, _ = _receive(own)
        except TimeoutError:
            raise UsageError(
                f"the run of {path} has not answered for {patience:.0f} s: a slow reader of its output may hold it up, "
                "or it is stopped (Ctrl-Z); it may heed the order yet"
            ) from None
        except OSError as error:
            raise UsageError(
                f"whoever works on {path} can't be reached from here: it is in another container, or not yet or no longer "
                "at work on mailboxes"
            ) from error
    if uid not in {0, os.geteuid(), path.stat().st_uid}:
        raise UsageError(f"{_name(uid)} answers in the place of the run of {path}, and is not believed")
    try:
        return _answer.decode(data)
    except msgspec.DecodeError as error:
        raise UsageError(f"the run of {path} answers what this fanout does not understand: {error}") from error


def _address(path: Path) -> str:
    status = path.stat()
    return f"\0fanout-{status.st_dev:x}-{status.st_ino:x}"


def _datagrams(address: str) -> socket.socket:
    """A socket at an address, or, for none, at one that the kernel chooses; whatever it gets says who sent it."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        made.bind(address)
    except OSError:
        made.close()
        raise
    return made


def _receive(end: socket.socket, flags: int = 0) -> tuple[bytes, int, int, bytes]:
    """A datagram, the pid and uid of its sender, and the address to answer at."""
    data, ancillary, _, address = end.recvmsg(DATAGRAM, socket.CMSG_SPACE(_CREDENTIALS.size), flags)
    pid, uid, _ = _CREDENTIALS.unpack(ancillary[0][2])
    return data, pid, uid, address or b""  # who has no address waits for no answer


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # an account without a name, as in many containers
        return f"uid {uid}"
