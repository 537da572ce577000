"""`fanout merge`: run files of shards put together. Most files are made here, as a run would have left them."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from fanout import facts, resume, shards, summary
from fanout.cli import cli
from fanout.conduct import Mailboxes, Task, Workforce
from fanout.errors import StoppedError, UsageError
from fanout.lives import Life, Stamp
from fanout.outcomes import failure_line
from fanout.roster import Choice, Roster, Shard, Sharing
from fanout.runfile import RunFile
from tests.test_cli import fanout, records
from workers.causes import Cause
from workers.messages import Error, FileJob, Found, Leak, Leaked, ModuleJob, Printed

CENSUS = ModuleJob("workers.jobs.census", "census")
NULL = Mailboxes("null:40")
COUNTED = Task(CENSUS)
NAMES = [f"u{number:02}" for number in range(40)]
BUSY = Error("MailboxError", "come back later", Cause.BUSY, retryable=True)

JOB = """
import fanout

@fanout.job(merge=max, conclude=lambda most: {"most": most})
def most(mailbox):
    return 1
"""


def record(name: str) -> bytes:
    return json.dumps({"mailbox": name, "ok": True, "result": {"n": 1}, "attempts": 1, "seconds": 0.5}).encode() + b"\n"


class Made:
    """The run file of one shard, while its run goes on."""

    def __init__(self, file: RunFile, names: list[str]) -> None:
        self.file = file
        self.names = names

    def done(self, first: int, count: int) -> None:
        lines = b"".join(map(record, self.names[first : first + count]))
        self.file.keep(Found(1, first, count, lines, b"null"), 1, Stamp(1, 100.0 + first))

    def failed(self, ordinal: int) -> None:
        self.file.settle(ordinal, failure_line(self.names[ordinal], BUSY, 3, 0.5), Stamp(2, 200.0 + ordinal))


class Folder:
    """Makes run files of shards."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.merged = path / "merged.fanout"

    def begin(
        self,
        share: int,
        of: int,
        names: list[str] = NAMES,
        mailboxes: Mailboxes = NULL,
        task: Task = COUNTED,
    ) -> Made:
        shard = Shard((share,), of)
        sharing = Sharing(shard)
        placed = list(sharing.of(names))
        file = RunFile.create(self.path / f"{share}.fanout")
        file.add_names([name for _, name in placed], [place for place, _ in placed])
        roster = Roster(len(placed), "a test", file.names, numbered=False, whole=sharing.whole)
        wanted = replace(mailboxes, choice=replace(mailboxes.choice, shard=shard))
        facts.begin(file, facts.Intent(wanted, Workforce(1), task), roster)
        file.standing(None, None)
        return Made(file, [name for _, name in placed])

    def whole_parts(self, of: int, **others: Any) -> list[Path]:  # noqa: ANN401 - arguments of begin
        """Shards of one run, each at its end."""
        for share in range(1, of + 1):
            part = self.begin(share, of, **others)
            part.done(0, len(part.names))
            part.file.standing({"n": len(part.names)}, None)
            part.file.close()
        return self.paths(*range(1, of + 1))

    def paths(self, *numbers: int) -> list[Path]:
        return [self.path / f"{number}.fanout" for number in numbers]

    def merge(self, *numbers: int, force: bool = False, partial: bool = False, accept: bool = False) -> list[str]:
        return shards.merge(self.paths(*numbers), self.merged, force=force, partial=partial, accept_changes=accept)

    @property
    def files(self) -> list[str]:
        return sorted(path.name for path in self.path.iterdir())


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_a_shard_that_is_gone_on_with_knows_what_it_is_a_shard_of(folder: Folder) -> None:
    part = folder.begin(1, 2)

    roster = resume.roster(part.file)

    sharing = Sharing(Shard((1,), 2))
    assert list(sharing.of(NAMES))
    assert roster.whole == sharing.whole
    part.file.close()


def names_in(path: Path) -> list[str]:
    with RunFile.open(path) as file:
        return [outcome.mailbox for outcome in file.outcomes()]


# what comes together


