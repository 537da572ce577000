"""Dask clusters of real processes on loopback, with no dashboard: a scheduler, and nannies that start Dask workers."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Self

import psutil

from tests.chaos.outside import assert_gone

ROOT = Path(__file__).parents[2]

#: Both say where they are when they are up, and go on until they are ended, or the tests are.
SCHEDULER = """
import asyncio, os, sys
from distributed import Scheduler
from tests.dask.clusters import security
from workers.linux import die_with
die_with(os.getppid())
sys.modules["fanout"] = None  # it may not be there
async def main():
    async with Scheduler(host="127.0.0.1", port=0, dashboard_address="127.0.0.1:0", security=security(sys.argv[1])) as scheduler:
        print(scheduler.address, flush=True)
        await scheduler.finished()
asyncio.run(main())
"""
NANNY = """
import asyncio, os, sys
from distributed import Nanny
from tests.dask.clusters import security
from workers.linux import die_with
async def main():
    sessions = {"fanout-session": int(sys.argv[3])} if sys.argv[3] != "0" else {}
    async with Nanny(sys.argv[2], nthreads=1, host="127.0.0.1", resources=sessions, security=security(sys.argv[1])) as nanny:
        print(nanny.worker_address, flush=True)
        await nanny.finished()
if __name__ == "__main__":
    die_with(os.getppid())
    asyncio.run(main())
"""


def security(pem: str) -> object:
    """TLS with a file that holds a certificate, its key and the authority's own; none where there is no file."""
    from distributed import Security

    if not pem:
        return Security()
    roles = {f"tls_{role}_cert": pem for role in ("scheduler", "worker", "client")}
    return Security(require_encryption=True, tls_ca_file=pem, **roles)


def program(text: str, *words: str) -> subprocess.Popen[str]:
    """A program that is up: it has said so."""
    process = subprocess.Popen(
        [sys.executable, "-c", text, *words],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    said(process)
    return process


def is_tracker(process: psutil.Process) -> bool:
    """Whether it is what multiprocess keeps beside the processes that it spawns."""
    return "resource_tracker" in _words(process)


class Cluster:
    """A scheduler and some nannies. A context manager: on leaving it nothing is left of them."""

    def __init__(self, folder: Path, nannies: int = 2, sessions: int = 1, pem: str = "") -> None:
        """`folder`: where their logs go."""
        self.log = folder / "dask.log"
        self._pem = pem
        self._sessions = sessions
        self._processes: list[subprocess.Popen[str]] = []
        self.scheduler = self._start(SCHEDULER)
        #: The addresses of the Dask workers, as they were at first.
        self.workers = [self.add() for _ in range(nannies)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """SIGKILL leaves no time for anything to be said. A Dask worker looks after its nanny once a second, and is not waited
        for so long; what is below it ends with it."""
        family = [child for nanny in self.nannies() for child in _below(nanny)]
        dask_workers = self.dask_workers()
        for process in self._processes:
            process.kill()
            process.wait()
        for worker in dask_workers:
            with suppress(psutil.NoSuchProcess):
                worker.kill()
        assert_gone(family)

    def add(self) -> str:
        """Another nanny; the address of its Dask worker."""
        return self._start(NANNY, self.scheduler, str(self._sessions))

    def kill_scheduler(self) -> None:
        self._processes[0].kill()
        self._processes[0].wait()

    def nannies(self) -> list[psutil.Process]:
        return [psutil.Process(process.pid) for process in self._processes[1:] if process.poll() is None]

    def dask_workers(self) -> list[psutil.Process]:
        """The processes that nannies have started, at this moment."""
        return [
            child for nanny in self.nannies() for child in _children(nanny) if "multiprocessing-fork" in _words(child)
        ]

    def own(self) -> list[psutil.Process]:
        """The templates and workers of fanout, at this moment."""
        return [child for worker in self.dask_workers() for child in _below(worker)]

    def _start(self, program: str, *words: str) -> str:
        with self.log.open("a") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", program, self._pem, *words],
                env={**os.environ, "PYTHONPATH": str(ROOT), "DASK_LOGGING__DISTRIBUTED": "debug"},
                cwd=self.log.parent,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._processes.append(process)
        return said(process)


def said(process: subprocess.Popen[str]) -> str:
    """The one line that it says when it is up."""
    assert process.stdout is not None
    with process.stdout as stdout:
        line = stdout.readline().strip()
    assert line, "it did not come up"
    return line


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return list(process.children())
    except psutil.NoSuchProcess:
        return []


def _below(process: psutil.Process) -> list[psutil.Process]:
    try:
        return list(process.children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def _words(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return ""
