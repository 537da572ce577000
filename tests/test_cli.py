"""The command line as a user has it: words in, lines and exit codes out. Each command runs as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

pytestmark = pytest.mark.spawns

ROOT = Path(__file__).parent.parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def fanout(folder: Path, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fanout", *words],
        cwd=folder,
        env=ENVIRONMENT,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


def records(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_census_ends_with_a_summary_and_leaves_records_and_a_run_file(folder: Path) -> None:
    done = fanout(folder, "run", "census", "--server", "sim:50", "-w", "2", "-o", "census.jsonl")

    assert done.returncode == 0
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1] == "50 done, 0 failed, of 50"
    found = records((folder / "census.jsonl").read_text())
    assert sorted(str(record["mailbox"]) for record in found) == [f"u{n:08}@sim.example" for n in range(50)]
    assert list(found[0]) == ["mailbox", "ok", "result", "attempts", "seconds"]
    (run_file,) = folder.glob("census-*.fanout")
    assert stat.S_IMODE(run_file.stat().st_mode) == 0o600


def test_records_go_to_stdout_and_all_else_to_stderr(folder: Path) -> None:
    done = fanout(folder, "run", "logon", "--server", "null:3", "-w", "1", "-o", "-")

    assert [record["mailbox"] for record in records(done.stdout)] == ["null-00000000", "null-00000001", "null-00000002"]


def test_the_totals_do_not_depend_on_workers_and_chunks(folder: Path) -> None:
    totals = {
        next(
            line
            for line in fanout(
                folder,
                "run",
                "census",
                "--server",
                "sim:60?messages=20",
                "-w",
                w,
                "--chunk-size",
                c,
                "--run-file",
                f"{w}-{c}.fanout",
            ).stderr.splitlines()
            if line.startswith("totals")
        )
        for w, c in [("1", "60"), ("2", "7"), ("3", "1"), ("2", "auto")]
    }

    assert len(totals) == 1


def test_mailboxes_that_fail_are_counted_by_cause_and_change_the_exit_code(folder: Path) -> None:
    url = "sim:20?missing=u00000003@sim.example&denied=u00000007@sim.example"
    done = fanout(folder, "run", "census", "--server", url, "-w", "2", "--run-file", "r.fanout")

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "18 done, 2 failed, of 20"
    shown = fanout(folder, "show", "r.fanout", "--failed").stdout.splitlines()
    assert [line.split("\t")[:2] for line in shown] == [
        ["u00000003@sim.example", "missing 0x8004010F"],
        ["u00000007@sim.example", "denied 0x80070005"],
    ]


def test_failures_of_a_tolerated_cause_do_not_change_the_exit_code(folder: Path) -> None:
    url = "sim:20?missing=u00000003@sim.example"

    done = fanout(folder, "run", "census", "--server", url, "-w", "1", "--tolerate", "missing")

    assert done.returncode == 0


def test_what_a_job_printed_is_shown_with_its_mailbox(folder: Path) -> None:
    (folder / "job.py").write_text("def job(mailbox):\n    print('seen', mailbox.address)\n    return 1\n")

    fanout(folder, "run", "job.py:job", "--server", "null:4", "-w", "2", "--run-file", "r.fanout")

    shown = fanout(folder, "show", "r.fanout", "null-00000002").stdout
    assert "result    1" in shown
    assert shown.splitlines()[-2:] == ["printed:", "seen null-00000002"]


def test_a_job_of_a_module_in_this_directory_is_found_and_takes_options(folder: Path) -> None:
    (folder / "mine.py").write_text("def job(mailbox, *, add=0):\n    yield add + 1\n    yield add + 2\n")

    done = fanout(folder, "run", "mine:job", "-a", "add=10", "--server", "null:1", "-w", "1", "-o", "-")

    assert [record["result"] for record in records(done.stdout)] == [[11, 12]]


def test_a_users_own_workers_module_shadows_nothing(folder: Path) -> None:
    (folder / "workers.py").write_text("raise RuntimeError('not mine')\n")

    for method in ("fork", "spawn"):
        done = fanout(
            folder, "run", "logon", "--server", "null:3", "-w", "1", "--start-method", method, "--run-file", method
        )
        assert done.returncode == 0, done.stderr


def test_a_chunk_above_the_capacity_is_refused_with_the_arithmetic(folder: Path) -> None:
    done = fanout(folder, "run", "census", "--server", "sim:1000?reserved=3", "--chunk-size", "253")

    assert done.returncode == 2
    assert "253 mailboxes is more than the 252" in done.stderr
    assert "255 logon indexes, less 3 reserved" in done.stderr
    assert list(folder.iterdir()) == []


def test_separate_connections_lift_the_ceiling(folder: Path) -> None:
    done = fanout(
        folder, "run", "logon", "--server", "sim:300", "--chunk-size", "300", "--separate-connections", "-w", "1"
    )

    assert done.returncode == 0


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["run", "nothing", "--server", "null:1"], "there is no job 'nothing'"),
        (["run", "gone.py:job", "--server", "null:1"], "gone.py"),
        (["run", "census", "--server", "sim:many?x=1"], "sim:"),
        (["run", "census", "--server", "sim:10?latency=fast"], "latency"),
        (["run", "census", "--server", "sim:/no/such/place"], "/no/such/place"),
        (["run", "census"], "--server"),
        (["run", "census", "--server", "null:0"], "no mailbox is left"),
        (["run", "census", "--server", "null:5", "-a", "newest"], "key=value"),
        (["run", "census", "--server", "null:5", "-a", "oldest=1"], "no option 'oldest'"),
        (["run", "census", "--server", "null:5", "-a", "newest=perhaps"], "is not true or false"),
        (["run", "logon", "--server", "null:5", "-o", "out.csv"], ".jsonl"),
        (["run", "logon", "--server", "null:5", "--chunk-size", "some"], "chunk size"),
        (["run", "logon", "--server", "null:5", "--shard", "3/2"], "1 <= I <= N"),
        (["run", "logon", "--server", "null:5", "--mailboxes-from", "gone.txt"], "gone.txt"),
        (["show", "gone.fanout"], "gone.fanout"),
        (["resume", "gone.fanout"], "gone.fanout"),
        (["resume", "/dev/null"], "/dev/null"),
        (["resume", "gone.fanout", "--only-failed=luck"], "'luck'"),
        (["run", "logon", "--server", "null:5", "--continue"], "--run-file"),
        (["run", "logon", "--server", "null:5", "--timeout", "soon"], "'soon': a limit is given in seconds"),
        (["run", "logon", "--server", "null:5", "--max-rss", "big"], "'big': a size is given in bytes"),
        (["run", "logon", "--server", "null:5", "--max-result", "1G"], "128M at the most"),
        (["run", "logon", "--server", "null:5", "--rate", "0"], "'0': a rate is given as N/s"),
        (["run", "logon", "--server", "null:5", "--max-failures", "120%"], "'120%': failures are limited"),
        (["show", "/dev/null"], "/dev/null"),
        (["show", "gone.fanout", "--failed", "--slowest", "3"], "give one of them"),
        (["export", "/dev/null", "-o", "out.xls"], "an export is FILE.jsonl, FILE.csv or FILE.parquet"),
        (["run", "mine.py", "--server", "null:1"], "mine.py:FUNCTION"),
        (["run", "logon", "--server", "null:1", "-o", ""], "nothing is given after -o"),
        (["run", "logon", "--server", "null:1", "--run-file="], "nothing is given after --run-file="),
        (["run", "logon", "--server", "null:1", "--run-file", "caf\udce9.fanout"], "'caf\\udce9.fanout' is not UTF-8"),
        (["run", "logon", "--server", "null:1", "--run-file", "."], "there is a file already: ."),
    ],
)
def test_a_mistake_costs_one_clear_sentence_and_leaves_nothing(folder: Path, words: list[str], what: str) -> None:
    done = fanout(folder, *words)

    assert done.returncode == 2, done.stderr
    assert what in done.stderr
    assert "Traceback" not in done.stderr
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "code", ["1 / 0", "def job(): return 1", "import sys; sys.exit(4)", "def other(mailbox): return 1"]
)
def test_a_job_that_workers_cannot_have_is_a_mistake_that_leaves_nothing(folder: Path, code: str) -> None:
    (folder / "mine.py").write_text(code)

    done = fanout(folder, "run", "mine.py:job", "--server", "null:3", "-o", "out.jsonl", "-q")

    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in folder.iterdir() if path.name != "__pycache__"] == ["mine.py"]


@pytest.mark.parametrize("words", [["mailboxes", "--server", "sim:3"], ["plan", "--server", "sim:3"]])
def test_a_stdout_that_takes_no_more_is_said(folder: Path, words: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "fanout", *words],
            cwd=folder,
            env=ENVIRONMENT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert done.returncode == 3
    assert done.stderr == "fanout: stdout can't be written: No space left on device\n"


def test_a_log_that_is_full_ends_no_run(folder: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "fanout", "run", "logon", "--server", "null:3"],
            cwd=folder,
            env=ENVIRONMENT,
            stderr=full,
            check=False,
        )

    assert done.returncode == 0


def test_results_that_are_there_are_not_overwritten_without_force(folder: Path) -> None:
    (folder / "out.jsonl").write_text("precious\n")
    words = ("run", "logon", "--server", "null:2", "-w", "1", "-o", "out.jsonl")

    refused = fanout(folder, *words)
    assert refused.returncode == 2
    assert "--force" in refused.stderr
    assert (folder / "out.jsonl").read_text() == "precious\n"

    assert fanout(folder, *words, "--force").returncode == 0
    assert len(records((folder / "out.jsonl").read_text())) == 2


def test_names_come_from_stdin_and_are_chosen_among(folder: Path) -> None:
    names = "# these\nu00000001@sim.example\n\nU00000002@sim.example\nother\nu00000001@sim.example\n"

    done = fanout(folder, "mailboxes", "--server", "sim:5", "--mailboxes-from", "-", "--include", "u*", stdin=names)

    assert done.stdout.splitlines() == ["u00000001@sim.example", "U00000002@sim.example"]


def test_the_shards_of_a_roster_are_the_roster(folder: Path) -> None:
    parts = [
        fanout(folder, "mailboxes", "--server", "sim:40", "--shard", f"{i}/3").stdout.splitlines() for i in (1, 2, 3)
    ]

    assert (
        sorted(name for part in parts for name in part)
        == fanout(folder, "mailboxes", "--server", "sim:40").stdout.splitlines()
    )


def test_the_plan_shows_each_chunk(folder: Path) -> None:
    done = fanout(folder, "plan", "--server", "sim:10", "--chunk-size", "4", "-w", "2")

    assert done.stdout.splitlines() == [
        "chunk\tmailboxes\tfirst\tlast",
        "1\t4\tu00000000@sim.example\tu00000003@sim.example",
        "2\t4\tu00000004@sim.example\tu00000007@sim.example",
        "3\t2\tu00000008@sim.example\tu00000009@sim.example",
    ]


def test_an_export_has_the_order_of_the_roster(folder: Path) -> None:
    fanout(folder, "run", "logon", "--server", "null:100", "-w", "3", "--chunk-size", "3", "--run-file", "r.fanout")

    done = fanout(folder, "export", "r.fanout", "-o", "-")

    assert [record["mailbox"] for record in records(done.stdout)] == [f"null-{n:08}" for n in range(100)]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_says_so_and_keeps_what_was_done(folder: Path, number: signal.Signals, code: int) -> None:
    """One mailbox never answers; when the records of those before it have come, a signal asks it to end, and a second one to end at once."""
    url = "sim:8?hang=u00000005@sim.example"
    words = ["run", "logon", "--server", url, "-w", "1", "--chunk-size", "2", "-o", "-", "--run-file", "r.fanout"]
    running = subprocess.Popen(
        [sys.executable, "-m", "fanout", *words],
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    first = [running.stdout.readline() for _ in range(4)]

    said = None
    for patience in (1, 20, 60):  # two signals that come close together could be taken for one
        running.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            _, said = running.communicate(timeout=patience)
            break
    assert said is not None

    assert len(first) == 4
    assert running.returncode == code
    assert said.splitlines()[-2:] == ["to go on with it: fanout resume r.fanout", "4 done, 0 failed, of 8"]
    assert said.count("interrupt once more") == 1
    assert "interrupted" in fanout(folder, "show", "r.fanout").stdout


def test_every_command_has_an_example_in_its_help(folder: Path) -> None:
    for command in ("run", "resume", "mailboxes", "plan", "export", "show"):
        help_text = fanout(folder, command, "--help").stdout

        assert f"fanout {command} " in help_text.partition("Options")[0].partition("\n")[2], command
