"""Going on with a run: is it the same still, what is left of it, and where its records go.

the run file  --facts-->  what was asked for
the server    --listed again-->  a digest, compared with the roster's
the job       --hashed again-->  compared with the code that ran
under way     --no outcome-->  failed as uncertain, where the job must not be called for a mailbox twice
outcomes      --gaps-->  what is left to do
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from fanout import facts, jobs
from fanout.code import code_of
from fanout.errors import UsageError
from fanout.ledger import SinkPlace
from fanout.lives import Stamp
from fanout.outcomes import failure_line
from fanout.relisting import relist
from fanout.roster import Leg, Roster, Whole
from fanout.sink import STDOUT, Sink
from fanout.work import Rest
from fanout.workplace import THIS_MACHINE, Workplace
from workers.causes import Cause
from workers.messages import Error
from workers.servers import server_at

if TYPE_CHECKING:
    from fanout.facts import Intent
    from fanout.partition import Partition
    from fanout.runfile import RunFile
    from fanout.sitting import Sitting

#: Of a mailbox that a job which writes was at when everything was killed.
BROKEN_OFF = Error(
    "RunKilled",
    "the run was killed while the job was at this mailbox, or about to be; it may have written there, so it is not "
    f"called again unless --only-failed={Cause.UNCERTAIN} asks for it",
    Cause.UNCERTAIN,
)


@dataclass(frozen=True, slots=True)
class Unchanged:
    """A run that can be gone on with: how its roster is cut now, and the sitting that is to be written down."""

    how: Partition
    sitting: Sitting


def roster(file: RunFile) -> Roster:
    """The roster of a run, as its file has it."""
    told = file.facts()
    kept = told["roster"]
    if not kept["numbered"]:
        legs, whole = msgspec.convert(told["legs"], tuple[Leg, ...]), msgspec.convert(told["whole"], Whole | None)
        unlisted = tuple(told["unlisted"])
        return Roster(
            kept["count"], kept["source"], file.names, numbered=False, whole=whole, legs=legs, unlisted=unlisted
        )
    address = server_at(told["server"]).address
    return Roster(kept["count"], kept["source"], lambda ordinals: [address(each) for each in ordinals], numbered=True)


def survey(file: RunFile, intent: Intent, workplace: Workplace = THIS_MACHINE, *, accept_changes: bool) -> Unchanged:
    """Ask the server again, look at the job again, and compare with what the last sitting saw.

    Raises UsageError, which names what has changed, unless changes are accepted; StoppedError when the server can't be
    listed. Whatever the server lists now, the names in the file stand.
    """
    before = file.sittings()[-1]
    seen = relist(file, roster(file), intent, workplace)
    code = code_of(intent.task.job)
    changes = []
    if code.digest != before.job_hash:
        changes.append(
            f"the job's code ({file.facts()['job_source']}): {_short(before.job_hash)} is {_short(code.digest)}"
        )
    changes += seen.changes
    if changes and not accept_changes:
        raise UsageError(
            f"since the run was begun something has changed: {'; '.join(changes)}; --accept-changes goes on all the same"
        )
    new_code = code.text if code.digest != before.job_hash else None
    sitting = facts.sitting(code.digest, seen.digest)
    return Unchanged(seen.how, msgspec.structs.replace(sitting, accepted=changes, job_code=new_code))


def settle_uncertain(file: RunFile) -> int:
    """Settle as failed what was under way when the run was killed, and must not be begun again by itself; how many.

    It is committed, and in the sink. Raises StoppedError when that can't be written, and nothing is settled.
    """
    ordinals = file.at_risk()
    if not ordinals:
        return 0
    kept = roster(file)
    stamp = Stamp(None, datetime.now(UTC).timestamp())
    for ordinal in ordinals:
        attempts = 1 + sum(1 for _ in file.attempts(ordinal))
        file.settle(ordinal, failure_line(kept.name(ordinal), BROKEN_OFF, attempts, 0.0, kept.server(ordinal)), stamp)
    _write_anew(file)
    file.commit()
    return len(ordinals)


def _write_anew(file: RunFile) -> None:
    """Have the sink follow the records, some of which it never had."""
    told = file.facts()["sink"]
    if told is not None and told["path"] != STDOUT:
        anew = Sink.follow(SinkPlace(told["path"], None), file.lines)
        file.tell(sink=msgspec.structs.asdict(anew.place))
        anew.close()


def todo(file: RunFile) -> Rest:
    """What is left of a run: every mailbox that has no outcome."""
    return Rest(file.facts()["roster"]["count"] - sum(file.counts()), file.left)


def sink(file: RunFile) -> Sink | None:
    """The sink of a run, where the run file says that it had come to. Raises StoppedError when it can't be written."""
    told = file.facts()["sink"]
    if told is None:
        return None
    if told["path"] == STDOUT:
        return Sink.open(STDOUT, force=False)
    return Sink.follow(msgspec.convert(told, SinkPlace), file.lines)


def check_same(told: dict[str, Any], intent: Intent, output: str | None) -> None:
    """Raise UsageError where a command does not ask for the run that its run file holds."""
    begun = facts.intent_of(told)
    asked: dict[str, tuple[object, object]] = {
        "another job": (jobs.source(begun.task.job), jobs.source(intent.task.job)),
        "other options of the job": (begun.task.options, intent.task.options),
        "another server": (", ".join(begun.mailboxes.servers), ", ".join(intent.mailboxes.servers)),
        "another choice of mailboxes": (str(begun.mailboxes.choice), str(intent.mailboxes.choice)),
        "another list of mailboxes": (begun.mailboxes.names_from, intent.mailboxes.names_from),
        "another place for its records": ((told["sink"] or {}).get("path"), Sink.path_of(output) if output else None),
    }
    for what, (before, now) in asked.items():
        if before != now:
            raise UsageError(
                f"the run file holds another run, with {what}: {before or 'none'}, not {now or 'none'}; "
                "give another run file"
            )


def _short(digest: str | None) -> str:
    return digest[:12] if digest else "none"
