"""What a bench found, as a picture.

Chunk sizes stand on the x axis, each combination of all else is a line. Above the seconds of a run: a faint dot a round, the
median with its 95 % interval, a ring around the best. Below the CPU seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fanout.bench.settings import Setting, differing, in_words
from fanout.pictures import COLOURS, save, tidy

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fanout.bench.document import Document

#: Markers of lines: one more than there are colours, so that only the 57th line looks like the first.
_MARKERS = "osD^vPX*"

#: How far apart the lines of one chunk size stand, of the 1 between two sizes.
_SPREAD = 0.3

#: Inches of a row of the legend.
_ROW = 0.22


def draw(document: Document, path: Path) -> None:
    """Draw what was measured. Raises StoppedError when the file can't be written."""
    save(lambda: _figure(document), path)


def _figure(document: Document) -> Figure:
    from matplotlib.figure import Figure

    sizes = list(dict.fromkeys(setting.chunk_size for setting in document.settings))
    lines = _lines(document.settings, sizes)
    below = _ROW * (1 + len(lines) // 2)
    figure = Figure(figsize=(8, 5.5 + below), layout="constrained")
    seconds, cpu, legend = figure.subplots(3, 1, height_ratios=(3, 1.5, below))
    for line in lines:
        _draw_seconds(seconds, document, line)
        _draw_cpu(cpu, document, line)
    _ring(seconds, document, lines)
    for axes in (seconds, cpu):
        axes.set_xticks(range(len(sizes)), [str(size) for size in sizes])
        axes.set_xlim(-0.5, len(sizes) - 0.5)
    _label(figure, document, seconds, cpu)
    legend.legend(*seconds.get_legend_handles_labels(), loc="center", fontsize="small", frameon=False, ncols=2)
    legend.axis("off")
    figure.align_ylabels((seconds, cpu))
    return figure


class _Line(NamedTuple):
    """Settings that differ in their chunks alone."""

    label: str
    colour: str
    marker: str
    #: For each setting that was measured, its place, and where on the x axis it stands.
    points: dict[int, float]


def _lines(settings: Sequence[Setting], sizes: Sequence[int | str]) -> list[_Line]:
    parts = [part for part in differing(settings) if part != "chunk_size"]
    labels = list(dict.fromkeys(in_words(setting, parts) for setting in settings))
    step = _SPREAD / len(labels)
    lines = []
    for number, label in enumerate(labels):
        aside = (number - (len(labels) - 1) / 2) * step
        points = {
            place: sizes.index(setting.chunk_size) + aside
            for place, setting in enumerate(settings)
            if in_words(setting, parts) == label
        }
        lines.append(_Line(label, COLOURS[number % len(COLOURS)], _MARKERS[number % len(_MARKERS)], points))
    return lines


def _draw_seconds(axes: Axes, document: Document, line: _Line) -> None:
    """Every run, the medians, and their intervals."""
    for place, x in line.points.items():
        runs = [samples[place].wall for samples in document.rounds if place in samples]
        axes.plot([x] * len(runs), runs, ".", color=line.colour, alpha=0.3, markeredgewidth=0)
    points = _measured(document, line)
    walls = [document.verdict.standings[place].wall for place in points]
    below, above = [wall.median - wall.low for wall in walls], [wall.high - wall.median for wall in walls]
    axes.errorbar(
        list(points.values()),
        [wall.median for wall in walls],
        yerr=(below, above),
        color=line.colour,
        fmt=f"{line.marker}-",
        capsize=3,
        linewidth=1,
        label=line.label,
    )


def _draw_cpu(axes: Axes, document: Document, line: _Line) -> None:
    points = _measured(document, line)
    cpu = [document.verdict.standings[place].cpu for place in points]
    axes.plot(list(points.values()), cpu, f"{line.marker}-", color=line.colour, linewidth=1)


def _measured(document: Document, line: _Line) -> dict[int, float]:
    return {place: x for place, x in line.points.items() if place in document.verdict.standings}


def _ring(axes: Axes, document: Document, lines: Sequence[_Line]) -> None:
    """Mark the best setting."""
    best = document.verdict.best
    for line in lines:
        if best in line.points:
            at = (line.points[best], document.verdict.standings[best].wall.median)
            axes.plot(*at, "o", markersize=15, fillstyle="none", color="black")
            axes.plot([], [], "o", markersize=9, fillstyle="none", color="black", label="best")  # for the legend


def _label(figure: Figure, document: Document, seconds: Axes, cpu: Axes) -> None:
    subject, rounds = document.subject, document.verdict.rounds
    common = [part for part in Setting.__struct_fields__[1:] if part not in differing(document.settings)]
    figure.suptitle(f"{subject.job} of {subject.server}, {subject.mailboxes:,} mailboxes", fontsize="large")
    seconds.set_title(in_words(document.settings[0], common), fontsize="small")
    seconds.set_ylabel("seconds")
    seconds.tick_params(labelbottom=False)
    cpu.set_ylabel("CPU seconds")
    cpu.set_xlabel("chunk size, mailboxes")
    for axes in (seconds, cpu):
        tidy(axes)
    host = f"{document.host.in_words()}; {document.begun.at:.10}"
    figure.supxlabel(
        f"medians of {rounds} rounds, 95 % intervals; a dot a run\n{host}", fontsize="x-small", color="0.35"
    )
