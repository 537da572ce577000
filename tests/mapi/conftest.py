from __future__ import annotations

import socket

import pytest

from workers.mapi import subsystem


@pytest.fixture(autouse=True)
def process_without_mapi(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test begins as a process does in which nobody has called MAPIInitialize."""
    monkeypatch.setattr(subsystem, "_SUBSYSTEM", subsystem.Subsystem())


@pytest.fixture
def unused_port() -> int:
    """A port of this machine where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
