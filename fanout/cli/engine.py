"""Words that say where the workers of a run work: here, or on a Dask cluster. They are of a sitting, not of a run."""

from __future__ import annotations

import logging
import os
import signal
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from fanout.errors import UsageError
from fanout.workplace import THIS_MACHINE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fanout.engines.cluster import Cluster
    from fanout.workplace import Workplace

PROCESSES, DASK = "processes", "dask"

#: A resume returns to the directory where the run was begun: a file is told by where the command is given.
_FILE = click.Path(resolve_path=True)

ENGINE: list[Any] = [
    click.option(
        "--engine",
        type=click.Choice([PROCESSES, DASK]),
        default=PROCESSES,
        show_default=True,
        help="What gives workers: processes of this machine, or a Dask cluster, of which -w takes all free sessions by default.",
    ),
    click.option(
        "--scheduler",
        metavar="ADDRESS",
        help="Dask's scheduler, as in tls://HOST:8786; without it a cluster is started on this machine.",
    ),
    click.option(
        "--tls-ca",
        type=_FILE,
        metavar="FILE",
        help="The cluster's certificate authority, PEM; by default Dask's own setting.",
    ),
    click.option("--tls-cert", type=_FILE, metavar="FILE", help="Our certificate for the cluster, PEM."),
    click.option("--tls-key", type=_FILE, metavar="FILE", help="Its key, where it is not in the same file."),
]


@contextmanager
def workplace_of(
    given: dict[str, Any], purpose: str, workers: int | None, tell: Callable[[str], object]
) -> Iterator[Workplace]:
    """Where the words say that workers work. `purpose`: what for. `workers`: how many are asked for, where that was said.

    Raises UsageError, and StoppedError for a scheduler that can't be reached.
    """
    _check(given)
    if given["engine"] == PROCESSES:
        yield THIS_MACHINE
        return
    cluster = _cluster(given, purpose, workers)
    try:
        if not given["quiet"]:
            tell(f"Dask's dashboard: {cluster.dashboard}")
        yield cluster
    finally:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Dask waits 10 s for what was closed by half
        cluster.close()
        signal.signal(signal.SIGINT, before)


def _check(given: dict[str, Any]) -> None:
    """Raise UsageError for words that do nothing beside the others."""
    if given["scheduler"] and given["engine"] != DASK:
        raise UsageError(f"--scheduler {given['scheduler']}: that is for --engine {DASK}")
    for name in ("tls_ca", "tls_cert", "tls_key"):
        if given[name] and not given["scheduler"]:
            raise UsageError(f"--{name.replace('_', '-')} {given[name]}: that is for --scheduler")


def _cluster(given: dict[str, Any], purpose: str, workers: int | None) -> Cluster:
    try:
        from fanout.engines.cluster import Certificates, Cluster
    except ModuleNotFoundError as error:
        raise UsageError(
            f"--engine {DASK} takes distributed, which is not installed: pip install 'mailbox-fanout[dask]'"
        ) from error
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # what it would say is said here, in a sentence
    warnings.filterwarnings("ignore", "Mismatched versions found")  # those that matter are compared, and said
    if given["scheduler"]:
        certificates = Certificates(given["tls_ca"], given["tls_cert"], given["tls_key"])
        return Cluster.at(given["scheduler"], certificates, purpose)
    cores = len(os.sched_getaffinity(0))
    wanted = workers or cores
    processes = min(wanted, cores)
    return Cluster.local(processes, -(-wanted // processes), purpose)
