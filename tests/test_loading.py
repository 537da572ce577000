from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import dill
import pytest

from tests.fakes import FakeMailbox
from workers.loading import JobError, load
from workers.messages import FileJob, ModuleJob, PickledJob

ANNA = FakeMailbox("anna")

JOBS = """
    LIMIT = 3

    def address(mailbox):
        return mailbox.address

    def rows(mailbox, *, count: int = 2, word="row"):
        for number in range(count):
            yield f"{word} {number}"

    def without():
        return None
"""


@pytest.fixture(autouse=True)
def imports_as_before() -> Iterator[None]:
    """Forget what a test imported, and from where."""
    modules, path = dict(sys.modules), list(sys.path)
    yield
    for name in sys.modules.keys() - modules.keys():
        del sys.modules[name]
    sys.path[:] = path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a module `their_jobs` in it, from which modules are imported."""
    (tmp_path / "their_jobs.py").write_text(dedent(JOBS))
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_a_job_of_a_module_is_imported_by_its_name() -> None:
    assert load(ModuleJob("their_jobs", "address"), {})(ANNA) == "anna"


def test_a_job_of_a_package_is_imported_by_its_path(folder: Path) -> None:
    package = folder / "theirs" / "inner"
    package.mkdir(parents=True)
    (package / "work.py").write_text("def job(mailbox): return 1")

    assert load(ModuleJob("theirs.inner.work", "job"), {})(ANNA) == 1


def test_a_job_of_a_file_needs_no_import_path(tmp_path: Path) -> None:
    path = tmp_path / "no module's name.py"
    path.write_text(dedent(JOBS))

    assert load(FileJob(str(path), "address"), {})(ANNA) == "anna"


def test_the_neighbours_of_a_job_s_file_can_be_imported_and_shadow_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    (tmp_path / "neighbour_of_a_job.py").write_text("WORD = 'near'")
    (tmp_path / "colorsys.py").write_text("raise RuntimeError('not this one')")
    path = tmp_path / "job.py"
    path.write_text("import colorsys, neighbour_of_a_job\ndef job(mailbox): return neighbour_of_a_job.WORD")

    assert load(FileJob(str(path), "job"), {})(ANNA) == "near"


def test_a_dataclass_in_a_job_s_file_finds_its_module(tmp_path: Path) -> None:
    path = tmp_path / "job.py"
    path.write_text(
        "from __future__ import annotations\nfrom dataclasses import dataclass\n"
        "@dataclass\nclass Row:\n    name: str\ndef job(mailbox): return Row(mailbox.address).name"
    )

    assert load(FileJob(str(path), "job"), {})(ANNA) == "anna"


def test_a_function_that_was_carried_brings_what_it_closes_over() -> None:
    word = "hello "
    pickle = dill.dumps(lambda mailbox: word + mailbox.address, recurse=True)

    assert load(PickledJob("<lambda>", pickle), {})(ANNA) == "hello anna"


@pytest.mark.usefixtures("folder")
def test_options_are_passed_by_their_names() -> None:
    job = load(ModuleJob("their_jobs", "rows"), {"count": 1, "word": "line"})

    assert job(ANNA) == ["line 0"]


@pytest.mark.usefixtures("folder")
def test_a_job_that_yields_gives_the_list_of_its_rows_at_every_mailbox() -> None:
    job = load(ModuleJob("their_jobs", "rows"), {})

    assert [job(ANNA), job(ANNA)] == [["row 0", "row 1"]] * 2


def test_a_callable_of_c_that_tells_nothing_of_itself_is_called(folder: Path) -> None:
    (folder / "c_job.py").write_text("job = type")

    assert load(ModuleJob("c_job", "job"), {})(ANNA) is FakeMailbox


@pytest.mark.parametrize("module", ["no_such_module_at_all", "no_such_package.of_mine", "json.no_such_part"])
def test_a_module_that_is_not_there_is_named(module: str) -> None:
    with pytest.raises(JobError, match=f"there is no module '{module}', from which 'job' was to come"):
        load(ModuleJob(module, "job"), {})


def test_a_module_that_misses_another_one_says_which(folder: Path) -> None:
    (folder / "needy_job.py").write_text("import a_library_they_forgot")

    with pytest.raises(JobError, match=r"needy_job can't be imported: ModuleNotFoundError: .*a_library_they_forgot"):
        load(ModuleJob("needy_job", "job"), {})


def test_what_a_module_raises_on_import_is_told_with_its_line(folder: Path) -> None:
    (folder / "broken_job.py").write_text("\n1 / 0")

    with pytest.raises(JobError, match=r"broken_job can't be imported: ZeroDivisionError: .*broken_job.py, line 2$"):
        load(ModuleJob("broken_job", "job"), {})


def test_what_a_file_raises_on_import_is_told(tmp_path: Path) -> None:
    path = tmp_path / "job.py"
    path.write_text("def job(mailbox:")

    with pytest.raises(JobError, match=r"job.py can't be imported: SyntaxError"):
        load(FileJob(str(path), "job"), {})


@pytest.mark.usefixtures("folder")
def test_a_function_that_is_not_there_is_answered_with_those_that_are() -> None:
    with pytest.raises(JobError, match=r"their_jobs.py has no function 'adress'; it has address, rows, without$"):
        load(ModuleJob("their_jobs", "adress"), {})


def test_a_module_without_functions_says_so(folder: Path) -> None:
    (folder / "empty_job.py").write_text("")

    with pytest.raises(JobError, match="it has none"):
        load(ModuleJob("empty_job", "job"), {})


@pytest.mark.usefixtures("folder")
def test_what_cannot_be_called_is_no_job() -> None:
    with pytest.raises(JobError, match=r"'LIMIT' of .* can't be called: a job is a function that takes a mailbox"):
        load(ModuleJob("their_jobs", "LIMIT"), {})


@pytest.mark.parametrize("name", ["nothing_here.py", "a_folder.py", "text.txt"])
def test_what_is_no_python_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "a_folder.py").mkdir()
    (tmp_path / "text.txt").write_text("def job(mailbox): return 1")

    with pytest.raises(JobError, match=f"{name}' is no Python file"):
        load(FileJob(str(tmp_path / name), "job"), {})


@pytest.mark.usefixtures("folder")
def test_an_option_that_a_job_does_not_take_is_answered_with_those_that_it_does() -> None:
    with pytest.raises(JobError, match=r"rows has no option 'cuont'; it has count, word; did you mean count\?"):
        load(ModuleJob("their_jobs", "rows"), {"cuont": 1})


@pytest.mark.usefixtures("folder")
def test_a_function_that_takes_no_mailbox_is_no_job() -> None:
    with pytest.raises(JobError, match="without can't be called with a mailbox"):
        load(ModuleJob("their_jobs", "without"), {})


def test_a_job_of_a_module_without_a_file_is_loaded() -> None:
    job = load(ModuleJob("builtins", "repr"), {})

    assert callable(job)
