from __future__ import annotations

import pytest

from workers.mapi import subsystem


@pytest.fixture(autouse=True)
def process_without_mapi(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test begins as a process does in which nobody has called MAPIInitialize."""
    monkeypatch.setattr(subsystem, "_SUBSYSTEM", subsystem.Subsystem())
