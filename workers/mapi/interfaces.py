"""What every MAPI interface has in common: it holds something on the server, and must be released.

A logon lives as long as anything on it does. An interface that is released while something obtained through it is
not, keeps its server object; the last release below it lets go of both. So the order of releases never matters to
what is reached in the end, only to when, and the logon index is free with the last of them.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from workers.mapi.buffers import NO_HANDLE
from workers.mapi.hresults import HResult, MapiError
from workers.mapi.rops import GetPropertiesSpecificRequest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Self

    from workers.mapi.connection import Logon
    from workers.mapi.rops import Request
    from workers.mapi.rows import Row, RowCodec


#: Packages whose code is not a job's; the built-in jobs are.
_OURS, _JOBS = "workers.", "workers.jobs."


class Origin(NamedTuple):
    """The line of code that something was obtained at."""

    file: str
    line: int
    function: str


def _origin() -> Origin:
    """The innermost line that is not ours, or, where there is none, the outermost."""
    frame = sys._getframe(2)
    while frame.f_back is not None:
        name = frame.f_globals.get("__name__", "")
        if not name.startswith(_OURS) or name.startswith(_JOBS):
            break
        frame = frame.f_back
    code = frame.f_code
    return Origin(code.co_filename, frame.f_lineno, code.co_qualname)


class Interface:
    """A server object that the client holds: its handle, the logon it is on, and the interface it came from."""

    #: The interface's name in MAPI.
    kind: ClassVar[str]
    #: Where it was obtained; a store has none.
    origin: Origin

    __slots__ = ("_answer", "_children", "_parent", "handle", "logon", "origin")

    def __init__(self, logon: Logon, handle: int, parent: Interface | None) -> None:
        self.logon = logon
        self.handle = handle
        self._parent = parent
        self._children = 0  # how many obtained through this one still hold their server object
        self._answer = HResult.S_OK  # what all but release answers; S_OK as long as it works
        if parent is not None:
            parent._children += 1
            self.origin = _origin()
        logon.outstanding[self] = None

    def release(self) -> None:
        """Let go of it. Legal in any order, and more than once; never fails, and costs no round trip."""
        if self._answer:
            return
        self._answer = HResult.MAPI_E_INVALID_OBJECT
        self.logon.outstanding.pop(self, None)  # another thread may have lost the connection meanwhile
        self._let_go()

    def invalidate(self, answer: HResult) -> None:
        """It is gone on the server: only `release` still works, everything else raises `answer`."""
        self._answer = answer

    @property
    def is_open(self) -> bool:
        """Neither released nor invalidated."""
        return not self._answer

    def check(self) -> None:
        """Raise MapiError when it was released (INVALID_OBJECT), or lost with its connection (NETWORK_ERROR)."""
        if self._answer:
            raise MapiError(self._answer, where=self.kind)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    def _let_go(self) -> None:
        """Release the server object, and then those above that waited only for this one.

        A loop, since a chain of interfaces can be deeper than the interpreter's stack.
        """
        logon = self.logon
        freed: Interface | None = self
        while freed is not None and freed._answer and not freed._children:
            logon.connection.release(logon, freed.handle)
            freed = freed._parent
            if freed is None:
                logon.connection.end(logon)
            else:
                freed._children -= 1

    def chain(
        self, requests: Sequence[Request], outputs: int = 0, rows: RowCodec | None = None
    ) -> tuple[list[Any], list[int]]:
        """Execute ROPs on this object, which is place 0 of the handle table; `outputs` empty places follow it."""
        self.check()
        return self.logon.chain(requests, [self.handle] + [NO_HANDLE] * outputs, rows)


class PropertyObject(Interface):
    """IMAPIProp: an object with properties."""

    __slots__ = ()

    def get_props(self, tags: tuple[int, ...]) -> Row:
        """The values of the properties, in the order of `tags`; one that is not there is a PropertyError.

        A value too large for the reply is a PropertyError, too (MAPI_E_NOT_ENOUGH_MEMORY): read it as a stream.
        """
        request = GetPropertiesSpecificRequest(self.logon.index, 0, 0, 1, tags)
        [response], _ = self.chain([request])
        values: Row = response.values
        return values
