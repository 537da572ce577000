"""`--concurrency`, with real processes: the same outcomes as one mailbox after the other gives."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

import fanout
from fanout import Limits, Policy, UsageError, watch
from tests.chaos.test_poison import EXPECTED, HASTE, LEISURE
from tests.poison import poisoned
from tests.processes import below
from workers.causes import Cause
from workers.mailbox import Mailbox
from workers.marks import job

pytestmark = pytest.mark.spawns

#: Seconds after which a job that waits for another thread has failed.
PATIENCE = 60.0

#: Mailboxes of which some are missing, and some busy at first.
SERVER = "sim:100?latency=1ms&missing=0.05&busy=0.05"

_together = threading.Barrier(4)


def meet(_: Mailbox) -> int:
    """Wait until four mailboxes of this worker are open."""
    _together.wait(PATIENCE)
    return os.getpid()


@job(writes=True)
def write_and_die(mailbox: Mailbox, *, at: str, directory: str) -> None:
    """Note the call in a file; die at one mailbox."""
    with Path(directory, mailbox.address).open("a") as calls:
        calls.write("called\n")
    if mailbox.address == at:
        os._exit(9)


@pytest.fixture(scope="module")
def one() -> Iterator[fanout.Found]:
    """A census of one mailbox after the other."""
    with fanout.run("census", server=SERVER, workers=2, policy=Policy(backoff=0.01)) as found:
        yield found


@pytest.mark.parametrize("separate", [False, True])
@pytest.mark.parametrize("start_method", ["fork", "spawn"])
def test_a_census_is_the_same_with_many_mailboxes_at_a_time(
    one: fanout.Found, start_method: str, *, separate: bool
) -> None:
    many = fanout.run(
        "census",
        server=SERVER,
        workers=2,
        concurrency=20,
        separate_connections=separate,
        start_method=start_method,
        policy=Policy(backoff=0.01),
    )

    assert many.totals == one.totals
    assert [(each.mailbox, each.ok, each.result) for each in many] == [
        (each.mailbox, each.ok, each.result) for each in one
    ]


def test_as_many_mailboxes_are_open_in_a_worker_as_the_concurrency_says() -> None:
    found = fanout.run(meet, server="sim:8", workers=1, concurrency=4)

    found.raise_for_failures()
    assert len({outcome.result for outcome in found}) == 1


def test_a_concurrency_above_the_capacity_is_refused_with_the_arithmetic() -> None:
    with pytest.raises(UsageError, match=r"a concurrency of 255 is more than the 254 .* less 1 reserved"):
        fanout.run("census", server="sim:10?reserved=1", concurrency=255)
    with pytest.raises(UsageError, match="a concurrency of 0"):
        fanout.run("census", server="sim:10", concurrency=0)


@pytest.mark.parametrize(("limits", "some"), [HASTE, LEISURE], ids=["haste", "leisure"])
def test_every_kind_of_poison_fails_its_mailbox_and_no_other_though_many_are_under_way(
    limits: Limits, some: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "PAUSE", 0.5)
    expected = {kind: EXPECTED[kind] for kind in sorted(some)}
    if "hang_deaf" in expected:
        expected["hang_deaf"] = Cause.JOB  # only the main thread may ask for signals to be ignored
    expected.pop("stop", None)  # a thread that stops its process may be done with its mailbox before that takes effect
    chosen = Random(5).sample(range(200), len(expected))
    kinds = {f"null-{ordinal:08}": kind for ordinal, kind in zip(chosen, expected, strict=True)}
    with fanout.run(
        poisoned,
        server="null:200",
        workers=4,
        concurrency=3,
        options={"kinds": kinds},
        policy=Policy(limits, retries=0),
    ) as found:
        errors = {outcome.mailbox: outcome.error for outcome in found}

    wrong = {
        address: (kinds.get(address), error)
        for address, error in errors.items()
        if (error and error.cause) != (expected[kinds[address]] if address in kinds else None)
    }
    assert wrong == {}
    assert len(errors) == 200
    assert below() == []


def test_a_writing_job_is_called_once_for_each_mailbox_though_many_are_under_way(tmp_path: Path) -> None:
    found = fanout.run(
        write_and_die,
        server="sim:100",
        workers=1,
        concurrency=5,
        allow_writes=True,
        options={"at": "u00000020@sim.example", "directory": str(tmp_path)},
    )

    calls = {name: Path(tmp_path, name).read_text().count("\n") for name in os.listdir(tmp_path)}
    assert set(calls.values()) <= {0, 1}  # some were about to write
    assert "u00000020@sim.example" in {outcome.mailbox for outcome in found.failed}
    assert 1 <= len(found.failed) <= 5
    assert {outcome.error and outcome.error.cause.value for outcome in found.failed} == {"uncertain"}
    assert {outcome.mailbox for outcome in found.succeeded} <= set(calls)


def test_what_hangs_is_drained_around_and_its_stack_is_told() -> None:
    found = fanout.run(
        poisoned,
        server="null:50",
        workers=1,
        concurrency=5,
        options={"kinds": {"null-00000003": "hang"}},
        policy=Policy(Limits(timeout=1.0, grace=0.2), retries=0),
    )

    (failed,) = found.failed
    assert failed.mailbox == "null-00000003"
    assert failed.error is not None
    assert failed.error.cause.value == "timeout"
    assert "hang_at" in failed.error.message
