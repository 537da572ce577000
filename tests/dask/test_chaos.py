"""Kill anything of a cluster at any time: every mailbox ends with exactly one outcome, and the totals are those of a quiet run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import psutil
import pytest

from tests.chaos.outside import assert_every_mailbox_has_one_outcome, assert_sink_follows, totals
from tests.chaos.running import Running, kill_one
from tests.dask.clusters import Cluster, is_tracker

pytestmark = pytest.mark.spawns


@dataclass(frozen=True)
class Chaos:
    """How large the run is, and what is done to its cluster."""

    mailboxes: int
    nannies: int
    sessions: int
    #: Processes that are killed of each kind: workers and templates of fanout, Dask workers, nannies.
    kills: int
    #: Seconds between two kills.
    beat: float
    seed: int


# Latency alone makes the runs last for 10 and 80 seconds, longer than all the kills take.
SHORT = Chaos(mailboxes=3000, nannies=2, sessions=2, kills=1, beat=0.3, seed=1)
LONG = Chaos(mailboxes=50_000, nannies=3, sessions=2, kills=12, beat=0.5, seed=2)


@pytest.mark.parametrize("chaos", [SHORT, pytest.param(LONG, marks=pytest.mark.long)], ids=["short", "long"])
def test_nothing_is_lost_whoever_is_killed(tmp_path: Path, chaos: Chaos) -> None:
    words = ["run", "census", "--server", f"sim:{chaos.mailboxes}?latency=2ms&messages=50", "--chunk-size", "50"]
    quiet, _ = Running(tmp_path, *words, "-w", "8", "--run-file", "quiet.fanout").finish()
    with Cluster(tmp_path, chaos.nannies, chaos.sessions) as cluster:
        there = ["--engine", "dask", "--scheduler", cluster.scheduler, "--run-file", "run.fanout", "-o", "run.jsonl"]
        killed, code, said = suffer(Running(tmp_path, *words, *there), cluster, chaos, tmp_path / "run.jsonl")

    assert (quiet, code) == (0, 0), said
    assert killed == dict.fromkeys(("own", "dask worker", "nanny"), chaos.kills)
    found = assert_every_mailbox_has_one_outcome(tmp_path / "run.fanout", chaos.mailboxes)
    assert [record["error"] for record in found.values() if not record["ok"]] == []
    assert_sink_follows(tmp_path / "run.jsonl", tmp_path / "run.fanout")
    assert totals(tmp_path / "run.fanout") == totals(tmp_path / "quiet.fanout")


def suffer(running: Running, cluster: Cluster, chaos: Chaos, sink: Path) -> tuple[Counter[str], int, str]:
    """Kill as told from the first outcomes until the run ends; how many of which kind, and how it ended.

    Not before: whoever lists the roster is given up when it is killed five times in a row, which many kills and a slow start do.
    """
    random, killed = Random(chaos.seed), Counter[str]()
    kinds: dict[str, Callable[[], list[psutil.Process]]] = {
        "own": lambda: [process for process in cluster.own() if not is_tracker(process)],
        "dask worker": cluster.dask_workers,
        "nanny": cluster.nannies,
    }
    while not running.ends_within(chaos.beat):
        left = [kind for kind in kinds if killed[kind] < chaos.kills]
        begun = sink.exists() and sink.stat().st_size
        if not begun or not left or not kinds["own"]():  # all is done, or nobody works
            continue
        kind = random.choice(left)
        killed[kind] += kill_one(kinds[kind](), random)
        if len(cluster.nannies()) < chaos.nannies:
            cluster.add()
    code, said = running.finish()
    return killed, code, said
