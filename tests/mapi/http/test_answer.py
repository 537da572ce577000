"""What stands around an answer's body, and what a server's numbers mean."""

from __future__ import annotations

import pytest

from workers.mapi.http.answer import ResponseCodeError, read_answer
from workers.mapi.transport import ConnectionLost

DONE = b"DONE\r\nX-ElapsedTime: 45\r\nX-StartTime: Sun, 22 Nov 2026 09:29:39 GMT\r\n\r\n"


@pytest.mark.parametrize("pending", range(3))
def test_a_body_begins_behind_the_preamble_however_often_the_server_was_not_done(pending: int) -> None:
    answer = read_answer(b"PROCESSING\r\n" + b"PENDING\r\n" * pending + DONE + b"\0\r\n\r\nDONE\r\n\r\n")

    assert answer.body == b"\0\r\n\r\nDONE\r\n\r\n"
    assert answer.headers == {"x-elapsedtime": "45", "x-starttime": "Sun, 22 Nov 2026 09:29:39 GMT"}


def test_a_code_may_come_late() -> None:
    answer = read_answer(b"PROCESSING\r\nDONE\r\nX-ResponseCode: 10\r\n\r\n")

    assert answer.headers["x-responsecode"] == "10"


@pytest.mark.parametrize("end", [0, 5, 12, 21, 40, len(b"PROCESSING\r\n" + DONE) - 1])
def test_an_answer_that_breaks_off_in_its_preamble_is_a_lost_connection(end: int) -> None:
    with pytest.raises(ConnectionLost, match=f"breaks off after {end} bytes"):
        read_answer((b"PROCESSING\r\n" + DONE)[:end])


@pytest.mark.parametrize(
    ("code", "specified", "gromox"),
    [
        (5, "invalid request type", "invalid request body"),
        (7, "missing header", "invalid sequence"),
        (8, "anonymous not allowed", "invalid request type"),
        (15, "invalid sequence", "of unknown meaning"),
    ],
)
def test_numbers_mean_what_they_mean_on_the_server_that_says_them(code: int, specified: str, gromox: str) -> None:
    assert ResponseCodeError(code, {"MapiContext": "x", "MapiSequence": "y"}).meaning == specified
    assert ResponseCodeError(code, {"sid": "x", "sequence": "y"}).meaning == gromox
