"""A run as a process of its own, which may be killed, in whole or in part, at any time."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path
from random import Random

import psutil

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


class Running:
    """`fanout` with some words, in a folder."""

    def __init__(self, folder: Path, *words: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "fanout", *words],
            cwd=folder,
            env=ENVIRONMENT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._end = os.pidfd_open(self._process.pid)

    def ends_within(self, seconds: float) -> bool:
        """Wait for the end of the run, that long at most."""
        ready, _, _ = select.select([self._end], [], [], seconds)
        return bool(ready)

    def family(self) -> list[psutil.Process]:
        """The template and everything below it, at this moment."""
        try:
            return psutil.Process(self._process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def workers(self) -> list[psutil.Process]:
        """The processes that the template has started, at this moment."""
        template = self.template()
        try:
            return template.children() if template else []
        except psutil.NoSuchProcess:
            return []

    def template(self) -> psutil.Process | None:
        """The process that starts the workers, at this moment."""
        try:
            (template,) = psutil.Process(self._process.pid).children()
        except (ValueError, psutil.NoSuchProcess):
            return None
        return template

    def kill(self) -> list[psutil.Process]:
        """Kill the parent; what was below it at that moment."""
        family = self.family()
        self._process.kill()
        self.finish()
        return family

    def finish(self) -> tuple[int, str]:
        """Wait for the end; the exit code and what was said."""
        _, said = self._process.communicate()
        if self._end is not None:
            os.close(self._end)
        return self._process.returncode, said


def kill_one(living: list[psutil.Process], random: Random) -> int:
    """Kill one of them, whichever; 0 when there is none."""
    if not living:
        return 0
    try:
        random.choice(living).kill()
    except psutil.NoSuchProcess:
        return 0
    return 1
