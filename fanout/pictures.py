"""Pictures: which files they go to, and what all of them have in common. matplotlib is loaded when a picture is wanted."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from fanout.errors import StoppedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: The kinds of files that are drawn, by how their names end.
SUFFIXES = (".png", ".svg")

#: Colours that those tell apart who see red and green alike, too (Okabe and Ito, 2008).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


def check(path: Path) -> None:
    """Raise UsageError for a picture that can't be drawn, so that nothing is done in vain."""
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"--picture {path}: a picture is FILE.png or FILE.svg")
    if find_spec("matplotlib") is None:
        raise UsageError(
            f"--picture {path}: it takes matplotlib, which is not installed: pip install 'mailbox-fanout[plot]'"
        )


def save(figure: Callable[[], Figure], path: Path) -> None:
    """Draw a figure into a file. Raises StoppedError when that can't be written."""
    import matplotlib as mpl

    # Text stays text, a dollar a dollar, and the same figure gives the same file.
    style: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": "fanout", "text.parse_math": False}
    metadata = {"Date": None} if path.suffix.lower() == ".svg" else {}
    try:
        with mpl.rc_context(style):
            figure().savefig(path, metadata=metadata, dpi=150)
    except OSError as error:
        raise StoppedError(f"{path} can't be written: {error.strerror}") from error


def tidy(axes: Axes) -> None:
    """Values from zero on, with a faint line at each, and no box around."""
    axes.set_ylim(0, axes.dataLim.y1 * 1.1 or 1)
    axes.grid(axis="y", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
