"""What a mailbox costs as a run grows, as a picture: a row for each measure, a column for each thing that grows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

    from benchmarks.scale import Line

GREY = "#555555"


@dataclass(frozen=True, slots=True)
class Measure:
    """One row of the picture. The colours are some that those who see few can tell apart (Okabe and Ito)."""

    title: str
    colour: str
    scale: float


MEASURES = {
    "sim": Measure("a census of sim:, CPU µs a mailbox", "#D55E00", 1e6),
    "null": Measure("null:, CPU µs a mailbox", "#0072B2", 1e6),
    "decisions": Measure("what the parent decides and merges, instructions a mailbox", "#009E73", 1.0),
}


def draw(lines: list[Line], where: str, path: Path) -> None:
    """Write the picture, in the format that the file's name ends with."""
    kinds = [kind for kind in MEASURES if any(line.point.of == kind for line in lines)]
    with mpl.rc_context({"font.size": 9, "font.family": "DejaVu Sans", "svg.fonttype": "none"}):
        figure = Figure(figsize=(8.4, 2.0 * len(kinds) + 0.5), layout="constrained")
        axes = figure.subplots(len(kinds), 2, sharey="row", sharex="col", squeeze=False)
        for row, kind in zip(axes, kinds, strict=True):
            for axis, along in zip(row, ("mailboxes", "workers"), strict=True):
                _draw([line for line in lines if (line.point.of, line.point.along) == (kind, along)], axis)
            row[0].set_title(MEASURES[kind].title, fontsize=9, loc="left")
            highest = max(line.each()[1] for line in lines if line.point.of == kind)
            row[0].set_ylim(0, 1.5 * MEASURES[kind].scale * highest)
        for axis, along in zip(axes[-1], ("mailboxes", "workers"), strict=True):
            axis.set_xlabel(along)
        axes[0][1].set_xticks([1, 4, 16, 64, 256])
        figure.supxlabel(where, fontsize=7, color=GREY, x=0.99, ha="right")
        figure.savefig(path, dpi=110)


def _draw(lines: list[Line], axis: Axes) -> None:
    """The median as a line, between the quartiles a band."""
    measure = MEASURES[lines[0].point.of]
    places = [line.point.at for line in lines]
    figures = ([measure.scale * figure for figure in line.each()] for line in lines)
    low, middle, high = zip(*figures, strict=True)
    axis.fill_between(places, low, high, color=measure.colour, alpha=0.18, linewidth=0)
    axis.plot(places, middle, marker="o", markersize=4.5, color=measure.colour, linewidth=1.4)
    for place, value in zip(places, middle, strict=True):
        axis.annotate(
            f"{value:,.{3 if value < 1000 else 4}g}",
            (place, value),
            xytext=(0, 7),
            textcoords="offset points",
            ha="center",
            fontsize=7.5,
            color=measure.colour,
        )
    _dress(axis)


def _dress(axis: Axes) -> None:
    axis.set_xscale("log")
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axis.yaxis.set_major_locator(MaxNLocator(4))
    axis.margins(x=0.08)
    axis.grid(color="#e6e6e6", linewidth=0.8)
    axis.set_axisbelow(True)
    axis.tick_params(length=0)
    axis.spines[["top", "right"]].set_visible(False)
