"""The record at the end of the page: what was run, and who did so, when, where and with which versions. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from fanout.report.times import moment_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fanout.sitting import Sitting

#: Sittings that are told of; of more, the last.
MOST_SITTINGS = 12


class Fact(NamedTuple):
    """A name, and what stands for it; `code` is for a machine rather than for people."""

    name: str
    text: str
    code: bool = False


class Record(NamedTuple):
    """One sitting."""

    title: str
    facts: list[Fact]


def facts_of(told: Mapping[str, Any], job_hash: str | None) -> list[Fact]:
    """What was run."""
    options = " ".join(f"-a {name}={value}" for name, value in told["options"].items())
    return [
        Fact("job", f"{told['job_source']} {options}".rstrip(), code=True),
        Fact("code", f"SHA-256 {job_hash}" if job_hash else "none that could be found", code=bool(job_hash)),
        *(Fact("server", server, code=True) for server in told["servers"] or [told["server"]]),
        Fact("roster", f"{told['roster']['count']:,} mailboxes: {told['roster']['source']}"),
    ]


def records_of(sittings: Sequence[Sitting], *, at_work: bool) -> list[Record]:
    """The last sittings, the first of them first."""
    records = []
    for number, sitting in list(enumerate(sittings, 1))[-MOST_SITTINGS:]:
        title = f"Sitting {number} of {len(sittings)}" if len(sittings) > 1 else "Who, when and where"
        records.append(Record(title, list(_sitting(sitting, at_work=at_work and number == len(sittings)))))
    return records


def _sitting(sitting: Sitting, *, at_work: bool) -> Iterator[Fact]:
    yield Fact("by", f"{sitting.operator} on {sitting.host}, process {sitting.pid}")
    yield Fact("with", ", ".join(f"{name} {version}" for name, version in sitting.versions.items()))
    yield Fact("command", sitting.command, code=True)
    yield Fact("begun", moment_of(sitting.begun))
    if sitting.ended:
        yield Fact("ended", moment_of(sitting.ended))
    else:
        yield Fact("ended", "at work now" if at_work else "killed, or the power failed")
    if sitting.stopped_by:
        yield Fact("stopped early", sitting.stopped_by)
    for change in sitting.accepted:
        yield Fact("changed, and accepted", change)
