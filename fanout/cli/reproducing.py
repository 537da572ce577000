"""`fanout reproduce`: the article, run and measured."""

from __future__ import annotations

import os
import platform
import textwrap
import time
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import click
import msgspec

from fanout import reproduce as trying
from fanout.cli.access import ACCESS, access_of
from fanout.cli.words import give, say, show

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.article import Finding

#: Characters of a line, and of what stands before what was found.
WIDTH, INDENT = 80, 8


@click.command()
@click.argument("statements", nargs=-1, metavar="[S1 ... S14] [wire]")
@click.option("--server", metavar="URL", default=trying.SERVER, show_default=True, help="A server that speaks MAPI.")
@give(ACCESS)
@click.option("--json", "as_json", is_flag=True, help="One JSON document to stdout.")
def reproduce(statements: tuple[str, ...], server: str, *, as_json: bool, **given: Any) -> int:  # noqa: ANN401 - as click gives
    """Try what Microsoft Knowledge Base Q260141 says.

    Each statement is run live: what was tried, what came back, what was measured, and whether it is as the article says. `wire` is
    what a server does that hears a logon index for the second time. Exit code 0 only if all hold.

    \b
    fanout reproduce
    fanout reproduce S3 S4 --json
    """
    names = trying.chosen(statements)
    begun = time.monotonic()
    findings = []
    for finding in trying.reproduce(names, server, access_of(given)):
        findings.append(finding)
        if not as_json:
            show("\n".join(_lines(finding)))
    if as_json:
        show(msgspec.json.format(msgspec.json.encode(_document(server, findings)), indent=2).decode())
    held = sum(bool(finding.holds) for finding in findings)
    say(f"{held} of {len(findings)} are as the article says, after {time.monotonic() - begun:.1f} s")
    return 0 if held == len(findings) else 1


def _lines(finding: Finding) -> Iterator[str]:
    """A finding for people."""
    verdict = {True: "holds", False: "DOES NOT HOLD", None: "NOT TRIED"}[finding.holds]
    yield from _wrapped(f"{finding.statement:<{INDENT}}", finding.says)
    yield from _wrapped("tried   ", finding.tried)
    for answer in finding.answers:
        below = f", below it {answer.low_level}" if answer.low_level else ""
        yield from _wrapped("answer  ", f"{answer.call}: {answer.name} ({answer.code}){below}")
    if finding.figures:
        figures = (f"{figure.what} {figure.value:,.10g} {figure.unit}".rstrip() for figure in finding.figures)
        yield from _wrapped("figures ", "; ".join(figures))
    yield from _wrapped("        ", f"{verdict}{': ' if finding.why else ''}{finding.why}")
    yield ""


def _wrapped(head: str, text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=head, subsequent_indent=" " * INDENT, break_on_hyphens=False)


def _document(server: str, findings: list[Finding]) -> dict[str, object]:
    return {
        "article": "Q260141",
        "server": server,
        "holds": all(finding.holds for finding in findings),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "system": platform.platform(),
            "cores": len(os.sched_getaffinity(0)),
            "python": platform.python_version(),
            "fanout": version("mailbox-fanout"),
        },
        "findings": findings,
    }
