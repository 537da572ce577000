"""The rounds of a bench: a first one that warms up and does not count, then as many as it takes, or as there is time for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from fanout.bench.settings import name_of, orders
from fanout.bench.verdict import Verdict, is_settled, verdict
from fanout.durations import duration
from fanout.errors import StoppedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fanout.bench.settings import Setting
    from fanout.bench.verdict import Sample


class Ending(StrEnum):
    """Why no further round was begun."""

    CLEAR = "clear"
    ROUNDS = "rounds"
    TIME = "time"
    INTERRUPTED = "interrupted"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Budget:
    """How much may be measured: so many rounds, whatever they say; or rounds until the answer is clear or the time is over."""

    #: Rounds that count; None for as many as it takes.
    rounds: int | None = None
    #: Seconds, the warm-up included; None for no limit.
    seconds: float | None = None


class Rounds:
    """Measures settings until there is an answer, and holds what was measured."""

    def __init__(
        self,
        settings: Sequence[Setting],
        measure: Callable[[Setting], Sample],
        budget: Budget,
        seed: int,
        clock: Callable[[], float],
    ) -> None:
        """`clock` gives seconds, monotonic."""
        self._settings = settings
        self._measure = measure
        self._budget = budget
        self._seed = seed
        self._clock = clock
        #: What was measured in each round that counts, by the place of the setting; the last round may lack some.
        self.rounds: list[dict[int, Sample]] = []
        self.ending: Ending | None = None
        #: What stopped them, where something did.
        self.stopped_by: StoppedError | None = None
        self._verdicts: list[Verdict] = []

    @property
    def verdict(self) -> Verdict:
        return verdict(self.rounds, len(self._settings), self._seed)

    def go(self, say: Callable[[str], object]) -> None:
        """Measure, and say a line after each round. Ctrl-C ends the rounds, and so does a server that is gone: that is noted.

        Raises UsageError and CredentialsError: what can't be run at all has no rounds.
        """
        try:
            self._go(say)
        except KeyboardInterrupt:
            self.ending = Ending.INTERRUPTED
        except StoppedError as error:
            self.ending, self.stopped_by = Ending.STOPPED, error

    def _go(self, say: Callable[[str], object]) -> None:
        begun = self._clock()
        places = orders(len(self._settings), self._seed)
        _check([self._measure(self._settings[place]) for place in next(places)])
        say(f"warm-up, which does not count: {duration(self._clock() - begun)}")
        while self.ending is None:
            round_begun = self._clock()
            self._round(next(places))
            now = self._clock()
            self.ending = self._reason(now - begun, now - round_begun)
            say(self._line(now - begun))

    def _round(self, places: Sequence[int]) -> None:
        samples: dict[int, Sample] = {}
        for place in places:
            samples[place] = self._measure(self._settings[place])
            if len(samples) == 1:
                self.rounds.append(samples)
        self._verdicts.append(self.verdict)

    def _reason(self, elapsed: float, last: float) -> Ending | None:
        """Why there is to be no further round; None for one more. `last`: seconds that the last one took."""
        if self._budget.rounds is not None:
            return Ending.ROUNDS if len(self.rounds) >= self._budget.rounds else None
        if is_settled(self._verdicts):
            return Ending.CLEAR
        over = self._budget.seconds is not None and elapsed + last > self._budget.seconds
        return Ending.TIME if over else None

    def _line(self, elapsed: float) -> str:
        best = self._verdicts[-1].best
        leader = "" if best is None else f"; best so far: {name_of(self._settings[best], self._settings)}"
        of = f" of {self._budget.rounds}" if self._budget.rounds else ""
        return f"round {len(self.rounds)}{of}, after {duration(elapsed)}{leader}"


def _check(samples: Sequence[Sample]) -> None:
    """Raise UsageError where there is no work to be measured."""
    if all(sample.failed == sample.mailboxes for sample in samples):
        raise UsageError(
            "every mailbox failed, with every setting, so there is nothing to measure: fanout run tells why"
        )
