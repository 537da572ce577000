"""A job that looks at its options before any mailbox is opened, as `save` does."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from fanout.cli import cli
from fanout.errors import ToldError
from tests.fakes import FakeMailbox
from workers.jobs.save import save
from workers.loading import JobError, load
from workers.marks import Marks, marks_of
from workers.messages import FileJob, ModuleJob

SAVE = ModuleJob("workers.jobs.save", "save")

JOB = """
import fanout

def even(*, number: int = 0):
    if number % 2:
        raise ValueError(f"number={number}: it is odd; give an even one")

@fanout.job(check=even)
def double(mailbox, *, number: int):
    yield 2 * number
"""


@pytest.fixture
def double(tmp_path: Path) -> FileJob:
    path = tmp_path / "mine.py"
    path.write_text(JOB)
    return FileJob(str(path), "double")


def test_a_job_is_had_that_finds_its_options_usable(double: FileJob) -> None:
    job = load(double, {"number": 2})

    assert job(FakeMailbox("anna")) == [4]
    assert marks_of(job).check is not None


def test_a_job_that_finds_its_options_unusable_says_why(double: FileJob) -> None:
    with pytest.raises(JobError) as refused:
        load(double, {"number": 3})

    assert str(refused.value) == "number=3: it is odd; give an even one"


def test_the_options_are_looked_at_as_their_kinds_say(tmp_path: Path) -> None:
    load(SAVE, {"directory": str(tmp_path / "new" / "mail")})

    assert [*(tmp_path / "new").iterdir()] == [tmp_path / "new" / "mail"]
    assert [*(tmp_path / "new" / "mail").iterdir()] == []


@pytest.mark.parametrize(
    ("directory", "why"),
    [("file", "it is a file"), ("file/mail", "Not a directory"), ("x" * 300, "File name too long")],
)
def test_save_says_where_nothing_can_be_saved(tmp_path: Path, directory: str, why: str) -> None:
    (tmp_path / "file").write_text("")
    place = tmp_path / directory

    with pytest.raises(JobError) as refused:
        load(SAVE, {"directory": str(place)})

    assert str(refused.value) == f"directory={place}: nothing can be saved there: {why}; name another directory"


def test_save_has_no_other_mark() -> None:
    assert marks_of(save) == Marks(check=marks_of(save).check)


@pytest.mark.spawns
@pytest.mark.parametrize("servers", [["sim:3"], ["sim:3", "sim:2?seed=1"]])
def test_a_run_whose_job_cannot_use_its_options_is_refused_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, servers: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mail").write_text("a file")

    words = [
        "run",
        "save",
        *(word for server in servers for word in ("--server", server)),
        "-a",
        "directory=mail",
        "-w",
        "1",
    ]
    refused = CliRunner().invoke(cli, words)

    assert isinstance(refused.exception, ToldError)
    assert refused.exception.exit_code == 2
    assert refused.stderr.splitlines() == [
        "fanout: directory=mail: nothing can be saved there: it is a file; name another directory"
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["mail"]
