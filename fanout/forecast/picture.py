"""A forecast as a picture.

Above, over the time of one run, how many workers are at work and how many sessions are open. Below, what other numbers of
workers and other chunk sizes would take: medians with what nine of ten runs lie between, the given setting filled, a ring around
what is recommended. Between them, of several servers, when each is done.
"""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from fanout.forecast.report import by_end, given, how, outage, recommended, spread, title
from fanout.pictures import COLOURS, save, tidy

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.typing import HashableList

    from fanout.forecast.study import Forecast, Row, ServerForecast, Use

#: Characters of the picture's title in a line, of a line below it, and of the name of one of several servers.
ROOM, LINE, NAME = 75, 150, 48

#: Servers that are drawn at the most, those that are done last; and inches that the picture is higher for each.
SERVERS, INCHES = 12, 0.33

_WORKERS, _SESSIONS = COLOURS[0], COLOURS[1]


class _Unit(NamedTuple):
    """In what a time is drawn."""

    word: str
    seconds: float


_UNITS = (_Unit("days", 86400.0), _Unit("hours", 3600.0), _Unit("minutes", 60.0), _Unit("seconds", 1.0))


def draw(forecast: Forecast, path: Path) -> None:
    """Draw a forecast. Raises StoppedError when the file can't be written."""
    save(lambda: _figure(_with_short_names(forecast)), path)


