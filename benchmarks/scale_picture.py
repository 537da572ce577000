"""What a mailbox costs as a run grows, as a picture: a row for each measure, a column for each thing that grows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

    from benchmarks.scale import Line

#: Colours and marks that those who see few colours can tell apart (Okabe and Ito).
STYLES = {
    "sim": ("#D55E00", "s", "census of sim:"),
    "null": ("#0072B2", "o", "null:"),
    "decisions": ("#0072B2", "D", "the parent's decisions"),
}

GREY = "#555555"

MEASURES = {"CPU µs a mailbox": ("sim", "null"), "instructions a mailbox": ("decisions",)}


def draw(lines: list[Line], where: str, path: Path) -> None:
    """Write the picture, in the format that the file's name ends with."""
    there = {line.point.of for line in lines}
    measures = [measure for measure, kinds in MEASURES.items() if there & set(kinds)]
    with mpl.rc_context({"font.size": 9, "font.family": "DejaVu Sans", "svg.fonttype": "none"}):
        figure = Figure(figsize=(8.4, 2.9 * len(measures) + 0.3), layout="constrained")
        axes = figure.subplots(len(measures), 2, sharey="row", squeeze=False)
        for row, measure in enumerate(measures):
            for column, along in enumerate(("mailboxes", "workers")):
                axis = axes[row, column]
                for kind in MEASURES[measure]:
                    _draw([line for line in lines if (line.point.of, line.point.along) == (kind, along)], axis)
                _dress(axis, along)
            axes[row, 0].set_title(measure, fontsize=9, loc="left")
            lowest = axes[row, 0].get_ylim()[0]
            axes[row, 0].set_ylim(lowest / 2, axes[row, 0].get_ylim()[1] * 2)
        figure.suptitle(where, fontsize=7, color=GREY, x=0.99, y=0.005, ha="right", va="bottom")
        figure.savefig(path, dpi=110)


def _draw(lines: list[Line], axis: Axes) -> None:
    if not lines:
        return
    colour, mark, label = STYLES[lines[0].point.of]
    scale = 1.0 if lines[0].point.of == "decisions" else 1e6
    places = [line.point.at for line in lines]
    least, middle, most = (
        [scale * figure for figure in part] for part in zip(*(line.each() for line in lines), strict=True)
    )
    axis.fill_between(places, least, most, color=colour, alpha=0.15, linewidth=0)
    axis.plot(places, middle, marker=mark, markersize=5, color=colour, linewidth=1.4)
    for place, value in ((places[0], middle[0]), (places[-1], middle[-1])):
        axis.annotate(
            f"{value:,.3g}",
            (place, value),
            xytext=(0, 7),
            textcoords="offset points",
            ha="center",
            fontsize=8,
            color=colour,
        )
    axis.annotate(
        label,
        (places[len(places) // 2], middle[len(places) // 2]),
        xytext=(0, 9),
        textcoords="offset points",
        ha="center",
        fontsize=8.5,
        color=colour,
    )


def _dress(axis: Axes, along: str) -> None:
    axis.set_xscale("log")
    axis.set_yscale("log")
    if along == "workers":
        axis.set_xticks([1, 4, 16, 64, 256])
        axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.12g}"))
    axis.yaxis.set_minor_locator(NullLocator())
    axis.margins(x=0.1)
    axis.set_xlabel(along)
    axis.grid(color="#e6e6e6", linewidth=0.8)
    axis.set_axisbelow(True)
    axis.tick_params(length=0)
    axis.spines[["top", "right"]].set_visible(False)
