from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest

from fanout.code import LARGEST_TEXT, Code, code_of
from workers.messages import FileJob, Job, ModuleJob, PickledJob

TEXT = "raise RuntimeError('it was imported')\n"
CODE = Code(hashlib.sha256(TEXT.encode()).hexdigest(), TEXT)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return tmp_path


@pytest.mark.parametrize("place", ["alone_mod", "outer_pack.inner_pack.leaf_mod"])
def test_the_code_of_a_module_is_that_of_its_file_which_is_not_imported(folder: Path, place: str) -> None:
    path = folder.joinpath(*place.split(".")).with_suffix(".py")
    path.parent.mkdir(parents=True, exist_ok=True)
    for package in path.parents:
        if package != folder and package.is_relative_to(folder):
            (package / "__init__.py").write_text(TEXT)
    path.write_text(TEXT)

    assert code_of(ModuleJob(place, "job")) == CODE
    assert place.split(".")[0] not in sys.modules


def test_the_code_of_a_package_is_that_of_its_beginning(folder: Path) -> None:
    (folder / "whole_pack").mkdir()
    (folder / "whole_pack" / "__init__.py").write_text(TEXT)

    assert code_of(ModuleJob("whole_pack", "job")) == CODE


@pytest.mark.parametrize("place", ["gone_mod", "gone_pack.mod", "sys", "json.gone", "itertools.chain"])
def test_a_module_that_is_not_there_or_has_no_file_has_no_code(place: str) -> None:
    assert code_of(ModuleJob(place, "job")) == Code(None, None)


def test_the_code_of_a_file_is_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "job.py"
    path.write_text(TEXT)

    assert code_of(FileJob(str(path), "job")) == CODE


def test_a_file_that_is_gone_has_no_code(tmp_path: Path) -> None:
    assert code_of(FileJob(str(tmp_path / "gone.py"), "job")) == Code(None, None)


@pytest.mark.parametrize("data", [b"#" * (LARGEST_TEXT + 1), b"# zo\xeb\n"], ids=["large", "latin-1"])
def test_what_is_too_large_or_no_text_is_hashed_alone(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "job.py"
    path.write_bytes(data)

    assert code_of(FileJob(str(path), "job")) == Code(hashlib.sha256(data).hexdigest(), None)


@pytest.mark.parametrize("pickle", [b"one", b"another"])
def test_the_code_of_a_function_that_is_carried_is_its_pickle(pickle: bytes) -> None:
    job: Job = PickledJob("job", pickle)

    assert code_of(job) == Code(hashlib.sha256(pickle).hexdigest(), None)
