"""The help of jobs: true of what they return, and read without importing those of others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from fanout import jobhelp, jobs
from fanout.cli import cli
from fanout.errors import UsageError
from tests.test_options import SOURCE
from workers.jobs import BUILT_IN
from workers.loading import load
from workers.servers import server_at
from workers.slots import private_slot
from workers.totals import written


def shape(value: Any) -> Any:  # noqa: ANN401 - any result
    """What a result looks like: names and kinds, of lists those of the first."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    return [shape(each) for each in value[:1]] if isinstance(value, list) else type(value)


def of_example(name: str, folder: Path) -> Any:  # noqa: ANN401
    """What the example of a job finds in the first mailbox where it finds something."""
    words = jobhelp.help_of(name).example.split()
    given = tuple(words[place + 1] for place, word in enumerate(words) if word == "-a")
    job = jobs.named(name)
    options = {**jobs.options(job, given), **({"directory": str(folder)} if name == "save" else {})}
    server = server_at(words[words.index("--server") + 1])
    found = load(job, options)
    session = server.session(private_slot())
    for address in server.addresses():
        with session.open(address) as mailbox:
            result = msgspec.json.decode(msgspec.json.encode(found(mailbox), enc_hook=written))
        if result:
            return result
    return None


@pytest.mark.parametrize("name", sorted({*BUILT_IN} - {"senders"}))
def test_a_result_looks_as_the_help_says(name: str, tmp_path: Path) -> None:
    assert shape(of_example(name, tmp_path)) == shape(json.loads(jobhelp.help_of(name).result))


def test_senders_are_counted_as_the_help_says(tmp_path: Path) -> None:
    told = json.loads(jobhelp.help_of("senders").result)
    found = of_example("senders", tmp_path)

    assert {*map(type, found.values())} == {*map(type, told.values())} == {int}
    assert all("@" in address for address in found)


def fanout(*words: str) -> Result:
    return CliRunner().invoke(cli, ["jobs", *words], standalone_mode=False)


def test_every_job_has_a_line() -> None:
    lines = fanout().stdout.splitlines()

    assert [line.split()[0] for line in lines] == list(BUILT_IN)
    assert all(line.endswith(".") for line in lines)


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_help_of_a_job_tells_every_option_with_its_kind_and_default(name: str) -> None:
    text = fanout(name).stdout

    for option in jobhelp.help_of(name).options:
        assert option.kind
        row = f" {option.name} {option.kind.words} {option.default or 'needed'}\n"
        assert row in "\n".join(" " + " ".join(line.split()) for line in text.splitlines()) + "\n"
    assert "example   fanout run" in text
    assert max(map(len, text.split("example   ")[0].splitlines())) <= 100


def test_a_job_of_a_file_is_told_of_without_being_imported(tmp_path: Path) -> None:
    path = tmp_path / "their_job.py"
    path.write_text(SOURCE)

    text = fanout(f"{path}:paint").stdout
    lines = [" ".join(line.split()) for line in text.splitlines()]

    assert lines[0] == f"{path}:paint Paints."
    assert "count a whole number needed" in lines
    assert "above a size, as in 1000, 512K or 10M 0" in lines
    assert "free anything none" in lines
    assert f"example fanout run {path}:paint --server sim:20 -a count=..." in lines
    assert [line.split()[0] for line in fanout(str(path)).stdout.splitlines()] == [
        f"{path}:{name}" for name in ("paint", "others", "hidden", "no_mailbox", "rebound")
    ]


@pytest.mark.parametrize(
    ("function", "words"),
    [("hidden", "other decorators than `job`"), ("nowhere", "shows no such function")],
)
def test_what_can_not_be_told_is_said(tmp_path: Path, function: str, words: str) -> None:
    path = tmp_path / "their_job.py"
    path.write_text(SOURCE)

    done = fanout(f"{path}:{function}")

    assert isinstance(done.exception, UsageError)
    assert words in str(done.exception)


def test_a_file_without_functions_has_no_jobs(tmp_path: Path) -> None:
    path = tmp_path / "empty.py"
    path.write_text("LIMIT = 1\n")

    done = fanout(str(path))

    assert isinstance(done.exception, UsageError)
    assert "has no function that could be a job" in str(done.exception)


def test_a_job_that_takes_any_option_says_so(tmp_path: Path) -> None:
    path = tmp_path / "their_job.py"
    path.write_text(SOURCE)

    assert "options   any" in fanout(f"{path}:others").stdout
