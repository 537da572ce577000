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


#: What it says of itself.
THERE = {
    "sessions": 3,
    "machine": platform.node(),
    "memory": None,
    "versions": versions() | {"fanout": "", "distributed": ""},
}


def said_elsewhere(wanted: dict[str, str]) -> object:
    asked = pickle.dumps((Question(), (wanted, RESOURCE)))
    alone = [sys.executable, "-I", "-S", "-c", ELSEWHERE]
    return json.loads(subprocess.run(alone, input=asked, stdout=subprocess.PIPE, check=True).stdout)


def test_where_there_is_no_fanout_it_is_said_so() -> None:
    assert said_elsewhere(versions()) == THERE


def test_where_fanout_can_not_be_loaded_it_is_said_why() -> None:
    wanted = versions() | {"fanout": "", "distributed": ""}  # so that it tries

    assert said_elsewhere(wanted) == THERE | {"trouble": """ModuleNotFoundError("No module named 'fanout'")"""}