def _with_short_names(forecast: Forecast) -> Forecast:
    """Long names of several servers are cut to where they begin to differ."""
    columns = enumerate(zip(*(server.server for server in forecast.servers), strict=False))
    start = max(0, next((place for place, letters in columns if len(set(letters)) > 1), 0) - NAME // 2)
    outage = msgspec.structs.replace(forecast.outage, server=_cut(forecast.outage.server, start))
    servers = [msgspec.structs.replace(server, server=_cut(server.server, start)) for server in forecast.servers]
    return msgspec.structs.replace(forecast, outage=outage, servers=tuple(servers))


def _cut(name: str, start: int) -> str:
    if len(name) <= NAME:
        return name
    begin = "..." if start else ""
    return begin + _shorten(name[start:], NAME - len(begin))


def _figure(forecast: Forecast) -> Figure:
    from matplotlib.figure import Figure

    servers = by_end(forecast)[:SERVERS]
    between = 0.5 + INCHES * len(servers)
    figure = Figure(figsize=(8, 7 + between if servers else 7), layout="constrained")
    rows: list[HashableList[str]] = [["use", "use"], ["servers", "servers"], ["workers", "sizes"]]
    heights = [2.6, between, 3.0]
    which = slice(None) if servers else slice(None, None, 2)
    axes = figure.subplot_mosaic(rows[which], height_ratios=heights[which])
    _draw_use(axes["use"], forecast)
    _draw_rows(axes["workers"], forecast.workforces, "workers", forecast)
    _draw_rows(axes["sizes"], forecast.chunk_sizes, "chunk_size", forecast)
    axes["workers"].set_xlabel(f"workers, with {_chunks(forecast.given)}")
    axes["sizes"].set_xlabel(f"chunk size, with {forecast.given.workers:,} workers")
    axes["sizes"].sharey(axes["workers"])
    for name in ("use", "workers", "sizes"):
        tidy(axes[name])
    axes["use"].set_ylim(0, 1.3 * axes["use"].dataLim.y1)  # with room for the legend
    axes["use"].legend(loc="upper center", fontsize="small", frameon=False, ncols=3)
    axes["workers"].set_ylim(0, 1.1 * max(axes["workers"].dataLim.y1, axes["sizes"].dataLim.y1))
    axes["sizes"].tick_params(labelleft=False)
    if servers:
        _draw_servers(axes["servers"], servers, forecast)
        axes["servers"].sharex(axes["use"])
    _label(figure, axes["use"], forecast)
    return figure


def _draw_use(axes: Axes, forecast: Forecast) -> None:
    """Workers as an area, sessions as a line above it."""
    workers, sessions = forecast.workers, forecast.sessions
    unit = _unit(workers.span * len(workers.numbers))
    axes.stairs(workers.numbers, _edges(workers, unit), fill=True, color=_WORKERS, alpha=0.25)
    axes.stairs(workers.numbers, _edges(workers, unit), color=_WORKERS, label="workers at work")
    axes.stairs(
        sessions.numbers, _edges(sessions, unit), color=_SESSIONS, linestyle="--", baseline=None, label="sessions open"
    )
    if forecast.sessions_allowed:
        axes.axhline(forecast.sessions_allowed, color="0.35", linewidth=0.8, linestyle=":", label="sessions allowed")
    axes.set_xlabel(f"{unit.word} since the run began")
    latest = max((server.seconds.high / unit.seconds for server in forecast.servers), default=0.0)
    axes.set_xlim(0, 1.01 * max(latest, _edges(workers, unit)[-1]))


def _edges(use: Use, unit: _Unit) -> list[float]:
    """Where spans begin and end."""
    return [place * use.span / unit.seconds for place in range(len(use.numbers) + 1)]


def _draw_servers(axes: Axes, servers: Sequence[ServerForecast], forecast: Forecast) -> None:
    """A bar a server below its name, the one that is done last at the top, with what nine of ten runs lie between."""
    unit = _unit(forecast.workers.span * len(forecast.workers.numbers))
    places = range(len(servers))
    medians = [server.seconds.median / unit.seconds for server in servers]
    below = [(server.seconds.median - server.seconds.low) / unit.seconds for server in servers]
    above = [(server.seconds.high - server.seconds.median) / unit.seconds for server in servers]
    axes.barh(places, medians, height=0.3, color=_WORKERS, alpha=0.25)
    axes.errorbar(medians, places, xerr=(below, above), color=_WORKERS, fmt="none", capsize=2, linewidth=1)
    for place, server in enumerate(servers):
        axes.text(0, place - 0.25, f" {server.server}: workers at work {server.busy:.0%}", fontsize="x-small")
    axes.set_yticks([])
    axes.set_ylim(len(servers) - 0.7, -0.8)
    axes.spines[["top", "right"]].set_visible(False)
    more = len(forecast.servers) > len(servers)
    which = f"the {len(servers)} of {len(forecast.servers)} servers that are done last" if more else "each server is"
    axes.set_xlabel(f"{unit.word} until {which}{' are' if more else ''} done")


def _draw_rows(axes: Axes, rows: Sequence[Row], part: str, forecast: Forecast) -> None:
    """A point a setting, in their order; they differ in one part of it."""
    unit = _unit(max(row.seconds.median for row in [*forecast.workforces, *forecast.chunk_sizes]))
    medians = [row.seconds.median / unit.seconds for row in rows]
    below = [(row.seconds.median - row.seconds.low) / unit.seconds for row in rows]
    above = [(row.seconds.high - row.seconds.median) / unit.seconds for row in rows]
    axes.errorbar(
        range(len(rows)), medians, yerr=(below, above), color=_WORKERS, fmt="o-", mfc="white", capsize=3, linewidth=1
    )
    for place, row in enumerate(rows):
        if row == forecast.given:
            axes.plot(place, medians[place], "o", color=_WORKERS, zorder=5)
        if getattr(row, part) == getattr(forecast.recommended, part):
            axes.plot(place, medians[place], "o", markersize=15, fillstyle="none", color="black", zorder=5)
    axes.set_xticks(
        range(len(rows)), [f"{value:,}" if isinstance(value := getattr(row, part), int) else value for row in rows]
    )
    axes.set_xlim(-0.5, len(rows) - 0.5)
    if rows is forecast.workforces:
        axes.set_ylabel(f"{unit.word} to finish")


def _label(figure: Figure, use: Axes, forecast: Forecast) -> None:
    figure.suptitle(f"{_shorten(title(forecast), ROOM)}\n{spread(forecast.given.seconds)}", fontsize="large")
    use.set_title(given(forecast), fontsize="small")
    lines = (f"recommended (ring): {recommended(forecast)}", f"an outage: {outage(forecast)}", how(forecast))
    figure.supxlabel("\n".join(fill(line, LINE) for line in lines), fontsize="x-small", color="0.35")


def _shorten(text: str, room: int) -> str:
    """As much of it as there is room for."""
    return text if len(text) <= room else f"{text[: room - 3]}..."


def _chunks(row: Row) -> str:
    return "guided chunks" if row.chunk_size == "auto" else f"chunks of {row.chunk_size}"


def _unit(seconds: float) -> _Unit:
    """The largest of which there are two at least, or seconds."""
    return next((unit for unit in _UNITS if seconds >= 2 * unit.seconds), _UNITS[-1])
