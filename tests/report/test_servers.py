"""A report of a run over several servers: a name alone may be on each of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.test_cli import fanout


@pytest.mark.spawns
def test_rankings_name_a_mailbox_with_its_server(tmp_path: Path) -> None:
    servers = ("--server", "sim:2", "--server", "sim:1?seed=2")
    fanout(tmp_path, "run", "census", *servers, "-w", "1", "-q", "--run-file", "r.fanout")

    fanout(tmp_path, "report", "r.fanout", "-o", "r.html")

    page = (tmp_path / "r.html").read_text()
    for name in ("u00000000@sim.example on sim:2<", "u00000000@sim.example on sim:1?seed=2<"):
        assert page.count(name) == 2, "among the largest mailboxes, and among the slowest"
