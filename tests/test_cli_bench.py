"""`fanout bench`, as its user meets it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from fanout.bench.document import read, write
from fanout.bench.settings import AUTO, Axes, Connections, Setting
from tests.bench.samples import document, rounds, slower
from tests.processes import below
from tests.test_cli import ENVIRONMENT, fanout

pytestmark = pytest.mark.spawns

#: A bench as small as any: two settings, two rounds.
SMALL = ("bench", "census", "--server", "sim:20?folders=1", "--chunk-sizes", "5,auto", "-w", "1", "--rounds", "2")


def test_a_bench_leaves_a_table_a_document_and_pictures(tmp_path: Path) -> None:
    done = fanout(tmp_path, *SMALL, "--json", "b.json", "--picture", "b.svg", "--picture", "b.png")

    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == (
        "census of sim:20?folders=1: 20 mailboxes; 1 worker, started by fork, one at a time, shared connections"
    )
    assert [line.split()[0] for line in lines[3:7]] == ["chunk", "size", "5", "auto"]
    assert lines[-1] == "2 rounds of every setting: as many as were asked for"
    assert [line.split(",")[0] for line in done.stderr.splitlines()[:3]] == ["warm-up", "round 1 of 2", "round 2 of 2"]
    assert done.stderr.splitlines()[-3:] == ["written: b.json", "written: b.svg", "written: b.png"]
    assert {path.name for path in tmp_path.iterdir()} == {"b.json", "b.svg", "b.png"}


def test_every_sample_of_every_setting_is_in_the_document(tmp_path: Path) -> None:
    words = ("--chunk-sizes", "auto", "--start-methods", "fork,spawn", "--connections", "separate", "--rounds", "1")
    fanout(tmp_path, *SMALL[:4], *words, "-w", "1", "--seed", "7", "--json", "b.json")

    found = read(tmp_path / "b.json")
    assert (found.seed, found.subject.mailboxes) == (7, 20)
    assert found.settings == Axes((AUTO,), (1,), ("fork", "spawn"), (1,), (Connections.SEPARATE,)).settings()
    assert [sorted(samples) for samples in found.rounds] == [[0, 1]]
    for samples in found.rounds:
        for sample in samples.values():
            assert (sample.mailboxes, sample.failed) == (20, 0)
            assert 0 < sample.first <= sample.wall
            assert sample.cpu > 0
            assert sample.peak > 1


def test_names_that_are_given_are_visited_in_every_round(tmp_path: Path) -> None:
    done = fanout(tmp_path, *SMALL, "--mailboxes-from", "-", "--json", "b.json", stdin="u00000001@sim.example\n")

    assert done.returncode == 0, done.stderr
    assert [sample.mailboxes for samples in read(tmp_path / "b.json").rounds for sample in samples.values()] == [1] * 4


def test_mailboxes_that_fail_are_said(tmp_path: Path) -> None:
    url = "sim:20?folders=1&missing=u00000003@sim.example"

    done = fanout(tmp_path, *SMALL[:3], url, *SMALL[4:])

    assert done.returncode == 0
    assert "1 mailbox failed with every setting" in done.stdout.splitlines()


def test_two_benches_are_compared(tmp_path: Path) -> None:
    before = document([Setting(25, 2)], rounds(*[(1.0,)] * 5))
    write(before, tmp_path / "a.json")
    write(msgspec.structs.replace(slower(before, 1.5), code="2" * 64), tmp_path / "b.json")

    done = fanout(tmp_path, "bench", "--compare", "a.json", "b.json")

    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "slower: chunks of 25"
    assert done.stderr == "differs, and may be the reason: the code of fanout: 111111111111, then 222222222222\n"


def test_a_dry_run_probes_once_and_says_how_long_it_would_take(tmp_path: Path) -> None:
    done = fanout(tmp_path, *SMALL, "--dry-run", "--json", "b.json")

    assert done.returncode == 0
    assert done.stdout.splitlines()[:3] == [
        "2 settings, 20 mailboxes each:",
        "  chunks of 5, 1 worker, started by fork, one at a time, shared connections",
        "  guided chunks (auto), 1 worker, started by fork, one at a time, shared connections",
    ]
    assert done.stdout.splitlines()[3].startswith("a probe of 20 mailboxes took ")
    assert done.stdout.splitlines()[5].startswith("in all: ")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_a_job_that_writes_is_refused(tmp_path: Path, more: tuple[str, ...]) -> None:
    (tmp_path / "job.py").write_text(
        "import fanout\n\n@fanout.job(writes=True)\ndef purge(mailbox):\n    open('w', 'w')\n"
    )

    done = fanout(tmp_path, "bench", "job.py:purge", *SMALL[2:], *more)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "fanout: the job says that it writes, and a bench would have it write again and again: take one that only reads\n"
    )
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--chunk-sizes", "25,300"), "a chunk of 300 mailboxes is more than the 255 that one session can hold open"),
        (("--concurrency", "300"), "a concurrency of 300 is more than the 255 mailboxes"),
    ],
)
def test_more_than_the_server_can_is_refused_before_anything_is_measured(
    tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    done = fanout(tmp_path, *SMALL, *words)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"fanout: {said}")
    assert done.stderr.count("\n") == 1


def test_a_job_that_fails_everywhere_is_nothing_to_measure(tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text("def job(mailbox):\n    raise ValueError\n")

    done = fanout(tmp_path, "bench", "job.py:job", *SMALL[2:])

    assert done.returncode == 2
    assert done.stderr == (
        "fanout: every mailbox failed, with every setting, so there is nothing to measure: fanout run tells why\n"
    )


def test_ctrl_c_shows_what_was_measured_and_leaves_no_process(tmp_path: Path) -> None:
    words = [word for word in SMALL if word not in ("--rounds", "2")]
    command = [sys.executable, "-m", "fanout", *words, "--rounds", "100000", "--json", "b.json"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=ENVIRONMENT, text=True, stdout=-1, stderr=-1, start_new_session=True
    ) as bench:
        assert bench.stderr is not None
        next(line for line in bench.stderr if line.startswith("round 1 "))
        os.killpg(bench.pid, signal.SIGINT)  # as a terminal sends it to all of a bench
        shown, _ = bench.communicate()

    assert bench.returncode == 130
    assert shown.splitlines()[-1].endswith("of every setting: interrupted")
    assert read(tmp_path / "b.json").ending == "interrupted"
    assert below() == []
