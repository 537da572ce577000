"""The findings as one picture: a panel a row, a line a contender, the same order in all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from benchmarks.peers.contenders import LIMIT, OURS
from benchmarks.peers.tables import best, noted, wall
from benchmarks.peers.trials import Row, ideal

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

    from benchmarks.peers.tables import Figures

#: Colours that those who see few can tell apart (Okabe and Ito), and by lightness, too.
COLOURS = {OURS: "#0072B2", LIMIT: "#999999"}
PEER = "#D55E00"

GREY = "#555555"

#: Times the target: what is beyond stands at the edge, so that one contender does not push all others together.
EDGE = 100


@dataclass(frozen=True, slots=True)
class Panel:
    """One thing that is compared: a value for each contender, None for one that came to no end, and a mark to reach."""

    title: str
    values: dict[str, float | None]
    target: float
    digits: int = 1
    logarithmic: bool = True


def draw(found: list[Figures], where: str, path: Path) -> None:
    """Write the picture, in the format that the file's name ends with."""
    panels = _panels(found)
    names = list(dict.fromkeys(name for each in found for name in each.found))
    columns = min(4, len(panels))
    rows = -(-len(panels) // columns)
    with mpl.rc_context({"font.size": 9, "font.family": "DejaVu Sans", "svg.fonttype": "none"}):
        figure = Figure(figsize=(2.5 * columns + 1.5, (0.23 * len(names) + 1.0) * rows + 0.4), layout="constrained")
        axes = figure.subplots(rows, columns, sharey=True, squeeze=False).flatten()
        for panel, axis in zip(panels, axes, strict=False):
            _draw(panel, axis, names)
        for axis in axes[len(panels) :]:
            axis.set_axis_off()
        figure.supxlabel(where, fontsize=7, color=GREY, x=0.99, ha="right")
        figure.savefig(path, dpi=110)


def _panels(found: list[Figures]) -> list[Panel]:
    panels = [
        Panel(f"{_TITLES[each.cell.row]}\nCPU / limit", {name: each.ratio(name) for name in each.found}, 1.0)
        for each in found
        if each.cell.row in _TITLES
    ]
    if skewed := [each for each in found if each.cell.row is Row.SKEWED]:
        panels.append(_late(skewed))
    if starts := [each for each in found if each.cell.row is Row.START]:
        of = starts[-1]
        times = {name: of.median(name, noted("all")) for name in of.found}
        panels.append(Panel(f"e) {of.cell.workers} workers\nthe last one at work, s", times, 0.3, 2))
    panels += [_delivered(each) for each in found if each.cell.row is Row.POISONED]
    panels += [_drawn(each) for each in found if each.cell.row is Row.STALLED]
    return panels


_TITLES = {
    Row.NOOPS: "a) no-ops",
    Row.TOLD: "a+) with cause, attempts, seconds",
    Row.FIELDS: "b) dicts of 10 fields",
    Row.LARGE: "c) results of 64 KiB",
}


def _late(these: list[Figures]) -> Panel:
    cell = these[0].cell
    least = ideal(cell.count, cell.workers)
    times = {name: best(these, name).median(name, wall) for name in these[0].found}
    ratios = {name: seconds and seconds / least for name, seconds in times.items()}
    return Panel(f"d) skewed sleeps, {cell.workers} workers\ncall to return / ideal", ratios, 1.0, 2)


def _delivered(of: Figures) -> Panel:
    percent = {
        name: 100 * delivered / (of.cell.trial_of(name).count - 1)
        for name in of.found
        if (delivered := of.note(name, "delivered")) is not None
    }
    title = "f) one item ends its process\nof the others, delivered, %"
    return Panel(title, dict.fromkeys(of.found) | percent, 100.0, 2, logarithmic=False)


def _drawn(of: Figures) -> Panel:
    mib = {
        name: max(drawn, 0.0) / of.cell.share(name)
        for name in of.found
        if (drawn := of.note(name, "drawn")) is not None
    }
    title = f"g) a stalled consumer is sent\nin {of.cell.stall:g} s, MiB"
    return Panel(title, dict.fromkeys(of.found) | mib, 0.0, 0, logarithmic=False)


def _draw(panel: Panel, axis: Axes, names: list[str]) -> None:
    axis.axvline(panel.target, color=GREY, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
    for name, value in panel.values.items():
        line, colour = names.index(name), COLOURS.get(name, PEER)
        if value is None:
            _note(axis, line, colour)
        else:
            _mark(axis, (value, line), panel, colour)
    _scale(panel, axis)
    axis.set_title(panel.title, fontsize=9, loc="left", linespacing=1.4)
    axis.set_yticks(range(len(names)), names)
    axis.set_ylim(len(names) - 0.4, -0.6)
    axis.grid(axis="y", color="#e6e6e6", linewidth=0.8)
    axis.set_axisbelow(True)
    axis.tick_params(which="both", length=0)
    axis.spines[["top", "right", "left"]].set_visible(False)


def _mark(axis: Axes, place: tuple[float, float], panel: Panel, colour: str) -> None:
    """A dot, or an arrow where it is beyond the edge, and its figure beside it."""
    value, line = place
    beyond = panel.logarithmic and value > EDGE * panel.target
    at = (EDGE * panel.target if beyond else value, line)
    axis.plot(*at, ">" if beyond else "o", color=colour, markersize=6)
    axis.annotate(
        f"{value:,.{panel.digits if value < 100 else 0}f}",
        at,
        xytext=(7, 0),
        textcoords="offset points",
        va="center",
        fontsize=8,
        color=colour,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
    )


def _note(axis: Axes, line: int, colour: str) -> None:
    axis.annotate(
        "came to no end", (0.98, line), xycoords=("axes fraction", "data"), ha="right", va="center", fontsize=8,
        fontstyle="italic", color=colour, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
    )  # fmt: skip


def _scale(panel: Panel, axis: Axes) -> None:
    """Room on the right for the figure of the rightmost dot."""
    values = [value for value in panel.values.values() if value is not None] or [panel.target]
    lowest, highest = min(values), max(values)
    if panel.logarithmic:
        low, high = min(lowest, panel.target), min(max(highest, panel.target), EDGE * panel.target)
        axis.set_xscale("log")
        axis.set_xlim(low / (high / low) ** 0.06, high * (high / low) ** 0.3)
        axis.xaxis.set_major_locator(LogLocator(numticks=5))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
    else:
        axis.set_xlim(-0.03 * highest, 1.3 * highest + 0.01)
        axis.set_xticks([place for place in MaxNLocator(4).tick_values(0, highest) if place <= highest])
