from __future__ import annotations

from fanout.fate import WORDS, last_words

CRASH = """said before
Fatal Python error: Segmentation fault

Thread 0x00007f01 (most recent call first):
  File "idle.py", line 1 in wait

Current thread 0x00007f02 (most recent call first):
  File "guilty.py", line 3 in crash
  File "job.py", line 2 in job

Thread 0x00007f03 (most recent call first):
  File "main.py", line 1 in main
"""

HANG = """Thread 0x00007f00 (most recent call first):
  File "/x/workers/lanes.py", line 1 in _work
  File "threading.py", line 1 in run

Thread 0x00007f01 (most recent call first):
  File "job.py", line 2 in hang

Current thread 0x00007f02 (most recent call first):
  File "main.py", line 1 in main
"""


def test_of_a_crash_the_stack_of_the_thread_that_crashed_is_told() -> None:
    words = last_words(CRASH)

    assert words.startswith("said before\nFatal Python error: Segmentation fault")
    assert words.endswith(
        "Current thread 0x00007f02 (most recent call first):\n"
        '  File "guilty.py", line 3 in crash\n  File "job.py", line 2 in job'
    )


def test_of_a_hang_the_stack_of_a_thread_that_is_at_work_is_told() -> None:
    words = last_words(HANG)

    assert words == 'Thread 0x00007f01 (most recent call first):\n  File "job.py", line 2 in hang'


def test_of_a_deep_stack_the_innermost_frames_are_told() -> None:
    frames = [f'  File "deep.py", line {number} in deep' for number in range(100)]
    words = last_words("\n".join(["Current thread 0x00007f02 (most recent call first):", *frames]))

    assert len(words) <= WORDS
    assert "line 0 in deep" in words
    assert "line 99 in deep" not in words


def test_where_no_stack_was_dumped_the_end_is_told() -> None:
    assert last_words("x" * 5000 + "the end\n") == "x" * (WORDS - 7) + "the end"
