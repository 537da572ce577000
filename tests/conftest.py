"""What every test is watched for: a process that it leaves behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.processes import below

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    before = below()
    yield
    left = [process for process in below() if process not in before]
    assert not left, f"left behind: {left}"
