"""Whole runs on a Dask cluster: what they find is what processes of this machine find, also when they take turns."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import fanout
from fanout import Limits, Policy
from fanout.conduct import Workforce
from fanout.engines.cluster import Certificates, Cluster
from fanout.engines.hosting import Hosting, versions
from fanout.errors import StoppedError, UsageError
from fanout.runfile import RunFile
from tests.chaos.outside import assert_sink_follows, records
from tests.chaos.running import ENVIRONMENT, ROOT, Running
from tests.dask import clusters
from tests.poison import poisoned
from tests.test_engine import begin
from workers.causes import Cause

pytestmark = pytest.mark.spawns

#: A job that fails while a file says so; it stands in a file of its own.
FAILS = """
from pathlib import Path

def job(mailbox):
    number = int(mailbox.address[-8:])
    if Path("{folder}", "broken").exists() and number == 30:
        raise ValueError(number)
    return number
"""


def outcomes(found: fanout.Found) -> list[tuple[object, ...]]:
    return [(each.mailbox, each.ok, each.result, each.attempts) for each in found]


def said_by(folder: Path, *words: str) -> tuple[int, list[str]]:
    """How `fanout` with these words ends, and what it says."""
    code, said = Running(folder, *words).finish()
    return code, said.splitlines()


@pytest.mark.parametrize("count", [600, pytest.param(100_000, marks=pytest.mark.long)], ids=["short", "long"])
def test_a_census_finds_what_processes_find(dask: clusters.Cluster, count: int) -> None:
    server = f"sim:{count}?missing=0.01"
    with Cluster.at(dask.scheduler, Certificates(), "census") as cluster:
        there = fanout.run("census", server=server, workplace=cluster)
    here = fanout.run("census", server=server, workers=2)

    assert len(here) == count
    assert outcomes(there) == outcomes(here)
    assert there.totals == here.totals


def test_the_poisoned_fail_with_their_cause_and_all_others_are_done(dask: clusters.Cluster) -> None:
    poisons = {
        "exit": Cause.CRASH,
        "segfault": Cause.CRASH,
        "babble": Cause.CRASH,
        "close": Cause.CRASH,
        "hang_in_c": Cause.TIMEOUT,
        "stop": Cause.TIMEOUT,
        "raise": Cause.JOB,
        "fork_and_return": None,
    }
    kinds = {f"null-{17 * place:08}": kind for place, kind in enumerate(poisons)}
    policy = Policy(Limits(timeout=2.0, grace=0.2), retries=0)
    with Cluster.at(dask.scheduler, Certificates(), "poison") as cluster:
        found = fanout.run(
            poisoned, server="null:200", options={"kinds": kinds}, policy=policy, chunk_size=10, workplace=cluster
        )

    assert len(found) == 200
    failed = {each.mailbox: each.error.cause for each in found.failed if each.error}
    assert failed == {name: poisons[kind] for name, kind in kinds.items() if poisons[kind]}


#: A job that takes its Dask worker along: that started its template, which started its worker.
FATAL = """
import os, signal
import psutil

def job(mailbox):
    if mailbox.address.endswith("7"):
        psutil.Process().parent().parent().kill()
        signal.pause()
    return 1
