"""`fanout report`, in this process."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fanout.cli import cli
from fanout.errors import FanoutError, UsageError
from tests.report.runs import finished
from tests.test_cli import fanout as command

#: A job that takes its worker with it at one mailbox.
CRASHES = """
import os, signal
def count(mailbox):
    if mailbox.address.startswith("u00000007"):
        os.kill(os.getpid(), signal.SIGSEGV)
    return {"folders": len(mailbox.folders())}
"""


def report(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, ["report", *(str(word) for word in words)])


def refusal(result: Result) -> tuple[type[FanoutError], str]:
    assert isinstance(result.exception, FanoutError)
    return type(result.exception), str(result.exception)


def test_a_run_is_reported_as_a_page_and_the_file_is_named(tmp_path: Path) -> None:
    page = tmp_path / "run.html"
    result = report(finished(tmp_path / "run.fanout"), "-o", page)

    assert (result.exit_code, result.stderr, result.stdout) == (0, f"written: {page}\n", "")
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.fanout", "run.html"]


def test_a_page_that_is_there_is_kept_unless_it_is_to_be_replaced(tmp_path: Path) -> None:
    run, page = finished(tmp_path / "run.fanout"), tmp_path / "run.html"
    page.write_text("mine")
    refused = report(run, "-o", page)
    kept = page.read_text()
    forced = report(run, "-o", page, "--force")

    assert refusal(refused) == (UsageError, f"-o {page}: the file is there already; --force replaces it")
    assert (kept, forced.exit_code, page.read_text()[:9]) == ("mine", 0, "<!DOCTYPE")


@pytest.mark.parametrize("name", ["run.pdf", "run", "run.html.gz"])
def test_a_report_is_a_page(tmp_path: Path, name: str) -> None:
    result = report(finished(tmp_path / "run.fanout"), "-o", tmp_path / name)

    assert refusal(result) == (UsageError, f"-o {tmp_path / name}: a report is a page, FILE.html")


def test_a_run_file_that_is_none_is_a_mistake(tmp_path: Path) -> None:
    result = report(tmp_path / "no.fanout", "-o", tmp_path / "run.html")

    assert refusal(result)[0] is UsageError
    assert "no run file can be read here" in refusal(result)[1]


def test_a_page_that_can_not_be_written_is_said_and_nothing_is_left(tmp_path: Path) -> None:
    page = tmp_path / "nowhere" / "run.html"
    result = report(finished(tmp_path / "run.fanout"), "-o", page)

    assert refusal(result) == (UsageError, f"the report can't be written: {page}: No such file or directory")


def test_a_report_leaves_the_run_file_as_it_is(tmp_path: Path) -> None:
    run = finished(tmp_path / "run.fanout")
    run.chmod(stat.S_IRUSR)
    before = run.read_bytes()
    result = report(run, "-o", tmp_path / "run.html")

    assert (result.exit_code, run.read_bytes()) == (0, before)


@pytest.mark.spawns
def test_a_run_whose_job_takes_workers_with_it_shows_where_they_died(tmp_path: Path) -> None:
    (tmp_path / "audit.py").write_text(CRASHES)
    words = ("--server", "sim:60", "-w", "2", "--retries", "0", "--run-file", "r.fanout")
    run = command(tmp_path, "run", "audit.py:count", *words)
    page = command(tmp_path, "report", "r.fanout", "-o", "r.html")
    text = (tmp_path / "r.html").read_text()

    assert (run.returncode, page.returncode, page.stderr) == (1, 0, "written: r.html\n")
    assert "59 done, 1 failed, of 60" in text
    assert "ended by SIGSEGV" in text
    assert "<h3>crash " in text
    assert "Mailboxes by folders" in text
