"""Shards of one run, each from a machine of its own, put together: from then on they are one run.

It is made under another name and gets its own when it is whole: an error leaves nothing, and whoever looks finds all or
none of it.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from fanout import facts, jobs, resume
from fanout.assembly import Assembly
from fanout.errors import StoppedError, UsageError
from fanout.roster import Leg, Shard, Whole, digest_of
from fanout.runfile import RunFile
from workers.totals import NOTHING, SUMS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fanout.facts import Intent
    from workers.totals import Totals

#: What makes two run files shards of one run, beside their shares: names of facts, and what people call them.
_SAME = {
    "job": "job",
    "options": "options of the job",
    "server": "server",
    "choice": "choice of mailboxes",
    "code": "code of the job",
    "dry": "--dry-run",
}


@dataclass(frozen=True, slots=True)
class Part:
    """The run file of a shard."""

    file: RunFile
    told: dict[str, Any]
    intent: Intent
    shard: Shard

    @classmethod
    def of(cls, file: RunFile) -> Part:
        """Raises UsageError for a file that somebody works on, that was never begun, or that is no shard."""
        if file.worked_on_by is not None:
            raise UsageError(f"somebody is working on it: {file.path}; wait for its end, or interrupt it")
        if not file.sittings():
            raise UsageError(f"the run was killed before it began: {file.path}")
        told = file.facts()
        intent = facts.intent_of(told)
        shard = intent.mailboxes.choice.shard
        if shard is None:
            raise UsageError(f"this is no shard of a run, it was begun without --shard: {file.path}")
        if told["unlisted"]:
            raise UsageError(
                f"nobody knows yet which mailboxes are on {', '.join(told['unlisted'])}: {file.path}; fanout resume lists "
                "them as soon as the server answers"
            )
        return cls(file, told, intent, shard)

    @property
    def kind(self) -> dict[str, object]:
        """What it has in common with the other shards of its run, by the names of _SAME."""
        mailboxes, task = self.intent.mailboxes, self.intent.task
        return {
            "job": self.told["job"],
            "options": task.options,
            "server": ", ".join(mailboxes.servers),
            "choice": str(replace(mailboxes.choice, shard=None)) or "all",
            "code": self.file.sittings()[-1].job_hash,
            "dry": task.dry_run,
        }

    @property
    def whole(self) -> Whole:
        """What it is a shard of."""
        return msgspec.convert(self.told["whole"], Whole)


def merge(paths: Sequence[Path], output: Path, *, force: bool, partial: bool, accept_changes: bool) -> list[str]:
    """Make one run file of those of some shards. Returns what was said of them, and accepted.

    Raises UsageError where they are no shards of one run, a shard is there twice or, unless `partial`, not at all, or what
    they saw differs, unless changes are accepted; StoppedError when the disk takes no more. Then nothing is left.
    """
    with ExitStack() as stack:
        files = [stack.enter_context(RunFile.open(path)) for path in paths]
        replaced = _to_replace(output, paths, force=force)
        if replaced:
            stack.enter_context(replaced)
        for file in files:
            stack.enter_context(file.standing_still())
        parts = sorted(map(Part.of, files), key=lambda part: part.shard.parts)
        changes = _check(parts, partial=partial, accept_changes=accept_changes)
        new = output.with_name(f".{output.name}.{os.getpid()}")
        _assemble(new, parts, changes)
        if replaced:
            replaced.discard()
        new.rename(output)
        return changes


def _to_replace(output: Path, paths: Iterable[Path], *, force: bool) -> RunFile | None:
    """The run file that is in the way, held. Raises UsageError where it may not be replaced."""
    if not output.parent.is_dir():
        raise UsageError(f"-o {output}: there is no such directory")
    if output.is_dir():
        raise UsageError(f"-o {output}: it is a directory; give the name of a file")
    if not os.path.lexists(output):
        return None
    if not force:
        raise UsageError(f"-o {output}: the file is there already; --force replaces it")
    if not output.exists():
        raise UsageError(f"-o {output}: it is a link that leads nowhere; give another name")
    if any(output.samefile(path) for path in paths):
        raise UsageError(f"-o {output}: it is one of those to be merged; give another name")
    try:
        return RunFile.resume(output)
    except UsageError as error:
        raise UsageError(
            f"-o {output}: the output is there already, and --force replaces nothing but a run file that nobody works on; "
            f"give another name: {error}"
        ) from error


# --- do they belong together ------------------------------------------------------------------------------------------


def _check(parts: list[Part], *, partial: bool, accept_changes: bool) -> list[str]:
    first = parts[0]
    for other in parts[1:]:
        _check_same(first, other)
    _check_shares(parts, partial=partial)
    changes = [
        f"{part.file.path} is a shard of {part.whole.count:,} names, {first.file.path} of {first.whole.count:,}, "
        "and they are not the same ones in the same order"
        for part in parts
        if part.whole != first.whole
    ]
    if changes and not accept_changes:
        raise UsageError(
            f"what the shards were taken of differs: {'; '.join(changes)}; --accept-changes merges them all the same"
        )
    return changes


def _check_same(first: Part, other: Part) -> None:
    """Raise UsageError for two files that are no shards of one run."""
    one, two = first.kind, other.kind
    for fact, what in _SAME.items():
        if one[fact] != two[fact]:
            raise UsageError(
                f"these are no shards of one run, the {what} differs: {first.file.path} has {one[fact]!r}, "
                f"{other.file.path} has {two[fact]!r}"
            )


def _check_shares(parts: list[Part], *, partial: bool) -> None:
    """Raise UsageError where a share is there twice, or not at all."""
    of = parts[0].shard.of
    holders: dict[int, Part] = {}
    for part in parts:
        if part.shard.of != of:
            raise UsageError(
                f"these are no shards of one run: {parts[0].file.path} is shard {parts[0].shard}, "
                f"{part.file.path} is shard {part.shard}"
            )
        for share in part.shard.parts:
            if share in holders:
                raise UsageError(f"shard {share}/{of} is there twice: {holders[share].file.path} and {part.file.path}")
            holders[share] = part
    missing = [f"{share}/{of}" for share in range(1, of + 1) if share not in holders]
    if missing and not partial:
        raise UsageError(
            f"not all shards are there: {', '.join(missing)} missing; give their run files, too, or --partial for a "
            "run of the others alone, which can be merged with them later"
        )


# --- put together -----------------------------------------------------------------------------------------------------


def _assemble(path: Path, parts: list[Part], changes: list[str]) -> None:
    """Make the file, whole. Whatever goes wrong, nothing is left of it."""
    totals = _totals(parts[0])
    merged = Assembly.create(path)
    try:
        count = merged.take_roster([part.file for part in parts], parts[0].told["servers"] or ())
        for number, part in enumerate(parts):
            merged.take(number, part.file)
        merged.tell(**parts[0].told | _together(parts, count) | {"legs": msgspec.to_builtins(_legs(parts, merged))})
        merged.tell(**_folded(parts, totals))
        digest = resume.roster(merged).digest
        merged.tell(roster_digest=digest)
        sitting = facts.sitting(parts[0].file.sittings()[-1].job_hash, digest)
        merged.sit_down(msgspec.structs.replace(sitting, accepted=changes))
        merged.stand_up(facts.now(), _left(parts))
        merged.close()
    except BaseException:
        merged.discard()
        raise


def _together(parts: list[Part], count: int) -> dict[str, object]:
    """The facts that are another's than the first part's. It is gone on with from the folder where it is merged."""
    told, shares = parts[0].told, sorted(share for part in parts for share in part.shard.parts)
    return {
        "roster": told["roster"] | {"count": count},
        "choice": told["choice"] | {"shard": msgspec.to_builtins(Shard(tuple(shares), parts[0].shard.of))},
        "directory": str(Path.cwd()),
        "sink": None,
    }


def _legs(parts: list[Part], merged: RunFile) -> list[Leg]:
    """The shares of the servers, where there are several: each has those that it has in the parts."""
    legs: list[Leg] = []
    for server in parts[0].told["servers"] or ():
        shares = [leg for part in parts for leg in part.told["legs"] if leg["server"] == server]
        first = legs[-1].ordinals.stop if legs else 0
        ordinals = range(first, first + sum(share["count"] for share in shares))
        whole = msgspec.convert(shares[0]["whole"], Whole | None)
        legs.append(Leg(server, first, len(ordinals), digest_of(merged.names, ordinals), whole))
    return legs


def _totals(part: Part) -> Totals:
    """How the results of the job become totals. Raises UsageError where only the job itself knows, and it is not here."""
    totals = jobs.marks(part.intent.task.job).totals
    if totals is SUMS and "merged" in part.told:
        raise UsageError(
            f"the totals are merged by the job's own function, and the job can't be found: {part.told['job_source']}"
        )
    return totals


def _folded(parts: list[Part], totals: Totals) -> dict[str, object]:
    """The totals of all. Raises StoppedError where the job's function raises."""
    total: object = NOTHING
    try:
        for part in parts:
            total = totals.add(total, part.file.before().total)
        told = totals.told(total)
    except Exception as error:
        raise StoppedError(f"the job's merge function raised {type(error).__name__}: {error}") from error
    return {"totals": told} | ({} if totals is SUMS else {"merged": total})


def _left(parts: list[Part]) -> str | None:
    """Why the run that was merged is not at its end."""
    unended = [part.file.path.name for part in parts if sum(part.file.counts()) < part.told["roster"]["count"]]
    return f"merged before the end of {', '.join(unended)}" if unended else None
