from __future__ import annotations

import pytest

from fanout.engines.deaths import Deaths, in_words


class Kernel:
    """Counts whom it has killed for want of memory."""

    def __init__(self, kills: int) -> None:
        self.kills = kills

    def __call__(self) -> int:
        return self.kills


def test_a_kill_that_the_kernel_counts_was_for_want_of_memory() -> None:
    kernel = Kernel(3)
    deaths = Deaths(kernel)

    kernel.kills = 4

    assert deaths.how(-9) == "SIGKILL by the kernel, for want of memory"
    assert deaths.how(-9) == "SIGKILL", "one kill accounts for one process"


def test_two_kills_at_once_account_for_two_processes() -> None:
    kernel = Kernel(0)
    deaths = Deaths(kernel)

    kernel.kills = 2

    assert {deaths.how(-9), deaths.how(-9)} == {"SIGKILL by the kernel, for want of memory"}


def test_kills_before_the_first_worker_are_nobody_s() -> None:
    assert Deaths(Kernel(7)).how(-9) == "SIGKILL"


@pytest.mark.parametrize(
    ("code", "words"),
    [(0, "exit code 0"), (70, "exit code 70"), (-11, "SIGSEGV"), (-15, "SIGTERM"), (-63, "signal 63")],
)
def test_an_end_is_told_in_words(code: int, words: str) -> None:
    kernel = Kernel(0)
    deaths = Deaths(kernel)
    kernel.kills = 1

    assert (in_words(code), deaths.how(code)) == (words, words)
