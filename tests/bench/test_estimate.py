from __future__ import annotations

from fanout.bench.estimate import estimate, probe, seconds_a_run, total
from fanout.bench.rounds import Budget
from fanout.bench.settings import AUTO, Setting
from fanout.bench.verdict import Sample


def run(count: int, each: float) -> Sample:
    """Half a second to the first mailbox, and then so many seconds each."""
    return Sample(0.5 + count * each, 0.1, 0.5, 28.0, count)


def test_a_probe_grows_until_it_lasts_a_second() -> None:
    probed = []

    def measure(count: int) -> Sample:
        probed.append(count)
        return run(count, 0.0002)

    sample = probe(measure, 1_000_000)

    assert probed == [200, 800, 3200]
    assert sample == run(3200, 0.0002)


def test_a_probe_takes_no_more_mailboxes_than_there_are() -> None:
    assert probe(lambda count: run(count, 0.0), 300) == run(300, 0.0)


def test_what_a_run_takes_to_start_is_counted_once() -> None:
    assert seconds_a_run(run(1000, 0.001), 100_000) == 100.5


def test_what_would_be_run_is_told_with_what_the_probe_says() -> None:
    settings = [Setting(25, 2), Setting(AUTO, 2)]

    assert list(estimate(settings, Setting(AUTO, 2), run(1000, 0.001), 10_000)) == [
        "2 settings, 10,000 mailboxes each:",
        "  chunks of 25, 2 workers, started by fork, one at a time, shared connections",
        "  guided chunks (auto), 2 workers, started by fork, one at a time, shared connections",
        "a probe of 1,000 mailboxes took 1.5 s, with the setting that visits the fewest at a time: "
        "guided chunks (auto), 2 workers, started by fork, one at a time, shared connections",
        "so a run takes 10 s or less, and a round of every setting 21 s",
    ]


def test_the_whole_time_follows_from_the_budget() -> None:
    assert total(10.0, Budget(rounds=4)) == "in all: 50 s, for 4 rounds and one that warms up"
    assert total(10.0, Budget(seconds=600.0)) == (
        "in all: 1 min 10 s where the answer is soon clear, and 10 min at the most (--max-time)"
    )
    assert total(10.0, Budget()) == (
        "in all: 1 min 10 s for the 6 rounds that an answer takes at the least, and one that warms up"
    )
    assert total(100.0, Budget(seconds=60.0)) == (
        "in all: 1 min (--max-time), which is too short for a clear answer: that takes 6 rounds and one that warms up, "
        "11 min 40 s"
    )
