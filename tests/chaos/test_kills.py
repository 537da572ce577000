"""Kill anything at any time: every mailbox ends with exactly one outcome, and the totals are those of a quiet run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from tests.chaos.outside import assert_every_mailbox_has_one_outcome, assert_gone, assert_sink_follows, totals
from tests.chaos.running import Running, kill_one

pytestmark = pytest.mark.spawns


@dataclass(frozen=True)
class Chaos:
    """How large the run is, and what is done to it."""

    mailboxes: int
    workers: int
    #: Workers that are killed, one each `beat` seconds, and times that the parent is.
    kills: int
    beat: float
    parent_kills: int
    seed: int


# Latency alone makes the runs last for 2 and 7 seconds, three times as long as all the kills take: so none is left over.
SHORT = Chaos(mailboxes=1500, workers=4, kills=12, beat=0.05, parent_kills=2, seed=1)
LONG = Chaos(mailboxes=10_000, workers=8, kills=200, beat=0.02, parent_kills=10, seed=2)


@pytest.mark.parametrize("chaos", [SHORT, pytest.param(LONG, marks=pytest.mark.long)], ids=["short", "long"])
def test_nothing_is_lost_whoever_is_killed(tmp_path: Path, chaos: Chaos) -> None:
    url = f"sim:{chaos.mailboxes}?latency=2ms&messages=50"
    quiet = Running(tmp_path, "run", "census", "--server", url, "-w", str(chaos.workers), "--run-file", "quiet.fanout")
    code, _ = quiet.finish()
    assert code == 0

    words = ["run", "census", "--server", url, "-w", str(chaos.workers), "--run-file", "run.fanout", "-o", "run.jsonl"]
    killed = suffer(tmp_path, words, chaos)

    assert killed == (chaos.kills, chaos.parent_kills)
    found = assert_every_mailbox_has_one_outcome(tmp_path / "run.fanout", chaos.mailboxes)
    assert [record["error"] for record in found.values() if not record["ok"]] == []
    assert_sink_follows(tmp_path / "run.jsonl", tmp_path / "run.fanout")
    assert totals(tmp_path / "run.fanout") == totals(tmp_path / "quiet.fanout")


def suffer(folder: Path, words: list[str], chaos: Chaos) -> tuple[int, int]:
    """Run to the end, killing as told; how many workers and parents were killed."""
    random = Random(chaos.seed)
    workers = parents = 0
    running = Running(folder, *words)
    while True:
        if running.ends_within(chaos.beat):
            code, said = running.finish()
            assert code == 0, said
            return workers, parents
        if parents < chaos.parent_kills and workers >= chaos.kills * (parents + 1) // (chaos.parent_kills + 1):
            assert_gone(running.kill())
            parents += 1
            running = Running(folder, "resume", "run.fanout")
        elif workers < chaos.kills:
            workers += kill_one(running.workers(), random)