def test_records_stand_in_the_order_of_the_whole_and_totals_are_those_of_all(folder: Folder) -> None:
    folder.whole_parts(3)

    folder.merge(3, 1, 2)

    with RunFile.open(folder.merged) as file:
        assert [outcome.mailbox for outcome in file.outcomes()] == NAMES
        assert resume.roster(file).names(range(40)) == NAMES
        assert file.facts()["totals"] == {"n": 40}
        assert file.counts() == (40, 0)
        assert list(file.gaps(40)) == []


def test_what_is_known_of_a_mailbox_stays_with_it(folder: Folder) -> None:
    for share in (1, 2):
        part = folder.begin(share, 2)
        part.done(0, 3)
        part.file.note(Printed(2, f"{part.names[2]} said this\n"))
        part.file.note(Leaked(1, [Leak("IMessage", 2, "job.py", 7, "count", 3)]))
        part.file.retried(4, 1, failure_line(part.names[4], BUSY, 1, 0.5))
        part.file.retried(4, 2, failure_line(part.names[4], BUSY, 2, 0.5))
        part.failed(4)
        part.file.risk(5)
        part.file.close()

    folder.merge(1, 2)

    with RunFile.open(folder.merged) as file:
        name = resume.roster(file).name
        at_risk = [name(ordinal) for ordinal in file.at_risk()]
        for share in (1, 2):
            names = [name for _, name in Sharing(Shard((share,), 2)).of(NAMES)]
            here = NAMES.index
            assert file.output(here(names[2])) == f"{names[2]} said this\n"
            assert file.leaks_of(here(names[1])) == [Leak("IMessage", 2, "job.py", 7, "count", 3)]
            assert [outcome.attempts for _, outcome in file.attempts(here(names[4]))] == [1, 2]
            assert [outcome.mailbox for _, outcome in file.attempts(here(names[4]))] == [names[4]] * 2
            assert [(at, found.error) for at, found in file.outcomes_of(names[4])] == [(here(names[4]), BUSY)]
            assert names[5] in at_risk
        assert len(at_risk) == 2


