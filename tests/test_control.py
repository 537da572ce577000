"""The way to a run, over real sockets; whoever answers is another thread of the test."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import msgspec
import pytest

from fanout import control
from fanout.control import Control, give
from fanout.errors import UsageError
from fanout.orders import Answer, Order, Pause, Workers

#: Seconds after which a test gives up.
LIMIT = 30.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "r.fanout").touch()
    return tmp_path / "r.fanout"


@pytest.fixture
def given(path: Path) -> Iterator[Callable[[Order], Future[Answer]]]:
    """Gives an order as another process would, and does not wait."""
    with ThreadPoolExecutor(1) as pool:
        yield lambda order: pool.submit(give, order, path)


def when_called(run: Control) -> list[control.Call]:
    assert select.select([run], [], [], LIMIT)[0]
    return list(run.calls())


def test_an_order_reaches_the_run_and_its_answer_comes_back(
    path: Path, given: Callable[[Order], Future[Answer]]
) -> None:
    with Control(path) as run:
        waiting = given(Workers(3))
        (call,) = when_called(run)
        run.answer(call, Answer("up to 3 workers"))

        assert call.order == Workers(3)
        assert call.who.endswith(f"(process {os.getpid()})")
        assert waiting.result(LIMIT) == Answer("up to 3 workers")


def test_a_run_to_which_nobody_speaks_has_no_calls(path: Path) -> None:
    with Control(path) as run:
        assert list(run.calls()) == []


def test_a_file_on_which_nobody_works_can_be_reached_by_nobody(path: Path) -> None:
    with pytest.raises(UsageError, match="can't be reached from here"):
        give(Pause(), path)


def test_a_run_that_does_not_answer_is_waited_for_so_long_and_no_longer(path: Path) -> None:
    with Control(path), pytest.raises(UsageError, match="has not answered for 0 s"):
        give(Pause(), path, patience=0.01)


def test_an_answer_that_makes_no_sense_is_said_to_make_none(path: Path) -> None:
    with closing(control._datagrams(control._address(path))) as other, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(give, Pause(), path)
        _, _, _, back = control._receive(other)
        other.sendto(b"noise", back)

        with pytest.raises(UsageError, match="answers what this fanout does not understand"):
            waiting.result(LIMIT)


def test_a_second_process_can_not_take_the_place_of_the_first(path: Path) -> None:
    with Control(path), pytest.raises(OSError, match="in use"):
        Control(path)


def test_nothing_is_left_of_a_run_that_has_ended(path: Path) -> None:
    with Control(path):
        pass
    with Control(path) as run:
        assert list(run.calls()) == []

    assert [each.name for each in path.parent.iterdir()] == ["r.fanout"]


def test_a_datagram_that_is_no_order_is_answered_and_not_heeded(path: Path) -> None:
    with Control(path) as run, closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as stranger:
        stranger.bind("")
        stranger.sendto(b"dance", control._address(path))

        assert when_called(run) == []
        said = msgspec.json.decode(stranger.recv(4096), type=Answer)
        assert said.text.startswith("the run does not know this order")
        assert not said.heeded


def test_whoever_has_no_address_gets_no_answer(path: Path) -> None:
    with Control(path) as run, closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as stranger:
        stranger.sendto(msgspec.json.encode(Pause()), control._address(path))
        (call,) = when_called(run)

        run.answer(call, Answer("paused"))
        assert call.order == Pause()


def test_somebody_who_gives_orders_without_end_is_heard_some_at_a_time(path: Path) -> None:
    with Control(path) as run, closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as stranger:
        for _ in range(control.AT_A_TIME + 1):
            with suppress(BlockingIOError):  # the kernel may let fewer wait
                stranger.sendto(msgspec.json.encode(Pause()), socket.MSG_DONTWAIT, control._address(path))

        assert len(list(run.calls())) <= control.AT_A_TIME


#: Gives an order as another account, and prints what comes back.
ANOTHER = """
import os, socket, sys
os.setuid(65534)
own = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
own.bind("")
own.settimeout(30)
own.sendto(b'{"type":"pause"}', "\\0" + sys.argv[1])
print(own.recv(4096).decode())
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act for another account")
def test_another_account_may_not_steer(path: Path) -> None:
    with Control(path) as run, ThreadPoolExecutor(1) as pool:
        words = [sys.executable, "-S", "-c", ANOTHER, control._address(path)[1:]]
        waiting = pool.submit(subprocess.run, words, capture_output=True, text=True, timeout=LIMIT, check=False)

        assert when_called(run) == []
        assert msgspec.json.decode(waiting.result(LIMIT).stdout) == {
            "text": "this account may not steer the run",
            "heeded": False,
        }
