"""The words that name a cluster: what becomes of it when the command ends."""

from __future__ import annotations

import signal

import pytest

from fanout.cli.engine import workplace_of


class Interrupted:
    """A cluster at whose end somebody presses Ctrl-C."""

    closed = False

    def close(self) -> None:
        signal.raise_signal(signal.SIGINT)
        self.closed = True


def test_a_cluster_is_closed_whole_though_it_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster, before = Interrupted(), signal.getsignal(signal.SIGINT)
    monkeypatch.setattr("fanout.cli.engine._cluster", lambda *_: cluster)
    given = dict.fromkeys(("scheduler", "tls_ca", "tls_cert", "tls_key")) | {"engine": "dask", "quiet": True}

    with workplace_of(given, "a test", None, print):
        pass

    assert cluster.closed
    assert signal.getsignal(signal.SIGINT) is before
