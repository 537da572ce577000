"""A cluster on another machine, which has neither the job's file nor a loopback in common with the parent, and no TLS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dask.machines import FAR, NAME, SCHEDULER, Machines

pytestmark = pytest.mark.spawns

THERE = ("--engine", "dask", "--scheduler", SCHEDULER)

JOB = """
import platform
import fanout

def larger(one, other):
    return max(one, other)

@fanout.job(merge=larger)
def where(mailbox, word: str):
    return [platform.node(), word, mailbox.address]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def far(folder: Path) -> Iterator[Machines]:
    yield from played(folder)


@pytest.fixture
def cut_off(tmp_path: Path) -> Iterator[Machines]:
    yield from played(tmp_path)


def played(folder: Path) -> Iterator[Machines]:
    try:
        with Machines(folder) as both:
            yield both
    except OSError as error:
        pytest.skip(f"no second machine can be played here: {error}")


def test_a_job_of_a_file_its_options_and_its_merge_function_go_along(far: Machines, folder: Path) -> None:
    (folder / "mine.py").write_text(JOB)

    done = far.fanout("run", "mine.py:where", "--server", "sim:20", "-a", "word=hello", *THERE, "-o", "r.jsonl")

    results = [json.loads(line)["result"] for line in (folder / "r.jsonl").read_text().splitlines()]
    assert done.stderr.splitlines()[-1] == "20 done, 0 failed, of 20"
    assert results == [[NAME, "hello", f"u{number:08}@sim.example"] for number in range(20)]
    assert "total     u00000019@sim.example" in done.stderr.splitlines()


def test_a_module_that_the_other_machine_lacks_is_said_with_its_address(far: Machines, folder: Path) -> None:
    (folder / "here.py").write_text("def job(mailbox):\n    return 1\n")

    done = far.fanout("run", "here:job", "--server", "sim:20", *THERE)

    said = f"fanout: there is no module 'here', from which 'job' was to come (on the Dask worker tcp://{FAR}:"
    assert (done.returncode, done.stderr.splitlines()[-1][: len(said)]) == (2, said)


def test_a_password_does_not_cross_the_cable_without_tls_or_consent(far: Machines, folder: Path) -> None:
    (folder / "password").write_text("secret\n")
    (folder / "password").chmod(0o600)
    words = ("run", "census", "--server", "imap://127.0.0.1:9", "--user", "master", "--password-file", "password")
    (folder / "names").write_text("anna\n")

    refused = far.fanout(*words, "--mailboxes-from", "names", *THERE)

    assert (refused.returncode, refused.stderr.splitlines()[-1].partition(";")[0]) == (
        2,
        "fanout: the password would go to the Dask workers over a network without TLS",
    )


#: A job that cuts the cable of the machine where it is.
CUTS = f"""
import platform, subprocess

def job(mailbox):
    if platform.node() == "{NAME}" and mailbox.address.startswith("u00000200"):
        subprocess.run(["ip", "link", "set", "cable", "down"], check=True)
    return 1
"""


@pytest.mark.long
def test_when_the_cable_is_cut_the_run_stops_and_is_gone_on_with_at_home(
    cut_off: Machines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP", "11s")  # of 30 s; less it does not take
    (tmp_path / "cuts.py").write_text(CUTS)
    words = ("run", "cuts.py:job", "--server", "sim:400", "--chunk-size", "10", "--run-file", "r.fanout")

    stopped = cut_off.fanout(*words, *THERE)
    ended = cut_off.fanout("resume", "r.fanout", "-w", "1")

    assert (stopped.returncode, ended.returncode) == (3, 0)
    assert "stopped early: the connection to the Dask scheduler is lost" in stopped.stderr
    assert ended.stderr.splitlines()[-1] == "400 done, 0 failed, of 400"
