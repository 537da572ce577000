"""What `fanout bench` says of words that can't be meant, before anything is run."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from fanout.bench.document import write
from fanout.bench.settings import Setting
from fanout.cli.benching import bench
from fanout.errors import UsageError
from tests.bench.samples import document, rounds

FOUND = document([Setting(25, 2)], rounds((1.0,)))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory: empty files, and benches to be compared."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.json").write_text("{}")
    write(FOUND, tmp_path / "a.json")
    subject = msgspec.structs.replace(FOUND.subject, mailboxes=50)
    write(msgspec.structs.replace(FOUND, subject=subject), tmp_path / "of-50.json")
    write(msgspec.structs.replace(FOUND, settings=[Setting(50, 2)]), tmp_path / "by-50.json")
    return tmp_path


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--chunk-sizes", "25,x"), "'x': a chunk size is a number of mailboxes, 1 or more, or auto"),
        (("--chunk-sizes", "25,,50"), "'': a chunk size is a number of mailboxes, 1 or more, or auto"),
        (("--start-methods", "fork,forc"), "there is no start method 'forc'; there are fork and spawn"),
        (("--connections", "none"), "there is no kind of connections 'none'; there are shared and separate"),
        (("--workers", "2,0"), "'0': workers is a number from 1 to 4,096; several have commas between them"),
    ],
)
def test_a_value_that_is_none_is_refused_by_its_option(words: tuple[str, ...], said: str) -> None:
    done = CliRunner().invoke(bench, ["census", "--server", "sim:20", *words])

    assert done.exit_code == 2
    assert f"Error: Invalid value for '{words[0]}'" in done.output.replace("-w' / '", "")
    assert done.output.endswith(f"{said}\n")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("--max-time", "5m", "--rounds", "2"),
            "--rounds and --max-time: it is so many rounds, or as many as there is time for",
        ),
        (("--picture", "b.pdf"), "--picture b.pdf: a picture is FILE.png or FILE.svg"),
        (("--json", "there.json"), "there.json is there already: give another name, or --force to replace it"),
        (("--json", "nowhere/b.json"), "nowhere/b.json can't be written: there is no such directory"),
        (("--json", "."), ". can't be written: it is a directory"),
        (("-a", "colour=red"), "-a colour=red: census has no option 'colour'; it has newest"),
        (("--compare", "none.json", "a.json"), "none.json can't be read: No such file or directory"),
        (
            ("--compare", "a.json", "of-50.json"),
            "a.json and of-50.json are benches of different work: mailboxes 100 and 50",
        ),
        (("--compare", "a.json", "by-50.json"), "a.json and by-50.json have measured no setting that is the same"),
    ],
)
def test_what_cannot_be_meant_costs_one_sentence(words: tuple[str, ...], said: str) -> None:
    done = CliRunner().invoke(bench, ["census", "--server", "sim:20", *words])

    assert isinstance(done.exception, UsageError)
    assert str(done.exception) == said


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_takes_no_file_is_seen_before_anything_is_measured(folder: Path) -> None:
    folder.chmod(0o500)

    done = CliRunner().invoke(bench, ["census", "--server", "sim:20", "--json", "b.json"])

    assert str(done.exception) == "b.json can't be written: no permission"