@settings(derandomize=True, deadline=None, max_examples=15)
@given(data=st.data(), of=st.integers(1, 4))
def test_frames_of_any_size_are_taken_apart_and_lose_nothing(
    data: st.DataObject, of: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = Folder(tmp_path_factory.mktemp("shards"))
    settled = set()
    for share in range(1, of + 1):
        part = folder.begin(share, of)
        first = 0
        while first < len(part.names):
            size = data.draw(st.integers(1, len(part.names) - first))
            kind = data.draw(st.sampled_from(["done", "failed", "left"]))
            if kind == "done":
                part.done(first, size)
            elif kind == "failed":
                size = 1
                part.failed(first)
            if kind != "left":
                settled.update(part.names[first : first + size])
            first += size
        part.file.close()

    folder.merge(*range(1, of + 1))

    with RunFile.open(folder.merged) as file:
        left = [NAMES[ordinal] for gap in file.gaps(40) for ordinal in gap]
        assert [outcome.mailbox for outcome in file.outcomes()] == [name for name in NAMES if name in settled]
        assert left == [name for name in NAMES if name not in settled]
        assert sum(file.counts()) == len(settled)


def test_every_sitting_of_every_machine_is_kept_and_the_merge_is_the_last(folder: Folder) -> None:
    folder.whole_parts(2)
    with RunFile.resume(folder.paths(1)[0]) as file:
        file.sit_down(msgspec.structs.replace(file.sittings()[-1], host="elsewhere"))

    folder.merge(1, 2)

    with RunFile.open(folder.merged) as file:
        sittings = file.sittings()
    with RunFile.open(folder.paths(1)[0]) as file:
        assert sittings[:2] == file.sittings()
    assert len(sittings) == 4
    assert sittings[1].host == "elsewhere"
    assert sittings[3].ended is not None
    assert sittings[3].stopped_by is None


def test_each_outcome_has_its_time_and_the_life_of_the_worker_that_told_of_it(folder: Folder) -> None:
    for share in (1, 2):
        part = folder.begin(share, 2)
        lives = [Life(1, 1, 0, 10.0, 100 * share, 20.0, "exit code 3"), Life(2, 1, 1, 11.0, 100 * share + 1)]
        part.file.muster(lives, [])
        part.done(0, 2)
        part.failed(2)
        part.file.close()

    folder.merge(1, 2)

    with RunFile.open(folder.merged) as file:
        assert list(file.musters.lives()) == [
            Life(1, 1, 0, 10.0, 100, 20.0, "exit code 3"),
            Life(2, 1, 1, 11.0, 101),
            Life(3, 2, 2, 10.0, 200, 20.0, "exit code 3"),
            Life(4, 2, 3, 11.0, 201),
        ]
    with closing(sqlite3.connect(folder.merged)) as connection:
        told = connection.execute("SELECT life, at, sum(count) FROM done GROUP BY 1 ORDER BY 1").fetchall()
        failed = connection.execute("SELECT life, at FROM failed ORDER BY 1").fetchall()
    assert told == [(1, 100.0, 2), (3, 100.0, 2)]
    assert failed == [(2, 202.0), (4, 202.0)]


def test_what_has_no_outcome_in_a_shard_is_left_to_be_gone_on_with(folder: Folder) -> None:
    folder.whole_parts(2)
    folder.paths(2)[0].unlink()
    part = folder.begin(2, 2)
    part.done(0, 5)
    part.file.close()

    folder.merge(1, 2)

    with RunFile.open(folder.merged) as file:
        todo = resume.todo(file)
        assert [NAMES[ordinal] for gap in todo.within(range(40)).ranges for ordinal in gap] == part.names[5:]
        assert file.sittings()[-1].stopped_by == "merged before the end of 2.fanout"
        assert list(summary.of_idle(file)) == [
            "nobody works on the run: merged before the end of 2.fanout",
            f"to go on with it: fanout resume {folder.merged}",
            f"{40 - todo.count} done, 0 failed, of 40",
        ]


def test_totals_of_a_merge_function_are_merged_by_it(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text(JOB)
    task = Task(FileJob(str(tmp_path / "job.py"), "most"))
    for share, most in ((1, 7), (2, 5)):
        part = folder.begin(share, 2, task=task)
        part.file.standing({"most": most}, None, most)
        part.file.close()

    folder.merge(1, 2)

    with RunFile.open(folder.merged) as file:
        assert (file.facts()["totals"], file.facts()["merged"]) == ({"most": 7}, 7)


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        (None, UsageError, "the job can't be found"),
        (JOB.replace("merge=max", "merge=lambda one, other: 1 / 0"), StoppedError, "raised ZeroDivisionError"),
    ],
)
def test_totals_that_can_not_be_merged_leave_what_was_there(
    folder: Folder, tmp_path: Path, text: str | None, error: type[Exception], said: str
) -> None:
    job = tmp_path / "job.py"
    job.write_text(text or JOB)
    for share in (1, 2):
        part = folder.begin(share, 2, task=Task(FileJob(str(job), "most")))
        part.file.standing({"most": share}, None, share)
        part.file.close()
    folder.merge(1, partial=True)
    if text is None:
        job.unlink()
    before = folder.files

    with pytest.raises(error, match=said):
        folder.merge(1, 2, force=True)
    assert folder.files == before
    with RunFile.open(folder.merged) as file:
        assert file.facts()["totals"] == {"most": 1}


# shards that are missing


def test_a_shard_that_is_missing_is_named(folder: Folder) -> None:
    folder.whole_parts(4)

    with pytest.raises(UsageError, match="not all shards are there: 2/4, 3/4 missing"):
        folder.merge(1, 4)


def test_some_shards_are_a_run_of_their_own_and_become_the_whole_when_the_others_come(folder: Folder) -> None:
    folder.whole_parts(4)
    folder.merge(1, 4, partial=True)
    some = names_in(folder.merged)
    folder.merged.rename(folder.path / "5.fanout")

    folder.merge(2, 5, 3)

    assert some == [name for _, name in Sharing(Shard((1, 4), 4)).of(NAMES)]
    assert names_in(folder.merged) == NAMES
    with RunFile.open(folder.merged) as file:
        assert facts.intent_of(file.facts()).mailboxes.choice.shard == Shard((1, 2, 3, 4), 4)


def test_a_shard_that_is_there_twice_is_refused_with_both_files(folder: Folder) -> None:
    one, _ = folder.whole_parts(2)
    (folder.path / "3.fanout").write_bytes(one.read_bytes())

    with pytest.raises(UsageError, match=r"shard 1/2 is there twice: .*1\.fanout and .*3\.fanout"):
        folder.merge(1, 2, 3)


