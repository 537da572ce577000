"""What a Dask worker is asked reaches any Python, with fanout or without."""

from __future__ import annotations

import json
import pickle
import platform
import subprocess
import sys

from fanout.engines.hosting import RESOURCE, Question, versions

#: Of another machine: it reads the question, asks itself, and has nothing but Python.
ELSEWHERE = """
import json, pickle, sys
class State:
    total_resources = {"fanout-session": 3.0}
class DaskWorker:
    state = State
question, words = pickle.load(sys.stdin.buffer)
print(json.dumps(question(*words, dask_worker=DaskWorker)))
"""


def test_where_there_is_no_fanout_it_is_said_so() -> None:
    asked = pickle.dumps((Question(), (versions(), RESOURCE)))

    said = subprocess.run(
        [sys.executable, "-I", "-S", "-c", ELSEWHERE], input=asked, stdout=subprocess.PIPE, check=True
    )

    there = versions() | {"fanout": "", "distributed": ""}
    assert json.loads(said.stdout) == {"sessions": 3, "machine": platform.node(), "memory": None, "versions": there}
