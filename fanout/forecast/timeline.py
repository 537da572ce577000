"""How many there are of something, over time: an average for each of a few hundred spans, however long the run. Pure."""

from __future__ import annotations

#: Spans at the most. When time goes beyond the last one, each two become one.
SPANS = 256

#: Seconds of a span to begin with.
SHORTEST = 0.01


class Timeline:
    """A number that goes up and down. It may be told of changes in any order."""

    def __init__(self) -> None:
        self._width = SHORTEST
        #: For each span by how much the number changes in it, and what that comes to until the span ends, times seconds.
        self._change = [0.0] * SPANS
        self._area = [0.0] * SPANS

    def add(self, time: float, number: float) -> None:
        """There are so many more from that time on."""
        while time >= self._width * SPANS:
            self._widen()
        span = int(time / self._width)
        self._change[span] += number
        self._area[span] += number * ((span + 1) * self._width - time)

    def averages(self, until: float) -> tuple[float, list[float]]:
        """Seconds of a span, and how many there were in each, on average, until then."""
        found, level = [], 0.0
        spans = min(SPANS, int(until / self._width) + 1)
        for change, area in zip(self._change[:spans], self._area[:spans], strict=True):
            found.append(level + area / self._width)
            level += change
        if found and until < spans * self._width:  # the last span is not over: what it holds is of a part of it
            begun = (spans - 1) * self._width
            before = level - self._change[spans - 1]
            found[-1] = before + (
                self._area[spans - 1] - self._change[spans - 1] * (spans * self._width - until)
            ) / max(until - begun, 1e-9)
        return self._width, found

    def _widen(self) -> None:
        for span in range(SPANS // 2):
            left, right = 2 * span, 2 * span + 1
            self._area[span] = self._area[left] + self._change[left] * self._width + self._area[right]
            self._change[span] = self._change[left] + self._change[right]
        half = [0.0] * (SPANS // 2)
        self._area[SPANS // 2 :], self._change[SPANS // 2 :] = half, list(half)
        self._width *= 2