# what is no shard of the run


OTHERS: dict[str, dict[str, Any]] = {
    "job": {"task": Task(ModuleJob("workers.jobs.logon", "logon"))},
    "options of the job": {"task": Task(CENSUS, {"newest": True})},
    "server": {"mailboxes": Mailboxes("null:41")},
    "choice of mailboxes": {"mailboxes": Mailboxes("null:40", Choice(exclude=("x*",)))},
    "--dry-run": {"task": Task(CENSUS, dry_run=True)},
}


@pytest.mark.parametrize("what", OTHERS)
def test_shards_of_other_runs_are_refused_with_what_differs(folder: Folder, what: str) -> None:
    folder.begin(1, 2).file.close()
    folder.begin(2, 2, **OTHERS[what]).file.close()

    with pytest.raises(UsageError, match=f"no shards of one run, the {what} differs"):
        folder.merge(1, 2)
    assert folder.files == ["1.fanout", "2.fanout"]


def test_a_choice_that_differs_is_told_as_the_command_line_says_it(folder: Folder) -> None:
    folder.begin(1, 2).file.close()
    folder.begin(2, 2, mailboxes=Mailboxes("null:40", Choice(exclude=("x*",), limit=50))).file.close()

    with pytest.raises(UsageError, match=r"""1\.fanout has 'all', .*2\.fanout has "--exclude 'x\*' --limit 50"$"""):
        folder.merge(1, 2)


@pytest.mark.parametrize(
    ("output", "said"),
    [("gone/all.fanout", "there is no such directory"), (".", "it is a directory; give the name of a file")],
)
def test_a_place_where_no_file_can_be_is_named_as_it_was_given(folder: Folder, output: str, said: str) -> None:
    paths = folder.whole_parts(2)
    place = folder.path / output

    with pytest.raises(UsageError) as caught:
        shards.merge(paths, place, force=True, partial=False, accept_changes=False)
    assert str(caught.value) == f"-o {place}: {said}"
    assert folder.files == ["1.fanout", "2.fanout"]


def test_a_job_whose_code_is_another_is_refused(folder: Folder, tmp_path: Path) -> None:
    job = tmp_path / "job.py"
    for share in (1, 2):
        job.write_text(f"def job(mailbox):\n    return {share}\n")
        folder.begin(share, 2, task=Task(FileJob(str(job), "job"))).file.close()

    with pytest.raises(UsageError, match="the code of the job differs"):
        folder.merge(1, 2)


def test_shards_of_other_numbers_of_parts_are_refused(folder: Folder) -> None:
    folder.begin(1, 2).file.close()
    folder.begin(2, 3).file.close()

    with pytest.raises(UsageError, match=r"1\.fanout is shard 1/2, .*2\.fanout is shard 2/3"):
        folder.merge(1, 2)


def test_a_roster_that_was_listed_differently_is_refused_unless_that_is_accepted(folder: Folder) -> None:
    for share, names in ((1, NAMES), (2, [*NAMES, "later"])):
        part = folder.begin(share, 2, names)
        part.done(0, len(part.names))
        part.file.close()

    with pytest.raises(UsageError, match=r"2\.fanout is a shard of 41 names, .*1\.fanout of 40.*--accept-changes"):
        folder.merge(1, 2)
    (change,) = folder.merge(1, 2, accept=True)
    with RunFile.open(folder.merged) as file:
        assert file.sittings()[-1].accepted == [change]
    expected = [name for name in NAMES if name in names_in(folder.merged)]
    assert names_in(folder.merged)[: len(expected)] == expected


def no_shard(folder: Folder) -> None:
    with RunFile.create(folder.path / "1.fanout") as file:
        roster = Roster(40, "a test", lambda ordinals: NAMES[ordinals.start : ordinals.stop], numbered=True)
        facts.begin(file, facts.Intent(Mailboxes("null:40"), Workforce(1), Task(CENSUS)), roster)


def never_begun(folder: Folder) -> None:
    RunFile.create(folder.path / "1.fanout").close()


def no_run_file(folder: Folder) -> None:
    (folder.path / "1.fanout").write_text("no run file")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (no_shard, "this is no shard of a run, it was begun without --shard"),
        (never_begun, "the run was killed before it began"),
        (no_run_file, "no run file can be read here"),
    ],
)
def test_what_is_no_shard_is_refused(folder: Folder, make: Any, said: str) -> None:  # noqa: ANN401 - a function
    make(folder)

    with pytest.raises(UsageError, match=said):
        folder.merge(1)


