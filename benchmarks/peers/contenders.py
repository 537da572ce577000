"""Who takes part: each gives the results of a function over range(count), in the way that its own manual advises.

A contender yields batches of results, to be taken by the caller: most yield the one iterator that they have. What is behind
the last batch (processes that end, executors that close) belongs to its cost, and follows when the caller asks for more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from importlib.util import find_spec
from multiprocessing import Pool  # noqa: TID251 - one of the peers
from typing import Any

from benchmarks import limit
from benchmarks.peers.trials import Row

Function = Callable[[Any], Any]
Batches = Iterator[Iterable[Any]]


def futures(function: Function, count: int, workers: int, chunk: int) -> Batches:
    with ProcessPoolExecutor(workers) as pool:
        yield pool.map(function, range(count), chunksize=chunk)


def pool(function: Function, count: int, workers: int, chunk: int) -> Batches:
    with Pool(workers) as processes:
        yield processes.imap_unordered(function, range(count), chunk)


def multiprocess_pool(function: Function, count: int, workers: int, chunk: int) -> Batches:
    import multiprocess

    with multiprocess.Pool(workers) as processes:
        yield processes.imap_unordered(function, range(count), chunk)


def loky(function: Function, count: int, workers: int, chunk: int) -> Batches:
    from loky import ProcessPoolExecutor as Loky

    with Loky(workers) as processes:
        yield processes.map(function, range(count), chunksize=chunk)


def joblib(function: Function, count: int, workers: int, chunk: int) -> Batches:
    from joblib import Parallel, delayed

    with Parallel(workers, batch_size=chunk, return_as="generator_unordered") as parallel:
        yield parallel(map(delayed(function), range(count)))


def mpire(function: Function, count: int, workers: int, chunk: int) -> Batches:
    from mpire import WorkerPool

    with WorkerPool(workers) as processes:
        yield processes.imap_unordered(function, range(count), chunk_size=chunk, iterable_len=count)


def pebble(function: Function, count: int, workers: int, chunk: int) -> Batches:
    from pebble import ProcessPool

    with ProcessPool(workers) as processes:
        yield processes.map(function, range(count), chunksize=chunk).result()


def dask(function: Function, count: int, workers: int, chunk: int) -> Batches:
    """Its chunks are for the way to the scheduler alone: each item is a task there."""
    from distributed import Client, Future, LocalCluster, as_completed

    with (
        LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        tasks = client.map(function, range(count), batch_size=chunk, pure=False)
        for some in as_completed(tasks).batches():
            good = [task for task in some if task.status == "finished"]
            yield client.gather(good)
            yield map(Future.result, set(some).difference(good))  # unlike a generator, it goes on behind an error


@dataclass(frozen=True, slots=True)
class Contender:
    """One of those who take part."""

    name: str
    #: The module that has to be installed.
    module: str
    #: None for fanout, which does each row in its own way.
    batches: Callable[[Function, int, int, int], Batches] | None
    #: Which part of a row's items it is given, where all of them would take too long.
    shares: Mapping[Row, float] = field(default_factory=dict)

    @property
    def installed(self) -> bool:
        return find_spec(self.module) is not None


#: Of the one that takes milliseconds an item.
_SHARES = {Row.NOOPS: 0.005, Row.TOLD: 0.005, Row.FIELDS: 0.025, Row.LARGE: 0.1, Row.POISONED: 0.06, Row.STALLED: 0.1}

LIMIT, OURS = "limit", "fanout"

CONTENDERS = {
    each.name: each
    for each in (
        Contender(LIMIT, "marshal", limit.batches),
        Contender(OURS, "fanout", None),
        Contender("multiprocessing.Pool", "multiprocessing", pool),
        Contender("concurrent.futures", "concurrent.futures", futures),
        Contender("loky", "loky", loky),
        Contender("joblib", "joblib", joblib),
        Contender("multiprocess.Pool", "multiprocess", multiprocess_pool),
        Contender("pebble", "pebble", pebble),
        Contender("mpire", "mpire", mpire),
        Contender("dask.distributed", "distributed", dask, _SHARES),
    )
}
