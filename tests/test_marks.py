from __future__ import annotations

import pickle

import dill
import pytest

from tests import poison
from workers.loading import load
from workers.marks import Marks, job, marks_of
from workers.messages import ModuleJob, PickledJob


@job(writes=True, idempotent=True)
def again(mailbox: object, *, rows: int = 1) -> object:
    for _ in range(rows):
        yield mailbox


def test_a_function_without_marks_reads() -> None:
    assert marks_of(len) == Marks(writes=False, idempotent=False)
    assert not marks_of(len).once_only


@pytest.mark.parametrize(
    ("marks", "once_only"), [(Marks(writes=True), True), (Marks(writes=True, idempotent=True), False), (Marks(), False)]
)
def test_only_a_job_that_writes_and_is_not_idempotent_may_not_be_repeated(marks: Marks, once_only: bool) -> None:  # noqa: FBT001
    assert marks.once_only is once_only


def test_a_marked_function_is_the_function() -> None:
    assert list(again(3)) == [3]  # type: ignore[call-overload]


def test_marks_survive_options_rows_and_pickling() -> None:
    carried = PickledJob("again", dill.dumps(again, recurse=True))

    assert marks_of(load(carried, {"rows": 2})) == Marks(writes=True, idempotent=True)
    assert marks_of(load(carried, {})) == Marks(writes=True, idempotent=True)
    assert marks_of(load(ModuleJob("tests.poison", "sign"), {"book": "b"})) == Marks(writes=True)
    assert marks_of(pickle.loads(pickle.dumps(poison.sign))) == Marks(writes=True)
