"""Two machines, as far as one can play them: each has a network of its own, with a cable between them; the far one has another name,
other processes, and nothing of what lies in the folder of a test."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Self

import psutil

from tests.chaos.outside import assert_gone
from tests.dask.clusters import said

ROOT = Path(__file__).parents[2]

HOME, FAR, MASK = "10.77.0.1", "10.77.0.2", "/24"
SCHEDULER = f"tcp://{FAR}:8786"
NAME = "far-away"

#: What a machine has for itself, beside its network.
APART = ["unshare", "--uts", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]

#: A cluster in one process, with a Dask worker of one session. It goes on until its stdin ends, as that does with the tests.
CLUSTER = f"""
import asyncio, sys
from distributed import Scheduler, Worker
async def main():
    scheduler = Scheduler(host="{FAR}", port=8786, dashboard_address="{FAR}:0")
    async with scheduler, Worker("{SCHEDULER}", host="{FAR}", nthreads=1, resources={{"fanout-session": 1}}):
        print("up", flush=True)
        await asyncio.to_thread(sys.stdin.read)
asyncio.run(main())
"""


class Machines:
    """Two of them. A context manager: on leaving it nothing is left of either. Raises OSError where they are not to be had."""

    def __init__(self, folder: Path) -> None:
        """`folder`: what lies there is at home alone."""
        self._folder = folder
        self._home, self._far = (f"fanout-{os.urandom(4).hex()}-{name}" for name in ("home", "far"))
        self._processes: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Self:
        try:
            self._connect()
            self._start(CLUSTER)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        family = [each for process in self._processes for each in psutil.Process(process.pid).children(recursive=True)]
        for process in self._processes:
            with process:  # which closes its pipes
                process.kill()
        assert_gone(family)
        for name in (self._home, self._far):
            subprocess.run(["ip", "netns", "del", name], stderr=subprocess.DEVNULL, check=False)

    def fanout(self, *words: str) -> subprocess.CompletedProcess[str]:
        """`fanout` with these words, at home."""
        return subprocess.run(
            ["ip", "netns", "exec", self._home, sys.executable, "-m", "fanout", *words],
            cwd=self._folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )

    def _connect(self) -> None:
        for name in (self._home, self._far):
            _ip("netns", "add", name)
        _ip("link", "add", "cable", "netns", self._home, "type", "veth", "peer", "name", "cable", "netns", self._far)
        for name, address in ((self._home, HOME), (self._far, FAR)):
            _ip("-n", name, "address", "add", address + MASK, "dev", "cable")
            for device in ("lo", "cable"):
                _ip("-n", name, "link", "set", device, "up")
        _ip("netns", "exec", self._far, *APART, "true")

    def _start(self, program: str) -> None:
        """Start a program on the far machine; it says that it is up."""
        begin = f'hostname {NAME} && mount -t tmpfs none "$0" && cd / && exec "$@"'
        process = subprocess.Popen(
            ["ip", "netns", "exec", self._far, *APART, "sh", "-c", begin, self._folder, sys.executable, "-c", program],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._processes.append(process)
        said(process)


def _ip(*words: str) -> None:
    """Raises OSError that says why it can't be done."""
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"ip {' '.join(words)}: {done.stderr.strip()}")
