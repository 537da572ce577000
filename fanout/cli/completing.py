"""Shell completion: what may stand next on a command line. Reads files, and opens no server.

Whatever is wrong with what was typed so far, there is nothing to offer then: the command itself will say it.
"""

from __future__ import annotations

from functools import wraps
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from click.shell_completion import CompletionItem

from fanout import jobhelp, jobs
from fanout import resume as resuming
from fanout.errors import FanoutError
from fanout.gathering import SUFFIX
from fanout.runfile import RunFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import click

#: Things offered at the most, and names of a roster that are looked at for them.
MOST = 100
LOOKED_AT = 10_000


def completing(offer: Callable[[click.Context, str], Iterable[CompletionItem]]) -> Callable[..., list[CompletionItem]]:
    """What click asks for, with nothing to offer where the offer raises."""

    @wraps(offer)
    def complete(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
        try:
            return list(islice(offer(context, incomplete), MOST))
        except FanoutError:
            return []

    return complete


@completing
def job(_: click.Context, incomplete: str) -> Iterable[CompletionItem]:
    """Jobs by their names; the functions of a file behind its colon; files."""
    file, colon, _name = incomplete.rpartition(":")
    known = jobhelp.in_file(Path(file)) if colon and Path(file).is_file() else jobhelp.known()
    found = [CompletionItem(each.name, help=each.what) for each in known if each.name.startswith(incomplete)]
    return found or [CompletionItem(incomplete, type="file")]


@completing
def job_option(context: click.Context, incomplete: str) -> Iterable[CompletionItem]:
    """`name=` for each option of the job that stands before it."""
    words = context.params.get("job") or next(iter(context.args), "")  # an `-a` without its value is parsed to no end
    known = jobs.signature(jobs.named(words)).known.values()
    for each in known:
        if f"{each.name}=".startswith(incomplete):
            yield CompletionItem(f"{each.name}=", help=each.kind.words if each.kind else None)


@completing
def run_file(_: click.Context, incomplete: str) -> Iterable[CompletionItem]:
    """Run files by the names that fanout gives them; any file where there are none."""
    folder = Path(incomplete).parent
    names = sorted(str(path) for path in folder.glob(f"*{SUFFIX}"))
    found = [CompletionItem(name) for name in names if name.startswith(incomplete)]
    return found or [CompletionItem(incomplete, type="file")]


@completing
def mailbox(context: click.Context, incomplete: str) -> Iterable[CompletionItem]:
    """The first mailboxes of the run file that stands before it."""
    with RunFile.open(Path(context.params["run_file"])) as file:
        roster = resuming.roster(file)
        names = roster.names(range(min(roster.count, LOOKED_AT)))
    return (CompletionItem(name) for name in names if name.startswith(incomplete))