"""


@pytest.mark.long
def test_a_mailbox_that_always_takes_its_dask_worker_along_is_found_and_named(tmp_path: Path) -> None:
    (tmp_path / "fatal.py").write_text(FATAL)
    with clusters.Cluster(tmp_path, nannies=1) as cluster:
        words = ["run", "fatal.py:job", "--server", "null:8", "--chunk-size", "4", "--run-file", "r.fanout"]
        code, said = said_by(tmp_path, *words, "--engine", "dask", "--scheduler", cluster.scheduler)

    failed = [record["error"] for record in records(tmp_path / "r.fanout").values() if not record["ok"]]
    assert (code, said[-1]) == (1, "7 done, 1 failed, of 8")
    assert [error["message"].partition(" (")[0] for error in failed] == [
        "the worker died at this mailbox, by the loss of its Dask worker; its last words: its line has ended"
    ]


@pytest.mark.parametrize("first", ["processes", pytest.param("dask", marks=pytest.mark.long)])
def test_a_run_that_was_begun_by_one_engine_is_ended_by_the_other(
    dask: clusters.Cluster, tmp_path: Path, first: str
) -> None:
    (tmp_path / "fails.py").write_text(FAILS.format(folder=tmp_path))
    (tmp_path / "broken").touch()
    engines = {"processes": [], "dask": ["--engine", "dask", "--scheduler", dask.scheduler]}
    second = next(engine for engine in engines if engine != first)
    words = ["--server", "null:100", "-w", "2", "--chunk-size", "5", "--max-failures", "0", "-o", "r.jsonl"]

    begun, _ = said_by(tmp_path, "run", "fails.py:job", *words, "--run-file", "r.fanout", *engines[first])
    (tmp_path / "broken").unlink()
    rest, _ = said_by(tmp_path, "resume", "r.fanout", *engines[second])
    ended, said = said_by(tmp_path, "resume", "r.fanout", "--only-failed", *engines[first])

    assert (begun, rest, ended) == (3, 1, 0)
    assert said[-1] == "100 done, 0 failed, of 100"
    assert_sink_follows(tmp_path / "r.jsonl", tmp_path / "r.fanout")


def test_without_a_scheduler_a_cluster_is_started_here_and_ended(tmp_path: Path) -> None:
    code, said = said_by(
        tmp_path, "run", "census", "--server", "sim:50", "--engine", "dask", "-w", "3", "-o", "r.jsonl"
    )

    assert (code, said[-1]) == (0, "50 done, 0 failed, of 50")
    assert said[0].startswith("Dask's dashboard: http://127.0.0.1:")
    assert len((tmp_path / "r.jsonl").read_text().splitlines()) == 50


# --- what can't be ----------------------------------------------------------------------------------------------------


def refused(folder: Path, *words: str) -> tuple[int, str]:
    """How a run on a cluster is refused: the exit code, and the one line that says why; nothing is left of it."""
    code, said = said_by(folder, "run", "census", "--server", "sim:5", *words)
    assert len(said) == 1, said
    assert list(folder.iterdir()) == []
    return code, said[0]


def test_a_cluster_without_sessions_is_refused_with_the_command_that_adds_them(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "here").mkdir()
    with clusters.Cluster(tmp_path / "logs", nannies=1, sessions=0) as cluster:
        said = refused(tmp_path / "here", "--engine", "dask", "--scheduler", cluster.scheduler)

    command = f"dask worker {cluster.scheduler} --resources fanout-session=N"
    assert said == (2, f"fanout: no worker of the Dask cluster has sessions to give; start some with: {command}")


def test_more_workers_than_free_sessions_are_refused(dask: clusters.Cluster, tmp_path: Path) -> None:
    code, said = refused(tmp_path, "-q", "--engine", "dask", "--scheduler", dask.scheduler, "-w", "3")

    assert code == 2
    assert said.startswith(
        "fanout: 3 workers need as many sessions, and the cluster has 2 that are free; ask for fewer, or start"
    )


def test_sessions_that_another_run_has_taken_are_not_free(dask: clusters.Cluster, tmp_path: Path) -> None:
    with Cluster.at(dask.scheduler, Certificates(), "another") as cluster:
        engine = cluster.engine(Workforce(2))
        for number in (0, 1):
            engine.start(number, begin("hang"))
            while not engine.wait(None):
                pass

        code, said = refused(tmp_path, "--engine", "dask", "--scheduler", dask.scheduler)
        engine.close()

    assert (code, said.partition(";")[0]) == (2, "fanout: all 2 sessions of the Dask cluster are taken")


def test_a_dask_worker_with_another_fanout_is_named(dask: clusters.Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    there = versions()
    monkeypatch.setattr("fanout.engines.cluster.versions", lambda: {**there, "fanout": "0.0.9"})

    with pytest.raises(UsageError) as caught:
        Cluster.at(dask.scheduler, Certificates(), "a test")

    rest = f"Python {there['Python']} and distributed {there['distributed']}"
    both = f"fanout {there['fanout']}, {rest}, and here are fanout 0.0.9, {rest}"
    assert str(caught.value).endswith(f" has {both}: both sides need the same")
    assert any(f"the Dask worker {address} on " in str(caught.value) for address in dask.workers)


def test_a_scheduler_of_another_dask_is_refused(dask: clusters.Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    there = versions()
    monkeypatch.setattr("fanout.engines.cluster.versions", lambda: {**there, "distributed": "2001.2"})

    with pytest.raises(UsageError) as caught:
        Cluster.at(dask.scheduler, Certificates(), "a test")

    assert str(caught.value) == (
        f"the Dask scheduler has distributed {there['distributed']}, and here is 2001.2: both sides need the same"
    )


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--scheduler", "tcp://127.0.0.1:8786"], 2, "--scheduler tcp://127.0.0.1:8786: that is for --engine dask"),
        (["--engine", "dask", "--tls-ca", "/ca.pem"], 2, "--tls-ca /ca.pem: that is for --scheduler"),
        (
            ["--engine", "dask", "--scheduler", "tls://127.0.0.1:1", "--tls-ca", "ca.pem", "--tls-cert", "own.pem"],
            2,
            "--tls-ca, --tls-cert, --tls-key: TLS can't be spoken with these: [Errno 2] No such file or directory: ",
        ),
        (
            ["--engine", "dask", "--scheduler", "tls://127.0.0.1:1"],
            2,
            "--scheduler tls://127.0.0.1:1: TLS takes --tls-ca",
        ),
        (["--engine", "dask", "--scheduler", "carrier://pigeon"], 2, "--scheduler carrier://pigeon: "),
    ],
)
def test_words_that_can_not_be_meant_are_refused(tmp_path: Path, words: list[str], code: int, said: str) -> None:
    found = refused(tmp_path, *words)

    assert (found[0], found[1][: len("fanout: " + said)]) == (code, "fanout: " + said)


def test_without_distributed_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "here").mkdir()
    (tmp_path / "elsewhere" / "distributed.py").write_text(
        "raise ModuleNotFoundError('distributed', name='distributed')"
    )
    monkeypatch.setitem(ENVIRONMENT, "PYTHONPATH", f"{tmp_path / 'elsewhere'}:{ROOT}")

    said = refused(tmp_path / "here", "--engine", "dask")

    assert said == (
        2,
        "fanout: --engine dask takes distributed, which is not installed: pip install 'mailbox-fanout[dask]'",
    )


def test_a_scheduler_that_does_not_answer_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fanout.engines.cluster.CONNECT", 0.1)

    with pytest.raises(StoppedError, match=r"the Dask scheduler at tcp://127\.0\.0\.1:1 can't be reached: "):
        Cluster.at("tcp://127.0.0.1:1", Certificates(), "a test")


def test_a_cluster_that_does_not_tell_what_it_has_stops_the_run(
    dask: clusters.Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Cluster, "_look", never)

    with pytest.raises(StoppedError, match="the Dask cluster does not tell what it has: TimeoutError"):
        Cluster.at(dask.scheduler, Certificates(), "a test")


@pytest.mark.parametrize(
    ("hosting", "said"),
    [
        (
            Hosting(1, "far", None, versions() | {"Python": "3.99"}),
            r"tcp://far:1 on far has fanout .*, Python 3\.99 and distributed",
        ),
        (Hosting(1, "far", None, versions(), "no dill"), r"tcp://far:1 on far can't load fanout: no dill"),
        (
            Hosting(0, "far", None, {"fanout": "", "Python": "3.99"}, "no dill"),
            "no worker of the Dask cluster has sess",
        ),
    ],
    ids=["another Python", "half of a fanout", "no sessions"],
)
def test_a_dask_worker_that_can_not_have_workers_is_named_if_it_is_there_for_them(
    dask: clusters.Cluster, monkeypatch: pytest.MonkeyPatch, hosting: Hosting, said: str
) -> None:
    async def look(_: Cluster) -> dict[str, Hosting]:
        return {"tcp://far:1": hosting}

    monkeypatch.setattr(Cluster, "_look", look)

    with pytest.raises(UsageError, match=said):
        Cluster.at(dask.scheduler, Certificates(), "a test")


async def never(_: Cluster) -> None:
    raise TimeoutError


def test_the_engine_and_its_scheduler_are_of_a_sitting_and_not_of_the_run(
    dask: clusters.Cluster, tmp_path: Path
) -> None:
    words = ["--engine", "dask", "--scheduler", dask.scheduler]
    code, _ = said_by(tmp_path, "run", "logon", "--server", "null:5", *words, "--run-file", "r.fanout")

    with RunFile.open(tmp_path / "r.fanout") as file:
        facts, (sitting,) = file.facts(), file.sittings()
    assert code == 0
    assert " ".join(words) in sitting.command
    assert dask.scheduler not in json.dumps(facts, default=repr)