def test_a_run_that_somebody_works_on_is_refused(folder: Folder) -> None:
    folder.whole_parts(2)

    with RunFile.resume(folder.paths(2)[0]), pytest.raises(UsageError, match=r"somebody is working on it: .*2\.fanout"):
        folder.merge(1, 2)
    assert folder.files == ["1.fanout", "2.fanout"]


# where it goes


def test_a_file_that_is_there_is_replaced_only_by_force(folder: Folder) -> None:
    folder.whole_parts(2)
    folder.merge(1, partial=True)

    with pytest.raises(UsageError, match="the file is there already; --force replaces it"):
        folder.merge(1, 2)
    folder.merge(1, 2, force=True)

    assert names_in(folder.merged) == NAMES
    assert folder.files == ["1.fanout", "2.fanout", "merged.fanout"]


def test_what_a_killed_process_left_beside_a_file_does_not_get_into_the_one_that_replaces_it(folder: Folder) -> None:
    folder.whole_parts(2)
    folder.merge(1, partial=True)
    Path(f"{folder.merged}-wal").write_bytes(b"what was not checkpointed")

    folder.merge(1, 2, force=True)

    assert folder.files == ["1.fanout", "2.fanout", "merged.fanout"]
    assert names_in(folder.merged) == NAMES


@pytest.mark.parametrize("number", [1, 2])
def test_a_merge_into_one_of_its_own_shards_is_refused(folder: Folder, number: int) -> None:
    folder.whole_parts(2)
    paths = folder.paths(1, 2)

    with pytest.raises(UsageError, match="it is one of those to be merged"):
        shards.merge(paths, paths[number - 1], force=True, partial=False, accept_changes=False)


def test_what_is_no_run_file_is_not_replaced_even_by_force(folder: Folder) -> None:
    folder.whole_parts(2)
    folder.merged.write_text("precious")

    with pytest.raises(UsageError, match="no run file can be read here"):
        folder.merge(1, 2, force=True)
    assert folder.merged.read_text() == "precious"


# by the command


def here(*words: str | Path) -> Result:
    """A command that starts no process, in this one."""
    return CliRunner().invoke(cli, [*map(str, words)])


def merged(*words: str | Path) -> Result:
    return here("merge", *words)


def test_the_command_says_what_the_runs_come_to(folder: Folder) -> None:
    paths = folder.whole_parts(2)

    found = merged(*paths, "-o", folder.merged)

    assert found.exit_code == 0
    assert found.stderr.splitlines() == [f"run file: {folder.merged}", "the run has ended", "40 done, 0 failed, of 40"]


@pytest.mark.spawns
def test_shards_of_a_real_run_are_merged_gone_on_with_and_are_the_whole_run(tmp_path: Path) -> None:
    server = ("--server", "sim:60?missing=u00000011@sim.example,u00000012@sim.example&messages=5", "-w", "1", "-q")
    for share in ("1", "2"):
        fanout(tmp_path, "run", "census", *server, "--shard", f"{share}/2", "--run-file", f"{share}.fanout")
    fanout(tmp_path, "run", "census", *server, "--run-file", "whole.fanout")

    whole_file, merged_file = tmp_path / "whole.fanout", tmp_path / "merged.fanout"
    done = merged(tmp_path / "2.fanout", tmp_path / "1.fanout", "-o", merged_file)

    assert (done.exit_code, done.stderr.splitlines()[-1]) == (0, "58 done, 2 failed, of 60")
    again = fanout(tmp_path, "resume", "merged.fanout", "--only-failed", "-q")
    assert (again.returncode, again.stderr.splitlines()[-1]) == (1, "58 done, 2 failed, of 60")
    compared = here("diff", whole_file, merged_file)
    assert compared.stderr.splitlines()[-1] == "0 new, 0 gone, 0 changed, 0 failed, 0 mended, 60 same"
    exported = [here("export", path, "-o", "-").stdout for path in (whole_file, merged_file)]
    whole, parts = ([record["mailbox"] for record in records(text)] for text in exported)
    assert whole == parts
