from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from workers.slots import AHEAD, BEATS, NOWHERE, SLOT_BYTES, STOP, Slots

#: Forks, lets the child say where it is, and prints what the parent sees when the child is gone.
FORK = """
import os
from workers.slots import Slots
slots = Slots.create(3)
child = os.fork()
if child == 0:
    slots.writer(1)[0] = 4711
    os._exit(0)
os.waitpid(child, 0)
print([slots.at(number) for number in range(3)])
"""

#: Maps the memory of a descriptor that came from elsewhere.
MAP = """
import sys
from workers.slots import Slots
Slots(int(sys.argv[1]), 3).writer(2)[0] = 42
"""


@pytest.fixture
def slots() -> Iterator[Slots]:
    slots = Slots.create(3)
    yield slots
    slots.close()


def test_a_new_slot_is_nowhere(slots: Slots) -> None:
    assert [slots.at(number) for number in range(3)] == [None, None, None]


def test_what_a_worker_writes_is_seen_in_its_slot_alone(slots: Slots) -> None:
    with slots.writer(1) as slot:
        slot[0] = 9_999_999

    assert [slots.at(number) for number in range(3)] == [None, 9_999_999, None]


@pytest.mark.parametrize("ordinal", [0, 1, 255, 2**32, NOWHERE - 1])
def test_every_ordinal_fits(slots: Slots, ordinal: int) -> None:
    with slots.writer(0) as slot:
        slot[0] = ordinal

    assert slots.at(0) == ordinal


def test_a_worker_that_says_nowhere_is_nowhere(slots: Slots) -> None:
    with slots.writer(0) as slot:
        slot[0] = 7
        slot[0] = NOWHERE

    assert slots.at(0) is None


def test_a_cleared_slot_is_nowhere_and_its_neighbours_stay(slots: Slots) -> None:
    for number in range(3):
        with slots.writer(number) as slot:
            slot[0] = number

    slots.clear(1)

    assert [slots.at(number) for number in range(3)] == [0, None, 2]


def test_a_slot_fills_a_cache_line_of_its_own(slots: Slots) -> None:
    with slots.writer(2) as slot:
        assert slot.nbytes == SLOT_BYTES == 64


@pytest.mark.spawns
def test_a_slot_outlives_the_fork_that_wrote_it() -> None:
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, check=True)

    assert done.stdout == "[None, 4711, None]\n"


@pytest.mark.spawns
def test_a_process_that_was_given_the_descriptor_writes_to_the_same_memory(slots: Slots) -> None:
    command = [sys.executable, "-c", MAP, str(slots.descriptor)]
    subprocess.run(command, pass_fds=[slots.descriptor], check=True)

    assert [slots.at(number) for number in range(3)] == [None, None, 42]


def test_the_parent_asks_a_worker_to_leave_and_reads_its_beats(slots: Slots) -> None:
    with slots.writer(1) as slot:
        slot[BEATS] = 2**64 - 1
        slots.stop(1)

        assert [slots.beats(number) for number in range(3)] == [0, 2**64 - 1, 0]
        assert slot[STOP] == 1


def test_what_a_worker_has_opened_ahead_is_seen_in_its_slot_alone(slots: Slots) -> None:
    with slots.writer(1) as slot:
        slot[AHEAD] = 7

    assert [slots.ahead(number) for number in range(3)] == [0, 7, 0]


def test_a_cleared_slot_has_no_beats_and_asks_for_nothing(slots: Slots) -> None:
    with slots.writer(1) as slot:
        slot[BEATS] = slot[AHEAD] = 5
        slots.stop(1)

        slots.clear(1)

        assert list(slot[:4]) == [NOWHERE, 0, 0, 0]
