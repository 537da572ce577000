"""An answer's own text before its body, and the codes that stand in a header ([MS-OXCMAPIHTTP] 2.2.2.2, 2.2.3.3.3)."""

from __future__ import annotations

from typing import NamedTuple

from workers.mapi.transport import ConnectionLost

#: What X-ResponseCode means by the specification.
_SPECIFIED = {
    1: "unknown failure",
    2: "invalid verb",
    3: "invalid path",
    4: "invalid header",
    5: "invalid request type",
    6: "invalid context cookie",
    7: "missing header",
    8: "anonymous not allowed",
    9: "too large",
    10: "context not found",
    11: "no privilege",
    12: "invalid request body",
    13: "missing cookie",
    15: "invalid sequence",
}

#: What it means where the session's cookie is called `sid`: gromox has numbers of its own.
_GROMOX = {
    1: "missing X-RequestType",
    2: "unknown or expired session",
    3: "missing header",
    4: "another account's session",
    5: "invalid request body",
    6: "missing cookie",
    7: "invalid sequence",
    8: "invalid request type",
    9: "out of memory",
}


class ResponseCodeError(ConnectionLost):
    """X-ResponseCode was not 0. Whatever it means there, the context is of no more use: the next request would be out of
    sequence, or is refused for the same reason."""

    def __init__(self, code: int, cookies: dict[str, str]) -> None:
        self.code = code
        self.meaning = (_GROMOX if "sid" in cookies else _SPECIFIED).get(code, "of unknown meaning")
        super().__init__(f"X-ResponseCode {code}, {self.meaning}")


class Answer(NamedTuple):
    """What came behind the preamble."""

    headers: dict[str, str]  # those that came late; their names in lower case
    body: bytes


def read_answer(content: bytes) -> Answer:
    """Part the preamble from the body: PROCESSING, PENDING now and then, DONE, headers, an empty line.

    Raises ConnectionLost when the answer ends before that.
    """
    preamble, blank, body = content.partition(b"\r\n\r\n")
    lines = preamble.split(b"\r\n")
    if not blank or b"DONE" not in lines:
        raise ConnectionLost(f"an answer that breaks off after {len(content)} bytes")
    late = (line.decode("latin-1").partition(":") for line in lines[lines.index(b"DONE") + 1 :])
    return Answer({name.strip().lower(): value.strip() for name, _, value in late}, body)
