"""fanout beside its peers. `python -m benchmarks.peers [a b c ...]`

    a   1,000,000 no-ops, and the same with all that fanout tells of a mailbox: cause, attempts, seconds
    b   200,000 dicts of 10 fields
    c   20,000 results of 64 KiB
    d   2,000 skewed sleeps, 16 workers; peers with chunks of 1 and of 50, of which the better one counts
    e   the start: first result, all at work, end; 2 and 64 workers
    f   one item of 100,000 ends its process
    g   the parent is killed, Ctrl-C, a consumer that stalls

`limit` is the yardstick of benchmarks/limit.py. CPU seconds are those of all processes, each of which is waited for. Takes the
extra [bench]; who is not installed is left out. Nobody else should be at work on the machine: `--rounds` are interleaved.
"""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from benchmarks.measure import machine
from benchmarks.peers import contest, tables
from benchmarks.peers.contenders import CONTENDERS, LIMIT
from workers.linux import become_subreaper


@click.command(help="Compare fanout with its peers, in some ROWS (a to g) or all.")
@click.argument("letters", nargs=-1, type=click.Choice(list(contest.FULL)), metavar="[ROWS]...")
@click.option("--rounds", default=5, show_default=True)
@click.option("--short", is_flag=True, help="A moment of each row; its times say nothing.")
@click.option(
    "--only", multiple=True, type=click.Choice(list(CONTENDERS)), help="Of the peers, these; can be repeated."
)
@click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="All findings, of each round."
)
@click.option("--picture", type=click.Path(dir_okay=False, path_type=Path), help="FILE.svg or FILE.png; takes [plot].")
def main(  # noqa: PLR0913 - each is an option
    letters: tuple[str, ...],
    rounds: int,
    *,
    short: bool,
    only: tuple[str, ...],
    json_file: Path | None,
    picture: Path | None,
) -> None:
    become_subreaper()
    cells = (contest.short_cells if short else contest.cells)(letters or contest.FULL)
    rounds = 1 if short else rounds
    wanted = [each for each in CONTENDERS.values() if not only or each.name in {LIMIT, *only}]
    where = machine()
    findings = contest.contest(cells, [each for each in wanted if each.installed], rounds)
    missing = [each.name for each in wanted if not each.installed]
    found = tables.figures(cells, findings)
    print(f"medians of {rounds}; {where}\n")
    if missing:
        print(f"Not installed, and left out: {', '.join(missing)}.\n")
    print("\n".join(tables.tables(found)))
    if json_file:
        facts = {"machine": where, "rounds": rounds, "missing": missing, "cells": cells, "findings": findings}
        json_file.write_bytes(msgspec.json.format(msgspec.json.encode(facts)))
    if picture:
        from benchmarks.peers.picture import draw

        draw(found, where, picture)


if __name__ == "__main__":
    main()
