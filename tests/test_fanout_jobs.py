from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from fanout import jobs
from fanout.cli.running import run
from fanout.errors import UsageError
from tests.fakes import FakeMailbox
from workers.jobs import BUILT_IN
from workers.jobs.census import census
from workers.loading import load
from workers.mailbox import Mailbox
from workers.messages import FileJob, Job, ModuleJob, PickledJob

ANNA = FakeMailbox("anna")

CENSUS = ModuleJob("workers.jobs.census", "census")
THEIRS = ModuleJob("package.module", "function")


def of_this_module(mailbox: Mailbox) -> str:
    return mailbox.address


class Counter:
    def count(self, mailbox: Mailbox) -> int:
        return len(mailbox.address)

    def __call__(self, mailbox: Mailbox) -> int:
        return self.count(mailbox)


# words


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_built_in_is_known_by_its_name(name: str) -> None:
    assert jobs.named(name) == ModuleJob(*BUILT_IN[name])
    assert jobs.name(jobs.named(name)) == name


def test_a_function_of_a_module_is_taken_at_its_word() -> None:
    assert jobs.named("package.module:function") == THEIRS


def test_a_function_of_a_file_gets_the_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my job.py").write_text("")
    monkeypatch.chdir(tmp_path)

    assert jobs.named("my job.py:count") == FileJob(str(tmp_path.resolve() / "my job.py"), "count")


def test_a_colon_in_the_path_of_a_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "a:b.py"
    path.write_text("")

    assert jobs.named(f"{path}:count") == FileJob(str(path.resolve()), "count")


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match=r"the job's file can't be found: nowhere/job\.py"):
        jobs.named("nowhere/job.py:count")


def test_a_file_without_its_function_is_answered_with_how_it_is_named() -> None:
    with pytest.raises(UsageError, match=r"job\.py is a file, and a job one function of it: job\.py:FUNCTION"):
        jobs.named("job.py")


def test_the_help_of_run_names_every_job_that_is_built_in() -> None:
    assert f"({', '.join(BUILT_IN)})" in " ".join((run.help or "").split())


@pytest.mark.parametrize("words", ["sensus", "", "package.module:", "package.module:two words", "a:b:1"])
def test_words_that_are_no_job_are_answered_with_those_that_are(words: str) -> None:
    with pytest.raises(
        UsageError, match=r"there is no job .*; there are census, duplicates, folders.* package.module:func"
    ):
        jobs.named(words)


# functions


def test_a_function_that_workers_can_import_goes_by_its_name() -> None:
    assert jobs.carried(census) == CENSUS
    assert jobs.carried(of_this_module) == ModuleJob(__name__, "of_this_module")


def inner() -> Callable[[Mailbox], str]:
    greeting = "hello "
    return lambda mailbox: greeting + mailbox.address


@pytest.mark.parametrize(
    ("function", "name", "result"),
    [
        (inner(), "inner.<locals>.<lambda>", "hello anna"),
        (Counter().count, "Counter.count", 4),
        (Counter(), "Counter", 4),
        (partial(of_this_module), "partial", "anna"),
    ],
    ids=["closure", "method", "object", "partial"],
)
def test_what_workers_cannot_import_is_carried(function: Callable[..., object], name: str, result: object) -> None:
    job = jobs.carried(function)

    assert isinstance(job, PickledJob)
    assert job.function == name
    assert load(job, {})(ANNA) == result


def function_of_main(**variables: object) -> Callable[[Mailbox], object]:
    """A function as a script or a notebook defines it, between its variables."""
    space: dict[str, Any] = {"__name__": "__main__", "GREETING": "hello ", **variables}
    exec("def job(mailbox): return GREETING + mailbox.address", space)
    job: Callable[[Mailbox], object] = space["job"]
    return job


def test_a_function_of_main_is_carried(monkeypatch: pytest.MonkeyPatch) -> None:
    function = function_of_main()
    monkeypatch.setattr(sys.modules["__main__"], "job", function, raising=False)

    job = jobs.carried(function)

    assert isinstance(job, PickledJob)
    assert load(job, {})(ANNA) == "hello anna"


def test_what_a_function_does_not_use_stays_at_home() -> None:
    job = jobs.carried(function_of_main(LETTERS=bytes(jobs.LARGE_PICKLE), lines=iter(())))

    assert isinstance(job, PickledJob)
    assert len(job.pickle) < 1000


def test_a_function_that_carries_data_is_said_to() -> None:
    data = bytes(jobs.LARGE_PICKLE)

    with pytest.warns(UserWarning, match=r"the job .*<lambda> takes 1,0\d\d,\d\d\d bytes to each worker"):
        jobs.carried(lambda _: len(data))


def test_a_small_function_goes_without_a_word() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        jobs.carried(lambda _: 1)


# names and sources


@pytest.mark.parametrize(
    ("job", "name", "source"),
    [
        (CENSUS, "census", "workers.jobs.census:census"),
        (THEIRS, "function", "package.module:function"),
        (FileJob("/srv/jobs/job.py", "count"), "count", "/srv/jobs/job.py:count"),
        (PickledJob("<lambda>", b""), "<lambda>", "a function <lambda> of the calling program"),
    ],
    ids=repr,
)
def test_a_job_says_its_name_and_where_it_comes_from(job: Job, name: str, source: str) -> None:
    assert (jobs.name(job), jobs.source(job)) == (name, source)


# options


@pytest.mark.parametrize("word", ["true", "True", "yes", "1"])
def test_a_truth_for_a_built_in_is_said_in_several_ways(word: str) -> None:
    assert jobs.options(CENSUS, (f"newest={word}",)) == {"newest": True}


@pytest.mark.parametrize("word", ["false", "NO", "0"])
def test_so_is_an_untruth(word: str) -> None:
    assert jobs.options(CENSUS, (f"newest={word}",)) == {"newest": False}


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("3", 3),
        ("-3", -3),
        ("2.5", 2.5),
        ("true", True),
        ("False", False),
        ("yes", "yes"),
        ("2001-11-12", "2001-11-12"),
        ("", ""),
        ("a=b", "a=b"),
    ],
)
def test_for_any_other_job_a_value_is_what_it_looks_like(word: str, value: object) -> None:
    given = jobs.options(THEIRS, (f"key={word}",))

    assert given == {"key": value}
    assert type(given["key"]) is type(value)


def test_several_options_are_all_passed() -> None:
    assert jobs.options(THEIRS, ("a=1", "b=x")) == {"a": 1, "b": "x"}
    assert jobs.options(THEIRS, ()) == {}


@pytest.mark.parametrize("text", ["newest", "=1", "two words=1", "1st=1"])
def test_an_option_without_a_key_and_a_value_says_how_it_is_given(text: str) -> None:
    with pytest.raises(UsageError, match=f"-a {text}: an option of the job is given as key=value"):
        jobs.options(THEIRS, (text,))


def test_an_option_that_a_built_in_does_not_have_is_answered_with_those_it_has() -> None:
    with pytest.raises(UsageError, match="-a newst=1: census has no option 'newst'; it has newest"):
        jobs.options(CENSUS, ("newst=1",))


def test_a_value_that_a_built_in_cannot_take_is_named() -> None:
    with pytest.raises(UsageError, match="-a newest=perhaps: 'perhaps' is not true or false"):
        jobs.options(CENSUS, ("newest=perhaps",))


def test_a_job_that_is_misspelt_is_asked_after() -> None:
    with pytest.raises(UsageError, match=r"there is no job 'sensus' \(did you mean census\?\); there are census, "):
        jobs.named("sensus")
