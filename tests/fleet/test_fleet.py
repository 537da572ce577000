"""`open_all`, with real processes."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import CancelledError
from pathlib import Path

import pytest

import fanout
from fanout import CallError, UsageError, machine
from fanout.errors import CredentialsError
from tests.poison import POISONS
from workers.causes import Cause
from workers.mailbox import Mailbox
from workers.marks import job

pytestmark = pytest.mark.spawns

ROOT = Path(__file__).parents[2]


def address(mailbox: Mailbox) -> str:
    return mailbox.address


def tell_pid(mailbox: Mailbox) -> int:  # noqa: ARG001 - a function takes a mailbox
    return os.getpid()


def logons(mailbox: Mailbox) -> list[int]:
    """How many stores are open beside this one, and its own logon index."""
    connection = mailbox.store.logon.connection
    return [len(connection.logons), mailbox.store.logon.index]


def poisoned(mailbox: Mailbox, *, kind: str) -> object:
    return POISONS[kind](mailbox)


def say(mailbox: Mailbox) -> None:
    sys.stdout.write(f"at {mailbox.address}\n")


def rows(mailbox: Mailbox) -> object:
    yield mailbox.address
    yield len(mailbox.folders())


@job(writes=True)
def write(mailbox: Mailbox) -> str:
    return mailbox.address


def test_every_mailbox_is_open_at_once_over_as_many_workers_as_the_capacity_asks_for() -> None:
    with fanout.open_all(server="sim:600") as fleet:
        found = {outcome.mailbox: outcome.result for outcome in fleet.map(logons)}

        assert fleet.workers == 3
        assert list(found) != []
        assert sorted(found) == fleet.mailboxes
        assert Counter(count for count, _ in found.values()) == {200: 600}
        assert Counter(index for _, index in found.values()) == dict.fromkeys(range(200), 3)


@pytest.mark.parametrize("start_method", ["fork", "spawn"])
def test_a_call_reaches_its_mailbox_with_any_function(start_method: str) -> None:
    prefix = "this is "
    with fanout.open_all(server="sim:5", start_method=start_method) as fleet:
        assert fleet.call(address, "u00000003@sim.example") == "u00000003@sim.example"
        assert fleet.call(lambda mailbox, end: prefix + mailbox.address + end, fleet.mailboxes[1], end="!") == (
            "this is u00000001@sim.example!"
        )
        assert fleet.call(rows, fleet.mailboxes[2]) == ["u00000002@sim.example", 11]
        futures = [fleet.submit(tell_pid, name) for name in fleet.mailboxes]
        assert {future.result() for future in futures}.isdisjoint({os.getpid()})


def test_names_that_were_given_are_held_and_no_others() -> None:
    with fanout.open_all(server="sim:100", mailboxes=["u00000042@sim.example", "nobody@sim.example"]) as fleet:
        assert fleet.mailboxes == ["u00000042@sim.example", "nobody@sim.example"]
        assert {name: error.cause for name, error in fleet.failed.items()} == {"nobody@sim.example": Cause.MISSING}
        assert [outcome.ok for outcome in fleet.map(address, ["u00000042@sim.example"])] == [True]
        with pytest.raises(CallError, match=r"nobody@sim\.example: .*NOT_FOUND") as caught:
            fleet.call(address, "nobody@sim.example")
        assert caught.value.error.cause is Cause.MISSING


def test_a_function_that_raises_tells_the_caller_so() -> None:
    with fanout.open_all(server="null:3") as fleet, pytest.raises(CallError, match="no luck") as caught:
        fleet.call(poisoned, "null-00000001", kind="raise")

    assert (caught.value.error.type, caught.value.error.cause) == ("ValueError", Cause.JOB)
    assert "tests/poison.py" in str(caught.value.error.traceback)


def test_a_result_that_json_cannot_say_fails_its_call() -> None:
    with fanout.open_all(server="null:3") as fleet, pytest.raises(CallError, match="can't be kept"):
        fleet.call(poisoned, "null-00000001", kind="unencodable")


def test_what_a_function_prints_is_printed_here(capsys: pytest.CaptureFixture[str]) -> None:
    with fanout.open_all(server="null:3") as fleet:
        fleet.call(say, "null-00000001")

    assert capsys.readouterr().out == "at null-00000001\n"


@pytest.mark.parametrize("kind", ["exit", "segfault", "kill", "babble", "close"])
def test_a_worker_that_dies_is_replaced_and_its_mailboxes_are_opened_again(kind: str) -> None:
    with fanout.open_all(server="sim:20", workers=2) as fleet:
        before = {outcome.mailbox: outcome.result for outcome in fleet.map(tell_pid)}
        futures = [fleet.submit(poisoned, fleet.mailboxes[0], kind=kind), fleet.submit(address, fleet.mailboxes[0])]
        with pytest.raises(CallError, match="the worker died") as caught:
            [future.result() for future in futures]  # closing a pipe is noticed at the next call only

        after = {outcome.mailbox: outcome.result for outcome in fleet.map(tell_pid)}

    assert caught.value.error.cause is Cause.CRASH
    assert [before[name] == after[name] for name in fleet.mailboxes] == [False] * 10 + [True] * 10


def test_a_call_that_may_be_made_again_survives_its_worker(tmp_path: Path) -> None:
    def die_once(mailbox: Mailbox, *, mark: str) -> str:
        if not os.path.exists(mark):
            open(mark, "w").close()
            os._exit(9)
        return mailbox.address

    with fanout.open_all(server="sim:5") as fleet:
        assert fleet.call(die_once, fleet.mailboxes[0], retry=True, mark=str(tmp_path / "mark")) == fleet.mailboxes[0]


def test_a_call_that_hangs_is_ended_by_its_timeout_and_those_behind_it_are_made() -> None:
    with fanout.open_all(server="null:5", workers=1) as fleet:
        hangs = fleet.submit(poisoned, "null-00000000", timeout=0.5, kind="hang_in_c")
        behind = fleet.submit(address, "null-00000001")

        with pytest.raises(CallError, match="not done after") as caught:
            hangs.result()
        assert caught.value.error.cause is Cause.TIMEOUT
        assert behind.result() == "null-00000001"


def test_workers_that_are_killed_heal() -> None:
    with fanout.open_all(server="sim:40", workers=4) as fleet:
        pids = {outcome.result for outcome in fleet.map(tell_pid)}
        for pid in sorted(pids)[:3]:
            os.kill(int(pid), signal.SIGKILL)

        outcomes = list(fleet.map(address, retry=True))

        assert fleet.wait_until_open()
    assert sorted(outcome.result for outcome in outcomes) == fleet.mailboxes


def test_callers_in_many_threads_get_their_own_answers() -> None:
    wrong: list[str] = []

    def ask(name: str) -> None:
        wrong.extend(name for _ in range(50) if fleet.call(address, name) != name)

    with fanout.open_all(server="sim:600") as fleet:
        threads = [threading.Thread(target=ask, args=(name,)) for name in fleet.mailboxes[::60]]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert wrong == []


def test_what_waits_when_the_fleet_is_closed_is_cancelled_and_nothing_can_be_asked_after() -> None:
    with fanout.open_all(server="null:5", workers=1) as fleet:
        futures = [fleet.submit(poisoned, name, kind="hang") for name in fleet.mailboxes]

    with pytest.raises(CancelledError):
        futures[-1].result()
    with pytest.raises(UsageError, match="the fleet is closed"):
        fleet.call(address, "null-00000000")
    fleet.close()


def test_a_mistake_of_the_caller_is_a_sentence() -> None:
    with fanout.open_all(server="null:5") as fleet:
        with pytest.raises(UsageError, match="the fleet holds no mailbox 'anna'"):
            fleet.call(address, "anna")
        with pytest.raises(CallError, match="unexpected keyword argument 'deep'"):
            fleet.call(address, "null-00000000", deep=True)
        with pytest.raises(CallError, match="writes"):
            fleet.call(write, "null-00000000")
    with fanout.open_all(server="null:5", allow_writes=True) as fleet:
        assert fleet.call(write, "null-00000000") == "null-00000000"
    with pytest.raises(UsageError, match="no mailbox is left"):
        fanout.open_all(server="null:5", mailboxes=[])
    with pytest.raises(CredentialsError):
        fanout.open_all(server="sim:5?account=refused")


def test_a_machine_that_has_no_room_is_looked_at_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "memory_available", lambda _: 2**20)

    with pytest.raises(UsageError, match=r"4 workers need 12,582,912 bytes of memory, and 1,048,576 are to be had"):
        fanout.open_all(server="sim:1000")


def test_nothing_is_left_of_a_fleet_whose_program_is_killed() -> None:
    code = """
import fanout, sys
fleet = fanout.open_all(server="sim:20", workers=4)
print(*{outcome.result for outcome in fleet.map(lambda mailbox: __import__("os").getpid())}, flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdout is not None
        ends = [os.pidfd_open(int(pid)) for pid in program.stdout.readline().split()]
        program.kill()

    assert len(ends) == 4
    for end in ends:
        assert select.select([end], [], [], 30)[0]
        os.close(end)
