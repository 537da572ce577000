"""fanout as process 1 of a container, where no init reaps what is left: in a pid namespace of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.spawns

IN_A_NAMESPACE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]

#: What each script may use: `others` tells every other process of the namespace, by state.
COMMON = """
import os, psutil, sys
import fanout
from fanout.engines.processes import ProcessEngine
from fanout.events import Ended, Heard
from tests import poison
from tests.test_engine import begin, until
from workers.messages import Chunk

assert os.getpid() == 1

def others():
    return [(process.pid, process.status()) for process in psutil.process_iter() if process.pid != 1]

def zombies():
    return [pid for pid, status in others() if status == psutil.STATUS_ZOMBIE]
"""

RUN = """
found = fanout.run(poison.orphans, server="null:40", workers=2, chunk_size=5)
print(found.totals, others())
"""

ENGINE = """
with ProcessEngine(2) as engine:
    engine.start(0, begin("orphans"))
    engine.send(0, Chunk(1, 0, 10))
    until(engine, Heard), until(engine, Heard)
    while zombies():
        engine.wait(0.01)
    engine.kill(0)
    until(engine, Ended)
    while zombies():
        engine.wait(0.01)
    print(len(others()) > 1)
print(others())
"""

LOST_TEMPLATE = """
with ProcessEngine(2) as engine:
    engine.start(0, begin("orphans"))
    engine.start(1, begin("hang"))
    engine.send(0, Chunk(1, 0, 10))
    engine.send(1, Chunk(2, 10, 1))
    heard = 0
    while heard < 3:
        heard += len(engine.wait(None))
    psutil.Process().children()[0].kill()
    ends = until(engine, Ended)
    print(sorted(end.worker for end in ends), others())
"""


def as_process_one(script: str) -> list[str]:
    """What the script prints."""
    try:
        subprocess.run([*IN_A_NAMESPACE, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no pid namespace can be made here: {error}")
    command = [*IN_A_NAMESPACE, sys.executable, "-c", COMMON + script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_after_a_run_nothing_is_left() -> None:
    assert as_process_one(RUN) == ["40 []"]


def test_while_it_works_no_zombie_stays() -> None:
    assert as_process_one(ENGINE) == ["True", "[]"]


def test_when_the_template_dies_nothing_is_left_either() -> None:
    assert as_process_one(LOST_TEMPLATE) == ["[0, 1] []"]
