"""Stop, continue and kill what starts the workers, too: the run ends, and nothing is lost."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from random import Random

import psutil
import pytest

from tests.chaos.outside import assert_every_mailbox_has_one_outcome, assert_gone, assert_sink_follows
from tests.chaos.running import Running

pytestmark = pytest.mark.spawns


@pytest.mark.parametrize(
    ("mailboxes", "beats"), [(1500, 14), pytest.param(10_000, 150, marks=pytest.mark.long)], ids=["short", "long"]
)
def test_nothing_is_lost_whoever_is_stopped_or_loses_its_template(tmp_path: Path, mailboxes: int, beats: int) -> None:
    random = Random(4)
    url = f"sim:{mailboxes}?latency=2ms&messages=50"
    running = Running(tmp_path, "run", "census", "--server", url, "-w", "4", "--run-file", "r.fanout", "-o", "r.jsonl")
    stopped: list[psutil.Process] = []
    family: list[psutil.Process] = []

    for beat in range(beats):
        if running.ends_within(0.05):
            break
        resume(stopped)
        family += running.family()
        if beat % 7 == 6 and (template := running.template()):
            template.kill()
        else:
            stopped = stop_some(running, random)
    resume(stopped)
    code, said = running.finish()

    assert code == 0, said
    found = assert_every_mailbox_has_one_outcome(tmp_path / "r.fanout", mailboxes)
    assert [record["error"] for record in found.values() if not record["ok"]] == []
    assert_sink_follows(tmp_path / "r.jsonl", tmp_path / "r.fanout")
    assert_gone(family)


def stop_some(running: Running, random: Random) -> list[psutil.Process]:
    """Stop a worker or two; which ones."""
    living = running.workers()
    chosen = random.sample(living, min(len(living), random.randint(1, 2)))
    for process in chosen:
        with suppress(psutil.NoSuchProcess):
            process.suspend()
    return chosen


def resume(stopped: list[psutil.Process]) -> None:
    for process in stopped:
        with suppress(psutil.NoSuchProcess):
            process.resume()
