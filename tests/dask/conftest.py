"""A cluster for all tests of a file that leave it as it is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.dask import clusters


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[clusters.Cluster]:
    """Two Dask workers of one session each."""
    with clusters.Cluster(tmp_path_factory.mktemp("dask")) as cluster:
        yield cluster
